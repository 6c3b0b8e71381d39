/* SPDX-License-Identifier: Apache-2.0
 *
 * aimdb.h - AimDB: an in-process data plane for edge applications.
 *
 * A program registers records, produces opaque byte values into them without
 * ever waiting for a consumer, and every consumer gets them at its own pace.
 *
 *   aimdb_t *db;
 *   aimdb_record_t *temperature;
 *   aimdb_create(NULL, &db);
 *   aimdb_register(db, "sensor.temperature", NULL, &temperature);
 *   aimdb_subscribe(temperature, &consumer, NULL);
 *   aimdb_start(db);
 *   aimdb_produce(temperature, &value, sizeof value);
 *   aimdb_close(db, 2 * AIMDB_SECOND);
 *   aimdb_destroy(db);
 *
 * CONTENTS
 *   1  Rules for every call        6  Producing
 *   2  Status                      7  Callback consumers
 *   3  Types and callbacks         8  Pull readers
 *   4  Database and lifecycle      9  Statistics
 *   5  Records and buffers        10  The process it is in
 *
 *
 * 1  RULES FOR EVERY CALL
 *
 * Threads. Every function may be called from any thread at any time, also from
 * inside any callback of the library, unless its text says otherwise. No
 * function is async-signal-safe: call none from a signal handler. In a child
 * of fork() every function that returns a status answers AIMDB_ERR_FORKED.
 *
 * Handles. aimdb_t, aimdb_record_t, aimdb_consumer_t, aimdb_reader_t and
 * aimdb_emitter_t are opaque; a pointer to one is a checked number and points
 * to nothing. A handle that is NULL, ended, made up, or of another type is
 * answered with AIMDB_ERR_HANDLE (an emitter: AIMDB_ERR_EMITTER).
 *
 * Errors. A negative status means that the call did nothing (of a batch: nothing
 * with the value that it is about). aimdb_last_error()
 * then gives a text that names the argument and the rule. A positive status is
 * an outcome, not an error (nothing there, lagged, timeout, ...). Output
 * arguments are written only where the text says so.
 *
 * Any function that takes a handle or a struct can return, beside what its
 * text lists:
 *   AIMDB_ERR_ARGUMENT  a pointer that must not be NULL is NULL, or a value is
 *                       out of its range
 *   AIMDB_ERR_HANDLE    see above
 *   AIMDB_ERR_VERSION   a struct whose struct_size this library can't serve
 *   AIMDB_ERR_FORKED    called in a child of fork()
 *   AIMDB_ERR_INTERNAL  a fault inside the library was caught; please report
 *
 * Structs. Each begins with struct_size and has an initialiser
 * (AIMDB_RECORD_CONFIG_INIT ...) that sets it and the defaults; it is a multiple of
 * the size of size_t. Programs
 * compiled with an older header (smaller struct) work; with a newer header,
 * configuration structs are accepted while the unknown tail is all zero.
 * In output structs set struct_size (the initialiser does); the library writes
 * no more than struct_size bytes and sets an unknown tail to zero.
 *
 * Strings are NUL-terminated UTF-8. The library copies what it keeps.
 *
 * Times are nanoseconds in int64_t. A timeout of 0 does not wait, AIMDB_FOREVER
 * waits without limit, a negative one is AIMDB_ERR_ARGUMENT. Clock:
 * CLOCK_MONOTONIC.
 *
 * Callbacks must return normally. Leaving one by a C++ exception, longjmp,
 * pthread_exit or pthread_cancel is forbidden and undefined. No lock of the
 * library is held while a callback runs. What a callback that forks must know,
 * and what a thread that is cancelled, is in section 10.
 *
 * Before exit() or a return from main(), end the databases: aimdb_close, then
 * aimdb_destroy. Otherwise callbacks may run while the C library tears down
 * the objects that they use. The library itself never delays exit.
 */
#ifndef AIMDB_H
#define AIMDB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define AIMDB_API __attribute__((visibility("default")))
#else
#define AIMDB_API
#endif

#define AIMDB_VERSION_MAJOR 0
#define AIMDB_VERSION_MINOR 1
#define AIMDB_VERSION_PATCH 0
#define AIMDB_VERSION "0.1.0"
/* Changes when a program compiled against an older header no longer works.
 * It is also the number in the soname, libaimdb.so.0. */
#define AIMDB_ABI_VERSION 0

/* Nanoseconds. */
#define AIMDB_MICROSECOND INT64_C(1000)
#define AIMDB_MILLISECOND INT64_C(1000000)
#define AIMDB_SECOND INT64_C(1000000000)
#define AIMDB_FOREVER INT64_MAX

#define AIMDB_KEY_MAX 255        /* bytes in a key, without the NUL */
#define AIMDB_TYPE_NAME_MAX 255  /* bytes in a type name, without the NUL */
#define AIMDB_DEPTH_MAX 16       /* nested emissions on one thread */
#define AIMDB_DISPATCHERS_MAX 4096 /* threads that run callbacks in one process */


/* 2  STATUS --------------------------------------------------------------- */

