/* SPDX-License-Identifier: Apache-2.0
 *
 * Structs of other versions: a configuration may be smaller (an older program) or
 * larger, while what is unknown is zero; an output struct is written as far as its
 * struct_size, an unknown tail with zeroes.
 */
#include "test.h"

#include <stddef.h>

/* A struct with room behind it, filled with a mark. */
enum { ROOM = 1024, MARK = 0xA5 };
union room {
    size_t struct_size;
    unsigned char bytes[ROOM];
    aimdb_config_t config;
    aimdb_record_config_t record;
    aimdb_producer_config_t producer;
    aimdb_consumer_config_t consumer;
};

static const size_t no_sizes[] = { 0, 1, 7, SIZE_MAX, SIZE_MAX - 7, (size_t)1 << 20 };

/* Configurations ------------------------------------------------------------------- */

struct target {
    aimdb_t *db;
    aimdb_record_t *record;
};

static int consume(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    (void)emitter, (void)message, (void)user;
    return 0;
}

static int accept(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                  void *user)
{
    (void)draft;
    return consume(emitter, message, user);
}

static aimdb_status_t with_config(struct target *target, const union room *room)
{
    aimdb_t *db = NULL;
    (void)target;
    aimdb_status_t status = aimdb_create(&room->config, &db);
    CHECK((db != NULL) == (status == AIMDB_OK));
    if (db) CHECK_OK(aimdb_destroy(db));
    return status;
}

static aimdb_status_t with_record(struct target *target, const union room *room)
{
    static unsigned keys;
    char key[32];
    aimdb_record_t *made = NULL;
    snprintf(key, sizeof key, "record.%u", keys++);
    aimdb_status_t status = aimdb_register(target->db, key, &room->record, &made);
    CHECK((made != NULL) == (status == AIMDB_OK));
    if (status == AIMDB_OK) target->record = made;
    return status;
}

static aimdb_status_t with_producer(struct target *target, const union room *room)
{
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    union room of_record = { .record = config };
    REQUIRE_OK(with_record(target, &of_record));
    return aimdb_set_producer(target->record, &room->producer);
}

static aimdb_status_t with_consumer(struct target *target, const union room *room)
{
    return aimdb_subscribe(target->record, &room->consumer, NULL);
}

/* `first`: as far as a first, smaller version may have gone. */
static void check_config(aimdb_status_t (*with)(struct target *, const union room *),
                         const void *config, size_t size, size_t first)
{
    struct target target = { database(), NULL };
    target.record = numbers(target.db, AIMDB_RING, 4);
    union room room = { .bytes = { 0 } };
    memcpy(room.bytes, config, size);
    CHECK_OK(with(&target, &room));
    for (size_t larger = size + sizeof size; larger <= size + 8 * sizeof size; larger += sizeof size) {
        room.struct_size = larger;
        CHECK_OK(with(&target, &room));
        room.bytes[larger - 1] = 1;
        CHECK_STATUS(with(&target, &room), AIMDB_ERR_VERSION);
        CHECK(strstr(aimdb_last_error(), "struct_size") != NULL);
        room.bytes[larger - 1] = 0;
    }
    for (size_t i = 0; i < COUNT(no_sizes); i++) {
        room.struct_size = no_sizes[i];
        CHECK_STATUS(with(&target, &room), AIMDB_ERR_VERSION);
    }
    memset(room.bytes + first, MARK, ROOM - first); /* not this program's */
    room.struct_size = first;
    CHECK_OK(with(&target, &room));
    CHECK_OK(aimdb_destroy(target.db));
}

TEST(structs_of_configurations_may_be_older_or_newer)
{
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_record_config_t record = AIMDB_RECORD_CONFIG_INIT;
    aimdb_producer_config_t producer = { sizeof producer, accept, NULL, NULL };
    aimdb_consumer_config_t consumer = consumer_config();
    consumer.fn = consume;
    check_config(with_config, &config, sizeof config, offsetof(aimdb_config_t, log_level));
    check_config(with_record, &record, sizeof record, offsetof(aimdb_record_config_t, capacity));
    check_config(with_producer, &producer, sizeof producer, offsetof(aimdb_producer_config_t, user));
    check_config(with_consumer, &consumer, sizeof consumer, offsetof(aimdb_consumer_config_t, on_lag));
}

TEST(structs_that_are_older_have_the_defaults_for_what_they_lack)
{
    aimdb_t *db = database();
    aimdb_record_config_t config;
    aimdb_record_t *made = NULL;
    memset(&config, MARK, sizeof config);
    config.struct_size = offsetof(aimdb_record_config_t, payload_max);
    config.buffer = AIMDB_RING;
    config.capacity = 3;
    REQUIRE_OK(aimdb_register(db, "old", &config, &made));
    aimdb_record_info_t info = { .struct_size = sizeof info };
    CHECK_OK(aimdb_record_info(made, &info));
    CHECK_EQ(info.capacity, 3);
    CHECK_EQ(info.payload_max, 256);
    CHECK_EQ(info.exact_size, AIMDB_ANY_SIZE);
    CHECK(strcmp(info.type_name, "") == 0);
    CHECK_OK(aimdb_destroy(db));
}

/* Output structs ------------------------------------------------------------------- */

