// SPDX-License-Identifier: Apache-2.0
//
// Many threads: into one record, into many, real-time beside others on one core,
// and while a database is closed, destroyed and made anew.

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include "test.h"

enum { THREADS = 8, VALUES = 20000 };

static aimdb_t *db;
static aimdb_record_t *records[THREADS];

struct seen {
    uint64_t last[THREADS]; /* of each producer */
    uint64_t count, lost;
    pthread_t thread;
};

/* Numbers: producer in the low byte, its count above. */
static int see(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e);
    struct seen *s = user;
    uint64_t n = number_in(m);
    REQUIRE(n >> 8 > s->last[n & 255]);
    s->last[n & 255] = n >> 8;
    s->count++;
    return 0;
}

static void see_lag(aimdb_emitter_t *e, aimdb_record_t *r, uint64_t lost, void *user) {
    UNUSED(e), UNUSED(r);
    ((struct seen *)user)->lost += lost;
}

static aimdb_consumer_t *watch(aimdb_record_t *record, struct seen *s) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_consumer_t *consumer;
    config.fn = see;
    config.on_lag = see_lag;
    config.user = s;
    OK(aimdb_subscribe(record, &config, &consumer));
    return consumer;
}

static bool into_one;

static void *produce_all(void *argument) {
    uint64_t me = (uint64_t)(uintptr_t)argument;
    for (uint64_t n = 1; n <= VALUES; n++) OK(put(records[into_one ? 0 : me], n << 8 | me));
    return NULL;
}

static void run_producers(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, produce_all, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void many_threads_into_one_record_make_one_order(void) {
    into_one = true;
    db = quiet_database();
    records[0] = add(db, "one", AIMDB_RING, 1000);
    static struct seen seen[3];
    aimdb_consumer_t *consumers[3];
    for (int i = 0; i < 3; i++) consumers[i] = watch(records[0], &seen[i]);
    OK(aimdb_start(db));
    run_producers();
    OK(aimdb_close(db, AIMDB_FOREVER));
    for (int i = 0; i < 3; i++) {
        aimdb_consumer_stats_t s = stats_of(consumers[i]);
        REQUIRE(s.offered == THREADS * VALUES);
        REQUIRE(seen[i].count == s.delivered && seen[i].lost == s.lagged);
        REQUIRE(seen[i].count + seen[i].lost == THREADS * VALUES);
    }
    OK(aimdb_destroy(db));
}

static void many_threads_into_many_records(void) {
    into_one = false;
    db = quiet_database();
    static struct seen seen[THREADS];
    static const char *const keys[THREADS] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    for (int i = 0; i < THREADS; i++) {
        records[i] = add(db, keys[i], AIMDB_RING, VALUES);
        watch(records[i], &seen[i]);
    }
    OK(aimdb_start(db));
    run_producers();
    OK(aimdb_close(db, AIMDB_FOREVER));
    for (int i = 0; i < THREADS; i++) REQUIRE(seen[i].count == VALUES && seen[i].lost == 0);
    OK(aimdb_destroy(db));
}

/* A real-time producer and others share one core and one record: whoever holds
 * the lock must get to run. */
static void *produce_pinned(void *argument) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    uint64_t me = (uint64_t)(uintptr_t)argument;
    struct sched_param priority = {.sched_priority = 10};
    if (me == 0 && sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
        printf("SCHED_FIFO is refused (%s): all are SCHED_OTHER\n", strerror(errno));
    for (uint64_t n = 1; n <= VALUES; n++) {
        OK(put(records[0], n << 8 | me));
        if (me == 0 && n % 100 == 0) usleep(1); /* lets the others take the lock */
    }
    return NULL;
}

static void a_real_time_producer_and_others_on_one_core_all_finish(void) {
    db = quiet_database();
    records[0] = add(db, "one", AIMDB_RING, 64);
    static struct seen seen;
    aimdb_consumer_t *consumer = watch(records[0], &seen);
    OK(aimdb_start(db));
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, produce_pinned, (void *)i) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    OK(aimdb_close(db, AIMDB_FOREVER));
    aimdb_consumer_stats_t s = stats_of(consumer);
    REQUIRE(s.offered == 4 * VALUES && seen.count == s.delivered && seen.lost == s.lagged);
    OK(aimdb_destroy(db));
}

/* Eight threads that produce while another closes, destroys and makes anew. */
static aimdb_record_t *_Atomic present;
static _Atomic uint64_t accepted;
static _Atomic bool over;

static void *produce_into_whatever(void *argument) {
    UNUSED(argument);
    while (!over) {
        aimdb_status_t status = put(present, 1 << 8);
        if (status == AIMDB_OK) accepted++;
        REQUIRE(status == AIMDB_OK || status == AIMDB_CLOSED || status == AIMDB_ERR_HANDLE ||
                status == AIMDB_ERR_STATE);
        if (status != AIMDB_OK) sched_yield();
    }
    return NULL;
}

static int count_one(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m);
    ++*(uint64_t *)user;
    return 0;
}

static void producers_survive_that_the_database_is_destroyed_and_made_anew(void) {
    pthread_t threads[THREADS];
    uint64_t produced = 0;
    for (int round = 0; round < 300; round++) {
        aimdb_t *new = quiet_database();
        aimdb_record_t *record = add(new, "r", AIMDB_RING, 16);
        uint64_t delivered = 0;
        aimdb_consumer_t *consumer = consume(record, count_one, &delivered, NULL);
        present = record;
        if (round == 0)
            for (int i = 0; i < THREADS; i++)
                REQUIRE(pthread_create(&threads[i], NULL, produce_into_whatever, NULL) == 0);
        OK(aimdb_start(new));
        aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
        do OK(aimdb_record_stats(record, &s));
        while (s.produced == 0);
        aimdb_status_t status = aimdb_close(new, AIMDB_FOREVER);
        REQUIRE(status == AIMDB_OK);
        OK(aimdb_record_stats(record, &s));
        produced += s.produced;
        aimdb_consumer_stats_t c = stats_of(consumer);
        REQUIRE(c.offered == s.produced && c.delivered == delivered);
        OK(aimdb_destroy(new));
    }
    over = true;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    REQUIRE(accepted == produced);
}

int main(void) {
    RUN(many_threads_into_one_record_make_one_order);
    RUN(many_threads_into_many_records);
    RUN(a_real_time_producer_and_others_on_one_core_all_finish);
    RUN(producers_survive_that_the_database_is_destroyed_and_made_anew);
    return 0;
}
