/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults on purpose, for tests: in a library built with -tags aimdb_inject each
 * call by which it takes something from the system is counted, and can be made
 * to fail. Only the library's own calls: the Go runtime's, and those that cgo
 * makes for it, are not, as most of their failures end the process by design. */
#ifndef AIMDB_INJECT_H
#define AIMDB_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* core/inject.Kind */
typedef enum {
    INJECT_MEMORY,     /* malloc, calloc, pthread_setspecific */
    INJECT_MAP,        /* mmap, mprotect, madvise */
    INJECT_THREAD,     /* pthread_create, pthread_key_create and the like */
    INJECT_DESCRIPTOR, /* eventfd, fopen */
    INJECT_SLEEP,      /* a wait on a futex */
    INJECT_LOCK,       /* taking a futex with priority inheritance */
    INJECT_KINDS
} inject_kind_t;

/* What was counted. */
typedef struct {
    int64_t calls[INJECT_KINDS];
    int64_t held[INJECT_KINDS]; /* memory, maps and threads not given back yet */
    int64_t failed;             /* calls made to fail */
    char where[64];             /* the last of them */
} injected_t;

#define INJECT_API __attribute__((visibility("default")))

/* Of the calls of a kind from now on the nth fails, then each every-th, `times`
 * in all, with `error`; with 0 it returns as if it had succeeded, having done
 * nothing, which only a sleep may do. The environment can say the same before
 * the library is loaded: AIMDB_INJECT=kind:nth:every:times:error,... in numbers. */
INJECT_API void aimdb_inject(int kind, int64_t nth, int64_t every, int64_t times, int error);
INJECT_API void aimdb_inject_end(void); /* nothing more fails */
INJECT_API void aimdb_injected(injected_t *out);

#ifdef AIMDB_INJECT
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Counts a call; the error + 1 if it is to fail, or 0. */
int32_t inject_fails(int32_t kind, const char *where);
void inject_took(int32_t kind, int32_t more);

void *inject_malloc(size_t size, const char *where);
void *inject_calloc(size_t count, size_t size, const char *where);
void inject_free(void *memory);
int inject_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                  void *argument, const char *where);
bool inject_futex(int op, long *result); /* whether a call fails, and with what */

#ifndef INJECT_ITSELF
#define INJECT_TEXT(line) #line
#define INJECT_LINE(line) INJECT_TEXT(line)
#define INJECT_HERE __FILE__ ":" INJECT_LINE(__LINE__)
#define malloc(size) inject_malloc(size, INJECT_HERE)
#define calloc(count, size) inject_calloc(count, size, INJECT_HERE)
#define free(memory) inject_free(memory)
#define mmap(...) (inject_fails(INJECT_MAP, INJECT_HERE) ? MAP_FAILED : mmap(__VA_ARGS__))
#define madvise(...) (inject_fails(INJECT_MAP, INJECT_HERE) ? -1 : madvise(__VA_ARGS__))
#define mprotect(...) (inject_fails(INJECT_MAP, INJECT_HERE) ? -1 : mprotect(__VA_ARGS__))
#define pthread_create(...) inject_create(__VA_ARGS__, INJECT_HERE)
#define pthread_attr_init(attributes)                                                              \
    (inject_fails(INJECT_THREAD, INJECT_HERE) ? ENOMEM : pthread_attr_init(attributes))
#define pthread_attr_setstacksize(...)                                                             \
    (inject_fails(INJECT_THREAD, INJECT_HERE) ? EINVAL : pthread_attr_setstacksize(__VA_ARGS__))
#define pthread_key_create(...)                                                                    \
    (inject_fails(INJECT_THREAD, INJECT_HERE) ? EAGAIN : pthread_key_create(__VA_ARGS__))
#define pthread_setspecific(...)                                                                   \
    (inject_fails(INJECT_MEMORY, INJECT_HERE) ? ENOMEM : pthread_setspecific(__VA_ARGS__))
#define fopen(...) (inject_fails(INJECT_DESCRIPTOR, INJECT_HERE) ? NULL : fopen(__VA_ARGS__))
#endif
#else
static inline bool inject_futex(int op, long *result) {
    (void)op, (void)result;
    return false;
}
#endif

#endif
