/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks and a watchdog for the C tests. Each program runs its tests in order
 * and names them; a hang is ended by SIGALRM after 120 s. */
#ifndef TEST_H
#define TEST_H

#include <aimdb.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUIRE(what)                                                                              \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #what,     \
                    aimdb_last_error());                                                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define STATUS(want, call)                                                                         \
    do {                                                                                           \
        aimdb_status_t got_ = (call);                                                              \
        if (got_ != (want)) {                                                                      \
            fprintf(stderr, "%s:%d: %s: %s, not %s (last error: %s)\n", __FILE__, __LINE__, #call, \
                    aimdb_strerror(got_), aimdb_strerror(want), aimdb_last_error());               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define OK(call) STATUS(AIMDB_OK, call)
#define RUN(test)                                                                                  \
    do {                                                                                           \
        printf("%s\n", #test);                                                                     \
        fflush(stdout);                                                                            \
        alarm(120);                                                                                \
        test();                                                                                    \
        alarm(0);                                                                                  \
    } while (0)
#define UNUSED(x) ((void)(x))

static inline aimdb_t *quiet_database(void) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log_level = AIMDB_LOG_OFF;
    aimdb_t *db;
    OK(aimdb_create(&config, &db));
    return db;
}

static inline aimdb_record_t *add(aimdb_t *db, const char *key, aimdb_buffer_t buffer, size_t capacity) {
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.buffer = buffer;
    config.capacity = capacity;
    config.payload_max = 64;
    aimdb_record_t *record;
    OK(aimdb_register(db, key, &config, &record));
    return record;
}

static inline aimdb_consumer_t *consume(aimdb_record_t *record, aimdb_consumer_fn fn, void *user,
                                        aimdb_free_fn free_user) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = fn;
    config.user = user;
    config.free = free_user;
    aimdb_consumer_t *consumer;
    OK(aimdb_subscribe(record, &config, &consumer));
    return consumer;
}

static inline aimdb_consumer_stats_t stats_of(aimdb_consumer_t *consumer) {
    aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
    OK(aimdb_consumer_stats(consumer, &s));
    REQUIRE(s.offered == s.delivered + s.lagged + s.skipped + s.pending + s.abandoned);
    return s;
}

static inline void end_database(aimdb_t *db) {
    aimdb_status_t status = aimdb_close(db, AIMDB_FOREVER);
    REQUIRE(status == AIMDB_OK || status == AIMDB_TIMEOUT);
    OK(aimdb_destroy(db));
}

static inline uint64_t number_in(const aimdb_message_t *m) {
    uint64_t n;
    memcpy(&n, m->data, sizeof n);
    return n;
}

static inline aimdb_status_t put(aimdb_record_t *record, uint64_t n) {
    return aimdb_produce(record, &n, sizeof n);
}

#endif
