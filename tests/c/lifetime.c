// SPDX-License-Identifier: Apache-2.0
//
// Close while a callback blocks, two databases, and 1000 rounds that leave
// nothing behind.

#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>

#include "test.h"

static sem_t entered, release;
static _Atomic int frees;

static void count_free(void *user) {
    UNUSED(user);
    frees++;
}

static int block(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    sem_post(&entered);
    sem_wait(&release);
    return 0;
}

static aimdb_t *blocked_database(aimdb_consumer_t **consumer) {
    sem_init(&entered, 0, 0);
    sem_init(&release, 0, 0);
    frees = 0;
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 8);
    *consumer = consume(r, block, NULL, count_free);
    OK(aimdb_start(db));
    OK(put(r, 1));
    sem_wait(&entered);
    return db;
}

static void close_says_that_a_callback_blocks_and_a_later_one_that_it_has_ended(void) {
    aimdb_consumer_t *consumer;
    aimdb_t *db = blocked_database(&consumer);
    STATUS(AIMDB_BLOCKED, aimdb_close(db, AIMDB_MILLISECOND));
    REQUIRE(frees == 0);
    sem_post(&release);
    OK(aimdb_close(db, AIMDB_FOREVER));
    REQUIRE(frees == 1 && stats_of(consumer).delivered == 1);
    OK(aimdb_destroy(db));
}

static void destroy_does_not_wait_for_a_callback_that_blocks(void) {
    aimdb_consumer_t *consumer;
    aimdb_t *db = blocked_database(&consumer);
    STATUS(AIMDB_BLOCKED, aimdb_close(db, 0));
    OK(aimdb_destroy(db));
    REQUIRE(frees == 0);
    aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
    STATUS(AIMDB_ERR_HANDLE, aimdb_consumer_stats(consumer, &s));
    sem_post(&release);
    while (frees == 0) sched_yield();
    REQUIRE(frees == 1);
}

static aimdb_record_t *there, *back;
static sem_t arrived;

static int send_back(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(user);
    STATUS(AIMDB_ERR_HANDLE, aimdb_emit(e, back, m->data, m->size)); /* of another database */
    OK(aimdb_produce(back, m->data, m->size));
    return 0;
}

static int arrive(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(user);
    if (number_in(m) == 100) sem_post(&arrived);
    return 0;
}

static void two_databases_live_side_by_side(void) {
    sem_init(&arrived, 0, 0);
    aimdb_t *one = quiet_database(), *two = quiet_database();
    there = add(one, "same", AIMDB_RING, 128);
    back = add(two, "same", AIMDB_RING, 128);
    consume(there, send_back, NULL, NULL);
    consume(back, arrive, NULL, NULL);
    OK(aimdb_start(one));
    OK(aimdb_start(two));
    for (uint64_t n = 1; n <= 100; n++) OK(put(there, n));
    sem_wait(&arrived);
    end_database(one);
    OK(put(back, 101));
    end_database(two);
}

static int entries(const char *path) {
    DIR *dir = opendir(path);
    int n = 0;
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static int mappings(void) {
    FILE *f = fopen("/proc/self/maps", "re");
    int n = 0;
    for (int c; (c = fgetc(f)) != EOF;) n += c == '\n';
    fclose(f);
    return n;
}

static long resident_pages(void) {
    FILE *f = fopen("/proc/self/statm", "re");
    long size, resident;
    REQUIRE(fscanf(f, "%ld %ld", &size, &resident) == 2);
    fclose(f);
    return resident;
}

static void one_round(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64), *l = add(db, "l", AIMDB_LATEST, 1);
    consume(r, arrive, NULL, NULL);
    aimdb_consumer_t *gone = consume(l, arrive, NULL, NULL);
    aimdb_reader_t *reader;
    int fd;
    OK(aimdb_reader_open(r, &reader));
    OK(aimdb_reader_fd(reader, &fd));
    OK(aimdb_start(db));
    OK(put(r, 1));
    OK(put(l, 1));
    OK(aimdb_unsubscribe(gone, NULL));
    OK(aimdb_close(db, AIMDB_FOREVER));
    OK(aimdb_destroy(db));
}

/* Detached threads are gone a moment after their last act. */
static int settled_threads(int at_most) {
    int n = entries("/proc/self/task");
    for (int i = 0; i < 100000 && n > at_most; i++) {
        sched_yield();
        n = entries("/proc/self/task");
    }
    return n;
}

static void a_thousand_rounds_leave_nothing_behind(void) {
    enum { SLACK_PAGES = 1024 }; /* 4 MiB: the Go heap breathes between collections */
    for (int i = 0; i < 100; i++) one_round();
    int threads = settled_threads(12), files = entries("/proc/self/fd"), maps = mappings();
    long resident = resident_pages();
    for (int i = 100; i < 1000; i++) one_round();
    int threads_now = settled_threads(threads), maps_now = mappings();
    long resident_now = resident_pages();
    printf("threads %d, %d; mappings %d, %d; resident pages %ld, %ld\n", threads, threads_now, maps,
           maps_now, resident, resident_now);
    REQUIRE(threads_now <= threads + 2); /* the Go runtime's own */
    REQUIRE(entries("/proc/self/fd") == files);
    REQUIRE(maps_now <= maps + 16); /* stacks that the C library keeps for the next thread */
#ifndef __SANITIZE_ADDRESS__ /* which keeps more than a page for each thread that has been */
    REQUIRE(resident_now <= resident + SLACK_PAGES);
#endif
}

int main(void) {
    RUN(close_says_that_a_callback_blocks_and_a_later_one_that_it_has_ended);
    RUN(destroy_does_not_wait_for_a_callback_that_blocks);
    RUN(two_databases_live_side_by_side);
    RUN(a_thousand_rounds_leave_nothing_behind);
    return 0;
}