typedef enum aimdb_status {
    AIMDB_OK = 0,

    /* Outcomes. */
    AIMDB_EMPTY = 1,       /* nothing to give now */
    AIMDB_LAGGED = 2,      /* values were lost to this reader; message.lagged says how many */
    AIMDB_TIMEOUT = 3,     /* the timeout passed first */
    AIMDB_CLOSED = 4,      /* the database or the reader is closed (or closing: intake) */
    AIMDB_REJECTED = 5,    /* the producer function rejected the value */
    AIMDB_IN_PROGRESS = 6, /* not waited for: goes on in the background */
    AIMDB_BLOCKED = 7,     /* a callback, producer or free function still runs */

    /* Errors. The call did nothing. */
    AIMDB_ERR_ARGUMENT = -1,        /* NULL, or out of its range */
    AIMDB_ERR_HANDLE = -2,          /* NULL, ended, made up, of another type or database */
    AIMDB_ERR_STATE = -3,           /* wrong lifecycle state for this call */
    AIMDB_ERR_KEY = -4,             /* key empty, too long, or with a forbidden byte */
    AIMDB_ERR_EXISTS = -5,          /* the key is registered, or a producer function is set */
    AIMDB_ERR_NOT_FOUND = -6,       /* no record has this key */
    AIMDB_ERR_TYPE = -7,            /* the record's type name or exact size is another */
    AIMDB_ERR_SIZE = -8,            /* payload over payload_max, or not the exact size */
    AIMDB_ERR_TOO_SMALL = -9,       /* the caller's buffer can't hold the value */
    AIMDB_ERR_VERSION = -10,        /* struct_size of a version that can't be served */
    AIMDB_ERR_NO_MEMORY = -11,      /* memory or address space is not to be had */
    AIMDB_ERR_NO_THREADS = -12,     /* a dispatcher thread is not to be had */
    AIMDB_ERR_NO_DESCRIPTORS = -13, /* a file descriptor is not to be had */
    AIMDB_ERR_DEPTH = -14,          /* emission nested deeper than AIMDB_DEPTH_MAX */
    AIMDB_ERR_EMITTER = -15,        /* emitter NULL, expired or made up */
    AIMDB_ERR_FORKED = -16,         /* called in a child of fork() */
    AIMDB_ERR_UNSUPPORTED = -17,    /* this kind of buffer can't do it (peek on a ring) */
    AIMDB_ERR_INTERNAL = -18        /* a fault in the library, caught */
} aimdb_status_t;

/* The version of the library at run time, "0.1.0", and its ABI version.
 * Both work in a forked child. */
AIMDB_API const char *aimdb_version(void);
AIMDB_API uint32_t aimdb_abi_version(void);

/* A fixed English text for a status; never NULL, also for unknown numbers.
 * Static memory. Works in a forked child. */
AIMDB_API const char *aimdb_strerror(aimdb_status_t status);

/* The text of the last negative status (and of AIMDB_REJECTED where the
 * producer function's answer was no verdict) on the calling thread, naming the
 * argument and the rule; "" if there was none. The memory is the thread's:
 * valid until its next call into the library. Works in a forked child. */
AIMDB_API const char *aimdb_last_error(void);


/* 3  TYPES AND CALLBACKS --------------------------------------------------- */

typedef struct aimdb_database aimdb_t;          /* a database */
typedef struct aimdb_record aimdb_record_t;     /* a record */
typedef struct aimdb_consumer aimdb_consumer_t; /* a callback subscription */
typedef struct aimdb_reader aimdb_reader_t;     /* a pull subscription */
typedef struct aimdb_emitter aimdb_emitter_t;   /* given to callbacks, valid during the call */

typedef enum aimdb_buffer {
    AIMDB_RING = 0,   /* every value in order to every reader; one more than `capacity`
                         behind loses the oldest and is told exactly how many */
    AIMDB_LATEST = 1, /* each reader sees the newest value, at most once */
    AIMDB_MAILBOX = 2 /* one slot; a value is taken by exactly one reader, or overwritten */
} aimdb_buffer_t;

typedef enum aimdb_log_level {
    AIMDB_LOG_ERROR = 0,
    AIMDB_LOG_WARNING = 1, /* lag, failed callbacks, values abandoned by a close */
    AIMDB_LOG_INFO = 2,    /* lifecycle */
    AIMDB_LOG_DEBUG = 3,
    AIMDB_LOG_OFF = 4      /* as a minimum level: nothing */
} aimdb_log_level_t;

/* A value as it reaches a callback or a receive. Callbacks get a pointer to a
 * struct of the library's version: read only the fields your header knows. */
typedef struct aimdb_message {
    size_t struct_size;
    const void *data;       /* the bytes; in a callback never NULL, and aligned to 8 but in a
                               producer function, which sees the producer's own memory */
    size_t size;            /* bytes */
    aimdb_record_t *record; /* the record */
    uint64_t sequence;      /* number of the value in its record, from 1; 0 in a producer function */
    uint64_t lagged;        /* values lost (AIMDB_LAGGED only), else 0 */
} aimdb_message_t;
#define AIMDB_MESSAGE_INIT { sizeof(aimdb_message_t), NULL, 0, NULL, 0, 0 }

