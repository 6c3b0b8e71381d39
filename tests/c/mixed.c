// SPDX-License-Identifier: Apache-2.0
//
// Shared and dedicated consumers and pull readers on one record, that come, go
// and end while values are produced: every account is exact, and nothing is
// called after its end.

#include <sched.h>

#include "test.h"

enum { PRODUCERS = 3, CONSUMERS = 9, READERS = 2, VALUES = 4000 };

static const aimdb_buffer_t buffers[] = {AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX};
static aimdb_record_t *record;
static _Atomic bool closed; /* the close has returned: no callback begins */

struct consumer {
    aimdb_consumer_t *handle;
    _Atomic int inside;
    uint64_t last[PRODUCERS];
    _Atomic uint64_t seen;
    uint64_t told;       /* lost */
    uint64_t leaves_at;  /* unsubscribes itself at so many; 0: never */
    _Atomic bool gone;
    _Atomic int freed;
    aimdb_consumer_stats_t account;
};
static struct consumer consumers[CONSUMERS];

static void begin_call(struct consumer *c) {
    REQUIRE(!closed && !c->gone);
    REQUIRE(atomic_fetch_add(&c->inside, 1) == 0);
}

static int follow(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e);
    struct consumer *c = user;
    begin_call(c);
    uint64_t n = number_in(m), from = n % PRODUCERS;
    REQUIRE(n > c->last[from]);
    c->last[from] = n;
    if (++c->seen == c->leaves_at) {
        c->account = (aimdb_consumer_stats_t)AIMDB_CONSUMER_STATS_INIT;
        c->gone = true;
        STATUS(AIMDB_IN_PROGRESS, aimdb_unsubscribe(c->handle, &c->account));
    }
    atomic_fetch_sub(&c->inside, 1);
    return 0;
}

static void lose(aimdb_emitter_t *e, aimdb_record_t *r, uint64_t lost, void *user) {
    UNUSED(e), UNUSED(r);
    struct consumer *c = user;
    begin_call(c);
    c->told += lost;
    atomic_fetch_sub(&c->inside, 1);
}

static void mark_freed(void *user) { ((struct consumer *)user)->freed++; }

static void subscribe(struct consumer *c, aimdb_dispatch_t dispatch) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = follow;
    config.on_lag = lose;
    config.user = c;
    config.free = mark_freed;
    config.dispatch = dispatch;
    OK(aimdb_subscribe(record, &config, &c->handle));
}

static _Atomic uint64_t enqueued;
static _Atomic int halfway;

/* Until the database is closed. */
static void *produce(void *number) {
    for (uint64_t n = 1;; n++) {
        if (n == VALUES / 2) halfway++;
        aimdb_status_t status = put(record, n * PRODUCERS + (uintptr_t)number);
        if (status == AIMDB_CLOSED) return NULL;
        REQUIRE(status == AIMDB_OK);
        enqueued++;
    }
}

struct reader {
    aimdb_reader_t *handle;
    uint64_t seen, told;
};

static void *receive(void *user) {
    struct reader *r = user;
    uint64_t value, last[PRODUCERS] = {0};
    for (;;) {
        aimdb_message_t m = AIMDB_MESSAGE_INIT;
        aimdb_status_t status = aimdb_recv(r->handle, &value, sizeof value, &m, AIMDB_FOREVER);
        if (status == AIMDB_CLOSED) return NULL;
        if (status == AIMDB_LAGGED) {
            r->told += m.lagged;
            continue;
        }
        REQUIRE(status == AIMDB_OK && value > last[value % PRODUCERS]);
        last[value % PRODUCERS] = value;
        r->seen++;
    }
}

static void check(const aimdb_consumer_stats_t *a, uint64_t seen, uint64_t told) {
    REQUIRE(a->offered == a->delivered + a->lagged + a->skipped + a->abandoned);
    REQUIRE(a->pending == 0 && a->delivered == seen && told <= a->lagged);
}

