/* SPDX-License-Identifier: Apache-2.0
 *
 * aimdb_produce_batch: values one after the other, each as aimdb_produce does; it
 * ends with the first that is not enqueued and says how many were.
 */
#include "test.h"

static aimdb_status_t put_batch(aimdb_record_t *record, uint64_t first, size_t count,
                                size_t *produced)
{
    uint64_t values[32];
    size_t sizes[32];
    REQUIRE(count <= COUNT(values));
    for (size_t i = 0; i < count; i++) {
        values[i] = first + i;
        sizes[i] = sizeof values[i];
    }
    return aimdb_produce_batch(record, values, sizes, count, produced);
}

TEST(produce_batch_enqueues_all_values_in_order)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 32);
        aimdb_reader_t *in = reader(numbered);
        size_t produced = 99;
        started(db);
        CHECK_OK(put_batch(numbered, 1, 20, &produced));
        CHECK_EQ(produced, 20);
        CHECK_OK(put_batch(numbered, 21, 1, NULL)); /* not asked how many */
        check_takes(in, buffers[b] == AIMDB_RING ? 1 : 21, 21);
        aimdb_record_stats_t stats = stats_of_record(numbered);
        CHECK_EQ(stats.produced, 21);
        CHECK_EQ(stats.bytes, 21 * 8);
        CHECK_EQ(stats.overwritten, buffers[b] == AIMDB_MAILBOX ? 20 : 0);
        end(db);
    }
}

TEST(produce_batch_reaches_callbacks_and_waiting_readers)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4000);
    struct sink sink = SINK;
    aimdb_reader_t *in = reader(ring);
    sink_subscribe(&sink, ring);
    started(db);
    for (uint64_t n = 1; n <= 4000; n += 20) {
        CHECK_OK(put_batch(ring, n, 20, NULL));
        sink_await_count(&sink, n + 19);
        for (uint64_t i = n; i < n + 20; i++) CHECK_EQ(take(in, AIMDB_FOREVER).number, i);
    }
    end(db);
    sink_check_range(&sink, 1, 4000);
    sink_end(&sink);
}

TEST(produce_batch_takes_values_of_all_sizes_that_lie_back_to_back)
{
    static const char text[] = "abbcccddddeeeee";
    static const size_t sizes[] = { 0, 1, 2, 3, 0, 4, 5, 0 };
    aimdb_t *db = database();
    aimdb_record_t *texts = record(db, "texts", AIMDB_RING, 16, 5);
    aimdb_reader_t *in = reader(texts);
    size_t produced = 0;
    started(db);
    CHECK_OK(aimdb_produce_batch(texts, text, sizes, COUNT(sizes), &produced));
    CHECK_EQ(produced, COUNT(sizes));
    const char *expected = text;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char buffer[5];
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        CHECK_OK(aimdb_try_recv(in, buffer, sizeof buffer, &message));
        CHECK_EQ(message.size, sizes[i]);
        CHECK_EQ(message.sequence, i + 1);
        CHECK(memcmp(buffer, expected, sizes[i]) == 0);
        expected += sizes[i];
    }
    end(db);
}

TEST(produce_batch_of_empty_values_needs_no_data)
{
    static const size_t sizes[] = { 0, 0, 3 };
    aimdb_t *db = database();
    aimdb_record_t *texts = record(db, "texts", AIMDB_RING, 16, 5);
    size_t produced = 99;
    started(db);
    CHECK_OK(aimdb_produce_batch(texts, NULL, sizes, 2, &produced));
    CHECK_EQ(produced, 2);
    CHECK_STATUS(aimdb_produce_batch(texts, NULL, sizes, 3, &produced), AIMDB_ERR_ARGUMENT);
    CHECK_EQ(produced, 2); /* the third has 3 bytes */
    CHECK_OK(aimdb_produce_batch(texts, NULL, NULL, 0, &produced));
    CHECK_EQ(produced, 0);
    CHECK_EQ(stats_of_record(texts).produced, 4);
    end(db);
}

/* Rejects 3, and answers 7 with a number that is no verdict. */
static int judge(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                 void *user)
{
    (void)emitter, (void)user, (void)draft;
    return number_of(message) == 3 ? AIMDB_REJECT : number_of(message) == 7 ? 9 : AIMDB_ACCEPT;
}

