// SPDX-License-Identifier: Apache-2.0
//
// The C part of the example: makes the database, produces samples, and obeys
// commands that come from Python. Built as a library by plant.py.

#include "plant.h"

#include <aimdb.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

static aimdb_t *db;
static aimdb_record_t *samples;
static _Atomic int32_t valve;

static int obey(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    (void)emitter, (void)user;
    valve = *(const int32_t *)message->data;
    printf("C: valve to %d\n", valve);
    return fflush(stdout);
}

/* The database, for Database.from_handle; 0 if it could not be made. */
uintptr_t plant_begin(void) {
    aimdb_record_config_t sample = AIMDB_RECORD_CONFIG_INIT, command = AIMDB_RECORD_CONFIG_INIT;
    sample.payload_max = sample.exact_size = sizeof(struct plant_sample);
    sample.type_name = PLANT_SAMPLE;
    command.payload_max = command.exact_size = sizeof(int32_t);
    command.type_name = PLANT_COMMAND;
    command.buffer = AIMDB_MAILBOX;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    consumer.fn = obey;
    aimdb_record_t *commands;
    if (aimdb_create(NULL, &db) || aimdb_register(db, "samples", &sample, &samples) ||
        aimdb_register(db, "commands", &command, &commands) ||
        aimdb_subscribe(commands, &consumer, NULL) || aimdb_start(db)) {
        fprintf(stderr, "plant: %s\n", aimdb_last_error());
        return 0;
    }
    return (uintptr_t)db;
}

int plant_sample(uint32_t number) {
    struct plant_sample s = {number, 2.0f + sinf((float)number / 10), number / 100.0};
    return aimdb_produce(samples, &s, sizeof s);
}

int32_t plant_valve(void) { return valve; }

int plant_end(void) {
    aimdb_status_t status = aimdb_close(db, 2 * AIMDB_SECOND);
    return status ? status : aimdb_destroy(db);
}
