/* SPDX-License-Identifier: Apache-2.0
 *
 * Produce: check, the producer function on the calling thread (accept, reject or
 * replace), enqueue, wake. It never waits for a consumer, no lock is held while
 * user code runs, and all readers see one order.
 */
#include "test.h"

TEST(produce_before_start_is_a_state_error)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_reader_t *in = reader(ring);
    CHECK_STATUS(put(ring, 1), AIMDB_ERR_STATE);
    started(db);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    REQUIRE_OK(put(ring, 2));
    check_takes(in, 2, 2);
    end(db);
}

TEST(produce_never_waits_for_a_consumer)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 8);
        struct sink sink = SINK;
        sink.hold = true;
        sink_subscribe(&sink, numbered);
        reader(numbered); /* and one that never receives */
        started(db);
        REQUIRE_OK(put(numbered, 1));
        sink_await_inside(&sink);
        put_range(numbered, 2, 10000); /* a produce that waited would hang here */
        CHECK_EQ(sink_count(&sink), 1);
        sink_release(&sink);
        end(db);
        CHECK_EQ(sink.numbers[sink.count - 1], 10000);
        sink_end(&sink);
    }
}

enum { PRODUCERS = 3, EACH = 20000 };

static void produce_own_numbers(void *arg)
{
    static atomic_uint threads;
    uint64_t own = (uint64_t)(atomic_fetch_add(&threads, 1) % PRODUCERS) << 32;
    put_range(arg, own + 1, own + EACH);
}

static uint64_t *receive_all(aimdb_reader_t *in)
{
    uint64_t *seen = calloc(PRODUCERS * EACH, sizeof *seen);
    REQUIRE(seen != NULL);
    for (uint64_t i = 0; i < PRODUCERS * EACH; i++) {
        struct taken taken = take(in, AIMDB_FOREVER);
        REQUIRE_OK(taken.status);
        CHECK_EQ(taken.sequence, i + 1);
        seen[i] = taken.number;
    }
    return seen;
}

TEST(produce_from_several_threads_gives_all_readers_one_order)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, PRODUCERS * EACH);
    aimdb_reader_t *one = reader(ring), *other = reader(ring);
    struct sink sink = SINK;
    sink_subscribe(&sink, ring);
    started(db);
    struct thread threads[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) thread_start(&threads[i], produce_own_numbers, ring);
    uint64_t *seen = receive_all(one);
    for (int i = 0; i < PRODUCERS; i++) thread_join(&threads[i]);
    uint64_t *again = receive_all(other);
    end(db);
    CHECK(memcmp(seen, again, PRODUCERS * EACH * sizeof *seen) == 0);
    if (CHECK_EQ(sink.count, PRODUCERS * EACH))
        CHECK(memcmp(seen, sink.numbers, PRODUCERS * EACH * sizeof *seen) == 0);
    uint64_t last[PRODUCERS] = { 0 };
    for (size_t i = 0; i < PRODUCERS * EACH; i++) { /* and each producer's own order in it */
        uint64_t *own = &last[seen[i] >> 32];
        if (!CHECK_EQ(seen[i] & 0xFFFFFFFF, ++*own)) break;
    }
    free(seen);
    free(again);
    sink_end(&sink);
}

/* Producer functions -------------------------------------------------------------- */

/* Even numbers are accepted; 3 and 5 rejected; 7 is replaced; the rest are answers
 * that are no good. */
static int judge(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                 void *user)
{
    CHECK(emitter != NULL && pthread_equal(*(pthread_t *)user, pthread_self()));
    CHECK(message->sequence == 0 && message->data != NULL);
    CHECK(draft->struct_size >= sizeof *draft);
    CHECK(draft->capacity == 32 && draft->size == 0 && (uintptr_t)draft->data % 8 == 0);
    uint64_t number = number_of(message);
    switch (number) {
    case 3:
    case 5:
        return AIMDB_REJECT;
    case 7:
        memset(draft->data, 0, draft->capacity);
        memcpy(draft->data, &(uint64_t){ 700 }, sizeof number);
        draft->size = draft->capacity;
        return AIMDB_REPLACE;
    case 9:
        draft->size = draft->capacity + 1;
        return AIMDB_REPLACE;
    case 11:
        return 42;
    default:
        return AIMDB_ACCEPT;
    }
}