/* Where a producer function writes a replacement. */
typedef struct aimdb_draft {
    size_t struct_size;
    void *data;      /* the library's memory, `capacity` bytes, aligned to 8 */
    size_t capacity; /* bytes: payload_max of the record */
    size_t size;     /* set it to the bytes written; 0 at the beginning */
} aimdb_draft_t;

typedef enum aimdb_verdict {
    AIMDB_ACCEPT = 0, /* enqueue the value as it is */
    AIMDB_REJECT = 1, /* drop it; produce answers AIMDB_REJECTED */
    AIMDB_REPLACE = 2 /* enqueue draft->size bytes of draft->data instead */
} aimdb_verdict_t;

/* A record's producer function: validates or transforms each value before it
 * is enqueued. Runs on the thread that produces, concurrently if several
 * threads do. `message` and `draft` are valid during the call. Returns an
 * aimdb_verdict_t; any other number is taken as AIMDB_REJECT. */
typedef int (*aimdb_producer_fn)(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                                 aimdb_draft_t *draft, void *user);

/* A consumer. Called on the dispatcher thread of its subscription, one call at
 * a time, in order. `message` and its data are valid during the call. Returns 0,
 * or non-zero for a failure: counted and logged, delivery goes on. */
typedef int (*aimdb_consumer_fn)(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                                 void *user);

/* Told, on the dispatcher thread and before the next value, that `lagged`
 * values were lost to this subscription since the last delivery. Ring only. */
typedef void (*aimdb_lag_fn)(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged,
                             void *user);

/* Called exactly once for a user pointer, when the library will never use it
 * again; on any thread. Not called if the function it was given to answers anything
 * but AIMDB_OK (also AIMDB_CLOSED): then the pointer stays the caller's. */
typedef void (*aimdb_free_fn)(void *user);

/* Receives log lines; `text` without a newline, valid during the call. Any
 * thread, several at once; on the program's, during a call, with signals blocked. It
 * should return soon: dispatchers and close wait for it. */
typedef void (*aimdb_log_fn)(aimdb_log_level_t level, const char *text, void *user);


/* 4  DATABASE AND LIFECYCLE ------------------------------------------------
 *
 *   create --> register, set_producer --> start --> produce --> close --> destroy
 *              subscribe, reader_open ------------------------>
 */

typedef struct aimdb_config {
    size_t struct_size;
    aimdb_log_fn log;            /* NULL: lines go to stderr */
    aimdb_log_level_t log_level; /* least severe level to log; default AIMDB_LOG_WARNING */
    void *user;                  /* passed to `log` */
    aimdb_free_fn free;          /* of `user`, or NULL */
} aimdb_config_t;
#define AIMDB_CONFIG_INIT { sizeof(aimdb_config_t), NULL, AIMDB_LOG_WARNING, NULL, NULL }

/* Makes a database. `config` may be NULL for the defaults. Several databases
 * can exist at once, 4,096 in a process.
 *   AIMDB_OK             *db is written
 *   AIMDB_ERR_NO_MEMORY  also: there are that many
 *   AIMDB_ERR_NO_THREADS the first call in the process: see section 10 */
AIMDB_API aimdb_status_t aimdb_create(const aimdb_config_t *config, aimdb_t **db);

/* Opens the database for values: from now on produce works and callbacks run.
 *   AIMDB_OK
 *   AIMDB_ERR_STATE      not in the state created */
AIMDB_API aimdb_status_t aimdb_start(aimdb_t *db);

/* Ends intake and lets consumers finish. From its beginning values from outside
 * are refused with AIMDB_CLOSED; produce calls under way are completed, but one
 * whose producer function outlasts the timeout answers AIMDB_CLOSED. Callback
 * consumers drain, and what callbacks and producer functions of this database
 * emit meanwhile is taken and drained too, through any number of records, until
 * nothing is pending and no callback runs. If the timeout (ns) passes first, no
 * further callback begins, what is pending is counted as abandoned, emissions are
 * refused, and the log says how much of which record.
 * Handles, statistics and pull readers stay valid: readers drain at their own pace,
 * then get AIMDB_CLOSED. A mailbox's value that nobody is subscribed to take, or
 * that readers leave, stays pending.
 * Each callback consumer ends: its free function is called. For that close waits
 * up to half a second on top of its timeout; up to five for a thread that gets no
 * processor, or is in the log function.
 * Called again, or by several threads, it waits for the same end; they drain for as
 * long as the one with the most time allows.
 *   AIMDB_OK             everything was delivered, no callback runs
 *   AIMDB_TIMEOUT        values were abandoned or emissions refused, no callback runs
 *   AIMDB_BLOCKED        when the time had passed, a callback, a producer function, a
 *                        free or log function had not returned, or all threads of
 *                        shared consumers were in callbacks; no other callback will
 *                        begin
 *   AIMDB_IN_PROGRESS    not waited for, it goes on in the background: called from
 *                        inside a callback of any database, or a call with more time goes on
 *   AIMDB_ERR_STATE      not started
 *   AIMDB_ERR_NO_THREADS from inside a callback: for the thread that goes on with it;
 *                        nothing was done */
