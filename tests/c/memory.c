// SPDX-License-Identifier: Apache-2.0
//
// Steady state allocates nothing, and memory is flat over ten million messages.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>

#include "test.h"

/* Every malloc of the process is counted, the library's C side included. */
static _Atomic uint64_t allocations;
void *malloc(size_t size) {
    static void *(*next)(size_t);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    allocations++;
    return next(size);
}

static long resident_pages(void) {
    static char text[64];
    FILE *f = fopen("/proc/self/statm", "re");
    long size, resident = 0;
    setbuf(f, NULL);
    REQUIRE(fgets(text, sizeof text, f) && sscanf(text, "%ld %ld", &size, &resident) == 2);
    fclose(f);
    return resident;
}

static _Atomic uint64_t handled;
static int handle(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    handled++;
    return 0;
}

static int accept_all(aimdb_emitter_t *e, const aimdb_message_t *m, aimdb_draft_t *d, void *user) {
    UNUSED(e), UNUSED(user);
    memcpy(d->data, m->data, m->size);
    d->size = m->size;
    return AIMDB_REPLACE;
}

static aimdb_record_t *records[3];
static aimdb_reader_t *readers[3];

static void exchange(uint64_t rounds) {
    for (uint64_t n = 0; n < rounds; n++) {
        for (int b = 0; b < 3; b++) {
            uint64_t in[8], before = handled;
            aimdb_message_t m[4] = {AIMDB_MESSAGE_INIT};
            size_t count;
            OK(put(records[b], n));
            if (n % 2) {
                OK(aimdb_try_recv(readers[b], in, sizeof in, m));
            } else {
                OK(aimdb_recv_batch(readers[b], in, sizeof in, m, 4, &count, AIMDB_FOREVER));
            }
            if (b != AIMDB_MAILBOX) /* of a mailbox the reader has taken it, or the consumer */
                while (handled == before) sched_yield();
        }
    }
}

static void no_call_per_message_allocates(void) {
    static const char *const keys[] = {"ring", "latest", "mailbox"};
    aimdb_t *db = quiet_database();
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    producer.fn = accept_all;
    for (int b = 0; b < 3; b++) {
        records[b] = add(db, keys[b], (aimdb_buffer_t)b, 64);
        OK(aimdb_set_producer(records[b], &producer));
        OK(aimdb_reader_open(records[b], &readers[b]));
        if (b != AIMDB_MAILBOX) consume(records[b], handle, NULL, NULL);
    }
    OK(aimdb_start(db));
    exchange(100);
    uint64_t before = allocations;
    exchange(20000);
    REQUIRE(allocations == before);
    end_database(db);
}

static void memory_is_flat_over_ten_million_messages(void) {
    enum { MESSAGES = 10000000, SLACK_PAGES = 512 };
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 1024);
    handled = 0;
    aimdb_consumer_t *consumer = consume(r, handle, NULL, NULL);
    OK(aimdb_start(db));
    long resident = 0;
    for (uint64_t n = 0; n < MESSAGES; n++) {
        OK(put(r, n));
        if (n == 100000) resident = resident_pages();
    }
    long now = resident_pages();
    printf("resident pages %ld, %ld\n", resident, now);
    REQUIRE(now <= resident + SLACK_PAGES);
    REQUIRE(aimdb_close(db, AIMDB_FOREVER) == AIMDB_OK);
    aimdb_consumer_stats_t s = stats_of(consumer);
    REQUIRE(s.offered == MESSAGES && s.delivered == handled);
    OK(aimdb_destroy(db));
}

int main(void) {
    RUN(no_call_per_message_allocates);
    RUN(memory_is_flat_over_ten_million_messages);
    return 0;
}
