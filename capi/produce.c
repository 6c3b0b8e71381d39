// SPDX-License-Identifier: Apache-2.0

#include <stdio.h>
#include <string.h>

#include "side.h"

static aimdb_status_t answer(const step_t *s) {
    switch (s->result) {
    case AIMDB_OK:
    case AIMDB_REJECTED:
    case AIMDB_CLOSED:
        return (aimdb_status_t)s->result;
    case STEP_EARLY:
        return side_fail(AIMDB_ERR_STATE, "record: its database is not started");
    case STEP_FOREIGN:
        return side_fail(AIMDB_ERR_HANDLE, "record: is not of the emitter's database");
    case AIMDB_ERR_HANDLE:
        return side_fail(AIMDB_ERR_HANDLE, "record: is not a record that exists");
    case AIMDB_ERR_SIZE:
        return side_fail(AIMDB_ERR_SIZE, "size: is %llu, the record takes %s%llu",
                         (unsigned long long)s->size, s->size > s->max ? "at most " : "exactly ",
                         (unsigned long long)s->max);
    case AIMDB_ERR_DEPTH:
        return side_fail(AIMDB_ERR_DEPTH, "record: emission nested deeper than %d", AIMDB_DEPTH_MAX);
    case AIMDB_ERR_NO_MEMORY:
        return side_fail(AIMDB_ERR_NO_MEMORY, "record: no memory for the draft of its producer function");
    }
    return side_fail(AIMDB_ERR_INTERNAL, "unexpected result %d of a step", (int)s->result);
}

/* Calls the producer function and says in the step what it decided. */
static void judge(step_t *s, const void *data, size_t size) {
    static const uint64_t nothing;
    aimdb_emitter_t *emitter = side_enter(s->database);
    void *draft_data = emitter ? side_draft(s->max) : NULL;
    if (!draft_data) {
        side_leave(emitter);
        s->flags |= STEP_CANCEL;
        return;
    }
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    message.data = data ? data : &nothing;
    message.size = size;
    message.record = (aimdb_record_t *)(uintptr_t)s->handle;
    aimdb_draft_t draft = {sizeof draft, draft_data, (size_t)s->max, 0};
    aimdb_producer_fn fn = (aimdb_producer_fn)(uintptr_t)s->function;

    int64_t begun = side_now();
    int verdict = fn(emitter, &message, &draft, (void *)(uintptr_t)s->user);
    s->elapsed = (uint64_t)(side_now() - begun);
    side_leave(emitter);

    s->data = data;
    s->size = size;
    if (verdict == AIMDB_REPLACE) {
        s->flags |= STEP_REPLACE;
        s->data = draft.data = draft_data;
        s->size = draft.size;
    } else if (verdict != AIMDB_ACCEPT) {
        s->flags |= STEP_REFUSE;
        if (verdict != AIMDB_REJECT)
            side_fail(AIMDB_REJECTED, "record: its producer function returned %d, which is no verdict",
                      verdict);
    }
}

static aimdb_status_t no_data(void) {
    return side_fail(AIMDB_ERR_ARGUMENT, "data: is NULL and size is not 0");
}

/* What a value needs that is not simply enqueued. Not inline: it would take
 * registers, which those that are would have to save. */
static __attribute__((noinline)) aimdb_status_t finish(step_t *s, const void *data, size_t size) {
    if (s->result == STEP_CALL) {
        judge(s, data, size);
        GUARD(); /* it may have forked */
        SYNC_RELEASE(s->handle);
        side_drive(s, STEP_COMMIT);
    }
    return s->result == AIMDB_OK ? AIMDB_OK : answer(s);
}

/* Gives a value from outside (ANY_DATABASE) or from a callback of a database; then
 * the record must be of that, or, with STEP_WITHIN, may be of another. */
static inline aimdb_status_t give(aimdb_record_t *record, const void *data, size_t size,
                                  uint32_t depth, uint32_t database, uint32_t flags) {
    if (!data && size) return no_data();
    step_t s; /* what a step only writes is left as it is */
    s.data = data;
    s.size = size;
    s.handle = HANDLE(record);
    s.depth = depth;
    s.database = database;
    s.flags = flags;
    SYNC_RELEASE(s.handle);
    side_drive(&s, STEP_PRODUCE);
    return s.result == AIMDB_OK ? AIMDB_OK : finish(&s, data, size);
}

/* Inside a callback it is an emission. Not inline, as finish. */
static __attribute__((noinline)) aimdb_status_t emission(aimdb_record_t *record, const void *data,
                                                         size_t size) {
    return give(record, data, size, side_self.depth, side_database(), STEP_WITHIN);
}

static inline aimdb_status_t produce(aimdb_record_t *record, const void *data, size_t size) {
    if (__builtin_expect(side_self.depth != 0, 0)) return emission(record, data, size);
    return give(record, data, size, 0, ANY_DATABASE, 0);
}

aimdb_status_t aimdb_produce(aimdb_record_t *record, const void *data, size_t size) {
    GUARD();
    return produce(record, data, size);
}

/* The text of a bad "size" names the element instead. */
static aimdb_status_t of_element(aimdb_status_t status, size_t i) {
    char rest[TEXT_MAX];
    if (status != AIMDB_ERR_SIZE) return status;
    snprintf(rest, sizeof rest, "%s", side_text + strlen("size"));
    return side_fail(status, "sizes[%zu]%s", i, rest);
}

/* A batch of no values is given to a record that exists. */
static aimdb_status_t check_record(aimdb_record_t *record) {
    step_t s = {.handle = HANDLE(record)};
    side_drive(&s, STEP_PEEK);
    return s.result == AIMDB_ERR_HANDLE ? answer(&s) : AIMDB_OK;
}

aimdb_status_t aimdb_produce_batch(aimdb_record_t *record, const void *data, const size_t *sizes,
                                   size_t count, size_t *produced) {
    if (produced) *produced = 0;
    GUARD();
    if (count == 0) return check_record(record);
    NOT_NULL(sizes);
    const char *value = data;
    for (size_t i = 0; i < count; i++) {
        aimdb_status_t status = produce(record, value, sizes[i]);
        if (produced) *produced = i + (status == AIMDB_OK);
        if (status != AIMDB_OK) return of_element(status, i);
        if (value) value += sizes[i];
    }
    return AIMDB_OK;
}

aimdb_status_t aimdb_emit(aimdb_emitter_t *emitter, aimdb_record_t *record, const void *data,
                          size_t size) {
    GUARD();
    uint32_t database, depth;
    if (!side_emitter(emitter, &database, &depth))
        return side_fail(AIMDB_ERR_EMITTER,
                         emitter ? "emitter: its callback has returned, or it never was one"
                                 : "emitter: is NULL");
    if (depth < side_self.depth) depth = side_self.depth;
    return give(record, data, size, depth, database, 0);
}
