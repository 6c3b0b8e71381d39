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

/* Emitters. A running callback has a slot, which lies in a row of a table that is
 * never given back, so that an emitter kept too long is looked up without harm:
 * the slot's activation, odd while a callback runs, no longer matches.
 *
 * An emitter is the number  activation | type | slot | row.
 *
 * A thread has a row. Where a pointer has 64 bits a number comes again after 2^31
 * callbacks of its thread. Where it has 32, numbers are scarce: a thread takes one
 * slot of its row after the other, and then changes the row for the one that has
 * rested longest, so that a number comes again after some 2^28 callbacks of the
 * process (2^16 within one callback that calls others). */

enum { ROW = 32, DEEPEST = AIMDB_DEPTH_MAX + 1 };

typedef struct slot {
    _Atomic uint32_t activation;
    uint32_t database;
    uint32_t depth;
} slot_t;

typedef struct row {
    slot_t slots[ROW];
    struct row *next; /* in the list of those that rest */
} row_t;

struct callbacks {
    row_t *row;
    uint32_t index; /* of the row */
    uint32_t at;    /* the slot given last */
    uint32_t given; /* slots of this row, ever */
    uint32_t running;
    slot_t *slots[DEEPEST]; /* of running ones */
    void *draft[DEEPEST];
    uint64_t draft_size[DEEPEST];
};

enum { EMITTER_TYPE = 5, SLOT_BITS = 5, TYPE_BITS = 3 };
#if UINTPTR_MAX > UINT32_MAX
enum { INDEX_BITS = 19, TABLE_SIZE = 1 << 16, SCARCE = false };
#define ACTIVATION_MASK UINT32_MAX
#else
enum { INDEX_BITS = 12, TABLE_SIZE = 1 << 12, SCARCE = true };
#define ACTIVATION_MASK ((1u << 12) - 1)
#endif

