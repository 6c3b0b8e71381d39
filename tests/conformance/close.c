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
    uint64_t more[2] = { 11, 12 };
    if (number_of(m) != 1) return;
    CHECK_STATUS(aimdb_close(sink->arg, AIMDB_FOREVER), AIMDB_IN_PROGRESS);
    CHECK_OK(aimdb_produce(m->record, &more[0], m->size)); /* both are emissions */
    CHECK_OK(aimdb_emit(emitter, m->record, &more[1], m->size));
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
    sink_check_range(&sink, 1, 12);
    sink_end(&sink);
}

/* Until a close that another thread calls has ended intake. */
static void await_closing(aimdb_t *db)
{
    aimdb_record_t *probe = NULL;
    REQUIRE_OK(aimdb_open(db, "probe", NULL, AIMDB_ANY_SIZE, &probe));
    AWAIT(put(probe, 1) == AIMDB_CLOSED);
}

static aimdb_t *database_with_probe(void)
{
    aimdb_t *db = database();
    record(db, "probe", AIMDB_RING, 4, 8);
    return db;
}

static void close_ok(void *arg) { CHECK_OK(aimdb_close(arg, LONG_TIME)); }

TEST(close_refuses_values_from_outside_and_several_threads_wait_for_the_same_end)
{
    aimdb_t *db = database_with_probe();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    sink.hold = true;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 2);
    sink_await_inside(&sink);
    struct thread closers[3];
    for (int i = 0; i < 3; i++) thread_start(&closers[i], close_ok, db);
    await_closing(db);
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

/* Pipelines: what callbacks emit while a database drains ------------------------- */

static void emit_to_next(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    if (sink->arg) CHECK_OK(aimdb_emit(emitter, sink->arg, m->data, m->size));
}

TEST(close_drains_what_callbacks_emit_through_a_pipeline_of_any_length)
{
    enum { STAGES = 5, VALUES = 200 };
    aimdb_t *db = database_with_probe();
    aimdb_record_t *stages[STAGES];
    struct sink sinks[STAGES];
    for (int i = 0; i < STAGES; i++) {
        char key[16];
        snprintf(key, sizeof key, "stage.%d", STAGES - i); /* last first in any order of keys */
        stages[i] = record(db, key, AIMDB_RING, VALUES, 8);
    }
    for (int i = 0; i < STAGES; i++) {
        sinks[i] = (struct sink)SINK;
        sinks[i].hold = i == 0;
        sinks[i].then = emit_to_next;
        sinks[i].arg = i + 1 < STAGES ? stages[i + 1] : NULL;
        sink_subscribe(&sinks[i], stages[i]);
    }
    started(db);
    put_range(stages[0], 1, VALUES);
    struct thread closer;
    thread_start(&closer, close_ok, db);
    await_closing(db);
    sink_release(&sinks[0]);
    thread_join(&closer);
    end(db);
    for (int i = 0; i < STAGES; i++) {
        sink_check_range(&sinks[i], 1, VALUES);
        sink_end(&sinks[i]);
    }
}

static int pass_on(aimdb_emitter_t *emitter, const aimdb_message_t *m, aimdb_draft_t *draft,
                   void *next)
{
    (void)draft;
    CHECK_OK(aimdb_emit(emitter, next, m->data, m->size));
    return AIMDB_ACCEPT;
}

TEST(close_takes_what_producer_functions_emit_while_it_drains)
{
    aimdb_t *db = database_with_probe();
    aimdb_record_t *first = record(db, "first", AIMDB_RING, 64, 8),
                   *middle = record(db, "middle", AIMDB_RING, 64, 8),
                   *last = record(db, "last", AIMDB_MAILBOX, 0, 8);
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    producer.fn = pass_on, producer.user = last;
    CHECK_OK(aimdb_set_producer(middle, &producer));
    struct sink sink = SINK, taker = SINK;
    sink.hold = true, sink.then = emit_to_next, sink.arg = middle;
    sink_subscribe(&sink, first), sink_subscribe(&taker, last);
    started(db);
    put_range(first, 1, 20);
    struct thread closer;
    thread_start(&closer, close_ok, db);
    await_closing(db);
    sink_release(&sink);
    thread_join(&closer);
    aimdb_record_stats_t stats = stats_of_record(last);
    check_mailbox_account(&stats);
    CHECK_EQ(stats.produced, 20);
    CHECK_EQ(stats.taken, sink_count(&taker));
    CHECK_EQ(stats.pending + stats.abandoned, 0);
    CHECK_EQ(stats_of_record(middle).produced, 20);
    end(db);
    sink_end(&sink), sink_end(&taker);
}

