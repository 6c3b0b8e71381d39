// SPDX-License-Identifier: Apache-2.0
//
// What a subscription saw. Its sequence numbers rise; on a ring, a gap is just
// what the subscription was told to have lost. All readers see one order: the
// value that has a number is the same for all. A mailbox's value comes once.

#include "random.h"

static uint32_t short_hash(const struct value *value) { return (uint32_t)mix(value->number) | 1; }

static _Atomic uint64_t *place_in_order(struct record *record, uint64_t sequence) {
    return &record->order[sequence % ORDER];
}

static void compare(const struct record *record, uint64_t known, uint64_t sequence, uint32_t hash) {
    if (known >> 32 != (uint32_t)sequence) return;
    CHECK((uint32_t)known == hash, "record %u: number %llu is two values", record->uid,
          (unsigned long long)sequence);
}

static void same_for_all(struct record *record, uint64_t sequence, const struct value *value) {
    _Atomic uint64_t *place = place_in_order(record, sequence);
    uint64_t entry = sequence << 32 | short_hash(value), known = *place;
    compare(record, known, sequence, short_hash(value));
    while (known >> 32 < (uint32_t)sequence && !atomic_compare_exchange_weak(place, &known, entry))
        compare(record, known, sequence, short_hash(value));
}

static void taken_once(struct record *record, uint64_t sequence) {
    record->taken++;
    _Atomic uint64_t *place = place_in_order(record, sequence);
    uint64_t known = atomic_exchange(place, sequence << 32 | 1);
    CHECK(known >> 32 != (uint32_t)sequence, "record %u: the mailbox's value %llu was taken twice",
          record->uid, (unsigned long long)sequence);
}

/* On each thread that produces, numbers rise; but what a producer function sends
 * overtakes the value it was called for. */
static void order_of_producer(struct subscription *sub, const struct value *value) {
    typeof(sub->from[0]) *from = &sub->from[value->thread % FROM];
    if (from->thread == value->thread)
        CHECK(value->number > from->number, "subscription %u: values of thread %u out of order",
              sub->uid, value->thread);
    from->thread = value->thread;
    from->number = value->number;
}

static void no_double(struct subscription *sub, uint64_t sequence) {
    uint64_t *place = &sub->window[sequence % WINDOW];
    CHECK(*place != sequence, "subscription %u: value %llu came twice", sub->uid,
          (unsigned long long)sequence);
    *place = sequence;
}

static void in_order(struct subscription *sub, const struct value *value, uint64_t sequence) {
    uint64_t seen = sub->seen;
    CHECK(seen == 0 || sequence > sub->last, "subscription %u: value %llu after %llu", sub->uid,
          (unsigned long long)sequence, (unsigned long long)sub->last);
    if (sub->record->config.buffer == AIMDB_RING && (sub->pull || sub->has_lag) && seen > 0)
        CHECK(sequence == sub->last + 1 + sub->told_since,
              "subscription %u: value %llu after %llu, told of %llu lost", sub->uid,
              (unsigned long long)sequence, (unsigned long long)sub->last,
              (unsigned long long)sub->told_since);
    if (!record_mute(sub->record) && !(value->flags & VALUE_NESTED)) order_of_producer(sub, value);
}

static void first_value(struct subscription *sub, uint64_t sequence) {
    sub->first = sequence;
    sub->told_before_first = sub->told;
    uint64_t earliest = sub->produced_before + 1 + sub->told;
    if (sub->record->config.buffer == AIMDB_LATEST && earliest > 1) earliest--;
    if (!sub->crowded && sub->record->config.buffer != AIMDB_MAILBOX)
        CHECK(sequence >= earliest, "subscription %u: value %llu from before it was made", sub->uid,
              (unsigned long long)sequence);
}

/* With sub->lock, or in the subscription's callback. */
void seen_value(struct subscription *sub, const aimdb_message_t *message) {
    struct record *record = sub->record;
    CHECK(message->record == record_handle(record),
          "record %u: the message is of record %p, not %p", record->uid, (void *)message->record,
          (void *)record->handle);
    CHECK(message->sequence > 0, "record %u", record->uid);
    CHECK(message->lagged == 0, "record %u", record->uid);
    struct value value = value_read(record, message->data, message->size);
    struct fate fate = value_fate(record, &value, message->size);
    if (!(value.flags & VALUE_REPLACED))
        CHECK(fate.verdict == ACCEPTS, "record %u: value %llu was not accepted (%d)", record->uid,
              (unsigned long long)message->sequence, (int)fate.verdict);
    CHECK(message->sequence <= record->begun, "record %u: value %llu of %llu", record->uid,
          (unsigned long long)message->sequence, (unsigned long long)record->begun);
    if (record->config.buffer == AIMDB_MAILBOX)
        taken_once(record, message->sequence);
    else if (!record_mute(record))
        same_for_all(record, message->sequence, &value);
    if (sub->seen == 0) first_value(sub, message->sequence);
    if (sub->crowded)
        no_double(sub, message->sequence);
    else
        in_order(sub, &value, message->sequence);
    if (message->sequence > sub->last) sub->last = message->sequence;
    if (message->sequence < sub->first) sub->first = message->sequence;
    sub->told_since = 0;
    sub->seen++;
}

