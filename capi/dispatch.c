// SPDX-License-Identifier: Apache-2.0

/* Callback consumers: delivering, and the thread that one has of its own. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>

#include "_cgo_export.h"
#include "side.h"

static const int64_t LOG_INTERVAL = AIMDB_SECOND;

bool side_owes(const side_consumer_t *c) { return c->lagged || c->failures; }

int64_t side_log_due(const side_consumer_t *c) { return c->logged ? c->logged + LOG_INTERVAL : 0; }

/* Losses and failures are summed, and logged once in LOG_INTERVAL at most. */
void side_log_losses(side_consumer_t *c) {
    side_owe_no_more(c);
    if (!side_owes(c)) return;
    GO(goLogLosses(c->go, c->lagged, c->failures));
    c->lagged = c->failures = 0;
    c->logged = side_now();
}

static void log_in_time(side_consumer_t *c) {
    if (side_watch_ns(&c->watch) >= side_log_due(c)) side_log_losses(c);
}

/* The log comes after: its function may take its time, and the call that the step
 * has decided on is to begin. */
static void tell_lag(side_consumer_t *c, step_t *s) {
    c->lagged += s->lost;
    if (c->on_lag) {
        aimdb_emitter_t *emitter = side_enter(c->database);
        c->on_lag(emitter, (aimdb_record_t *)(uintptr_t)c->record, s->lost, c->user);
        side_leave(emitter);
        side_end_child();
    }
    log_in_time(c);
    s->flags |= STEP_RESUMED;
    side_watch_start(&c->watch);
}

static void deliver(side_consumer_t *c, step_t *s) {
    SYNC_ACQUIRE(c->record);
    aimdb_emitter_t *emitter = side_enter(c->database);
    int failed = c->fn(emitter, &c->messages[s->index], c->user);
    side_leave(emitter);
    side_end_child();
    s->elapsed = (uint64_t)side_watch_lap(&c->watch);
    s->flags |= STEP_ENDED;
    if (failed) {
        s->flags |= STEP_FAILED;
        c->failures++;
        log_in_time(c);
    }
}

/* Makes the call that a step NEXT has answered; false if there is none. The end
 * of one callback is the beginning of the next, but for sleeps. */
bool side_deliver(side_consumer_t *c) {
    switch (c->step.result) {
    case AIMDB_OK:
        deliver(c, &c->step);
        return true;
    case AIMDB_LAGGED:
        tell_lag(c, &c->step);
        return true;
    }
    return false;
}

/* Sleeps shorter than this do not pay; after one that is longer than that, they
 * are taken to do so again. */
static const int64_t SHORT_SLEEP = 10 * AIMDB_MICROSECOND, LONG_SLEEP = 50 * AIMDB_MICROSECOND;

/* Looks for a value, and announces that it will sleep if there is none. If its
 * sleeps are short, it first gives its turn away, once: with more threads
 * than processors producers then go on, and the next look finds many values;
 * else each value is a wake-up and a change of threads, which takes eight
 * consumers on two processors ten times as long. Not after a long sleep, as a
 * thread that has given its turn away is woken later. */
static void look(side_consumer_t *c) {
    step_t *s = &c->step;
    if (c->short_sleep) {
        s->flags &= ~(uint32_t)STEP_WAIT;
        side_drive(s, STEP_NEXT);
        if (s->result != AIMDB_EMPTY) return;
        sched_yield();
    }
    s->flags |= STEP_WAIT;
    side_drive(s, STEP_NEXT);
}

/* Sleeps, but for a log line whose time comes meanwhile. */
static void sleep_and_log(side_consumer_t *c, int64_t now) {
    const step_t *s = &c->step;
    if (side_owes(c)) {
        if (side_sleep(s->event, s->expected, side_log_due(c) - now)) return;
        side_log_losses(c);
    }
    side_sleep(s->event, s->expected, AIMDB_FOREVER);
}

static void sleep_until_woken(side_consumer_t *c) {
    int64_t before = side_watch_ns(&c->watch);
    sleep_and_log(c, before);
    int error = side_futex_fault();
    if (error) GO(goFutexFault(c->go, error));
    side_watch_start(&c->watch);
    int64_t slept = c->watch.ns - before;
    if (c->short_sleep ? slept > LONG_SLEEP : slept < SHORT_SLEEP) {
        c->short_sleep = !c->short_sleep;
        side_set_time_slice(!c->short_sleep); /* one that goes on often is not to interrupt others */
    }
}

/* Takes values, calls, sleeps in between: the twin of core/drive.go's. */
static void dispatch(side_consumer_t *c) {
    side_watch_start(&c->watch);
    do {
        look(c);
        if (c->step.result == STEP_SLEEP) sleep_until_woken(c);
    } while (c->step.result == STEP_SLEEP || side_deliver(c));
}

static void discard(side_consumer_t *c) {
    if (c->callbacks) side_give_callbacks(c->callbacks);
    free(c->messages);
    free(c->buffer);
    free(c);
}

/* After the last callback. */
void side_end(side_consumer_t *c) {
    side_log_losses(c);
    side_free(c->free, c->user);
#ifdef FAULT_FREE_TWICE
    side_free(c->free, c->user);
#endif
    SYNC_RELEASE(SYNC_LIFECYCLE);
    if (!c->shared) side_thread_ended();
    GO(goEnded(c->go));
    discard(c);
}

static void *run(void *argument) {
    side_consumer_t *c = argument;
    side_begin_thread(c->name);
    side_self.callbacks = c->callbacks;
    SYNC_ACQUIRE(SYNC_LIFECYCLE);
    dispatch(c);
    side_end(c);
    return NULL;
}

/* Everything a consumer needs is taken here, where it can be refused. */
static side_consumer_t *prepare(const side_consumer_t *given) {
    side_consumer_t *c = malloc(sizeof *c);
    if (!c) return NULL;
    *c = *given;
    c->buffer = c->room >= SIZE_MAX ? NULL : malloc((size_t)c->room + 1);
    c->messages = calloc((size_t)c->values, sizeof *c->messages);
    c->callbacks = c->shared ? NULL : side_take_callbacks();
    if (!c->buffer || !c->messages || !(c->shared || c->callbacks)) {
        discard(c);
        return NULL;
    }
    c->step = (step_t){.data = c->buffer, .size = c->room, .messages = c->messages,
                       .max = c->values, .distance = sizeof *c->messages, .ahead = true,
                       .handle = c->handle, .database = c->database};
    return c;
}

int32_t side_dispatch(const side_consumer_t *given, uint64_t *driver) {
    side_consumer_t *c = prepare(given);
    if (!c) return AIMDB_ERR_NO_MEMORY;
    *driver = HANDLE(c);
    if (c->shared) { /* the workers of the pool do the rest */
        SYNC_RELEASE(SYNC_LIFECYCLE);
        return AIMDB_OK;
    }
    int32_t status = side_start_thread(run, c, c->stack_size);
    if (status != AIMDB_OK) discard(c);
    return status;
}
