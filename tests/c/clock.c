// SPDX-License-Identifier: Apache-2.0
//
// The clock that callbacks are timed with, on a counter and a clock that this
// program drives: a counter that jumps or changes its rate, a clock that stands
// still, threads that are interrupted.

#define _GNU_SOURCE
#include "test.h"
#include <time.h>

static uint64_t ticks_per_us = 3000;
static uint64_t fake_ticks = UINT64_C(1) << 40;
static int64_t fake_ns = 5000 * AIMDB_SECOND;

static int fake_clock(clockid_t clock, struct timespec *t) {
    UNUSED(clock);
    t->tv_sec = (time_t)(fake_ns / AIMDB_SECOND);
    t->tv_nsec = (long)(fake_ns % AIMDB_SECOND);
    return 0;
}
static uint64_t fake_counter(void) { return fake_ticks; }
static FILE *fake_file(const char *path, const char *mode) {
    UNUSED(mode);
    REQUIRE(strstr(path, "current_clocksource"));
    static char name[] = "tsc\n";
    return fmemopen(name, sizeof name - 1, "r");
}

#if defined(__x86_64__)
#define clock_gettime fake_clock
#define fopen fake_file
#define __builtin_ia32_rdtsc fake_counter
#include "../../capi/clock.c"
#undef clock_gettime
#undef fopen
#undef __builtin_ia32_rdtsc

static void pass(int64_t us) {
    fake_ns += us * AIMDB_MICROSECOND;
    fake_ticks += (uint64_t)us * ticks_per_us;
}

/* What laps of `us` each are measured as, one after the other, and then one after
 * a sleep of a second. */
static bool laps_are_right(int64_t us) {
    bool right = true;
    side_watch_t watch = {0};
    side_watch_start(&watch);
    for (int i = 0; i < 50; i++) {
        pass(us);
        int64_t ns = side_watch_lap(&watch), wanted = us * AIMDB_MICROSECOND;
        right = right && ns >= wanted - wanted / 500 - 1 && ns <= wanted + wanted / 500 + 1;
    }
    right = right && side_watch_ns(&watch) <= fake_ns && side_watch_ns(&watch) >= fake_ns - AIMDB_MICROSECOND;
    pass(1000000);
    side_watch_start(&watch);
    return right;
}

static void is_right(void) {
    for (int us = 1; us < 3000; us *= 3) REQUIRE(laps_are_right(us));
}

/* A watch is running, as a dispatcher's is; then happens `what`; two seconds later
 * the laps are right, and stay so. */
static void recovers_from(void (*what)(void)) {
    side_watch_t watch = {0};
    side_watch_start(&watch);
    pass(20000);
    what();
    for (int i = 0; i < 20; i++) {
        pass(100000);
        int64_t ns = side_watch_lap(&watch);
        REQUIRE(i == 0 || ns == 100 * AIMDB_MILLISECOND);
    }
    is_right();
    for (int i = 0; i < 400; i++) pass(1000000), side_watch_start(&watch);
    is_right();
}

/* A suspend, in which the clock stands still, is the same. */
static void jump_ahead(void) { fake_ticks += 86400 * UINT64_C(1000000) * ticks_per_us; }
static void jump_back(void) { fake_ticks -= 600 * UINT64_C(1000000) * ticks_per_us; }
static void reset(void) { fake_ticks = 0; }
static void slow_down(void) { ticks_per_us = 2000; }
static void speed_up(void) { ticks_per_us = 4100; }

static void it_is_right_from_the_beginning(void) { is_right(); }
static void a_jump_ahead_right_after_the_start(void) { recovers_from(jump_ahead); }
static void a_jump_back(void) { recovers_from(jump_back); }
static void another_rate(void) {
    recovers_from(slow_down);
    recovers_from(speed_up);
}
static void a_counter_that_begins_at_zero_again(void) {
    recovers_from(reset);
    recovers_from(jump_ahead);
}

/* Without a sleep, as a dispatcher that is never idle: the anchor does not wait for
 * the counter to be where it was. */
static void a_jump_back_while_callbacks_follow_each_other(void) {
    side_watch_t watch = {0};
    side_watch_start(&watch);
    jump_ahead();
    side_watch_start(&watch);
    jump_back();
    for (int i = 0; i < 1000; i++) {
        pass(50);
        int64_t ns = side_watch_lap(&watch);
        REQUIRE(i == 0 || (ns > 49900 && ns < 50100));
        REQUIRE(fake_ns - side_watch_ns(&watch) < AIMDB_MICROSECOND);
    }
    is_right();
}

/* Nobody looks at the clock for so long that it would be too late to measure. */
static void idle_for_an_hour_after_a_jump(void) {
    side_watch_t watch = {0};
    side_watch_start(&watch);
    pass(20000);
    slow_down();
    pass(20000);
    side_watch_start(&watch);
    pass(INT64_C(3600) * 1000000);
    for (int i = 0; i < 3; i++) pass(100000), side_watch_start(&watch);
    is_right();
    speed_up();
}

/* Many threads that were in long callbacks when the counter jumped find that out
 * one after the other: the new measure still gets its time. */
static void many_threads_notice_a_jump(void) {
    static side_watch_t watches[300];
    for (int i = 0; i < 300; i++) side_watch_start(&watches[i]);
    pass(20000);
    slow_down();
    pass(20000);
    for (int i = 0; i < 300; i++) {
        pass(100);
        side_watch_start(&watches[i]);
    }
    is_right();
}

/* As side_start_clock, which waits for time to pass. */
static void start(void) {
    uint64_t ticks;
    int64_t ns;
    REQUIRE(is_kernels_clock() && read_both(&ticks, &ns));
    begin_measuring(ticks, ns, 100 * AIMDB_MICROSECOND);
    pass(100);
    measure(side_now());
    REQUIRE(scale != 0);
}

int main(void) {
    RUN(start);
    RUN(it_is_right_from_the_beginning);
    RUN(a_jump_ahead_right_after_the_start);
    RUN(a_jump_back);
    RUN(another_rate);
    RUN(a_counter_that_begins_at_zero_again);
    RUN(a_jump_back_while_callbacks_follow_each_other);
    RUN(idle_for_an_hour_after_a_jump);
    RUN(many_threads_notice_a_jump);
    return 0;
}
#else
int main(void) {
    puts("the counter's rate is known on this machine: nothing is measured");
    return 0;
}
#endif
