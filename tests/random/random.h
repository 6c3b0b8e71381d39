/* SPDX-License-Identifier: Apache-2.0
 *
 * Random calls from many threads over the whole of aimdb.h, and the rules that
 * must hold whatever they are. What the header says is the oracle.
 *
 *   values.c     values that show tearing, reordering, doubles and strays
 *   self.c       what a thread is doing: its numbers, callbacks it is in, calls
 *   report.c     failures, the dump, the counts
 *   world.c      databases, records, subscriptions, handles that have ended
 *   rules.c      which status a call may have in which state
 *   seen.c       what a subscription saw, and its order
 *   callbacks.c  consumers, lag, free, log and producer functions
 *   calls_*.c    the calls
 *   rest.c       the accounts, when a database is at rest
 *   end.c        how databases end
 *   profiles.c   how often which call
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "aimdb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    DATABASES = 8,       /* at once */
    RECORDS = 10,        /* of a database */
    SUBSCRIPTIONS = 400, /* of a database, ever */
    LIVE = 24,           /* of a database, at once */
    ORDER = 1024,        /* newest values of a record whose order is compared */
    WINDOW = 1024,       /* newest values of a shared reader that are looked at for doubles */
    FROM = 32,           /* producers whose order a subscription follows at once */
};

struct options {
    uint64_t seed;
    double seconds;
    int threads;
    double patience; /* seconds without progress that are a failure */
    const struct profile *profile;
    bool verbose, keep_going;
    int argc;
    char **argv;
};
extern struct options options;
extern atomic_bool stopping; /* time is up: no new databases, no long waits */

/* Values ---------------------------------------------------------------------- */

enum {
    VALUE_DIVE = 1,
    VALUE_REPLACED = 2,
    VALUE_NESTED = 4, /* sent while the thread was perhaps sending another */
};

/* What is at the front of each value; the rest follows from `number`. */
struct value {
    uint64_t number; /* thread and count: unique in the run, rising on each thread */
    uint32_t record;
    uint32_t size;
    uint32_t thread;
    uint16_t hops; /* how often callbacks may send it on */
    uint16_t flags;
    uint64_t sum;
};
#define VALUE_MIN sizeof(struct value) /* records of less carry mute values: pattern only */

struct record;
/* What the record's producer function does with a value, known beforehand. */
enum verdict { ACCEPTS, REJECTS, REPLACES, NO_VERDICT, REPLACES_BADLY };
struct fate {
    enum verdict verdict;
    size_t size; /* enqueued */
};

uint64_t mix(uint64_t x);
struct value value_next(const struct record *record, size_t size, unsigned hops, unsigned flags);
void value_write(void *data, size_t size, const struct value *value);
/* The front of a value, checked with all its bytes; of a mute one zeroes. */
struct value value_read(const struct record *record, const void *data, size_t size);
struct fate value_fate(const struct record *record, const struct value *value, size_t size);
size_t value_size(const struct record *record); /* a random one that fits */

/* Threads ---------------------------------------------------------------------- */

enum place { IN_CONSUMER, IN_LAG, IN_PRODUCER, IN_FREE, IN_LOG };

/* A callback that this thread is in. */
struct frame {
    enum place place;
    aimdb_emitter_t *emitter;
    struct database *db;
    struct subscription *sub;
    const void *data; /* what a producer function must be shown */
    struct frame *below;
};

struct site { /* a place in this program that calls the library */
    const char *text;
    atomic_bool listed;
    _Atomic uint64_t answers[32];
    struct site *next;
};

struct note { /* a call under way */
    _Atomic(const struct site *) site;
    _Atomic uint64_t since;
};

enum { NOTES = 80 };
struct self {
    uint32_t id;
    uint64_t random, numbers;
    int emitting; /* callbacks deep, as emission counts them */
    int other;    /* free and log functions */
    struct frame *top;
    const void *handed; /* what is being produced: producer functions see this memory */
    struct note notes[NOTES];
    atomic_int deep;
    _Atomic uint64_t calls;
    char what[24];
    struct self *next, **link;
};
struct self *self(void);
void self_name(const char *what, uint64_t seed);
void self_each(void (*visit)(struct self *));
void frame_push(struct frame *frame);
void frame_pop(void);
static inline bool inside(void) { return self()->top != NULL; }

uint64_t dice(void); /* this thread's next random number */
static inline uint64_t below(uint64_t n) { return dice() % n; }
static inline bool chance(double of_100) { return below(100000) < (uint64_t)(of_100 * 1000); }

uint64_t now(void); /* ns */
void nap(uint64_t ns);

/* Calls ------------------------------------------------------------------------- */

