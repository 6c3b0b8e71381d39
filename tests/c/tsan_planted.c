// SPDX-License-Identifier: Apache-2.0
//
// Two consumers write one variable without order: ThreadSanitizer must say so.

#include "test.h"

static uint64_t shared;

static int race(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    for (int i = 0; i < 100; i++) shared++;
    return 0;
}

int main(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 20000);
    consume(r, race, NULL, NULL);
    consume(r, race, NULL, NULL);
    OK(aimdb_start(db));
    for (uint64_t n = 0; n < 20000; n++) OK(put(r, n));
    end_database(db);
    return 0;
}
