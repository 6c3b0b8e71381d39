// SPDX-License-Identifier: Apache-2.0
//
// Databases with their records and subscriptions, as this program knows them.
//
// A thread takes a database for the time of a call (refs). One that is to end is
// sealed: nobody takes it any more. What is known of it stays until long after
// its end, so that a call back that comes too late is seen.

#include "random.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct database *databases[DATABASES];
static atomic_uint uids;

bool record_mute(const struct record *record) { return record->config.payload_max < VALUE_MIN; }

/* Records ------------------------------------------------------------------------- */

static size_t random_payload(void) {
    static const size_t sizes[] = {0, 8, 31, 64, 64, 100, 256, 256, 1000, 4096};
    if (chance(options.profile->large)) return chance(50) ? 65536 : 20000;
    size_t size = sizes[below(COUNT(sizes))];
    return size >= 32 && size < VALUE_MIN ? VALUE_MIN : size;
}

static size_t random_capacity(size_t payload) {
    static const size_t capacities[] = {1, 2, 3, 4, 7, 8, 9, 16, 64, 257, 1024};
    size_t capacity = capacities[below(COUNT(capacities))];
    if (chance(options.profile->patient)) capacity = 4096;
    while (capacity > 1 && capacity * payload > 4000000) capacity /= 2;
    return capacity;
}

static aimdb_buffer_t random_buffer(void) {
    const unsigned *w = options.profile->buffers;
    unsigned roll = (unsigned)below(w[0] + w[1] + w[2]);
    return roll < w[0] ? AIMDB_RING : roll < w[0] + w[1] ? AIMDB_LATEST : AIMDB_MAILBOX;
}

static void record_roll(struct record *record) {
    record->config = (aimdb_record_config_t)AIMDB_RECORD_CONFIG_INIT;
    record->config.buffer = random_buffer();
    record->config.payload_max = random_payload();
    record->config.capacity = random_capacity(record->config.payload_max);
    if (chance(15)) record->config.exact_size = record->config.payload_max;
    snprintf(record->key, sizeof record->key, "r/%u.%llu", record->uid,
             (unsigned long long)below(1000));
    if (chance(30)) {
        snprintf(record->type_name, sizeof record->type_name, "type%u", record->uid % 3);
        record->config.type_name = record->type_name;
    }
}

/* A record that is not yet registered: its owner registers it and then sets its
 * handle. NULL if there are enough. */
struct record *record_add(struct database *db) {
    pthread_mutex_lock(&db->lock);
    struct record *record = NULL;
    if (db->record_count < options.profile->records) {
        record = &db->records[db->record_count];
        record->uid = atomic_fetch_add(&uids, 1) + 1;
        record->db = db;
        record_roll(record);
        db->record_count++;
    }
    pthread_mutex_unlock(&db->lock);
    return record;
}

uint64_t record_memory(const struct record *record) {
    uint64_t slots = record->config.buffer == AIMDB_RING
                         ? record->config.capacity + record->config.capacity / 8 + 1
                     : record->config.buffer == AIMDB_LATEST ? 5
                                                             : 2;
    uint64_t bytes = slots * (8 + (record->config.payload_max + 7) / 8 * 8);
    return (bytes + 4095) / 4096 * 4096 + 256;
}

static bool always(const struct record *record) {
    (void)record;
    return true;
}

struct record *record_with(struct database *db, bool (*fits)(const struct record *)) {
    int count = db->record_count;
    if (count == 0) return NULL;
    int first = (int)below((uint64_t)count);
    for (int i = 0; i < count; i++) {
        struct record *record = &db->records[(first + i) % count];
        if (record->handle && fits(record)) return record;
    }
    return NULL;
}

struct record *record_any(struct database *db) { return record_with(db, always); }

/* Subscriptions ---------------------------------------------------------------------- */

