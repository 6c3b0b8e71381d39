/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* Takes what comes until the record has ended. */
static void *print_all(void *reader) {
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    int value;
    while (aimdb_recv(reader, &value, sizeof value, &message, AIMDB_FOREVER) == AIMDB_OK)
        printf("%d\n", value);
    return NULL;
}

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    pthread_t thread;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "numbers", NULL, &record));
    check(aimdb_reader_open(record, &reader));
    check(aimdb_start(db));
    if (pthread_create(&thread, NULL, print_all, reader)) return 1;
    for (int i = 1; i <= 3; i++) check(aimdb_produce(record, &i, sizeof i));

    /* Intake ends; the reader has ten seconds for what is pending. */
    if (aimdb_close_with(db, 10 * AIMDB_SECOND, AIMDB_CLOSE_DRAIN_READERS) != AIMDB_OK)
        puts("not all was taken");
    pthread_join(thread, NULL); /* before destroy, which ends the reader */
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
1
2
3
*/
