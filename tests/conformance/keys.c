/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: 1 to 255 bytes of [A-Za-z0-9._:/-], unique in a database.
 */
#include "test.h"

TEST(key_of_1_to_255_bytes_is_accepted_0_and_256_are_refused)
{
    aimdb_t *db = database();
    char key[258];
    for (size_t length = 0; length <= 257; length++) {
        memset(key, 'k', length);
        key[length] = 0;
        aimdb_record_t *made = NULL;
        bool good = length >= 1 && length <= AIMDB_KEY_MAX;
        CHECK_STATUS(aimdb_register(db, key, NULL, &made), good ? AIMDB_OK : AIMDB_ERR_KEY);
        if (!good) CHECK(aimdb_last_error()[0] != 0);
    }
    CHECK_OK(aimdb_destroy(db));
}

TEST(key_accepts_letters_digits_and_five_marks_and_refuses_every_other_byte)
{
    aimdb_t *db = database();
    for (int byte = 1; byte <= 255; byte++) {
        bool good = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= 'a' && byte <= 'z') || strchr("._:/-", byte);
        char key[4] = { 'k', (char)byte, 'k', 0 };
        aimdb_record_t *made = NULL;
        if (!CHECK_STATUS(aimdb_register(db, key, NULL, &made), good ? AIMDB_OK : AIMDB_ERR_KEY))
            printf("# byte %d\n", byte);
    }
    CHECK_OK(aimdb_destroy(db));
}

TEST(key_is_unique_in_a_database_and_free_in_another)
{
    aimdb_t *db = database(), *other = database();
    aimdb_record_t *first = NULL, *second = NULL, *elsewhere = NULL;
    CHECK_OK(aimdb_register(db, "a.key", NULL, &first));
    CHECK_STATUS(aimdb_register(db, "a.key", NULL, &second), AIMDB_ERR_EXISTS);
    CHECK(second == NULL);
    CHECK_OK(aimdb_register(other, "a.key", NULL, &elsewhere));
    CHECK(elsewhere != first);
    CHECK_OK(aimdb_destroy(db));
    CHECK_OK(aimdb_destroy(other));
}

TEST(key_opens_the_same_handle_each_time_and_only_if_registered)
{
    aimdb_t *db = database();
    aimdb_record_t *made = NULL, *opened = NULL;
    CHECK_OK(aimdb_register(db, "a/key", NULL, &made));
    for (int i = 0; i < 2; i++) {
        opened = NULL;
        CHECK_OK(aimdb_open(db, "a/key", NULL, AIMDB_ANY_SIZE, &opened));
        CHECK(opened == made);
    }
    CHECK_STATUS(aimdb_open(db, "a/ke", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_NOT_FOUND);
    CHECK_STATUS(aimdb_open(db, "a key", NULL, AIMDB_ANY_SIZE, &opened), AIMDB_ERR_KEY);
    CHECK_OK(aimdb_destroy(db));
}
