// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "_cgo_export.h"
#include "side.h"

#if defined(__SANITIZE_THREAD__)
char side_sync[1024];
#endif

int64_t side_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * AIMDB_SECOND + t.tv_nsec;
}

/* A handler of the host's that was set without SA_ONSTACK would run on a Go
 * stack, which is too small for it: while a thread is in Go no asynchronous
 * signal may reach it. */
void side_block(sigset_t *before) {
    if (side_self.blocked) return;
    sigset_t async;
    side_async_signals(&async);
    pthread_sigmask(SIG_BLOCK, &async, before);
    if (!side_self.attached) { /* Go unblocks some (SIGCHLD) when it first sees a thread */
        side_self.attached = true;
        goAttach();
        pthread_sigmask(SIG_BLOCK, &async, NULL);
    }
}

void side_restore(const sigset_t *before) {
    if (!side_self.blocked) pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Runs a step to its end, as core/drive.go does for goroutines: waits for
 * locks, releases those that others sleep for, wakes. */
void side_drive(step_t *s, int op) {
    s->owner = side_tid();
    sigset_t before;
    do {
        side_block(&before);
        goStep(op, s);
        side_restore(&before);
        uint64_t release[] = {s->held, s->contended[0], s->contended[1]};
        s->held = 0;
        for (int i = 0; i < 3; i++)
            if (release[i]) side_lock_release(release[i]);
        if (s->wake) side_wake(s->wake, s->wake_most);
        if (s->drained) side_wake(s->drained, UINT32_MAX);
        if (s->result == STEP_BUSY && s->busy && side_lock_wait(s->busy, s->owner))
            s->held = s->busy;
    } while (s->result == STEP_BUSY);
    if (s->notify) {
        side_block(&before);
        goNotify(s->notify);
        side_restore(&before);
    }
}
