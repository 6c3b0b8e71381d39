/* SPDX-License-Identifier: Apache-2.0
 *
 * A step of the hot path, as core/step.go says. Both layouts are compared when
 * capi.go is compiled. */
#ifndef AIMDB_STEP_H
#define AIMDB_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct step {
    const void *data;
    void *messages;
    size_t distance;
    uintptr_t record;
    uint64_t size;
    uint64_t max;
    uint64_t count;
    uint64_t needed;
    uint64_t lost;
    bool ahead;
    char unused[7];
    uint64_t handle;
    uint64_t index;
    uint64_t sequence;
    uint64_t function;
    uint64_t user;
    uint64_t elapsed;
    uint64_t event;
    uint64_t busy;
    uint64_t held;
    uint64_t contended[2];
    uint64_t wake;
    uint64_t drained;
    uint64_t closings;
    uint64_t target;
    uint32_t owner;
    uint32_t depth;
    uint32_t expected;
    uint32_t wake_most;
    uint32_t flags;
    uint32_t database;
    int32_t result;
    uint32_t todo;
} step_t;

typedef enum { STEP_PRODUCE, STEP_COMMIT, STEP_NEXT, STEP_RECEIVE, STEP_PEEK, STEP_READY, STEP_TAKE,
               STEP_REST, STEP_WATCH, STEP_NOTIFY, STEP_REARM, STEP_ACCOUNT, STEP_RECORD_ACCOUNT,
               STEPS } step_op_t;

/* Results that only drivers see; the others are an aimdb_status_t. */
enum { STEP_CALL = 100, STEP_BUSY = 101, STEP_SLEEP = 102, STEP_FOREIGN = 103, STEP_EARLY = 104,
       STEP_WRITE = 105, STEP_DRAIN = 106, STEP_CENSUS = 107 };

/* flags */
enum {
    STEP_WAIT = 1,
    STEP_SLEPT = 2,
    STEP_ENDED = 4,
    STEP_RESUMED = 8,
    STEP_FAILED = 16,
    STEP_REPLACE = 32,
    STEP_REFUSE = 64,
    STEP_CANCEL = 128,
    STEP_MORE = 256,
    STEP_WITHIN = 1024,
    STEP_OWES = 4096,
    STEP_PULL = 8192,
    STEP_EMITTED = 16384
};

/* todo */
enum {
    DO_WAIT_LOCK = 1,
    DO_GIVE_BACK = 2,
    DO_RELEASE_ONE = 4,
    DO_RELEASE_BOTH = 8,
    DO_WAKE = 16,
    DO_WAKE_DRAINED = 32,
    DO_COME_AGAIN = 64,
    DO_NOTIFY = 128,
    DO_REARM = 256,
    DO_READY = 512,
    DO_WAKE_CLOSINGS = 1024,
    DO_REAP = 2048
};

#define ANY_DATABASE UINT32_MAX

#endif
