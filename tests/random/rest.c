// SPDX-License-Identifier: Apache-2.0
//
// The accounts, when nobody calls with the database any more and its consumers have
// nothing left to do. Then every counter of the library is compared with what
// callbacks, receives and return values of this program amount to.

#include "random.h"

/* Sealing --------------------------------------------------------------------------- */

static int all_waiters(const struct database *db) {
    int sum = 0;
    for (int i = 0; i < db->record_count; i++) sum += db->records[i].waiters;
    return sum;
}

static bool runs(const struct database *db) {
    return db->done == STARTED && db->tries[CLOSING] == 0;
}

static bool mailbox_empty(struct record *record) {
    aimdb_record_stats_t stats = AIMDB_RECORD_STATS_INIT;
    return CALL(aimdb_record_stats(record_handle(record), &stats)) != AIMDB_OK ||
           stats.pending == 0;
}

static void close_readers(struct record *record) {
    struct database *db = record->db;
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        if (sub->pull && sub->record == record && sub->handle && !sub->ends) close_reader(sub);
    }
}

/* One value wakes each reader, or one reader of a mailbox or consumer; a wake that is
 * lost is a wait without end. A value of a mailbox may be a consumer's again and
 * again: its waiters are then told by closing their readers. */
static void wake_waiters(struct record *record) {
    for (int pokes = 0; record->waiters > 0 && runs(record->db); pokes++) {
        int waiters = record->waiters;
        bool mailbox = record->config.buffer == AIMDB_MAILBOX;
        if (mailbox && pokes > 20) close_readers(record);
        if (mailbox) AWAIT(record->waiters < waiters || mailbox_empty(record));
        poke(record);
        if (mailbox)
            AWAIT(record->waiters < waiters || mailbox_empty(record));
        else
            AWAIT(record->waiters < waiters || !runs(record->db));
    }
}

void seal(struct database *db) {
    db->sealed = true;
    AWAIT(db->refs <= 1 + all_waiters(db));
    if (db->done == CREATED && all_waiters(db) > 0) start_database(db);
    for (int i = 0; i < db->record_count; i++) wake_waiters(&db->records[i]);
    AWAIT(db->refs == 1);
}

void unseal(struct database *db) { db->sealed = false; }

/* Settling ------------------------------------------------------------------------------ */

static aimdb_consumer_stats_t stats_of(struct subscription *sub) {
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    aimdb_status_t status = sub->pull ? CALL(aimdb_reader_stats(reader_handle(sub), &stats))
                                      : CALL(aimdb_consumer_stats(consumer_handle(sub), &stats));
    EXPECT(status, IN(AIMDB_OK), "statistics of subscription %u at rest", sub->uid);
    account_check(sub, &stats);
    return stats;
}

static bool idle(struct subscription *sub) {
    bool empty = sub->record->config.buffer != AIMDB_MAILBOX || mailbox_empty(sub->record);
    aimdb_consumer_stats_t stats = stats_of(sub); /* after: it may just have been taken */
    if (!empty) return false;
    return stats.pending == 0 && stats.delivered == sub->seen && sub->running == 0 &&
           stats.failures == sub->failures && stats.callback_ns >= sub->ns / 10 * 9;
}

/* Values that nobody holds back reach their consumer, and who left is told the end. */
static void settle(struct database *db) {
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        if (sub->pull || sub->refused) continue;
        if (sub->ends || db->done >= QUIET) {
            if (sub->has_free)
                AWAIT(sub->freed > 0);
            else
                AWAIT(sub->running == 0);
        } else if (db->done == STARTED)
            AWAIT(idle(sub));
    }
}

/* A consumer that goes to sleep just when a value comes must not sleep on. */
static void tease(struct database *db) {
    struct record *record = record_any(db);
    unsigned rounds = record ? (unsigned)below(20) : 0;
    for (unsigned i = 0; i < rounds && runs(db); i++) {
        poke(record);
        for (uint64_t until = now() + below(40000); now() < until;) continue;
        poke(record);
        settle(db);
    }
}

/* Subscriptions --------------------------------------------------------------------------- */

