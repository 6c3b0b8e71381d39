/* SPDX-License-Identifier: Apache-2.0
 *
 * A handle that is NULL, ended, made up, or of another type is refused by every
 * function that takes one, with a text that names the argument.
 */
#include "test.h"

enum kind { DATABASE, RECORD, CONSUMER, READER, EMITTER, KINDS };

static const char *const argument[KINDS] = { "db", "record", "consumer", "reader", "emitter" };

static int never(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    (void)emitter, (void)message, (void)user;
    return CHECK(!"a consumer that was refused is called");
}

static int never_judge(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                       aimdb_draft_t *draft, void *user)
{
    (void)draft;
    return never(emitter, message, user);
}

static void never_free(void *user) { CHECK(!"a refused user pointer is freed" && !user); }

/* Each calls one function with a handle that must be refused, and looks whether it
 * has written anything. */
#define CALL(name, type) static aimdb_status_t call_##name(type *handle)
#define UNTOUCHED ((void *)0x5a5a)

CALL(start, aimdb_t) { return aimdb_start(handle); }
CALL(close, aimdb_t) { return aimdb_close(handle, AIMDB_FOREVER); }
CALL(close_with, aimdb_t)
{
    return aimdb_close_with(handle, AIMDB_FOREVER, AIMDB_CLOSE_DRAIN_READERS);
}
CALL(destroy, aimdb_t) { return aimdb_destroy(handle); }
CALL(register, aimdb_t)
{
    aimdb_record_t *made = UNTOUCHED;
    aimdb_status_t status = aimdb_register(handle, "refused", NULL, &made);
    CHECK(made == UNTOUCHED);
    return status;
}
CALL(open, aimdb_t)
{
    aimdb_record_t *made = UNTOUCHED;
    aimdb_status_t status = aimdb_open(handle, "numbers", NULL, AIMDB_ANY_SIZE, &made);
    CHECK(made == UNTOUCHED);
    return status;
}
CALL(database_stats, aimdb_t)
{
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    stats.memory = 77;
    aimdb_status_t status = aimdb_database_stats(handle, &stats);
    CHECK_EQ(stats.memory, 77);
    return status;
}
CALL(record_info, aimdb_record_t)
{
    aimdb_record_info_t info = { .struct_size = sizeof info, .capacity = 77 };
    aimdb_status_t status = aimdb_record_info(handle, &info);
    CHECK_EQ(info.capacity, 77);
    return status;
}
CALL(set_producer, aimdb_record_t)
{
    aimdb_producer_config_t config = { sizeof config, never_judge, NULL, never_free };
    return aimdb_set_producer(handle, &config);
}
CALL(produce, aimdb_record_t) { return put(handle, 1); }
CALL(produce_batch, aimdb_record_t)
{
    size_t size = 1, produced = 77;
    aimdb_status_t status = aimdb_produce_batch(handle, "x", &size, 1, &produced);
    CHECK_EQ(produced, 0);
    return status;
}
CALL(subscribe, aimdb_record_t)
{
    aimdb_consumer_config_t config = consumer_config();
    aimdb_consumer_t *made = UNTOUCHED;
    config.fn = never;
    config.free = never_free;
    aimdb_status_t status = aimdb_subscribe(handle, &config, &made);
    CHECK(made == UNTOUCHED);
    return status;
}
CALL(reader_open, aimdb_record_t)
{
    aimdb_reader_t *made = UNTOUCHED;
    aimdb_status_t status = aimdb_reader_open(handle, &made);
    CHECK(made == UNTOUCHED);
    return status;
}
CALL(record_stats, aimdb_record_t)
{
    aimdb_record_stats_t stats = AIMDB_RECORD_STATS_INIT;
    stats.memory = 77;
    aimdb_status_t status = aimdb_record_stats(handle, &stats);
    CHECK_EQ(stats.memory, 77);
    return status;
}

