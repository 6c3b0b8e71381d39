// SPDX-License-Identifier: Apache-2.0

/* Go's threads, and other threads' way into Go and out. cgo calls these functions
 * in place of pthread's (tools/build-lib.sh). */

#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "_cgo_export.h"
#include "go.h"
#include "side.h"

enum { STACK = 1 << 20 }; /* as of the library's other threads: user functions run on it */

int aimdb__go_stack(const pthread_attr_t *attributes, size_t *size) {
    pthread_attr_setstacksize((pthread_attr_t *)attributes, STACK);
    return pthread_attr_getstacksize(attributes, size);
}

/* What cgo and this file take while a thread begins. Not malloc's: it could fail,
 * and would give each of Go's threads an arena of address space. */
static struct piece {
    _Alignas(16) char memory[64];
    _Atomic int taken;
} pieces[32];

void *aimdb__go_malloc(size_t size) {
    static const struct timespec a_while = {.tv_nsec = AIMDB_MILLISECOND};
    if (size > sizeof pieces->memory) return NULL;
    for (size_t i = 0;; i = (i + 1) % (sizeof pieces / sizeof *pieces)) {
        if (atomic_exchange(&pieces[i].taken, 1) == 0) return pieces[i].memory;
        if (i == 31) nanosleep(&a_while, NULL); /* others begin */
    }
}

void aimdb__go_free(void *memory) {
    if (memory) atomic_store(&((struct piece *)memory)->taken, 0);
}

struct beginning {
    void *(*run)(void *);
    void *argument;
};

static void *begin(void *pointer) {
    struct beginning b = *(struct beginning *)pointer;
    aimdb__go_free(pointer);
    pthread_setname_np(pthread_self(), "aimdb:go");
    side_self.attached = true;
    return b.run(b.argument);
}

/* Go would end the process if it got no thread. goBegin makes all that it is
 * likely ever to need; should it need one more that is not to be had, it waits. */
int aimdb__go_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                     void *argument) {
    static const struct timespec a_while = {.tv_nsec = 10 * AIMDB_MILLISECOND};
    struct beginning *b = aimdb__go_malloc(sizeof *b);
    size_t size;
    aimdb__go_stack(attributes, &size);
    *b = (struct beginning){run, argument};
    int failed;
    while ((failed = pthread_create(thread, attributes, begin, b)) == EAGAIN)
        nanosleep(&a_while, NULL);
    if (failed) aimdb__go_free(b);
    return failed;
}

/* A thread's first entry into Go, and its exit, take and give an M of a list that
 * Go locks by spinning. A thread of a real-time policy would spin for ever, if the
 * one that it waits for can't run on the same processor: so they wait here, and
 * the one that is let in has the priority of all. */
static pthread_mutex_t entering;
static uint32_t collecting;
static void (*go_exit)(void *);

void side_before_go(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (pthread_mutex_init(&entering, &attributes) != 0) pthread_mutex_init(&entering, NULL);
    pthread_mutexattr_destroy(&attributes);
}

/* Makes Go know the calling thread, whose signals are blocked. */
void side_attach(void) {
    if (side_self.attached) return;
    pthread_mutex_lock(&entering);
    goAttach();
    pthread_mutex_unlock(&entering);
    side_self.attached = true;
    side_left_go();
}

static bool is_collecting(void) {
#ifdef FAULT_NO_LOOK
    return false;
#endif
    return __atomic_load_n(&collecting, __ATOMIC_SEQ_CST);
}

void side_left_go(void) {
    while (side_self.attached && is_collecting()) goAwaitCollection();
}

/* At its beginning it waits for a thread that is ending and has not seen it. */
void side_set_collecting(uint32_t is) {
    __atomic_store_n(&collecting, is, __ATOMIC_SEQ_CST);
    if (!is) return;
    pthread_mutex_lock(&entering);
    pthread_mutex_unlock(&entering);
}

/* So that no thread ends during a collection. */
static void lock_between_collections(void) {
    for (;;) {
        pthread_mutex_lock(&entering);
        if (!is_collecting()) return;
        pthread_mutex_unlock(&entering);
        side_left_go();
    }
}

static void leave(void *m) {
    sigset_t before;
    if (side_forked()) return;
    side_block(&before);
    lock_between_collections();
    go_exit(m);
    side_self.attached = false;
    pthread_mutex_unlock(&entering);
    side_restore(&before);
}

int aimdb__go_key(pthread_key_t *key, void (*destructor)(void *)) {
    go_exit = destructor;
    return pthread_key_create(key, leave);
}

/* Whether so many threads can be made as Go will need: makes and ends them. */
static void *wait_for_go_ahead(void *semaphore) {
    while (sem_wait(semaphore) != 0) {
    }
    return NULL;
}

bool side_threads_to_be_had(int count) {
    pthread_t threads[count];
    pthread_attr_t attributes;
    sem_t go_ahead;
    int made = 0;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setstacksize(&attributes, STACK);
    sem_init(&go_ahead, 0, 0);
    while (made < count && pthread_create(&threads[made], &attributes, wait_for_go_ahead, &go_ahead) == 0)
        made++;
    for (int i = 0; i < made; i++) sem_post(&go_ahead);
    for (int i = 0; i < made; i++) pthread_join(threads[i], NULL);
    sem_destroy(&go_ahead);
    pthread_attr_destroy(&attributes);
    return made == count;
}
