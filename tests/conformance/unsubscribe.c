/* SPDX-License-Identifier: Apache-2.0
 *
 * Unsubscribe: from outside it returns when no callback runs or will run; from
 * inside any callback it never waits, and the free function announces the end.
 * The free function is called exactly once.
 */
#include "test.h"

struct ending {
    aimdb_consumer_t *consumer;
    struct sink *sink;
    struct thread thread;
};

static void unsubscribe_and_look(void *arg)
{
    struct ending *ending = arg;
    CHECK_OK(aimdb_unsubscribe(ending->consumer, NULL));
    CHECK_EQ(ending->sink->inside, 0); /* no callback runs */
    CHECK_EQ(sink_frees(ending->sink), 1);
    CHECK_STATUS(aimdb_unsubscribe(ending->consumer, NULL), AIMDB_ERR_HANDLE);
}

TEST(unsubscribe_from_outside_returns_after_the_last_callback_and_the_free_function)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 16);
        struct sink sink = SINK;
        sink.hold = true;
        struct ending ending = { .sink = &sink };
        ending.consumer = sink_subscribe(&sink, numbered);
        started(db);
        put_range(numbered, 1, 1);
        sink_await_inside(&sink);
        put_range(numbered, 2, 5);
        thread_start(&ending.thread, unsubscribe_and_look, &ending);
        AWAIT(stats_of_record(numbered).readers == 0); /* it has begun, */
        thread_await_sleep(&ending.thread);            /* and waits */
        CHECK_EQ(sink_frees(&sink), 0);
        sink_release(&sink);
        thread_join(&ending.thread);
        put_range(numbered, 6, 9); /* reaches it no more; sink_fn would see the call */
        sink_check_range(&sink, 1, 1);
        end(db);
        sink_check_range(&sink, 1, 1);
        sink_end(&sink);
    }
}

TEST(unsubscribe_gives_the_last_account_and_abandons_what_was_pending)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 8);
    struct sink sink = SINK;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    started(db);
    for (uint64_t n = 1; n <= 1000; n++) REQUIRE_OK(put(ring, n));
    CHECK_OK(aimdb_unsubscribe(consumer, &last));
    CHECK_EQ(last.offered, 1000);
    CHECK_EQ(last.delivered, sink.count);
    CHECK_EQ(last.pending, 0);
    CHECK(last.abandoned <= 8 + 8 / 8); /* with what the dispatcher has in hand */
    CHECK(last.lagged >= sink.lagged); /* the last loss may be counted but not told any more */
    check_account(&last);
    end(db);
    sink_end(&sink);
}

TEST(unsubscribe_before_start_calls_the_free_function)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    struct sink sink = SINK;
    CHECK_OK(aimdb_unsubscribe(sink_subscribe(&sink, ring), NULL));
    CHECK_EQ(sink_frees(&sink), 1);
    await_consumers(db, 0);
    started(db);
    end(db);
    sink_end(&sink);
}

/* Ends the subscription in sink->arg from inside a callback. */
static void unsubscribe_inside(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)emitter;
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT, again = AIMDB_CONSUMER_STATS_INIT;
    aimdb_consumer_t *consumer = *(aimdb_consumer_t **)sink->arg;
    CHECK_STATUS(aimdb_unsubscribe(consumer, &last), AIMDB_IN_PROGRESS);
    aimdb_record_info_t info = { .struct_size = sizeof info };
    CHECK_OK(aimdb_record_info(m->record, &info));
    if (info.buffer != AIMDB_MAILBOX) check_account(&last); /* a mailbox has one of its own */
    CHECK_EQ(last.pending, 0);
    (void)aimdb_consumer_stats(consumer, &again); /* valid until the end, then refused */
}

TEST(unsubscribe_inside_its_own_callback_never_waits_and_ends_after_it)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 16);
        struct sink sink = SINK;
        aimdb_consumer_t *self;
        sink.hold = true;
        sink.then = unsubscribe_inside;
        sink.arg = &self;
        self = sink_subscribe(&sink, numbered);
        started(db);
        put_range(numbered, 1, 1);
        sink_await_inside(&sink);
        put_range(numbered, 2, 5);
        sink_release(&sink);
        sink_await_freed(&sink);
        await_consumers(db, 0);
        put_range(numbered, 6, 9);
        sink_check_range(&sink, 1, 1);
        aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
        CHECK_STATUS(aimdb_consumer_stats(self, &stats), AIMDB_ERR_HANDLE);
        end(db);
        sink_end(&sink);
    }
}

static void see_own_stats(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    unsubscribe_inside(sink, emitter, m);
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    CHECK_OK(aimdb_consumer_stats(*(aimdb_consumer_t **)sink->arg, &stats));
    check_account(&stats);
    CHECK_EQ(stats.delivered, 1);
    CHECK_EQ(stats.offered, 1);
    CHECK_EQ(sink_frees(sink), 0);
}