AIMDB_API aimdb_status_t aimdb_close(aimdb_t *db, int64_t timeout_ns);

typedef enum aimdb_close_option {
    AIMDB_CLOSE_DRAIN_READERS = 1 /* draining also waits until pull readers have taken what they
                                     have pending, or are closed. What they have not taken when
                                     the timeout passes stays theirs; the answer is AIMDB_TIMEOUT,
                                     only of a call that asks for this */
} aimdb_close_option_t;

/* aimdb_close with options: 0, or bits of aimdb_close_option_t.
 *   as aimdb_close */
AIMDB_API aimdb_status_t aimdb_close_with(aimdb_t *db, int64_t timeout_ns, uint32_t options);

/* Ends the handle and all handles of its records, consumers and readers.
 * Never waits: memory and free functions follow when the last callback has
 * returned. Safe while other threads are inside any call with these handles;
 * a receive that waits returns AIMDB_CLOSED.
 *   AIMDB_OK
 *   AIMDB_ERR_STATE      running: call aimdb_close first (it need not have
 *                        returned: a close under way then abandons the rest) */
AIMDB_API aimdb_status_t aimdb_destroy(aimdb_t *db);


/* 5  RECORDS AND BUFFERS ---------------------------------------------------
 *
 * Keys: 1 to 255 bytes of [A-Za-z0-9._:/-], unique in a database.
 *
 * Memory of a record, in bytes, taken at registration as address space and
 * filled by the kernel page by page as values arrive:
 *
 *   slots * (8 + payload_max rounded up to 8), rounded up to pages, + 256
 *   slots: AIMDB_RING     capacity + capacity / 8 + 1
 *          AIMDB_LATEST   5
 *          AIMDB_MAILBOX  2
 *
 * Each consumer and reader takes at most 448 bytes more, and a buffer of
 * payload_max; of 4096, if payload_max is less and the record has a ring, with 48
 * bytes for each value in it, but for a shared consumer. That of a reader is
 * rounded up to pages. A consumer also takes 430 bytes if it is shared; if not,
 * its thread (stack_size of address space).
 */

typedef struct aimdb_record_config {
    size_t struct_size;
    aimdb_buffer_t buffer; /* default AIMDB_RING */
    size_t capacity;       /* AIMDB_RING: values held for a slow reader, >= 1; default 1024. Others
                              take no notice of it */
    size_t payload_max;    /* bytes, the largest value; default 256; 0 is allowed */
    size_t exact_size;     /* AIMDB_ANY_SIZE (default), or the only size accepted, <= payload_max */
    const char *type_name; /* NULL, or at most 255 bytes that aimdb_open compares */
} aimdb_record_config_t;
#define AIMDB_ANY_SIZE SIZE_MAX
#define AIMDB_RECORD_CONFIG_INIT                                                                   \
    { sizeof(aimdb_record_config_t), AIMDB_RING, 1024, 256, AIMDB_ANY_SIZE, NULL }

typedef struct aimdb_record_info_t {
    size_t struct_size;
    aimdb_buffer_t buffer;
    size_t capacity; /* 1 for AIMDB_LATEST and AIMDB_MAILBOX */
    size_t payload_max;
    size_t exact_size; /* AIMDB_ANY_SIZE if any size is accepted */
    char key[AIMDB_KEY_MAX + 1];
    char type_name[AIMDB_TYPE_NAME_MAX + 1]; /* "" if it has none */
} aimdb_record_info_t;
#define AIMDB_RECORD_INFO_INIT { sizeof(aimdb_record_info_t), AIMDB_RING, 0, 0, 0, { 0 }, { 0 } }

/* Registers a record. `config` may be NULL for the defaults.
 *   AIMDB_OK             *record is written; valid until aimdb_destroy
 *   AIMDB_ERR_KEY, AIMDB_ERR_EXISTS
 *   AIMDB_ERR_ARGUMENT   capacity 0, exact_size over payload_max, unknown buffer, ...
 *   AIMDB_ERR_STATE      the database is started or closed
 *   AIMDB_ERR_NO_MEMORY  the memory above is not to be had, or there are 65,536 records
 *                        in the process (16,384 on 32-bit machines) */
AIMDB_API aimdb_status_t aimdb_register(aimdb_t *db, const char *key,
                                        const aimdb_record_config_t *config,
                                        aimdb_record_t **record);

/* Finds a record. With a type_name that is not NULL, or an exact_size that is
 * not AIMDB_ANY_SIZE, the record must have been registered with the same.
 * Works in every state.
 *   AIMDB_OK             *record is written, the same handle for each open
 *   AIMDB_ERR_KEY, AIMDB_ERR_NOT_FOUND
 *   AIMDB_ERR_TYPE       the record has another type name or exact size */
AIMDB_API aimdb_status_t aimdb_open(aimdb_t *db, const char *key, const char *type_name,
                                    size_t exact_size, aimdb_record_t **record);

/* Writes how the record was registered.  AIMDB_OK */
AIMDB_API aimdb_status_t aimdb_record_info(aimdb_record_t *record, aimdb_record_info_t *info);

