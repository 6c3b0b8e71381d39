/* SPDX-License-Identifier: Apache-2.0
 *
 * Peek: latest and mailbox give the current value without consuming it; a ring
 * has none.
 */
#include "test.h"

static struct taken peek(aimdb_record_t *record)
{
    uint64_t buffer = 0;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    struct taken taken = { aimdb_peek(record, &buffer, sizeof buffer, &message), buffer,
                           message.sequence, 0 };
    return taken;
}

static void check_peeks(aimdb_record_t *record, uint64_t number)
{
    for (int i = 0; i < 2; i++) {
        struct taken seen = peek(record);
        CHECK_STATUS(seen.status, AIMDB_OK);
        CHECK_EQ(seen.number, number);
        CHECK_EQ(seen.sequence, number);
    }
}

TEST(peek_at_latest_gives_the_newest_value_and_consumes_nothing)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    aimdb_reader_t *in = reader(config);
    CHECK_STATUS(peek(config).status, AIMDB_EMPTY); /* works before start, too */
    started(db);
    CHECK_STATUS(peek(config).status, AIMDB_EMPTY);
    put_range(config, 1, 3);
    check_peeks(config, 3);
    check_takes(in, 3, 3);
    check_peeks(config, 3); /* a value that was received is still the current one */
    CHECK_OK(aimdb_close(db, LONG_TIME));
    check_peeks(config, 3);
    CHECK_OK(aimdb_destroy(db));
}

TEST(peek_at_a_mailbox_gives_the_value_not_yet_taken_and_leaves_it)
{
    aimdb_t *db = database();
    aimdb_record_t *mailbox = numbers(db, AIMDB_MAILBOX, 0);
    aimdb_reader_t *in = reader(mailbox);
    started(db);
    CHECK_STATUS(peek(mailbox).status, AIMDB_EMPTY);
    put_range(mailbox, 1, 2);
    check_peeks(mailbox, 2);
    CHECK_EQ(stats_of_record(mailbox).taken, 0);
    check_takes(in, 2, 2);
    CHECK_STATUS(peek(mailbox).status, AIMDB_EMPTY);
    end(db);
}

TEST(peek_at_a_ring_is_unsupported)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    started(db);
    CHECK_STATUS(peek(ring).status, AIMDB_ERR_UNSUPPORTED);
    put_range(ring, 1, 2);
    CHECK_STATUS(peek(ring).status, AIMDB_ERR_UNSUPPORTED);
    end(db);
}

TEST(peek_into_a_small_buffer_says_how_many_bytes_are_needed)
{
    aimdb_t *db = database();
    aimdb_record_t *config = numbers(db, AIMDB_LATEST, 0);
    started(db);
    put_range(config, 1, 1);
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    unsigned char buffer[8] = { 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA };
    CHECK_STATUS(aimdb_peek(config, buffer, 7, &message), AIMDB_ERR_TOO_SMALL);
    CHECK_EQ(message.size, 8);
    CHECK_EQ(buffer[7], 0xAA);
    check_peeks(config, 1);
    end(db);
}
