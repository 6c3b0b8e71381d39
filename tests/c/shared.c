// SPDX-License-Identifier: Apache-2.0
//
// Shared consumers: very many on few threads, in order, one call at a time, with
// exact accounts; those that block do not stop the others.

#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>

#include "test.h"

static aimdb_consumer_t *share(aimdb_record_t *record, aimdb_consumer_fn fn, void *user,
                               aimdb_free_fn free_user) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = fn;
    config.user = user;
    config.free = free_user;
    config.dispatch = AIMDB_SHARED;
    aimdb_consumer_t *consumer;
    OK(aimdb_subscribe(record, &config, &consumer));
    return consumer;
}

/* A line "NAME: VALUE" of a status file. */
static long value_in(const char *path, const char *name) {
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0) sscanf(line + strlen(name), ": %ld", &value);
    if (f) fclose(f);
    return value;
}

/* Threads that are the library's by their name: how many, and how often they have
 * slept. Threads of the Go runtime that one of them has started have its name, too,
 * and stay. */
struct threads {
    long count, sleeps;
};
static struct threads library_threads(void) {
    struct threads found = {0, 0};
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(name, sizeof name, f) && strncmp(name, "aimdb:", 6) == 0) {
            snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
            found.count++;
            found.sleeps += value_in(path, "voluntary_ctxt_switches");
        }
        if (f) fclose(f);
    }
    closedir(tasks);
    return found;
}

/* Waits until the threads of ended databases have ended: what is left is the Go
 * runtime's, some for each processor. */
static void await_their_end(void) {
    while (value_in("/proc/self/status", "Threads") > 8 + 4 * sysconf(_SC_NPROCESSORS_ONLN)) sched_yield();
}

static _Atomic uint64_t delivered;
static int count(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    delivered++;
    return 0;
}

enum { RECORDS = 1000, EACH = 10 };

static void ten_thousand_are_small_and_silent_when_idle(void) {
    static aimdb_record_t *records[RECORDS];
    aimdb_t *db = quiet_database();
    OK(aimdb_start(db));
    OK(aimdb_close(db, 0)); /* what the first database takes is not theirs */
    OK(aimdb_destroy(db));
    long before = value_in("/proc/self/status", "VmRSS");
    db = quiet_database();
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "r%d", i);
        OK(aimdb_register(db, key, NULL, &records[i]));
        for (int j = 0; j < EACH; j++) share(records[i], count, NULL, NULL);
    }
    OK(aimdb_start(db));
    delivered = 0;
    for (int i = 0; i < RECORDS; i++) OK(put(records[i], 1));
    while (delivered < RECORDS * EACH) sched_yield();
    long added = value_in("/proc/self/status", "VmRSS") - before;
    printf("  %d shared consumers of %d records add %ld KiB\n", RECORDS * EACH, RECORDS, added);
    REQUIRE(added <= 64 << 10);

    /* Idle: once all have gone to sleep they stay asleep. */
    struct threads now = library_threads(), then;
    REQUIRE(now.count >= 2);
    for (int quiet = 0; quiet < 5;) {
        usleep(50000);
        then = now, now = library_threads();
        quiet = now.sleeps == then.sleeps ? quiet + 1 : 0;
    }
    end_database(db);
    await_their_end();
}

enum { BLOCKED = 24 };
static pthread_barrier_t all_inside;
static int wait_for_all(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    pthread_barrier_wait(&all_inside);
    return 0;
}

/* Each callback returns only when all of them have begun. */
static void callbacks_that_block_get_more_threads(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *record = add(db, "r", AIMDB_RING, 16);
    pthread_barrier_init(&all_inside, NULL, BLOCKED);
    for (int i = 0; i < BLOCKED; i++) share(record, wait_for_all, NULL, NULL);
    OK(aimdb_start(db));
    OK(put(record, 1));
    OK(aimdb_close(db, AIMDB_FOREVER));
    OK(aimdb_destroy(db));
    await_their_end();
    pthread_barrier_destroy(&all_inside);
}

struct stream {
    aimdb_consumer_t *consumer;
    _Atomic int inside;
    uint64_t last[4], seen;
    _Atomic int freed;
};
enum { PRODUCERS = 4, STREAMS = 20, VALUES = 20000 };