void seen_lag(struct subscription *sub, uint64_t lagged) {
    CHECK(lagged > 0, "subscription %u", sub->uid);
    CHECK(sub->record->config.buffer == AIMDB_RING, "subscription %u lagged", sub->uid);
    sub->told += lagged;
    sub->told_since += lagged;
}

void seen_peek(struct record *record, const aimdb_message_t *message) {
    CHECK(message->record == record_handle(record), "peek at record %u", record->uid);
    CHECK(message->sequence > 0 && message->sequence <= record->begun, "peek at record %u: %llu",
          record->uid, (unsigned long long)message->sequence);
    struct value value = value_read(record, message->data, message->size);
    if (record->config.buffer == AIMDB_LATEST && !record_mute(record))
        same_for_all(record, message->sequence, &value);
}

/* Accounts ------------------------------------------------------------------------------ */

static uint64_t in_hand(const struct record *record) {
    uint64_t eighth = record->config.capacity / 8;
    return eighth < 1 ? 1 : eighth < 32 ? eighth : 32;
}

static void bounds_check(const struct subscription *sub, const aimdb_consumer_stats_t *s) {
    const struct record *record = sub->record;
    switch (record->config.buffer) {
    case AIMDB_RING:
        CHECK(s->pending <= record->config.capacity + (sub->pull ? 0 : in_hand(record)),
              "subscription %u: %llu pending, capacity %zu", sub->uid,
              (unsigned long long)s->pending, record->config.capacity);
        CHECK(s->skipped == 0, "subscription %u of a ring", sub->uid);
        CHECK(s->lagged == 0 || s->lagged + record->config.capacity <= s->offered,
              "subscription %u lost %llu of %llu, capacity %zu", sub->uid,
              (unsigned long long)s->lagged, (unsigned long long)s->offered,
              record->config.capacity);
        break;
    case AIMDB_LATEST:
        CHECK(s->pending <= 1 && s->lagged == 0 && s->lagged_events == 0,
              "subscription %u of a latest: pending %llu lagged %llu", sub->uid,
              (unsigned long long)s->pending, (unsigned long long)s->lagged);
        break;
    case AIMDB_MAILBOX:
        CHECK(s->lagged == 0 && s->skipped == 0, "subscription %u of a mailbox", sub->uid);
        break;
    }
}

void account_check(const struct subscription *sub, const aimdb_consumer_stats_t *s) {
    if (sub->record->config.buffer != AIMDB_MAILBOX)
        CHECK(s->offered == s->delivered + s->lagged + s->skipped + s->pending + s->abandoned,
              "subscription %u: offered %llu, delivered %llu lagged %llu skipped %llu pending %llu "
              "abandoned %llu",
              sub->uid, (unsigned long long)s->offered, (unsigned long long)s->delivered,
              (unsigned long long)s->lagged, (unsigned long long)s->skipped,
              (unsigned long long)s->pending, (unsigned long long)s->abandoned);
    CHECK(s->callback_max_ns <= s->callback_ns, "subscription %u", sub->uid);
    CHECK(s->failures <= s->delivered, "subscription %u", sub->uid);
    CHECK(s->lagged_events <= s->lagged, "subscription %u", sub->uid);
    bounds_check(sub, s);
}

/* Keeps the last account for the check at rest, when what was under way is over. */
void account_last(struct subscription *sub, const aimdb_consumer_stats_t *stats, uint64_t before,
                  bool own) {
    account_check(sub, stats);
    pthread_mutex_lock(&sub->record->db->lock);
    if (!sub->has_account) {
        sub->account = *stats;
        sub->account_before = before;
        sub->account_after = sub->record->begun;
        sub->own_account = own;
        sub->has_account = true;
    }
    pthread_mutex_unlock(&sub->record->db->lock);
}
