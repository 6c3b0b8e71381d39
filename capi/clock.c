// SPDX-License-Identifier: Apache-2.0

/* The clock that callbacks are timed with. clock_gettime costs as much as all
 * the rest of a delivery (20 ns); the counter it reads, less than half of that.
 * So time is told from the counter, beginning at a reading of both that is at
 * most ANCHOR_AGE old: what the scale is off by stays below a nanosecond, once it
 * has been measured over some milliseconds. */

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
/* The first reading of both. */
static uint64_t first_ticks;
static int64_t first_ns;
static _Atomic int64_t measured_over; /* ns */

/* Reads both; false if more came in between than the reading takes, as when the
 * thread was interrupted: measured by that the scale would be far off. */
static bool read_both(uint64_t *ticks, int64_t *ns) {
    int64_t before = side_now();
    *ticks = counter();
    *ns = side_now();
    return *ns - before < AIMDB_MICROSECOND;
}

/* Measures the scale anew each time that twice as much time has passed. */
static void measure(int64_t now) {
    static const int64_t longest = INT64_C(1) << 38; /* shifted by SHIFT it still fits */
    int64_t before = atomic_load_explicit(&measured_over, memory_order_relaxed);
    uint64_t ticks;
    int64_t ns;
    if (now - first_ns < 2 * before || now - first_ns > longest || !read_both(&ticks, &ns)) return;
    if (ticks <= first_ticks) return;
    if (atomic_compare_exchange_strong(&measured_over, &before, ns - first_ns))
        atomic_store(&scale, ((uint64_t)(ns - first_ns) << SHIFT) / (ticks - first_ticks));
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
    for (int i = 0; !read_both(&first_ticks, &first_ns); i++)
        if (i == 100) return; /* no processor to read it on in peace */
    for (int64_t now = first_ns; !scale && now - first_ns < AIMDB_MILLISECOND; now = side_now())
        if (now - first_ns >= 100 * AIMDB_MICROSECOND) measure(now);
}
#else
static void measure(int64_t now) { (void)now; }

void side_start_clock(void) {
#if defined(__aarch64__)
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency) scale = ((uint64_t)AIMDB_SECOND << SHIFT) / frequency;
#endif
}
#endif

void side_watch_start(side_watch_t *w) {
    w->ns = side_now();
    w->lap = w->anchor = counter();
    if (scale) measure(w->ns);
}

int64_t side_watch_lap(side_watch_t *w) {
    uint64_t now = scale ? counter() : 0;
    int64_t age = nanoseconds(w->anchor, now);
    if (scale && age < ANCHOR_AGE) {
        int64_t lap = nanoseconds(w->lap, now);
        w->lap = now;
        return lap;
    }
    int64_t begun = w->ns + nanoseconds(w->anchor, w->lap);
    side_watch_start(w);
    return w->ns > begun ? w->ns - begun : 0;
}

int64_t side_watch_ns(const side_watch_t *w) { return w->ns + nanoseconds(w->anchor, w->lap); }
