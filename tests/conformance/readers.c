/* SPDX-License-Identifier: Apache-2.0
 *
 * Pull readers: try, with timeout, in batches; closed; too small a buffer.
 */
#include "test.h"

#include <sched.h>
#include <time.h>

TEST(reader_recv_waits_until_a_value_comes)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 4);
        aimdb_reader_t *in = reader(numbered);
        started(db);
        CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
        uint64_t before = now_ns();
        CHECK_STATUS(take(in, 20 * AIMDB_MILLISECOND).status, AIMDB_TIMEOUT);
        CHECK(now_ns() - before >= 20 * AIMDB_MILLISECOND); /* never early */
        REQUIRE_OK(put(numbered, 1));
        CHECK_EQ(take(in, AIMDB_FOREVER).number, 1);
        uint64_t buffer;
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        CHECK_STATUS(aimdb_recv(in, &buffer, 8, &message, -1), AIMDB_ERR_ARGUMENT);
        CHECK_STATUS(aimdb_recv(in, &buffer, 8, &message, 0), AIMDB_EMPTY);
        end(db);
    }
}

TEST(reader_buffer_too_small_leaves_the_value_pending_and_says_the_size)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 4);
        aimdb_reader_t *in = reader(numbered);
        started(db);
        REQUIRE_OK(put(numbered, 1));
        for (size_t capacity = 0; capacity < 8; capacity++) {
            unsigned char buffer[8];
            memset(buffer, 0xAA, sizeof buffer);
            aimdb_message_t message = AIMDB_MESSAGE_INIT;
            CHECK_STATUS(aimdb_try_recv(in, capacity ? buffer : NULL, capacity, &message),
                         AIMDB_ERR_TOO_SMALL);
            CHECK_EQ(message.size, 8);
            CHECK_EQ(buffer[capacity], 0xAA);
        }
        check_takes(in, 1, 1);
        end(db);
    }
}

struct waiter {
    aimdb_reader_t *reader;
    aimdb_status_t status;
};

static void wait_for_the_end(void *arg)
{
    struct waiter *waiter = arg;
    waiter->status = take(waiter->reader, AIMDB_FOREVER).status;
}

/* How many of two who wait when their reader is closed are told. */
static int told_closed(aimdb_buffer_t buffer)
{
    aimdb_t *db = database();
    aimdb_record_t *numbered = numbers(db, buffer, 4);
    struct waiter of_closed[2], of_open[2];
    struct thread threads[4];
    for (int i = 0; i < 2; i++) {
        of_closed[i].reader = i ? of_closed[0].reader : reader(numbered);
        of_open[i].reader = i ? of_open[0].reader : reader(numbered);
    }
    started(db);
    for (int i = 0; i < 2; i++) {
        thread_start(&threads[i], wait_for_the_end, &of_closed[i]);
        thread_start(&threads[2 + i], wait_for_the_end, &of_open[i]);
    }
    for (int i = 0; i < 4; i++) thread_await_sleep(&threads[i]);
    CHECK_OK(aimdb_reader_close(of_closed[0].reader, NULL));
    for (int i = 0; i < 2; i++) thread_join(&threads[i]);
    CHECK_STATUS(take(of_closed[0].reader, 0).status, AIMDB_ERR_HANDLE);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    int told = 0;
    for (int i = 0; i < 2; i++) {
        thread_join(&threads[2 + i]);
        CHECK_STATUS(of_open[i].status, AIMDB_CLOSED);
        told += was_told(of_closed[i].status);
    }
    CHECK_STATUS(take(of_open[0].reader, 0).status, AIMDB_CLOSED);
    end(db);
    return told;
}

TEST(reader_that_waits_is_told_when_the_reader_or_the_database_closes)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        int tries = 1;
        while (told_closed(buffers[b]) != 2) REQUIRE(tries++ < 100);
    }
}

TEST(reader_drains_after_close_and_then_gets_closed)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = record(db, "ring", AIMDB_RING, 4, 8);
    aimdb_record_t *config = record(db, "config", AIMDB_LATEST, 0, 8);
    aimdb_reader_t *of_ring = reader(ring), *of_config = reader(config);
    started(db);
    put_range(ring, 1, 6);
    put_range(config, 1, 2);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    struct taken lag = take(of_ring, 0);
    CHECK_STATUS(lag.status, AIMDB_LAGGED);
    CHECK_EQ(lag.lagged, 2);
    check_takes(of_ring, 3, 6);
    check_takes(of_config, 2, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(take(of_ring, i ? AIMDB_FOREVER : 0).status, AIMDB_CLOSED);
        CHECK_STATUS(take(of_config, i ? AIMDB_FOREVER : 0).status, AIMDB_CLOSED);
    }
    aimdb_reader_t *late = NULL;
    CHECK_STATUS(aimdb_reader_open(ring, &late), AIMDB_CLOSED);
    CHECK(late == NULL);
    CHECK_OK(aimdb_destroy(db));
}