typedef struct aimdb_producer_config {
    size_t struct_size;
    aimdb_producer_fn fn; /* not NULL */
    void *user;           /* passed to `fn` */
    aimdb_free_fn free;   /* of `user`, or NULL */
} aimdb_producer_config_t;
#define AIMDB_PRODUCER_CONFIG_INIT { sizeof(aimdb_producer_config_t), NULL, NULL, NULL }

/* Gives the record its producer function, once, before start. It is in use
 * until the database is destroyed and no call of it runs.
 *   AIMDB_OK
 *   AIMDB_ERR_EXISTS     the record has one
 *   AIMDB_ERR_STATE      the database is started or closed */
AIMDB_API aimdb_status_t aimdb_set_producer(aimdb_record_t *record,
                                            const aimdb_producer_config_t *config);


/* 6  PRODUCING ------------------------------------------------------------- */

/* Gives one value to a record: runs its producer function on this thread, if
 * it has one, then enqueues a copy of the bytes and wakes who waits. Never
 * waits for a consumer. Several threads may produce into one record: all
 * readers see the same order. `data` may be NULL if `size` is 0.
 *   AIMDB_OK             enqueued
 *   AIMDB_REJECTED       the producer function rejected it
 *   AIMDB_CLOSED         the database is closing or closed (an emission: closed, or
 *                        the time of the close has passed)
 *   AIMDB_ERR_STATE      not started
 *   AIMDB_ERR_SIZE       over payload_max, or not exact_size (also of a
 *                        replacement, which counts as rejected)
 *   AIMDB_ERR_DEPTH      called more than AIMDB_DEPTH_MAX callbacks deep
 *   AIMDB_ERR_NO_MEMORY  no memory for the producer function's draft: taken
 *                        once per thread and depth */
AIMDB_API aimdb_status_t aimdb_produce(aimdb_record_t *record, const void *data, size_t size);

/* Gives `count` values to a record, one after the other, each as aimdb_produce
 * does. They lie back to back in `data` (NULL if all sizes are 0), the i-th with
 * sizes[i] bytes. Ends with the first that is not enqueued; values of other
 * threads may come in between. *produced, unless NULL, says how many were
 * enqueued, whatever the status is.
 *   AIMDB_OK             all of them
 *   as aimdb_produce, of the value number *produced */
AIMDB_API aimdb_status_t aimdb_produce_batch(aimdb_record_t *record, const void *data,
                                             const size_t *sizes, size_t count, size_t *produced);

/* The same as aimdb_produce from inside a callback, with the emitter it was
 * given, on any thread while that callback runs; the record must be of the
 * emitter's database. An emission is taken while a close drains the database. On
 * the thread of a callback aimdb_produce into a record of the callback's database
 * (of several, one inside the other, that of the innermost) is an emission, too:
 * aimdb_emit adds that it can be called on other threads, and that a record of
 * another database is refused.
 *   as aimdb_produce, and
 *   AIMDB_ERR_EMITTER    NULL, made up, or its callback has returned
 *   AIMDB_ERR_HANDLE     also: the record is of another database */
AIMDB_API aimdb_status_t aimdb_emit(aimdb_emitter_t *emitter, aimdb_record_t *record,
                                    const void *data, size_t size);


/* 7  CALLBACK CONSUMERS ---------------------------------------------------- */

typedef struct aimdb_consumer_stats_t {
    size_t struct_size;
    uint64_t offered;       /* values this subscription had to account for (see section 9) */
    uint64_t delivered;     /* callbacks begun; of a reader: values returned */
    uint64_t lagged_events; /* losses that were told, by on_lag or AIMDB_LAGGED (ring) */
    uint64_t lagged;        /* values lost by lagging (ring), also before that is told */
    uint64_t skipped;       /* values replaced by newer ones before they were seen (latest) */
    uint64_t pending;       /* values waiting for it (ring, latest) */
    uint64_t abandoned;     /* values cut off by unsubscribe or close */
    uint64_t failures;      /* callbacks that returned non-zero */
    uint64_t callback_ns;     /* time in callbacks, total */
    uint64_t callback_max_ns; /* and the longest */
} aimdb_consumer_stats_t;
#define AIMDB_CONSUMER_STATS_INIT { sizeof(aimdb_consumer_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef enum aimdb_dispatch {
    AIMDB_DEDICATED = 0, /* a thread of its own: wakes soonest, may block as it likes */
    AIMDB_SHARED = 1     /* few threads for all shared consumers of the database: for very many
                            consumers. One that blocks is made up for by one more thread, after
                            10 ms in which no other could begin; one that computes, while fewer
                            do than there are processors, and else after 1 s. Threads that were
                            not needed for 1 to 2 s end, but for one per processor, at most 4 */
} aimdb_dispatch_t;

