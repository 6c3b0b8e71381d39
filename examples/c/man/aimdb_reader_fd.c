/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* Takes what is there. The descriptor is armed again when there is no more. */
static aimdb_status_t take_all(aimdb_reader_t *reader) {
    for (;;) {
        char value[256];
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        aimdb_status_t status = aimdb_try_recv(reader, value, sizeof value, &message);
        check(status);
        if (status == AIMDB_EMPTY || status == AIMDB_CLOSED) return status;
        if (status == AIMDB_OK) printf("%.*s\n", (int)message.size, value);
    }
}

int main(void) {
    struct pollfd wait = {.events = POLLIN};
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "words", NULL, &record));
    check(aimdb_reader_open(record, &reader));
    check(aimdb_reader_fd(reader, &wait.fd));
    check(aimdb_start(db));
    check(aimdb_produce(record, "hello", 5));
    check(aimdb_close(db, 0));
    do {
        if (poll(&wait, 1, -1) < 0) return 1;
    } while (take_all(reader) == AIMDB_EMPTY);
    puts("closed"); /* a descriptor leaves the event loop before its reader ends */
    check(aimdb_reader_close(reader, NULL));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
hello
closed
*/
