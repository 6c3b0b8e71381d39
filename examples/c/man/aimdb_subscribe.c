/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* What the callbacks of one subscription share. They run one at a time. */
struct totals {
    int sum;
    uint64_t lost;
};

static int add(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    struct totals *totals = user;
    (void)emitter;
    if (message->size != sizeof(int)) return -1; /* counted in failures, and logged */
    totals->sum += *(const int *)message->data;
    return 0;
}

static void on_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user) {
    struct totals *totals = user;
    (void)emitter, (void)record;
    totals->lost += lagged;
}

/* The last call with this pointer: nothing of the library uses it afterwards. */
static void print_and_free(void *user) {
    struct totals *totals = user;
    printf("sum %d, lost %d\n", totals->sum, (int)totals->lost);
    free(totals);
}

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_consumer_t *consumer;
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = add, config.on_lag = on_lag, config.free = print_and_free;
    config.user = calloc(1, sizeof(struct totals));
    if (!config.user) return 1;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "numbers", NULL, &record));
    check(aimdb_subscribe(record, &config, &consumer));
    check(aimdb_start(db));
    for (int i = 1; i <= 100; i++) check(aimdb_produce(record, &i, sizeof i));
    check(aimdb_close(db, AIMDB_FOREVER));       /* drains; ends each consumer */
    check(aimdb_unsubscribe(consumer, &last));   /* before: what is pending is abandoned */
    printf("delivered %d of %d\n", (int)last.delivered, (int)last.offered);
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
sum 5050, lost 0
delivered 100 of 100
*/
