// SPDX-License-Identifier: Apache-2.0
//
// No function is a cancellation point: a request that is pending is acted upon
// after the call, which has left no lock held.

#define _GNU_SOURCE
#include <poll.h>

#include "parts.h"

static aimdb_t *db;
static aimdb_record_t *record;
static aimdb_reader_t *reader;
static _Atomic int returned;

/* Calls everything that a thread with a request pending could be lost in. */
static void *call_cancelled(void *unused) {
    UNUSED(unused);
    pthread_cancel(pthread_self()); /* pending, and enabled */
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    uint64_t value;
    aimdb_reader_t *other;
    int fd, state;
    OK(put(record, 1)); /* writes the descriptor */
    returned++;
    OK(aimdb_try_recv(reader, &value, sizeof value, &m));
    STATUS(AIMDB_EMPTY, aimdb_try_recv(reader, &value, sizeof value, &m)); /* reads it */
    returned++;
    STATUS(AIMDB_TIMEOUT, aimdb_recv(reader, &value, sizeof value, &m, AIMDB_MILLISECOND));
    returned++;
    OK(aimdb_reader_open(record, &other));
    OK(aimdb_reader_fd(other, &fd));
    OK(aimdb_reader_close(other, NULL));
    returned++;
    aimdb_t *another;
    OK(aimdb_create(NULL, &another));
    aimdb_record_t *r = add(another, "r", AIMDB_RING, 64);
    _Atomic int seen = 0;
    consume(r, count_value, &seen, NULL);
    OK(aimdb_start(another));
    OK(put(r, 1));
    OK(aimdb_close(another, AIMDB_FOREVER)); /* waits */
    OK(aimdb_destroy(another));
    returned++;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    REQUIRE(state == PTHREAD_CANCEL_ENABLE);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    abort();
}

static int a_pending_cancellation_is_acted_upon_after_the_call(void) {
    db = quiet_database();
    record = add(db, "r", AIMDB_RING, 64);
    OK(aimdb_reader_open(record, &reader));
    OK(aimdb_start(db));
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    uint64_t value;
    int fd;
    OK(aimdb_reader_fd(reader, &fd));
    for (int i = 1; i <= 10; i++) {
        STATUS(AIMDB_EMPTY, aimdb_try_recv(reader, &value, sizeof value, &m)); /* armed */
        pthread_t thread;
        void *result;
        REQUIRE(pthread_create(&thread, NULL, call_cancelled, NULL) == 0);
        pthread_join(thread, &result);
        REQUIRE(result == PTHREAD_CANCELED && returned == 5 * i);
        struct pollfd readable = {fd, POLLIN, 0};
        OK(put(record, 2)); /* no lock is held */
        REQUIRE(poll(&readable, 1, 0) == 1);
        OK(aimdb_try_recv(reader, &value, sizeof value, &m));
    }
    OK(aimdb_reader_close(reader, NULL));
    end_database(db);
    return 0;
}

/* The first call of all: it starts Go. */
static void *start_cancelled(void *unused) {
    UNUSED(unused);
    pthread_cancel(pthread_self());
    OK(aimdb_create(NULL, &db));
    returned++;
    pthread_testcancel();
    abort();
}

static int the_first_call_is_no_cancellation_point(void) {
    pthread_t thread;
    void *result;
    REQUIRE(pthread_create(&thread, NULL, start_cancelled, NULL) == 0);
    pthread_join(thread, &result);
    REQUIRE(result == PTHREAD_CANCELED && returned == 1);
    OK(aimdb_destroy(db));
    live_once();
    return 0;
}

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(a_pending_cancellation_is_acted_upon_after_the_call, 0),
        PART(the_first_call_is_no_cancellation_point, 0),
    };
    return RUN_PARTS(argc, argv, parts);
}
