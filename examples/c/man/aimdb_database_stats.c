/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

static int nothing(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    return !emitter || !message || user;
}

static void print(const char *name, const aimdb_consumer_stats_t *s) {
    printf("%s: %d = %d delivered + %d lagged + %d skipped + %d pending + %d abandoned\n", name,
           (int)s->offered, (int)s->delivered, (int)s->lagged, (int)s->skipped, (int)s->pending,
           (int)s->abandoned);
}

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_consumer_t *consumer;
    aimdb_reader_t *reader;
    aimdb_database_stats_t all = AIMDB_DATABASE_STATS_INIT;
    aimdb_record_stats_t one = AIMDB_RECORD_STATS_INIT;
    aimdb_consumer_stats_t account = AIMDB_CONSUMER_STATS_INIT;
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = nothing;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "words", NULL, &record));
    check(aimdb_subscribe(record, &config, &consumer));
    check(aimdb_reader_open(record, &reader));
    check(aimdb_start(db));
    for (int i = 0; i < 3; i++) check(aimdb_produce(record, "hello", 5));
    check(aimdb_close(db, AIMDB_FOREVER));

    check(aimdb_database_stats(db, &all));
    check(aimdb_record_stats(record, &one));
    printf("%d record, %d values of %d bytes\n", (int)all.records, (int)one.produced,
           (int)one.bytes);
    check(aimdb_consumer_stats(consumer, &account));
    print("consumer", &account);
    check(aimdb_reader_stats(reader, &account));
    print("reader", &account);
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
1 record, 3 values of 15 bytes
consumer: 3 = 3 delivered + 0 lagged + 0 skipped + 0 pending + 0 abandoned
reader: 3 = 0 delivered + 0 lagged + 0 skipped + 3 pending + 0 abandoned
*/
