/* SPDX-License-Identifier: Apache-2.0
 *
 * Single latest: each newest value at most once, never an older after a newer;
 * a fresh reader sees the current value once; what is skipped is counted.
 */
#include "test.h"

TEST(latest_gives_the_newest_value_at_most_once_and_counts_the_skipped)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    aimdb_reader_t *in = reader(config);
    started(db);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    put_range(config, 1, 5);
    check_takes(in, 5, 5);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    REQUIRE_OK(put(config, 6));
    check_takes(in, 6, 6);
    aimdb_consumer_stats_t stats = stats_of_reader(in);
    CHECK_EQ(stats.offered, 6);
    CHECK_EQ(stats.delivered, 2);
    CHECK_EQ(stats.skipped, 4);
    CHECK_EQ(stats.lagged, 0);
    end(db);
}

TEST(latest_fresh_reader_sees_the_current_value_once)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    started(db);
    put_range(config, 1, 3);
    aimdb_reader_t *in = reader(config);
    struct sink sink = SINK;
    sink_subscribe(&sink, config);
    struct taken taken = take(in, LONG_TIME);
    CHECK_STATUS(taken.status, AIMDB_OK);
    CHECK_EQ(taken.number, 3);
    CHECK_EQ(taken.sequence, 3);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    CHECK_EQ(stats_of_reader(in).offered, 1);
    sink_await_count(&sink, 1);
    end(db);
    sink_check_range(&sink, 3, 3);
    sink_end(&sink);
}

TEST(latest_fresh_reader_accounts_for_the_current_value_also_if_it_is_skipped)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    started(db);
    put_range(config, 1, 3);
    aimdb_reader_t *in = reader(config);
    put_range(config, 4, 7);
    check_takes(in, 7, 7);
    aimdb_consumer_stats_t stats = stats_of_reader(in);
    CHECK_EQ(stats.offered, 5); /* 4 to 7, and 3 that was there */
    CHECK_EQ(stats.skipped, 4);
    CHECK_EQ(stats.delivered, 1);
    end(db);
}

TEST(latest_callback_busy_with_an_old_value_gets_the_newest_next)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    struct sink sink = SINK;
    sink.hold = true;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, config);
    started(db);
    REQUIRE_OK(put(config, 1));
    sink_await_inside(&sink);
    put_range(config, 2, 9);
    aimdb_consumer_stats_t stats = stats_of_consumer(consumer);
    CHECK_EQ(stats.delivered, 1);
    CHECK_EQ(stats.skipped, 7);
    CHECK_EQ(stats.pending, 1);
    sink_release(&sink);
    end(db);
    CHECK_EQ(sink.count, 2);
    CHECK_EQ(sink.numbers[1], 9);
    CHECK_EQ(sink.lags, 0);
    sink_end(&sink);
}

enum { LAST = 200000 };

static void read_to_last(void *arg)
{
    aimdb_reader_t *in = arg;
    uint64_t newest = 0, seen = 0;
    while (newest < LAST) {
        struct taken taken = take(in, AIMDB_FOREVER);
        if (!CHECK_STATUS(taken.status, AIMDB_OK) || !CHECK(taken.number > newest)) return;
        CHECK_EQ(taken.number, taken.sequence);
        newest = taken.number;
        seen++;
    }
    aimdb_consumer_stats_t stats = stats_of_reader(in);
    CHECK_EQ(stats.delivered, seen);
    CHECK_EQ(stats.skipped, LAST - seen);
}

TEST(latest_never_gives_an_older_after_a_newer_and_the_last_is_always_seen)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    struct sink sink = SINK;
    struct thread threads[2];
    aimdb_reader_t *readers[2] = { reader(config), reader(config) };
    sink_subscribe(&sink, config);
    started(db);
    for (int i = 0; i < 2; i++) thread_start(&threads[i], read_to_last, readers[i]);
    put_range(config, 1, LAST);
    for (int i = 0; i < 2; i++) thread_join(&threads[i]);
    end(db);
    for (size_t i = 1; i < sink.count; i++)
        if (!CHECK(sink.numbers[i] > sink.numbers[i - 1])) break;
    CHECK_EQ(sink.numbers[sink.count - 1], LAST);
    sink_end(&sink);
}
