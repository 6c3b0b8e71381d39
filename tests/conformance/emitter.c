/* SPDX-License-Identifier: Apache-2.0
 *
 * Emitter: every callback gets one for cross-record emission, valid during that
 * call. Emission nested deeper than 16 on one thread is refused.
 */
#include "test.h"

struct pair {
    aimdb_record_t *from, *to;
    uint64_t last;
};

/* Passes each number on, one greater, until the last. */
static void pass_on(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message)
{
    struct pair *pair = sink->arg;
    uint64_t next = number_of(message) + 1;
    CHECK(message->record == pair->from);
    if (next <= pair->last) CHECK_OK(aimdb_emit(emitter, pair->to, &next, sizeof next));
}

TEST(emitter_consumer_of_a_emits_to_b_while_that_of_b_emits_to_a)
{
    enum { LAST = 20001 };
    aimdb_t *db = database();
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 64, 8), *b = record(db, "b", 0, 64, 8);
    struct pair pairs[2] = { { a, b, LAST }, { b, a, LAST } };
    struct sink at_a = SINK, at_b = SINK;
    at_a.then = at_b.then = pass_on;
    at_a.arg = &pairs[0];
    at_b.arg = &pairs[1];
    sink_subscribe(&at_a, a);
    sink_subscribe(&at_b, b);
    started(db);
    REQUIRE_OK(put(a, 1));
    REQUIRE_OK(put(b, 2)); /* two balls at once */
    sink_await_count(&at_a, LAST / 2 + 1 + LAST / 2);
    sink_await_count(&at_b, LAST / 2 + LAST / 2);
    end(db);
    sink_end(&at_a);
    sink_end(&at_b);
}

static void emit_double(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message)
{
    uint64_t number = 2 * number_of(message);
    CHECK_OK(aimdb_emit(emitter, sink->arg, &number, sizeof number));
}

TEST(emitter_keeps_the_order_from_a_to_b)
{
    enum { LAST = 5000 };
    aimdb_t *db = database();
    aimdb_record_t *a = record(db, "a", AIMDB_RING, LAST, 8), *b = record(db, "b", 0, LAST, 8);
    struct sink at_a = SINK, at_b = SINK;
    at_a.then = emit_double;
    at_a.arg = b;
    sink_subscribe(&at_a, a);
    sink_subscribe(&at_b, b);
    started(db);
    put_range(a, 1, LAST);
    sink_await_count(&at_b, LAST);
    end(db);
    for (size_t i = 0; i < LAST; i++)
        if (!CHECK_EQ(at_b.numbers[i], 2 * (i + 1))) break;
    sink_end(&at_a);
    sink_end(&at_b);
}

/* A producer function that emits into its own record until it is refused. */
struct recursion {
    aimdb_record_t *record;
    bool with_produce; /* by aimdb_produce: it counts, too */
    unsigned calls, accepted, refused;
};

static int recurse(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                   void *user)
{
    struct recursion *recursion = user;
    (void)draft;
    if (!CHECK(++recursion->calls < 100)) return AIMDB_REJECT;
    aimdb_status_t status =
        recursion->with_produce
            ? aimdb_produce(recursion->record, message->data, message->size)
            : aimdb_emit(emitter, recursion->record, message->data, message->size);
    recursion->accepted += status == AIMDB_OK;
    if (status != AIMDB_OK) {
        CHECK_STATUS(status, AIMDB_ERR_DEPTH);
        recursion->refused++;
    }
    return AIMDB_ACCEPT;
}

static void check_recursion(bool with_produce, bool from_callback)
{
    aimdb_t *db = database();
    struct recursion recursion = { numbers(db, AIMDB_RING, 64), with_produce, 0, 0, 0 };
    aimdb_record_t *outer = record(db, "outer", AIMDB_RING, 4, 8);
    aimdb_producer_config_t config = { sizeof config, recurse, &recursion, NULL };
    struct pair pair = { outer, recursion.record, 2 };
    struct sink sink = SINK;
    sink.then = pass_on;
    sink.arg = &pair;
    REQUIRE_OK(aimdb_set_producer(recursion.record, &config));
    sink_subscribe(&sink, outer);
    started(db);
    REQUIRE_OK(put(from_callback ? outer : recursion.record, 1));
    if (from_callback) sink_await_done(&sink, 1); /* a close would refuse the emission */
    end(db);
    /* The emission from the callback is the first of the 16. */
    CHECK_EQ(recursion.accepted + from_callback, AIMDB_DEPTH_MAX);
    CHECK_EQ(recursion.refused, 1);
    sink_end(&sink);
}

TEST(emitter_depth_16_works_and_17_is_refused) { check_recursion(false, false); }

TEST(emitter_depth_counts_aimdb_produce_inside_a_callback) { check_recursion(true, false); }

TEST(emitter_depth_counts_from_a_consumer_too)
{
    check_recursion(false, true);
    check_recursion(true, true);
}

static void keep_emitter(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message)
{
    (void)message;
    pthread_mutex_lock(&sink->lock);
    sink->arg = emitter;
    pthread_mutex_unlock(&sink->lock);
}

static int keep_in_producer(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                            aimdb_draft_t *draft, void *user)
{
    (void)message, (void)draft;
    *(aimdb_emitter_t **)user = emitter;
    return AIMDB_ACCEPT;
}

