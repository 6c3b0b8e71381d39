// SPDX-License-Identifier: Apache-2.0
//
// AimDB. AIMDB_DOOR (direct or cgo) chooses the door, as for every program.

#include "common.h"

#include <aimdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static aimdb_t *db;
static aimdb_record_t *record, *request, *answer; // the last two are MAILBOXES
static aimdb_reader_t *reader, *requests, *answers;
static aimdb_consumer_t *consumers[CONSUMERS_MAX];
static int subscribed;
static bool echoing;
static pthread_t echo_thread;

static inline void check(aimdb_status_t status) {
    if (status != AIMDB_OK) fail("%s: %s", aimdb_strerror(status), aimdb_last_error());
}

static int handle(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    (void)emitter;
    received((int)(intptr_t)user, message->data, message->size);
    return 0;
}

static aimdb_record_t *new_record(const char *key, aimdb_buffer_t buffer, const setup_t *setup) {
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    aimdb_record_t *r;
    config.buffer = buffer, config.capacity = setup->capacity, config.payload_max = setup->size;
    check(aimdb_register(db, key, &config, &r));
    return r;
}

// A benchmark of one door must not quietly measure the other.
static void check_door(void) {
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    const char *door = getenv("AIMDB_DOOR");
    check(aimdb_database_stats(db, &stats));
    if (door && strcmp(door, "direct") == 0 && stats.door != AIMDB_DOOR_DIRECT)
        skip("this build of the library has no direct door");
    if (door && strcmp(door, "cgo") == 0 && stats.door != AIMDB_DOOR_CGO)
        fail("AIMDB_DOOR=cgo was not heeded");
}

static void *echo(void *unused) {
    unsigned char data[64];
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_status_t status;
    while ((status = aimdb_recv(requests, data, sizeof data, &message, AIMDB_FOREVER)) == AIMDB_OK)
        check(aimdb_produce(answer, data, sizeof data));
    if (status != AIMDB_CLOSED) check(status);
    return unused;
}

bool system_open(const setup_t *setup) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log_level = AIMDB_LOG_OFF;
    check(aimdb_create(&config, &db));
    check_door();
    if (setup->shape == STREAM) record = new_record("stream", AIMDB_RING, setup);
    if (setup->shape == LATEST) {
        record = new_record("latest", AIMDB_LATEST, setup);
        check(aimdb_reader_open(record, &reader));
    }
    if (setup->shape == MAILBOXES) {
        request = new_record("request", AIMDB_MAILBOX, setup),
        answer = new_record("answer", AIMDB_MAILBOX, setup);
        check(aimdb_reader_open(request, &requests)), check(aimdb_reader_open(answer, &answers));
    }
    for (; subscribed < setup->consumers; subscribed++) {
        aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
        consumer.fn = handle, consumer.user = (void *)(intptr_t)subscribed;
        check(aimdb_subscribe(record, &consumer, &consumers[subscribed]));
    }
    check(aimdb_start(db));
    echoing = setup->shape == MAILBOXES;
    if (echoing && pthread_create(&echo_thread, NULL, echo, NULL)) fail("no thread");
    return true;
}

void system_push(const void *data, size_t size) {
    check(aimdb_produce(record, data, size));
}

void system_read(void *data, size_t size) {
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    check(aimdb_try_recv(reader, data, size, &message));
}

void system_roundtrips(uint64_t count) {
    unsigned char data[64], back[64];
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    for (uint64_t i = 0; i < count; i++) {
        stamp(data, sizeof data, i);
        check(aimdb_produce(request, data, sizeof data));
        check(aimdb_recv(answers, back, sizeof back, &message, AIMDB_FOREVER));
        if (word(back, 0) != i || word(back, 56) != i)
            fail("another answer than to request %lu", (unsigned long)i);
    }
}

// Every value is in the accounts: delivered to the callback, or counted as lost.
static void check_accounts(void) {
    aimdb_record_stats_t total = AIMDB_RECORD_STATS_INIT;
    check(aimdb_record_stats(record, &total));
    for (int c = 0; c < subscribed; c++) {
        aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
        check(aimdb_consumer_stats(consumers[c], &s));
        if (s.delivered + s.lagged != total.produced)
            fail("produced %lu, but delivered %lu and lagged %lu", (unsigned long)total.produced,
                 (unsigned long)s.delivered, (unsigned long)s.lagged);
    }
}

void system_close(void) {
    check(aimdb_close(db, AIMDB_FOREVER));
    if (echoing) pthread_join(echo_thread, NULL);
    if (subscribed) check_accounts();
    check(aimdb_destroy(db));
}

const char *system_version(void) {
    return aimdb_version();
}

#include "scenarios.h"
