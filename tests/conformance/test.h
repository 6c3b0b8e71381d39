/* SPDX-License-Identifier: Apache-2.0
 *
 * A small frame for the conformance tests: named tests, checks that print what
 * they saw, a watchdog, and the helpers that nearly every test needs. Only libc,
 * pthreads and aimdb.h, so that the suite runs on any architecture.
 *
 * A test never asserts that something is fast. What must happen is awaited; a
 * hang is ended by the watchdog, which names the test.
 */
#ifndef CONFORMANCE_TEST_H
#define CONFORMANCE_TEST_H

#include "aimdb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};
void test_add(struct test *test);

/* TEST(rule) { ... }: registers itself before main. */
#define TEST(rule)                                                                                 \
    static void rule(void);                                                                        \
    __attribute__((constructor)) static void add_##rule(void)                                      \
    {                                                                                              \
        static struct test test = { #rule, rule, NULL };                                           \
        test_add(&test);                                                                           \
    }                                                                                              \
    static void rule(void)

/* Checks may be made on any thread. CHECK goes on, REQUIRE ends the program. */
bool check(bool good, const char *file, int line, const char *text);
bool check_eq(int64_t got, int64_t want, const char *file, int line, const char *text);
bool check_status(aimdb_status_t got, aimdb_status_t want, const char *file, int line,
                  const char *text);
_Noreturn void bail_out(void);

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(got, want)                                                                        \
    check_eq((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, #got " == " #want)
#define CHECK_STATUS(call, want) check_status((call), (want), __FILE__, __LINE__, #call)
#define CHECK_OK(call) CHECK_STATUS(call, AIMDB_OK)
#define REQUIRE(condition) ((void)(CHECK(condition) || (bail_out(), 0)))
#define REQUIRE_OK(call) ((void)(CHECK_OK(call) || (bail_out(), 0)))

/* Waits for something that other threads bring about; bounded by the watchdog. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        while (!(condition)) nap();                                                                \
    } while (0)
void nap(void);

/* A test that has no meaning in this column: says why, and is counted so. */
#define NO_MEANING(why)                                                                            \
    do {                                                                                           \
        no_meaning(why);                                                                           \
        return;                                                                                    \
    } while (0)
void no_meaning(const char *why);

/* How this run of the suite differs from others: column.c. */
char **column_choose(char **argv); /* takes its options; the rest of the arguments */
aimdb_dispatch_t column_dispatch(void);
const char *column_name(void);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_TIME (30 * AIMDB_SECOND) /* a bound that only a hang exceeds */

uint64_t now_ns(void);
/* How often a test goes round that waits for threads to meet: as often as it says, but
 * where it runs hundreds of times, with a fault in each, AIMDB_TEST_PART says how many
 * times fewer. */
uint64_t rounds(uint64_t often);
/* A small generator for jitter and random sequences: the same in each run. */
uint32_t random_next(uint32_t *state);

/* Threads -------------------------------------------------------------------- */

struct thread {
    pthread_t id;
    _Atomic(pid_t) tid;
    void (*run)(void *);
    void *arg;
};
void thread_start(struct thread *thread, void (*run)(void *), void *arg);
void thread_join(struct thread *thread);
/* Waits until the thread sleeps in the kernel and stays asleep, or has ended. */
void thread_await_sleep(struct thread *thread);
bool was_told(aimdb_status_t status);
size_t threads_of_process(void);

/* Databases, records, numbers ------------------------------------------------- */

aimdb_t *database(void);         /* created; log lines are dropped */
aimdb_t *started(aimdb_t *db);   /* starts it */
void end(aimdb_t *db);           /* close with everything delivered, all consumers ended, destroy */
void close_and_destroy(aimdb_t *db, aimdb_status_t want); /* the same, close answers `want` */
void await_consumers(aimdb_t *db, uint64_t count);

aimdb_record_t *record(aimdb_t *db, const char *key, aimdb_buffer_t buffer, size_t capacity,
                       size_t payload_max);
aimdb_record_t *numbers(aimdb_t *db, aimdb_buffer_t buffer, size_t capacity); /* of 8 bytes */
aimdb_status_t put(aimdb_record_t *record, uint64_t number);
void put_range(aimdb_record_t *record, uint64_t first, uint64_t last); /* each must be OK */
uint64_t number_of(const aimdb_message_t *message);

struct taken {
    aimdb_status_t status;
    uint64_t number, sequence, lagged;
};
struct taken take(aimdb_reader_t *reader, int64_t timeout); /* 0: aimdb_try_recv */
aimdb_reader_t *reader(aimdb_record_t *record);
void check_takes(aimdb_reader_t *reader, uint64_t first, uint64_t last); /* these, then not OK */

aimdb_consumer_stats_t stats_of_reader(aimdb_reader_t *reader);
aimdb_consumer_stats_t stats_of_consumer(aimdb_consumer_t *consumer);
aimdb_record_stats_t stats_of_record(aimdb_record_t *record);
void check_account(const aimdb_consumer_stats_t *stats);
void check_mailbox_account(const aimdb_record_stats_t *stats);

/* A consumer that keeps what its callbacks saw ---------------------------------- */

struct sink {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t *numbers; /* in the order of the callbacks */
    size_t count, room;
    uint64_t lags, lagged; /* calls of on_lag, and their sum */
    unsigned frees;
    int inside; /* callbacks running now */
    bool hold;  /* callbacks wait while set */
    int answer; /* what the callback returns */
    void (*then)(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message);
    void *arg; /* for `then` */
};
#define SINK                                                                                       \
    { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

int sink_fn(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user);
void sink_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user);
void sink_free(void *user);
/* The defaults, with the column's dispatch. */
aimdb_consumer_config_t consumer_config(void);
aimdb_consumer_config_t sink_config(struct sink *sink);
aimdb_consumer_t *sink_subscribe(struct sink *sink, aimdb_record_t *record);
/* Waits until what callbacks have changed makes it so. */
#define SINK_AWAIT(sink, condition)                                                                \
    do {                                                                                           \
        pthread_mutex_lock(&(sink)->lock);                                                         \
        while (!(condition)) pthread_cond_wait(&(sink)->changed, &(sink)->lock);                   \
        pthread_mutex_unlock(&(sink)->lock);                                                       \
    } while (0)
void sink_await_count(struct sink *sink, size_t count);
void sink_await_done(struct sink *sink, size_t count); /* and these callbacks have returned */
void sink_await_inside(struct sink *sink);
void sink_await_freed(struct sink *sink);
void sink_hold(struct sink *sink);
void sink_release(struct sink *sink);
size_t sink_count(struct sink *sink);
unsigned sink_frees(struct sink *sink);
void sink_check_range(struct sink *sink, uint64_t first, uint64_t last); /* saw just these */
void sink_end(struct sink *sink); /* its free function was called exactly once */

#endif