static void set_producer(aimdb_record_t *record, aimdb_producer_fn fn, void *user)
{
    aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
    config.fn = fn;
    config.user = user;
    REQUIRE_OK(aimdb_set_producer(record, &config));
}

static void check_next(aimdb_reader_t *in, uint64_t number, size_t size)
{
    uint64_t buffer[4];
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    CHECK_OK(aimdb_try_recv(in, buffer, sizeof buffer, &message));
    CHECK_EQ(buffer[0], number);
    CHECK_EQ(message.size, size);
}

TEST(produce_runs_the_producer_function_which_accepts_rejects_or_replaces)
{
    aimdb_t *db = database();
    aimdb_record_t *judged = record(db, "judged", AIMDB_RING, 16, 32);
    aimdb_reader_t *in = reader(judged);
    pthread_t self = pthread_self();
    set_producer(judged, judge, &self);
    started(db);
    CHECK_STATUS(put(judged, 2), AIMDB_OK);
    CHECK_STATUS(put(judged, 3), AIMDB_REJECTED);
    CHECK_STATUS(put(judged, 5), AIMDB_REJECTED);
    CHECK_STATUS(put(judged, 7), AIMDB_OK);
    CHECK_STATUS(put(judged, 4), AIMDB_OK);
    CHECK_STATUS(put(judged, 9), AIMDB_ERR_SIZE); /* a replacement over payload_max */
    CHECK_STATUS(put(judged, 11), AIMDB_REJECTED); /* no verdict */
    CHECK(aimdb_last_error()[0] != 0);
    check_next(in, 2, 8);
    check_next(in, 700, 32);
    check_next(in, 4, 8);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    aimdb_record_stats_t stats = stats_of_record(judged);
    CHECK_EQ(stats.produced, 3);
    CHECK_EQ(stats.bytes, 8 + 32 + 8);
    CHECK_EQ(stats.rejected, 4);
    CHECK_EQ(stats.producer_calls, 7);
    end(db);
}

static int replace_with_size(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                             aimdb_draft_t *draft, void *user)
{
    (void)emitter, (void)user;
    draft->size = (size_t)number_of(message);
    memset(draft->data, 1, draft->size <= draft->capacity ? draft->size : 0);
    return AIMDB_REPLACE;
}

TEST(produce_holds_a_replacement_to_the_exact_size)
{
    aimdb_t *db = database();
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.exact_size = 8;
    aimdb_record_t *exact = NULL;
    REQUIRE_OK(aimdb_register(db, "exact", &config, &exact));
    set_producer(exact, replace_with_size, NULL);
    started(db);
    CHECK_STATUS(put(exact, 8), AIMDB_OK);
    CHECK_STATUS(put(exact, 7), AIMDB_ERR_SIZE);
    CHECK_STATUS(put(exact, 0), AIMDB_ERR_SIZE);
    CHECK_EQ(stats_of_record(exact).produced, 1);
    CHECK_EQ(stats_of_record(exact).rejected, 2);
    end(db);
}

TEST(produce_takes_one_producer_function_before_start)
{
    aimdb_t *db = database();
    aimdb_record_t *one = record(db, "one", AIMDB_RING, 4, 8), *two = record(db, "two", 0, 4, 8);
    struct sink first = SINK, refused = SINK;
    aimdb_producer_config_t config = { sizeof config, replace_with_size, &first, sink_free };
    CHECK_OK(aimdb_set_producer(one, &config));
    config.user = &refused;
    CHECK_STATUS(aimdb_set_producer(one, &config), AIMDB_ERR_EXISTS);
    config.fn = NULL;
    CHECK_STATUS(aimdb_set_producer(two, &config), AIMDB_ERR_ARGUMENT);
    config.fn = replace_with_size;
    started(db);
    CHECK_STATUS(aimdb_set_producer(two, &config), AIMDB_ERR_STATE);
    end(db);
    sink_end(&first); /* in use until the database is destroyed */
    CHECK_EQ(sink_frees(&refused), 0);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool inside, open;
    aimdb_record_t *record;
};
#define GATE(of)                                                                                   \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, of }

