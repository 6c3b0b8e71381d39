/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailbox: one slot; a new value overwrites an untaken one; a value is taken by
 * exactly one reader. One value wakes one waiter, and a waiter that leaves
 * without taking passes the wake on (the baton).
 */
#include "test.h"

TEST(mailbox_new_value_overwrites_an_untaken_one_and_is_counted)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    started(db);
    put_range(mailbox, 1, 4);
    check_takes(in, 4, 4);
    REQUIRE_OK(put(mailbox, 5));
    aimdb_record_stats_t stats = stats_of_record(mailbox);
    CHECK_EQ(stats.produced, 5);
    CHECK_EQ(stats.overwritten, 3);
    CHECK_EQ(stats.taken, 1);
    CHECK_EQ(stats.pending, 1);
    check_takes(in, 5, 5);
    CHECK_EQ(stats_of_record(mailbox).pending, 0);
    end(db);
}

TEST(mailbox_value_that_arrives_while_nobody_waits_stays_until_taken)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    started(db);
    REQUIRE_OK(put(mailbox, 1));
    struct taken taken = take(in, AIMDB_FOREVER);
    CHECK_STATUS(taken.status, AIMDB_OK);
    CHECK_EQ(taken.number, 1);
    end(db);
}

TEST(mailbox_value_is_taken_by_exactly_one_reader)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *one = reader(mailbox), *other = reader(mailbox);
    started(db);
    for (uint64_t n = 1; n <= 10; n++) {
        REQUIRE_OK(put(mailbox, n));
        check_takes(n % 2 ? one : other, n, n);
        CHECK_STATUS(take(n % 2 ? other : one, 0).status, AIMDB_EMPTY);
    }
    end(db);
}

enum { LAST = 50000 };

struct takers {
    aimdb_reader_t *reader;
    _Atomic unsigned char *times; /* by number */
    atomic_ullong *taken;
};

static void take_until_closed(void *arg)
{
    struct takers *takers = arg;
    for (;;) {
        struct taken taken = take(takers->reader, AIMDB_FOREVER);
        if (taken.status != AIMDB_OK) {
            CHECK_STATUS(taken.status, AIMDB_CLOSED);
            return;
        }
        if (!CHECK(taken.number >= 1 && taken.number <= LAST)) return;
        CHECK_EQ(atomic_fetch_add(&takers->times[taken.number], 1), 0);
        atomic_fetch_add(takers->taken, 1);
    }
}

TEST(mailbox_values_are_taken_exactly_once_by_many_readers)
{
    static _Atomic unsigned char times[LAST + 1];
    memset((void *)times, 0, sizeof times);
    atomic_ullong taken = 0;
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *readers[2] = { reader(mailbox), reader(mailbox) };
    struct sink sink = SINK;
    struct takers takers[2];
    struct thread threads[4];
    sink_subscribe(&sink, mailbox);
    started(db);
    for (int i = 0; i < 4; i++) {
        takers[i % 2] = (struct takers){ readers[i % 2], times, &taken };
        thread_start(&threads[i], take_until_closed, &takers[i % 2]);
    }
    for (uint64_t n = 1; n <= LAST; n++) {
        REQUIRE_OK(put(mailbox, n));
        if (n % 64 == 0) AWAIT(stats_of_record(mailbox).pending == 0);
        aimdb_record_stats_t stats = stats_of_record(mailbox);
        check_mailbox_account(&stats);
        CHECK_EQ(stats.produced, n);
    }
    AWAIT(stats_of_record(mailbox).pending == 0);
    aimdb_record_stats_t stats = stats_of_record(mailbox);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    for (int i = 0; i < 4; i++) thread_join(&threads[i]);
    end(db);
    for (size_t i = 0; i < sink.count; i++)
        CHECK_EQ(atomic_fetch_add(&times[sink.numbers[i]], 1), 0);
    CHECK_EQ(stats.taken, atomic_load(&taken) + sink.count);
    CHECK_EQ(stats.overwritten, LAST - stats.taken);
    sink_end(&sink);
}

/* The baton. A waiter that leaves is asleep first, the one who must get the value
 * second: futex queues are first in, first out, so the wake goes to the first. */

enum { ROUNDS = 20 };

struct waiter {
    aimdb_reader_t *reader;
    size_t capacity; /* of its buffer */
    int64_t timeout;
    aimdb_status_t status;
    uint64_t number;
    struct thread thread;
    atomic_bool ended;
};

static void wait_for_value(void *arg)
{
    struct waiter *waiter = arg;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    uint64_t buffer = 0;
    waiter->status =
        aimdb_recv(waiter->reader, &buffer, waiter->capacity, &message, waiter->timeout);
    waiter->number = buffer;
    atomic_store(&waiter->ended, true);
}

static void waiter_start(struct waiter *waiter, aimdb_reader_t *reader, size_t capacity,
                         int64_t timeout)
{
    waiter->reader = reader;
    waiter->capacity = capacity;
    waiter->timeout = timeout;
    atomic_store(&waiter->ended, false);
    thread_start(&waiter->thread, wait_for_value, waiter);
}

