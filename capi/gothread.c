// SPDX-License-Identifier: Apache-2.0

/* Go's threads, and other threads' way into Go and out. cgo calls these functions
 * in place of pthread's (tools/build-lib.sh). */

#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "_cgo_export.h"
#include "go.h"
#include "side.h"

enum { STACK = 1 << 20 }; /* as of the library's other threads: user functions run on it */

int aimdb__go_stack(const pthread_attr_t *attributes, size_t *size) {
    pthread_attr_setstacksize((pthread_attr_t *)attributes, STACK);
    return pthread_attr_getstacksize(attributes, size);
}

struct beginning {
    void *(*run)(void *);
    void *argument;
};

static void *begin(void *pointer) {
    struct beginning b = *(struct beginning *)pointer;
    free(pointer);
    pthread_setname_np(pthread_self(), "aimdb:go");
    return b.run(b.argument);
}

static const struct timespec A_WHILE = {.tv_nsec = 10 * AIMDB_MILLISECOND};

/* Nor would it go on without the few bytes that it needs for one. */
void *aimdb__go_malloc(size_t size) {
    void *memory;
    while (!(memory = malloc(size))) nanosleep(&A_WHILE, NULL);
    return memory;
}

/* Go would end the process if it got no thread. goBegin makes all that it is
 * likely ever to need; should it need one more that is not to be had, it waits. */
int aimdb__go_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                     void *argument) {
    struct beginning *b;
    size_t size;
    aimdb__go_stack(attributes, &size);
    b = aimdb__go_malloc(sizeof *b);
    *b = (struct beginning){run, argument};
    int failed;
    while ((failed = pthread_create(thread, attributes, begin, b)) == EAGAIN)
        nanosleep(&A_WHILE, NULL);
    if (failed) free(b);
    return failed;
}

/* A thread's first entry into Go, and its exit, take and give an M of a list that
 * Go locks by spinning. A thread of a real-time policy would spin for ever, if the
 * one that it waits for can't run on the same processor: so they wait here, and
 * the one that is let in has the priority of all. */
static pthread_mutex_t entering;
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
}

static void leave(void *m) {
    side_self.attached = false;
    if (side_forked()) return;
    pthread_mutex_lock(&entering);
    go_exit(m);
    pthread_mutex_unlock(&entering);
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
