// SPDX-License-Identifier: Apache-2.0

/* Calls that wait (close, unsubscribe) do so here and not in Go: meanwhile the
 * thread takes signals as the program has it, and holds no thread of Go's. */

#define _GNU_SOURCE
#include "_cgo_export.h"
#include "side.h"

static int32_t go_on(side_wait_t *wait, aimdb_consumer_stats_t *last) {
    sigset_t before;
    side_block(&before);
    SYNC_RELEASE(SYNC_LIFECYCLE);
    int32_t status = goGoOn(wait, last, side_text);
    SYNC_ACQUIRE(SYNC_LIFECYCLE);
    side_restore(&before);
    return status;
}

/* Goes on with a call until it answers something else than STEP_SLEEP. */
aimdb_status_t side_await(side_wait_t *wait, aimdb_status_t status, aimdb_consumer_stats_t *last) {
    while ((int32_t)status == STEP_SLEEP) {
        side_sleep(wait->word, wait->expected, wait->left);
        status = (aimdb_status_t)go_on(wait, last);
    }
    return status;
}

/* The rest of a close that was called from inside a callback. */
static void *run(void *call) {
    side_wait_t wait = {.call = HANDLE(call)};
    side_begin_thread("aimdb:closing");
    side_await(&wait, (aimdb_status_t)go_on(&wait, NULL), NULL);
    side_thread_ended();
    return NULL;
}

int32_t side_start_closing(uint64_t call) { return side_start_thread(run, (void *)(uintptr_t)call, 0); }