struct outputs {
    aimdb_t *db;
    aimdb_record_t *record, *latest;
    aimdb_consumer_t *consumer;
    aimdb_reader_t *reader, *of_latest;
    struct sink sink;
    uint64_t buffer, next;
};

static aimdb_status_t out_database_stats(struct outputs *o, void *out)
{
    return aimdb_database_stats(o->db, out);
}
static aimdb_status_t out_record_stats(struct outputs *o, void *out)
{
    return aimdb_record_stats(o->record, out);
}
static aimdb_status_t out_record_info(struct outputs *o, void *out)
{
    return aimdb_record_info(o->record, out);
}
static aimdb_status_t out_consumer_stats(struct outputs *o, void *out)
{
    return aimdb_consumer_stats(o->consumer, out);
}
static aimdb_status_t out_reader_stats(struct outputs *o, void *out)
{
    return aimdb_reader_stats(o->reader, out);
}
static aimdb_status_t out_peek(struct outputs *o, void *out)
{
    return aimdb_peek(o->latest, &o->buffer, sizeof o->buffer, out);
}
static aimdb_status_t out_try_recv(struct outputs *o, void *out)
{
    REQUIRE_OK(put(o->latest, ++o->next));
    return aimdb_try_recv(o->of_latest, &o->buffer, sizeof o->buffer, out);
}
static aimdb_status_t out_recv(struct outputs *o, void *out)
{
    REQUIRE_OK(put(o->latest, ++o->next));
    return aimdb_recv(o->of_latest, &o->buffer, sizeof o->buffer, out, AIMDB_FOREVER);
}
static aimdb_status_t out_recv_batch(struct outputs *o, void *out)
{
    size_t count;
    REQUIRE_OK(put(o->latest, ++o->next));
    return aimdb_recv_batch(o->of_latest, &o->buffer, sizeof o->buffer, out, 1, &count, AIMDB_FOREVER);
}
static aimdb_status_t out_reader_close(struct outputs *o, void *out)
{
    aimdb_status_t status = aimdb_reader_close(o->reader, out);
    if (status == AIMDB_OK) o->reader = reader(o->record); /* for the next call */
    return status;
}
static aimdb_status_t out_unsubscribe(struct outputs *o, void *out)
{
    aimdb_status_t status = aimdb_unsubscribe(o->consumer, out);
    if (status != AIMDB_OK) return status;
    sink_end(&o->sink);
    o->sink = (struct sink)SINK;
    o->consumer = sink_subscribe(&o->sink, o->record);
    return status;
}

static const struct output {
    aimdb_status_t (*call)(struct outputs *, void *);
    size_t size;
} outputs[] = {
    { out_database_stats, sizeof(aimdb_database_stats_t) },
    { out_record_stats, sizeof(aimdb_record_stats_t) },
    { out_record_info, sizeof(aimdb_record_info_t) },
    { out_consumer_stats, sizeof(aimdb_consumer_stats_t) },
    { out_reader_stats, sizeof(aimdb_consumer_stats_t) },
    { out_peek, sizeof(aimdb_message_t) },
    { out_try_recv, sizeof(aimdb_message_t) },
    { out_recv, sizeof(aimdb_message_t) },
    { out_recv_batch, sizeof(aimdb_message_t) },
    { out_reader_close, sizeof(aimdb_consumer_stats_t) },
    { out_unsubscribe, sizeof(aimdb_consumer_stats_t) },
};

/* From `first` on `value` up to `last`, all the rest is as it was. */
static bool bytes_are(const unsigned char *bytes, size_t first, size_t last, unsigned char value)
{
    while (first < last && bytes[first] == value) first++;
    return first == last;
}

static void check_output(struct outputs *o, const struct output *output)
{
    union room room;
    for (size_t larger = 0; larger <= 64; larger += sizeof larger) {
        size_t size = output->size + larger;
        memset(room.bytes, MARK, ROOM);
        room.struct_size = size;
        CHECK_OK(output->call(o, room.bytes));
        CHECK_EQ(room.struct_size, size); /* which stays */
        CHECK(!bytes_are(room.bytes, sizeof size, output->size, MARK));
        CHECK(bytes_are(room.bytes, output->size, size, 0));
        CHECK(bytes_are(room.bytes, size, ROOM, MARK));
    }
    for (size_t i = 0; i < COUNT(no_sizes); i++) {
        memset(room.bytes, MARK, ROOM);
        room.struct_size = no_sizes[i];
        CHECK_STATUS(output->call(o, room.bytes), AIMDB_ERR_VERSION);
        CHECK(strstr(aimdb_last_error(), "struct_size") != NULL);
        CHECK(bytes_are(room.bytes, sizeof(size_t), ROOM, MARK));
    }
}

TEST(structs_of_output_are_written_as_far_as_their_size_and_no_further)
{
    struct outputs o = { .db = database(), .sink = SINK };
    o.record = numbers(o.db, AIMDB_RING, 4);
    o.latest = record(o.db, "latest", AIMDB_LATEST, 0, 8);
    o.reader = reader(o.record);
    o.of_latest = reader(o.latest);
    o.consumer = sink_subscribe(&o.sink, o.record);
    started(o.db);
    REQUIRE_OK(put(o.latest, ++o.next));
    for (size_t i = 0; i < COUNT(outputs); i++) check_output(&o, &outputs[i]);
    end(o.db);
    sink_end(&o.sink);
}