TEST(produce_batch_ends_with_the_first_value_that_is_not_enqueued)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 32);
    aimdb_producer_config_t config = { sizeof config, judge, NULL, NULL };
    REQUIRE_OK(aimdb_set_producer(ring, &config));
    aimdb_reader_t *in = reader(ring);
    size_t produced = 99;
    started(db);
    CHECK_STATUS(put_batch(ring, 1, 6, &produced), AIMDB_REJECTED);
    CHECK_EQ(produced, 2);
    CHECK_OK(put_batch(ring, 4, 3, &produced)); /* it goes on after that */
    CHECK_EQ(produced, 3);
    CHECK_STATUS(put_batch(ring, 7, 3, &produced), AIMDB_REJECTED);
    CHECK_EQ(produced, 0);
    CHECK(aimdb_last_error()[0] != 0);
    static const uint64_t values[] = { 10, 11, 12 };
    static const size_t sizes[] = { 8, 9, 8 };
    CHECK_STATUS(aimdb_produce_batch(ring, values, sizes, 3, &produced), AIMDB_ERR_SIZE);
    CHECK_EQ(produced, 1);
    CHECK(strncmp(aimdb_last_error(), "sizes[1]", 8) == 0); /* the argument */
    static const uint64_t enqueued[] = { 1, 2, 4, 5, 6, 10 };
    for (size_t i = 0; i < COUNT(enqueued); i++) CHECK_EQ(take(in, 0).number, enqueued[i]);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    CHECK_EQ(stats_of_record(ring).produced, 6);
    CHECK_EQ(stats_of_record(ring).rejected, 2);
    end(db);
}

TEST(produce_batch_says_how_many_whatever_the_status_is)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 32);
    size_t produced = 99;
    CHECK_STATUS(put_batch(ring, 1, 2, &produced), AIMDB_ERR_STATE);
    CHECK_EQ(produced, 0);
    started(db);
    produced = 99;
    CHECK_STATUS(aimdb_produce_batch(ring, "", NULL, 1, &produced), AIMDB_ERR_ARGUMENT);
    CHECK_EQ(produced, 0);
    produced = 99;
    CHECK_STATUS(put_batch((aimdb_record_t *)db, 1, 2, &produced), AIMDB_ERR_HANDLE);
    CHECK_EQ(produced, 0);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    produced = 99;
    CHECK_STATUS(put_batch(ring, 1, 2, &produced), AIMDB_CLOSED);
    CHECK_EQ(produced, 0);
    CHECK_OK(aimdb_destroy(db));
    produced = 99;
    CHECK_STATUS(put_batch(ring, 1, 2, &produced), AIMDB_ERR_HANDLE);
    CHECK_EQ(produced, 0);
}

enum { THREADS = 2, BATCHES = 1000, IN_BATCH = 16 };

static void produce_batches(void *arg)
{
    static atomic_uint threads;
    uint64_t own = (uint64_t)(atomic_fetch_add(&threads, 1) % THREADS) << 32;
    for (uint64_t b = 0; b < BATCHES; b++)
        CHECK_OK(put_batch(arg, own + b * IN_BATCH + 1, IN_BATCH, NULL));
}

TEST(produce_batch_of_several_threads_keeps_the_order_of_each)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, THREADS * BATCHES * IN_BATCH);
    struct sink sink = SINK;
    struct thread threads[THREADS];
    sink_subscribe(&sink, ring);
    started(db);
    for (int i = 0; i < THREADS; i++) thread_start(&threads[i], produce_batches, ring);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    end(db);
    CHECK_EQ(sink.count, THREADS * BATCHES * IN_BATCH);
    uint64_t last[THREADS] = { 0 };
    for (size_t i = 0; i < sink.count; i++)
        if (!CHECK_EQ(sink.numbers[i] & 0xFFFFFFFF, ++last[sink.numbers[i] >> 32])) break;
    sink_end(&sink);
}

/* Produces a batch into its own record until it is refused. */
static int recurse(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                   void *user)
{
    int *deepest = user;
    size_t produced = 99;
    (void)emitter, (void)draft;
    if (!CHECK(++*deepest < 100)) return AIMDB_REJECT;
    aimdb_status_t status = put_batch(message->record, number_of(message), 1, &produced);
    CHECK_EQ(produced, status == AIMDB_OK);
    if (status != AIMDB_OK) CHECK_STATUS(status, AIMDB_ERR_DEPTH);
    return AIMDB_ACCEPT;
}

TEST(produce_batch_inside_callbacks_counts_for_the_depth)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 32);
    int deepest = 0;
    aimdb_producer_config_t config = { sizeof config, recurse, &deepest, NULL };
    REQUIRE_OK(aimdb_set_producer(ring, &config));
    started(db);
    CHECK_OK(put_batch(ring, 1, 1, NULL));
    CHECK_EQ(deepest, AIMDB_DEPTH_MAX + 1);
    CHECK_EQ(stats_of_record(ring).produced, AIMDB_DEPTH_MAX + 1);
    end(db);
}
