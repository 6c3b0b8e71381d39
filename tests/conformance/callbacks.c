/* SPDX-License-Identifier: Apache-2.0
 *
 * What every kind of callback is given, and what works inside each: a producer
 * function, a consumer, a lag callback, a log function, a free function.
 */
#include "test.h"

/* What they are given ------------------------------------------------------------- */

struct seen {
    aimdb_record_t *record;
    const void *own; /* the producer's memory */
    size_t size, calls;
    bool replace;
};

static int look_in_producer(aimdb_emitter_t *emitter, const aimdb_message_t *m, aimdb_draft_t *draft,
                            void *user)
{
    struct seen *seen = user;
    seen->calls++;
    CHECK(emitter != NULL);
    CHECK(m->struct_size >= sizeof *m && draft->struct_size >= sizeof *draft);
    CHECK(m->data != NULL && (!seen->own || m->data == seen->own));
    CHECK_EQ(m->size, seen->size);
    CHECK(m->record == seen->record);
    CHECK_EQ(m->sequence, 0);
    CHECK_EQ(m->lagged, 0);
    CHECK(draft->data != NULL && (uintptr_t)draft->data % 8 == 0 && draft->data != m->data);
    CHECK_EQ(draft->capacity, 24);
    CHECK_EQ(draft->size, 0);
    if (!seen->replace) return AIMDB_ACCEPT;
    memset(draft->data, 'r', draft->capacity); /* all of it may be written */
    draft->size = draft->capacity;
    return AIMDB_REPLACE;
}

static int look_in_consumer(aimdb_emitter_t *emitter, const aimdb_message_t *m, void *user)
{
    struct seen *seen = user;
    CHECK(emitter != NULL && m->struct_size >= sizeof *m);
    CHECK(m->data != NULL && (uintptr_t)m->data % 8 == 0);
    CHECK(m->record == seen->record);
    CHECK_EQ(m->sequence, ++seen->calls); /* from 1; every value comes */
    CHECK_EQ(m->size, m->sequence % 3 ? (m->sequence - 1) % 10 : 24);
    CHECK_EQ(m->lagged, 0);
    for (size_t i = 0; i < m->size; i++)
        CHECK(((const char *)m->data)[i] == (m->sequence % 3 ? 'v' : 'r'));
    return 0;
}

/* Every third value is replaced; the sizes are 0 to 9. */
TEST(callback_of_each_kind_of_buffer_is_given_the_whole_message)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        struct seen in_producer = { .record = record(db, "seen", buffers[b], 64, 24) };
        struct seen in_consumer = { .record = in_producer.record };
        aimdb_producer_config_t producer = { sizeof producer, look_in_producer, &in_producer, NULL };
        aimdb_consumer_config_t config = consumer_config();
        aimdb_consumer_t *consumer = NULL;
        config.fn = look_in_consumer;
        config.user = &in_consumer;
        REQUIRE_OK(aimdb_set_producer(in_producer.record, &producer));
        REQUIRE_OK(aimdb_subscribe(in_producer.record, &config, &consumer));
        started(db);
        for (unsigned n = 1; n <= 30; n++) {
            static const char values[] = "vvvvvvvvv";
            in_producer.size = (n - 1) % 10;
            in_producer.own = in_producer.size ? values : NULL; /* none if it is empty */
            in_producer.replace = n % 3 == 0;
            REQUIRE_OK(aimdb_produce(in_producer.record, in_producer.own, in_producer.size));
            AWAIT(stats_of_consumer(consumer).delivered == n);
        }
        end(db);
        CHECK_EQ(in_producer.calls, 30);
        CHECK_EQ(in_consumer.calls, 30);
    }
}

struct order {
    struct sink sink;
    aimdb_record_t *record;
    pthread_t told_on;
    size_t told_after; /* so many callbacks */
};

static void look_in_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user)
{
    struct order *order = user;
    CHECK(record == order->record);
    order->told_on = pthread_self();
    order->told_after = sink_count(&order->sink);
    sink_lag(emitter, record, lagged, &order->sink);
}

static void same_thread(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)emitter;
    struct order *order = sink->arg;
    if (m->sequence > 1) CHECK(pthread_equal(order->told_on, pthread_self()));
}

