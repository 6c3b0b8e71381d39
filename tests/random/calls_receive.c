// SPDX-License-Identifier: Apache-2.0
//
// Pull readers: every way to receive, descriptors, and aimdb_peek.

#include "random.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The caller's memory: of just the capacity, marked, so that a write where the text
 * says none is seen. */
struct buffer {
    unsigned char *data;
    size_t capacity;
    unsigned char mark;
};

static struct buffer buffer_make(size_t capacity) {
    struct buffer buffer = {capacity ? malloc(capacity) : NULL, capacity, (unsigned char)dice()};
    if (capacity) memset(buffer.data, buffer.mark, capacity);
    return buffer;
}

static void buffer_untouched(const struct buffer *buffer, const char *text) {
    for (size_t i = 0; i < buffer->capacity; i++)
        if (buffer->data[i] != buffer->mark) {
            fail(__FILE__, __LINE__, NULL, "%s wrote byte %zu of the caller's %zu", text, i,
                 buffer->capacity);
            return;
        }
}

static size_t some_capacity(const struct record *record, bool roomy) {
    size_t most = record->config.payload_max;
    if (roomy || chance(85)) return most;
    return chance(60) ? below(most + 1) : most + 1 + below(100);
}

/* A receive under way ------------------------------------------------------------------- */

struct receive {
    struct subscription *sub;
    struct range range;
    bool over; /* the reader had surely ended before */
    uint64_t begun;
};

static bool receive_begin(struct receive *r, struct subscription *sub) {
    *r = (struct receive){.sub = sub};
    atomic_fetch_add(&sub->receiving, 1);
    if (!sub->crowded && pthread_mutex_trylock(&sub->lock) != 0) {
        atomic_fetch_sub(&sub->receiving, 1);
        return false;
    }
    r->range = range_begin(sub->record->db);
    r->over = sub_over(sub);
    r->begun = now();
    return true;
}

static void note_begin(struct subscription *sub) {
    if (sub->crowded) pthread_mutex_lock(&sub->lock);
}

static void note_end(struct subscription *sub) {
    if (sub->crowded) pthread_mutex_unlock(&sub->lock);
}

static void receive_end(struct receive *r) {
    if (!r->sub->crowded) pthread_mutex_unlock(&r->sub->lock);
    atomic_fetch_sub(&r->sub->receiving, 1);
}

static set allowed_receive(struct receive *r, set nothing, size_t capacity) {
    struct subscription *sub = r->sub;
    range_end(&r->range);
    if (r->over) return ERR(HANDLE);
    set allowed = IN(AIMDB_OK) | nothing;
    if (sub->record->config.buffer == AIMDB_RING) allowed |= IN(AIMDB_LAGGED);
    if (capacity < sub->record->config.payload_max) allowed |= ERR(TOO_SMALL);
    if (sub->ends || range_may(&r->range, DESTROYED)) allowed |= ERR(HANDLE) | IN(AIMDB_CLOSED);
    if (r->range.to >= CLOSING) allowed |= IN(AIMDB_CLOSED);
    if (r->range.from >= QUIET) allowed &= ~nothing; /* nothing will come: CLOSED says so */
    return allowed;
}

static void note_message(struct subscription *sub, const aimdb_message_t *message,
                         const void *data) {
    CHECK(message->data == data || message->size == 0, "reader %u: data at %p, not %p", sub->uid,
          message->data, data);
    seen_value(sub, message);
}

static void note_too_small(const struct subscription *sub, const aimdb_message_t *message,
                           const struct buffer *buffer) {
    CHECK(message->size > buffer->capacity && message->size <= sub->record->config.payload_max,
          "reader %u: %zu bytes needed, capacity %zu", sub->uid, message->size, buffer->capacity);
    buffer_untouched(buffer, "TOO_SMALL");
}

static void note_answer(struct receive *r, aimdb_status_t status, const aimdb_message_t *message,
                        const struct buffer *buffer) {
    note_begin(r->sub);
    switch (status) {
    case AIMDB_OK: note_message(r->sub, message, buffer->data); break;
    case AIMDB_LAGGED:
        seen_lag(r->sub, message->lagged);
        buffer_untouched(buffer, "LAGGED");
        break;
    case AIMDB_ERR_TOO_SMALL: note_too_small(r->sub, message, buffer); break;
    default: buffer_untouched(buffer, status_name(status));
    }
    note_end(r->sub);
}