/* A third of the consumers, of each kind, leaves from inside, a third is
 * unsubscribed from outside, a third stays until the close. */
static void mix(aimdb_buffer_t buffer, int64_t timeout_ns) {
    memset(consumers, 0, sizeof consumers);
    aimdb_t *db = quiet_database();
    record = add(db, "r", buffer, 64);
    closed = false;
    enqueued = 0;
    halfway = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        if (i % 3 == 0) consumers[i].leaves_at = 10 + (uint64_t)i;
        subscribe(&consumers[i], i % 2 ? AIMDB_SHARED : AIMDB_DEDICATED);
    }
    struct reader readers[READERS] = {{0}};
    pthread_t producing[PRODUCERS], receiving[READERS];
    for (int i = 0; i < READERS; i++) {
        OK(aimdb_reader_open(record, &readers[i].handle));
        pthread_create(&receiving[i], NULL, receive, &readers[i]);
    }
    OK(aimdb_start(db));
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        pthread_create(&producing[i], NULL, produce, (void *)i);
    for (int i = 1; i < CONSUMERS; i += 3) {
        struct consumer *c = &consumers[i];
        while (halfway == 0) sched_yield();
        c->account = (aimdb_consumer_stats_t)AIMDB_CONSUMER_STATS_INIT;
        OK(aimdb_unsubscribe(c->handle, &c->account));
        c->gone = true;
        REQUIRE(c->inside == 0 && c->freed == 1);
    }
    while (halfway < PRODUCERS) sched_yield();
    aimdb_status_t status = aimdb_close(db, timeout_ns);
    if (status == AIMDB_BLOCKED && timeout_ns == 0) status = aimdb_close(db, AIMDB_FOREVER);
    closed = true;
    REQUIRE(status == AIMDB_OK || status == AIMDB_TIMEOUT);
    for (int i = 0; i < PRODUCERS; i++) pthread_join(producing[i], NULL);
    for (int i = 0; i < READERS; i++) pthread_join(receiving[i], NULL);

    aimdb_record_stats_t r = AIMDB_RECORD_STATS_INIT;
    OK(aimdb_record_stats(record, &r));
    REQUIRE(r.produced == enqueued);
    uint64_t taken = 0;
    for (int i = 0; i < READERS; i++) {
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        OK(aimdb_reader_close(readers[i].handle, &last));
        check(&last, readers[i].seen, readers[i].told);
        REQUIRE(buffer == AIMDB_MAILBOX || last.offered == enqueued);
        taken += readers[i].seen;
    }
    for (int i = 0; i < CONSUMERS; i++) {
        struct consumer *c = &consumers[i];
        if (!c->gone) {
            c->account = (aimdb_consumer_stats_t)AIMDB_CONSUMER_STATS_INIT;
            OK(aimdb_unsubscribe(c->handle, &c->account));
            REQUIRE(buffer == AIMDB_MAILBOX || c->account.offered == enqueued);
        }
        while (!c->freed) sched_yield(); /* one that has left from inside may come late */
        check(&c->account, c->seen, c->told);
        taken += c->seen;
    }
    if (buffer == AIMDB_MAILBOX)
        REQUIRE(r.taken == taken && r.produced == r.taken + r.overwritten + r.pending + r.abandoned);
    OK(aimdb_destroy(db));
    for (int i = 0; i < CONSUMERS; i++) REQUIRE(consumers[i].freed == 1);
}

static void accounts_are_exact_on_every_buffer(void) {
    for (int b = 0; b < 3; b++) {
        mix(buffers[b], AIMDB_FOREVER);
        mix(buffers[b], 0);
    }
}

/* Several threads end the same things at once, again and again, so that blocks
 * serve other records at once. */
enum { ROUNDS = 400, LEAVERS = 2 };
static pthread_barrier_t begin, end;
static aimdb_t *ending;
static aimdb_reader_t *reader;
static bool over;