static void check_waiter_got(struct waiter *waiter, uint64_t number)
{
    thread_join(&waiter->thread);
    CHECK_STATUS(waiter->status, AIMDB_OK);
    CHECK_EQ(waiter->number, number);
}

TEST(mailbox_waiter_whose_buffer_is_too_small_passes_the_wake_on_to_a_reader)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *readers[2] = { reader(mailbox), reader(mailbox) };
    started(db);
    unsigned passed = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct waiter small, good;
        waiter_start(&small, readers[0], 4, AIMDB_FOREVER);
        thread_await_sleep(&small.thread);
        waiter_start(&good, readers[round % 2], 8, AIMDB_FOREVER);
        thread_await_sleep(&good.thread);
        REQUIRE_OK(put(mailbox, round));
        check_waiter_got(&good, round);
        passed += atomic_load(&small.ended);
        /* If the second took it first, the first still waits and needs a value. */
        while (!atomic_load(&small.ended)) {
            REQUIRE_OK(put(mailbox, round));
            nap();
        }
        thread_join(&small.thread);
        CHECK_STATUS(small.status, AIMDB_ERR_TOO_SMALL);
        (void)take(readers[0], 0);
    }
    printf("# the wake was passed on in %u of %d rounds\n", passed, ROUNDS);
    end(db);
}

TEST(mailbox_waiter_whose_buffer_is_too_small_passes_the_wake_on_to_a_callback)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    struct sink sink = SINK;
    started(db);
    struct waiter small;
    waiter_start(&small, in, 4, AIMDB_FOREVER);
    thread_await_sleep(&small.thread);
    sink_subscribe(&sink, mailbox); /* comes after the small one */
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        REQUIRE_OK(put(mailbox, n));
        sink_await_count(&sink, n);
        if (atomic_load(&small.ended)) {
            thread_join(&small.thread);
            CHECK_STATUS(small.status, AIMDB_ERR_TOO_SMALL);
            waiter_start(&small, in, 4, AIMDB_FOREVER);
            thread_await_sleep(&small.thread);
        }
    }
    CHECK_OK(aimdb_reader_close(in, NULL));
    thread_join(&small.thread);
    end(db);
    sink_check_range(&sink, 1, ROUNDS);
    sink_end(&sink);
}

TEST(mailbox_waiter_that_times_out_passes_the_wake_on)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    uint32_t random = 7;
    started(db);
    for (uint64_t round = 1; round <= 1000; round++) {
        /* The timeout and the value come at about the same time. */
        struct waiter leaving, staying;
        waiter_start(&leaving, in, 8, 100 * AIMDB_MICROSECOND);
        waiter_start(&staying, in, 8, AIMDB_FOREVER);
        for (uint64_t until = now_ns() + random_next(&random) % 200000; now_ns() < until;) {
        }
        REQUIRE_OK(put(mailbox, 2 * round));
        thread_join(&leaving.thread);
        if (leaving.status == AIMDB_OK) {
            CHECK_EQ(leaving.number, 2 * round);
            REQUIRE_OK(put(mailbox, 2 * round + 1));
            check_waiter_got(&staying, 2 * round + 1);
        } else {
            CHECK_STATUS(leaving.status, AIMDB_TIMEOUT);
            check_waiter_got(&staying, 2 * round);
        }
    }
    end(db);
}

TEST(mailbox_waiter_whose_reader_is_closed_passes_the_wake_on)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *staying_reader = reader(mailbox);
    unsigned waited = 0;
    started(db);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct waiter leaving, staying;
        aimdb_reader_t *leaving_reader = reader(mailbox);
        waiter_start(&leaving, leaving_reader, 8, AIMDB_FOREVER);
        thread_await_sleep(&leaving.thread);
        waiter_start(&staying, staying_reader, 8, AIMDB_FOREVER);
        thread_await_sleep(&staying.thread);
        REQUIRE_OK(put(mailbox, 2 * round));
        CHECK_OK(aimdb_reader_close(leaving_reader, NULL));
        thread_join(&leaving.thread);
        if (leaving.status == AIMDB_OK) {
            waited++;
            CHECK_EQ(leaving.number, 2 * round);
            REQUIRE_OK(put(mailbox, 2 * round + 1));
            check_waiter_got(&staying, 2 * round + 1);
        } else {
            waited += was_told(leaving.status);
            check_waiter_got(&staying, 2 * round);
        }
    }
    CHECK(waited > 0);
    end(db);
}

TEST(mailbox_consumer_that_unsubscribes_passes_the_wake_on)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    started(db);
    for (uint64_t round = 1; round <= ROUNDS * 10; round++) {
        struct sink sink = SINK;
        struct waiter staying;
        aimdb_consumer_t *consumer = sink_subscribe(&sink, mailbox);
        waiter_start(&staying, in, 8, AIMDB_FOREVER);
        REQUIRE_OK(put(mailbox, 2 * round));
        CHECK_OK(aimdb_unsubscribe(consumer, NULL));
        uint64_t expected = 2 * round;
        if (sink.count) {
            sink_check_range(&sink, expected, expected);
            REQUIRE_OK(put(mailbox, ++expected));
        }
        check_waiter_got(&staying, expected);
        sink_end(&sink);
    }
    end(db);
}
