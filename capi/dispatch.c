// SPDX-License-Identifier: Apache-2.0

/* The dispatcher of a callback consumer: a thread of its own. */

#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "side.h"

static _Atomic uint32_t dispatchers;

static void report(side_consumer_t *c, uint64_t lagged, uint64_t failures) {
    goReport(c->go, lagged, failures);
}

static void tell_lag(side_consumer_t *c, step_t *s) {
    report(c, s->lost, 0);
    if (c->on_lag) {
        aimdb_emitter_t *emitter = side_enter(c->database);
        c->on_lag(emitter, (aimdb_record_t *)(uintptr_t)c->record, s->lost, c->user);
        side_leave();
    }
    s->flags |= STEP_RESUMED;
}

static void deliver(side_consumer_t *c, step_t *s, int64_t *begun) {
    SYNC_ACQUIRE(c->record);
    int failed = c->fn(side_enter(c->database), &c->messages[s->index], c->user);
    side_leave();
    int64_t now = side_now();
    s->elapsed = (uint64_t)(now - *begun);
    *begun = now;
    s->flags |= STEP_ENDED;
    if (failed) {
        s->flags |= STEP_FAILED;
        report(c, 0, 1);
    }
}

/* Takes values, calls, sleeps in between: the twin of core/drive.go's. The end
 * of one callback is the beginning of the next, but for sleeps. */
static void dispatch(side_consumer_t *c) {
    step_t s = {.data = c->buffer, .size = c->room, .messages = c->messages, .max = c->values,
                .distance = sizeof *c->messages, .handle = c->handle};
    int64_t begun = side_now();
    for (;;) {
        s.flags |= STEP_WAIT;
        side_drive(&s, STEP_NEXT);
        switch (s.result) {
        case AIMDB_OK:
            deliver(c, &s, &begun);
            break;
        case AIMDB_LAGGED:
            tell_lag(c, &s);
            begun = side_now();
            break;
        case STEP_SLEEP:
            side_sleep(s.event, s.expected, AIMDB_FOREVER);
            begun = side_now();
            break;
        default:
            return;
        }
    }
}

static void discard(side_consumer_t *c) {
    free(c->messages);
    free(c->buffer);
    free(c);
}

static void *run(void *argument) {
    side_consumer_t *c = argument;
    sigset_t before;
    side_block(&before);
    side_self.blocked = true;
    pthread_setname_np(pthread_self(), c->name);
    SYNC_ACQUIRE(SYNC_LIFECYCLE);
    dispatch(c);
    side_free(c->free, c->user);
#ifdef FAULT_FREE_TWICE
    side_free(c->free, c->user);
#endif
    SYNC_RELEASE(SYNC_LIFECYCLE);
    atomic_fetch_sub(&dispatchers, 1);
    goEnded(c->go);
    discard(c);
    return NULL;
}

static bool start_thread(side_consumer_t *c) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    size_t stack = c->stack_size ? c->stack_size : 1 << 20;
    stack = (stack + 4095) & ~(size_t)4095;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t async, before;
    side_async_signals(&async);
    pthread_sigmask(SIG_BLOCK, &async, &before);
    pthread_t thread;
    bool made = pthread_attr_setstacksize(&attributes, stack) == 0 &&
                pthread_create(&thread, &attributes, run, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return made;
}

/* Everything a dispatcher needs is taken here, where it can be refused; its
 * frames come from the table that side_frames makes sure of. */
int32_t side_dispatch(side_consumer_t *given) {
    if (atomic_fetch_add(&dispatchers, 1) >= AIMDB_DISPATCHERS_MAX) {
        atomic_fetch_sub(&dispatchers, 1);
        return AIMDB_ERR_NO_THREADS;
    }
    int32_t status = AIMDB_ERR_NO_MEMORY;
    side_consumer_t *c = malloc(sizeof *c);
    if (c) {
        *c = *given;
        c->buffer = c->room >= SIZE_MAX ? NULL : malloc((size_t)c->room + 1);
        c->messages = calloc((size_t)c->values, sizeof *c->messages);
        if (c->buffer && c->messages && side_frames()) {
            if (start_thread(c)) return AIMDB_OK;
            status = AIMDB_ERR_NO_THREADS;
        }
        discard(c);
    }
    atomic_fetch_sub(&dispatchers, 1);
    return status;
}
