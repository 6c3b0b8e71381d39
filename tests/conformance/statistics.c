/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts are exact at every moment, and what they say is what callbacks and
 * receives saw.
 */
#include "test.h"

#include <unistd.h>

struct watch {
    aimdb_record_t *record;
    aimdb_consumer_t *consumer;
    aimdb_reader_t *reader;
    struct sink *sink;
    bool mailbox;
    atomic_ullong produced, received; /* counted by the test's own threads */
    atomic_bool done;
};

static void check_not_less(const aimdb_consumer_stats_t *was, const aimdb_consumer_stats_t *is)
{
    CHECK(is->offered >= was->offered && is->delivered >= was->delivered);
    CHECK(is->lagged >= was->lagged && is->lagged_events >= was->lagged_events);
    CHECK(is->skipped >= was->skipped && is->abandoned >= was->abandoned);
}

/* One snapshot against the account, the one before, and what the threads have seen
 * before and after it. */
static void check_snapshot(struct watch *watch, aimdb_consumer_stats_t *was, bool of_reader)
{
    uint64_t produced = atomic_load(&watch->produced);
    uint64_t seen = of_reader ? atomic_load(&watch->received) : sink_count(watch->sink);
    aimdb_consumer_stats_t is =
        of_reader ? stats_of_reader(watch->reader) : stats_of_consumer(watch->consumer);
    uint64_t later = of_reader ? atomic_load(&watch->received) : sink_count(watch->sink);
    CHECK(is.delivered >= seen && is.delivered <= later + 1);
    if (!watch->mailbox) {
        check_account(&is);
        CHECK(is.offered >= produced && is.offered <= atomic_load(&watch->produced) + 1);
    }
    check_not_less(was, &is);
    *was = is;
}

static void watch_accounts(void *arg)
{
    struct watch *watch = arg;
    aimdb_consumer_stats_t of_reader = { 0 }, of_consumer = { 0 };
    aimdb_record_stats_t was = { 0 };
    while (!atomic_load(&watch->done)) {
        check_snapshot(watch, &of_reader, true);
        check_snapshot(watch, &of_consumer, false);
        uint64_t produced = atomic_load(&watch->produced);
        aimdb_record_stats_t is = stats_of_record(watch->record);
        CHECK(is.produced >= produced && is.produced <= atomic_load(&watch->produced) + 1);
        CHECK_EQ(is.bytes, is.produced * sizeof(uint64_t));
        CHECK(is.produced >= was.produced && is.taken >= was.taken);
        CHECK(is.overwritten >= was.overwritten);
        if (watch->mailbox) check_mailbox_account(&is);
        was = is;
    }
}

static void receive_and_count(void *arg)
{
    struct watch *watch = arg;
    for (struct taken taken;;) {
        taken = take(watch->reader, AIMDB_FOREVER);
        if (taken.status == AIMDB_OK) atomic_fetch_add(&watch->received, 1);
        else if (taken.status != AIMDB_LAGGED) return;
    }
}

static void check_accounts_at_every_moment(aimdb_buffer_t buffer)
{
    aimdb_t *db = database();
    struct sink sink = SINK;
    struct watch watch = { .record = numbers(db, buffer, 7), .sink = &sink,
                           .mailbox = buffer == AIMDB_MAILBOX };
    watch.reader = reader(watch.record);
    watch.consumer = sink_subscribe(&sink, watch.record);
    struct thread watcher, receiver;
    started(db);
    thread_start(&watcher, watch_accounts, &watch);
    thread_start(&receiver, receive_and_count, &watch);
    for (uint64_t n = 1; n <= 100000; n++) {
        REQUIRE_OK(put(watch.record, n));
        atomic_store(&watch.produced, n);
    }
    CHECK_OK(aimdb_close(db, LONG_TIME));
    thread_join(&receiver);
    atomic_store(&watch.done, true);
    thread_join(&watcher);

    aimdb_consumer_stats_t of_reader = stats_of_reader(watch.reader);
    aimdb_consumer_stats_t of_consumer = stats_of_consumer(watch.consumer);
    CHECK_EQ(of_reader.delivered, atomic_load(&watch.received));
    CHECK_EQ(of_consumer.delivered, sink.count);
    CHECK_EQ(of_consumer.lagged, sink.lagged);
    CHECK_EQ(of_consumer.lagged_events, sink.lags);
    aimdb_record_stats_t of_record = stats_of_record(watch.record);
    CHECK_EQ(of_record.produced, 100000);
    if (watch.mailbox) CHECK_EQ(of_record.taken, atomic_load(&watch.received) + sink.count);
    end(db);
    sink_end(&sink);
}

