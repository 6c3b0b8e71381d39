/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the C side have from each other. The C side calls user
 * functions, sleeps, and runs steps; what a value means is said in core. */
#ifndef AIMDB_SIDE_H
#define AIMDB_SIDE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "aimdb.h"
#include "inject.h"
#include "step.h"

#define TEXT_MAX 320 /* bytes of an error text with its NUL */

/* thread.c: what the library knows of a thread. */
struct callbacks;
typedef struct side_thread {
    uint32_t tid;    /* as the kernel's lock owner; 0: not asked yet */
    uint32_t depth;  /* callbacks the thread is in */
    struct callbacks *callbacks;
    bool blocked;    /* a thread of the library: asynchronous signals are blocked */
    bool attached;   /* Go knows it */
    int entered;     /* side_block without side_restore */
    int cancel_state; /* before the first of them */
} side_thread_t;

/* Looked at in every call: of the initial-exec model, which costs no function
 * call. These few bytes come out of what the C library keeps for libraries that
 * are loaded late, as the Go runtime's own word does. */
extern _Thread_local side_thread_t side_self __attribute__((tls_model("initial-exec")));
extern _Thread_local char side_text[TEXT_MAX]; /* of the last error */

void side_ask_tid(void);
aimdb_status_t side_fail(aimdb_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Around a callback: enter gives its emitter, or NULL if there is no memory. */
aimdb_emitter_t *side_enter(uint32_t database);
void side_leave(aimdb_emitter_t *emitter);
/* What a thread needs for its callbacks. One of the library's has it before it is
 * made, so that they never lack it, and gives it back at its end; NULL: no memory. */
struct callbacks *side_take_callbacks(void);
void side_give_callbacks(struct callbacks *callbacks);
/* Finds the callback of an emitter; false if it has returned. */
bool side_emitter(const aimdb_emitter_t *emitter, uint32_t *database, uint32_t *depth);
/* The database of the callback that the thread is in, or ANY_DATABASE. */
uint32_t side_database(void);
/* The draft of the innermost callback, or NULL. */
void *side_draft(uint64_t capacity);

/* futex.c */
bool side_sleep(uint64_t word, uint32_t expected, int64_t timeout_ns);
void side_wake(uint64_t word, uint32_t most);
bool side_lock_wait(uint64_t lock, uint32_t owner); /* true: the lock was handed over */
void side_lock_release(uint64_t lock);
/* The error with which the kernel has refused a wait, once; else 0. */
int side_futex_fault(void);
extern bool side_inherit; /* locks inherit priority */

/* door.c */
typedef void (*side_step_fn)(step_t *);
/* The direct door's; NULL: through cgo. Written once, while the library starts. */
extern _Atomic(side_step_fn) side_direct[STEPS];
void side_settle(step_t *s, step_op_t op);
void side_open_door(int32_t op, uintptr_t address);
void side_block(sigset_t *before); /* around calls that may enter Go */
void side_restore(const sigset_t *before);

/* clock.c */
void side_start_clock(void);
int64_t side_now(void); /* CLOCK_MONOTONIC, ns */

/* Times what follows on each other, in laps. */
typedef struct side_watch {
    int64_t ns;      /* side_now, when the counter was at anchor */
    uint64_t anchor;
    uint64_t lap;    /* the counter when the lap began */
} side_watch_t;
void side_watch_start(side_watch_t *watch);
int64_t side_watch_lap(side_watch_t *watch);           /* ns of the lap that ends */
int64_t side_watch_ns(const side_watch_t *watch);      /* when the lap began, as side_now */

/* start.c */
extern _Atomic bool side_go_runs;
aimdb_status_t side_start_go(void); /* unless it runs */
extern int *side_parent;            /* 0 in a forked child */
static inline bool side_forked(void) { return *side_parent == 0; }
void side_refuse_child(void);
/* After a user function that a thread of the library's or Go has called: a child
 * forked in it must not go on as that thread. */
static inline void side_end_child(void) {
    if (side_forked()) side_refuse_child();
}

/* gothread.c */
enum { SIDE_GO_SPARE = 4 }; /* threads beside those that run Go code */
bool side_threads_to_be_had(int count);
void side_before_go(void);
void side_attach(void); /* before a thread enters Go; side_start_go and side_block do it */
/* After a thread has come out of Go, where it may stay out for long: side_restore does
 * it, and GO (capi/runtime.go says why). */
void side_left_go(void);
void side_set_collecting(uint32_t is); /* threads that come out of Go, or end, wait until it is 0 again */
/* A call into Go by a thread of the library's own, whose signals are blocked. */
#define GO(call)                                                                                   \
    do {                                                                                           \
        side_attach();                                                                             \
        call;                                                                                      \
        side_left_go();                                                                            \
    } while (0)

/* host.c */
void side_async_signals(sigset_t *set);
bool side_stay_loaded(void);
void side_to_stderr(aimdb_log_level_t level, const char *text);

/* worker.c: the library's own threads. */
bool side_make_thread(void *(*run)(void *), void *argument, size_t stack_size);
int32_t side_start_thread(void *(*run)(void *), void *argument, size_t stack_size);
void side_begin_thread(const char *name); /* first and last in a thread */
void side_thread_ended(void);
void side_set_time_slice(bool is_short); /* of the calling thread */
void side_no_time_slices(void); /* from now on none is set */

/* dispatch.c */
typedef struct side_consumer {
    aimdb_consumer_fn fn;
    aimdb_lag_fn on_lag;
    void *user;
    aimdb_free_fn free;
    size_t stack_size;
    uint64_t handle;
    uint64_t record;
    uint64_t go; /* a runtime/cgo.Handle of the consumer in Go */
    uint32_t database;
    uint64_t values; /* a batch: at most so many */
    uint64_t room;   /* in so many bytes */
    char name[16];
    void *buffer;
    aimdb_message_t *messages;
    struct callbacks *callbacks; /* NULL if it is shared: its workers have theirs */
    bool shared;
    bool short_sleep; /* the last one was */
    side_watch_t watch; /* laps are callbacks */
    int64_t logged;            /* when lagged and failures were last; 0: never */
    uint64_t lagged, failures; /* not logged yet */
    /* Under its pool's lock: */
    struct side_consumer *next_owing;
    bool owing; /* shared: it rests, and something is to be logged */
    bool rouse; /* the watcher has not seen to that yet */
    step_t step;
} side_consumer_t;

/* Makes a consumer, and starts its thread unless it is shared. */
int32_t side_dispatch(const side_consumer_t *given, uint64_t *driver);
void side_log_losses(side_consumer_t *consumer);
bool side_owes(const side_consumer_t *consumer);      /* something is to be logged, */
int64_t side_log_due(const side_consumer_t *consumer); /* and when */
bool side_deliver(side_consumer_t *consumer);
void side_end(side_consumer_t *consumer);

/* pool.c */
enum { SIDE_SHARE = 64, SIDE_DATABASES = 1 << 12 }; /* core.Share, core.MostDatabases */
int32_t side_start_worker(uint64_t database, uint32_t index, uint64_t go, bool watcher);
void side_owe_no_more(side_consumer_t *consumer);

/* account.c: core.ConsumerStats and core.RecordStats. */
typedef struct side_account {
    uint64_t offered, delivered, lagged_events, lagged, skipped, pending, abandoned;
    uint64_t failures, callback_ns, callback_max_ns;
} side_account_t;
typedef struct side_record_account {
    uint64_t produced, bytes, overwritten, taken, pending, abandoned;
    uint64_t rejected, readers, memory, producer_calls, producer_ns, producer_max_ns;
} side_record_account_t;

/* wait.c: calls that wait. */
typedef struct side_wait {
    uint64_t call; /* a runtime/cgo.Handle of the call in Go */
    uint64_t word; /* what to sleep on, before Go is asked again */
    uint32_t expected;
    int64_t left; /* ns */
} side_wait_t;
aimdb_status_t side_await(side_wait_t *wait, aimdb_status_t status, aimdb_consumer_stats_t *last);
int32_t side_start_closing(uint64_t call);

/* api.c: user functions that Go calls. */
void side_log(aimdb_log_fn fn, aimdb_log_level_t level, const char *text, void *user);
void side_free(aimdb_free_fn fn, void *user);

/* receive.c */
aimdb_status_t side_no_timeout(int64_t timeout_ns);

/* struct.c: structs of other versions. */
aimdb_status_t side_read(void *known, size_t known_size, const void *given, const char *name);
aimdb_status_t side_check(const void *out, size_t first_size, const char *name);
void side_write(void *given, const void *known, size_t known_size);

/* Annotations for ThreadSanitizer, which can't see the orderings that Go makes.
 * They are there when the program is built with it, whatever the library is. */
__attribute__((weak)) void __tsan_acquire(void *);
__attribute__((weak)) void __tsan_release(void *);
extern char side_sync[1024];
#define SYNC_AT(handle) (&side_sync[(handle) & 1023])
#define SYNC_ACQUIRE(handle) (__tsan_acquire ? __tsan_acquire(SYNC_AT(handle)) : (void)0)
#define SYNC_RELEASE(handle) (__tsan_release ? __tsan_release(SYNC_AT(handle)) : (void)0)
#define SYNC_LIFECYCLE 1023u

#define HANDLE(pointer) ((uint64_t)(uintptr_t)(pointer))

/* Runs a step to its end, as core/drive.go does for goroutines. Mostly it is
 * done after the step itself. */
static inline void side_drive(step_t *s, step_op_t op) {
    if (side_self.tid == 0) side_ask_tid();
    s->owner = side_self.tid;
    s->held = 0;
    side_step_fn direct = atomic_load_explicit(&side_direct[op], memory_order_relaxed);
    if (direct) {
        direct(s);
        if (s->todo == 0) return;
    }
    side_settle(s, op);
}

/* First in every function that returns a status. */
#define GUARD()                                                                                    \
    do {                                                                                           \
        if (side_forked())                                                                         \
            return side_fail(AIMDB_ERR_FORKED,                                                     \
                             "called in a child of fork(); only the parent can use AimDB");        \
    } while (0)

#define NOT_NULL(argument)                                                                         \
    do {                                                                                           \
        if (!(argument)) return side_fail(AIMDB_ERR_ARGUMENT, "%s: is NULL", #argument);           \
    } while (0)

#endif
