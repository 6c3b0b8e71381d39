/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* Runs for each value in Celsius; the record for Fahrenheit is its user pointer. */
static int convert(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    double fahrenheit = *(const double *)message->data * 9 / 5 + 32;
    return aimdb_emit(emitter, (aimdb_record_t *)user, &fahrenheit, sizeof fahrenheit) != AIMDB_OK;
}

int main(void) {
    double celsius = 100, fahrenheit = 0;
    aimdb_t *db;
    aimdb_record_t *in, *out;
    aimdb_reader_t *reader;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "boiler.celsius", NULL, &in));
    check(aimdb_register(db, "boiler.fahrenheit", NULL, &out));
    consumer.fn = convert, consumer.user = out;
    check(aimdb_subscribe(in, &consumer, NULL));
    check(aimdb_reader_open(out, &reader));
    check(aimdb_start(db));
    check(aimdb_produce(in, &celsius, sizeof celsius));
    check(aimdb_recv(reader, &fahrenheit, sizeof fahrenheit, &message, AIMDB_FOREVER));
    printf("%.0f F\n", fahrenheit);
    check(aimdb_close(db, AIMDB_SECOND));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
212 F
*/