TEST(callback_for_lag_comes_before_the_next_value_on_the_thread_of_the_consumer)
{
    aimdb_t *db = database();
    struct order order = { .sink = SINK, .record = numbers(db, AIMDB_RING, 3) };
    aimdb_consumer_config_t config = sink_config(&order.sink);
    order.sink.hold = true;
    order.sink.then = same_thread;
    order.sink.arg = &order;
    config.on_lag = look_in_lag;
    REQUIRE_OK(aimdb_subscribe(order.record, &config, NULL));
    started(db);
    put_range(order.record, 1, 1);
    sink_await_inside(&order.sink);
    put_range(order.record, 2, 9);
    sink_release(&order.sink);
    end(db);
    CHECK_EQ(order.sink.lags, 1);
    CHECK_EQ(order.sink.lagged, 5);
    CHECK_EQ(order.told_after, 1);
    CHECK_EQ(order.sink.count, 4);
    sink_end(&order.sink);
}

TEST(callback_for_lag_is_never_called_for_latest_and_mailbox)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 0);
        struct sink sink = SINK;
        sink.hold = true;
        aimdb_consumer_t *consumer = sink_subscribe(&sink, numbered);
        started(db);
        put_range(numbered, 1, 1);
        sink_await_inside(&sink);
        put_range(numbered, 2, 9);
        sink_release(&sink);
        sink_await_done(&sink, 2);
        CHECK_EQ(stats_of_consumer(consumer).lagged_events, 0);
        end(db);
        CHECK_EQ(sink.lags, 0);
        sink_end(&sink);
    }
}

/* What works inside them ------------------------------------------------------------ */

enum kind { IN_PRODUCER, IN_CONSUMER, IN_LAG, IN_LOG, IN_FREE, KINDS };
static const char *const kind_names[KINDS] = { "producer", "consumer", "on_lag", "log", "free" };

/* One database, in which a value leads to a call of each kind; the first call of the
 * kind wanted acts. */
struct scene {
    enum kind kind;
    void (*act)(struct scene *scene);
    atomic_int acted;
    aimdb_t *db;
    aimdb_record_t *record, *other;
    struct sink sink;            /* of the consumer whose callbacks these are */
    struct sink victim;          /* another, held in its callback */
    aimdb_consumer_t *of_victim;
};

static void act(struct scene *scene, enum kind kind)
{
    if (scene->kind == kind && atomic_fetch_add(&scene->acted, 1) == 0) scene->act(scene);
}

static int scene_producer(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                          aimdb_draft_t *draft, void *user)
{
    (void)emitter, (void)message, (void)draft;
    act(user, IN_PRODUCER);
    return AIMDB_ACCEPT;
}

static void scene_consumer(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)emitter, (void)m;
    act(sink->arg, IN_CONSUMER);
}

static void scene_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user)
{
    struct sink *sink = user;
    sink_lag(emitter, record, lagged, sink);
    act(sink->arg, IN_LAG);
}

static void scene_log(aimdb_log_level_t level, const char *text, void *user)
{
    CHECK(level == AIMDB_LOG_WARNING && text && text[0] && !strchr(text, '\n'));
    act(user, IN_LOG);
}

static void scene_free(void *user)
{
    act(((struct sink *)user)->arg, IN_FREE);
    sink_free(user);
}

static void scene_begin(struct scene *scene, enum kind kind, void (*what)(struct scene *))
{
    *scene = (struct scene){ .kind = kind, .act = what, .sink = SINK, .victim = SINK };
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log = scene_log;
    config.user = scene;
    REQUIRE_OK(aimdb_create(&config, &scene->db));
    scene->record = numbers(scene->db, AIMDB_RING, 2);
    scene->other = record(scene->db, "other", AIMDB_RING, 16, 8);
    aimdb_producer_config_t producer = { sizeof producer, scene_producer, scene, NULL };
    REQUIRE_OK(aimdb_set_producer(scene->record, &producer));
    scene->victim.hold = scene->sink.hold = true;
    scene->of_victim = sink_subscribe(&scene->victim, scene->other);
    started(scene->db);
    put_range(scene->other, 1, 1);
    sink_await_inside(&scene->victim);
}