/* A subscription in words. */
static const char *about(const struct subscription *sub, const aimdb_consumer_stats_t *s) {
    static _Thread_local char text[300];
    static const char *const buffers[] = {"ring", "latest", "mailbox"};
    snprintf(text, sizeof text,
             "%s%s %u on %s %u of %zu, phase %d answered %d, seen %llu told %llu first %llu last "
             "%llu, ends %d%s",
             sub->crowded  ? "crowded "
             : sub->shared ? "shared "
                           : "",
             sub->pull ? "reader" : "consumer", sub->uid, buffers[sub->record->config.buffer],
             sub->record->uid, sub->record->config.capacity, (int)sub->record->db->done,
             (int)sub->record->db->answered, (unsigned long long)sub->seen,
             (unsigned long long)sub->told, (unsigned long long)sub->first,
             (unsigned long long)sub->last, (int)sub->ends,
             sub->own_account ? ", account from inside" : "");
    size_t used = strlen(text);
    if (s)
        snprintf(
            text + used, sizeof text - used,
            "; offered %llu delivered %llu lagged %llu skipped %llu pending %llu abandoned %llu",
            (unsigned long long)s->offered, (unsigned long long)s->delivered,
            (unsigned long long)s->lagged, (unsigned long long)s->skipped,
            (unsigned long long)s->pending, (unsigned long long)s->abandoned);
    return text;
}

#define SAME(got, want, sub)                                                                       \
    CHECK((uint64_t)(got) == (uint64_t)(want), #got " %llu, " #want " %llu: %s",                   \
          (unsigned long long)(got), (unsigned long long)(want), about(sub, s))

static bool told_all(const struct subscription *sub) { return sub->pull || sub->has_lag; }

/* The number of the last value before the subscription: what was offered says it, and
 * the first value seen with the losses told before it. */
static void check_begin(const struct subscription *sub, const aimdb_consumer_stats_t *s,
                        uint64_t start) {
    aimdb_buffer_t buffer = sub->record->config.buffer;
    uint64_t earliest = sub->produced_before;
    if (buffer == AIMDB_LATEST && earliest > 0) earliest--;
    CHECK(earliest <= start && start <= sub->produced_after,
          "begins after value %llu, made after %llu and before %llu: %s", (unsigned long long)start,
          (unsigned long long)sub->produced_before, (unsigned long long)sub->produced_after,
          about(sub, s));
    if (sub->seen == 0) return;
    CHECK(sub->first > start, "value %llu, begins after %llu: %s", (unsigned long long)sub->first,
          (unsigned long long)start, about(sub, s));
    if (buffer == AIMDB_RING && !sub->crowded && told_all(sub))
        SAME(sub->first - 1 - sub->told_before_first, start, sub);
}

static void check_end(const struct subscription *sub, const aimdb_consumer_stats_t *s,
                      uint64_t total) {
    if (sub->crowded || sub->seen == 0) return;
    if (sub->record->config.buffer == AIMDB_RING && told_all(sub)) {
        uint64_t behind = s->pending + s->abandoned + (s->lagged - sub->told);
        SAME(sub->last + sub->told_since + behind, total, sub);
    } else if (sub->record->config.buffer == AIMDB_LATEST && s->pending + s->abandoned == 0)
        SAME(sub->last, total, sub);
}

static void check_seen(const struct subscription *sub, const aimdb_consumer_stats_t *s) {
    SAME(s->delivered, sub->seen, sub);
    if (!sub->pull) {
        SAME(s->failures, sub->failures, sub);
        CHECK(s->callback_ns >= sub->ns / 10 * 9, "subscription %u: %llu ns in callbacks, not %llu",
              sub->uid, (unsigned long long)s->callback_ns, (unsigned long long)sub->ns);
    }
    if (told_all(sub))
        CHECK(s->lagged >= sub->told, "subscription %u: lagged %llu, told %llu", sub->uid,
              (unsigned long long)s->lagged, (unsigned long long)sub->told);
}