TEST(statistics_ring_accounts_are_exact_at_every_moment)
{
    check_accounts_at_every_moment(AIMDB_RING);
}

TEST(statistics_latest_accounts_are_exact_at_every_moment)
{
    check_accounts_at_every_moment(AIMDB_LATEST);
}

TEST(statistics_mailbox_accounts_are_exact_at_every_moment)
{
    check_accounts_at_every_moment(AIMDB_MAILBOX);
}

TEST(statistics_value_is_pending_until_its_callback_begins_also_in_a_batch)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 256);
    struct sink sink = SINK;
    sink.hold = true;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    put_range((started(db), ring), 1, 200);
    sink_await_inside(&sink);
    aimdb_consumer_stats_t stats = stats_of_consumer(consumer);
    CHECK_EQ(stats.delivered, 1);
    CHECK_EQ(stats.pending, 199);
    sink_release(&sink);
    end(db);
    sink_end(&sink);
}

static uint64_t held_ns; /* by the callback's or producer function's own clock */

static void take_time(void)
{
    uint64_t begin = now_ns();
    while (now_ns() - begin < 2000000) nap();
    held_ns += now_ns() - begin;
}

static void slow_consumer(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)sink, (void)emitter, (void)m;
    take_time();
}

static int slow_producer(aimdb_emitter_t *emitter, const aimdb_message_t *m, aimdb_draft_t *draft,
                         void *user)
{
    (void)emitter, (void)m, (void)draft, (void)user;
    take_time();
    return AIMDB_ACCEPT;
}

TEST(statistics_callback_time_is_at_least_what_the_callback_measured)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 256);
    struct sink sink = SINK;
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    held_ns = 0;
    sink.then = slow_consumer;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    put_range((started(db), ring), 1, 5);
    sink_await_done(&sink, 5);
    CHECK_OK(aimdb_unsubscribe(consumer, &last));
    CHECK(last.callback_ns >= held_ns);
    CHECK(last.callback_max_ns >= held_ns / 5 && last.callback_max_ns <= last.callback_ns);
    end(db);
    sink_end(&sink);
}

TEST(statistics_producer_time_is_at_least_what_the_function_measured)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 256);
    aimdb_producer_config_t config = { sizeof config, slow_producer, NULL, NULL };
    held_ns = 0;
    REQUIRE_OK(aimdb_set_producer(ring, &config));
    put_range((started(db), ring), 1, 5);
    aimdb_record_stats_t stats = stats_of_record(ring);
    CHECK_EQ(stats.producer_calls, 5);
    CHECK(stats.producer_ns >= held_ns);
    CHECK(stats.producer_max_ns >= held_ns / 5 && stats.producer_max_ns <= stats.producer_ns);
    end(db);
}

static uint64_t formula(size_t slots, size_t payload_max)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = slots * (8 + (payload_max + 7) / 8 * 8);
    return (bytes + page - 1) / page * page + 256;
}

