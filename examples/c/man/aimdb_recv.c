/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_reader_t *reader;
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.capacity = 4, config.payload_max = sizeof(int);
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "numbers", &config, &record));
    check(aimdb_reader_open(record, &reader));
    check(aimdb_start(db));
    for (int i = 1; i <= 6; i++) check(aimdb_produce(record, &i, sizeof i));
    check(aimdb_close(db, 0)); /* readers get what is pending also afterwards */

    for (;;) {
        int value;
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        aimdb_status_t status = aimdb_recv(reader, &value, sizeof value, &message, AIMDB_FOREVER);
        check(status);
        if (status == AIMDB_CLOSED) break;
        if (status == AIMDB_LAGGED)
            printf("%d lost\n", (int)message.lagged);
        else
            printf("number %d is %d\n", (int)message.sequence, value);
    }
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
2 lost
number 3 is 3
number 4 is 4
number 5 is 5
number 6 is 6
*/
