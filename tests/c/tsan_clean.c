// SPDX-License-Identifier: Apache-2.0
//
// What produce, delivery, unsubscribe and close order is no race: what a
// producer wrote before produce, its consumer reads; what a callback wrote, who
// has unsubscribed reads.

#include "test.h"

static uint64_t written[20001], before_start, in_callback;

static int read_written(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(user);
    uint64_t n = number_in(m);
    REQUIRE(written[n] == n && before_start == 7);
    in_callback += n;
    return 0;
}

int main(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 30000);
    before_start = 7;
    aimdb_consumer_t *consumer = consume(r, read_written, NULL, NULL);
    aimdb_reader_t *reader;
    OK(aimdb_reader_open(r, &reader));
    OK(aimdb_start(db));
    for (uint64_t n = 1; n <= 20000; n++) {
        written[n] = n;
        OK(put(r, n));
    }
    OK(aimdb_close(db, AIMDB_FOREVER));
    OK(aimdb_unsubscribe(consumer, NULL));
    REQUIRE(in_callback == 20000ull * 20001 / 2);
    OK(aimdb_destroy(db));
    return 0;
}