static atomic_int emissions_refused;

static void emit_again(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)sink;
    aimdb_status_t status = aimdb_emit(emitter, m->record, m->data, m->size);
    CHECK(status == AIMDB_OK || status == AIMDB_CLOSED);
    emissions_refused += status == AIMDB_CLOSED;
}

TEST(close_cuts_off_a_cycle_that_never_drains_when_its_time_has_passed)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    sink.then = emit_again;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    started(db);
    atomic_store(&emissions_refused, 0);
    put_range(ring, 1, 4);
    sink_await_count(&sink, 100);
    aimdb_status_t status = aimdb_close(db, 20 * AIMDB_MILLISECOND);
    CHECK(status == AIMDB_TIMEOUT || status == AIMDB_BLOCKED);
    CHECK_STATUS(aimdb_close(db, LONG_TIME), AIMDB_TIMEOUT);
    aimdb_consumer_stats_t stats = stats_of_consumer(consumer);
    check_account(&stats);
    CHECK_EQ(stats.delivered, sink_count(&sink));
    CHECK_EQ(stats.abandoned + (uint64_t)emissions_refused, 4); /* each of them one or the other */
    close_and_destroy(db, AIMDB_TIMEOUT);
    sink_end(&sink);
}

static void emit_refused(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    CHECK_STATUS(aimdb_emit(emitter, sink->arg, m->data, m->size), AIMDB_CLOSED);
}

TEST(close_says_timeout_if_what_a_callback_emits_after_its_time_is_refused)
{
    aimdb_t *db = database();
    aimdb_record_t *first = record(db, "first", AIMDB_RING, 4, 8),
                   *next = record(db, "next", AIMDB_RING, 4, 8);
    struct sink sink = SINK;
    sink.hold = true, sink.then = emit_refused, sink.arg = next;
    sink_subscribe(&sink, first);
    started(db);
    put_range(first, 1, 1);
    sink_await_inside(&sink);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED);
    sink_release(&sink);
    CHECK_STATUS(aimdb_close(db, LONG_TIME), AIMDB_TIMEOUT);
    CHECK_EQ(stats_of_record(next).produced, 0);
    close_and_destroy(db, AIMDB_TIMEOUT);
    sink_end(&sink);
}

static void emit_to_closing(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)emitter;
    CHECK_STATUS(aimdb_produce(sink->arg, m->data, m->size), AIMDB_CLOSED);
}

TEST(close_refuses_what_callbacks_of_another_database_produce)
{
    aimdb_t *one = database_with_probe(), *other = database();
    aimdb_record_t *ring = numbers(one, AIMDB_RING, 4), *source = numbers(other, AIMDB_RING, 4);
    struct sink holder = SINK, sink = SINK;
    holder.hold = true;
    sink.then = emit_to_closing, sink.arg = ring;
    sink_subscribe(&holder, ring), sink_subscribe(&sink, source);
    started(one), started(other);
    put_range(ring, 1, 1);
    sink_await_inside(&holder);
    struct thread closer;
    thread_start(&closer, close_ok, one);
    await_closing(one);
    put_range(source, 1, 1);
    sink_await_done(&sink, 1);
    sink_release(&holder);
    thread_join(&closer);
    end(one), end(other);
    sink_check_range(&holder, 1, 1);
    sink_end(&holder), sink_end(&sink);
}

/* Time --------------------------------------------------------------------------- */

TEST(close_with_less_time_beside_one_with_more_does_not_cut_it_short)
{
    aimdb_t *db = database_with_probe();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 64);
    struct sink sink = SINK;
    sink.hold = true;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 50);
    sink_await_inside(&sink);
    struct thread closer;
    thread_start(&closer, close_ok, db);
    await_closing(db);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_IN_PROGRESS);
    CHECK_STATUS(aimdb_close(db, AIMDB_MILLISECOND), AIMDB_IN_PROGRESS);
    sink_release(&sink);
    thread_join(&closer);
    sink_check_range(&sink, 1, 50);
    end(db);
    sink_end(&sink);
}

static atomic_bool free_may_return;

static void free_that_waits(void *user)
{
    AWAIT(atomic_load(&free_may_return));
    sink_free(user);
}

