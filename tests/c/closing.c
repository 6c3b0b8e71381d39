// SPDX-License-Identifier: Apache-2.0

/* Everything that ends a database or a part of it, at once and from everywhere:
 * from outside, from callbacks of two threads, from producer functions. Pipelines
 * run in circles meanwhile. Each user pointer is freed once, each account balances,
 * each call returns. */

#include "test.h"

enum { RECORDS = 3, CONSUMERS = 9, READERS = 3, ROUNDS = 150 };

typedef struct consumer {
    struct world *world;
    int index;
    _Atomic uint64_t calls;
    _Atomic(aimdb_consumer_t *) handle;
    atomic_bool freed;
} consumer_t;

typedef struct world {
    aimdb_t *db;
    aimdb_record_t *records[RECORDS];
    aimdb_reader_t *readers[READERS];
    consumer_t consumers[CONSUMERS];
    uint32_t seed;
    atomic_int hops; /* emissions left */
    atomic_bool go;
    atomic_int destroys, freed; /* answered with OK; user pointers */
} world_t;

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void expect_end(aimdb_status_t status) {
    switch (status) {
    case AIMDB_OK:
    case AIMDB_TIMEOUT:
    case AIMDB_BLOCKED:
    case AIMDB_IN_PROGRESS:
    case AIMDB_ERR_HANDLE: /* somebody was faster */
        return;
    default:
        fprintf(stderr, "an end answers %s: %s\n", aimdb_strerror(status), aimdb_last_error());
        abort();
    }
}

static void expect_emission(aimdb_status_t status) {
    REQUIRE(status == AIMDB_OK || status == AIMDB_CLOSED || status == AIMDB_ERR_HANDLE ||
            status == AIMDB_ERR_DEPTH || status == AIMDB_REJECTED);
}

static void destroy(world_t *w) {
    aimdb_status_t status = aimdb_destroy(w->db);
    REQUIRE(status == AIMDB_OK || status == AIMDB_ERR_STATE || status == AIMDB_ERR_HANDLE);
    if (status == AIMDB_OK) atomic_fetch_add(&w->destroys, 1);
}

/* One of the ends, by chance. */
static void end_something(world_t *w, uint32_t chance) {
    switch (chance % 8) {
    case 0: expect_end(aimdb_close(w->db, chance / 8 % 3 * 100 * AIMDB_MICROSECOND)); break;
    case 1: expect_end(aimdb_close_with(w->db, AIMDB_MILLISECOND, AIMDB_CLOSE_DRAIN_READERS)); break;
    case 2: expect_end(aimdb_reader_close(w->readers[chance / 8 % READERS], NULL)); break;
    case 3: {
        aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
        aimdb_status_t status = aimdb_unsubscribe(w->consumers[chance / 8 % CONSUMERS].handle, &last);
        expect_end(status);
        if (status >= 0)
            REQUIRE(last.offered == last.delivered + last.lagged + last.skipped + last.pending + last.abandoned);
        break;
    }
    case 4:
        if (chance / 8 % 4 == 0) destroy(w);
        break;
    }
}

static int hop(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    consumer_t *c = user;
    world_t *w = c->world;
    REQUIRE(!c->freed);
    uint64_t n = ++c->calls;
    if (atomic_fetch_sub(&w->hops, 1) > 0)
        expect_emission(aimdb_emit(e, w->records[(c->index + 1) % RECORDS], m->data, m->size));
    uint32_t seed = w->seed + (uint32_t)(c->index * 977 + n * 31);
    uint32_t chance = next_random(&seed);
    if (atomic_load(&w->go) && chance % 16 == 0) end_something(w, next_random(&seed));
    return (int)(chance % 5 == 0);
}

static void free_consumer(void *user) {
    consumer_t *c = user;
    REQUIRE(!atomic_exchange(&c->freed, true));
    aimdb_close(c->world->db, 0);
    atomic_fetch_add(&c->world->freed, 1);
}

static int judge(aimdb_emitter_t *e, const aimdb_message_t *m, aimdb_draft_t *draft, void *user) {
    world_t *w = user;
    UNUSED(draft);
    uint32_t seed = w->seed + (uint32_t)number_in(m);
    uint32_t chance = next_random(&seed);
    if (chance % 4 == 0) return AIMDB_REJECT;
    if (chance % 4 == 1) expect_emission(aimdb_emit(e, m->record, m->data, m->size)); /* itself */
    return AIMDB_ACCEPT;
}

static void free_world(void *user) { atomic_fetch_add(&((world_t *)user)->freed, 1); }

