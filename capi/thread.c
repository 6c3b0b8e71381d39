// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "side.h"

/* There if the host is built with AddressSanitizer. */
extern void __lsan_register_root_region(const void *, size_t) __attribute__((weak));

_Thread_local side_thread_t side_self;
_Thread_local char side_text[TEXT_MAX];

void side_ask_tid(void) { side_self.tid = (uint32_t)syscall(SYS_gettid); }

aimdb_status_t side_fail(aimdb_status_t status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(side_text, sizeof side_text, format, arguments);
    va_end(arguments);
    return status;
}

/* Frames: the callbacks a thread is in. They lie in a table that is never given
 * back, so that an emitter kept too long is looked up without harm: its
 * activation no longer matches. An activation is odd while its callback runs.
 *
 * An emitter is the number  activation | type | depth | index of the table. */

enum { FRAMES = AIMDB_DEPTH_MAX + 1 };

typedef struct frames {
    _Atomic uint32_t activation[FRAMES];
    uint32_t database[FRAMES];
    void *draft[FRAMES];
    uint64_t draft_size[FRAMES];
    struct frames *next; /* in the list of free ones */
} frames_t;

enum { EMITTER_TYPE = 5, DEPTH_BITS = 5, TYPE_BITS = 3 };
#if UINTPTR_MAX > UINT32_MAX
enum { INDEX_BITS = 19 };
#define ACTIVATION_MASK UINT32_MAX
#else
enum { INDEX_BITS = 12 };
#define ACTIVATION_MASK ((1u << 12) - 1)
#endif
enum { TABLE_SIZE = 1 << (INDEX_BITS < 16 ? INDEX_BITS : 16) };

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static frames_t *_Atomic table;
static frames_t *free_frames;
static uint32_t table_used;
static pthread_key_t key;
static bool key_made;

static void give_frames(void *pointer) {
    frames_t *f = pointer;
    for (int i = 0; i < FRAMES; i++) {
        free(f->draft[i]);
        f->draft[i] = NULL;
        f->draft_size[i] = 0;
    }
    pthread_mutex_lock(&table_lock);
    f->next = free_frames;
    free_frames = f;
    pthread_mutex_unlock(&table_lock);
    side_self.frames = NULL;
}

static bool make_table(void) {
    if (table) return true;
    if (!key_made && pthread_key_create(&key, give_frames) != 0) return false;
    key_made = true;
    void *at = mmap(NULL, sizeof(frames_t) * TABLE_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    if (__lsan_register_root_region) /* drafts are held there */
        __lsan_register_root_region(at, sizeof(frames_t) * TABLE_SIZE);
    table = at;
    return true;
}

bool side_frames(void) {
    pthread_mutex_lock(&table_lock);
    bool made = make_table();
    pthread_mutex_unlock(&table_lock);
    return made;
}

static frames_t *take_frames(void) {
    pthread_mutex_lock(&table_lock);
    frames_t *f = NULL;
    if (make_table()) {
        f = free_frames;
        if (f)
            free_frames = f->next;
        else if (table_used < TABLE_SIZE)
            f = &table[table_used++];
    }
    pthread_mutex_unlock(&table_lock);
    if (f) {
        pthread_setspecific(key, f);
        side_self.frames_index = (uint32_t)(f - table);
    }
    return f;
}

/* Only its thread writes an activation. */
static uint32_t advance(_Atomic uint32_t *activation) {
    uint32_t next = atomic_load_explicit(activation, memory_order_relaxed) + 1;
    atomic_store_explicit(activation, next, memory_order_release);
    return next;
}

aimdb_emitter_t *side_enter(uint32_t database) {
    if (!side_self.frames && !(side_self.frames = take_frames())) return NULL;
    frames_t *f = side_self.frames;
    uint32_t depth = side_self.depth++;
    f->database[depth] = database;
    uint64_t activation = advance(&f->activation[depth]);
    uint64_t low = (uint64_t)EMITTER_TYPE << (DEPTH_BITS + INDEX_BITS) |
                   (uint64_t)depth << INDEX_BITS | side_self.frames_index;
    return (aimdb_emitter_t *)(uintptr_t)((activation & ACTIVATION_MASK)
                                              << (TYPE_BITS + DEPTH_BITS + INDEX_BITS) |
                                          low);
}

void side_leave(void) {
    advance(&side_self.frames->activation[--side_self.depth]);
}

bool side_emitter(const aimdb_emitter_t *emitter, uint32_t *database, uint32_t *depth) {
    uint64_t e = HANDLE(emitter);
    uint64_t index = e & ((1u << INDEX_BITS) - 1);
    uint64_t at = e >> INDEX_BITS & ((1u << DEPTH_BITS) - 1);
    uint64_t type = e >> (INDEX_BITS + DEPTH_BITS) & ((1u << TYPE_BITS) - 1);
    uint64_t activation = e >> (INDEX_BITS + DEPTH_BITS + TYPE_BITS);
    frames_t *t = table;
    if (type != EMITTER_TYPE || !t || index >= TABLE_SIZE || at >= FRAMES) return false;
    *database = t[index].database[at];
    *depth = (uint32_t)at + 1;
    return (activation & 1) && activation == (atomic_load(&t[index].activation[at]) & ACTIVATION_MASK);
}

/* A log or free function has a depth but no emitter. */
uint32_t side_database(void) {
    frames_t *f = side_self.frames;
    uint32_t depth = side_self.depth;
    if (!f || depth == 0 || depth > FRAMES) return ANY_DATABASE;
    bool runs = atomic_load_explicit(&f->activation[depth - 1], memory_order_relaxed) & 1;
    return runs ? f->database[depth - 1] : ANY_DATABASE;
}

void *side_draft(uint64_t capacity) {
    static _Thread_local uint64_t nothing;
    frames_t *f = side_self.frames;
    uint32_t depth = side_self.depth - 1;
    if (capacity == 0) return &nothing;
    if (f->draft_size[depth] < capacity) {
        void *larger = capacity > SIZE_MAX ? NULL : malloc((size_t)capacity);
        if (!larger) return NULL;
        free(f->draft[depth]);
        f->draft[depth] = larger;
        f->draft_size[depth] = capacity;
    }
    return f->draft[depth];
}