TEST(emitter_used_after_its_callback_is_an_error)
{
    aimdb_t *db = database();
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 4, 8), *b = record(db, "b", 0, 4, 8);
    aimdb_emitter_t *of_producer = NULL;
    aimdb_producer_config_t config = { sizeof config, keep_in_producer, &of_producer, NULL };
    REQUIRE_OK(aimdb_set_producer(a, &config));
    struct sink sink = SINK;
    sink.then = keep_emitter;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, a);
    started(db);
    uint64_t number = 1;
    REQUIRE_OK(put(a, number));
    CHECK(of_producer != NULL);
    CHECK_STATUS(aimdb_emit(of_producer, b, &number, sizeof number), AIMDB_ERR_EMITTER);
    sink_await_count(&sink, 1);
    CHECK_OK(aimdb_unsubscribe(consumer, NULL)); /* so its callback has returned */
    CHECK(sink.arg != NULL);
    CHECK_STATUS(aimdb_emit(sink.arg, b, &number, sizeof number), AIMDB_ERR_EMITTER);
    CHECK_STATUS(aimdb_emit(NULL, b, &number, sizeof number), AIMDB_ERR_EMITTER);
    CHECK_STATUS(aimdb_emit((aimdb_emitter_t *)(uintptr_t)0x5a5a5a58, b, &number, 8),
                 AIMDB_ERR_EMITTER);
    CHECK_EQ(stats_of_record(b).produced, 0);
    end(db);
    sink_end(&sink);
}

struct kept {
    aimdb_emitter_t *last;
    aimdb_record_t *to;
};

/* Each call has an emitter of its own: the first call's is dead during the second. */
static void use_the_last_one(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct kept *kept = sink->arg;
    if (kept->last)
        CHECK_STATUS(aimdb_emit(kept->last, kept->to, m->data, m->size), AIMDB_ERR_EMITTER);
    CHECK_OK(aimdb_emit(emitter, kept->to, m->data, m->size));
    kept->last = emitter;
}

TEST(emitter_of_an_earlier_call_is_an_error_in_a_later_one)
{
    aimdb_t *db = database();
    struct kept kept = { NULL, NULL };
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 16, 8);
    kept.to = record(db, "b", AIMDB_RING, 16, 8);
    struct sink sink = SINK;
    sink.then = use_the_last_one;
    sink.arg = &kept;
    sink_subscribe(&sink, a);
    started(db);
    put_range(a, 1, 10);
    sink_await_done(&sink, 10);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    CHECK_EQ(stats_of_record(kept.to).produced, 10);
    end(db);
    sink_end(&sink);
}

/* Keeps the first call's for long. */
static void use_the_first_one(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    struct kept *kept = sink->arg;
    if (!kept->last)
        kept->last = emitter;
    else
        CHECK_STATUS(aimdb_emit(kept->last, kept->to, m->data, m->size), AIMDB_ERR_EMITTER);
}

TEST(emitter_of_the_first_call_is_an_error_in_ten_thousand_later_ones)
{
    enum { LAST = 10000 };
    aimdb_t *db = database();
    struct kept kept = { NULL, NULL };
    aimdb_record_t *a = record(db, "a", AIMDB_RING, LAST, 8);
    kept.to = record(db, "b", AIMDB_RING, 16, 8);
    struct sink sink = SINK;
    sink.then = use_the_first_one;
    sink.arg = &kept;
    sink_subscribe(&sink, a);
    started(db);
    put_range(a, 1, LAST);
    sink_await_done(&sink, LAST);
    CHECK_EQ(stats_of_record(kept.to).produced, 0);
    end(db);
    sink_end(&sink);
}

static void emit_abroad(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *message)
{
    CHECK_STATUS(aimdb_emit(emitter, sink->arg, message->data, message->size), AIMDB_ERR_HANDLE);
}

TEST(emitter_serves_only_records_of_its_own_database)
{
    aimdb_t *db = database(), *other = database();
    aimdb_record_t *here = numbers(db, AIMDB_RING, 4), *abroad = numbers(other, AIMDB_RING, 4);
    struct sink sink = SINK;
    sink.then = emit_abroad;
    sink.arg = abroad;
    sink_subscribe(&sink, here);
    started(db);
    started(other);
    REQUIRE_OK(put(here, 1));
    sink_await_done(&sink, 1);
    end(db);
    CHECK_EQ(stats_of_record(abroad).produced, 0);
    end(other);
    sink_end(&sink);
}

static void emit_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user)
{
    struct sink *sink = user;
    (void)record;
    CHECK_OK(aimdb_emit(emitter, sink->arg, &lagged, sizeof lagged));
}

TEST(emitter_of_a_lag_callback_works)
{
    aimdb_t *db = database();
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 2, 8), *b = record(db, "b", 0, 4, 8);
    aimdb_reader_t *in = reader(b);
    struct sink sink = SINK;
    sink.arg = b;
    sink.hold = true;
    aimdb_consumer_config_t config = sink_config(&sink);
    config.on_lag = emit_lag;
    REQUIRE_OK(aimdb_subscribe(a, &config, NULL));
    started(db);
    REQUIRE_OK(put(a, 1));
    sink_await_inside(&sink);
    put_range(a, 2, 6);
    sink_release(&sink);
    CHECK_EQ(take(in, AIMDB_FOREVER).number, 3);
    end(db);
    sink_end(&sink);
}
