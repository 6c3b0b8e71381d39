// SPDX-License-Identifier: Apache-2.0

#include "common.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic expectation_t expectation;
account_t accounts[CONSUMERS_MAX];
uint64_t samples[SAMPLES_MAX];

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

void skip(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    _exit(77);
}

void report(const char *scenario, const char *metric, double value, const char *unit) {
    const char *system = getenv("BENCH_SYSTEM");
    printf("{\"scenario\":\"%s\",\"system\":\"%s\",\"metric\":\"%s\",\"value\":%.6g,\"unit\":\"%"
           "s\"}\n",
           scenario, system ? system : program_invocation_short_name, metric, value, unit);
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t median(uint64_t *values, size_t count) {
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

void report_percentiles(const char *scenario, uint64_t *values, size_t count) {
    static const double percentiles[] = {1, 25, 50, 75, 99, 99.9};
    qsort(values, count, sizeof *values, ascending);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        char name[64], metric[16];
        double value = (double)values[(size_t)((double)count * percentiles[i] / 100)];
        snprintf(metric, sizeof metric, "p%g", percentiles[i]);
        report(scenario, metric, value, "ns");
        if (percentiles[i] == 50 || percentiles[i] == 99) {
            snprintf(name, sizeof name, "%s_%s", scenario, metric);
            report(name, "latency", value, "ns");
        }
    }
}

uint64_t resident(void) {
    unsigned long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %lu", &kib) == 1) break;
    if (!kib) fail("/proc/self/smaps_rollup has no Rss");
    fclose(f);
    return kib;
}

uint64_t resident_nothing(void) {
    char path[PATH_MAX];
    unsigned long kib = 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0) fail("/proc/self/exe can't be read");
    path[n] = 0;
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "'%.*s/nothing'", (int)(strrchr(path, '/') - path), path);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%lu", &kib) != 1) fail("%s gives no figure", command);
    pclose(p);
    return kib;
}

void *aligned_memory(size_t size) {
    void *p = aligned_alloc(128, (size + 127) / 128 * 128);
    if (!p) fail("no memory");
    memset(p, 0, size);
    return p;
}

void patience(unsigned *tries) {
    if (++*tries % 128)
        relax();
    else
        sched_yield();
}

bool slept_since(void) {
    static _Thread_local long before;
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    bool slept = usage.ru_nvcsw > before;
    before = usage.ru_nvcsw;
    return slept;
}

// glibc lets a program define these in front of its own; the rest of the
// family, free among them, stays as it is.
_Atomic bool counting;
_Atomic uint64_t allocations;

#ifdef __GLIBC__
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static inline void count(void) {
    if (__builtin_expect(atomic_load_explicit(&counting, memory_order_relaxed), 0))
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}
void *malloc(size_t size) {
    return count(), __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
    return count(), __libc_calloc(number, size);
}
void *realloc(void *p, size_t size) {
    return count(), __libc_realloc(p, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return count(), __libc_memalign(alignment, size);
}
int posix_memalign(void **p, size_t alignment, size_t size) {
    count();
    *p = __libc_memalign(alignment, size);
    return *p ? 0 : ENOMEM;
}
#endif
