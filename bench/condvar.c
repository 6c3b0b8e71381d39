// SPDX-License-Identifier: Apache-2.0
//
// What a C programmer writes without a library: a bounded queue for each
// consumer under a mutex, with a condition variable that is signalled after
// unlocking (so that the woken thread does not run into the lock). A full
// queue drops its oldest value.

#include "common.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct queue {
    _Alignas(128) pthread_mutex_t mutex;
    pthread_cond_t filled;
    unsigned char *values;
    size_t capacity, size, first, count;
    bool ended;
} queue_t;

static queue_t queues[CONSUMERS_MAX]; // LATEST: the first; MAILBOXES: request and answer
static pthread_t threads[CONSUMERS_MAX];
static int started;

static void queue_init(queue_t *q, const setup_t *setup) {
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->filled, NULL);
    q->capacity = setup->capacity, q->size = setup->size;
    q->values = aligned_memory(q->capacity * q->size);
}

static inline void queue_put(queue_t *q, const void *data, size_t size) {
    pthread_mutex_lock(&q->mutex);
    if (q->count == q->capacity)
        q->first = q->first + 1 == q->capacity ? 0 : q->first + 1, q->count--;
    size_t at = q->first + q->count++;
    memcpy(q->values + (at < q->capacity ? at : at - q->capacity) * q->size, data, size);
    pthread_mutex_unlock(&q->mutex);
    pthread_cond_signal(&q->filled);
}

// Waits for a value; false when the queue has ended and is empty.
static inline bool queue_get(queue_t *q, void *data) {
    pthread_mutex_lock(&q->mutex);
    while (!q->count && !q->ended) pthread_cond_wait(&q->filled, &q->mutex);
    bool got = q->count;
    if (got) {
        memcpy(data, q->values + q->first * q->size, q->size);
        q->first = q->first + 1 == q->capacity ? 0 : q->first + 1, q->count--;
    }
    pthread_mutex_unlock(&q->mutex);
    return got;
}

static void queue_end(queue_t *q) {
    pthread_mutex_lock(&q->mutex);
    q->ended = true;
    pthread_mutex_unlock(&q->mutex);
    pthread_cond_broadcast(&q->filled);
}

static void *consume(void *consumer) {
    queue_t *q = &queues[(intptr_t)consumer];
    unsigned char *data = aligned_memory(q->size);
    while (queue_get(q, data)) received((int)(intptr_t)consumer, data, q->size);
    free(data);
    return NULL;
}

static void *echo(void *unused) {
    unsigned char data[64];
    while (queue_get(&queues[0], data)) queue_put(&queues[1], data, sizeof data);
    return unused;
}

static void start(void *(*run)(void *)) {
    if (pthread_create(&threads[started], NULL, run, (void *)(intptr_t)started)) fail("no thread");
    started++;
}

bool system_open(const setup_t *setup) {
    int count = setup->shape == MAILBOXES ? 2 : setup->consumers ? setup->consumers : 1;
    for (int i = 0; i < count; i++) queue_init(&queues[i], setup);
    while (started < setup->consumers) start(consume);
    if (setup->shape == MAILBOXES) start(echo);
    return true;
}

// Without a consumer there is still one queue to push into.
void system_push(const void *data, size_t size) {
    queue_put(&queues[0], data, size);
    for (int i = 1; i < started; i++) queue_put(&queues[i], data, size);
}

void system_read(void *data, size_t size) {
    (void)size;
    queue_get(&queues[0], data);
}

void system_roundtrips(uint64_t count) {
    unsigned char data[64], back[64];
    for (uint64_t i = 0; i < count; i++) {
        stamp(data, sizeof data, i);
        queue_put(&queues[0], data, sizeof data);
        queue_get(&queues[1], back);
        if (word(back, 0) != i || word(back, 56) != i)
            fail("another answer than to request %lu", (unsigned long)i);
    }
}

void system_close(void) {
    for (int i = 0; i < started; i++) queue_end(&queues[i]);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

const char *system_version(void) {
    return "gcc " __VERSION__;
}

#include "scenarios.h"