TEST(close_keeps_its_time_while_a_free_function_does_not_return)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    struct sink sink = SINK;
    aimdb_consumer_config_t config = sink_config(&sink);
    config.free = free_that_waits;
    atomic_store(&free_may_return, false);
    REQUIRE_OK(aimdb_subscribe(ring, &config, NULL));
    started(db);
    CHECK_STATUS(aimdb_close(db, AIMDB_MILLISECOND), AIMDB_BLOCKED); /* returns */
    atomic_store(&free_may_return, true);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    end(db);
    sink_end(&sink);
}

TEST(close_keeps_its_time_while_shared_consumers_block_all_threads)
{
    enum { BLOCKERS = 12 };
    aimdb_t *db = database();
    aimdb_record_t *ring = record(db, "ring", AIMDB_RING, 4, 8), *idle = record(db, "idle", AIMDB_RING, 4, 8);
    struct sink blockers[BLOCKERS], sink = SINK;
    for (int i = 0; i < BLOCKERS; i++) {
        blockers[i] = (struct sink)SINK;
        blockers[i].hold = true;
        aimdb_consumer_config_t config = sink_config(&blockers[i]);
        config.dispatch = AIMDB_SHARED;
        REQUIRE_OK(aimdb_subscribe(ring, &config, NULL));
    }
    aimdb_consumer_config_t config = sink_config(&sink);
    config.dispatch = AIMDB_SHARED;
    REQUIRE_OK(aimdb_subscribe(idle, &config, NULL));
    started(db);
    put_range(ring, 1, 1);
    sink_await_inside(&blockers[0]);
    CHECK_STATUS(aimdb_close(db, AIMDB_MILLISECOND), AIMDB_BLOCKED);
    for (int i = 0; i < BLOCKERS; i++) sink_release(&blockers[i]);
    aimdb_status_t status = aimdb_close(db, LONG_TIME);
    CHECK(status == AIMDB_OK || status == AIMDB_TIMEOUT);
    close_and_destroy(db, status);
    for (int i = 0; i < BLOCKERS; i++) sink_end(&blockers[i]);
    sink_end(&sink);
}

TEST(close_gives_the_same_answer_when_a_mailbox_reader_leaves_later)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    started(db);
    put_range(mailbox, 1, 1);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_OK(aimdb_reader_close(in, NULL));
    CHECK_OK(aimdb_close(db, LONG_TIME));
    aimdb_record_stats_t stats = stats_of_record(mailbox);
    check_mailbox_account(&stats);
    CHECK_EQ(stats.pending, 1); /* whoever leaves, it stays */
    CHECK_OK(aimdb_destroy(db));
}

/* Pull readers ------------------------------------------------------------------- */

static void close_draining_readers(void *arg)
{
    CHECK_OK(aimdb_close_with(arg, LONG_TIME, AIMDB_CLOSE_DRAIN_READERS));
}

TEST(close_with_drain_readers_waits_until_they_have_taken_everything)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database_with_probe();
        aimdb_record_t *numbered = numbers(db, buffers[b], 8);
        aimdb_reader_t *in = reader(numbered), *leaver = reader(numbered);
        struct thread closer;
        started(db);
        put_range(numbered, 1, 3);
        thread_start(&closer, close_draining_readers, db);
        await_closing(db);
        thread_await_sleep(&closer); /* it waits */
        uint64_t first = buffers[b] == AIMDB_RING ? 1 : 3;
        for (uint64_t n = first; n <= 3; n++) CHECK_EQ(take(in, 0).number, n);
        CHECK_OK(aimdb_reader_close(leaver, NULL)); /* one that leaves is not waited for */
        thread_join(&closer);
        CHECK_STATUS(take(in, 0).status, AIMDB_CLOSED);
        CHECK_OK(aimdb_destroy(db));
    }
}

TEST(close_with_drain_readers_says_timeout_and_leaves_them_their_values)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 8);
    aimdb_reader_t *in = reader(ring);
    started(db);
    put_range(ring, 1, 3);
    CHECK_STATUS(aimdb_close_with(db, AIMDB_MILLISECOND, AIMDB_CLOSE_DRAIN_READERS), AIMDB_TIMEOUT);
    CHECK_OK(aimdb_close(db, 0)); /* who does not ask for them is not told */
    check_takes(in, 1, 3);
    CHECK_OK(aimdb_close_with(db, 0, AIMDB_CLOSE_DRAIN_READERS));
    CHECK_STATUS(aimdb_close_with(db, 0, 2), AIMDB_ERR_ARGUMENT);
    CHECK_STATUS(aimdb_close_with(db, -1, 0), AIMDB_ERR_ARGUMENT);
    CHECK_OK(aimdb_destroy(db));
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
