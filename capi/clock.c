// SPDX-License-Identifier: Apache-2.0

/* The clock that callbacks are timed with. clock_gettime costs as much as all
 * the rest of a delivery (20 ns); the counter it reads, half of that. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "side.h"

uint64_t side_tick_scale;

int64_t side_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * AIMDB_SECOND + t.tv_nsec;
}

#if defined(__x86_64__)
/* Only if the kernel trusts it for its own time: then it is constant, and the
 * same on all processors. */
static bool is_kernels_clock(void) {
    char name[8] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!f) return false;
    bool read = fgets(name, sizeof name, f) != NULL;
    fclose(f);
    return read && strcmp(name, "tsc\n") == 0;
}

/* Compares both clocks over 100 us: within a thousandth. */
static uint64_t nanoseconds_in_a_tick(void) {
    uint64_t ticks = side_raw_ticks();
    int64_t begun = side_now(), now;
    do now = side_now();
    while (now - begun < 100 * AIMDB_MICROSECOND);
    ticks = side_raw_ticks() - ticks;
    return ticks ? ((uint64_t)(now - begun) << SIDE_TICK_SHIFT) / ticks : 0;
}

void side_start_clock(void) {
    if (is_kernels_clock()) side_tick_scale = nanoseconds_in_a_tick();
}
#elif defined(__aarch64__)
void side_start_clock(void) {
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency) side_tick_scale = ((uint64_t)AIMDB_SECOND << SIDE_TICK_SHIFT) / frequency;
}
#else
void side_start_clock(void) {}
#endif
