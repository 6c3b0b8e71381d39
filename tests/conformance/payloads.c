/* SPDX-License-Identifier: Apache-2.0
 *
 * Payloads: any bytes, 0 to payload_max; a record may fix one size and carry a
 * type name, and opening it with another is an error.
 */
#include "test.h"

TEST(payload_of_any_bytes_and_each_size_arrives_unchanged)
{
    enum { MAX = 300 };
    aimdb_t *db = database();
    aimdb_record_t *bytes = record(db, "bytes", AIMDB_RING, 4, MAX);
    aimdb_reader_t *in = reader(bytes);
    started(db);
    for (size_t size = 0; size <= MAX; size++) {
        unsigned char sent[MAX], got[MAX + 1];
        for (size_t i = 0; i < size; i++) sent[i] = (unsigned char)(i * 7 + size);
        memset(got, 0xAA, sizeof got);
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        CHECK_OK(aimdb_produce(bytes, size ? sent : NULL, size));
        CHECK_OK(aimdb_try_recv(in, got, MAX, &message));
        CHECK_EQ(message.size, size);
        CHECK(memcmp(sent, got, size) == 0);
        CHECK_EQ(got[size], 0xAA); /* and not a byte more is written */
        CHECK(message.record == bytes);
        CHECK_EQ(message.sequence, size + 1);
        CHECK_EQ(message.lagged, 0);
    }
    end(db);
}

TEST(payload_over_payload_max_is_refused_and_nothing_is_enqueued)
{
    aimdb_t *db = database();
    aimdb_record_t *small = record(db, "small", AIMDB_RING, 4, 8);
    aimdb_record_t *empty = record(db, "empty", AIMDB_RING, 4, 0);
    aimdb_reader_t *in = reader(small), *nothing = reader(empty);
    char bytes[9] = "12345678";
    started(db);
    CHECK_STATUS(aimdb_produce(small, bytes, 9), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(empty, bytes, 1), AIMDB_ERR_SIZE);
    CHECK_STATUS(take(in, 0).status, AIMDB_EMPTY);
    CHECK_OK(aimdb_produce(small, bytes, 8));
    CHECK_OK(aimdb_produce(empty, NULL, 0));
    CHECK_STATUS(take(in, 0).status, AIMDB_OK);
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    CHECK_OK(aimdb_try_recv(nothing, NULL, 0, &message));
    CHECK_EQ(message.size, 0);
    CHECK_STATUS(aimdb_produce(small, NULL, 4), AIMDB_ERR_ARGUMENT);
    end(db);
}

static int see_pointer(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    CHECK(emitter != NULL && message->data != NULL && (uintptr_t)message->data % 8 == 0);
    atomic_fetch_add((atomic_int *)user, 1);
    return 0;
}

TEST(payload_in_a_callback_is_aligned_to_8_and_not_null_for_size_0)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *odd = record(db, "odd", buffers[b], 16, 5);
        atomic_int seen = 0;
        aimdb_consumer_config_t config = consumer_config();
        config.fn = see_pointer;
        config.user = &seen;
        CHECK_OK(aimdb_subscribe(odd, &config, NULL));
        started(db);
        for (int size = 0; size <= 5; size++) {
            CHECK_OK(aimdb_produce(odd, "hello", (size_t)size));
            AWAIT(atomic_load(&seen) == size + 1);
        }
        end(db);
    }
}

static aimdb_record_t *typed(aimdb_t *db, const char *key, size_t size, const char *type_name)
{
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.exact_size = size;
    config.type_name = type_name;
    aimdb_record_t *made = NULL;
    REQUIRE_OK(aimdb_register(db, key, &config, &made));
    return made;
}

TEST(payload_of_a_record_with_an_exact_size_must_have_it)
{
    aimdb_t *db = database();
    aimdb_record_t *exact = typed(db, "exact", 8, NULL);
    started(db);
    uint64_t value[2] = { 1, 2 };
    CHECK_STATUS(aimdb_produce(exact, value, 7), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(exact, value, 9), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(exact, NULL, 0), AIMDB_ERR_SIZE);
    CHECK_OK(aimdb_produce(exact, value, 8));
    CHECK_EQ(stats_of_record(exact).produced, 1);
    end(db);
}

TEST(payload_type_another_type_name_or_exact_size_does_not_open_the_record)
{
    aimdb_t *db = database();
    aimdb_record_t *temperature = typed(db, "temperature", 8, "Temperature"), *opened = NULL;
    typed(db, "untyped", AIMDB_ANY_SIZE, NULL);
    CHECK_OK(aimdb_open(db, "temperature", "Temperature", 8, &opened));
    CHECK(opened == temperature);
    CHECK_OK(aimdb_open(db, "temperature", NULL, AIMDB_ANY_SIZE, &opened));
    CHECK_OK(aimdb_open(db, "temperature", "Temperature", AIMDB_ANY_SIZE, &opened));
    CHECK_STATUS(aimdb_open(db, "temperature", "Command", 8, &opened), AIMDB_ERR_TYPE);
    CHECK_STATUS(aimdb_open(db, "temperature", "Temperatur", 8, &opened), AIMDB_ERR_TYPE);
    CHECK_STATUS(aimdb_open(db, "temperature", "Temperature", 4, &opened), AIMDB_ERR_TYPE);
    CHECK_STATUS(aimdb_open(db, "untyped", "Temperature", AIMDB_ANY_SIZE, &opened), AIMDB_ERR_TYPE);
    CHECK_STATUS(aimdb_open(db, "untyped", NULL, 8, &opened), AIMDB_ERR_TYPE);

    aimdb_record_info_t info = { .struct_size = sizeof info };
    CHECK_OK(aimdb_record_info(temperature, &info));
    CHECK(strcmp(info.key, "temperature") == 0 && strcmp(info.type_name, "Temperature") == 0);
    CHECK_EQ(info.exact_size, 8);
    CHECK_OK(aimdb_destroy(db));
}
