/* SPDX-License-Identifier: Apache-2.0
 *
 * Close: refuses intake, lets callback consumers drain until the timeout, then
 * abandons the rest; says whether a callback still blocks. From inside a callback
 * it never waits.
 */
#include "test.h"

TEST(close_delivers_everything_within_the_timeout_and_says_ok)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 2000);
    struct sink sink = SINK;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 2000);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    sink_check_range(&sink, 1, 2000);
    CHECK_EQ(sink_frees(&sink), 1); /* each callback consumer ends */
    aimdb_consumer_stats_t stats = stats_of_consumer(consumer); /* handles stay valid */
    CHECK_EQ(stats.delivered, 2000);
    CHECK_EQ(stats.abandoned, 0);
    CHECK_EQ(stats_of_record(ring).produced, 2000);
    end(db);
    sink_end(&sink);
}

TEST(close_with_a_callback_that_does_not_return_says_blocked_and_later_timeout)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 16);
        struct sink sink = SINK;
        sink.hold = true;
        aimdb_consumer_t *consumer = sink_subscribe(&sink, numbered);
        started(db);
        put_range(numbered, 1, 1);
        sink_await_inside(&sink);
        put_range(numbered, 2, 6);
        CHECK_STATUS(aimdb_close(db, AIMDB_MILLISECOND), AIMDB_BLOCKED);
        CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED);
        CHECK_STATUS(put(numbered, 7), AIMDB_CLOSED);
        CHECK_EQ(sink_frees(&sink), 0);
        sink_release(&sink);
        CHECK_STATUS(aimdb_close(db, LONG_TIME), AIMDB_TIMEOUT); /* values were abandoned */
        sink_check_range(&sink, 1, 1); /* no further callback began */
        CHECK_EQ(sink_frees(&sink), 1);
        aimdb_consumer_stats_t stats = stats_of_consumer(consumer);
        aimdb_record_stats_t of_record = stats_of_record(numbered);
        CHECK_EQ(of_record.produced, 6);
        if (buffers[b] == AIMDB_MAILBOX) {
            check_mailbox_account(&of_record);
            CHECK_EQ(of_record.taken, 1);
            CHECK_EQ(of_record.overwritten, 4);
            CHECK_EQ(of_record.abandoned, 1);
        } else {
            check_account(&stats);
            CHECK_EQ(stats.delivered, 1);
            CHECK_EQ(stats.pending, 0);
            CHECK_EQ(stats.abandoned, buffers[b] == AIMDB_RING ? 5 : 1);
        }
        close_and_destroy(db, AIMDB_TIMEOUT);
        sink_end(&sink);
    }
}

TEST(close_blocked_by_the_last_callback_alone_abandons_nothing)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    sink.hold = true;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 1);
    sink_await_inside(&sink);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED);
    sink_release(&sink);
    CHECK_OK(aimdb_close(db, LONG_TIME)); /* everything was delivered */
    CHECK_EQ(stats_of_consumer(consumer).abandoned, 0);
    end(db);
    sink_end(&sink);
}

static void close_inside(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    if (number_of(m) != 1) return;
    CHECK_STATUS(aimdb_close(sink->arg, AIMDB_FOREVER), AIMDB_IN_PROGRESS);
    CHECK_STATUS(aimdb_produce(m->record, m->data, m->size), AIMDB_CLOSED);
    CHECK_STATUS(aimdb_emit(emitter, m->record, m->data, m->size), AIMDB_CLOSED);
}

TEST(close_inside_a_callback_never_waits_and_drains_in_the_background)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    sink.hold = true;
    sink.then = close_inside;
    sink.arg = db;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 10);
    sink_release(&sink);
    sink_await_freed(&sink);
    end(db); /* from outside it waits for the same end */
    sink_check_range(&sink, 1, 10);
    sink_end(&sink);
}

static void emit_after_close(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)sink;
    CHECK_STATUS(aimdb_emit(emitter, m->record, m->data, m->size), AIMDB_CLOSED);
}

static void close_ok(void *arg) { CHECK_OK(aimdb_close(arg, LONG_TIME)); }

TEST(close_refuses_emission_too_and_several_threads_wait_for_the_same_end)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16), *probe = record(db, "probe", 0, 4, 8);
    struct sink sink = SINK;
    sink.hold = true;
    sink.then = emit_after_close;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 2);
    sink_await_inside(&sink);
    struct thread closers[3];
    for (int i = 0; i < 3; i++) thread_start(&closers[i], close_ok, db);
    AWAIT(put(probe, 1) == AIMDB_CLOSED); /* the close has begun */
    CHECK_EQ(sink_frees(&sink), 0);
    sink_release(&sink);
    for (int i = 0; i < 3; i++) thread_join(&closers[i]);
    end(db);
    sink_end(&sink);
}

TEST(close_calls_every_free_function_exactly_once)
{
    enum { CONSUMERS = 20 };
    aimdb_t *db = database();
    aimdb_record_t *records[3] = { record(db, "r", AIMDB_RING, 4, 8),
                                   record(db, "l", AIMDB_LATEST, 0, 8),
                                   record(db, "m", AIMDB_MAILBOX, 0, 8) };
    struct sink sinks[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++) {
        sinks[i] = (struct sink)SINK;
        sink_subscribe(&sinks[i], records[i % 3]);
    }
    started(db);
    for (int i = 0; i < 3; i++) put_range(records[i], 1, 100);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    await_consumers(db, 0);
    for (int i = 0; i < CONSUMERS; i++) sink_end(&sinks[i]);
    aimdb_record_stats_t stats = stats_of_record(records[2]);
    check_mailbox_account(&stats);
    end(db);
}

TEST(close_leaves_an_untaken_mailbox_value_to_pull_readers_and_peek)
{
    for (int with_reader = 0; with_reader < 2; with_reader++) {
        aimdb_t *db = database();
        aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
        aimdb_reader_t *in = with_reader ? reader(mailbox) : NULL;
        started(db);
        put_range(mailbox, 1, 1);
        CHECK_OK(aimdb_close(db, LONG_TIME)); /* only consumers are drained */
        if (with_reader) check_takes(in, 1, 1);
        aimdb_record_stats_t stats = stats_of_record(mailbox);
        check_mailbox_account(&stats);
        CHECK_EQ(stats.taken, with_reader);
        CHECK_EQ(stats.pending, !with_reader);
        CHECK_EQ(stats.abandoned, 0);
        uint64_t number = 0;
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        CHECK_STATUS(aimdb_peek(mailbox, &number, sizeof number, &message),
                     with_reader ? AIMDB_EMPTY : AIMDB_OK);
        CHECK_OK(aimdb_destroy(db));
    }
}

TEST(close_of_one_database_leaves_the_other_running)
{
    aimdb_t *one = started(database()), *other = database();
    aimdb_record_t *ring = numbers(other, AIMDB_RING, 4);
    aimdb_reader_t *in = reader(ring);
    started(other);
    end(one);
    put_range(ring, 1, 3);
    check_takes(in, 1, 3);
    end(other);
}
