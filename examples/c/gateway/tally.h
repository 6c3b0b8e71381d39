/* SPDX-License-Identifier: Apache-2.0
 *
 * What a consumer has counted by itself, from the numbers in the values, and
 * how long its callback took. Written by one thread, read by any. */
#ifndef GATEWAY_TALLY_H
#define GATEWAY_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TALLY_BUCKETS = 64 * 8 };

struct tally {
    bool ordered;               /* one thread numbers the values: they come in order */
    _Atomic uint64_t received;
    _Atomic uint64_t missed;    /* numbers that were passed over */
    _Atomic uint64_t told;      /* values lost, as the library told */
    _Atomic uint64_t last;      /* the highest number */
    _Atomic uint64_t wrong;     /* numbers missed that were not told, or told and not missed */
    uint64_t untold;            /* told, and the number after the gap not yet seen */
    _Atomic uint32_t times[TALLY_BUCKETS];
};

void tally_number(struct tally *t, uint64_t number);
void tally_lag(struct tally *t, uint64_t lost);
void tally_time(struct tally *t, uint64_t ns);
/* The 99th percentile of the times in ns, to an eighth. */
uint64_t tally_p99(const struct tally *t);
uint64_t tally_now(void);

#endif
