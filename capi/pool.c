// SPDX-License-Identifier: Apache-2.0

/* The workers of shared consumers, and their watcher: core/pool.go's in C. */

#define _GNU_SOURCE
#include <stdlib.h>

#include "_cgo_export.h"
#include "side.h"

static const int64_t STALL_LIMIT = 10 * AIMDB_MILLISECOND;

/* Has a step of its own: with it the consumer, and its step, become another
 * worker's. */
static void rest(side_consumer_t *c, uint32_t more) {
    side_report(c);
    step_t s = {.handle = c->handle, .database = c->database, .flags = c->step.flags | more,
                .elapsed = c->step.elapsed};
    c->step.flags = 0;
    SYNC_RELEASE(SYNC_LIFECYCLE);
    side_drive(&s, STEP_REST);
}

/* A worker's turn with a consumer. */
static void serve(side_consumer_t *c) {
    SYNC_ACQUIRE(SYNC_LIFECYCLE);
    side_watch_start(&c->watch);
    for (int i = 0; i < SIDE_SHARE; i++) {
        side_drive(&c->step, STEP_NEXT);
        if (c->step.result == AIMDB_EMPTY) {
            rest(c, 0);
            return;
        }
        if (!side_deliver(c)) {
            side_end(c);
            return;
        }
    }
    rest(c, STEP_MORE);
}

static void work(const side_worker_t *w) {
    step_t s = {.handle = w->database};
    for (;;) {
        side_drive(&s, STEP_TAKE);
        if (s.result == AIMDB_OK)
            serve((side_consumer_t *)(uintptr_t)s.user);
        else if (s.result == STEP_SLEEP)
            side_sleep(s.event, s.expected, AIMDB_FOREVER);
        else
            return;
    }
}

static void watch(const side_worker_t *w) {
    step_t s = {.handle = w->database};
    for (;;) {
        side_drive(&s, STEP_WATCH);
        if (s.result == STEP_SLEEP)
            side_sleep(s.event, s.expected, AIMDB_FOREVER);
        else if (s.result == AIMDB_TIMEOUT)
            side_sleep(s.event, s.expected, STALL_LIMIT);
        else if (s.result == AIMDB_BLOCKED) {
            side_attach();
            goAddWorker(w->go);
        }
        else
            return;
    }
}

static void *run(void *argument) {
    side_worker_t w = *(side_worker_t *)argument;
    free(argument);
    side_begin_thread(w.watcher ? "aimdb:watcher" : "aimdb:worker");
    if (w.watcher) {
        watch(&w);
    } else {
        side_self.callbacks = w.callbacks;
        work(&w);
        side_give_callbacks(w.callbacks);
    }
    side_thread_ended();
    side_attach();
    goWorkerLeft(w.go);
    return NULL;
}

int32_t side_start_worker(uint64_t database, uint64_t go, bool watcher) {
    side_worker_t *w = malloc(sizeof *w);
    struct callbacks *callbacks = watcher ? NULL : side_take_callbacks();
    int32_t status = AIMDB_ERR_NO_MEMORY;
    if (w && (watcher || callbacks)) {
        *w = (side_worker_t){database, go, watcher, callbacks};
        status = side_start_thread(run, w, 0);
        if (status == AIMDB_OK) return AIMDB_OK;
    }
    if (callbacks) side_give_callbacks(callbacks);
    free(w);
    return status;
}