/* Number 1 waits at the gate; others pass. */
static int wait_at_gate(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                        aimdb_draft_t *draft, void *user)
{
    struct gate *gate = user;
    (void)emitter, (void)draft;
    if (number_of(message) != 1) return AIMDB_ACCEPT;
    pthread_mutex_lock(&gate->lock);
    gate->inside = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return AIMDB_ACCEPT;
}

static void put_1(void *arg)
{
    struct gate *gate = arg;
    CHECK_OK(put(gate->record, 1));
}

static void put_1_too_late(void *arg)
{
    struct gate *gate = arg;
    CHECK_STATUS(put(gate->record, 1), AIMDB_CLOSED);
}

static void gate_await_inside(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->inside) pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

TEST(produce_holds_no_lock_while_a_producer_function_runs)
{
    aimdb_t *db = database();
    struct gate gate = GATE(numbers(db, AIMDB_RING, 8));
    aimdb_reader_t *in = reader(gate.record);
    set_producer(gate.record, wait_at_gate, &gate);
    started(db);
    struct thread thread;
    thread_start(&thread, put_1, &gate);
    gate_await_inside(&gate);
    put_range(gate.record, 2, 3); /* would hang on a lock held for number 1 */
    check_takes(in, 2, 3);
    CHECK_EQ(stats_of_record(gate.record).produced, 2);
    gate_open(&gate);
    thread_join(&thread);
    check_takes(in, 1, 1);
    end(db);
}

static void close_ok(void *arg) { CHECK_OK(aimdb_close(arg, LONG_TIME)); }

TEST(produce_under_way_is_delivered_before_close_says_ok)
{
    aimdb_t *db = database();
    struct gate gate = GATE(numbers(db, AIMDB_RING, 8));
    aimdb_record_t *probe = record(db, "probe", AIMDB_LATEST, 0, 8);
    struct sink sink = SINK;
    sink_subscribe(&sink, gate.record);
    set_producer(gate.record, wait_at_gate, &gate);
    started(db);
    struct thread producer, closer;
    thread_start(&producer, put_1, &gate);
    gate_await_inside(&gate);
    thread_start(&closer, close_ok, db);
    AWAIT(put(probe, 1) == AIMDB_CLOSED); /* the close has begun */
    gate_open(&gate);
    thread_join(&producer);
    thread_join(&closer);
    sink_check_range(&sink, 1, 1);
    end(db);
    sink_end(&sink);
}

TEST(produce_that_outlasts_the_close_is_refused_not_lost)
{
    aimdb_t *db = database();
    struct gate gate = GATE(numbers(db, AIMDB_RING, 8));
    struct sink sink = SINK;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, gate.record);
    set_producer(gate.record, wait_at_gate, &gate);
    started(db);
    struct thread thread;
    thread_start(&thread, put_1_too_late, &gate);
    gate_await_inside(&gate);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED); /* a producer function still runs */
    CHECK_STATUS(put(gate.record, 2), AIMDB_CLOSED);
    gate_open(&gate);
    thread_join(&thread);
    CHECK_OK(aimdb_close(db, LONG_TIME)); /* nothing was abandoned */
    CHECK_EQ(stats_of_record(gate.record).produced, 0);
    CHECK_EQ(stats_of_record(gate.record).producer_calls, 1);
    CHECK_EQ(stats_of_consumer(consumer).offered, 0);
    await_consumers(db, 0);
    CHECK_OK(aimdb_destroy(db));
    sink_end(&sink);
}
