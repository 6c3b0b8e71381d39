/* SPDX-License-Identifier: Apache-2.0
 *
 * Destroy ends the handles and never waits; memory and free functions follow
 * when the last callback has returned. Safe while others are inside any call.
 */
#include "test.h"

static int never(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                 void *user)
{
    CHECK(!emitter && !message && !draft && !user);
    return AIMDB_REJECT;
}

TEST(destroy_before_start_ends_consumers_and_calls_each_free_function_once)
{
    aimdb_t *db;
    struct sink of_consumer = SINK, of_producer = SINK, of_config = SINK;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.user = &of_config;
    config.free = sink_free;
    REQUIRE_OK(aimdb_create(&config, &db));
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    producer.fn = never;
    producer.user = &of_producer;
    producer.free = sink_free;
    REQUIRE_OK(aimdb_set_producer(ring, &producer));
    sink_subscribe(&of_consumer, ring);
    CHECK_OK(aimdb_destroy(db));
    sink_end(&of_consumer);
    sink_end(&of_producer);
    sink_end(&of_config);
}

TEST(destroy_after_close_calls_the_free_functions_of_config_and_producer_once)
{
    aimdb_t *db;
    struct sink of_producer = SINK, of_config = SINK;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.user = &of_config;
    config.free = sink_free;
    REQUIRE_OK(aimdb_create(&config, &db));
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_producer_config_t producer = { sizeof producer, never, &of_producer, sink_free };
    REQUIRE_OK(aimdb_set_producer(ring, &producer));
    started(db);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_EQ(sink_frees(&of_producer), 0); /* in use until destroy */
    CHECK_EQ(sink_frees(&of_config), 0);
    CHECK_OK(aimdb_destroy(db));
    sink_end(&of_producer);
    sink_end(&of_config);
}

TEST(destroy_refused_by_create_leaves_the_user_pointer_to_the_caller)
{
    struct sink sink = SINK;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_t *db = NULL;
    config.user = &sink;
    config.free = sink_free;
    CHECK_STATUS(aimdb_create(&config, NULL), AIMDB_ERR_ARGUMENT);
    config.struct_size = 1;
    CHECK_STATUS(aimdb_create(&config, &db), AIMDB_ERR_VERSION);
    CHECK(db == NULL);
    CHECK_EQ(sink_frees(&sink), 0);
}

TEST(destroy_never_waits_for_a_callback_and_frees_after_it)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    struct sink sink = SINK;
    sink.hold = true;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 1);
    sink_await_inside(&sink);
    put_range(ring, 2, 3);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED);
    CHECK_OK(aimdb_destroy(db)); /* would hang here if it waited */
    CHECK_EQ(sink_frees(&sink), 0);
    CHECK_STATUS(put(ring, 4), AIMDB_ERR_HANDLE);
    sink_release(&sink);
    sink_await_freed(&sink);
    sink_check_range(&sink, 1, 1);
    sink_end(&sink);
}

static void close_and_destroy_inside(struct sink *sink, aimdb_emitter_t *emitter,
                                     const aimdb_message_t *m)
{
    CHECK_STATUS(aimdb_close(sink->arg, 0), AIMDB_IN_PROGRESS);
    CHECK_OK(aimdb_destroy(sink->arg));
    aimdb_status_t status = aimdb_emit(emitter, m->record, m->data, m->size);
    CHECK(status == AIMDB_ERR_HANDLE || status == AIMDB_CLOSED);
    CHECK(number_of(m) == 1); /* the message stays readable during the call */
}

TEST(destroy_inside_a_callback_works)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    struct sink sink = SINK;
    sink.then = close_and_destroy_inside;
    sink.arg = db;
    sink_subscribe(&sink, ring);
    started(db);
    put_range(ring, 1, 1);
    sink_await_freed(&sink);
    sink_end(&sink);
}

static void produce_until_refused(void *arg)
{
    aimdb_status_t status;
    uint64_t n = 0;
    while ((status = put(arg, ++n)) == AIMDB_OK) {
    }
    CHECK(status == AIMDB_CLOSED || status == AIMDB_ERR_HANDLE);
    while ((status = put(arg, n)) == AIMDB_CLOSED) nap(); /* until the handle ends */
    CHECK_STATUS(status, AIMDB_ERR_HANDLE);
}

static void receive_until_refused(void *arg)
{
    aimdb_status_t status;
    do {
        status = take(arg, AIMDB_FOREVER).status;
    } while (status == AIMDB_OK || status == AIMDB_LAGGED);
    CHECK(status == AIMDB_CLOSED || status == AIMDB_ERR_HANDLE);
}

static void look_until_refused(void *arg)
{
    aimdb_record_stats_t stats = AIMDB_RECORD_STATS_INIT;
    aimdb_status_t status;
    while ((status = aimdb_record_stats(arg, &stats)) == AIMDB_OK) {
        aimdb_reader_t *in;
        if (aimdb_reader_open(arg, &in) == AIMDB_OK) (void)aimdb_reader_close(in, NULL);
    }
    CHECK_STATUS(status, AIMDB_ERR_HANDLE);
}

TEST(destroy_while_others_produce_receive_and_look_is_safe)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (uint64_t round = 0, last = rounds(60); round < last; round++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[round % 3], 16);
        aimdb_reader_t *in = reader(numbered);
        struct sink sink = SINK;
        sink_subscribe(&sink, numbered);
        started(db);
        struct thread threads[5];
        thread_start(&threads[0], produce_until_refused, numbered);
        thread_start(&threads[1], produce_until_refused, numbered);
        thread_start(&threads[2], receive_until_refused, in);
        thread_start(&threads[3], receive_until_refused, in);
        thread_start(&threads[4], look_until_refused, numbered);
        if (round % 2) sink_await_count(&sink, 10);
        aimdb_status_t status = aimdb_close(db, round % 4 ? 0 : LONG_TIME);
        CHECK(status == AIMDB_OK || status == AIMDB_TIMEOUT || status == AIMDB_BLOCKED);
        CHECK_OK(aimdb_destroy(db));
        for (int i = 0; i < 5; i++) thread_join(&threads[i]);
        sink_end(&sink);
    }
}

struct waiter {
    aimdb_reader_t *reader;
    bool told;
};

static void wait_for_the_end(void *arg)
{
    struct waiter *waiter = arg;
    waiter->told = was_told(take(waiter->reader, AIMDB_FOREVER).status);
}

TEST(destroy_ends_a_receive_that_waits)
{
    struct waiter waiter = { 0 };
    for (int tries = 1; !waiter.told; tries++) {
        REQUIRE(tries <= 100);
        aimdb_t *db = database();
        struct thread thread;
        waiter.reader = reader(numbers(db, AIMDB_RING, 4));
        thread_start(&thread, wait_for_the_end, &waiter);
        thread_await_sleep(&thread);
        CHECK_OK(aimdb_destroy(db)); /* never started: no close before it */
        thread_join(&thread);
    }
}