enum { SHARED = 50000 };

struct share {
    aimdb_reader_t *reader;
    _Atomic unsigned char *times;
};

static void take_a_share(void *arg)
{
    struct share *share = arg;
    uint64_t before = 0;
    for (struct taken taken; (taken = take(share->reader, AIMDB_FOREVER)).status == AIMDB_OK;) {
        CHECK(taken.number > before); /* in order on each thread */
        before = taken.number;
        CHECK_EQ(atomic_fetch_add(&share->times[taken.number], 1), 0);
    }
}

TEST(reader_used_by_several_threads_gives_each_value_to_one_of_them)
{
    static _Atomic unsigned char times[SHARED + 1];
    memset((void *)times, 0, sizeof times);
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, SHARED);
    struct share share = { reader(ring), times };
    started(db);
    struct thread threads[3];
    for (int i = 0; i < 3; i++) thread_start(&threads[i], take_a_share, &share);
    put_range(ring, 1, SHARED);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    for (int i = 0; i < 3; i++) thread_join(&threads[i]);
    for (size_t n = 1; n <= SHARED; n++)
        if (!CHECK_EQ(times[n], 1)) break;
    end(db);
}

TEST(reader_and_consumer_come_and_go_after_start)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 64);
    started(db);
    for (uint64_t n = 1; n <= 20; n++) {
        struct sink sink = SINK;
        aimdb_reader_t *in = reader(ring);
        aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
        CHECK_EQ(stats_of_record(ring).readers, 2);
        REQUIRE_OK(put(ring, n));
        sink_await_count(&sink, 1);
        check_takes(in, n, n);
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        CHECK_OK(aimdb_reader_close(in, &last));
        CHECK_EQ(last.offered, 1);
        CHECK_EQ(last.delivered, 1);
        CHECK_STATUS(aimdb_reader_close(in, NULL), AIMDB_ERR_HANDLE);
        CHECK_OK(aimdb_unsubscribe(consumer, &last));
        CHECK_EQ(last.delivered, 1);
        sink_check_range(&sink, n, n);
        sink_end(&sink);
    }
    CHECK_EQ(stats_of_record(ring).readers, 0);
    end(db);
}

/* Batches --------------------------------------------------------------------------- */

/* A program of a newer header: its messages are further apart. */
struct wide_message {
    aimdb_message_t message;
    uint64_t unknown[2];
};

static aimdb_status_t batch(aimdb_reader_t *in, void *buffer, size_t capacity,
                            struct wide_message *messages, size_t max, size_t *count,
                            int64_t timeout)
{
    memset(messages, 0, max * sizeof *messages);
    messages[0].message.struct_size = sizeof *messages;
    *count = 99;
    return aimdb_recv_batch(in, buffer, capacity, &messages[0].message, max, count, timeout);
}

TEST(reader_batch_packs_values_at_multiples_of_8_and_takes_what_fits)
{
    aimdb_t *db = database();
    aimdb_record_t *texts = record(db, "texts", AIMDB_RING, 16, 32);
    aimdb_reader_t *in = reader(texts);
    struct wide_message messages[16];
    uint64_t buffer[8];
    size_t count;
    started(db);
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    for (size_t size = 1; size <= 10; size++) REQUIRE_OK(aimdb_produce(texts, text + size, size));

    CHECK_OK(batch(in, buffer, sizeof buffer, messages, 3, &count, 0)); /* at most max */
    CHECK_EQ(count, 3);
    CHECK_EQ(stats_of_reader(in).pending, 7);
    uint64_t next = 4;
    while (next <= 10) {
        CHECK_OK(batch(in, buffer, 40, messages, 16, &count, AIMDB_FOREVER));
        if (!CHECK(count >= 1 && count <= 5)) break;
        char *at = (char *)buffer;
        for (size_t i = 0; i < count; i++, next++) {
            aimdb_message_t *m = &messages[i].message;
            CHECK_EQ(m->sequence, next);
            CHECK_EQ(m->size, next);
            CHECK(m->data == at && m->record == texts && m->lagged == 0);
            CHECK(memcmp(m->data, text + next, next) == 0);
            CHECK_EQ(messages[i].unknown[0], 0); /* an unknown tail is set to zero */
            at += (next + 7) / 8 * 8;
        }
        CHECK(at <= (char *)buffer + 40);
        CHECK_EQ(stats_of_reader(in).pending, 11 - next); /* what did not fit */
    }
    CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, 0), AIMDB_EMPTY);
    CHECK_EQ(count, 0);
    CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, 1000), AIMDB_TIMEOUT);
    CHECK_EQ(count, 0);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, 1000), AIMDB_CLOSED);
    CHECK_EQ(count, 0);
    end(db);
}

