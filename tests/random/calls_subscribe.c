// SPDX-License-Identifier: Apache-2.0
//
// Subscriptions begin and end.

#include "random.h"

static void refused(struct subscription *sub) {
    sub->refused = true;
    atomic_fetch_sub(&sub->record->db->live, 1);
}

static aimdb_consumer_config_t config_of(struct subscription *sub) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = on_value;
    if (sub->has_lag) config.on_lag = on_lag;
    config.user = sub;
    if (sub->has_free) config.free = on_free;
    config.dispatch = sub->shared ? AIMDB_SHARED : AIMDB_DEDICATED;
    config.stack_size = chance(50) ? 0 : 256 << 10; /* callbacks call callbacks */
    return config;
}

void do_subscribe(struct database *db) {
    struct record *record = record_any(db);
    struct subscription *sub = record ? sub_add(record, false) : NULL;
    if (!sub) return;
    sub->shared = chance(options.profile->shared);
    sub->has_lag = chance(90);
    sub->has_free = chance(98);
    aimdb_consumer_config_t config = config_of(sub);
    aimdb_consumer_t *handle = NULL;
    struct range range = range_begin(db);
    aimdb_status_t status = CALL(aimdb_subscribe(record_handle(record), &config, &handle));
    range_end(&range);
    EXPECT(status, allowed_join(&range), "subscribe to record %u, phases %d-%d", record->uid,
           range.from, range.to);
    if (status != AIMDB_OK) {
        CHECK(handle == NULL, "subscribe wrote a handle with %s", status_name(status));
        refused(sub);
        return;
    }
    sub->produced_after = record->begun;
    CHECK(handle != NULL, "subscribe");
    sub->handle = (uintptr_t)handle;
}

static void ended_well(struct subscription *sub) {
    if (sub->has_free)
        CHECK(sub->freed == 1, "unsubscribe answered OK before the free function of %u", sub->uid);
    CHECK(!sub->running, "unsubscribe answered OK while a callback of %u runs", sub->uid);
    sub->quiet = true;
    if (atomic_fetch_add(&sub->ended, 1) > 0) return;
    if (!sub->has_free) atomic_fetch_sub(&sub->record->db->live, 1);
    ended_add(CONSUMER, sub->handle);
}

static bool in_own_callback(const struct subscription *sub) {
    const struct frame *top = self()->top;
    return top && top->sub == sub && (top->place == IN_CONSUMER || top->place == IN_LAG);
}

/* Inside any callback it never waits; what ended before it may say so at once. */
static set allowed_unsubscribe(const struct subscription *sub, struct range *range, bool over,
                               bool first) {
    range_end(range);
    if (over) return ERR(HANDLE);
    set allowed = inside() ? IN(AIMDB_IN_PROGRESS) : IN(AIMDB_OK);
    if (inside() && (range->to >= CLOSING || !first || sub->freed)) allowed |= IN(AIMDB_OK);
    if (!first || sub->ends > 1 || range_may(range, DESTROYED)) allowed |= ERR(HANDLE);
    return allowed;
}

static void unsubscribe(struct subscription *sub) {
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    bool over = sub_over(sub), own = in_own_callback(sub), wants = chance(80);
    uint64_t before = sub->ends ? 0 : sub->record->ok; /* another's end may be earlier */
    struct range range = range_begin(sub->record->db);
    bool first = atomic_fetch_add(&sub->ends, 1) == 0;
    aimdb_status_t status = CALL(aimdb_unsubscribe(consumer_handle(sub), wants ? &last : NULL));
    EXPECT(status, allowed_unsubscribe(sub, &range, over, first),
           "unsubscribe %u, phases %d-%d, %s", sub->uid, range.from, range.to,
           inside() ? "inside" : "outside");
    if (status < 0) return;
    if (own) sub->left = true;
    if (own && wants)
        CHECK(last.delivered == sub->seen,
              "subscription %u: last account inside: delivered %llu, seen %llu", sub->uid,
              (unsigned long long)last.delivered, (unsigned long long)sub->seen);
    if (wants) account_last(sub, &last, before, status == AIMDB_IN_PROGRESS);
    if (status == AIMDB_OK && !inside()) ended_well(sub);
}

void do_unsubscribe(struct database *db) {
    struct subscription *sub = sub_any(db, false);
    const struct frame *top = self()->top;
    if (top && top->sub && !top->sub->pull && top->db == db && top->sub->handle && chance(60))
        sub = top->sub;
    if (sub) unsubscribe(sub);
}

/* Readers ------------------------------------------------------------------------------------ */

void do_open_reader(struct database *db) {
    struct record *record = record_any(db);
    struct subscription *sub = record ? sub_add(record, true) : NULL;
    if (!sub) return;
    sub->crowded = chance(40);
    if (sub->crowded) sub->window = calloc(WINDOW, sizeof *sub->window);
    aimdb_reader_t *handle = NULL;
    struct range range = range_begin(db);
    aimdb_status_t status = CALL(aimdb_reader_open(record_handle(record), &handle));
    range_end(&range);
    EXPECT(status, allowed_join(&range), "reader_open on record %u, phases %d-%d", record->uid,
           range.from, range.to);
    if (status != AIMDB_OK) {
        refused(sub);
        return;
    }
    sub->produced_after = record->begun;
    sub->handle = (uintptr_t)handle;
}

aimdb_status_t close_reader(struct subscription *sub) {
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    bool over = sub_over(sub), wants = chance(80);
    uint64_t before = sub->ends ? 0 : sub->record->ok; /* another's end may be earlier */
    struct range range = range_begin(sub->record->db);
    bool first = atomic_fetch_add(&sub->ends, 1) == 0;
    aimdb_status_t status = CALL(aimdb_reader_close(reader_handle(sub), wants ? &last : NULL));
    range_end(&range);
    set allowed = over ? ERR(HANDLE) : allowed_look(&range);
    if (!over && (!first || sub->ends > 1)) allowed |= ERR(HANDLE);
    EXPECT(status, allowed, "reader_close of %u, phases %d-%d", sub->uid, range.from, range.to);
    if (status != AIMDB_OK) return status;
    CHECK(atomic_fetch_add(&sub->ended, 1) == 0, "reader %u was closed twice", sub->uid);
    atomic_fetch_sub(&sub->record->db->live, 1);
    if (wants) account_last(sub, &last, before, false);
    ended_add(READER, sub->handle);
    return status;
}

void do_close_reader(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    if (sub) close_reader(sub);
}