/* A value, a loss, a failure, the end: so each kind is called. */
static void scene_run(struct scene *scene)
{
    aimdb_consumer_config_t config = sink_config(&scene->sink);
    aimdb_consumer_t *consumer = NULL;
    config.on_lag = scene_lag;
    config.free = scene_free;
    scene->sink.then = scene_consumer;
    scene->sink.arg = scene;
    scene->sink.answer = 1;
    REQUIRE_OK(aimdb_subscribe(scene->record, &config, &consumer));
    REQUIRE_OK(put(scene->record, 1));
    sink_await_inside(&scene->sink);
    for (uint64_t n = 2; n <= 6; n++) (void)put(scene->record, n); /* it may be closed now */
    sink_release(&scene->sink);
    sink_await_done(&scene->sink, stats_of_record(scene->record).produced > 1 ? 3 : 1);
    CHECK_OK(aimdb_unsubscribe(consumer, NULL));
    sink_end(&scene->sink);
    if (!CHECK_EQ(atomic_load(&scene->acted) > 0, 1)) printf("# in %s\n", kind_names[scene->kind]);
}

static void unsubscribe_victim(struct scene *scene)
{
    aimdb_consumer_stats_t last = AIMDB_CONSUMER_STATS_INIT;
    CHECK_STATUS(aimdb_unsubscribe(scene->of_victim, &last), AIMDB_IN_PROGRESS);
    check_account(&last);
    CHECK_EQ(last.delivered, 1);
    CHECK_EQ(sink_frees(&scene->victim), 0); /* its callback has not returned */
}

TEST(callback_of_each_kind_can_unsubscribe_and_never_waits)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct scene scene;
        scene_begin(&scene, kind, unsubscribe_victim);
        scene_run(&scene); /* while the victim is held: a wait would hang here */
        CHECK_EQ(sink_frees(&scene.victim), 0);
        sink_release(&scene.victim);
        sink_await_freed(&scene.victim);
        end(scene.db);
        sink_check_range(&scene.victim, 1, 1);
        sink_end(&scene.victim);
    }
}

static void close_database(struct scene *scene)
{
    CHECK_STATUS(aimdb_close(scene->db, AIMDB_FOREVER), AIMDB_IN_PROGRESS);
    CHECK_STATUS(aimdb_reader_open(scene->record, &(aimdb_reader_t *){ 0 }), AIMDB_CLOSED);
}

TEST(callback_of_each_kind_can_close_and_never_waits)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct scene scene;
        scene_begin(&scene, kind, close_database);
        scene_run(&scene); /* while the victim is held */
        CHECK_EQ(sink_frees(&scene.victim), 0);
        sink_release(&scene.victim);
        sink_await_freed(&scene.victim);
        end(scene.db);
        sink_end(&scene.victim);
    }
}

/* No lock of the library is held: a call that needs one would hang. */
static void call_around(struct scene *scene)
{
    aimdb_record_t *opened = NULL;
    aimdb_database_stats_t of_db = AIMDB_DATABASE_STATS_INIT;
    aimdb_record_info_t info = { .struct_size = sizeof info };
    int fd = -1;
    CHECK_OK(aimdb_open(scene->db, "numbers", NULL, AIMDB_ANY_SIZE, &opened));
    CHECK(opened == scene->record);
    CHECK_OK(aimdb_record_info(scene->record, &info));
    CHECK_OK(aimdb_database_stats(scene->db, &of_db));
    stats_of_record(scene->record);
    stats_of_consumer(scene->of_victim);
    aimdb_reader_t *in = reader(scene->other);
    CHECK_OK(aimdb_reader_fd(in, &fd));
    CHECK_OK(put(scene->other, 2));
    CHECK_EQ(take(in, AIMDB_FOREVER).number, 2);
    CHECK_STATUS(take(in, AIMDB_MILLISECOND).status, AIMDB_TIMEOUT);
    CHECK_OK(aimdb_reader_close(in, NULL));
    CHECK_STATUS(aimdb_start(scene->db), AIMDB_ERR_STATE);
    CHECK_STATUS(aimdb_register(scene->db, "late", NULL, &opened), AIMDB_ERR_STATE);
    CHECK_STATUS(aimdb_destroy(scene->db), AIMDB_ERR_STATE);
    aimdb_t *db = database(); /* and a whole other database */
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 2);
    in = reader(ring);
    started(db);
    CHECK_OK(put(ring, 5));
    CHECK_EQ(take(in, AIMDB_FOREVER).number, 5);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_IN_PROGRESS);
    CHECK_OK(aimdb_destroy(db));
}