TEST(reader_batch_too_small_for_the_first_value_leaves_it_pending)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    aimdb_reader_t *in = reader(ring);
    struct wide_message messages[4];
    uint64_t buffer[4];
    size_t count;
    started(db);
    put_range(ring, 1, 2);
    CHECK_STATUS(batch(in, buffer, 7, messages, 4, &count, AIMDB_FOREVER), AIMDB_ERR_TOO_SMALL);
    CHECK_EQ(count, 0);
    CHECK_EQ(messages[0].message.size, 8);
    check_takes(in, 1, 2);
    end(db);
}

TEST(reader_batch_reports_a_loss_alone)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 3);
    aimdb_reader_t *in = reader(ring);
    struct wide_message messages[8];
    uint64_t buffer[8];
    size_t count;
    started(db);
    put_range(ring, 1, 10);
    CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 8, &count, 0), AIMDB_LAGGED);
    CHECK_EQ(count, 0);
    CHECK_EQ(messages[0].message.lagged, 7);
    CHECK_OK(batch(in, buffer, sizeof buffer, messages, 8, &count, 0));
    CHECK_EQ(count, 3);
    for (size_t i = 0; i < count; i++) CHECK_EQ(number_of(&messages[i].message), 8 + i);
    end(db);
}

static void produce_shared(void *arg)
{
    for (uint64_t n = 1; n <= SHARED; n++) REQUIRE_OK(put(arg, n));
}

TEST(reader_batches_give_every_value_or_its_loss_while_a_producer_runs)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 50);
    aimdb_reader_t *in = reader(ring);
    struct wide_message messages[16];
    uint64_t buffer[16], expected = 1;
    size_t count;
    started(db);
    struct thread producer;
    thread_start(&producer, produce_shared, ring);
    while (expected <= SHARED) {
        aimdb_status_t status = batch(in, buffer, sizeof buffer, messages, 16, &count, AIMDB_FOREVER);
        if (status == AIMDB_LAGGED) {
            CHECK_EQ(count, 0);
            expected += messages[0].message.lagged;
        } else if (!CHECK_STATUS(status, AIMDB_OK)) {
            break;
        }
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(number_of(&messages[i].message), expected++);
    }
    thread_join(&producer);
    end(db);
}

/* A value of 64 words that are all its number: torn bytes show. */
enum { WORDS = 64 };

static atomic_bool producing;

static void produce_words(void *arg)
{
    uint64_t value[WORDS];
    for (uint64_t n = 1; atomic_load(&producing); n++) {
        for (size_t i = 0; i < WORDS; i++) value[i] = n;
        REQUIRE_OK(aimdb_produce(arg, value, sizeof value));
    }
}

static void check_whole(const uint64_t *value, uint64_t number)
{
    for (size_t i = 0; i < WORDS; i++)
        if (!CHECK_EQ(value[i], number)) return;
}

TEST(reader_that_lags_leaves_the_buffer_as_it_was)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = record(db, "words", AIMDB_RING, 1, WORDS * 8);
    aimdb_reader_t *in = reader(ring);
    uint64_t buffer[WORDS];
    started(db);
    atomic_store(&producing, true);
    struct thread producer;
    thread_start(&producer, produce_words, ring);
    for (int lags = 0; lags < 20000;) {
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        memset(buffer, 0xab, sizeof buffer);
        aimdb_status_t status = aimdb_try_recv(in, buffer, sizeof buffer, &message);
        if (status == AIMDB_OK) check_whole(buffer, message.sequence);
        if (status != AIMDB_OK) check_whole(buffer, UINT64_C(0xabababababababab));
        lags += status == AIMDB_LAGGED;
    }
    atomic_store(&producing, false);
    thread_join(&producer);
    end(db);
}