TEST(statistics_memory_is_what_the_documented_formula_says)
{
    static const size_t capacities[] = { 1, 2, 3, 7, 8, 1000, 1024 }, sizes[] = { 0, 1, 8, 255, 4096 };
    aimdb_t *db = database();
    uint64_t sum = 0;
    for (size_t c = 0; c < COUNT(capacities); c++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            char key[32];
            snprintf(key, sizeof key, "%zu.%zu", capacities[c], sizes[s]);
            uint64_t memory = stats_of_record(record(db, key, 0, capacities[c], sizes[s])).memory;
            CHECK_EQ(memory, formula(capacities[c] + capacities[c] / 8 + 1, sizes[s]));
            sum += memory;
        }
    }
    uint64_t latest = stats_of_record(record(db, "latest", AIMDB_LATEST, 0, 5000)).memory;
    uint64_t mailbox = stats_of_record(record(db, "mailbox", AIMDB_MAILBOX, 0, 5000)).memory;
    CHECK_EQ(latest, formula(5, 5000));
    CHECK_EQ(mailbox, formula(2, 5000));
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_EQ(stats.memory, sum + latest + mailbox);
    CHECK_EQ(stats.records, COUNT(capacities) * COUNT(sizes) + 2);
    CHECK_OK(aimdb_destroy(db));
}

TEST(statistics_count_the_readers_and_consumers_there_are_now)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    struct sink sink = SINK;
    aimdb_reader_t *in = reader(ring);
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_EQ(stats.readers, 1);
    CHECK_EQ(stats.consumers, 1);
    CHECK_EQ(stats_of_record(ring).readers, 2);
    CHECK_OK(aimdb_reader_close(in, NULL));
    CHECK_EQ(stats_of_record(ring).readers, 1);
    CHECK_OK(aimdb_unsubscribe(consumer, NULL));
    CHECK_EQ(stats_of_record(ring).readers, 0);
    await_consumers(db, 0);
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_EQ(stats.readers, 0);
    CHECK_OK(aimdb_destroy(db));
    sink_end(&sink);
}

/* Snapshots at each moment ---------------------------------------------------------- */

struct moment {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_consumer_t *self;
    uint64_t last; /* of the numbers */
};

/* The callback that runs has begun: its value is delivered, those behind it wait. */
static void look_inside(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct moment *moment = sink->arg;
    (void)emitter;
    aimdb_consumer_stats_t stats = stats_of_consumer(moment->self);
    check_account(&stats);
    CHECK_EQ(stats.offered, moment->last);
    CHECK_EQ(stats.delivered, number_of(m));
    CHECK_EQ(stats.pending, moment->last - number_of(m));
    CHECK_EQ(stats.failures, number_of(m) - 1); /* this one has not failed yet */
    CHECK_EQ(stats_of_record(moment->record).readers, 1);
    aimdb_database_stats_t of_db = AIMDB_DATABASE_STATS_INIT;
    CHECK_OK(aimdb_database_stats(moment->db, &of_db));
    CHECK_EQ(of_db.consumers, 1);
    CHECK_EQ(of_db.records, 2);
    CHECK_EQ(of_db.readers, 0);
}

static void close_long(void *arg) { CHECK_OK(aimdb_close(arg, LONG_TIME)); }

TEST(statistics_inside_a_callback_during_a_close_and_after_it)
{
    struct moment moment = { .db = database(), .last = 100 };
    struct sink sink = SINK;
    struct thread closer;
    moment.record = numbers(moment.db, AIMDB_RING, 128);
    aimdb_record_t *probe = record(moment.db, "probe", AIMDB_LATEST, 0, 8);
    sink.hold = true;
    sink.answer = 1;
    sink.then = look_inside;
    sink.arg = &moment;
    moment.self = sink_subscribe(&sink, moment.record);
    started(moment.db);
    put_range(moment.record, 1, moment.last);
    sink_await_inside(&sink);
    thread_start(&closer, close_long, moment.db);
    AWAIT(put(probe, 1) == AIMDB_CLOSED); /* the close has begun */
    aimdb_consumer_stats_t stats = stats_of_consumer(moment.self);
    check_account(&stats); /* during the close */
    CHECK_EQ(stats.delivered, 1);
    CHECK_EQ(stats.pending, 99);
    CHECK_EQ(stats.abandoned, 0);
    sink_release(&sink);
    thread_join(&closer);
    stats = stats_of_consumer(moment.self); /* and after it */
    check_account(&stats);
    CHECK_EQ(stats.delivered, 100);
    CHECK_EQ(stats.failures, 100);
    CHECK_EQ(stats.pending + stats.abandoned + stats.lagged + stats.skipped, 0);
    CHECK(stats.callback_max_ns <= stats.callback_ns);
    aimdb_record_stats_t of_record = stats_of_record(moment.record);
    CHECK_EQ(of_record.produced, 100);
    CHECK_EQ(of_record.bytes, 800);
    CHECK_EQ(of_record.pending + of_record.taken + of_record.overwritten, 0); /* a mailbox's */
    end(moment.db);
    sink_check_range(&sink, 1, 100);
    sink_end(&sink);
}

