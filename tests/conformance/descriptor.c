/* SPDX-License-Identifier: Apache-2.0
 *
 * The descriptor of a reader: never unreadable while there is something to give
 * or the reader is closed; it may be readable with nothing, then try_recv says
 * EMPTY and re-arms it.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
static atomic_bool churning;

static int fd_of(aimdb_reader_t *reader)
{
    int fd = -1, again = -1;
    REQUIRE_OK(aimdb_reader_fd(reader, &fd));
    REQUIRE_OK(aimdb_reader_fd(reader, &again));
    CHECK(fd >= 0 && fd == again);
    return fd;
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = { fd, POLLIN, 0 };
    return poll(&poll_fd, 1, timeout_ms) == 1 && (poll_fd.revents & POLLIN);
}

TEST(descriptor_is_readable_whenever_there_is_something_to_receive)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 3);
        aimdb_reader_t *in = reader(numbered);
        int fd = fd_of(in);
        uint32_t random = 1;
        uint64_t next = 1;
        started(db);
        for (int step = 0; step < 5000; step++) {
            if (random_next(&random) % 2) {
                REQUIRE_OK(put(numbered, next++));
                CHECK(readable(fd, 0));
                continue;
            }
            bool could = readable(fd, 0);
            aimdb_status_t status = take(in, 0).status;
            if (status == AIMDB_EMPTY) {
                CHECK(!readable(fd, 0)); /* armed again */
            } else {
                CHECK(status == AIMDB_OK || status == AIMDB_LAGGED);
                CHECK(could);
            }
        }
        end(db);
    }
}

TEST(descriptor_asked_for_late_is_readable_for_what_is_pending)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 3);
        aimdb_reader_t *in = reader(numbered);
        started(db);
        REQUIRE_OK(put(numbered, 1));
        int fd = fd_of(in);
        CHECK(readable(fd, 0));
        uint64_t small;
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        CHECK_STATUS(aimdb_try_recv(in, &small, 4, &message), AIMDB_ERR_TOO_SMALL);
        CHECK(readable(fd, 0)); /* the value is still there */
        check_takes(in, 1, 1);
        CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
        CHECK(!readable(fd, 0));
        end(db);
    }
}

TEST(descriptor_is_readable_when_the_database_is_closed_and_stays_so)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_reader_t *in = reader(numbers(db, buffers[b], 3));
        int fd = fd_of(in);
        started(db);
        CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
        CHECK_OK(aimdb_close(db, LONG_TIME));
        for (int i = 0; i < 3; i++) {
            CHECK(readable(fd, 0));
            CHECK_STATUS(take(in, 0).status, AIMDB_CLOSED);
        }
        end(db);
    }
}

TEST(descriptor_is_closed_with_its_reader)
{
    aimdb_t *db = database();
    aimdb_reader_t *in = reader(numbers(db, AIMDB_RING, 3));
    int fd = fd_of(in);
    CHECK(fcntl(fd, F_GETFD) != -1);
    CHECK_OK(aimdb_reader_close(in, NULL));
    CHECK(fcntl(fd, F_GETFD) == -1);
    CHECK_OK(aimdb_destroy(db));
}

TEST(descriptor_of_each_mailbox_reader_leads_to_the_value_or_to_empty)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *readers[2] = { reader(mailbox), reader(mailbox) };
    int fds[2] = { fd_of(readers[0]), fd_of(readers[1]) };
    started(db);
    for (uint64_t n = 1; n <= 20; n++) {
        int first = n % 2;
        REQUIRE_OK(put(mailbox, n));
        CHECK(readable(fds[0], 0) && readable(fds[1], 0));
        CHECK_EQ(take(readers[first], 0).number, n);
        CHECK_STATUS(take(readers[!first], 0).status, AIMDB_EMPTY);
        CHECK(!readable(fds[!first], 0));
    }
    end(db);
}

/* Event loops: nothing is lost between the poll and the receive --------------------- */

enum { LAST = 50000 };

static void produce_in_bursts(void *arg)
{
    uint32_t random = 3;
    for (uint64_t n = 1; n <= LAST; n++) {
        REQUIRE_OK(put(arg, n));
        for (uint32_t pause = random_next(&random) % 2000; pause; pause--)
            atomic_signal_fence(memory_order_seq_cst);
    }
}

/* Receives until EMPTY or CLOSED; the newest number seen, 0 after CLOSED. */
static bool drain(aimdb_reader_t *in, uint64_t *newest)
{
    for (;;) {
        struct taken taken = take(in, 0);
        if (taken.status == AIMDB_OK) *newest = taken.number;
        else if (taken.status != AIMDB_LAGGED) return CHECK_STATUS(taken.status, AIMDB_EMPTY);
    }
}