typedef struct aimdb_consumer_config {
    size_t struct_size;
    aimdb_consumer_fn fn; /* not NULL */
    aimdb_lag_fn on_lag;  /* or NULL */
    void *user;           /* passed to `fn` and `on_lag` */
    aimdb_free_fn free;   /* of `user`, or NULL; called on the dispatcher thread, after the last
                             callback */
    size_t stack_size;    /* bytes of the dispatcher thread's stack; 0: 1 MiB; at least 64 KiB;
                             AIMDB_SHARED: without meaning, their threads have 1 MiB */
    aimdb_dispatch_t dispatch; /* on which thread; default AIMDB_DEDICATED */
} aimdb_consumer_config_t;
#define AIMDB_CONSUMER_CONFIG_INIT                                                                 \
    { sizeof(aimdb_consumer_config_t), NULL, NULL, NULL, NULL, 0, AIMDB_DEDICATED }

/* Subscribes a consumer to a record, before or after start; it gets what is
 * produced from now on (AIMDB_LATEST: also the current value; AIMDB_MAILBOX: also one
 * that nobody has taken). Its callbacks
 * run one at a time and in order, on a thread of its own or, shared, on any of
 * the database's, with all signals blocked but the synchronous ones
 * (section 10). A dispatcher thread may take a few values of a ring in hand, at
 * most capacity / 8 and 32, but at least 1 (also while on_lag runs): they are
 * pending like the others, and held on top of the capacity. `consumer` may be
 * NULL if the handle is not wanted.
 *
 * Threads that call callbacks inherit scheduling policy, priority and processors
 * (affinity) from the thread that subscribes; those of shared consumers from the
 * one that subscribes the database's first, or from the pool's own. A thread with
 * SCHED_DEADLINE can't make others: AIMDB_ERR_NO_THREADS, unless it has
 * SCHED_FLAG_RESET_ON_FORK.
 *
 * With the policy SCHED_OTHER they ask for short time slices (sched_setattr; Linux
 * 6.12 and later), so that they begin sooner when they are woken. Not if the
 * environment says AIMDB_TIME_SLICE=off at the first call, and not in a
 * process that is under a filter of system calls (seccomp): it may kill who asks.
 * A program that sets up such a filter after its first subscription sets the
 * variable.
 *   AIMDB_OK
 *   AIMDB_CLOSED          the database is closing or closed: not subscribed
 *   AIMDB_ERR_NO_THREADS  no thread to be had, or AIMDB_DISPATCHERS_MAX reached.
 *                         The first shared consumer of a database needs two; if
 *                         there are no more it goes on with these, and the next
 *                         subscription, or a callback that blocks, tries again
 *   AIMDB_ERR_NO_MEMORY   also: there are 262,144 consumers and readers in the process
 *                         (32,768 on 32-bit machines) */
AIMDB_API aimdb_status_t aimdb_subscribe(aimdb_record_t *record,
                                         const aimdb_consumer_config_t *config,
                                         aimdb_consumer_t **consumer);

/* Ends a subscription. From outside callbacks it returns when no callback of
 * the subscription runs or will run and its free function has returned; the
 * handle is then ended. From inside any callback of the library it never
 * waits: no further callback begins, and the end is announced by the free
 * function; until then the handle stays valid. `last`, unless NULL, receives
 * the last account (after AIMDB_IN_PROGRESS without the running callback's
 * failure and time).
 *   AIMDB_OK
 *   AIMDB_IN_PROGRESS     called from inside a callback */
AIMDB_API aimdb_status_t aimdb_unsubscribe(aimdb_consumer_t *consumer,
                                           aimdb_consumer_stats_t *last);


/* 8  PULL READERS ---------------------------------------------------------- */

/* Opens a reader on a record, before or after start; it gets what is produced
 * from now on (AIMDB_LATEST: also the current value; AIMDB_MAILBOX: also one that
 * nobody has taken). A reader may be used by
 * several threads: each value goes to one of them.
 *   AIMDB_OK              *reader is written
 *   AIMDB_CLOSED          the database is closing or closed: not opened
 *   AIMDB_ERR_NO_MEMORY   as for aimdb_subscribe */
AIMDB_API aimdb_status_t aimdb_reader_open(aimdb_record_t *record, aimdb_reader_t **reader);

/* Ends a reader and closes its descriptor. A receive that waits on another
 * thread returns AIMDB_CLOSED. `last`, unless NULL, receives the last account: no
 * value is given after it.
 *   AIMDB_OK */
AIMDB_API aimdb_status_t aimdb_reader_close(aimdb_reader_t *reader, aimdb_consumer_stats_t *last);

/* Receives the next value without waiting, copied into `buffer` of `capacity`
 * bytes (NULL if 0). Take payload_max bytes and it always fits. `message` must
 * have its struct_size set. `buffer` is written with AIMDB_OK only.
 *   AIMDB_OK              *message describes the value; data points to `buffer`
 *   AIMDB_LAGGED          message->lagged values were lost; the next call goes
 *                         on with the oldest value held. Said once for each loss
 *   AIMDB_EMPTY           nothing there
 *   AIMDB_CLOSED          nothing there, and nothing will come
 *   AIMDB_ERR_TOO_SMALL   message->size bytes are needed; the value stays pending
 *   AIMDB_ERR_HANDLE      also: the reader was closed, or the database destroyed, before
 *                         this call. A loop that receives until AIMDB_CLOSED ends with
 *                         this one if aimdb_destroy is not called after it has ended */