/* Whether a receive or a peek that was refused has written something. */
static aimdb_status_t look(aimdb_status_t status, const aimdb_message_t *message, uint64_t buffer)
{
    CHECK_EQ(buffer, 77);
    CHECK(message->data == UNTOUCHED && message->size == 77 && message->record == UNTOUCHED);
    CHECK(message->sequence == 77 && message->lagged == 77);
    return status;
}
#define MESSAGE { sizeof(aimdb_message_t), UNTOUCHED, 77, UNTOUCHED, 77, 77 }

CALL(peek, aimdb_record_t)
{
    aimdb_message_t message = MESSAGE;
    uint64_t buffer = 77;
    aimdb_status_t status = aimdb_peek(handle, &buffer, sizeof buffer, &message);
    return look(status, &message, buffer);
}
CALL(try_recv, aimdb_reader_t)
{
    aimdb_message_t message = MESSAGE;
    uint64_t buffer = 77;
    aimdb_status_t status = aimdb_try_recv(handle, &buffer, sizeof buffer, &message);
    return look(status, &message, buffer);
}
CALL(recv, aimdb_reader_t)
{
    aimdb_message_t message = MESSAGE;
    uint64_t buffer = 77;
    aimdb_status_t status = aimdb_recv(handle, &buffer, sizeof buffer, &message, AIMDB_FOREVER);
    return look(status, &message, buffer);
}
CALL(recv_batch, aimdb_reader_t)
{
    aimdb_message_t message = MESSAGE;
    uint64_t buffer = 77;
    size_t count;
    aimdb_status_t status =
        aimdb_recv_batch(handle, &buffer, sizeof buffer, &message, 1, &count, AIMDB_FOREVER);
    return look(status, &message, buffer);
}
CALL(reader_fd, aimdb_reader_t)
{
    int fd = 77;
    aimdb_status_t status = aimdb_reader_fd(handle, &fd);
    CHECK_EQ(fd, 77);
    return status;
}

#define ACCOUNT(name, type)                                                                        \
    CALL(name, type)                                                                               \
    {                                                                                              \
        aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;                                  \
        stats.offered = 77;                                                                        \
        aimdb_status_t status = aimdb_##name(handle, &stats);                                      \
        CHECK_EQ(stats.offered, 77);                                                               \
        return status;                                                                             \
    }
ACCOUNT(unsubscribe, aimdb_consumer_t)
ACCOUNT(consumer_stats, aimdb_consumer_t)
ACCOUNT(reader_close, aimdb_reader_t)
ACCOUNT(reader_stats, aimdb_reader_t)

/* One function for each type of handle, of one that may be wrong. */
#define OF(type, names)                                                                            \
    static aimdb_status_t of_##type(size_t i, void *handle)                                        \
    {                                                                                              \
        aimdb_status_t (*const calls[])(aimdb_##type##_t *) = names;                               \
        return i < COUNT(calls) ? calls[i](handle) : AIMDB_OK;                                     \
    }
#define NAMES(...) { __VA_ARGS__ }
typedef aimdb_t aimdb_database_t;
OF(database, NAMES(call_start, call_close, call_close_with, call_destroy, call_register, call_open,
                   call_database_stats))
OF(record, NAMES(call_record_info, call_set_producer, call_produce, call_produce_batch, call_subscribe,
                 call_reader_open, call_record_stats, call_peek))
OF(consumer, NAMES(call_unsubscribe, call_consumer_stats))
OF(reader, NAMES(call_try_recv, call_recv, call_recv_batch, call_reader_fd, call_reader_close,
                 call_reader_stats))

static aimdb_status_t (*const calls_of[EMITTER])(size_t, void *) = { of_database, of_record,
                                                                     of_consumer, of_reader };

static size_t check_refused(enum kind kind, void *handle)
{
    size_t call = 0;
    for (aimdb_status_t status; (status = calls_of[kind](call, handle)) != AIMDB_OK; call++) {
        bool good = CHECK_STATUS(status, AIMDB_ERR_HANDLE) &&
                    CHECK(strncmp(aimdb_last_error(), argument[kind], strlen(argument[kind])) == 0);
        if (!good) printf("# call %zu of a %s with %p\n", call, argument[kind], handle);
    }
    return call;
}

static void keep_emitter(struct sink *sink, aimdb_emitter_t *emitter, const aimdb_message_t *m)
{
    (void)m;
    *(aimdb_emitter_t **)sink->arg = emitter;
    sink_hold(sink);
    pthread_mutex_lock(&sink->lock);
    while (sink->hold) pthread_cond_wait(&sink->changed, &sink->lock);
    pthread_mutex_unlock(&sink->lock);
}

/* A database with one of each: the emitter's callback runs until sink_release. */
struct world {
    void *handles[KINDS];
    struct sink sink;
    aimdb_emitter_t *emitter;
};

static void world_begin(struct world *world)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 8);
    *world = (struct world){ .sink = SINK };
    world->sink.then = keep_emitter;
    world->sink.arg = &world->emitter;
    world->handles[DATABASE] = db;
    world->handles[RECORD] = ring;
    world->handles[READER] = reader(ring);
    world->handles[CONSUMER] = sink_subscribe(&world->sink, ring);
    started(db);
    REQUIRE_OK(put(ring, 1));
    SINK_AWAIT(&world->sink, world->sink.hold);
    world->handles[EMITTER] = world->emitter;
}