static void *outsider(void *user) {
    world_t *w = user;
    uint32_t seed = w->seed ^ (uint32_t)(uintptr_t)&seed;
    while (!atomic_load(&w->go)) {}
    for (uint64_t n = 0; n < 20; n++) {
        expect_emission(put(w->records[n % RECORDS], n));
        char value[64];
        aimdb_message_t m = AIMDB_MESSAGE_INIT;
        aimdb_recv(w->readers[n % READERS], value, sizeof value, &m, 10 * AIMDB_MICROSECOND);
        end_something(w, next_random(&seed));
    }
    return NULL;
}

static void begin(world_t *w, uint32_t seed) {
    static const aimdb_buffer_t buffers[RECORDS] = {AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX};
    memset(w, 0, sizeof *w);
    w->seed = seed * 2654435761u;
    w->hops = 2000;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log_level = AIMDB_LOG_OFF, config.user = w, config.free = free_world;
    OK(aimdb_create(&config, &w->db));
    for (int i = 0; i < RECORDS; i++) {
        w->records[i] = add(w->db, (const char *[]){"a", "b", "c"}[i], buffers[i], 8);
        OK(aimdb_reader_open(w->records[i], &w->readers[i]));
    }
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    producer.fn = judge, producer.user = w, producer.free = free_world;
    OK(aimdb_set_producer(w->records[1], &producer));
    for (int i = 0; i < CONSUMERS; i++) {
        consumer_t *c = &w->consumers[i];
        c->world = w, c->index = i;
        aimdb_consumer_config_t of = AIMDB_CONSUMER_CONFIG_INIT;
        of.fn = hop, of.user = c, of.free = free_consumer;
        of.dispatch = i % 2 ? AIMDB_SHARED : AIMDB_DEDICATED;
        aimdb_consumer_t *handle;
        OK(aimdb_subscribe(w->records[i % RECORDS], &of, &handle));
        c->handle = handle;
    }
    OK(aimdb_start(w->db));
}

static void everything_ends_at_once(void) {
    for (uint32_t round = 0; round < ROUNDS; round++) {
        world_t *w = malloc(sizeof *w);
        REQUIRE(w);
        begin(w, round);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, outsider, w) == 0);
        atomic_store(&w->go, true);
        for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
        aimdb_status_t status = aimdb_close(w->db, AIMDB_FOREVER);
        expect_end(status);
        REQUIRE(status != AIMDB_BLOCKED && status != AIMDB_IN_PROGRESS);
        destroy(w);
        while (atomic_load(&w->freed) < CONSUMERS + 2) usleep(100); /* each of them, or SIGALRM */
        REQUIRE(w->freed == CONSUMERS + 2 && w->destroys == 1); /* whoever was the first */
        free(w);
    }
}

/* Both in a callback of the same database: none waits for the other. */
static sem_t inside, may_close;
static atomic_int frees;

static int close_beside(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    aimdb_t *db = user;
    UNUSED(e), UNUSED(m);
    sem_post(&inside);
    sem_wait(&may_close);
    STATUS(AIMDB_IN_PROGRESS, aimdb_close(db, AIMDB_FOREVER));
    return 0;
}

static void count(void *user) {
    UNUSED(user);
    atomic_fetch_add(&frees, 1);
}

static void two_callbacks_close_at_once(void) {
    for (int round = 0; round < 100; round++) {
        sem_init(&inside, 0, 0), sem_init(&may_close, 0, 0);
        frees = 0;
        aimdb_t *db = quiet_database();
        aimdb_record_t *a = add(db, "a", AIMDB_RING, 8);
        consume(a, close_beside, db, count), consume(a, close_beside, db, count);
        OK(aimdb_start(db));
        OK(put(a, 1));
        sem_wait(&inside), sem_wait(&inside);
        sem_post(&may_close), sem_post(&may_close);
        OK(aimdb_close(db, AIMDB_FOREVER));
        REQUIRE(frees == 2);
        OK(aimdb_destroy(db));
    }
}

/* Very many consumers: the end of each is told, and none is looked for again. */
static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return 0;
}

static void ten_thousand_shared_consumers_end(void) {
    enum { MANY = 10000 };
    frees = 0;
    aimdb_t *db = quiet_database();
    aimdb_record_t *a = add(db, "a", AIMDB_RING, 8);
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = nothing, config.free = count, config.dispatch = AIMDB_SHARED;
    for (int i = 0; i < MANY; i++) OK(aimdb_subscribe(a, &config, NULL));
    OK(aimdb_start(db));
    for (uint64_t n = 0; n < 8; n++) OK(put(a, n));
    OK(aimdb_close(db, AIMDB_FOREVER));
    REQUIRE(frees == MANY);
    OK(aimdb_destroy(db));
}

int main(void) {
    RUN(two_callbacks_close_at_once);
    RUN(ten_thousand_shared_consumers_end);
    RUN(everything_ends_at_once);
    return 0;
}