static void check_live(struct subscription *sub) {
    aimdb_consumer_stats_t stats = stats_of(sub), *s = &stats;
    uint64_t total = sub->record->ok;
    check_seen(sub, s);
    if (sub->record->config.buffer == AIMDB_MAILBOX) return;
    CHECK(s->offered <= total, "subscription %u: offered %llu of %llu", sub->uid,
          (unsigned long long)s->offered, (unsigned long long)total);
    check_begin(sub, s, total - s->offered);
    check_end(sub, s, total);
    bool closed = sub->record->db->done >= QUIET;
    if (!closed || sub->pull) SAME(s->abandoned, 0u, sub);
    if (!sub->pull) SAME(s->pending, 0u, sub);
    if (s->pending + s->abandoned == 0 && told_all(sub)) SAME(s->lagged, sub->told, sub);
    if (sub->pull && sub->fd >= 0 && (s->pending > 0 || closed))
        CHECK(descriptor_ready(sub->fd, 0),
              "reader %u: %llu pending%s, its descriptor is not readable", sub->uid,
              (unsigned long long)s->pending, closed ? ", closed" : "");
}

/* What the last account said, now that all calls that were under way are over. */
static void check_over(const struct subscription *sub) {
    const aimdb_consumer_stats_t *s = &sub->account;
    if (!sub->has_account || sub->record->config.buffer == AIMDB_MAILBOX) return;
    SAME(s->pending, 0u, sub);
    SAME(s->delivered, sub->seen, sub);
    if (told_all(sub))
        CHECK(s->lagged >= sub->told, "subscription %u: lagged %llu, told %llu", sub->uid,
              (unsigned long long)s->lagged, (unsigned long long)sub->told);
    if (!sub->own_account && !sub->pull) SAME(s->failures, sub->failures, sub);
    if (sub->record->config.buffer != AIMDB_RING || sub->crowded || sub->seen == 0 ||
        !told_all(sub))
        return;
    uint64_t start = sub->first - 1 - sub->told_before_first, end = start + s->offered;
    check_begin(sub, s, start);
    CHECK(sub->account_before <= end && end <= sub->account_after,
          "ended after value %llu, which is not from %llu to %llu: %s", (unsigned long long)end,
          (unsigned long long)sub->account_before, (unsigned long long)sub->account_after,
          about(sub, s));
    SAME(sub->last + sub->told_since + s->abandoned + (s->lagged - sub->told), end, sub);
}

static bool live(const struct subscription *sub) {
    return sub->handle && !sub->refused && !sub->ends;
}

/* Records and the database ------------------------------------------------------------------ */

static uint64_t count_live(const struct database *db, const struct record *record, bool pull) {
    if (!pull && db->done >= QUIET) return 0;
    uint64_t count = 0;
    for (int i = 0; i < db->sub_count; i++) {
        const struct subscription *sub = db->subs[i];
        count += live(sub) && sub->pull == pull && (!record || sub->record == record);
    }
    return count;
}

static void check_peek(struct record *record, const aimdb_record_stats_t *stats) {
    size_t most = record->config.payload_max;
    unsigned char *data = malloc(most + 1);
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_status_t status = CALL(aimdb_peek(record_handle(record), data, most, &message));
    bool latest = record->config.buffer == AIMDB_LATEST;
    bool there = latest ? record->ok > 0 : stats->pending == 1;
    EXPECT(status, IN(there ? AIMDB_OK : AIMDB_EMPTY), "peek at record %u at rest", record->uid);
    if (status == AIMDB_OK) {
        seen_peek(record, &message);
        if (latest)
            CHECK(message.sequence == record->ok, "peek at record %u: value %llu of %llu",
                  record->uid, (unsigned long long)message.sequence,
                  (unsigned long long)record->ok);
    }
    free(data);
}

#define OF_RECORD(got, want)                                                                       \
    CHECK((uint64_t)(got) == (uint64_t)(want), "record %u: " #got " %llu, " #want " %llu",         \
          record->uid, (unsigned long long)(got), (unsigned long long)(want))

