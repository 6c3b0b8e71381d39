/* SPDX-License-Identifier: Apache-2.0
 *
 * SPMC ring: every value in order to every reader; one that is more than the
 * capacity behind is told exactly how many it lost, once.
 */
#include "test.h"

static const uint64_t capacities[] = { 1, 2, 3, 1000, 1024 };

TEST(ring_is_the_default_buffer_with_capacity_1024)
{
    aimdb_t *db = database();
    aimdb_record_t *made = NULL;
    REQUIRE_OK(aimdb_register(db, "default", NULL, &made));
    aimdb_record_info_t info = { .struct_size = sizeof info };
    CHECK_OK(aimdb_record_info(made, &info));
    CHECK_EQ(info.buffer, AIMDB_RING);
    CHECK_EQ(info.capacity, 1024);
    aimdb_reader_t *in = reader(made);
    started(db);
    put_range(made, 1, 1024);
    check_takes(in, 1, 1024);
    end(db);
}

TEST(ring_gives_every_value_in_order_to_every_reader_at_its_own_pace)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 64);
    aimdb_reader_t *fast = reader(ring), *slow = reader(ring);
    struct sink sink = SINK;
    sink_subscribe(&sink, ring);
    started(db);
    for (uint64_t n = 1; n <= 64; n++) {
        REQUIRE_OK(put(ring, n));
        struct taken taken = take(fast, 0);
        CHECK_STATUS(taken.status, AIMDB_OK);
        CHECK_EQ(taken.number, n);
        CHECK_EQ(taken.sequence, n);
    }
    check_takes(slow, 1, 64);
    end(db);
    sink_check_range(&sink, 1, 64);
    sink_end(&sink);
}

/* One reader, `behind` values: lagged(behind - capacity) once, then the oldest held. */
static void check_reader_lag(aimdb_reader_t *in, uint64_t first, uint64_t behind, uint64_t capacity)
{
    uint64_t lost = behind > capacity ? behind - capacity : 0;
    if (lost) {
        struct taken taken = take(in, 0);
        CHECK_STATUS(taken.status, AIMDB_LAGGED);
        CHECK_EQ(taken.lagged, lost);
    }
    check_takes(in, first + lost, first + behind - 1);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
}

TEST(ring_reader_more_than_capacity_behind_gets_exact_lag_once_then_the_oldest_held)
{
    for (size_t c = 0; c < COUNT(capacities); c++) {
        uint64_t capacity = capacities[c], next = 1, lost = 0, events = 0;
        const uint64_t behind[] = { 1, capacity, capacity + 1, capacity + 2, 2 * capacity,
                                    2 * capacity + 1, 3 * capacity + 7, capacity };
        aimdb_t *db = database();
        aimdb_record_t *ring = numbers(db, AIMDB_RING, (size_t)capacity);
        aimdb_reader_t *in = reader(ring);
        started(db);
        for (size_t b = 0; b < COUNT(behind); b++) {
            put_range(ring, next, next + behind[b] - 1);
            check_reader_lag(in, next, behind[b], capacity);
            next += behind[b];
            lost += behind[b] > capacity ? behind[b] - capacity : 0;
            events += behind[b] > capacity;
        }
        aimdb_consumer_stats_t stats = stats_of_reader(in);
        CHECK_EQ(stats.lagged, lost);
        CHECK_EQ(stats.lagged_events, events);
        CHECK_EQ(stats.delivered, next - 1 - lost);
        end(db);
    }
}

/* The callback is held at number 1, so `behind` values pile up. */
static void check_callback_lag(uint64_t capacity, uint64_t behind)
{
    uint64_t lost = behind > capacity ? behind - capacity : 0;
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, (size_t)capacity);
    struct sink sink = SINK;
    sink.hold = true;
    sink_subscribe(&sink, ring);
    started(db);
    REQUIRE_OK(put(ring, 1));
    sink_await_inside(&sink);
    put_range(ring, 2, 1 + behind);
    sink_release(&sink);
    end(db);
    CHECK_EQ(sink.lagged, lost);
    CHECK_EQ(sink.lags, lost != 0);
    if (CHECK_EQ(sink.count, 1 + behind - lost))
        for (size_t i = 1; i < sink.count; i++)
            if (!CHECK_EQ(sink.numbers[i], 1 + lost + i)) break;
    sink_end(&sink);
}

TEST(ring_callback_more_than_capacity_behind_gets_exact_lag_once_then_the_oldest_held)
{
    for (size_t c = 0; c < COUNT(capacities); c++) {
        check_callback_lag(capacities[c], capacities[c]);
        check_callback_lag(capacities[c], capacities[c] + 1);
        check_callback_lag(capacities[c], 2 * capacities[c] + 5);
    }
}

TEST(ring_lag_is_counted_from_the_moment_it_is_certain)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 3);
    aimdb_reader_t *in = reader(ring);
    started(db);
    for (uint64_t n = 1; n <= 10; n++) {
        REQUIRE_OK(put(ring, n));
        aimdb_consumer_stats_t stats = stats_of_reader(in);
        CHECK_EQ(stats.offered, n);
        CHECK_EQ(stats.lagged, n > 3 ? n - 3 : 0);
        CHECK_EQ(stats.pending, n > 3 ? 3 : n);
        CHECK_EQ(stats.delivered, 0);
    }
    end(db);
}

TEST(ring_new_reader_sees_only_later_values)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 8);
    started(db);
    put_range(ring, 1, 5);
    aimdb_reader_t *in = reader(ring);
    struct sink sink = SINK;
    sink_subscribe(&sink, ring);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    put_range(ring, 6, 7);
    check_takes(in, 6, 7);
    CHECK_EQ(stats_of_reader(in).offered, 2);
    end(db);
    sink_check_range(&sink, 6, 7);
    sink_end(&sink);
}

struct stream {
    aimdb_record_t *record;
    uint64_t last;
};

static void produce_stream(void *arg)
{
    struct stream *stream = arg;
    put_range(stream->record, 1, stream->last);
}

/* The reader never waits for the writer and skips nothing that it is not told. */
static void check_gaps(aimdb_reader_t *in, uint64_t last)
{
    uint64_t expected = 1, delivered = 0, lost = 0;
    while (expected <= last) {
        struct taken taken = take(in, AIMDB_FOREVER);
        if (taken.status == AIMDB_LAGGED) {
            expected += taken.lagged;
            lost += taken.lagged;
        } else if (!CHECK_STATUS(taken.status, AIMDB_OK) || !CHECK_EQ(taken.number, expected) ||
                   !CHECK_EQ(taken.sequence, expected)) {
            return;
        } else {
            expected++;
            delivered++;
        }
    }
    aimdb_consumer_stats_t stats = stats_of_reader(in);
    CHECK_EQ(stats.delivered, delivered);
    CHECK_EQ(stats.lagged, lost);
}

TEST(ring_gap_between_numbers_is_exactly_the_lag_while_a_producer_runs)
{
    for (size_t c = 0; c < COUNT(capacities); c++) {
        aimdb_t *db = database();
        struct stream stream = { numbers(db, AIMDB_RING, (size_t)capacities[c]), 100000 };
        aimdb_reader_t *in = reader(stream.record);
        started(db);
        struct thread producer;
        thread_start(&producer, produce_stream, &stream);
        check_gaps(in, stream.last);
        thread_join(&producer);
        end(db);
    }
}
