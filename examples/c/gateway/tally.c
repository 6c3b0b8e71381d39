// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "tally.h"

#include <time.h>

uint64_t tally_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void tally_number(struct tally *t, uint64_t number) {
    uint64_t last = t->last;
    t->received++;
    if (number > last) {
        uint64_t gap = number - last - 1;
        t->missed += gap;
        if (t->ordered && gap != t->untold) t->wrong++;
        t->last = number;
    } else if (t->ordered) {
        t->wrong++;
    } else {
        t->missed--; /* it was passed over before */
    }
    t->untold = 0;
}

void tally_lag(struct tally *t, uint64_t lost) {
    t->told += lost;
    t->untold += lost;
}

/* Buckets: eight for each power of two. */
static unsigned bucket(uint64_t ns) {
    if (ns < 8) return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    return (power - 2) * 8 + (unsigned)(ns >> (power - 3) & 7);
}

static uint64_t upper_end(unsigned b) {
    if (b < 8) return b;
    return (uint64_t)(b % 8 + 9) << (b / 8 - 1);
}

void tally_time(struct tally *t, uint64_t ns) { t->times[bucket(ns)]++; }

uint64_t tally_p99(const struct tally *t) {
    uint64_t all = 0, above = 0;
    for (unsigned b = 0; b < TALLY_BUCKETS; b++) all += t->times[b];
    for (unsigned b = TALLY_BUCKETS; b-- > 0;) {
        above += t->times[b];
        if (above * 100 > all) return upper_end(b);
    }
    return 0;
}
