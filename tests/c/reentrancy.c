// SPDX-License-Identifier: Apache-2.0
//
// Every call from inside every kind of callback.

#include "test.h"

static aimdb_t *db;
static aimdb_record_t *a, *b;
static aimdb_consumer_t *self, *one, *other;
static sem_t happened, may_go;
static _Atomic int frees;

static void count_free(void *user) {
    UNUSED(user);
    frees++;
    sem_post(&happened);
}

static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return 0;
}

static int all_calls(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(m), UNUSED(user);
    aimdb_reader_t *reader;
    aimdb_message_t got = AIMDB_MESSAGE_INIT;
    uint64_t n = 7, back;
    OK(aimdb_reader_open(b, &reader));
    OK(aimdb_emit(e, b, &n, sizeof n));
    OK(aimdb_produce(b, &n, sizeof n));
    OK(aimdb_try_recv(reader, &back, sizeof back, &got));
    OK(aimdb_recv(reader, &back, sizeof back, &got, AIMDB_FOREVER));
    OK(aimdb_reader_close(reader, NULL));
    aimdb_consumer_t *new = consume(b, nothing, NULL, count_free);
    STATUS(AIMDB_IN_PROGRESS, aimdb_unsubscribe(new, NULL));
    STATUS(AIMDB_IN_PROGRESS, aimdb_unsubscribe(self, NULL));
    STATUS(AIMDB_IN_PROGRESS, aimdb_close(db, AIMDB_FOREVER));
    sem_post(&happened);
    return 0;
}

static void begin(void) {
    sem_init(&happened, 0, 0);
    sem_init(&may_go, 0, 0);
    frees = 0;
    db = quiet_database();
    a = add(db, "a", AIMDB_RING, 8);
    b = add(db, "b", AIMDB_RING, 8);
}

static void a_consumer_may_call_everything(void) {
    begin();
    self = consume(a, all_calls, NULL, count_free);
    OK(aimdb_start(db));
    OK(put(a, 1));
    for (int i = 0; i < 3; i++) sem_wait(&happened);
    end_database(db);
    REQUIRE(frees == 2);
}

static int destroy_inside(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    STATUS(AIMDB_IN_PROGRESS, aimdb_close(db, 0));
    OK(aimdb_destroy(db));
    STATUS(AIMDB_ERR_HANDLE, aimdb_start(db));
    STATUS(AIMDB_ERR_HANDLE, put(a, 1));
    return 0;
}

static void a_consumer_may_destroy_its_database(void) {
    begin();
    consume(a, destroy_inside, NULL, count_free);
    OK(aimdb_start(db));
    OK(put(a, 1));
    sem_wait(&happened);
    REQUIRE(frees == 1);
}

static int meet(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m);
    sem_post(&happened);
    sem_wait(&may_go);
    STATUS(AIMDB_IN_PROGRESS, aimdb_unsubscribe(*(aimdb_consumer_t **)user, NULL));
    return 0;
}

static void two_callbacks_that_unsubscribe_each_other_do_not_deadlock(void) {
    for (int round = 0; round < 100; round++) {
        begin();
        one = consume(a, meet, &other, count_free);
        other = consume(a, meet, &one, count_free);
        OK(aimdb_start(db));
        OK(put(a, 1));
        sem_wait(&happened);
        sem_wait(&happened); /* both are inside */
        sem_post(&may_go);
        sem_post(&may_go);
        sem_wait(&happened);
        sem_wait(&happened); /* both are freed */
        REQUIRE(frees == 2);
        end_database(db);
    }
}

static int calling_producer(aimdb_emitter_t *e, const aimdb_message_t *m, aimdb_draft_t *d, void *user) {
    UNUSED(d), UNUSED(user);
    REQUIRE(m->sequence == 0 && m->record == a);
    OK(aimdb_emit(e, b, m->data, m->size));
    aimdb_consumer_t *new = consume(b, nothing, NULL, count_free);
    STATUS(AIMDB_IN_PROGRESS, aimdb_unsubscribe(new, NULL));
    if (number_in(m) == 2) STATUS(AIMDB_IN_PROGRESS, aimdb_close(db, AIMDB_FOREVER));
    return AIMDB_ACCEPT;
}

static void a_producer_function_may_call_everything(void) {
    begin();
    aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
    config.fn = calling_producer;
    OK(aimdb_set_producer(a, &config));
    OK(aimdb_start(db));
    OK(put(a, 1));
    OK(put(a, 2)); /* it was under way when it closed */
    STATUS(AIMDB_CLOSED, put(a, 3));
    sem_wait(&happened);
    sem_wait(&happened);
    end_database(db);
}

static void on_lag(aimdb_emitter_t *e, aimdb_record_t *record, uint64_t lost, void *user) {
    UNUSED(user);
    uint64_t n = lost;
    OK(aimdb_emit(e, b, &n, sizeof n));
    REQUIRE(record == a && lost == 3);
    STATUS(AIMDB_IN_PROGRESS, aimdb_close(db, AIMDB_FOREVER));
    sem_post(&happened);
}

static int hold_first(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(user);
    if (m->sequence != 1) return 0;
    sem_post(&happened);
    sem_wait(&may_go);
    return 0;
}

static void a_lag_callback_may_emit_and_close(void) {
    begin();
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = hold_first;
    config.on_lag = on_lag;
    OK(aimdb_subscribe(a, &config, NULL));
    OK(aimdb_start(db));
    OK(put(a, 0));
    sem_wait(&happened);
    for (uint64_t n = 0; n < 8 + 3; n++) OK(put(a, n));
    sem_post(&may_go);
    sem_wait(&happened);
    end_database(db);
}

static void log_and_call(aimdb_log_level_t level, const char *text, void *user) {
    UNUSED(level), UNUSED(user);
    REQUIRE(text[0]);
    aimdb_record_t *found;
    if (db && aimdb_open(db, "a", NULL, AIMDB_ANY_SIZE, &found) == AIMDB_OK) {
        aimdb_close(db, AIMDB_FOREVER);
        put(found, 1);
    }
}

static void a_log_callback_may_call(void) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log = log_and_call;
    config.log_level = AIMDB_LOG_DEBUG;
    config.free = count_free;
    frees = 0;
    sem_init(&happened, 0, 0);
    db = NULL;
    OK(aimdb_create(&config, &db));
    a = add(db, "a", AIMDB_RING, 8);
    OK(aimdb_start(db));
    end_database(db);
    sem_wait(&happened);
    REQUIRE(frees == 1);
}

static void free_and_call(void *user) {
    UNUSED(user);
    aimdb_status_t status = put(b, 1);
    REQUIRE(status == AIMDB_OK || status == AIMDB_CLOSED);
    status = aimdb_close(db, AIMDB_FOREVER);
    REQUIRE(status == AIMDB_IN_PROGRESS);
    sem_post(&happened);
}

static void a_free_function_may_call(void) {
    begin();
    self = consume(a, nothing, NULL, free_and_call);
    OK(aimdb_start(db));
    OK(aimdb_unsubscribe(self, NULL));
    sem_wait(&happened);
    end_database(db);
}

int main(void) {
    RUN(a_consumer_may_call_everything);
    RUN(a_consumer_may_destroy_its_database);
    RUN(two_callbacks_that_unsubscribe_each_other_do_not_deadlock);
    RUN(a_producer_function_may_call_everything);
    RUN(a_lag_callback_may_emit_and_close);
    RUN(a_log_callback_may_call);
    RUN(a_free_function_may_call);
    return 0;
}
