// SPDX-License-Identifier: Apache-2.0
//
// What the tests need of C: a database of C's, and threads that Python does not know.

#include <aimdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct job {
    aimdb_record_t *record;
    uint64_t values;
    pthread_t thread;
    _Atomic uint64_t accepted, rejected, other;
};

static void *produce(void *pointer) {
    struct job *job = pointer;
    for (uint64_t i = 0; i < job->values; i++) {
        aimdb_status_t status = aimdb_produce(job->record, &i, sizeof i);
        if (status == AIMDB_OK)
            job->accepted++;
        else if (status == AIMDB_REJECTED)
            job->rejected++;
        else {
            job->other++;
            break; /* closed, or ended */
        }
    }
    return NULL;
}

/* A thread that produces the numbers from 0. */
void *native_produce(void *record, uint64_t values) {
    struct job *job = calloc(1, sizeof *job);
    job->record = record;
    job->values = values;
    pthread_create(&job->thread, NULL, produce, job);
    return job;
}

/* Waits for it; accepted, rejected, other answers. */
void native_join(struct job *job, uint64_t counts[3]) {
    pthread_join(job->thread, NULL);
    counts[0] = job->accepted, counts[1] = job->rejected, counts[2] = job->other;
    free(job);
}

/* A database of C's with a ring "numbers" of 8 bytes, started. */
void *native_database(void) {
    aimdb_t *db = NULL;
    aimdb_record_t *record;
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.payload_max = config.exact_size = 8;
    config.type_name = "number";
    if (aimdb_create(NULL, &db) || aimdb_register(db, "numbers", &config, &record) || aimdb_start(db))
        abort();
    return db;
}

int native_end(void *db) {
    aimdb_status_t status = aimdb_close(db, 5 * AIMDB_SECOND);
    return status ? status : aimdb_destroy(db);
}
