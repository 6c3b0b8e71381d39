/* SPDX-License-Identifier: Apache-2.0
 *
 * Callback consumers: a thread of its own each, one call at a time, in order; a
 * failure is counted and delivery goes on; inside a callback every call works.
 */
#include "test.h"

#include <signal.h>

TEST(consumer_subscribed_before_start_sees_everything_from_the_first_produce)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 1000);
    struct sink sink = SINK;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 1000);
    end(db);
    sink_check_range(&sink, 1, 1000);
    sink_end(&sink);
}

TEST(consumer_failure_is_counted_and_delivery_goes_on)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 64);
    struct sink sink = SINK;
    sink.answer = -7;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 50);
    sink_await_count(&sink, 50);
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    CHECK_OK(aimdb_unsubscribe(consumer, &last));
    CHECK_EQ(last.failures, 50);
    CHECK_EQ(last.delivered, 50);
    end(db);
    sink_check_range(&sink, 1, 50);
    sink_end(&sink);
}

TEST(consumer_held_in_its_callback_disturbs_no_other_consumer)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    struct sink held = SINK, free_running = SINK;
    held.hold = true;
    sink_subscribe(&held, ring);
    sink_subscribe(&free_running, ring);
    started(db);
    for (uint64_t n = 1; n <= 500; n++) {
        REQUIRE_OK(put(ring, n));
        sink_await_count(&free_running, n);
    }
    sink_release(&held);
    end(db);
    sink_check_range(&free_running, 1, 500);
    CHECK_EQ(free_running.lags, 0);
    CHECK_EQ(held.lagged + held.count, 500);
    sink_end(&held);
    sink_end(&free_running);
}

static bool dedicated(void) { return column_dispatch() == AIMDB_DEDICATED; }

static void note_thread(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message)
{
    (void)emitter, (void)message;
    pthread_t *first = sink->arg, self = pthread_self();
    if (number_of(message) == 1) *first = self;
    if (dedicated()) CHECK(pthread_equal(*first, self));
    sigset_t blocked;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0);
    static const int off[] = { SIGINT, SIGTERM, SIGALRM, SIGHUP, SIGUSR1, SIGCHLD, SIGWINCH };
    static const int on[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < COUNT(off); i++) CHECK(sigismember(&blocked, off[i]));
    for (size_t i = 0; i < COUNT(on); i++) CHECK(!sigismember(&blocked, on[i]));
}

TEST(consumer_runs_on_a_thread_of_its_own_with_signals_blocked)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    pthread_t threads[2];
    struct sink sinks[2] = { SINK, SINK };
    for (int i = 0; i < 2; i++) {
        sinks[i].then = note_thread;
        sinks[i].arg = &threads[i];
        sink_subscribe(&sinks[i], ring);
    }
    started(db);
    put_range(ring, 1, 10);
    end(db);
    if (dedicated()) CHECK(!pthread_equal(threads[0], threads[1]));
    CHECK(!pthread_equal(threads[0], pthread_self()));
    for (int i = 0; i < 2; i++) sink_end(&sinks[i]);
}

struct context {
    aimdb_t *db;
    aimdb_consumer_t *self;
    struct sink *inner;
};

/* No lock of the library is held while a callback runs: a call that needs one
 * would hang here. */
static void call_everything(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct context *context = sink->arg;
    aimdb_record_t *record = m->record, *opened = NULL;
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    aimdb_record_info_t info = { .struct_size = sizeof info };
    aimdb_reader_t *in = NULL;
    int fd = -1;
    uint64_t number = number_of(m) + 1;
    if (number > 3) return;
    CHECK_OK(aimdb_open(context->db, "numbers", NULL, AIMDB_ANY_SIZE, &opened));
    CHECK(opened == record);
    CHECK_OK(aimdb_record_info(record, &info));
    CHECK_OK(aimdb_reader_open(record, &in));
    CHECK_OK(aimdb_reader_fd(in, &fd));
    CHECK_OK(aimdb_emit(emitter, record, &number, sizeof number));
    CHECK_EQ(take(in, AIMDB_FOREVER).number, number);
    CHECK_OK(aimdb_reader_close(in, NULL));
    CHECK_OK(aimdb_database_stats(context->db, &stats));
    stats_of_record(record);
    stats_of_consumer(context->self);
    if (number == 2) sink_subscribe(context->inner, record);
    CHECK_STATUS(aimdb_start(context->db), AIMDB_ERR_STATE);
    CHECK_STATUS(aimdb_destroy(context->db), AIMDB_ERR_STATE);
}

TEST(consumer_can_call_everything_from_its_callback)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK, inner = SINK;
    struct context context = { db, NULL, &inner };
    sink.then = call_everything;
    sink.arg = &context;
    context.self = sink_subscribe(&sink, ring);
    started(db);
    REQUIRE_OK(put(ring, 1));
    sink_await_done(&sink, 3);
    sink_await_count(&inner, 1);
    end(db);
    sink_check_range(&sink, 1, 3);
    sink_check_range(&inner, 3, 3);
    sink_end(&sink);
    sink_end(&inner);
}

TEST(consumer_dispatcher_thread_ends_with_its_subscription)
{
    if (!dedicated()) NO_MEANING("shared consumers have no dispatcher thread of their own");
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    started(db);
    size_t before = threads_of_process();
    for (int round = 0; round < 50; round++) {
        struct sink sink = SINK;
        aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
        CHECK_OK(aimdb_unsubscribe(consumer, NULL));
        sink_end(&sink);
    }
    await_consumers(db, 0);
    AWAIT(threads_of_process() <= before + 8); /* the runtime's own threads may come */
    end(db);
}

TEST(consumer_refused_leaves_the_user_pointer_to_the_caller)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct sink sink = SINK;
    aimdb_consumer_config_t config = sink_config(&sink);
    config.fn = NULL;
    CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_ERR_ARGUMENT);
    config = sink_config(&sink);
    config.stack_size = 1024;
    CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_ERR_ARGUMENT);
    static const int dispatches[] = { -1, 2, INT32_MAX };
    for (size_t i = 0; i < COUNT(dispatches); i++) {
        config = sink_config(&sink);
        config.dispatch = (aimdb_dispatch_t)dispatches[i];
        CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_ERR_ARGUMENT);
    }
    config = sink_config(&sink);
    CHECK_STATUS(aimdb_subscribe(NULL, &config, NULL), AIMDB_ERR_HANDLE);
    config.struct_size = 3;
    CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_ERR_VERSION);
    config = sink_config(&sink);
    started(db);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_CLOSED);
    CHECK_OK(aimdb_destroy(db));
    CHECK_STATUS(aimdb_subscribe(ring, &config, NULL), AIMDB_ERR_HANDLE);
    CHECK_EQ(sink_frees(&sink), 0);
}
