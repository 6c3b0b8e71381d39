/* SPDX-License-Identifier: Apache-2.0
 *
 * create -> register -> start -> run -> close -> destroy. A call in the wrong
 * state says so.
 */
#include "test.h"

static void check_created_only(aimdb_t *db, aimdb_record_t *record)
{
    aimdb_record_t *late = NULL;
    CHECK_STATUS(aimdb_register(db, "late", NULL, &late), AIMDB_ERR_STATE);
    CHECK(late == NULL);
    CHECK_STATUS(aimdb_start(db), AIMDB_ERR_STATE);
    CHECK(aimdb_last_error()[0] != 0);
    CHECK_OK(aimdb_open(db, "numbers", NULL, AIMDB_ANY_SIZE, &late)); /* works in every state */
    CHECK(late == record);
}

TEST(lifecycle_call_in_the_wrong_state_says_so)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    CHECK_STATUS(put(ring, 1), AIMDB_ERR_STATE);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_ERR_STATE); /* not started */
    started(db);
    check_created_only(db, ring);
    CHECK_STATUS(aimdb_destroy(db), AIMDB_ERR_STATE); /* not closed */
    REQUIRE_OK(put(ring, 1));
    CHECK_OK(aimdb_close(db, LONG_TIME));
    check_created_only(db, ring);
    CHECK_STATUS(put(ring, 2), AIMDB_CLOSED);
    CHECK_OK(aimdb_close(db, 0)); /* again: the same end */
    CHECK_OK(aimdb_destroy(db));
}

TEST(lifecycle_ended_handles_are_refused)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4), *opened = NULL;
    aimdb_reader_t *in = reader(ring);
    struct sink sink = SINK;
    aimdb_consumer_t *consumer = sink_subscribe(&sink, ring);
    started(db);
    end(db);
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    aimdb_database_stats_t of_db = AIMDB_DATABASE_STATS_INIT;
    CHECK_STATUS(aimdb_start(db), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_destroy(db), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_database_stats(db, &of_db), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_open(db, "numbers", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_HANDLE);
    CHECK_STATUS(put(ring, 1), AIMDB_ERR_HANDLE);
    CHECK_STATUS(take(in, 0).status, AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_reader_stats(in, &stats), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_consumer_stats(consumer, &stats), AIMDB_ERR_HANDLE);
    CHECK_STATUS(aimdb_unsubscribe(consumer, NULL), AIMDB_ERR_HANDLE);
    sink_end(&sink);
}

TEST(lifecycle_handles_of_another_type_or_made_up_are_refused)
{
    aimdb_t *db = started(database());
    static const uintptr_t made_up[] = { 1, 8, 0x5a5a5a5a, UINTPTR_MAX, UINTPTR_MAX / 2 };
    CHECK_STATUS(put((aimdb_record_t *)db, 1), AIMDB_ERR_HANDLE);
    CHECK_STATUS(put(NULL, 1), AIMDB_ERR_HANDLE);
    for (size_t i = 0; i < COUNT(made_up); i++) {
        CHECK_STATUS(put((aimdb_record_t *)made_up[i], 1), AIMDB_ERR_HANDLE);
        CHECK_STATUS(take((aimdb_reader_t *)made_up[i], 0).status, AIMDB_ERR_HANDLE);
        CHECK_STATUS(aimdb_close((aimdb_t *)made_up[i], 0), AIMDB_ERR_HANDLE);
    }
    end(db);
}

TEST(lifecycle_several_databases_live_at_once)
{
    aimdb_t *one = database(), *other = database();
    aimdb_record_t *of_one = numbers(one, AIMDB_RING, 4), *of_other = numbers(other, 0, 4);
    aimdb_reader_t *in = reader(of_other);
    started(one);
    started(other);
    REQUIRE_OK(put(of_one, 1));
    REQUIRE_OK(put(of_other, 2));
    end(one);
    REQUIRE_OK(put(of_other, 3));
    check_takes(in, 2, 3);
    end(other);
}
