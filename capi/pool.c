// SPDX-License-Identifier: Apache-2.0

/* The workers of shared consumers, and their watcher: core/pool.go's in C. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "_cgo_export.h"
#include "side.h"

struct worker {
    uint64_t database;
    uint32_t index; /* of the database */
    bool watcher;
    uint64_t go; /* a runtime/cgo.Handle of the database in Go */
    pid_t tid;       /* 0: it has not begun */
    clockid_t clock; /* processor time of the thread */
    struct timespec used; /* of it, at the last look */
    bool runs;            /* then */
    struct callbacks *callbacks; /* NULL: the watcher, which calls nothing */
    struct worker *next;
};

/* What a watcher looks at, by the database's index. No lock of the core's is held
 * when one of these is taken. */
static struct pool {
    pthread_mutex_t lock;
    struct worker *workers;
    side_consumer_t *owing;
} pools[SIDE_DATABASES] = {[0 ... SIDE_DATABASES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

/* Consumers that rest while something of theirs is to be logged: the watcher has
 * them looked after in time. */
static void owe(side_consumer_t *c) {
    struct pool *p = &pools[c->database];
    pthread_mutex_lock(&p->lock);
    c->rouse = true;
    if (!c->owing) {
        c->owing = true;
        c->next_owing = p->owing;
        p->owing = c;
    }
    pthread_mutex_unlock(&p->lock);
}

/* The consumer is the calling worker's. */
void side_owe_no_more(side_consumer_t *c) {
    struct pool *p = &pools[c->database];
    if (!c->owing) return;
    pthread_mutex_lock(&p->lock);
    side_consumer_t **link = &p->owing;
    while (*link != c) link = &(*link)->next_owing;
    *link = c->next_owing;
    c->owing = false;
    pthread_mutex_unlock(&p->lock);
}

/* Has those looked after whose time has come, and says how long it is to the next. */
static int64_t rouse_owing(struct pool *p) {
    int64_t now = side_now(), next = AIMDB_FOREVER;
    pthread_mutex_lock(&p->lock);
    for (side_consumer_t *c = p->owing; c; c = c->next_owing) {
        int64_t left = side_log_due(c) - now;
        if (!c->rouse) continue;
        if (left <= 0) {
            c->rouse = false;
            GO(goLookAfter(c->go));
        } else if (left < next) {
            next = left;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return next;
}

/* Has a step of its own: with it the consumer, and its step, become another
 * worker's. */
static void rest(side_consumer_t *c, uint32_t more) {
    if (side_owes(c) && side_log_due(c) <= side_watch_ns(&c->watch)) side_log_losses(c);
    if (side_owes(c)) {
        owe(c);
        more |= STEP_OWES;
    }
    step_t s = {.handle = c->handle, .database = c->database, .flags = c->step.flags | more,
                .elapsed = c->step.elapsed};
    c->step.flags = 0;
    SYNC_RELEASE(SYNC_LIFECYCLE);
    side_drive(&s, STEP_REST);
}

/* A worker's turn with a consumer. */
static void serve(side_consumer_t *c) {
    SYNC_ACQUIRE(SYNC_LIFECYCLE);
    side_watch_start(&c->watch);
    for (int i = 0; i < SIDE_SHARE; i++) {
        side_drive(&c->step, STEP_NEXT);
        if (c->step.result == AIMDB_EMPTY) {
            rest(c, 0);
            return;
        }
        if (!side_deliver(c)) {
            side_end(c);
            return;
        }
    }
    rest(c, STEP_MORE);
}

static void work(const struct worker *w) {
    step_t s = {.handle = w->database};
    for (;;) {
        side_drive(&s, STEP_TAKE);
        if (s.result == AIMDB_OK)
            serve((side_consumer_t *)(uintptr_t)s.user);
        else if (s.result == STEP_SLEEP)
            side_sleep(s.event, s.expected, AIMDB_FOREVER);
        else
            return;
    }
}

/* By the kernel's word, whether a thread runs or waits for a processor only. */
static bool is_running(pid_t tid) {
    char path[48], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    const char *end = size > 0 ? strrchr(text, ')') : NULL; /* of its name */
    return end && strncmp(end, ") R", 3) == 0;
}

/* One that has not begun waits for a processor. A thread that has used no processor
 * time since the last look and slept then sleeps still, or was woken just now: of
 * very many, it is taken for asleep. */
static bool runs(struct worker *w, int *reads) {
    struct timespec used;
    if (w->tid == 0) return true;
    if (clock_gettime(w->clock, &used) != 0) return false;
    if (used.tv_sec != w->used.tv_sec || used.tv_nsec != w->used.tv_nsec ||
        (!w->runs && (*reads)-- > 0)) {
        w->used = used;
        w->runs = is_running(w->tid);
    }
    return w->runs;
}

/* Counts the workers that run, up to `most`. */
static uint64_t census(struct pool *p, uint64_t most) {
    int reads = 50; /* of files that say what a thread does, some 10 us each */
    uint64_t count = 0;
    pthread_mutex_lock(&p->lock);
    for (struct worker *w = p->workers; w && count < most; w = w->next) count += runs(w, &reads);
    pthread_mutex_unlock(&p->lock);
    return count;
}

static void enlist(struct worker *w) {
    struct pool *p = &pools[w->index];
    pthread_mutex_lock(&p->lock);
    w->next = p->workers;
    p->workers = w;
    pthread_mutex_unlock(&p->lock);
}

static void begin(struct worker *w) {
    struct pool *p = &pools[w->index];
    side_ask_tid();
    pthread_mutex_lock(&p->lock);
    w->tid = (pid_t)side_self.tid;
    pthread_getcpuclockid(pthread_self(), &w->clock);
    pthread_mutex_unlock(&p->lock);
}

static void delist(struct worker *w) {
    struct pool *p = &pools[w->index];
    pthread_mutex_lock(&p->lock);
    struct worker **link = &p->workers;
    while (*link != w) link = &(*link)->next;
    *link = w->next;
    pthread_mutex_unlock(&p->lock);
}

static void watch(const struct worker *w) {
    step_t s = {.handle = w->database};
    for (;;) {
        s.elapsed = (uint64_t)side_now();
        side_drive(&s, STEP_WATCH);
        if (s.result == STEP_SLEEP) { /* it is announced before who owes is looked for */
            int64_t most = rouse_owing(&pools[w->index]);
            side_sleep(s.event, s.expected, most < (int64_t)s.elapsed ? most : (int64_t)s.elapsed);
        } else if (s.result == STEP_CENSUS) {
            s.size = census(&pools[w->index], s.max);
        } else if (s.result == AIMDB_BLOCKED) {
            GO(goAddWorker(w->go));
        } else {
            return;
        }
    }
}

static void discard(struct worker *w) {
    if (w->callbacks) side_give_callbacks(w->callbacks);
    free(w);
}

static void *run(void *argument) {
    struct worker *w = argument;
    side_begin_thread(w->watcher ? "aimdb:watcher" : "aimdb:worker");
    if (w->watcher) {
        watch(w);
    } else {
        side_self.callbacks = w->callbacks;
        begin(w);
        work(w);
        delist(w);
    }
    side_thread_ended();
    GO(goWorkerLeft(w->go));
    discard(w);
    return NULL;
}

int32_t side_start_worker(uint64_t database, uint32_t index, uint64_t go, bool watcher) {
    struct worker *w = malloc(sizeof *w);
    if (!w) return AIMDB_ERR_NO_MEMORY;
    *w = (struct worker){.database = database, .index = index, .go = go, .watcher = watcher};
    if (!watcher && !(w->callbacks = side_take_callbacks())) {
        free(w);
        return AIMDB_ERR_NO_MEMORY;
    }
    if (!watcher) enlist(w);
    int32_t status = side_start_thread(run, w, 0);
    if (status != AIMDB_OK) {
        if (!watcher) delist(w);
        discard(w);
    }
    return status;
}
