// SPDX-License-Identifier: Apache-2.0
//
// What each thread is doing, the library's own included once they run a callback.

#include "random.h"

#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct self *first;
static atomic_uint ids;
static _Thread_local struct self *mine;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void self_end(void *thread) {
    struct self *me = thread;
    pthread_mutex_lock(&lock);
    *me->link = me->next;
    if (me->next) me->next->link = me->link;
    pthread_mutex_unlock(&lock);
    free(me);
    mine = NULL;
}

static void make_key(void) { pthread_key_create(&key, self_end); }

struct self *self(void) {
    if (mine) return mine;
    pthread_once(&once, make_key);
    struct self *me = calloc(1, sizeof *me);
    me->id = atomic_fetch_add(&ids, 1) + 1;
    me->random = mix(options.seed ^ (uint64_t)me->id << 20);
    snprintf(me->what, sizeof me->what, "dispatcher");
    pthread_mutex_lock(&lock);
    me->next = first;
    me->link = &first;
    if (first) first->link = &me->next;
    first = me;
    pthread_mutex_unlock(&lock);
    pthread_setspecific(key, me);
    return mine = me;
}

void self_name(const char *what, uint64_t seed) {
    struct self *me = self();
    snprintf(me->what, sizeof me->what, "%s", what);
    me->random = seed;
}

void self_each(void (*visit)(struct self *)) {
    pthread_mutex_lock(&lock);
    for (struct self *each = first; each; each = each->next) visit(each);
    pthread_mutex_unlock(&lock);
}

static int *counter(struct self *me, enum place place) {
    return place == IN_FREE || place == IN_LOG ? &me->other : &me->emitting;
}

void frame_push(struct frame *frame) {
    struct self *me = self();
    frame->below = me->top;
    me->top = frame;
    ++*counter(me, frame->place);
}

void frame_pop(void) {
    struct self *me = self();
    --*counter(me, me->top->place);
    me->top = me->top->below;
}

uint64_t dice(void) {
    struct self *me = self();
    me->random += 0x9e3779b97f4a7c15u;
    return mix(me->random) >> 1;
}

uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void nap(uint64_t ns) {
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

void call_begin(struct site *site) {
    if (!atomic_load_explicit(&site->listed, memory_order_relaxed)) site_list(site);
    struct self *me = self();
    int deep = me->deep;
    if (deep < NOTES) {
        me->notes[deep].since = now();
        me->notes[deep].site = site;
    }
    me->deep = deep + 1;
}

aimdb_status_t call_end(struct site *site, aimdb_status_t status) {
    struct self *me = self();
    me->deep--;
    atomic_fetch_add_explicit(&me->calls, 1, memory_order_relaxed);
    bool known = status >= AIMDB_ERR_INTERNAL && status <= AIMDB_BLOCKED;
    CHECK(known, "%s answered %d", site->text, (int)status);
    if (known) atomic_fetch_add_explicit(&site->answers[status + 18], 1, memory_order_relaxed);
    if (status < 0)
        CHECK(aimdb_last_error()[0] != 0, "%s answered %s", site->text, status_name(status));
    return status;
}