static struct {
    pthread_mutex_t lock;
    row_t *rows;               /* address space, of which */
    _Atomic uint32_t readable; /* so many are memory, and */
    uint32_t used;             /* so many have been given out */
    row_t *first, *last;       /* those that rest; the first for the longest */
    pthread_key_t key;
    bool has_key;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Makes more of the table readable: not all at once, so that a host that locks its
 * memory does not pay for what is never used. */
static bool grow(void) {
    enum { ROWS = 128 };
    if (table.readable == TABLE_SIZE) return false;
    if (!table.rows) {
        void *at = mmap(NULL, sizeof(row_t) * TABLE_SIZE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) return false;
        table.rows = at;
    }
    uint32_t readable = table.readable + ROWS;
    if (mprotect(table.rows, sizeof(row_t) * readable, PROT_READ | PROT_WRITE) != 0) return false;
    atomic_store(&table.readable, readable);
    return true;
}

static row_t *take_row(void) {
    bool fresh = table.used < table.readable || ((SCARCE || !table.first) && grow());
    if (fresh && (SCARCE || !table.first)) return &table.rows[table.used++];
    row_t *row = table.first;
    if (row && !(table.first = row->next)) table.last = NULL;
    return row;
}

static void rest_row(row_t *row) {
    row->next = NULL;
    if (table.last)
        table.last->next = row;
    else
        table.first = row;
    table.last = row;
}

/* Changes the row of a thread, or gives it the first, or, at its end, none. */
static void change_row(struct callbacks *c, bool end) {
    pthread_mutex_lock(&table.lock);
    row_t *row = end ? NULL : take_row();
    if (c->row && (row || end)) rest_row(c->row);
    if (row || end) c->row = row;
    pthread_mutex_unlock(&table.lock);
    c->given = 0;
    if (row) c->index = (uint32_t)(row - table.rows);
}

void side_give_callbacks(struct callbacks *c) {
    if (side_self.callbacks == c) side_self.callbacks = NULL;
    if (!side_forked()) change_row(c, true); /* else another thread of the parent may hold the lock */
    for (int i = 0; i < DEEPEST; i++) free(c->draft[i]);
    free(c);
}

struct callbacks *side_take_callbacks(void) {
    struct callbacks *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    change_row(c, false);
    if (c->row) return c;
    side_give_callbacks(c);
    return NULL;
}

static void thread_ends(void *c) { side_give_callbacks(c); }

static bool make_key(void) {
    pthread_mutex_lock(&table.lock);
    if (!table.has_key) table.has_key = pthread_key_create(&table.key, thread_ends) == 0;
    pthread_mutex_unlock(&table.lock);
    return table.has_key;
}

/* A thread of the host's has them from its first callback to its end. */
static struct callbacks *begin_callbacks(void) {
    struct callbacks *c = make_key() ? side_take_callbacks() : NULL;
    if (!c || pthread_setspecific(table.key, c) == 0) return c;
    side_give_callbacks(c); /* the thread's end would not be told */
    return NULL;
}

/* A slot that no callback of the thread has: there are more than it can nest. */
static slot_t *next_slot(struct callbacks *c) {
    if (!SCARCE) return &c->row->slots[c->at = c->running];
    if (c->given++ >= ROW && c->running == 0) change_row(c, false);
    do c->at = (c->at + 1) % ROW;
    while (c->row->slots[c->at].activation & 1);
    return &c->row->slots[c->at];
}

/* Only its thread writes an activation. */
static uint32_t advance(_Atomic uint32_t *activation) {
    uint32_t next = atomic_load_explicit(activation, memory_order_relaxed) + 1;
    atomic_store_explicit(activation, next, memory_order_release);
    return next;
}

aimdb_emitter_t *side_enter(uint32_t database) {
    struct callbacks *c = side_self.callbacks;
    side_self.depth++;
    if (!c && !(c = side_self.callbacks = begin_callbacks())) return NULL;
    slot_t *slot = next_slot(c);
    c->slots[c->running++] = slot;
    slot->database = database;
    slot->depth = side_self.depth;
    uint64_t activation = advance(&slot->activation);
    uint64_t low = (uint64_t)EMITTER_TYPE << (SLOT_BITS + INDEX_BITS) | (uint64_t)c->at << INDEX_BITS | c->index;
    return (aimdb_emitter_t *)(uintptr_t)((activation & ACTIVATION_MASK)
                                              << (TYPE_BITS + SLOT_BITS + INDEX_BITS) |
                                          low);
}

void side_leave(aimdb_emitter_t *emitter) {
    struct callbacks *c = side_self.callbacks;
    side_self.depth--;
    if (emitter) advance(&c->slots[--c->running]->activation);
}

bool side_emitter(const aimdb_emitter_t *emitter, uint32_t *database, uint32_t *depth) {
    uint64_t e = HANDLE(emitter);
    uint64_t index = e & ((1u << INDEX_BITS) - 1);
    uint64_t at = e >> INDEX_BITS & (ROW - 1);
    uint64_t type = e >> (INDEX_BITS + SLOT_BITS) & ((1u << TYPE_BITS) - 1);
    uint64_t activation = e >> (INDEX_BITS + SLOT_BITS + TYPE_BITS);
    if (type != EMITTER_TYPE || index >= atomic_load(&table.readable)) return false;
    const slot_t *slot = &table.rows[index].slots[at];
    *database = slot->database;
    *depth = slot->depth;
    return (activation & 1) && activation == (atomic_load(&slot->activation) & ACTIVATION_MASK);
}

/* A log or free function has a depth but no emitter. */
uint32_t side_database(void) {
    struct callbacks *c = side_self.callbacks;
    if (!c || c->running == 0) return ANY_DATABASE;
    const slot_t *innermost = c->slots[c->running - 1];
    return innermost->depth == side_self.depth ? innermost->database : ANY_DATABASE;
}

/* The innermost callback's. */
void *side_draft(uint64_t capacity) {
    static _Thread_local uint64_t nothing;
    struct callbacks *c = side_self.callbacks;
    uint32_t i = c->running - 1;
    if (capacity == 0) return &nothing;
    if (c->draft_size[i] < capacity) {
        void *larger = capacity > SIZE_MAX ? NULL : malloc((size_t)capacity);
        if (!larger) return NULL;
        free(c->draft[i]);
        c->draft[i] = larger;
        c->draft_size[i] = capacity;
    }
    return c->draft[i];
}
