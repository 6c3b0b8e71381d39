// SPDX-License-Identifier: Apache-2.0
//
// Threads of a real-time policy on one processor: nothing spins for another that
// then never runs.

#define _GNU_SOURCE
#include <sched.h>

#include "parts.h"

static bool be_real_time(void) {
    cpu_set_t all, one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof all, &all);
    for (int i = CPU_SETSIZE - 1; i >= 0; i--)
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
            break;
        }
    struct sched_param priority = {40};
    return sched_setaffinity(0, sizeof one, &one) == 0 && sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

/* If it hangs, one of a normal policy could not end it. */
static void *end_it(void *unused) {
    UNUSED(unused);
    struct sched_param priority = {50};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    sleep(30);
    _exit(3);
}

static void *come_and_go(void *unused) {
    UNUSED(unused);
    for (int i = 0; i < 3; i++) live_once();
    return NULL;
}

static int fifo(bool go_is_there) {
    enum { MANY = 8 };
    pthread_t watchdog, t[MANY];
    REQUIRE(pthread_create(&watchdog, NULL, end_it, NULL) == 0);
    if (go_is_there) live_once();
    if (!be_real_time()) return puts("  skipped: a real-time policy is not permitted"), SKIP;
    _Atomic int seen = 0;
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    for (int i = 0; i < MANY; i++) consume(r, count_value, &seen, NULL);
    OK(aimdb_start(db));
    OK(put(r, 1));
    AWAIT(seen == MANY);
    end_database(db);
    for (int i = 0; i < MANY; i++) REQUIRE(pthread_create(&t[i], NULL, come_and_go, NULL) == 0);
    for (int i = 0; i < MANY; i++) pthread_join(t[i], NULL);
    return 0;
}

static int real_time_from_the_beginning(void) { return fifo(false); }
static int real_time_after_the_first_call(void) { return fifo(true); }

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(real_time_from_the_beginning, 0),
        PART(real_time_after_the_first_call, 0),
    };
    return RUN_PARTS(argc, argv, parts);
}