struct subscription *sub_add(struct record *record, bool pull) {
    struct database *db = record->db;
    struct subscription *sub = NULL;
    pthread_mutex_lock(&db->lock);
    if (db->sub_count < SUBSCRIPTIONS && db->live < LIVE) {
        sub = calloc(1, sizeof *sub);
        sub->uid = atomic_fetch_add(&uids, 1) + 1;
        sub->record = record;
        sub->pull = pull;
        sub->fd = -1;
        sub->produced_before = record->ok;
        pthread_mutex_init(&sub->lock, NULL);
        db->live++;
        db->subs[db->sub_count] = sub;
        db->sub_count++; /* others look without the lock */
    }
    pthread_mutex_unlock(&db->lock);
    return sub;
}

bool sub_over(const struct subscription *sub) {
    return sub->ended || sub->record->db->done == DESTROYED;
}

bool sub_done(const struct subscription *sub) {
    if (sub->refused) return true;
    if (sub->pull) return sub->ended;
    return sub->has_free ? sub->freed : sub->quiet || sub->record->db->quiet;
}

static bool wanted(const struct subscription *sub, bool pull) {
    return sub->pull == pull && sub->handle && !sub->refused && !sub_over(sub);
}

struct subscription *sub_any(struct database *db, bool pull) {
    int count = db->sub_count;
    bool any_state = chance(3);
    for (int tries = 0; count > 0 && tries < 24; tries++) {
        int recent = count > 40 && chance(80) ? 40 : count;
        struct subscription *sub = db->subs[count - 1 - (int)below((uint64_t)recent)];
        if (any_state ? sub->pull == pull && sub->handle != 0 : wanted(sub, pull)) return sub;
    }
    return NULL;
}

/* Databases ----------------------------------------------------------------------------- */

static void add_records(struct database *db) {
    int count = 1 + (int)below((uint64_t)options.profile->records);
    for (int i = 0; i < count; i++) do_register(db);
}

static struct database *database_make(void) {
    struct database *db = calloc(1, sizeof *db);
    db->uid = atomic_fetch_add(&uids, 1) + 1;
    db->refs = 1;
    db->left = 1 + (long)below((uint64_t)options.profile->life * 2);
    pthread_mutex_init(&db->lock, NULL);
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    db->has_log = chance(60);
    config.log_level = db->has_log ? (aimdb_log_level_t)below(5) : AIMDB_LOG_OFF;
    if (db->has_log) config.log = on_log;
    config.user = db;
    config.free = on_config_free;
    aimdb_t *handle = NULL;
    aimdb_status_t status = CALL(aimdb_create(&config, &handle));
    EXPECT(status, IN(AIMDB_OK), "create");
    CHECK(handle != NULL, "create");
    db->handle = (uintptr_t)handle;
    add_records(db);
    return db;
}

bool database_enter(struct database *db) {
    atomic_fetch_add(&db->refs, 1);
    if (!db->sealed) return true;
    database_leave(db);
    return false;
}

void database_leave(struct database *db) { atomic_fetch_sub(&db->refs, 1); }

/* The new one is made outside the lock, since making calls the library. */
static struct database *fill(size_t place) {
    struct database *db = database_make();
    pthread_mutex_lock(&lock);
    bool free_place = databases[place] == NULL;
    if (free_place) databases[place] = db;
    pthread_mutex_unlock(&lock);
    if (!free_place) end_database(db);
    return free_place ? db : NULL;
}

struct database *database_take(void) {
    size_t place = below((uint64_t)options.profile->databases);
    pthread_mutex_lock(&lock);
    struct database *db = databases[place];
    bool empty = db == NULL, taken = db && database_enter(db);
    pthread_mutex_unlock(&lock);
    if (taken) return db;
    return empty && !stopping && !inside() ? fill(place) : NULL;
}

bool database_any(void) {
    bool any = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < DATABASES; i++) any |= databases[i] != NULL;
    pthread_mutex_unlock(&lock);
    return any;
}

void database_remove(struct database *db) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < DATABASES; i++)
        if (databases[i] == db) databases[i] = NULL;
    pthread_mutex_unlock(&lock);
}