TEST(callback_of_each_kind_can_call_everything)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct scene scene;
        scene_begin(&scene, kind, call_around);
        scene_run(&scene);
        sink_release(&scene.victim);
        end(scene.db);
        sink_check_range(&scene.victim, 1, 2);
        sink_end(&scene.victim);
    }
}

/* Emission --------------------------------------------------------------------------- */

struct lent {
    aimdb_emitter_t *emitter;
    aimdb_record_t *to;
};

static void emit_lent(void *arg)
{
    struct lent *lent = arg;
    uint64_t number = 7;
    CHECK_OK(aimdb_emit(lent->emitter, lent->to, &number, sizeof number));
}

static void lend(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct lent *lent = sink->arg;
    struct thread other;
    (void)m;
    lent->emitter = emitter;
    thread_start(&other, emit_lent, lent);
    thread_join(&other);
}

TEST(callback_can_lend_its_emitter_to_another_thread_while_it_runs)
{
    aimdb_t *db = database();
    aimdb_record_t *from = numbers(db, AIMDB_RING, 4);
    struct lent lent = { NULL, record(db, "to", AIMDB_RING, 4, 8) };
    aimdb_reader_t *in = reader(lent.to);
    struct sink sink = SINK;
    sink.then = lend;
    sink.arg = &lent;
    sink_subscribe(&sink, from);
    started(db);
    put_range(from, 1, 1);
    CHECK_EQ(take(in, AIMDB_FOREVER).number, 7);
    sink_await_done(&sink, 1);
    end(db);
    sink_end(&sink);
}

/* A chain of records, each of whose producer functions emits into the next. */
enum { CHAIN = AIMDB_DEPTH_MAX + 4 };

struct link {
    aimdb_record_t *next;
    aimdb_status_t status;
};

static int emit_next(aimdb_emitter_t *emitter, const aimdb_message_t *m, aimdb_draft_t *draft,
                     void *user)
{
    struct link *link = user;
    (void)draft;
    if (link->next) link->status = aimdb_emit(emitter, link->next, m->data, m->size);
    return AIMDB_ACCEPT;
}

TEST(callback_in_a_chain_of_records_can_emit_16_deep_and_no_deeper)
{
    aimdb_t *db = database();
    struct link links[CHAIN] = { { NULL, AIMDB_OK } };
    aimdb_record_t *records[CHAIN];
    for (int i = CHAIN - 1; i >= 0; i--) {
        char key[16];
        snprintf(key, sizeof key, "link.%d", i);
        records[i] = record(db, key, AIMDB_LATEST, 0, 8);
        links[i].next = i + 1 < CHAIN ? records[i + 1] : NULL;
        aimdb_producer_config_t config = { sizeof config, emit_next, &links[i], NULL };
        REQUIRE_OK(aimdb_set_producer(records[i], &config));
    }
    started(db);
    for (int round = 1; round <= 2; round++) { /* the depth is given back */
        CHECK_OK(put(records[0], 1));
        for (int i = 0; i < CHAIN; i++)
            CHECK_EQ(stats_of_record(records[i]).produced, i <= AIMDB_DEPTH_MAX ? round : 0);
        CHECK_STATUS(links[AIMDB_DEPTH_MAX - 1].status, AIMDB_OK);
        CHECK_STATUS(links[AIMDB_DEPTH_MAX].status, AIMDB_ERR_DEPTH);
    }
    CHECK_OK(put(records[CHAIN - 3], 1)); /* and does not depend on the record */
    CHECK_EQ(stats_of_record(records[CHAIN - 1]).produced, 1);
    end(db);
}