TEST(unsubscribe_inside_leaves_the_handle_valid_until_the_free_function)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    aimdb_consumer_t *self;
    sink.then = see_own_stats;
    sink.arg = &self;
    self = sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 1);
    sink_await_freed(&sink);
    end(db);
    sink_end(&sink);
}

TEST(unsubscribe_inside_the_callback_of_another_never_waits_for_it)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink victim = SINK, other = SINK;
    aimdb_consumer_t *consumer;
    victim.hold = true;
    consumer = sink_subscribe(&victim, ring);
    started(db);
    put_range(ring, 1, 1);
    sink_await_inside(&victim);
    other.then = unsubscribe_inside;
    other.arg = &consumer;
    sink_subscribe(&other, ring);
    put_range(ring, 2, 2);
    sink_await_done(&other, 1); /* although the victim's callback still runs */
    CHECK_EQ(sink_frees(&victim), 0);
    other.then = NULL;
    put_range(ring, 3, 3);
    sink_release(&victim);
    sink_await_freed(&victim);
    end(db);
    sink_check_range(&victim, 1, 1);
    sink_check_range(&other, 2, 3);
    sink_end(&victim);
    sink_end(&other);
}

static int unsubscribe_in_producer(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                                   aimdb_draft_t *draft, void *user)
{
    (void)emitter, (void)message, (void)draft;
    CHECK_STATUS(aimdb_unsubscribe(*(aimdb_consumer_t **)user, NULL), AIMDB_IN_PROGRESS);
    return AIMDB_ACCEPT;
}

TEST(unsubscribe_inside_a_producer_function_never_waits)
{
    aimdb_t *db = database();
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 4, 8), *b = record(db, "b", 0, 4, 8);
    struct sink held = SINK;
    aimdb_consumer_t *consumer;
    held.hold = true;
    consumer = sink_subscribe(&held, a);
    aimdb_producer_config_t config = { sizeof config, unsubscribe_in_producer, &consumer, NULL };
    REQUIRE_OK(aimdb_set_producer(b, &config));
    started(db);
    put_range(a, 1, 1);
    sink_await_inside(&held);
    put_range(b, 1, 1);
    CHECK_EQ(sink_frees(&held), 0);
    sink_release(&held);
    sink_await_freed(&held);
    end(db);
    sink_end(&held);
}

struct rendezvous {
    pthread_barrier_t *barrier;
    aimdb_consumer_t **other;
};

static void unsubscribe_other(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct rendezvous *rendezvous = sink->arg;
    (void)emitter, (void)m;
    pthread_barrier_wait(rendezvous->barrier); /* both callbacks run now */
    CHECK_STATUS(aimdb_unsubscribe(*rendezvous->other, NULL), AIMDB_IN_PROGRESS);
    pthread_barrier_wait(rendezvous->barrier); /* neither returns before both have asked */
}

TEST(unsubscribe_each_other_does_not_deadlock)
{
    for (int round = 0; round < 20; round++) {
        aimdb_t *db = database();
        aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
        struct sink sinks[2] = { SINK, SINK };
        aimdb_consumer_t *consumers[2];
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, 2);
        struct rendezvous meet[2] = { { &barrier, &consumers[1] }, { &barrier, &consumers[0] } };
        for (int i = 0; i < 2; i++) {
            sinks[i].then = unsubscribe_other;
            sinks[i].arg = &meet[i];
            consumers[i] = sink_subscribe(&sinks[i], ring);
        }
        started(db);
        put_range(ring, 1, 5);
        for (int i = 0; i < 2; i++) sink_await_freed(&sinks[i]);
        end(db);
        pthread_barrier_destroy(&barrier);
        for (int i = 0; i < 2; i++) {
            sink_check_range(&sinks[i], 1, 1);
            sink_end(&sinks[i]);
        }
    }
}

static void produce_until_closed(void *arg)
{
    uint64_t n = 0;
    while (put(arg, ++n) == AIMDB_OK) {
    }
}

TEST(unsubscribe_while_others_produce_calls_the_free_function_exactly_once)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    started(db);
    struct thread producer;
    thread_start(&producer, produce_until_closed, ring);
    for (uint64_t round = 0, all = rounds(200); round < all; round++) {
        struct sink sink = SINK;
        aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
        if (round % 2) sink_await_count(&sink, 3);
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        CHECK_OK(aimdb_unsubscribe(consumer, &last));
        CHECK_EQ(last.delivered, sink.count);
        check_account(&last);
        for (size_t i = 1; i < sink.count; i++)
            CHECK(sink.numbers[i] > sink.numbers[i - 1]);
        sink_end(&sink);
    }
    CHECK_OK(aimdb_close(db, LONG_TIME));
    thread_join(&producer);
    end(db);
}