static void not_too_early(const struct receive *r, aimdb_status_t status, int64_t timeout) {
    uint64_t took = now() - r->begun;
    CHECK(status != AIMDB_TIMEOUT || took >= (uint64_t)timeout,
          "reader %u: TIMEOUT after %llu of %lld ns", r->sub->uid, (unsigned long long)took,
          (long long)timeout);
}

aimdb_status_t receive_once(struct subscription *sub, bool roomy) {
    struct receive r;
    if (!receive_begin(&r, sub)) return AIMDB_EMPTY;
    struct buffer buffer = buffer_make(some_capacity(sub->record, roomy));
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_status_t status =
        CALL(aimdb_try_recv(reader_handle(sub), buffer.data, buffer.capacity, &message));
    EXPECT(status, allowed_receive(&r, IN(AIMDB_EMPTY), buffer.capacity),
           "try_recv of reader %u, phases %d-%d", sub->uid, r.range.from, r.range.to);
    note_answer(&r, status, &message, &buffer);
    receive_end(&r);
    free(buffer.data);
    return status;
}

void do_try_recv(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    unsigned most = 1 + (unsigned)below(20);
    for (unsigned i = 0; sub && i < most; i++)
        if (receive_once(sub, false) != AIMDB_OK) return;
}

static aimdb_status_t wait_once(struct subscription *sub, int64_t timeout, bool roomy) {
    struct receive r;
    if (!receive_begin(&r, sub)) return AIMDB_EMPTY;
    struct buffer buffer = buffer_make(some_capacity(sub->record, roomy));
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_status_t status =
        CALL(aimdb_recv(reader_handle(sub), buffer.data, buffer.capacity, &message, timeout));
    set nothing = timeout == 0 ? IN(AIMDB_EMPTY) : IN(AIMDB_TIMEOUT);
    EXPECT(status, allowed_receive(&r, nothing, buffer.capacity),
           "recv of reader %u, timeout %lld, phases %d-%d", sub->uid, (long long)timeout,
           r.range.from, r.range.to);
    not_too_early(&r, status, timeout);
    note_answer(&r, status, &message, &buffer);
    receive_end(&r);
    free(buffer.data);
    return status;
}

static int64_t short_time(void) {
    if (chance(20)) return 0;
    return chance(70) ? (int64_t)below(300000) : (int64_t)below(4000000);
}

void do_recv(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    if (sub) wait_once(sub, short_time(), false);
}

/* Until a value comes, however long. Who wants the database to rest sends one, so not
 * all may wait. */
void do_wait(struct database *db) {
    static atomic_int waiting;
    struct subscription *sub = sub_any(db, true);
    if (!sub || inside() || stopping) return;
    if (atomic_fetch_add(&waiting, 1) < options.threads / 2) {
        atomic_fetch_add(&sub->record->waiters, 1);
        if (!db->sealed) wait_once(sub, AIMDB_FOREVER, chance(70));
        atomic_fetch_sub(&sub->record->waiters, 1);
    }
    atomic_fetch_sub(&waiting, 1);
}

/* Batches --------------------------------------------------------------------------------- */

enum { BATCH = 24 };
struct wide { /* of a program with a later header */
    aimdb_message_t message;
    uint64_t tail;
};

static aimdb_message_t *message_at(void *messages, size_t stride, size_t i) {
    return (aimdb_message_t *)((char *)messages + i * stride);
}

static void note_batch(struct receive *r, const struct buffer *buffer, void *messages,
                       size_t stride, size_t count) {
    size_t at = 0;
    note_begin(r->sub);
    for (size_t i = 0; i < count; i++) {
        const aimdb_message_t *message = message_at(messages, stride, i);
        CHECK(message->size == 0 || at + message->size <= buffer->capacity,
              "batch of reader %u: value %zu ends at %zu of %zu", r->sub->uid, i,
              at + message->size, buffer->capacity);
        note_message(r->sub, message, buffer->data + (buffer->data ? at : 0));
        at += (message->size + 7) / 8 * 8;
    }
    note_end(r->sub);
}

static void note_no_batch(struct receive *r, aimdb_status_t status, const aimdb_message_t *first,
                          const struct buffer *buffer, size_t count) {
    if (status < 0 && status != AIMDB_ERR_TOO_SMALL) return;
    CHECK(count == 0, "batch of reader %u: %s with %zu", r->sub->uid, status_name(status), count);
    note_answer(r, status, first, buffer);
}

