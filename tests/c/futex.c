// SPDX-License-Identifier: Apache-2.0
//
// A kernel that refuses futex calls: waits become short naps, not endless loops, and
// nothing else changes. The library's own waits on a kernel of this program's; then a
// sandbox that is set up while the library runs.

#define _GNU_SOURCE
#include "test.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

static int refusal;   /* the answer to every futex call; 0: as the kernel's */
static _Atomic long calls;

static long fake_syscall(long number, void *address, int op, uint32_t value, const void *timeout, void *a, int b) {
    calls++;
    if (refusal) {
        errno = refusal;
        return -1;
    }
    return syscall(number, address, op, value, timeout, a, b);
}

#define syscall fake_syscall
#define side_inherit its_side_inherit
#include "../../capi/futex.c"
#undef syscall
#undef side_inherit

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * AIMDB_SECOND + t.tv_nsec;
}

static const int refusals[] = {ENOSYS, EPERM, EACCES, EINVAL, EFAULT, ENOMEM, EDEADLK};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

/* As receive.c waits: until the time is over. */
static void a_refused_sleep_keeps_its_time_and_asks_once_a_millisecond(void) {
    uint32_t word = 1;
    for (int i = 0; i < REFUSALS; i++) {
        refusal = refusals[i];
        calls = 0;
        int64_t end = now_ns() + 50 * AIMDB_MILLISECOND, left;
        while ((left = end - now_ns()) > 0 && side_sleep((uintptr_t)&word, 1, left)) {}
        REQUIRE(now_ns() >= end);
        REQUIRE(calls >= 1 && calls <= 51);
    }
    refusal = 0;
    REQUIRE(!side_sleep((uintptr_t)&word, 1, AIMDB_MILLISECOND));
    REQUIRE(side_sleep((uintptr_t)&word, 0, AIMDB_FOREVER));
}

static void the_refusal_is_told_once(void) {
    REQUIRE(side_futex_fault() == refusals[REFUSALS - 1]);
    REQUIRE(side_futex_fault() == 0);
}

/* The owner frees the lock by itself, as nobody could say that it waits. */
static void a_refused_lock_is_asked_for_at_intervals_and_released(void) {
    for (int inherit = 0; inherit < 2; inherit++) {
        its_side_inherit = inherit;
        for (int i = 0; i < REFUSALS; i++) {
            _Atomic uint32_t lock = 77;
            refusal = refusals[i];
            calls = 0;
            int64_t begun = now_ns();
            for (int n = 0; n < 20; n++) REQUIRE(!side_lock_wait((uintptr_t)&lock, 78));
            REQUIRE(now_ns() - begun >= 20 * 50 * AIMDB_MICROSECOND);
            REQUIRE(calls == 20);
            side_lock_release((uintptr_t)&lock);
            REQUIRE(lock == 0);
        }
    }
    refusal = 0;
    its_side_inherit = false;
}

enum { THREADS = 4, VALUES = 20000 };
static _Atomic int fault_lines;
static void keep_line(aimdb_log_level_t level, const char *text, void *user) {
    UNUSED(user);
    if (strstr(text, "futex")) REQUIRE(level == AIMDB_LOG_WARNING && ++fault_lines == 1);
}

static aimdb_record_t *record;
static void *produce_values(void *unused) {
    for (uint64_t n = 0; n < VALUES; n++) OK(put(record, n));
    return unused;
}
static _Atomic uint64_t delivered;
static int count(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    delivered++;
    return 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

/* From now on the kernel refuses two of the futex calls, to all threads. */
static void refuse(uint32_t one, uint32_t other) {
    struct sock_filter filter[] = {
        LOAD(nr),
        IS(SYS_futex, 0, 4),
        LOAD(args[1]),
        IS(one, 1, 0),
        IS(other, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
    uint32_t word = 0;
    REQUIRE(syscall(SYS_futex, &word, one, 1, NULL, NULL, 0) == -1 && errno == ENOSYS);
}

/* Values come as before. */
static void produce_after(uint32_t one, uint32_t other) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log = keep_line;
    aimdb_t *db;
    OK(aimdb_create(&config, &db));
    record = add(db, "r", AIMDB_RING, 64);
    delivered = 0;
    aimdb_consumer_t *consumer = consume(record, count, NULL, NULL);
    OK(aimdb_start(db));
    OK(put(record, 0));
    while (delivered == 0) sched_yield();
    refuse(one, other);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, produce_values, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    while (stats_of(consumer).pending) sched_yield();
    aimdb_consumer_stats_t s = stats_of(consumer);
    REQUIRE(s.offered == 1 + THREADS * (uint64_t)VALUES && s.delivered == delivered);
    end_database(db);
}

/* Locks were made to inherit priority, and then the kernel refuses it. */
static void a_sandbox_without_locks_that_inherit_priority(void) {
    produce_after(FUTEX_LOCK_PI_PRIVATE, FUTEX_UNLOCK_PI_PRIVATE);
}

static void a_sandbox_without_waits_is_told_once(void) {
    produce_after(FUTEX_WAIT_PRIVATE, FUTEX_WAIT_PRIVATE);
    REQUIRE(fault_lines == 1);
}

int main(void) {
    RUN(a_refused_sleep_keeps_its_time_and_asks_once_a_millisecond);
    RUN(the_refusal_is_told_once);
    RUN(a_refused_lock_is_asked_for_at_intervals_and_released);
    RUN(a_sandbox_without_locks_that_inherit_priority);
    RUN(a_sandbox_without_waits_is_told_once);
    return 0;
}