AIMDB_API aimdb_status_t aimdb_try_recv(aimdb_reader_t *reader, void *buffer, size_t capacity,
                                        aimdb_message_t *message);

/* As aimdb_try_recv, but waits at most timeout_ns for a value. Waiting is a
 * futex sleep on the calling thread, with its signals as they are; it is no
 * cancellation point. Several threads that wait are woken in no certain order.
 *   as aimdb_try_recv (AIMDB_EMPTY with a timeout of 0), and
 *   AIMDB_TIMEOUT         it has waited, and there was nothing */
AIMDB_API aimdb_status_t aimdb_recv(aimdb_reader_t *reader, void *buffer, size_t capacity,
                                    aimdb_message_t *message, int64_t timeout_ns);

/* Waits as aimdb_recv for a first value, then takes what is there, at most
 * `max` values, while they fit into `buffer`; payloads are packed at multiples
 * of 8 bytes. messages[0].struct_size must be set and is the distance from one
 * element of `messages` to the next. A value that was not taken stays pending.
 * A loss is reported alone: it ends a batch, and the next call says it.
 *   AIMDB_OK              *count messages are filled, at least 1
 *   AIMDB_LAGGED          *count is 0, messages[0].lagged is set
 *   AIMDB_TIMEOUT         *count is 0 (timeout 0: AIMDB_EMPTY)
 *   AIMDB_CLOSED          *count is 0
 *   AIMDB_ERR_TOO_SMALL   the first value needs messages[0].size bytes; *count is 0 */
AIMDB_API aimdb_status_t aimdb_recv_batch(aimdb_reader_t *reader, void *buffer, size_t capacity,
                                          aimdb_message_t *messages, size_t max, size_t *count,
                                          int64_t timeout_ns);

/* A descriptor for poll, epoll, libuv, asyncio. It is readable whenever there
 * is something to receive or the reader is closed by a closed database; it may
 * be readable with nothing to receive: then aimdb_try_recv says AIMDB_EMPTY
 * and re-arms it. While another thread's AIMDB_EMPTY re-arms it, it may be
 * unreadable for that moment though something has just come. So: wait until readable, aimdb_try_recv until AIMDB_EMPTY or
 * AIMDB_CLOSED. The descriptor is the reader's: never read, write or close it,
 * and remove it from the event loop before aimdb_reader_close and aimdb_destroy,
 * which close it.
 *   AIMDB_OK              *fd is written, the same at each call
 *   AIMDB_ERR_NO_DESCRIPTORS */
AIMDB_API aimdb_status_t aimdb_reader_fd(aimdb_reader_t *reader, int *fd);

/* Copies the current value of a record without consuming it. AIMDB_LATEST: the
 * newest value. AIMDB_MAILBOX: the value not yet taken.
 *   AIMDB_OK              as aimdb_try_recv
 *   AIMDB_EMPTY           no value (works in every state)
 *   AIMDB_ERR_TOO_SMALL   message->size bytes are needed
 *   AIMDB_ERR_UNSUPPORTED the record has a ring */
AIMDB_API aimdb_status_t aimdb_peek(aimdb_record_t *record, void *buffer, size_t capacity,
                                    aimdb_message_t *message);


/* 9  STATISTICS ------------------------------------------------------------
 *
 * Always on. Each call gives a snapshot that is consistent in itself, at any
 * moment:
 *   ring, latest, per subscription:
 *     offered = delivered + lagged + skipped + pending + abandoned
 *     offered is what was produced since it subscribed (+ 1 if AIMDB_LATEST
 *     had a value then)
 *   mailbox, per record:
 *     produced = taken + overwritten + pending + abandoned
 *     (a subscription's offered is what it was given, its delivered)
 * A value is pending until its callback begins or a receive returns it.
 * `lagged` counts a loss from the moment it is certain, also before
 * AIMDB_LAGGED has told it.
 *
 * Cost: one clock read per callback, two per call of a producer function.
 */