static int follow(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e);
    struct stream *s = user;
    uint64_t n = number_in(m), from = n % PRODUCERS;
    REQUIRE(atomic_fetch_add(&s->inside, 1) == 0); /* one call at a time */
    REQUIRE(n > s->last[from]);                    /* in order */
    s->last[from] = n;
    s->seen++;
    atomic_fetch_sub(&s->inside, 1);
    return 0;
}
static void mark_freed(void *user) { ((struct stream *)user)->freed++; }

static aimdb_record_t *streamed;
static void *produce_stream(void *number) {
    for (uint64_t n = 1; n <= VALUES; n++) OK(put(streamed, n * PRODUCERS + (uintptr_t)number));
    return NULL;
}

static void values_come_in_order_and_all_are_accounted_for(void) {
    static const aimdb_buffer_t buffers[] = {AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX};
    for (int b = 0; b < 3; b++) {
        static struct stream streams[STREAMS];
        memset(streams, 0, sizeof streams);
        aimdb_t *db = quiet_database();
        streamed = add(db, "r", buffers[b], 64);
        for (int i = 0; i < STREAMS; i++)
            streams[i].consumer = share(streamed, follow, &streams[i], mark_freed);
        OK(aimdb_start(db));
        pthread_t threads[PRODUCERS];
        for (uintptr_t i = 0; i < PRODUCERS; i++)
            pthread_create(&threads[i], NULL, produce_stream, (void *)i);
        for (int i = 0; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
        uint64_t taken = 0;
        for (int i = 0; i < STREAMS; i++) {
            while (stats_of(streams[i].consumer).pending) sched_yield();
            aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
            OK(aimdb_unsubscribe(streams[i].consumer, &last));
            REQUIRE(streams[i].freed == 1);
            REQUIRE(last.delivered == streams[i].seen);
            if (buffers[b] != AIMDB_MAILBOX)
                REQUIRE(last.delivered + last.lagged + last.skipped + last.abandoned ==
                        PRODUCERS * (uint64_t)VALUES);
            taken += streams[i].seen;
        }
        aimdb_record_stats_t r = AIMDB_RECORD_STATS_INIT;
        OK(aimdb_record_stats(streamed, &r));
        REQUIRE(r.produced == PRODUCERS * (uint64_t)VALUES);
        if (buffers[b] == AIMDB_MAILBOX)
            REQUIRE(taken == r.taken && r.produced == taken + r.overwritten + r.pending);
        end_database(db);
    }
}

static _Atomic int lives;
static void end_of_life(void *user) { UNUSED(user), lives--; }

/* Subscriptions come and go while values are produced. */
static void come_and_go(void) {
    aimdb_t *db = quiet_database();
    streamed = add(db, "r", AIMDB_RING, 64);
    OK(aimdb_start(db));
    pthread_t threads[PRODUCERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        pthread_create(&threads[i], NULL, produce_stream, (void *)i);
    for (int i = 0; i < 2000; i++) {
        lives++;
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        aimdb_consumer_t *consumer = share(streamed, count, NULL, end_of_life);
        if (i % 3 == 0) stats_of(consumer);
        OK(aimdb_unsubscribe(consumer, &last));
        REQUIRE(last.offered == last.delivered + last.lagged + last.abandoned);
        REQUIRE(lives == 0);
    }
    for (int i = 0; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
    end_database(db);
    await_their_end();
}

static aimdb_t *ended_within;
static sem_t freed_within;
static int end_all(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    STATUS(AIMDB_IN_PROGRESS, aimdb_close(ended_within, AIMDB_FOREVER));
    OK(aimdb_destroy(ended_within));
    return 0;
}
static void post_freed(void *user) { UNUSED(user), sem_post(&freed_within); }

static void a_callback_may_end_its_own_database(void) {
    sem_init(&freed_within, 0, 0);
    for (int i = 0; i < 100; i++) {
        ended_within = quiet_database();
        aimdb_record_t *record = add(ended_within, "r", AIMDB_LATEST, 1);
        share(record, end_all, NULL, post_freed);
        OK(aimdb_start(ended_within));
        OK(put(record, 1));
        sem_wait(&freed_within);
    }
    await_their_end();
}

int main(void) {
    RUN(ten_thousand_are_small_and_silent_when_idle);
    RUN(callbacks_that_block_get_more_threads);
    RUN(values_come_in_order_and_all_are_accounted_for);
    RUN(come_and_go);
    RUN(a_callback_may_end_its_own_database);
    return 0;
}