enum { FITS = 256 << 10 };

/* A copy of a value that fits, overtaken by small ones and then by one that does not. */
static void produce_sizes(void *arg)
{
    static char value[FITS + 8];
    for (uint32_t random = 7; atomic_load(&producing);) {
        REQUIRE_OK(aimdb_produce(arg, value, FITS));
        for (uint32_t wait = random_next(&random) % 4000; wait; wait--)
            atomic_signal_fence(memory_order_seq_cst);
        for (int i = 0; i < 4; i++) REQUIRE_OK(aimdb_produce(arg, value, 1));
        REQUIRE_OK(aimdb_produce(arg, value, sizeof value));
        for (uint32_t wait = random_next(&random) % 65536; wait; wait--)
            atomic_signal_fence(memory_order_seq_cst);
    }
}

TEST(reader_batch_of_a_latest_that_is_too_small_has_no_values)
{
    aimdb_t *db = database();
    aimdb_record_t *latest = record(db, "sizes", AIMDB_LATEST, 0, FITS + 8);
    aimdb_reader_t *in = reader(latest);
    struct wide_message messages[2];
    static char buffer[FITS];
    started(db);
    atomic_store(&producing, true);
    struct thread producer;
    thread_start(&producer, produce_sizes, latest);
    memset(buffer, 0x5a, sizeof buffer);
    for (uint64_t seen = 0, enough = rounds(1000000); seen < enough;) {
        size_t count = 77;
        aimdb_status_t status = batch(in, buffer, sizeof buffer, messages, 2, &count, 0);
        if (status == AIMDB_ERR_TOO_SMALL) {
            seen++;
            CHECK_EQ(messages[0].message.size, sizeof buffer + 8);
            CHECK_EQ(buffer[FITS - 1], 0x5a);
        }
        if (status == AIMDB_OK) memset(buffer, 0x5a, messages[0].message.size);
        /* A newer value may come while the first is taken. */
        CHECK(status == AIMDB_OK ? count == 1 || count == 2 : count == 0);
    }
    atomic_store(&producing, false);
    thread_join(&producer);
    end(db);
}

static void produce_and_yield(void *arg)
{
    for (uint64_t n = 1; atomic_load(&producing); n++) {
        REQUIRE_OK(put(arg, n));
        if (n % 8 == 0) sched_yield();
    }
}

static void receive_until_closed(void *arg)
{
    uint64_t expected = 0;
    for (;;) {
        struct taken taken = take(arg, 0);
        if (taken.status == AIMDB_LAGGED && expected) expected += taken.lagged;
        if (taken.status == AIMDB_OK) {
            if (expected) CHECK_EQ(taken.sequence, expected);
            CHECK_EQ(taken.number, taken.sequence);
            expected = taken.sequence + 1;
        }
        if (taken.status == AIMDB_EMPTY) sched_yield();
        if (taken.status < 0) return;
    }
}

TEST(reader_closed_beside_a_receive_gives_values_in_order_and_then_none)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 1000);
    started(db);
    atomic_store(&producing, true);
    struct thread producer, receiver;
    thread_start(&producer, produce_and_yield, ring);
    uint32_t random = 3;
    for (uint64_t round = 0, all = rounds(4000); round < all; round++) {
        aimdb_reader_t *in = reader(ring);
        nap(); /* something is pending */
        thread_start(&receiver, receive_until_closed, in);
        struct timespec moment = { 0, random_next(&random) % 300000 };
        nanosleep(&moment, NULL);
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        CHECK_OK(aimdb_reader_close(in, &last));
        check_account(&last);
        thread_join(&receiver);
    }
    atomic_store(&producing, false);
    thread_join(&producer);
    end(db);
}

TEST(reader_batch_of_latest_and_mailbox_is_the_one_value_there_is)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 0);
        aimdb_reader_t *in = reader(numbered);
        struct wide_message messages[4];
        uint64_t buffer[4];
        size_t count;
        CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, 0), AIMDB_EMPTY);
        started(db);
        put_range(numbered, 1, 5);
        CHECK_OK(batch(in, buffer, sizeof buffer, messages, 4, &count, 0));
        CHECK_EQ(count, 1);
        CHECK_EQ(number_of(&messages[0].message), 5);
        CHECK_EQ(messages[0].message.sequence, 5);
        CHECK(messages[0].message.record == numbered && messages[0].message.data == buffer);
        CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, 0), AIMDB_EMPTY);
        CHECK_EQ(count, 0);
        put_range(numbered, 6, 6);
        CHECK_OK(aimdb_close(db, LONG_TIME));
        CHECK_OK(batch(in, buffer, sizeof buffer, messages, 4, &count, AIMDB_FOREVER));
        CHECK_EQ(count, 1);
        CHECK_STATUS(batch(in, buffer, sizeof buffer, messages, 4, &count, AIMDB_FOREVER), AIMDB_CLOSED);
        CHECK_OK(aimdb_destroy(db));
    }
}

