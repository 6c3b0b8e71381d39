// SPDX-License-Identifier: Apache-2.0
//
// Go's collections beside threads that come out of Go and sleep or end: no
// collection stands still (capi/runtime.go). tests/c/collection.sh runs it in a library
// in which the moments that count are long.
//
//   collection [SECONDS]

#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "test.h"

static aimdb_t *db;
static _Atomic uint64_t calls;
static _Atomic bool over;

static void be_refused(void) {
    aimdb_record_t *none;
    STATUS(AIMDB_ERR_NOT_FOUND, aimdb_open(db, "missing", NULL, AIMDB_ANY_SIZE, &none));
}

/* Its calls make the garbage. */
static void *caller(void *argument) {
    for (; !over; calls++) be_refused();
    return argument;
}

/* Comes out of Go, and stays out until the caller has come on. */
static void *sleeper(void *argument) {
    while (!over) {
        be_refused();
        for (uint64_t before = calls; calls == before && !over;) sched_yield();
    }
    return argument;
}

static void *passing(void *argument) {
    be_refused();
    return argument;
}

/* Threads that enter Go once and end. */
static void *churn(void *argument) {
    while (!over) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, passing, NULL) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        for (uint64_t before = calls; calls == before && !over;) sched_yield();
    }
    return argument;
}

int main(int count, char **arguments) {
    enum { STALL = 5 }; /* s; Go would stand still for 60 */
    void *(*const all[])(void *) = {caller, sleeper, churn};
    pthread_t threads[3];
    setenv("AIMDB_COLLECT", "100000", 1);
    db = quiet_database();
    for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, all[i], NULL) == 0);
    uint64_t last = 0;
    for (int left = count > 1 ? atoi(arguments[1]) : STALL; left > 0; left -= STALL) {
        sleep(STALL);
        if (calls == last) {
            fprintf(stderr, "no call returned in %d s\n", STALL);
            _exit(3);
        }
        last = calls;
    }
    over = true;
    for (int i = 0; i < 3; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    printf("%" PRIu64 " calls\n", (uint64_t)calls);
    OK(aimdb_destroy(db));
    return 0;
}