TEST(statistics_of_a_reader_in_every_state_and_its_last_account)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 4);
        aimdb_reader_t *in = reader(numbered), *closed = reader(numbered);
        bool ring = buffers[b] == AIMDB_RING, mailbox = buffers[b] == AIMDB_MAILBOX;
        aimdb_consumer_stats_t stats = stats_of_reader(in), last = AIMDB_CONSUMER_STATS_INIT;
        CHECK_EQ(stats.offered + stats.delivered + stats.pending, 0);
        started(db);
        put_range(numbered, 1, 6);
        CHECK_OK(aimdb_reader_close(closed, &last)); /* it has received nothing */
        CHECK_EQ(last.delivered, 0);
        CHECK_EQ(last.pending, 0);
        if (!mailbox) { /* whose values are the record's, not the reader's */
            check_account(&last);
            CHECK_EQ(last.offered, 6);
            CHECK_EQ(last.abandoned, ring ? 4 : 1);
            CHECK_EQ(last.lagged, ring ? 2 : 0);
            CHECK_EQ(last.skipped, ring ? 0 : 5);
        }
        CHECK_OK(aimdb_close(db, LONG_TIME));
        stats = stats_of_reader(in);
        if (!mailbox) check_account(&stats);
        CHECK_EQ(stats.abandoned, 0); /* readers drain after the close */
        if (ring) CHECK_STATUS(take(in, 0).status, AIMDB_LAGGED);
        check_takes(in, ring ? 3 : 6, 6);
        stats = stats_of_reader(in);
        CHECK_EQ(stats.delivered, ring ? 4 : 1);
        CHECK_EQ(stats.lagged_events, ring);
        CHECK_EQ(stats.failures + stats.callback_ns + stats.callback_max_ns, 0); /* of callbacks */
        CHECK_EQ(stats_of_record(numbered).readers, 1);
        CHECK_OK(aimdb_reader_close(in, &last));
        CHECK_EQ(last.delivered, ring ? 4 : 1);
        CHECK_EQ(last.abandoned, 0);
        CHECK_EQ(stats_of_record(numbered).readers, 0);
        CHECK_OK(aimdb_destroy(db));
    }
}

TEST(statistics_count_what_was_refused_nowhere_but_as_rejected)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_reader_t *in = reader(ring);
    CHECK_STATUS(put(ring, 1), AIMDB_ERR_STATE);
    started(db);
    CHECK_STATUS(aimdb_produce(ring, "123456789", 9), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(ring, NULL, 8), AIMDB_ERR_ARGUMENT);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_STATUS(put(ring, 1), AIMDB_CLOSED);
    aimdb_record_stats_t stats = stats_of_record(ring);
    CHECK_EQ(stats.produced + stats.rejected + stats.bytes, 0);
    CHECK_EQ(stats.producer_calls + stats.producer_ns + stats.producer_max_ns, 0);
    CHECK_EQ(stats_of_reader(in).offered, 0);
    CHECK_OK(aimdb_destroy(db));
}
