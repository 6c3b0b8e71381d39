// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "side.h"

bool side_inherit;

struct wide_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

static long futex(uint64_t word, int op, uint32_t value, const struct wide_timespec *timeout) {
    void *address = (void *)(uintptr_t)word;
    long result;
    if (inject_futex(op, &result)) return result;
#ifdef SYS_futex_time64 /* 32-bit: times after 2038 */
    result = syscall(SYS_futex_time64, address, op, value, timeout, NULL, 0);
    if (result != -1 || errno != ENOSYS) return result;
    struct { /* whatever the C library's time_t is */
        long tv_sec;
        long tv_nsec;
    } narrow, *limit = NULL;
    if (timeout) {
        narrow.tv_sec = (long)timeout->tv_sec;
        narrow.tv_nsec = (long)timeout->tv_nsec;
        limit = &narrow;
    }
    return syscall(SYS_futex, address, op, value, limit, NULL, 0);
#else
    return syscall(SYS_futex, address, op, value, timeout, NULL, 0);
#endif
}

/* What the kernel answers to a wait that is as it should be: the word was another,
 * a signal came, the time is over, the owner of a lock is ending. Any other answer,
 * as of a system-call filter that is set up while the program runs, may come again
 * at once, however often it is asked. */
static bool is_usual(int error) {
    return error == EAGAIN || error == EINTR || error == ETIMEDOUT || error == ESRCH;
}

static _Atomic int fault;
static _Atomic bool told;

int side_futex_fault(void) {
    int error = atomic_load_explicit(&fault, memory_order_relaxed);
    return error == 0 || atomic_exchange(&told, true) ? 0 : error;
}

/* In the place of a wait that the kernel refuses: the caller looks again soon. */
static void nap(int error, int64_t ns) {
    if (!is_usual(error)) atomic_store_explicit(&fault, error, memory_order_relaxed);
    struct timespec t = {0, (long)ns};
    sched_yield();
    nanosleep(&t, NULL);
}

static const int64_t SLEEP_NAP = AIMDB_MILLISECOND, LOCK_NAP = 50 * AIMDB_MICROSECOND;

bool side_sleep(uint64_t word, uint32_t expected, int64_t timeout_ns) {
    struct wide_timespec limit = {timeout_ns / AIMDB_SECOND, timeout_ns % AIMDB_SECOND};
    if (limit.tv_sec > INT32_MAX) limit.tv_sec = INT32_MAX;
    if (timeout_ns <= 0) return false;
    long result = futex(word, FUTEX_WAIT_PRIVATE, expected,
                        timeout_ns == AIMDB_FOREVER ? NULL : &limit);
    if (result == 0 || is_usual(errno)) return result == 0 || errno != ETIMEDOUT;
    nap(errno, timeout_ns < SLEEP_NAP ? timeout_ns : SLEEP_NAP);
    return timeout_ns > SLEEP_NAP;
}

void side_wake(uint64_t word, uint32_t most) {
    futex(word, FUTEX_WAKE_PRIVATE, most > INT_MAX ? INT_MAX : most, NULL);
}

/* The lock's word is core/park.Lock's: the kernel's own format of an owner and
 * the bit FUTEX_WAITERS. */
static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* Locks are held for less than a sleep and a wake-up take: at most a microsecond
 * is waited for that. */
static bool comes_free(uint64_t lock) {
    const _Atomic uint32_t *word = (const _Atomic uint32_t *)(uintptr_t)lock;
    for (int i = 0; i < 20; i++) {
        if (atomic_load_explicit(word, memory_order_relaxed) == 0) return true;
        pause_briefly();
    }
    return false;
}

bool side_lock_wait(uint64_t lock, uint32_t owner) {
    (void)owner;
    if (comes_free(lock)) return false;
    if (side_inherit) {
        if (futex(lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0) return true;
        nap(errno, LOCK_NAP);
        return false;
    }
    _Atomic uint32_t *word = (_Atomic uint32_t *)(uintptr_t)lock;
    uint32_t seen = atomic_load(word);
    if (seen != 0 && ((seen & FUTEX_WAITERS) ||
                      atomic_compare_exchange_strong(word, &seen, seen | FUTEX_WAITERS)))
        if (futex(lock, FUTEX_WAIT_PRIVATE, seen | FUTEX_WAITERS, NULL) != 0 && !is_usual(errno))
            nap(errno, LOCK_NAP);
    return false;
}

void side_lock_release(uint64_t lock) {
    if (side_inherit && futex(lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0) return;
    atomic_store((_Atomic uint32_t *)(uintptr_t)lock, 0);
    futex(lock, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
}
