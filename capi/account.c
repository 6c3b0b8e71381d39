// SPDX-License-Identifier: Apache-2.0

/* Statistics of records, consumers and readers: steps, as is all that takes the
 * locks that producers take. */

#include "side.h"

static aimdb_status_t take(void *handle, step_op_t op, uint32_t flags, void *account,
                           const char *otherwise) {
    step_t s = {.handle = HANDLE(handle), .data = account, .flags = flags};
    side_drive(&s, op);
    if (s.result == AIMDB_ERR_HANDLE) return side_fail(AIMDB_ERR_HANDLE, "%s", otherwise);
    return (aimdb_status_t)s.result;
}

aimdb_status_t aimdb_record_stats(aimdb_record_t *record, aimdb_record_stats_t *stats) {
    GUARD();
    NOT_NULL(stats);
    aimdb_status_t status = side_check(stats, sizeof *stats, "stats");
    if (status != AIMDB_OK) return status;
    side_record_account_t a;
    status = take(record, STEP_RECORD_ACCOUNT, 0, &a, "record: is not a record that exists");
    if (status != AIMDB_OK) return status;
    aimdb_record_stats_t known = {sizeof known, a.produced, a.rejected, a.overwritten, a.taken,
                                  a.pending, a.abandoned, a.bytes, a.readers, a.memory,
                                  a.producer_calls, a.producer_ns, a.producer_max_ns};
    side_write(stats, &known, sizeof known);
    return AIMDB_OK;
}

static aimdb_status_t subscription(void *handle, uint32_t flags, const char *otherwise,
                                   aimdb_consumer_stats_t *stats) {
    GUARD();
    NOT_NULL(stats);
    aimdb_status_t status = side_check(stats, sizeof *stats, "stats");
    if (status != AIMDB_OK) return status;
    side_account_t a;
    status = take(handle, STEP_ACCOUNT, flags, &a, otherwise);
    if (status != AIMDB_OK) return status;
    aimdb_consumer_stats_t known = {sizeof known, a.offered, a.delivered, a.lagged_events, a.lagged,
                                    a.skipped, a.pending, a.abandoned, a.failures, a.callback_ns,
                                    a.callback_max_ns};
    side_write(stats, &known, sizeof known);
    return AIMDB_OK;
}

aimdb_status_t aimdb_consumer_stats(aimdb_consumer_t *consumer, aimdb_consumer_stats_t *stats) {
    return subscription(consumer, 0, "consumer: is not a consumer that exists", stats);
}

aimdb_status_t aimdb_reader_stats(aimdb_reader_t *reader, aimdb_consumer_stats_t *stats) {
    return subscription(reader, STEP_PULL, "reader: is not a reader that exists", stats);
}