typedef struct aimdb_record_stats_t {
    size_t struct_size;
    uint64_t produced;    /* values enqueued */
    uint64_t rejected;    /* by the producer function, or its replacement was no good */
    uint64_t overwritten; /* mailbox: values replaced before anyone took them */
    uint64_t taken;       /* mailbox: values taken by all readers ever */
    uint64_t pending;     /* mailbox: 0 or 1 */
    uint64_t abandoned;   /* mailbox: cut off by close */
    uint64_t bytes;       /* payload bytes enqueued */
    uint64_t readers;     /* consumers and readers subscribed now */
    uint64_t memory;      /* bytes, by the formula of section 5 */
    uint64_t producer_calls; /* of the producer function */
    uint64_t producer_ns;    /* time in it, total */
    uint64_t producer_max_ns;
} aimdb_record_stats_t;
#define AIMDB_RECORD_STATS_INIT                                                                    \
    { sizeof(aimdb_record_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef enum aimdb_door {
    AIMDB_DOOR_CGO = 0,   /* the hot path goes through cgo */
    AIMDB_DOOR_DIRECT = 1 /* the hot path does not enter the Go scheduler */
} aimdb_door_t;

typedef struct aimdb_database_stats_t {
    size_t struct_size;
    uint64_t records;
    uint64_t consumers; /* callback subscriptions that have not ended */
    uint64_t readers;   /* pull readers open */
    uint64_t memory;    /* bytes of all records */
    aimdb_door_t door;  /* the same for the whole process */
} aimdb_database_stats_t;
#define AIMDB_DATABASE_STATS_INIT { sizeof(aimdb_database_stats_t), 0, 0, 0, 0, AIMDB_DOOR_CGO }

/* Snapshots of the accounts, in every state until the handle ends.  AIMDB_OK */
AIMDB_API aimdb_status_t aimdb_database_stats(aimdb_t *db, aimdb_database_stats_t *stats);
AIMDB_API aimdb_status_t aimdb_record_stats(aimdb_record_t *record, aimdb_record_stats_t *stats);
AIMDB_API aimdb_status_t aimdb_consumer_stats(aimdb_consumer_t *consumer,
                                              aimdb_consumer_stats_t *stats);
AIMDB_API aimdb_status_t aimdb_reader_stats(aimdb_reader_t *reader, aimdb_consumer_stats_t *stats);


/* 10  THE PROCESS IT IS IN --------------------------------------------------
 *
 * Loading. Linking or loading the library starts no thread, opens no descriptor
 * and changes no signal, limit or mapping. It holds a Go runtime, which the first
 * call that enters it (aimdb_create) starts, once in a process: in some
 * milliseconds, with 8 to 11 threads ("aimdb:go", 1 MiB of stack each) and about
 * 1.3 GB of address space (not memory). If the threads are not to be had the call
 * answers AIMDB_ERR_NO_THREADS, if the address space is not (RLIMIT_AS)
 * AIMDB_ERR_NO_MEMORY, and a later call tries again. When the system later gives
 * no more threads, calls still work, or answer AIMDB_ERR_NO_THREADS where they say
 * so. What ends the process is a lack of memory for Go's own bookkeeping, which is
 * some KiB for a record or consumer. dlclose does not unload it once it has been
 * called, nor a plugin that libaimdb.a is in.
 *
 * Fork. A process forked before the first call is one like any other: so call
 * daemon() before it. After it, children get AIMDB_ERR_FORKED. If a consumer, lag,
 * free or log function forks, and the child returns from it, the child says so on
 * stderr and ends by _exit(1); from a producer function it returns, and
 * aimdb_produce answers AIMDB_ERR_FORKED. Children made in callbacks, also by
 * posix_spawn and system, inherit the callback's signal mask, in which nearly all
 * is blocked: give them another (POSIX_SPAWN_SETSIGMASK, or pthread_sigmask before
 * fork and after).
 *
 * Descriptors. It holds none but those of aimdb_reader_fd. Only while all threads of
 * shared consumers are in callbacks it opens files of /proc/self/task, for some
 * microseconds each: closefrom() at another time harms nothing else. RLIMIT_NOFILE
 * stays as it is.
 *
 * Signals. The library's threads, and the program's while a call has them in Go,
 * block all signals but the synchronous ones (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * SIGTRAP, SIGABRT, SIGSYS); the thread then has the mask back that it had. It keeps
 * it while a call waits, in producer functions, and in calls that do not enter Go
 * (produce, emit, receive, peek and statistics through the direct door).
 * So sigwaitinfo, signalfd and ppoll see every signal, and handlers run on the
 * program's own threads and stacks, with SA_ONSTACK or without. A profiler by
 * SIGPROF sees callbacks only if they unblock it. Go installs handlers for
 * SIGSEGV, SIGBUS and SIGFPE, and forwards what is not its own to those installed
 * before; one installed later should pass on what it does not know. A thread that
 * has entered Go has an alternate signal stack (32 KiB) of Go's until it ends, if
 * it had none. Log lines to a closed stderr raise no SIGPIPE.
 *
 * Cancellation. No function is a cancellation point: a pthread_cancel that is
 * deferred (the default) is acted upon after the call. Threads that can be
 * cancelled asynchronously must not call.
 *
 * Locked memory. After mlockall(MCL_CURRENT | MCL_FUTURE) the first call takes
 * about 55 MiB, of which Go's own tables are nearly all, and each dedicated
 * consumer its stack; with MCL_ONFAULT it takes what is used, some 5 MiB. A
 * RLIMIT_MEMLOCK below the 1.3 GB of address space refuses the first call
 * (AIMDB_ERR_NO_MEMORY) unless it was made before mlockall.
 *
 * Real time. Threads inherit policy, priority and processors of the thread that
 * makes them: Go's of the first to call, a dispatcher's of its subscriber.
 *
 * Environment. AIMDB_DOOR, read at the first call: "cgo" or "direct" (default),
 * see aimdb_door_t. Go's own variables (GOGC, GODEBUG, GOMAXPROCS, ...) have no
 * effect.
 */

#ifdef __cplusplus
}
#endif

#endif /* AIMDB_H */
