// SPDX-License-Identifier: Apache-2.0
//
// What does not fit is refused, and all else goes on.

#define _GNU_SOURCE
#include <sys/resource.h>

#include "test.h"

static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return 0;
}

static void no_free(void *user) {
    UNUSED(user);
    abort(); /* the pointer stays the caller's */
}

static uint64_t address_space(void) {
    FILE *f = fopen("/proc/self/statm", "re");
    long pages;
    REQUIRE(fscanf(f, "%ld", &pages) == 1);
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void goes_on(aimdb_t *db, aimdb_record_t *r) {
    aimdb_reader_t *reader;
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    uint64_t n;
    UNUSED(db);
    OK(aimdb_reader_open(r, &reader));
    OK(put(r, 5));
    OK(aimdb_try_recv(reader, &n, sizeof n, &m));
    REQUIRE(n == 5);
    OK(aimdb_reader_close(reader, NULL));
}

static void a_record_or_thread_beyond_the_address_space_is_refused(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64), *huge;
    struct rlimit unlimited, limit;
    getrlimit(RLIMIT_AS, &unlimited);
    limit = unlimited;
    limit.rlim_cur = address_space() + (256u << 20);
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.capacity = 1 << 20;
    config.payload_max = 4096;
    STATUS(AIMDB_ERR_NO_MEMORY, aimdb_register(db, "huge", &config, &huge));
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    consumer.fn = nothing;
    consumer.free = no_free;
    consumer.stack_size = (size_t)1 << 30;
    STATUS(AIMDB_ERR_NO_THREADS, aimdb_subscribe(r, &consumer, NULL));
    OK(aimdb_start(db));
    goes_on(db, r);
    REQUIRE(setrlimit(RLIMIT_AS, &unlimited) == 0);
    aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
    OK(aimdb_record_stats(r, &s));
    REQUIRE(s.readers == 0 && s.produced == 1);
    end_database(db);
}

static void more_dispatchers_than_the_most_are_refused(void) {
    static aimdb_consumer_t *consumers[AIMDB_DISPATCHERS_MAX];
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = nothing;
    config.stack_size = 64 << 10;
    int made = 0;
    aimdb_status_t status = AIMDB_OK;
    while (made < AIMDB_DISPATCHERS_MAX &&
           (status = aimdb_subscribe(r, &config, &consumers[made])) == AIMDB_OK)
        made++;
    if (made < AIMDB_DISPATCHERS_MAX)
        printf("the system gives %d threads\n", made);
    else
        status = aimdb_subscribe(r, &config, NULL);
    STATUS(AIMDB_ERR_NO_THREADS, status);
    aimdb_database_stats_t s = AIMDB_DATABASE_STATS_INIT;
    OK(aimdb_database_stats(db, &s));
    REQUIRE(s.consumers == (uint64_t)made);
    OK(aimdb_unsubscribe(consumers[0], NULL));
    OK(aimdb_subscribe(r, &config, &consumers[0])); /* one has ended: there is room */
    OK(aimdb_start(db));
    goes_on(db, r);
    end_database(db);
}

static void no_descriptors_are_said(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    aimdb_reader_t *reader;
    int fd = -7;
    OK(aimdb_reader_open(r, &reader));
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    STATUS(AIMDB_ERR_NO_DESCRIPTORS, aimdb_reader_fd(reader, &fd));
    REQUIRE(fd == -7);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    OK(aimdb_reader_fd(reader, &fd));
    OK(aimdb_start(db));
    goes_on(db, r);
    end_database(db);
}

int main(void) {
    RUN(a_record_or_thread_beyond_the_address_space_is_refused);
    RUN(no_descriptors_are_said);
    RUN(more_dispatchers_than_the_most_are_refused);
    return 0;
}
