/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* Takes Celsius or, above 200, Kelvin; nothing below absolute zero. */
static int to_celsius(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                      aimdb_draft_t *draft, void *user) {
    (void)emitter, (void)user;
    double t = *(const double *)message->data; /* exact_size says that it is one */
    if (t < -273.15) return AIMDB_REJECT;
    if (t <= 200) return AIMDB_ACCEPT;
    *(double *)draft->data = t - 273.15;
    draft->size = sizeof(double);
    return AIMDB_REPLACE;
}

static int print(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    (void)emitter, (void)user;
    return printf("%.2f\n", *(const double *)message->data) < 0;
}

int main(void) {
    const double given[] = {21.5, 295.15, -300};
    aimdb_t *db;
    aimdb_record_t *temperature;
    aimdb_record_config_t record = AIMDB_RECORD_CONFIG_INIT;
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    record.payload_max = record.exact_size = sizeof(double);
    producer.fn = to_celsius, consumer.fn = print;
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "sensor.temperature", &record, &temperature));
    check(aimdb_set_producer(temperature, &producer));
    check(aimdb_subscribe(temperature, &consumer, NULL));
    check(aimdb_start(db));
    for (int i = 0; i < 3; i++) {
        aimdb_status_t status = aimdb_produce(temperature, &given[i], sizeof given[i]);
        check(status);
        if (status == AIMDB_REJECTED) fprintf(stderr, "rejected: %.2f\n", given[i]);
    }
    check(aimdb_close(db, AIMDB_SECOND));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
21.50
22.00
*/
