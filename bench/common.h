// SPDX-License-Identifier: Apache-2.0
//
// What every benchmark program shares: the clock, the line that reports a
// figure, and the account of what the consumers saw. The scenarios are in
// scenarios.h; a system joins them with the five functions below.

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { CONSUMERS_MAX = 8, SAMPLES_MAX = 20000 };

// How a system is set up for a scenario.
typedef enum shape {
    STREAM,   // every value in order to every consumer
    LATEST,   // the newest value, read by the thread that pushes
    MAILBOXES // two one-value boxes and a thread that echoes the first into the second
} shape_t;
typedef struct setup {
    shape_t shape;
    bool sleeps;     // consumers must sleep while there is nothing
    int consumers;   // each calls received() for every value it gets
    size_t size;     // bytes of every value, a multiple of 8
    size_t capacity; // values that a consumer may be behind
} setup_t;

// What a system offers. One thread calls these.
bool system_open(const setup_t *setup); // false: it has no such thing
void system_push(const void *data, size_t size);
void system_read(void *data, size_t size); // LATEST
void system_roundtrips(uint64_t count);    // MAILBOXES: of 64-byte values, checked
void system_close(void);                   // consumers end
const char *system_version(void);

// Ends the program: the system did not do what is measured.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Ends the program: the system can't take part here.
_Noreturn void skip(const char *reason);

void report(const char *scenario, const char *metric, double value, const char *unit);
void report_percentiles(const char *scenario, uint64_t *samples, size_t count); // sorts
uint64_t median(uint64_t *values, size_t count);                                // sorts
uint64_t resident(void);         // KiB of this process
uint64_t resident_nothing(void); // KiB of a process that does nothing
void *aligned_memory(size_t size);

// While true, calls to malloc and its kin are counted.
extern _Atomic bool counting;
extern _Atomic uint64_t allocations;

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline uint64_t now(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
void patience(unsigned *tries); // relaxes a while, then yields the processor

// Values. The first word is the number of the value and the last word repeats
// it, so that a torn one is seen; in WAKE the second is the time of sending.
// Numbers from PROBE on are probes, which scenarios send to know that every
// consumer is there.
#define PROBE (UINT64_C(1) << 63)
static inline uint64_t word(const void *data, size_t offset) {
    uint64_t w;
    memcpy(&w, (const char *)data + offset, sizeof w);
    return w;
}
static inline void stamp(void *data, size_t size, uint64_t number) {
    memcpy(data, &number, sizeof number);
    memcpy((char *)data + size - sizeof number, &number, sizeof number);
}

// What one consumer saw. Its thread writes, the producer's reads.
typedef struct account {
    _Alignas(128) _Atomic uint64_t got; // values received
    _Atomic uint64_t probe;             // the newest probe seen
    _Atomic uint64_t next;              // the number expected next
    uint64_t slept;                     // WAKE: values for which its thread had slept
} account_t;

typedef enum expectation {
    LOSSLESS, // every number
    LOSSY,    // rising numbers
    WAKE      // every number, and when it arrived
} expectation_t;
extern _Atomic expectation_t expectation; // set while nothing is on its way
extern account_t accounts[CONSUMERS_MAX];
extern uint64_t samples[SAMPLES_MAX]; // WAKE: ns from before the push to received()

bool slept_since(void); // whether this thread has slept since it last asked

// Every consumer calls this with each value; it is the callback of the
// scenarios.
static inline void received(int consumer, const void *data, size_t size) {
    expectation_t expect = atomic_load_explicit(&expectation, memory_order_relaxed);
    uint64_t arrived = expect == WAKE ? now() : 0;
    account_t *a = &accounts[consumer];
    uint64_t number = word(data, 0),
             expected = atomic_load_explicit(&a->next, memory_order_relaxed);

    if (word(data, size - 8) != number)
        fail("consumer %d: value %lu is torn", consumer, (unsigned long)number);
    if (number >= PROBE) {
        atomic_store_explicit(&a->probe, number, memory_order_release);
        return;
    }
    if (expect == LOSSY ? number < expected : number != expected)
        fail("consumer %d: got value %lu where %lu was due", consumer, (unsigned long)number,
             (unsigned long)expected);
    if (expect == WAKE && number < SAMPLES_MAX) {
        samples[number] = arrived - word(data, 8);
        a->slept += slept_since();
    }
    atomic_store_explicit(&a->next, number + 1, memory_order_relaxed);
    uint64_t got = atomic_load_explicit(&a->got, memory_order_relaxed);
    atomic_store_explicit(&a->got, got + 1, memory_order_release);
}

#endif
