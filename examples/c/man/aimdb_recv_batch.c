/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}
enum { AT_ONCE = 16 };

int main(void) {
    const char values[] = "onetwothree";
    const size_t sizes[] = {3, 3, 5};
    size_t produced, count;
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "words", NULL, &record));
    check(aimdb_reader_open(record, &reader));
    check(aimdb_start(db));
    check(aimdb_produce_batch(record, values, sizes, 3, &produced));

    static char buffer[AT_ONCE * 256]; /* payload_max is 256 by default */
    static aimdb_message_t messages[AT_ONCE] = {AIMDB_MESSAGE_INIT};
    check(aimdb_recv_batch(reader, buffer, sizeof buffer, messages, AT_ONCE, &count,
                           AIMDB_SECOND));
    printf("%d produced, %d received\n", (int)produced, (int)count);
    for (size_t i = 0; i < count; i++)
        printf("%.*s\n", (int)messages[i].size, (const char *)messages[i].data);
    check(aimdb_reader_close(reader, NULL));
    check(aimdb_close(db, AIMDB_SECOND));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
3 produced, 3 received
one
two
three
*/