static void check_record(struct record *record) {
    aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
    EXPECT(CALL(aimdb_record_stats(record_handle(record), &s)), IN(AIMDB_OK),
           "record_stats at rest");
    OF_RECORD(s.produced, record->ok);
    OF_RECORD(s.bytes, record->bytes);
    OF_RECORD(s.rejected, record->rejected);
    OF_RECORD(s.producer_calls, record->calls);
    OF_RECORD(s.memory, record_memory(record));
    uint64_t readers = count_live(record->db, record, false) + count_live(record->db, record, true);
    OF_RECORD(s.readers, readers);
    CHECK(s.producer_ns >= record->calls_ns / 10 * 9,
          "record %u: %llu ns in the producer function, not %llu", record->uid,
          (unsigned long long)s.producer_ns, (unsigned long long)record->calls_ns);
    if (record->config.buffer != AIMDB_RING) check_peek(record, &s);
    if (record->config.buffer != AIMDB_MAILBOX) return;
    OF_RECORD(s.taken, record->taken);
    OF_RECORD(s.taken + s.overwritten + s.pending + s.abandoned, record->ok);
}

static uint64_t consumers_of(struct database *db) {
    aimdb_database_stats_t s = AIMDB_DATABASE_STATS_INIT;
    EXPECT(CALL(aimdb_database_stats(db_handle(db), &s)), IN(AIMDB_OK), "database_stats at rest");
    return s.consumers;
}

/* Each that left was waited for: then it is counted no more. Otherwise its free
 * function announces the end, which is a moment before. */
static bool all_told(const struct database *db) {
    for (int i = 0; i < db->sub_count; i++) {
        const struct subscription *sub = db->subs[i];
        if (!sub->pull && !sub->refused && !sub->ended && (sub->ends || db->done >= QUIET))
            return false;
    }
    return true;
}

static void check_database(struct database *db) {
    aimdb_database_stats_t s = AIMDB_DATABASE_STATS_INIT;
    EXPECT(CALL(aimdb_database_stats(db_handle(db), &s)), IN(AIMDB_OK), "database_stats at rest");
    uint64_t records = 0, memory = 0;
    for (int i = 0; i < db->record_count; i++) {
        if (!db->records[i].handle) continue;
        records++;
        memory += record_memory(&db->records[i]);
    }
    CHECK(s.records == records && s.memory == memory, "database %u: %llu records in %llu bytes",
          db->uid, (unsigned long long)s.records, (unsigned long long)s.memory);
    uint64_t consumers = count_live(db, NULL, false), readers = count_live(db, NULL, true);
    CHECK(s.readers == readers, "database %u in phase %d: %llu readers, not %llu", db->uid,
          (int)db->done, (unsigned long long)s.readers, (unsigned long long)readers);
    if (!all_told(db))
        AWAIT(consumers_of(db) == consumers);
    else
        CHECK(s.consumers == consumers, "database %u in phase %d: %llu consumers, not %llu",
              db->uid, (int)db->done, (unsigned long long)s.consumers,
              (unsigned long long)consumers);
}

/* A close that says OK has delivered everything; TIMEOUT, that something was not. */
static void check_answer(struct database *db) {
    uint64_t abandoned = 0;
    bool others = db->refused || db->readers_too;
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        others |= sub->ends > 0;
        if (live(sub) && !sub->pull) abandoned += stats_of(sub).abandoned;
    }
    if (db->answered == 1)
        CHECK(abandoned == 0, "database %u: close answered OK, %llu values abandoned", db->uid,
              (unsigned long long)abandoned);
    for (int i = 0; i < db->record_count; i++)
        others |= db->records[i].config.buffer == AIMDB_MAILBOX;
    if (db->answered == 2 && !others)
        CHECK(abandoned > 0, "database %u: close answered TIMEOUT, nothing was abandoned", db->uid);
}

void rest_check(struct database *db) {
    if (db->done == CLOSING) close_database(db, AIMDB_FOREVER);
    settle(db);
    if (runs(db)) tease(db);
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        if (sub->ends)
            check_over(sub);
        else if (live(sub) && db->done < DESTROYED)
            check_live(sub);
    }
    if (db->done == DESTROYED) return;
    for (int i = 0; i < db->record_count; i++)
        if (db->records[i].handle) check_record(&db->records[i]);
    check_database(db);
    if (db->done == QUIET) check_answer(db);
}

void do_rest(struct database *db) {
    if (inside() || atomic_exchange(&db->ending, true)) return;
    seal(db);
    rest_check(db);
    unseal(db);
    db->ending = false;
}