static void world_end(struct world *world)
{
    world->sink.then = NULL;
    sink_release(&world->sink);
    end(world->handles[DATABASE]);
    sink_end(&world->sink);
}

TEST(handle_of_another_type_is_refused_by_every_function)
{
    struct world world;
    world_begin(&world);
    for (int kind = 0; kind < EMITTER; kind++)
        for (int other = 0; other < KINDS; other++)
            if (kind != other) CHECK(check_refused(kind, world.handles[other]) >= 2);
    uint64_t number = 1;
    for (int other = 0; other < EMITTER; other++)
        CHECK_STATUS(aimdb_emit(world.handles[other], world.handles[RECORD], &number, 8),
                     AIMDB_ERR_EMITTER);
    for (int other = 0; other < KINDS; other++)
        if (other != RECORD)
            CHECK_STATUS(aimdb_emit(world.emitter, world.handles[other], &number, 8), AIMDB_ERR_HANDLE);
    CHECK_EQ(stats_of_record(world.handles[RECORD]).produced, 1);
    check_takes(world.handles[READER], 1, 1); /* and everything works on */
    world_end(&world);
}

TEST(handle_that_is_null_or_made_up_is_refused_by_every_function)
{
    struct world world;
    world_begin(&world);
    for (int kind = 0; kind < EMITTER; kind++) {
        check_refused(kind, NULL);
        uintptr_t good = (uintptr_t)world.handles[kind];
        for (size_t bit = 0; bit < 8 * sizeof good; bit++)
            check_refused(kind, (void *)(good ^ (uintptr_t)1 << bit));
        check_refused(kind, (void *)(good + 1));
        check_refused(kind, &world);
    }
    uintptr_t good = (uintptr_t)world.emitter;
    uint64_t number = 1;
    for (size_t bit = 0; bit < 8 * sizeof good; bit++)
        CHECK_STATUS(aimdb_emit((aimdb_emitter_t *)(good ^ (uintptr_t)1 << bit),
                                world.handles[RECORD], &number, 8),
                     AIMDB_ERR_EMITTER);
    CHECK_EQ(stats_of_record(world.handles[RECORD]).produced, 1);
    world_end(&world);
}

TEST(handle_that_has_ended_is_refused_by_every_function)
{
    struct world world, after;
    world_begin(&world);
    world_end(&world);
    for (int round = 0; round < 2; round++) { /* the second time others may have their places */
        for (int kind = 0; kind < EMITTER; kind++) check_refused(kind, world.handles[kind]);
        uint64_t number = 1;
        if (round) {
            CHECK_STATUS(aimdb_emit(world.emitter, after.handles[RECORD], &number, 8),
                         AIMDB_ERR_EMITTER);
            CHECK_EQ(stats_of_record(after.handles[RECORD]).produced, 1);
            world_end(&after);
        } else {
            world_begin(&after);
        }
    }
}