void call_begin(struct site *site);
aimdb_status_t call_end(struct site *site, aimdb_status_t status);
#define CALL(call)                                                                                 \
    __extension__({                                                                                \
        static struct site site_ = {.text = #call};                                                \
        call_begin(&site_);                                                                        \
        call_end(&site_, (call));                                                                  \
    })

/* Waiting for what must come; the watchdog counts it as a call. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        static struct site site_ = {.text = "await: " #condition};                                 \
        call_begin(&site_);                                                                        \
        while (!(condition)) nap(100000);                                                          \
        call_end(&site_, AIMDB_OK);                                                                \
    } while (0)

/* Report -------------------------------------------------------------------------- */

/* `rule`, unless NULL, is what should be so. */
void fail(const char *file, int line, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                       \
    } while (0)
const char *status_name(aimdb_status_t status);
void site_list(struct site *site);
void report_start(void);
void report_counts(void);
void report_dump(void);
uint64_t report_findings(void);
void *watchdog(void *unused);

/* The world ------------------------------------------------------------------------- */

enum phase { CREATED, STARTED, CLOSING, QUIET, DESTROYED, PHASES };

struct subscription {
    uint32_t uid;
    struct record *record;
    bool pull, shared, crowded; /* crowded: a reader that several threads use at once */
    bool has_free, has_lag;
    _Atomic uintptr_t handle; /* 0 until it is known */
    atomic_bool refused;
    atomic_int ends, ended; /* ends tried, ends that answered OK */
    atomic_bool left;       /* it unsubscribed itself from its own callback */
    atomic_bool quiet;      /* no callback may begin or run */
    atomic_int running, freed;
    atomic_int receiving;
    atomic_int fd; /* -1 until it is known */

    pthread_mutex_t lock; /* what follows; a reader that is not crowded: also each receive */
    _Atomic uint64_t seen, told, failures, ns;
    uint64_t told_since;               /* the last value */
    uint64_t first, told_before_first; /* sequence numbers */
    uint64_t last;
    uint64_t *window;
    struct {
        uint32_t thread;
        uint64_t number;
    } from[FROM];
    uint64_t produced_before, produced_after; /* bounds of the record's count at subscription */
    bool has_account;
    aimdb_consumer_stats_t account;         /* the last one */
    uint64_t account_before, account_after; /* bounds of the record's count then */
    bool own_account;                       /* taken inside its own callback */
};

struct record {
    uint32_t uid;
    struct database *db;
    _Atomic uintptr_t handle;
    char key[32], type_name[16];
    aimdb_record_config_t config;
    atomic_int has_producer; /* 0, 1 being set, 2 set */
    atomic_int producer_freed;
    _Atomic uint64_t begun, ok, bytes, rejected, calls, calls_ns, taken;
    atomic_int waiters; /* threads that wait in it until a value comes */
    _Atomic uint64_t order[ORDER];
};

struct database {
    uint32_t uid;
    _Atomic uintptr_t handle;
    atomic_int tries[PHASES], done;
    atomic_bool quiet; /* a close said that no callback runs */
    atomic_int refs;
    atomic_bool sealed, ending;
    atomic_long left;        /* calls until it is ended */
    atomic_int answered;     /* a close's OK (1) or TIMEOUT (2) */
    atomic_bool readers_too; /* a close was to wait for readers */
    atomic_bool refused;     /* an emission was, by a close */
    bool has_log;
    atomic_int config_freed;
    pthread_mutex_t lock; /* adding */
    struct record records[RECORDS];
    atomic_int record_count;
    struct subscription *subs[SUBSCRIPTIONS];
    atomic_int sub_count, live;
    struct database *next; /* in the graveyard */
};

struct database *database_take(void); /* a random one, or NULL; made if there is room */
bool database_enter(struct database *db);
void database_leave(struct database *db);
void database_remove(struct database *db); /* from the world: nobody finds it any more */
void database_bury(struct database *db);
bool database_any(void);
void world_clear(void);

struct record *record_any(struct database *db);
struct record *record_with(struct database *db, bool (*fits)(const struct record *));
struct record *record_add(struct database *db);
uint64_t record_memory(const struct record *record);
bool record_mute(const struct record *record);
struct subscription *sub_any(struct database *db, bool pull); /* now and then an ended one */
struct subscription *sub_add(struct record *record, bool pull);
bool sub_over(const struct subscription *sub); /* surely ended */
bool sub_done(const struct subscription *sub); /* nothing of it can come any more */

static inline aimdb_t *db_handle(const struct database *db) { return (aimdb_t *)db->handle; }
static inline aimdb_record_t *record_handle(const struct record *r) {
    return (aimdb_record_t *)r->handle;
}
static inline aimdb_consumer_t *consumer_handle(const struct subscription *s) {
    return (aimdb_consumer_t *)s->handle;
}
static inline aimdb_reader_t *reader_handle(const struct subscription *s) {
    return (aimdb_reader_t *)s->handle;
}

/* Handles of things that have ended, and emitters that were kept. */
enum kind { DATABASE, RECORD, CONSUMER, READER, EMITTER, KINDS };
void ended_add(enum kind kind, uintptr_t handle);
uintptr_t ended_any(enum kind kind); /* 0 if there is none */
uintptr_t no_handle(enum kind kind,
                    struct database *db); /* ended, made up, of another type, NULL */
const char *no_handle_is(void);           /* this thread's last one, in a word */

/* Rules --------------------------------------------------------------------------------- */

typedef uint32_t set; /* of statuses */
#define IN(status) ((set)1 << ((status) + 18))
#define ERR(name) IN(AIMDB_ERR_##name)

struct range { /* the states that a database may have been in during a call */
    struct database *db;
    int from, to;
};
struct range range_begin(struct database *db);
void range_end(struct range *range);
void range_end_of(struct range *range, int own);
bool range_may(const struct range *range, int phase);

#define EXPECT(status, allowed, ...) expect(__FILE__, __LINE__, (status), (allowed), __VA_ARGS__)
void expect(const char *file, int line, aimdb_status_t status, set allowed, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

set allowed_produce(const struct range *range, set outcome);
set allowed_join(const struct range *range); /* subscribe, reader_open */
set allowed_look(const struct range *range);
set allowed_setup(const struct range *range, set outcome);

/* Raises and tells the state; use around start, close and destroy. */
void phase_try(struct database *db, int phase);
void phase_failed(struct database *db, int phase);
void phase_done(struct database *db, int phase);

/* What was seen ---------------------------------------------------------------------------- */

void seen_value(struct subscription *sub, const aimdb_message_t *message);
void seen_lag(struct subscription *sub, uint64_t lagged);
void seen_peek(struct record *record, const aimdb_message_t *message);
void account_check(const struct subscription *sub, const aimdb_consumer_stats_t *stats);
void account_last(struct subscription *sub, const aimdb_consumer_stats_t *stats, uint64_t before,
                  bool own);

/* Callbacks --------------------------------------------------------------------------------- */

int on_value(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user);
void on_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user);
void on_free(void *user);
int on_produce(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
               void *user);
void on_producer_free(void *user);
void on_log(aimdb_log_level_t level, const char *text, void *user);
void on_config_free(void *user);

/* The calls: each does one or a few, checked ----------------------------------------------------
 */

typedef void call_fn(struct database *db);
call_fn do_produce, do_batch, do_emit, do_emit_wrongly, do_dive;
call_fn do_subscribe, do_unsubscribe, do_open_reader, do_close_reader;
call_fn do_try_recv, do_recv, do_recv_batch, do_wait, do_poll, do_epoll, do_peek;
call_fn do_look, do_open, do_register, do_set_producer, do_fixed_texts, do_hostile;
call_fn do_start, do_close, do_destroy, do_brief_database;

void send_value(struct record *record, const struct frame *with, size_t size, unsigned hops,
                unsigned flags);
void poke(struct record *record);                                  /* one value that is accepted */
aimdb_status_t receive_once(struct subscription *sub, bool roomy); /* try_recv, checked */
aimdb_status_t close_reader(struct subscription *sub);
aimdb_status_t close_database(struct database *db, int64_t timeout);
aimdb_status_t destroy_database(struct database *db);
aimdb_status_t start_database(struct database *db);
bool descriptor_ready(int fd, int timeout_ms);

/* Rest and end ------------------------------------------------------------------------------------
 */

void seal(struct database *db); /* nobody else calls with it when this returns */
void unseal(struct database *db);
void rest_check(struct database *db); /* sealed, and this thread in no callback */
void do_rest(struct database *db);
void end_database(struct database *db);

/* Profiles
 * ------------------------------------------------------------------------------------------ */

struct profile {
    const char *name, *what;
    int databases, records;
    long life;           /* calls in a database's life, about */
    unsigned buffers[3]; /* weights: ring, latest, mailbox */
    double shared;       /* of 100 subscriptions */
    double naps, inner;  /* of 100 callbacks: sleep, call the library */
    double large;        /* of 100 records: values up to 64 KiB */
    double producers;    /* of 100 records: with a producer function */
    double patient;      /* of 100 records: capacities that lose nothing */
    const struct weight {
        call_fn *call;
        unsigned weight;
    } *calls;
};
const struct profile *profile_named(const char *name);
void profile_list(void);
void act(struct database *db); /* one random call */

#endif
