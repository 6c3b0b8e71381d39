/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's program in C: exit status 0 if a value came through. */
#include <aimdb.h>

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    int answer = 42, got = 0;
    if (aimdb_create(NULL, &db) || aimdb_register(db, "answer", NULL, &record) ||
        aimdb_reader_open(record, &reader) || aimdb_start(db) ||
        aimdb_produce(record, &answer, sizeof answer) ||
        aimdb_recv(reader, &got, sizeof got, &message, 60 * AIMDB_SECOND))
        return 1;
    return got != 42 || aimdb_close(db, AIMDB_SECOND) || aimdb_destroy(db);
}
