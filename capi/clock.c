// SPDX-License-Identifier: Apache-2.0

/* The clock that callbacks are timed with. clock_gettime costs as much as all
 * the rest of a delivery (20 ns); the counter it reads, less than half of that.
 * So time is told from the counter, beginning at a reading of both that is at
 * most ANCHOR_AGE old: what the scale is off by stays below a nanosecond, once it
 * has been measured over some milliseconds. The two are compared with each other:
 * a counter that jumps, or runs at another rate, is measured anew. */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "side.h"

enum { SHIFT = 24 };
static const int64_t ANCHOR_AGE = 100 * AIMDB_MICROSECOND;

/* ns in a tick << SHIFT; 0: the counter is not used, ticks are ns. */
static _Atomic uint64_t scale;

int64_t side_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * AIMDB_SECOND + t.tv_nsec;
}

static inline uint64_t counter(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
}

/* Processors may be a few ticks apart. */
static int64_t nanoseconds(uint64_t from, uint64_t to) {
    uint64_t ticks = (int64_t)(to - from) < 0 ? 0 : to - from;
    uint64_t s = atomic_load_explicit(&scale, memory_order_relaxed);
    return (int64_t)((ticks >> SHIFT) * s + ((ticks & ((1u << SHIFT) - 1)) * s >> SHIFT));
}

#if defined(__x86_64__)
/* Measuring is one thread's at a time; it owns what follows. */
static atomic_flag measuring = ATOMIC_FLAG_INIT;
static uint64_t first_ticks; /* the first reading of both */
static int64_t first_ns;
static int64_t measured_over; /* ns; 0: not since the first reading */
static _Atomic int64_t due;   /* when to measure next */

/* Reads both; false if more came in between than the reading takes, as when the
 * thread was interrupted: measured by that the scale would be far off. */
static bool read_both(uint64_t *ticks, int64_t *ns) {
    int64_t before = side_now();
    *ticks = counter();
    *ns = side_now();
    return *ns - before < AIMDB_MICROSECOND;
}

/* A measure over so much time is surely better than one part in a thousand. */
static const int64_t SURE = AIMDB_MILLISECOND;

static void begin_measuring(uint64_t ticks, int64_t ns, int64_t first_over) {
    first_ticks = ticks;
    first_ns = ns;
    measured_over = 0;
    atomic_store(&due, ns + first_over);
}

/* Measures the scale each time that twice as much time has passed. */
static void measure_alone(void) {
    static const int64_t longest = INT64_C(1) << 38; /* shifted by SHIFT it still fits */
    uint64_t ticks;
    int64_t ns;
    if (!read_both(&ticks, &ns)) return;
    int64_t over = ns - first_ns;
    if (over > longest && measured_over != 0) {
        atomic_store(&due, INT64_MAX);
        return;
    }
    uint64_t measured = 0;
    if (over <= longest && ticks > first_ticks) measured = ((uint64_t)over << SHIFT) / (ticks - first_ticks);
    if (measured == 0) { /* too late, or the counter has jumped back */
        begin_measuring(ticks, ns, SURE);
        return;
    }
    measured_over = over;
    atomic_store(&scale, measured);
    atomic_store(&due, first_ns + 2 * over);
}

static void measure(int64_t now) {
    if (now < atomic_load_explicit(&due, memory_order_relaxed)) return;
    if (atomic_flag_test_and_set(&measuring)) return;
    measure_alone();
    atomic_flag_clear(&measuring);
}

/* Compares what both say of the same time. Where they differ by more than the clock
 * is ever slewed (1/2000), the counter has jumped, or runs at another rate: a virtual
 * machine that moved, a suspend, in which the clock stands still. Then the scale is
 * measured anew, unless it is by now. */
static void compare(int64_t by_clock, int64_t by_counter) {
    uint64_t ticks;
    int64_t ns, off = by_clock - by_counter, most = by_clock / 1000;
    if (by_clock < SURE || (off <= most && off >= -most)) return;
    if (atomic_flag_test_and_set(&measuring)) return;
    if (measured_over != 0 && read_both(&ticks, &ns)) begin_measuring(ticks, ns, SURE);
    atomic_flag_clear(&measuring);
}

/* Only if the kernel trusts the counter for its own time: then it is constant,
 * and the same on all processors. */
static bool is_kernels_clock(void) {
    char name[8] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!f) return false;
    bool read = fgets(name, sizeof name, f) != NULL;
    fclose(f);
    return read && strcmp(name, "tsc\n") == 0;
}

void side_start_clock(void) {
    if (!is_kernels_clock()) return;
    uint64_t ticks;
    int64_t ns;
    for (int i = 0; !read_both(&ticks, &ns); i++)
        if (i == 100) return; /* no processor to read it on in peace */
    begin_measuring(ticks, ns, 100 * AIMDB_MICROSECOND);
    for (int64_t now = ns; !scale && now - ns < AIMDB_MILLISECOND; now = side_now()) measure(now);
}
#else
static void measure(int64_t now) { (void)now; }

static void compare(int64_t by_clock, int64_t by_counter) { (void)by_clock, (void)by_counter; }

void side_start_clock(void) {
#if defined(__aarch64__)
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency) scale = ((uint64_t)AIMDB_SECOND << SHIFT) / frequency;
#endif
}
#endif

void side_watch_start(side_watch_t *w) {
    int64_t ns = side_now();
    uint64_t ticks = counter();
    if (scale) {
        measure(ns);
        if (w->ns) compare(ns - w->ns, nanoseconds(w->anchor, ticks));
    }
    w->ns = ns;
    w->lap = w->anchor = ticks;
}

/* A counter that has jumped back is not to be told time from: the anchor would not
 * age until it is past it again. */
static bool is_fresh(const side_watch_t *w, uint64_t now) {
    return (int64_t)(now - w->anchor) >= 0 && nanoseconds(w->anchor, now) < ANCHOR_AGE;
}

int64_t side_watch_lap(side_watch_t *w) {
    uint64_t now = scale ? counter() : 0;
    if (scale && is_fresh(w, now)) {
        int64_t lap = nanoseconds(w->lap, now);
        w->lap = now;
        return lap;
    }
    int64_t begun = side_watch_ns(w);
    side_watch_start(w);
    return w->ns > begun ? w->ns - begun : 0;
}

int64_t side_watch_ns(const side_watch_t *w) { return w->ns + nanoseconds(w->anchor, w->lap); }
