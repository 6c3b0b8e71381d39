// SPDX-License-Identifier: Apache-2.0

#include <string.h>

#include "side.h"

/* Receives until there is something or the timeout is over; then it looks a
 * last time, which also takes back that it waits. */
static void wait(step_t *s, int64_t timeout_ns) {
    int64_t end = 0;
    if (timeout_ns > 0) s->flags = STEP_WAIT;
    for (;;) {
        side_drive(s, STEP_RECEIVE);
        if (s->result != STEP_SLEEP) return;
        int64_t left = timeout_ns;
        if (timeout_ns != AIMDB_FOREVER) {
            int64_t now = side_now();
            if (end == 0) end = now > INT64_MAX - timeout_ns ? INT64_MAX : now + timeout_ns;
            left = end - now;
        }
        if (!side_sleep(s->event, s->expected, left)) s->flags &= ~(uint32_t)STEP_WAIT;
    }
}

static aimdb_status_t answer(const step_t *s, size_t capacity, size_t needed, aimdb_status_t nothing) {
    switch (s->result) {
    case AIMDB_EMPTY:
        return nothing;
    case AIMDB_ERR_HANDLE:
        if (s->event) return AIMDB_CLOSED; /* it was one when the wait began */
        return side_fail(AIMDB_ERR_HANDLE, "reader: is not a reader that exists");
    case AIMDB_ERR_TOO_SMALL:
        return side_fail(AIMDB_ERR_TOO_SMALL, "capacity: is %zu, the value has %zu bytes", capacity, needed);
    }
    return (aimdb_status_t)s->result;
}

static aimdb_status_t receive(aimdb_reader_t *reader, void *buffer, size_t capacity,
                              aimdb_message_t *messages, size_t max, size_t *count,
                              int64_t timeout_ns, aimdb_status_t nothing) {
    if (!buffer && capacity)
        return side_fail(AIMDB_ERR_ARGUMENT, "buffer: is NULL and capacity is not 0");
    size_t distance = messages->struct_size;
    step_t s; /* what a step only writes is left as it is */
    s.data = buffer;
    s.size = capacity;
    s.messages = messages;
    s.max = max;
    s.ahead = false;
    s.handle = HANDLE(reader);
    s.event = 0;
    s.flags = 0;
    wait(&s, timeout_ns);
    if (s.count) SYNC_ACQUIRE(s.record);
    for (size_t i = 0; i < s.count && distance > sizeof *messages; i++)
        memset((char *)messages + i * distance + sizeof *messages, 0, distance - sizeof *messages);
    aimdb_status_t status = answer(&s, capacity, messages->size, nothing);
    if (status != AIMDB_ERR_HANDLE) *count = (size_t)s.count;
    return status;
}

static aimdb_status_t check_message(const aimdb_message_t *message, const char *name) {
    return side_check(message, sizeof *message, name);
}

aimdb_status_t side_no_timeout(int64_t timeout_ns) {
    if (timeout_ns < 0)
        return side_fail(AIMDB_ERR_ARGUMENT, "timeout_ns: is negative");
    return AIMDB_OK;
}

/* What nothing there is called: only who has waited is told so. */
static aimdb_status_t nothing(int64_t timeout_ns) { return timeout_ns ? AIMDB_TIMEOUT : AIMDB_EMPTY; }

aimdb_status_t aimdb_try_recv(aimdb_reader_t *reader, void *buffer, size_t capacity,
                              aimdb_message_t *message) {
    GUARD();
    NOT_NULL(message);
    aimdb_status_t status = check_message(message, "message");
    size_t count;
    if (status != AIMDB_OK) return status;
    return receive(reader, buffer, capacity, message, 1, &count, 0, AIMDB_EMPTY);
}

aimdb_status_t aimdb_recv(aimdb_reader_t *reader, void *buffer, size_t capacity,
                          aimdb_message_t *message, int64_t timeout_ns) {
    GUARD();
    NOT_NULL(message);
    aimdb_status_t status = check_message(message, "message");
    if (status == AIMDB_OK) status = side_no_timeout(timeout_ns);
    size_t count;
    if (status != AIMDB_OK) return status;
    return receive(reader, buffer, capacity, message, 1, &count, timeout_ns, nothing(timeout_ns));
}

aimdb_status_t aimdb_recv_batch(aimdb_reader_t *reader, void *buffer, size_t capacity,
                                aimdb_message_t *messages, size_t max, size_t *count,
                                int64_t timeout_ns) {
    GUARD();
    NOT_NULL(messages);
    NOT_NULL(count);
    if (max == 0) return side_fail(AIMDB_ERR_ARGUMENT, "max: is 0; a batch takes at least 1 value");
    aimdb_status_t status = check_message(messages, "messages[0]");
    if (status == AIMDB_OK) status = side_no_timeout(timeout_ns);
    if (status != AIMDB_OK) return status;
    return receive(reader, buffer, capacity, messages, max, count, timeout_ns,
                   nothing(timeout_ns));
}

aimdb_status_t aimdb_peek(aimdb_record_t *record, void *buffer, size_t capacity,
                          aimdb_message_t *message) {
    GUARD();
    NOT_NULL(message);
    aimdb_status_t status = check_message(message, "message");
    if (status != AIMDB_OK) return status;
    if (!buffer && capacity)
        return side_fail(AIMDB_ERR_ARGUMENT, "buffer: is NULL and capacity is not 0");
    step_t s = {.data = buffer, .handle = HANDLE(record), .size = capacity};
    side_drive(&s, STEP_PEEK);
    aimdb_message_t known = {sizeof known, buffer, (size_t)s.size, record, s.sequence, 0};
    switch (s.result) {
    case AIMDB_OK:
        side_write(message, &known, sizeof known);
        SYNC_ACQUIRE(s.handle);
        return AIMDB_OK;
    case AIMDB_ERR_TOO_SMALL:
        side_write(message, &known, sizeof known);
        return side_fail(AIMDB_ERR_TOO_SMALL, "capacity: is %zu, the value has %zu bytes", capacity,
                         known.size);
    case AIMDB_ERR_UNSUPPORTED:
        return side_fail(AIMDB_ERR_UNSUPPORTED, "record: has a ring, which has no current value");
    case AIMDB_ERR_HANDLE:
        return side_fail(AIMDB_ERR_HANDLE, "record: is not a record that exists");
    }
    return (aimdb_status_t)s.result;
}
