/* SPDX-License-Identifier: Apache-2.0
 *
 * Registration: what a record may be, and what it says of itself.
 */
#include "test.h"

static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };

TEST(record_info_says_how_it_was_registered)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
        aimdb_record_t *made = NULL;
        char name[AIMDB_TYPE_NAME_MAX + 1];
        memset(name, 't', AIMDB_TYPE_NAME_MAX);
        name[AIMDB_TYPE_NAME_MAX] = 0;
        config.buffer = buffers[b];
        config.capacity = 77;
        config.payload_max = 99;
        config.exact_size = 55;
        config.type_name = name;
        REQUIRE_OK(aimdb_register(db, "a.key/with:all-marks_", &config, &made));
        name[0] = 'x'; /* the library has a copy */
        for (int state = 0; state < 3; state++) {
            aimdb_record_info_t info = { .struct_size = sizeof info };
            if (state == 1) started(db);
            if (state == 2) CHECK_OK(aimdb_close(db, 0));
            CHECK_OK(aimdb_record_info(made, &info));
            CHECK_EQ(info.buffer, buffers[b]);
            CHECK_EQ(info.capacity, buffers[b] == AIMDB_RING ? 77 : 1);
            CHECK_EQ(info.payload_max, 99);
            CHECK_EQ(info.exact_size, 55);
            CHECK(strcmp(info.key, "a.key/with:all-marks_") == 0);
            CHECK(strlen(info.type_name) == AIMDB_TYPE_NAME_MAX && info.type_name[0] == 't');
        }
        CHECK_OK(aimdb_destroy(db));
    }
}

static void check_refused(aimdb_t *db, const aimdb_record_config_t *config, aimdb_status_t want,
                          const char *name)
{
    aimdb_record_t *made = NULL;
    CHECK_STATUS(aimdb_register(db, "refused", config, &made), want);
    CHECK(made == NULL);
    if (!CHECK(strncmp(aimdb_last_error(), name, strlen(name)) == 0)) printf("# %s\n", aimdb_last_error());
}

TEST(record_of_values_out_of_range_is_refused_by_name)
{
    aimdb_t *db = database();
    const aimdb_record_config_t good = AIMDB_RECORD_CONFIG_INIT;
    aimdb_record_config_t config = good;
    char name[AIMDB_TYPE_NAME_MAX + 2];
    memset(name, 't', AIMDB_TYPE_NAME_MAX + 1);
    name[AIMDB_TYPE_NAME_MAX + 1] = 0;

    config.capacity = 0;
    check_refused(db, &config, AIMDB_ERR_ARGUMENT, "config.capacity:");
    config = good;
    config.exact_size = good.payload_max + 1;
    check_refused(db, &config, AIMDB_ERR_ARGUMENT, "config.exact_size:");
    config.exact_size = AIMDB_ANY_SIZE - 1;
    check_refused(db, &config, AIMDB_ERR_ARGUMENT, "config.exact_size:");
    static const int unknown[] = { 3, -1, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < COUNT(unknown); i++) {
        config = good;
        config.buffer = (aimdb_buffer_t)unknown[i];
        check_refused(db, &config, AIMDB_ERR_ARGUMENT, "config.buffer:");
    }
    config = good;
    config.type_name = name;
    check_refused(db, &config, AIMDB_ERR_ARGUMENT, "config.type_name:");

    aimdb_record_t *made = NULL; /* nothing of that is in the way */
    CHECK_OK(aimdb_register(db, "refused", NULL, &made));
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_EQ(stats.records, 1);
    CHECK_OK(aimdb_destroy(db));
}

TEST(record_that_no_memory_can_hold_is_refused)
{
    static const size_t huge[] = { SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 5000, SIZE_MAX - SIZE_MAX / 64 };
    aimdb_t *db = database();
    for (size_t i = 0; i < COUNT(huge); i++) {
        for (size_t b = 0; b < COUNT(buffers); b++) {
            aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
            config.buffer = buffers[b];
            config.payload_max = huge[i];
            check_refused(db, &config, AIMDB_ERR_NO_MEMORY, "");
        }
        aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
        config.capacity = huge[i];
        check_refused(db, &config, AIMDB_ERR_NO_MEMORY, "");
    }
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_EQ(stats.records, 0);
    CHECK_EQ(stats.memory, 0);
    CHECK_OK(aimdb_destroy(db));
}

TEST(record_of_payload_max_0_holds_empty_values)
{
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *empty = record(db, "empty", buffers[b], 4, 0);
        aimdb_reader_t *in = reader(empty);
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        started(db);
        CHECK_OK(aimdb_produce(empty, NULL, 0));
        CHECK_STATUS(aimdb_produce(empty, "x", 1), AIMDB_ERR_SIZE);
        if (buffers[b] != AIMDB_RING) CHECK_OK(aimdb_peek(empty, NULL, 0, &message));
        CHECK_OK(aimdb_try_recv(in, NULL, 0, &message));
        CHECK_EQ(message.size, 0);
        CHECK_EQ(message.sequence, 1);
        CHECK(message.record == empty);
        CHECK_EQ(stats_of_record(empty).bytes, 0);
        end(db);
    }
}

TEST(record_of_the_smallest_and_largest_sizes_takes_them)
{
    aimdb_t *db = database();
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    aimdb_record_t *nothing = NULL, *all = NULL;
    config.exact_size = 0; /* the only size */
    REQUIRE_OK(aimdb_register(db, "nothing", &config, &nothing));
    config.exact_size = config.payload_max;
    REQUIRE_OK(aimdb_register(db, "all", &config, &all));
    char value[257] = "";
    started(db);
    CHECK_OK(aimdb_produce(nothing, NULL, 0));
    CHECK_STATUS(aimdb_produce(nothing, value, 1), AIMDB_ERR_SIZE);
    CHECK_OK(aimdb_produce(all, value, 256));
    CHECK_STATUS(aimdb_produce(all, value, 255), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(all, value, 257), AIMDB_ERR_SIZE);
    CHECK_STATUS(aimdb_produce(all, value, SIZE_MAX), AIMDB_ERR_SIZE);
    end(db);
}

TEST(record_is_opened_in_every_state_and_by_bad_keys_never)
{
    aimdb_t *db = database();
    aimdb_record_t *made = numbers(db, AIMDB_RING, 4);
    char key[AIMDB_KEY_MAX + 2];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    for (int state = 0; state < 3; state++) {
        aimdb_record_t *opened = NULL, *const none = NULL;
        if (state == 1) started(db);
        if (state == 2) CHECK_OK(aimdb_close(db, 0));
        CHECK_STATUS(aimdb_open(db, "", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_KEY);
        CHECK_STATUS(aimdb_open(db, key, NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_KEY);
        CHECK_STATUS(aimdb_open(db, "num\xC3\xA9ros", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_KEY);
        CHECK_STATUS(aimdb_open(db, "number", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_NOT_FOUND);
        CHECK_STATUS(aimdb_open(db, "Numbers", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_NOT_FOUND);
        CHECK_STATUS(aimdb_open(db, "numbers", NULL, 8, &opened), AIMDB_ERR_TYPE);
        CHECK(opened == none);
        CHECK_OK(aimdb_open(db, "numbers", NULL, AIMDB_ANY_SIZE, &opened));
        CHECK(opened == made);
    }
    CHECK_OK(aimdb_destroy(db));
}