/* The graveyard: the last few, looked at once more before they go ----------------------- */

enum { GRAVES = 12 };
static struct database *oldest, **newest = &oldest;
static int graves;

static void check_freed_once(const struct database *db) {
    for (int i = 0; i < db->record_count; i++)
        if (db->records[i].has_producer == 2)
            CHECK(db->records[i].producer_freed == 1, "free function of a producer: %d times",
                  (int)db->records[i].producer_freed);
    CHECK(db->config_freed == 1, "free function of a database: %d times", (int)db->config_freed);
    for (int i = 0; i < db->sub_count; i++) {
        const struct subscription *s = db->subs[i];
        if (s->pull || !s->has_free) continue;
        CHECK(s->freed == !s->refused, "free function of subscription %u: %d times%s", s->uid,
              (int)s->freed, s->refused ? ", though refused" : "");
    }
}

/* Whether a callback may still come, in a subscription that has no free function to
 * tell its end: then what it looks at must stay for ever. */
static bool immortal(const struct database *db) {
    for (int i = 0; i < db->sub_count; i++)
        if (!db->subs[i]->pull && !sub_done(db->subs[i])) return true;
    return false;
}

static struct database *immortals;

static void forget(struct database *db) {
    check_freed_once(db);
    if (immortal(db)) {
        pthread_mutex_lock(&lock);
        db->next = immortals;
        immortals = db;
        pthread_mutex_unlock(&lock);
        return;
    }
    for (int i = 0; i < db->sub_count; i++) {
        pthread_mutex_destroy(&db->subs[i]->lock);
        free(db->subs[i]->window);
        free(db->subs[i]);
    }
    pthread_mutex_destroy(&db->lock);
    free(db);
}

void database_bury(struct database *db) {
    check_freed_once(db);
    pthread_mutex_lock(&lock);
    *newest = db;
    newest = &db->next;
    struct database *gone = ++graves > GRAVES ? oldest : NULL;
    if (gone) {
        oldest = gone->next;
        graves--;
    }
    pthread_mutex_unlock(&lock);
    if (gone) forget(gone);
}

void world_clear(void) {
    for (struct database *db = oldest, *next; db; db = next) {
        next = db->next;
        forget(db);
    }
}

/* Handles that name nothing -------------------------------------------------------------- */

enum { ENDED = 256 };
static _Atomic uintptr_t ended[KINDS][ENDED];
static atomic_uint ended_count[KINDS];

void ended_add(enum kind kind, uintptr_t handle) {
    if (handle) ended[kind][atomic_fetch_add(&ended_count[kind], 1) % ENDED] = handle;
}

uintptr_t ended_any(enum kind kind) {
    unsigned count = ended_count[kind];
    return count == 0 ? 0 : ended[kind][below(count < ENDED ? count : ENDED)];
}

static uintptr_t of_another_kind(enum kind kind, struct database *db) {
    struct record *record = record_any(db);
    struct subscription *sub = sub_any(db, chance(50));
    if (kind != DATABASE && chance(30)) return db->handle;
    if (kind != RECORD && record && chance(40)) return record->handle;
    if (sub && kind != (sub->pull ? READER : CONSUMER)) return sub->handle;
    return kind == DATABASE && record ? record->handle : kind == DATABASE ? 0 : db->handle;
}

static _Thread_local const char *last_no_handle = "";
const char *no_handle_is(void) { return last_no_handle; }

uintptr_t no_handle(enum kind kind, struct database *db) {
    static const char *const ways[] = {
        "NULL", "an address", "a small number", "a random number", "of another type", "ended"};
    int local;
    unsigned way = (unsigned)below(COUNT(ways));
    last_no_handle = ways[way];
    switch (way) {
    case 0: return 0;
    case 1: return (uintptr_t)&local;
    case 2: return (uintptr_t)below(4096);
    case 3: return (uintptr_t)(dice() << 1 ^ dice());
    case 4: return of_another_kind(kind, db);
    default: return ended_any(kind);
    }
}
