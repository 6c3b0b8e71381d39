/* SPDX-License-Identifier: Apache-2.0
 *
 * Forks while a database runs. In the child every function that answers a
 * status must answer AIMDB_ERR_FORKED, with arguments good or bad; it prints
 * "function status". In the parent the database must work on. The functions
 * are found by dlsym so that the library under test is the one named. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aimdb.h"

static void *library;

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}
#define CHECK(x) check((x), #x)

static void *find(const char *name) {
    void *f = dlsym(library, name);
    check(f != NULL, name);
    return f;
}
#define F(name) ((__typeof__(&name))find(#name))
#define TELL(name, ...)                                                                            \
    do {                                                                                           \
        printf("%s %d\n", #name, (int)F(name)(__VA_ARGS__));                                       \
        CHECK(F(aimdb_last_error)()[0] != 0);                                                      \
    } while (0)

static int consume(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    (void)e, (void)m, (void)user;
    return 0;
}

static aimdb_t *db;
static aimdb_record_t *record;
static aimdb_consumer_t *consumer;
static aimdb_reader_t *reader;

static void child(void) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_record_config_t rc = AIMDB_RECORD_CONFIG_INIT;
    aimdb_producer_config_t pc = AIMDB_PRODUCER_CONFIG_INIT;
    aimdb_consumer_config_t cc = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_record_info_t info = {sizeof info, AIMDB_RING, 0, 0, 0, "", ""};
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    aimdb_consumer_stats_t cs = AIMDB_CONSUMER_STATS_INIT;
    aimdb_record_stats_t rs = AIMDB_RECORD_STATS_INIT;
    aimdb_database_stats_t ds = AIMDB_DATABASE_STATS_INIT;
    aimdb_t *other;
    aimdb_record_t *r;
    aimdb_consumer_t *c;
    aimdb_reader_t *d;
    char b[256];
    size_t n;
    int fd;
    cc.fn = consume;

    TELL(aimdb_create, &config, &other);
    TELL(aimdb_start, db);
    TELL(aimdb_close, db, AIMDB_FOREVER);
    TELL(aimdb_close_with, db, AIMDB_FOREVER, AIMDB_CLOSE_DRAIN_READERS);
    TELL(aimdb_destroy, db);
    TELL(aimdb_register, db, "new", &rc, &r);
    TELL(aimdb_open, db, "a", NULL, AIMDB_ANY_SIZE, &r);
    TELL(aimdb_record_info, record, &info);
    TELL(aimdb_set_producer, record, &pc);
    TELL(aimdb_produce, record, "x", 1);
    TELL(aimdb_produce_batch, record, "x", (size_t[]){1}, 1, NULL);
    TELL(aimdb_emit, NULL, record, "x", 1);
    TELL(aimdb_subscribe, record, &cc, &c);
    TELL(aimdb_unsubscribe, consumer, &cs);
    TELL(aimdb_reader_open, record, &d);
    TELL(aimdb_reader_close, reader, &cs);
    TELL(aimdb_try_recv, reader, b, sizeof b, &m);
    TELL(aimdb_recv, reader, b, sizeof b, &m, AIMDB_FOREVER);
    TELL(aimdb_recv_batch, reader, b, sizeof b, &m, 1, &n, AIMDB_FOREVER);
    TELL(aimdb_reader_fd, reader, &fd);
    TELL(aimdb_peek, record, b, sizeof b, &m);
    TELL(aimdb_database_stats, db, &ds);
    TELL(aimdb_record_stats, record, &rs);
    TELL(aimdb_consumer_stats, consumer, &cs);
    TELL(aimdb_reader_stats, reader, &cs);
    TELL(aimdb_start, NULL);
    TELL(aimdb_create, NULL, NULL);

    CHECK(strcmp(F(aimdb_version)(), AIMDB_VERSION) == 0);
    CHECK(F(aimdb_abi_version)() == AIMDB_ABI_VERSION);
    CHECK(F(aimdb_strerror)(AIMDB_ERR_FORKED)[0] != 0);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv) {
    alarm(120);
    CHECK(argc == 2);
    library = dlopen(argv[1], RTLD_NOW);
    check(library != NULL, argv[1]);
    aimdb_consumer_config_t cc = AIMDB_CONSUMER_CONFIG_INIT;
    cc.fn = consume;
    CHECK(F(aimdb_create)(NULL, &db) == AIMDB_OK);
    CHECK(F(aimdb_register)(db, "a", NULL, &record) == AIMDB_OK);
    CHECK(F(aimdb_subscribe)(record, &cc, &consumer) == AIMDB_OK);
    CHECK(F(aimdb_reader_open)(record, &reader) == AIMDB_OK);
    CHECK(F(aimdb_start)(db) == AIMDB_OK);
    CHECK(F(aimdb_produce)(record, "x", 1) == AIMDB_OK);

    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) child();
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    char b[256];
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    CHECK(F(aimdb_produce)(record, "y", 1) == AIMDB_OK);
    CHECK(F(aimdb_recv)(reader, b, sizeof b, &m, AIMDB_FOREVER) == AIMDB_OK && b[0] == 'x');
    CHECK(F(aimdb_recv)(reader, b, sizeof b, &m, AIMDB_FOREVER) == AIMDB_OK && b[0] == 'y');
    CHECK(F(aimdb_close)(db, AIMDB_FOREVER) == AIMDB_OK);
    CHECK(F(aimdb_destroy)(db) == AIMDB_OK);
    return 0;
}