static void check_loop(aimdb_buffer_t buffer, uint32_t epoll_events)
{
    aimdb_t *db = database();
    aimdb_record_t *numbered = numbers(db, buffer, 7);
    aimdb_reader_t *in = reader(numbered);
    int fd = fd_of(in), loop = epoll_create1(0);
    struct epoll_event event = { .events = epoll_events }, got;
    REQUIRE(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
    started(db);
    struct thread producer;
    uint64_t newest = 0;
    thread_start(&producer, produce_in_bursts, numbered);
    while (newest < LAST) { /* a lost edge would hang here */
        if (epoll_events ? epoll_wait(loop, &got, 1, -1) == 1 : readable(fd, -1))
            if (!drain(in, &newest)) break;
    }
    thread_join(&producer);
    CHECK(epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL) == 0);
    close(loop);
    end(db);
}

TEST(descriptor_in_poll_loses_no_value)
{
    for (size_t b = 0; b < COUNT(buffers); b++) check_loop(buffers[b], 0);
}

TEST(descriptor_in_epoll_loses_no_value)
{
    for (size_t b = 0; b < COUNT(buffers); b++) check_loop(buffers[b], EPOLLIN);
}

TEST(descriptor_in_edge_triggered_epoll_loses_no_value)
{
    for (size_t b = 0; b < COUNT(buffers); b++) check_loop(buffers[b], EPOLLIN | EPOLLET);
}

static void open_and_close(void *arg)
{
    while (atomic_load(&churning)) {
        aimdb_reader_t *in = reader(arg);
        fd_of(in);
        CHECK_OK(aimdb_reader_close(in, NULL));
    }
}

TEST(descriptor_closed_in_one_database_disturbs_no_subscription_of_another)
{
    aimdb_t *one = database(), *other = database();
    aimdb_record_t *churned = numbers(one, AIMDB_RING, 4), *ring = numbers(other, AIMDB_RING, 4);
    started(one), started(other);
    atomic_store(&churning, true);
    struct thread churn[2];
    for (size_t i = 0; i < COUNT(churn); i++) thread_start(&churn[i], open_and_close, churned);
    for (uint64_t n = 1, last = rounds(10000); n <= last; n++) {
        struct sink sink = SINK;
        aimdb_consumer_config_t config = sink_config(&sink);
        aimdb_consumer_t *consumer;
        config.dispatch = AIMDB_SHARED;
        aimdb_reader_t *in = reader(ring);
        int fd = fd_of(in);
        REQUIRE_OK(aimdb_subscribe(ring, &config, &consumer));
        CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
        put_range(ring, n, n);
        CHECK(readable(fd, 10000));
        sink_await_count(&sink, 1);
        CHECK_OK(aimdb_reader_close(in, NULL));
        CHECK_OK(aimdb_unsubscribe(consumer, NULL));
        sink_end(&sink);
    }
    atomic_store(&churning, false);
    for (size_t i = 0; i < COUNT(churn); i++) thread_join(&churn[i]);
    end(one), end(other);
}

TEST(descriptor_first_asked_for_in_each_state)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 3);
        aimdb_reader_t *before = reader(numbered), *running = reader(numbered);
        aimdb_reader_t *closed = reader(numbered);
        int fd = fd_of(before);
        CHECK_STATUS(take(before, 0).status, AIMDB_EMPTY);
        CHECK(!readable(fd, 0)); /* nothing can be there before start */
        started(db);
        CHECK_STATUS(take(running, 0).status, AIMDB_EMPTY);
        fd_of(running);
        CHECK_STATUS(take(running, 0).status, AIMDB_EMPTY);
        CHECK(!readable(fd_of(running), 0));
        put_range(numbered, 1, 1);
        CHECK(readable(fd, 0) && readable(fd_of(running), 0));
        CHECK_OK(aimdb_close(db, LONG_TIME));
        CHECK(readable(fd_of(closed), 0)); /* a value, and then the end */
        check_takes(closed, 1, 1);
        CHECK(readable(fd_of(closed), 0));
        CHECK_STATUS(take(closed, 0).status, AIMDB_CLOSED);
        CHECK_OK(aimdb_destroy(db));
        CHECK(fcntl(fd, F_GETFD) == -1); /* destroy ends readers, too */
    }
}

TEST(descriptor_is_readable_for_a_loss_and_for_what_batches_and_small_buffers_leave)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 3);
    aimdb_reader_t *in = reader(ring);
    int fd = fd_of(in);
    uint64_t values[2];
    aimdb_message_t messages[2] = { AIMDB_MESSAGE_INIT };
    size_t count;
    started(db);
    put_range(ring, 1, 5);
    CHECK(readable(fd, 0));
    CHECK_STATUS(take(in, 0).status, AIMDB_LAGGED);
    CHECK(readable(fd, 0));
    CHECK_STATUS(aimdb_recv_batch(in, values, 4, messages, 2, &count, 0), AIMDB_ERR_TOO_SMALL);
    CHECK(readable(fd, 0));
    CHECK_OK(aimdb_recv_batch(in, values, sizeof values, messages, 2, &count, 0));
    CHECK_EQ(count, 2);
    CHECK(readable(fd, 0)); /* one is left */
    CHECK_EQ(take(in, AIMDB_FOREVER).number, 5);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    CHECK(!readable(fd, 0));
    end(db);
}
