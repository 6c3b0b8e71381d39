/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status == AIMDB_OK) return;
    fprintf(stderr, "%s\n", aimdb_strerror(status)), exit(1);
}
static int print(aimdb_emitter_t *emitter, const aimdb_message_t *m, void *user) {
    return printf("%s %d\n", (const char *)user, *(const int *)m->data) < 0 || !emitter;
}
int main(void) {
    aimdb_t *db;
    aimdb_record_t *temperature;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    consumer.fn = print, consumer.user = "temperature";
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "sensor.temperature", NULL, &temperature));
    check(aimdb_subscribe(temperature, &consumer, NULL));
    check(aimdb_start(db));
    for (int t = 20; t < 23; t++) check(aimdb_produce(temperature, &t, sizeof t));
    check(aimdb_close(db, 2 * AIMDB_SECOND)); /* delivers what is pending */
    check(aimdb_destroy(db));
}