void do_recv_batch(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    struct receive r;
    if (!sub || !receive_begin(&r, sub)) return;
    struct wide messages[BATCH];
    size_t stride = chance(30) ? sizeof(struct wide) : sizeof(aimdb_message_t);
    size_t max = 1 + below(BATCH), count = SIZE_MAX;
    struct buffer buffer = buffer_make(some_capacity(sub->record, false) * (1 + below(4)));
    messages[0].message = (aimdb_message_t){.struct_size = stride};
    int64_t timeout = short_time();
    aimdb_status_t status = CALL(aimdb_recv_batch(reader_handle(sub), buffer.data, buffer.capacity,
                                                  &messages[0].message, max, &count, timeout));
    set nothing = timeout == 0 ? IN(AIMDB_EMPTY) : IN(AIMDB_TIMEOUT);
    EXPECT(status, allowed_receive(&r, nothing, buffer.capacity),
           "recv_batch of reader %u, timeout %lld, phases %d-%d", sub->uid, (long long)timeout,
           r.range.from, r.range.to);
    not_too_early(&r, status, timeout);
    if (status == AIMDB_OK) {
        CHECK(count >= 1 && count <= max, "batch of reader %u: %zu of %zu", sub->uid, count, max);
        note_batch(&r, &buffer, messages, stride, count <= max ? count : 0);
    } else
        note_no_batch(&r, status, &messages[0].message, &buffer, count);
    receive_end(&r);
    free(buffer.data);
}

/* Descriptors -------------------------------------------------------------------------------- */

static int descriptor(struct subscription *sub) {
    struct range range = range_begin(sub->record->db);
    bool over = sub_over(sub);
    int fd = -2;
    aimdb_status_t status = CALL(aimdb_reader_fd(reader_handle(sub), &fd));
    range_end(&range);
    set allowed = over ? ERR(HANDLE) : allowed_look(&range) | (sub->ends ? ERR(HANDLE) : 0);
    EXPECT(status, allowed, "reader_fd of %u", sub->uid);
    if (status != AIMDB_OK) return -1;
    CHECK(fd >= 0, "descriptor %d", fd);
    int none = -1;
    if (!atomic_compare_exchange_strong(&sub->fd, &none, fd))
        CHECK(none == fd, "reader %u: descriptor %d, before %d", sub->uid, fd, none);
    return fd;
}

bool descriptor_ready(int fd, int timeout_ms) {
    struct pollfd what = {.fd = fd, .events = POLLIN};
    return poll(&what, 1, timeout_ms) == 1 && what.revents & POLLIN;
}

/* As the header says: try_recv until EMPTY or CLOSED. */
static void drain(struct subscription *sub) {
    for (unsigned i = 0; i < 200; i++) {
        aimdb_status_t status = receive_once(sub, true);
        if (status != AIMDB_OK && status != AIMDB_LAGGED) return;
    }
}

void do_poll(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    int fd = sub ? descriptor(sub) : -1;
    if (fd < 0) return;
    if (descriptor_ready(fd, (int)below(3)) && chance(90)) drain(sub);
}

void do_epoll(struct database *db) {
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (loop < 0) return;
    unsigned many = 1 + (unsigned)below(4);
    for (unsigned i = 0; i < many; i++) {
        struct subscription *sub = sub_any(db, true);
        int fd = sub ? descriptor(sub) : -1;
        struct epoll_event what = {.events = EPOLLIN | (chance(50) ? EPOLLET : 0), .data.ptr = sub};
        if (fd >= 0) epoll_ctl(loop, EPOLL_CTL_ADD, fd, &what); /* closed meanwhile: no matter */
    }
    struct epoll_event ready[4];
    int count = epoll_wait(loop, ready, 4, (int)below(3));
    for (int i = 0; i < count; i++) drain(ready[i].data.ptr);
    close(loop);
}

/* Peek ------------------------------------------------------------------------------------------
 */

void do_peek(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    struct buffer buffer = buffer_make(some_capacity(record, false));
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    struct range range = range_begin(db);
    aimdb_status_t status =
        CALL(aimdb_peek(record_handle(record), buffer.data, buffer.capacity, &message));
    range_end(&range);
    set allowed = allowed_look(&range);
    if (record->config.buffer == AIMDB_RING)
        allowed = (allowed & ~IN(AIMDB_OK)) | ERR(UNSUPPORTED);
    else if (allowed & IN(AIMDB_OK)) {
        allowed |= IN(AIMDB_EMPTY);
        if (buffer.capacity < record->config.payload_max) allowed |= ERR(TOO_SMALL);
    }
    EXPECT(status, allowed, "peek at record %u, phases %d-%d", record->uid, range.from, range.to);
    if (status == AIMDB_OK)
        seen_peek(record, &message);
    else
        buffer_untouched(&buffer, "peek");
    free(buffer.data);
}
