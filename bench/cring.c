// SPDX-License-Identifier: Apache-2.0
//
// The floor: a ring of seqlock slots in plain C11, one producer, many readers.
// Each slot holds the number of its value; a reader copies the value out and
// looks at the number again. Readers poll.
//
// With LOCKED, the fair floor: it has also what a library can't do without, a
// lock among producers, and readers that sleep: one exchange unlocks and is
// the full fence between the push and the look at who sleeps.

#include "common.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef LOCKED
enum { IS_LOCKED = 1 };
#else
enum { IS_LOCKED = 0 };
#endif

enum { SPINS = 32 }; // before sleeping: at most about a microsecond

typedef struct slot {
    _Atomic uint64_t number;
    uint64_t size;
    unsigned char data[];
} slot_t;

static unsigned char *slots;
static size_t stride, mask, bytes;
static int readers;
static bool polls;
static pthread_t threads[CONSUMERS_MAX];
static _Atomic bool ended;
static uint64_t seen; // LATEST

static _Alignas(128) _Atomic uint64_t tail;
static _Alignas(128) _Atomic uint32_t lock;
static _Alignas(128) _Atomic uint32_t sleeping, event;

static inline slot_t *slot_of(uint64_t number) {
    return (slot_t *)(slots + (number & mask) * stride);
}

// A size known when compiling makes the copy a few instructions.
static inline void copy(void *to, const void *from, size_t size) {
    if (size == 64)
        memcpy(to, from, 64);
    else
        memcpy(to, from, size);
}

static void wake_all(void) {
    atomic_fetch_add(&event, 1);
    syscall(SYS_futex, &event, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void system_push(const void *data, size_t size) {
    uint32_t free = 0;
    if (IS_LOCKED)
        while (!atomic_compare_exchange_weak_explicit(&lock, &free, 1, memory_order_acquire,
                                                      memory_order_relaxed))
            free = 0, sched_yield();
    uint64_t number = atomic_load_explicit(&tail, memory_order_relaxed);
    slot_t *s = slot_of(number);
    atomic_store_explicit(&s->number, UINT64_MAX, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    copy(s->data, data, size);
    s->size = size;
    atomic_store_explicit(&s->number, number, memory_order_release);
    atomic_store_explicit(&tail, number + 1, memory_order_release);
    if (IS_LOCKED) {
        atomic_exchange(&lock, 0);
        if (atomic_load(&sleeping)) wake_all();
    }
}

// Copies value `number` out; false if it is overwritten.
static inline bool take(uint64_t number, void *out, size_t *size) {
    slot_t *s = slot_of(number);
    if (atomic_load_explicit(&s->number, memory_order_acquire) != number) return false;
    size_t length = s->size;
    if (length > bytes) return false;
    copy(out, s->data, length);
    *size = length;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&s->number, memory_order_relaxed) == number;
}

static inline bool nothing_after(uint64_t cursor) {
    return atomic_load(&tail) == cursor && !atomic_load(&ended);
}

static void wait_after(uint64_t cursor) {
    for (int i = 0; i < SPINS; i++, relax())
        if (!nothing_after(cursor)) return;
    if (polls) {
        sched_yield();
        return;
    }
    uint32_t e = atomic_load(&event);
    atomic_fetch_add(&sleeping, 1);
    if (nothing_after(cursor)) syscall(SYS_futex, &event, FUTEX_WAIT_PRIVATE, e, NULL, NULL, 0);
    atomic_fetch_sub(&sleeping, 1);
}

static void *read_all(void *consumer) {
    size_t size, capacity = mask + 1;
    unsigned char *out = aligned_memory(bytes);
    for (uint64_t cursor = 0;;) {
        uint64_t end = atomic_load_explicit(&tail, memory_order_acquire);
        if (cursor == end) {
            if (atomic_load(&ended)) break;
            wait_after(cursor);
        } else if (end - cursor > capacity) {
            cursor =
                end - capacity / 2; // lagged; were it the oldest, it would be lapped again at once
        } else if (take(cursor, out, &size)) {
            received((int)(intptr_t)consumer, out, size);
            cursor++;
        }
    }
    free(out);
    return NULL;
}

bool system_open(const setup_t *setup) {
    polls = !IS_LOCKED;
    if (setup->shape == MAILBOXES || (polls && setup->sleeps)) return false;
    size_t capacity = setup->shape == LATEST ? 4 : setup->capacity; // powers of two
    bytes = setup->size, mask = capacity - 1;
    stride = (sizeof(slot_t) + bytes + 63) / 64 * 64;
    slots = aligned_memory(capacity * stride);
    for (size_t i = 0; i < capacity; i++) slot_of(i)->number = UINT64_MAX;
    for (; readers < setup->consumers; readers++)
        if (pthread_create(&threads[readers], NULL, read_all, (void *)(intptr_t)readers))
            fail("no thread");
    return true;
}

void system_read(void *data, size_t size) {
    uint64_t end;
    do end = atomic_load_explicit(&tail, memory_order_acquire);
    while (end == seen || !take(end - 1, data, &size));
    seen = end;
}

void system_roundtrips(uint64_t count) {
    fail("no %lu", (unsigned long)count);
}

void system_close(void) {
    atomic_store(&ended, true);
    wake_all();
    for (int i = 0; i < readers; i++) pthread_join(threads[i], NULL);
}

const char *system_version(void) {
    return "gcc " __VERSION__;
}

#include "scenarios.h"
