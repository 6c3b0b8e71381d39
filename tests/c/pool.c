// SPDX-License-Identifier: Apache-2.0
//
// The threads of shared consumers: how many there are while callbacks block and
// while they compute, that they end when they are not needed, and what a
// subscription gets that no thread is to be had for.

#define _GNU_SOURCE
#include "test.h"
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

/* The threads of pools, known by their function, which is that of the first thread
 * with the name of a worker. A test may refuse the n-th. */
static void *(*_Atomic pool_run)(void *);
static _Atomic int refused = -1, made, alive;
static _Thread_local void *(*running)(void *);

struct start {
    void *(*run)(void *);
    void *argument;
    bool counted;
};
static void *run_counted(void *start) {
    struct start s = *(struct start *)start;
    free(start);
    running = s.run;
    void *result = s.run(s.argument);
    if (s.counted) alive--;
    return result;
}

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    REQUIRE(found);
    return found;
}

int pthread_setname_np(pthread_t thread, const char *name) {
    int (*set)(pthread_t, const char *);
    *(void **)&set = original("pthread_setname_np");
    if (strcmp(name, "aimdb:worker") == 0 && !pool_run) pool_run = running;
    return set(thread, name);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = original("pthread_create");
    bool counted = run == pool_run;
    if (counted && made++ == refused) return EAGAIN;
    struct start *start = malloc(sizeof *start);
    *start = (struct start){run, argument, counted};
    alive += counted;
    int error = create(thread, attributes, run_counted, start);
    if (error) alive -= counted;
    return error;
}

static int processors(void) {
    cpu_set_t set;
    REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
    return CPU_COUNT(&set);
}
/* Threads of a pool that nobody needs: a worker for each processor, and a watcher. */
static int first_workers(void) { return processors() < 4 ? processors() : 4; }

static aimdb_status_t subscribe(aimdb_record_t *record, aimdb_consumer_fn fn) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = fn;
    config.dispatch = AIMDB_SHARED;
    return aimdb_subscribe(record, &config, NULL);
}
static void await_alive(int wanted) {
    while (alive > wanted) usleep(1000);
    REQUIRE(alive == wanted);
}

enum { MANY = 60 };
static _Atomic int called;

static int64_t used_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * AIMDB_SECOND + t.tv_nsec;
}
static int compute(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    for (int64_t end = used_ns() + 25 * AIMDB_MILLISECOND; used_ns() < end;) {}
    called++;
    return 0;
}

/* While the queue stands still for more than 10 ms, all the time. A worker that is
 * caught between two callbacks, not running, may be made up for. */
static void callbacks_that_compute_are_not_made_up_for(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *record = add(db, "r", AIMDB_RING, 16);
    for (int i = 0; i < MANY; i++) OK(subscribe(record, compute));
    OK(aimdb_start(db));
    int most = 0;
    called = 0;
    OK(put(record, 1));
    while (called < MANY) {
        if (alive > most) most = alive;
        usleep(1000);
    }
    printf("  %d callbacks of 25 ms on %d processors: at most %d threads\n", MANY, processors(), most);
    REQUIRE(most <= 4 * processors() + 4);
    end_database(db);
    await_alive(0);
}

static sem_t all_inside, go_on;
static int block(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    sem_post(&all_inside);
    sem_wait(&go_on);
    return 0;
}

static void workers_end_that_are_not_needed_and_come_again(void) {
    sem_init(&all_inside, 0, 0);
    sem_init(&go_on, 0, 0);
    aimdb_t *db = quiet_database();
    aimdb_record_t *record = add(db, "r", AIMDB_RING, 16);
    for (int i = 0; i < MANY; i++) OK(subscribe(record, block));
    OK(aimdb_start(db));
    REQUIRE(alive == first_workers() + 1);
    for (int round = 0; round < 2; round++) {
        OK(put(record, 1));
        for (int i = 0; i < MANY; i++) sem_wait(&all_inside);
        REQUIRE(alive > MANY);
        for (int i = 0; i < MANY; i++) sem_post(&go_on);
        await_alive(first_workers() + 1);
    }
    end_database(db);
    await_alive(0);
}

static int count(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    called++;
    return 0;
}

/* For each thread of a pool: the first worker and the watcher, which comes last, can't
 * be done without, and what was started is given back; any other can, until the next
 * subscription. */
static void threads_that_are_not_to_be_had(void) {
    const int whole = first_workers() + 1;
    for (int n = 0; n < whole; n++) {
        aimdb_t *db = quiet_database();
        aimdb_record_t *record = add(db, "r", AIMDB_RING, 16);
        bool needed = n == 0 || n == whole - 1;
        for (int tries = needed ? 3 : 1; tries > 0; tries--) {
            made = 0;
            refused = n;
            aimdb_status_t status = subscribe(record, count);
            refused = -1;
            STATUS(needed ? AIMDB_ERR_NO_THREADS : AIMDB_OK, status);
            await_alive(needed ? 0 : whole - 1);
            aimdb_database_stats_t s = AIMDB_DATABASE_STATS_INIT;
            OK(aimdb_database_stats(db, &s));
            REQUIRE(s.consumers == !needed);
        }
        OK(subscribe(record, count));
        REQUIRE(alive == whole);
        OK(aimdb_start(db));
        called = 0;
        OK(put(record, 1));
        while (called < 1 + !needed) sched_yield();
        end_database(db);
        await_alive(0);
    }
}

static void the_function_of_their_threads_is_found(void) {
    aimdb_t *db = quiet_database();
    OK(subscribe(add(db, "r", AIMDB_RING, 16), count));
    while (!pool_run) sched_yield();
    OK(aimdb_destroy(db));
}

int main(void) {
    RUN(the_function_of_their_threads_is_found);
    RUN(callbacks_that_compute_are_not_made_up_for);
    RUN(workers_end_that_are_not_needed_and_come_again);
    RUN(threads_that_are_not_to_be_had);
    return 0;
}
