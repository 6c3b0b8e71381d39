// SPDX-License-Identifier: Apache-2.0
//
// The specification's figures over the C ABI: latency from before produce to
// the callback's first line (the consumer asleep), throughput of a record.

#define _GNU_SOURCE
#include <aimdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 5000, VALUES = 1000000 };

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check(aimdb_status_t status) {
    if (status == AIMDB_OK) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

static uint64_t times[SAMPLES];
static _Atomic size_t handled;

static int note(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    (void)e, (void)user;
    uint64_t sent = *(const uint64_t *)m->data, arrived = now();
    if (handled < SAMPLES) times[handled] = arrived - sent;
    handled++;
    return 0;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static aimdb_t *db;

static aimdb_record_t *record(aimdb_buffer_t buffer, aimdb_consumer_fn fn) {
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    aimdb_config_t quiet = AIMDB_CONFIG_INIT;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_record_t *r;
    quiet.log_level = AIMDB_LOG_OFF;
    config.buffer = buffer;
    consumer.fn = fn;
    check(aimdb_create(&quiet, &db));
    check(aimdb_register(db, "r", &config, &r));
    check(aimdb_subscribe(r, &consumer, NULL));
    check(aimdb_start(db));
    return r;
}

static void end(void) {
    aimdb_close(db, AIMDB_FOREVER);
    check(aimdb_destroy(db));
}

static void latency(const char *name, aimdb_buffer_t buffer, long pause_ns) {
    aimdb_record_t *r = record(buffer, note);
    uint64_t value[8] = {0};
    handled = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct timespec pause = {0, pause_ns};
        nanosleep(&pause, NULL);
        value[0] = now();
        check(aimdb_produce(r, value, sizeof value));
        while (handled <= i) {
        }
    }
    end();
    qsort(times, SAMPLES, sizeof *times, ascending);
    printf("%-8s latency at %4ld us: p50 %6.1f us, p99 %6.1f us\n", name, pause_ns / 1000,
           (double)times[SAMPLES / 2] / 1000, (double)times[SAMPLES * 99 / 100] / 1000);
}

static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    (void)e, (void)m, (void)user;
    return 0;
}

static void throughput(const char *name, aimdb_buffer_t buffer) {
    aimdb_record_t *r = record(buffer, nothing);
    uint64_t value[8] = {0}, begun = now();
    for (int i = 0; i < VALUES; i++) check(aimdb_produce(r, value, sizeof value));
    double ns = (double)(now() - begun) / VALUES;
    end();
    printf("%-8s produce, 64 bytes, with a consumer: %6.0f ns, %8.0f values/s\n", name, ns, 1e9 / ns);
}

int main(void) {
    static const char *const names[] = {"ring", "latest", "mailbox"};
    for (int b = 0; b < 3; b++) {
        throughput(names[b], (aimdb_buffer_t)b);
        latency(names[b], (aimdb_buffer_t)b, 100000);
        latency(names[b], (aimdb_buffer_t)b, 1000000);
    }
    return 0;
}
