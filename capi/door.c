// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "_cgo_export.h"
#include "side.h"

char side_sync[1024];

/* A handler of the host's that was set without SA_ONSTACK would run on a Go
 * stack, which is too small for it: while a thread is in Go no asynchronous
 * signal may reach it. Nor may it be cancelled there. */
void side_block(sigset_t *before) {
    if (side_self.entered++ == 0) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &side_self.cancel_state);
    if (side_self.blocked) return;
    sigset_t async;
    side_async_signals(&async);
    pthread_sigmask(SIG_BLOCK, &async, before);
    if (side_go_runs) side_attach();
}

void side_restore(const sigset_t *before) {
    side_left_go();
    if (!side_self.blocked) pthread_sigmask(SIG_SETMASK, before, NULL);
    if (--side_self.entered == 0) pthread_setcancelstate(side_self.cancel_state, NULL);
}

_Atomic(side_step_fn) side_direct[STEPS];

void side_open_door(int32_t op, uintptr_t address) { side_direct[op] = (side_step_fn)address; }

static void through_cgo(step_t *s, step_op_t op) {
    sigset_t before;
    if (!side_go_runs) { /* so there are no handles */
        s->result = AIMDB_ERR_HANDLE;
        s->todo = 0;
        s->count = 0;
        return;
    }
    side_block(&before);
    goStep((int32_t)op, s);
    side_restore(&before);
}

/* Does what a step has left to its driver: releases locks that others sleep
 * for, wakes, waits for a lock, writes or reads a descriptor. */
static void follow(step_t *s) {
    if (s->todo & DO_GIVE_BACK) {
        side_lock_release(s->held);
        s->held = 0;
    }
    if (s->todo & DO_RELEASE_ONE) side_lock_release(s->contended[0]);
    if (s->todo & DO_RELEASE_BOTH) side_lock_release(s->contended[1]);
    if (s->todo & DO_WAKE) side_wake(s->wake, s->wake_most);
    if (s->todo & DO_WAKE_DRAINED) side_wake(s->drained, UINT32_MAX);
    if (s->todo & DO_WAKE_CLOSINGS) side_wake(s->closings, UINT32_MAX);
    if (s->todo & DO_WAIT_LOCK && side_lock_wait(s->busy, s->owner)) s->held = s->busy;
    uint64_t count = 1; /* not by write and read, which are cancellation points: locks are held */
    if (s->result == STEP_WRITE) syscall(SYS_write, (int)s->index, &count, sizeof count);
    if (s->result == STEP_DRAIN) syscall(SYS_read, (int)s->index, &count, sizeof count);
}

static void follow_up(step_t *s, uint32_t asked, step_op_t op) {
    if (!(s->todo & asked)) return;
    int32_t result = s->result;
    uint32_t todo = s->todo;
    side_drive(s, op);
    s->result = result;
    s->todo = todo;
}

/* A producer function has outlived its database. */
static void reap(uint32_t database) {
    sigset_t before;
    side_block(&before);
    goReap(database);
    side_restore(&before);
}

/* Settles a step that the direct door has run, or runs it through cgo, and
 * again while it asks for that. */
void side_settle(step_t *s, step_op_t op) {
    side_step_fn direct = side_direct[op];
    if (!direct) through_cgo(s, op);
    for (follow(s); s->todo & DO_COME_AGAIN; follow(s)) {
        if (direct)
            direct(s);
        else
            through_cgo(s, op);
    }
    follow_up(s, DO_NOTIFY, STEP_NOTIFY);
    follow_up(s, DO_REARM, STEP_REARM);
    follow_up(s, DO_READY, STEP_READY);
    if (s->todo & DO_REAP) reap(s->database);
}
