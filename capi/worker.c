// SPDX-License-Identifier: Apache-2.0

/* The library's own threads: dispatchers, workers, watchers. They are made where
 * a failure can be reported, which Go's runtime does not do. */

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "side.h"

static _Atomic uint32_t threads;

bool side_make_thread(void *(*run)(void *), void *argument, size_t stack) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    stack = (stack + 4095) & ~(size_t)4095;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t async, before;
    side_async_signals(&async);
    pthread_sigmask(SIG_BLOCK, &async, &before);
    pthread_t thread;
    bool made = pthread_attr_setstacksize(&attributes, stack) == 0 &&
                pthread_create(&thread, &attributes, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return made;
}

int32_t side_start_thread(void *(*run)(void *), void *argument, size_t stack_size) {
    if (atomic_fetch_add(&threads, 1) < AIMDB_DISPATCHERS_MAX &&
        side_make_thread(run, argument, stack_size ? stack_size : 1 << 20))
        return AIMDB_OK;
    side_thread_ended();
    return AIMDB_ERR_NO_THREADS;
}

void side_thread_ended(void) { atomic_fetch_sub(&threads, 1); }

/* The kernel's struct sched_attr, first version. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/* Whether slices may be set. A filter of system calls may kill whoever sets one,
 * and that can't be tried: so nothing is tried under a filter. */
static _Atomic bool sliced = true;

void side_no_time_slices(void) { sliced = false; }

/* Whether system calls of this thread are filtered. Asked by prctl, as its name is
 * set: a file opened here would have a number that the host may close and open
 * anew meanwhile. */
static bool is_filtered(void) { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0; }

/* Asks for short time slices, or for the usual ones. Linux 6.12 and later then lets
 * a woken thread run before the one that woke it, where both have one processor;
 * else it waits until that one sleeps: three quarters of all wake-ups take 2.7 us
 * instead of half of them. Older kernels take no notice. A policy that a callback
 * has given its thread stays. */
void side_set_time_slice(bool is_short) {
    enum { SHORT = 100000 }; /* ns, the least there is */
    if (!atomic_load_explicit(&sliced, memory_order_relaxed)) return;
    struct scheduling s = {.size = sizeof s};
    if (syscall(SYS_sched_getattr, 0, &s, sizeof s, 0) != 0 || s.policy != SCHED_OTHER) return;
    s.size = sizeof s;
    s.runtime = is_short ? SHORT : 0;
    syscall(SYS_sched_setattr, 0, &s, 0);
}

void side_begin_thread(const char *name) {
    side_self.blocked = true; /* they were when it was made */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_setname_np(pthread_self(), name);
    if (sliced && is_filtered()) side_no_time_slices();
    side_set_time_slice(true);
}