static void *leave(void *number) {
    for (;;) {
        pthread_barrier_wait(&begin);
        if (over) return NULL;
        for (int i = (int)(uintptr_t)number; i < CONSUMERS; i += LEAVERS) {
            aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
            aimdb_status_t status = aimdb_unsubscribe(consumers[i].handle, &last);
            REQUIRE(status == AIMDB_OK || status == AIMDB_ERR_HANDLE);
            if (status != AIMDB_OK) continue;
            consumers[i].gone = true;
            REQUIRE(consumers[i].inside == 0 && consumers[i].freed == 1);
            check(&last, consumers[i].seen, consumers[i].told);
        }
        if (!number) {
            aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
            aimdb_status_t status = aimdb_reader_close(reader, &last);
            REQUIRE(status == AIMDB_OK || status == AIMDB_ERR_HANDLE);
        }
        pthread_barrier_wait(&end);
    }
}

static void *flood(void *unused) {
    UNUSED(unused);
    for (;;) {
        pthread_barrier_wait(&begin);
        if (over) return NULL;
        for (uint64_t n = 1;; n++) {
            aimdb_status_t status = put(record, n * PRODUCERS);
            if (status == AIMDB_CLOSED || status == AIMDB_ERR_HANDLE) break;
            REQUIRE(status == AIMDB_OK);
        }
        pthread_barrier_wait(&end);
    }
}

static void unsubscribe_close_and_destroy_at_once(void) {
    pthread_barrier_init(&begin, NULL, LEAVERS + 2);
    pthread_barrier_init(&end, NULL, LEAVERS + 2);
    pthread_t leaving[LEAVERS], flooding;
    for (uintptr_t i = 0; i < LEAVERS; i++) pthread_create(&leaving[i], NULL, leave, (void *)i);
    pthread_create(&flooding, NULL, flood, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        memset(consumers, 0, sizeof consumers);
        closed = false;
        ending = quiet_database();
        record = add(ending, "r", buffers[round % 3], 16);
        for (int i = 0; i < CONSUMERS; i++)
            subscribe(&consumers[i], i % 4 ? AIMDB_SHARED : AIMDB_DEDICATED);
        OK(aimdb_reader_open(record, &reader));
        OK(aimdb_start(ending));
        pthread_barrier_wait(&begin);
        for (int i = 0; i < round % 8; i++) sched_yield();
        aimdb_status_t status = aimdb_close(ending, 0);
        closed = status != AIMDB_BLOCKED;
        REQUIRE(status == AIMDB_OK || status == AIMDB_TIMEOUT || status == AIMDB_BLOCKED);
        OK(aimdb_destroy(ending));
        /* The next one takes its blocks, while others are still at this. */
        aimdb_t *next = quiet_database();
        aimdb_record_t *other = add(next, "other", buffers[(round + 1) % 3], 16);
        struct consumer quiet = {0};
        aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
        config.fn = follow;
        config.user = &quiet;
        config.free = mark_freed;
        config.dispatch = AIMDB_SHARED;
        OK(aimdb_subscribe(other, &config, &quiet.handle));
        pthread_barrier_wait(&end);
        for (int i = 0; i < CONSUMERS; i++)
            while (!consumers[i].freed) sched_yield();
        for (int i = 0; i < CONSUMERS; i++) REQUIRE(consumers[i].freed == 1);
        OK(aimdb_unsubscribe(quiet.handle, NULL));
        REQUIRE(quiet.freed == 1 && quiet.seen == 0);
        OK(aimdb_destroy(next));
    }
    over = true;
    pthread_barrier_wait(&begin);
    for (int i = 0; i < LEAVERS; i++) pthread_join(leaving[i], NULL);
    pthread_join(flooding, NULL);
}

int main(void) {
    RUN(accounts_are_exact_on_every_buffer);
    RUN(unsubscribe_close_and_destroy_at_once);
    return 0;
}
