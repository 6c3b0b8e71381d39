// SPDX-License-Identifier: Apache-2.0
//
// The four integration tests of the specification.

#define _GNU_SOURCE
#include <time.h>

#include "test.h"

struct seen {
    uint64_t count, last, lost;
    long pause_ns;
    sem_t *begun;
};

static int see(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e);
    struct seen *s = user;
    uint64_t n = number_in(m);
    REQUIRE(n == s->last + 1 + s->lost); /* the gap is the loss that was told */
    s->last = n;
    s->lost = 0;
    s->count++;
    if (s->begun) sem_post(s->begun);
    struct timespec pause = {0, s->pause_ns};
    if (s->pause_ns) nanosleep(&pause, NULL);
    return 0;
}

static void lag(aimdb_emitter_t *e, aimdb_record_t *r, uint64_t lost, void *user) {
    UNUSED(e), UNUSED(r);
    ((struct seen *)user)->lost += lost;
}

static aimdb_consumer_t *watch(aimdb_record_t *record, struct seen *s) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_consumer_t *consumer;
    config.fn = see;
    config.on_lag = lag;
    config.user = s;
    OK(aimdb_subscribe(record, &config, &consumer));
    return consumer;
}

/* Produces at absolute times, so that a pause of the machine is made up for. */
static void produce_at(aimdb_record_t *record, long per_second, uint64_t values) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (uint64_t n = 1; n <= values; n++) {
        OK(put(record, n));
        at.tv_nsec += 1000000000 / per_second;
        if (at.tv_nsec >= 1000000000) at.tv_nsec -= 1000000000, at.tv_sec++;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

static void ten_thousand_a_second_for_ten_seconds_lose_nothing(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "telemetry", AIMDB_RING, 65536); /* these machines pause */
    struct seen seen[2] = {{0}};
    aimdb_consumer_t *consumers[2];
    for (int i = 0; i < 2; i++) consumers[i] = watch(r, &seen[i]);
    OK(aimdb_start(db));
    produce_at(r, 10000, 100000);
    OK(aimdb_close(db, AIMDB_FOREVER));
    for (int i = 0; i < 2; i++) {
        aimdb_consumer_stats_t s = stats_of(consumers[i]);
        REQUIRE(s.lagged == 0 && s.delivered == 100000 && seen[i].count == 100000);
    }
    OK(aimdb_destroy(db));
}

static void a_consumer_of_ten_a_second_lags_alone(void) {
    enum { VALUES = 3000 };
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "telemetry", AIMDB_RING, 100);
    struct seen slow = {.pause_ns = 100000000}, fast = {0};
    aimdb_consumer_t *one = watch(r, &slow), *other = watch(r, &fast);
    OK(aimdb_start(db));
    produce_at(r, 1000, VALUES);
    aimdb_status_t status = aimdb_close(db, AIMDB_SECOND);
    REQUIRE(status == AIMDB_TIMEOUT || status == AIMDB_BLOCKED);
    aimdb_close(db, AIMDB_FOREVER);
    aimdb_consumer_stats_t s = stats_of(one);
    REQUIRE(s.offered == VALUES && s.lagged > 0 && s.abandoned > 0 && slow.count == s.delivered);
    REQUIRE(slow.last + slow.lost + s.abandoned <= VALUES);
    s = stats_of(other);
    REQUIRE(s.offered == VALUES && fast.count == s.delivered);
    OK(aimdb_destroy(db));
}

static aimdb_record_t *a, *b;

static int forward(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(user);
    OK(aimdb_emit(e, b, m->data, m->size));
    return 0;
}

static void what_a_consumer_of_a_emits_to_b_arrives_in_order(void) {
    aimdb_t *db = quiet_database();
    a = add(db, "a", AIMDB_RING, 5000);
    b = add(db, "b", AIMDB_RING, 5000);
    struct seen seen = {0};
    sem_t begun;
    sem_init(&begun, 0, 0);
    seen.begun = &begun;
    consume(a, forward, NULL, NULL);
    watch(b, &seen);
    OK(aimdb_start(db));
    for (uint64_t n = 1; n <= 5000; n++) OK(put(a, n));
    for (int n = 0; n < 5000; n++) sem_wait(&begun);
    OK(aimdb_close(db, AIMDB_FOREVER));
    REQUIRE(seen.count == 5000);
    OK(aimdb_destroy(db));
}

static uint64_t deepest;

static int emit_again(aimdb_emitter_t *e, const aimdb_message_t *m, aimdb_draft_t *d, void *user) {
    UNUSED(d);
    deepest++;
    aimdb_status_t status = aimdb_emit(e, user, m->data, m->size);
    REQUIRE(status == AIMDB_OK || (status == AIMDB_ERR_DEPTH && deepest == AIMDB_DEPTH_MAX + 1));
    return AIMDB_ACCEPT;
}

static void a_cycle_is_refused_at_the_depth_limit(void) {
    aimdb_t *db = quiet_database();
    a = add(db, "a", AIMDB_RING, 64);
    b = add(db, "b", AIMDB_RING, 64);
    aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
    config.fn = emit_again;
    config.user = b;
    OK(aimdb_set_producer(a, &config));
    config.user = a;
    OK(aimdb_set_producer(b, &config));
    OK(aimdb_start(db));
    OK(put(a, 1));
    REQUIRE(deepest == AIMDB_DEPTH_MAX + 1);
    end_database(db);
}

static int newest(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e);
    uint64_t n = number_in(m), *last = user;
    REQUIRE(n > *last);
    *last = n;
    return 0;
}

static void the_last_of_rapid_configuration_changes_is_always_seen(void) {
    enum { CHANGES = 1000 };
    for (int round = 0; round < 50; round++) {
        aimdb_t *db = quiet_database();
        aimdb_record_t *r = add(db, "config", AIMDB_LATEST, 1);
        uint64_t last[3] = {0};
        for (int i = 0; i < 3; i++) consume(r, newest, &last[i], NULL);
        OK(aimdb_start(db));
        for (uint64_t n = 1; n <= CHANGES; n++) OK(put(r, n));
        OK(aimdb_close(db, AIMDB_FOREVER));
        for (int i = 0; i < 3; i++) REQUIRE(last[i] == CHANGES);
        OK(aimdb_destroy(db));
    }
}

int main(void) {
    RUN(ten_thousand_a_second_for_ten_seconds_lose_nothing);
    RUN(a_consumer_of_ten_a_second_lags_alone);
    RUN(what_a_consumer_of_a_emits_to_b_arrives_in_order);
    RUN(a_cycle_is_refused_at_the_depth_limit);
    RUN(the_last_of_rapid_configuration_changes_is_always_seen);
    return 0;
}