static void receive_a_batch(void *arg)
{
    struct wide_message messages[4];
    uint64_t buffer[4];
    size_t count;
    CHECK_OK(batch(arg, buffer, sizeof buffer, messages, 4, &count, AIMDB_FOREVER));
    CHECK_EQ(count, 1);
    CHECK_EQ(number_of(&messages[0].message), 1);
    CHECK_STATUS(batch(arg, buffer, sizeof buffer, messages, 4, &count, AIMDB_FOREVER), AIMDB_CLOSED);
    CHECK_EQ(count, 0);
}

TEST(reader_batch_waits_for_a_first_value_and_for_the_end)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 4);
        aimdb_reader_t *in = reader(numbered);
        struct thread waiter;
        started(db);
        thread_start(&waiter, receive_a_batch, in);
        thread_await_sleep(&waiter);
        put_range(numbered, 1, 1);
        AWAIT(stats_of_reader(in).delivered == 1);
        thread_await_sleep(&waiter);
        CHECK_OK(aimdb_close(db, LONG_TIME));
        thread_join(&waiter);
        CHECK_OK(aimdb_destroy(db));
    }
}

TEST(reader_batch_of_empty_values_needs_no_buffer)
{
    aimdb_t *db = database();
    aimdb_record_t *empty = record(db, "empty", AIMDB_RING, 8, 8);
    aimdb_reader_t *in = reader(empty);
    struct wide_message messages[8];
    size_t count;
    started(db);
    for (int i = 0; i < 5; i++) REQUIRE_OK(aimdb_produce(empty, NULL, 0));
    put_range(empty, 6, 6);
    CHECK_OK(batch(in, NULL, 0, messages, 8, &count, 0));
    CHECK_EQ(count, 5);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(messages[i].message.size, 0);
        CHECK_EQ(messages[i].message.sequence, i + 1);
    }
    CHECK_STATUS(batch(in, NULL, 0, messages, 8, &count, 0), AIMDB_ERR_TOO_SMALL);
    CHECK_EQ(messages[0].message.size, 8);
    check_takes(in, 6, 6);
    end(db);
}

enum { LARGE = 2048, LARGE_BATCH = 16, LARGE_LAST = 5000000 };

static atomic_llong large_left;

static void produce_large(void *arg)
{
    static const char value[LARGE];
    while (atomic_fetch_sub(&large_left, 1) > 0) REQUIRE_OK(aimdb_produce(arg, value, sizeof value));
}

/* Two producers are in each other's way, and in that of a reader that they overtake
 * in the middle of a batch. What it has by then it must be given. */
TEST(reader_batch_that_is_overtaken_midway_gives_what_it_has_taken)
{
    aimdb_t *db = database();
    aimdb_record_t *large = record(db, "large", AIMDB_RING, LARGE_BATCH, LARGE);
    aimdb_reader_t *in = reader(large);
    struct wide_message messages[LARGE_BATCH];
    static char buffer[LARGE_BATCH * LARGE];
    struct thread producers[2];
    size_t count;
    uint64_t expected = 1;
    started(db);
    uint64_t last = rounds(LARGE_LAST);
    atomic_store(&large_left, (long long)last);
    for (int i = 0; i < 2; i++) thread_start(&producers[i], produce_large, large);
    while (expected <= last) {
        aimdb_status_t status =
            batch(in, buffer, sizeof buffer, messages, LARGE_BATCH, &count, AIMDB_SECOND);
        if (status == AIMDB_LAGGED) expected += messages[0].message.lagged;
        else if (!CHECK_STATUS(status, AIMDB_OK)) break;
        for (size_t i = 0; i < count; i++)
            if (!CHECK_EQ(messages[i].message.sequence, expected++)) expected = last + 1;
    }
    for (int i = 0; i < 2; i++) thread_join(&producers[i]);
    end(db);
}
