// SPDX-License-Identifier: Apache-2.0
//
// A program with the fault that its argument names, or without one.

#include <aimdb.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *fault;
static int calls[2], raced, *freed;

static int is(const char *name) { return strcmp(fault, name) == 0; }

/* Returns when two consumers are here, which orders nothing of theirs. */
static void meet(const int *calls) {
    static int here;
    if (*calls == 0) __atomic_fetch_add(&here, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&here, __ATOMIC_RELAXED) < 2) sched_yield();
}

static int callback(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    (void)emitter;
    if (is("race")) meet(user), raced++;
    if (is("apart")) return 0;
    ++*(int *)user; /* each consumer has its own */
    if (is("freed")) return *freed == 42;
    if (is("fault")) return *(volatile int *)16;
    return *(const int *)message->data == INT_MIN ? puts("least") : 0;
}

static void give(aimdb_record_t *record, aimdb_reader_t *reader) {
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    int *value = malloc(sizeof *value), received[64];
    char *buffer = malloc(1);
    if (!value || !buffer) exit(2);
    if (!is("uninitialised")) *value = 1;
    if (is("freed_value")) free(value);
    aimdb_produce(record, value, is("long_value") ? 64 : sizeof *value);
    aimdb_recv(reader, is("long_receive") ? (void *)buffer : received, sizeof received, &message,
               AIMDB_FOREVER);
    if (is("overflow")) raced += INT_MAX, raced += INT_MAX;
    if (!is("freed_value")) free(value);
    if (is("leak")) buffer = NULL;
    free(buffer);
}

static void *produce(void *record) {
    int value = 1;
    for (int i = 0; i < 1000; i++) aimdb_produce(record, &value, sizeof value);
    return NULL;
}

int main(int count, char **arguments) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    pthread_t producer;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    if (count != 2) return 2;
    fault = arguments[1];
    freed = malloc(sizeof *freed);
    if (!freed) return 2;
    *freed = 1;
    if (is("freed")) free(freed);
    if (is("config")) {
        size_t *forgotten = malloc(sizeof *forgotten);
        if (forgotten) config.capacity = *forgotten % 100 + 2000, free(forgotten);
    } else {
        config.capacity = 3000;
    }
    consumer.fn = callback;
    if (aimdb_create(NULL, &db) || aimdb_register(db, "r", &config, &record) ||
        aimdb_reader_open(record, &reader) || aimdb_start(db))
        return 1;
    for (int i = 0; i < 2; i++) {
        consumer.user = &calls[i];
        if (aimdb_subscribe(record, &consumer, NULL)) return 1;
    }
    give(record, reader);
    pthread_create(&producer, NULL, produce, record);
    pthread_join(producer, NULL);
    aimdb_close(db, AIMDB_FOREVER);
    if (!is("apart")) printf("%d calls\n", calls[0] + calls[1]); /* read after close */
    aimdb_destroy(db);
    if (!is("freed")) free(freed);
    return 0;
}
