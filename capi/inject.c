// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_inject

#define INJECT_ITSELF
#include "inject.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct {
    _Atomic int64_t until, every, times; /* the next call to fail is the until-th */
    _Atomic int error;
} faults[INJECT_KINDS];
static _Atomic int64_t calls[INJECT_KINDS], held[INJECT_KINDS], failed;
static const char *_Atomic last = "";

void aimdb_inject(int kind, int64_t nth, int64_t every, int64_t times, int error) {
    faults[kind].times = 0;
    faults[kind].until = nth;
    faults[kind].every = every;
    faults[kind].error = error;
    faults[kind].times = times;
    calls[kind] = 0;
}

void aimdb_inject_end(void) {
    for (int i = 0; i < INJECT_KINDS; i++) faults[i].times = 0;
}

void aimdb_injected(injected_t *out) {
    for (int i = 0; i < INJECT_KINDS; i++) {
        out->calls[i] = calls[i];
        out->held[i] = held[i];
    }
    out->failed = failed;
    const char *file = strrchr(last, '/');
    snprintf(out->where, sizeof out->where, "%s", file ? file + 1 : last);
}

__attribute__((constructor(101))) static void read_environment(void) {
    const char *given = getenv("AIMDB_INJECT");
    while (given && *given) {
        int kind, error;
        long long nth, every, times;
        if (sscanf(given, "%d:%lld:%lld:%lld:%d", &kind, &nth, &every, &times, &error) != 5 ||
            kind < 0 || kind >= INJECT_KINDS)
            abort();
        aimdb_inject(kind, nth, every, times, error);
        given = strchr(given, ',');
        if (given) given++;
    }
}

static bool is_next(int32_t kind) {
    if (faults[kind].times <= 0 || atomic_fetch_sub(&faults[kind].until, 1) != 1) return false;
    faults[kind].until = faults[kind].every;
    return atomic_fetch_sub(&faults[kind].times, 1) > 0;
}

int32_t inject_fails(int32_t kind, const char *where) {
    calls[kind]++;
    if (!is_next(kind)) return 0;
    last = where;
    failed++;
    return faults[kind].error + 1;
}

void inject_took(int32_t kind, int32_t more) { held[kind] += more; }

static void *count(void *memory) {
    if (memory) inject_took(INJECT_MEMORY, 1);
    return memory;
}

void *inject_malloc(size_t size, const char *where) {
    return inject_fails(INJECT_MEMORY, where) ? NULL : count(malloc(size));
}

void *inject_calloc(size_t number, size_t size, const char *where) {
    return inject_fails(INJECT_MEMORY, where) ? NULL : count(calloc(number, size));
}

void inject_free(void *memory) {
    if (memory) inject_took(INJECT_MEMORY, -1);
    free(memory);
}

struct body {
    void *(*run)(void *);
    void *argument;
    bool counts;
};

static void *body(void *argument) {
    struct body b = *(struct body *)argument;
    free(argument);
    void *result = b.run(b.argument);
    if (b.counts) inject_took(INJECT_THREAD, -1);
    return result;
}

int inject_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                  void *argument, const char *where) {
    if (inject_fails(INJECT_THREAD, where)) return EAGAIN;
    struct body *b = malloc(sizeof *b);
    if (!b) return EAGAIN;
    *b = (struct body){run, argument, !strstr(where, "gothread.c")}; /* Go's stay */
    if (b->counts) inject_took(INJECT_THREAD, 1);
    int result = pthread_create(thread, attributes, body, b);
    if (result != 0) {
        if (b->counts) inject_took(INJECT_THREAD, -1);
        free(b);
    }
    return result;
}

bool inject_futex(int op, long *result) {
    int32_t kind = op == FUTEX_WAIT_PRIVATE ? INJECT_SLEEP : INJECT_LOCK;
    if (kind == INJECT_LOCK && op != FUTEX_LOCK_PI_PRIVATE) return false;
    int32_t fails = inject_fails(kind, "futex.c");
    if (!fails) return false;
    errno = fails - 1;
    *result = fails == 1 ? 0 : -1;
    return true;
}
