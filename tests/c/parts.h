/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests that need a process of their own: the program runs itself again for each,
 * and looks how it ended. A part returns its exit status; SKIP after saying why. */
#ifndef PARTS_H
#define PARTS_H

#include <errno.h>
#include <sys/wait.h>

#include "test.h"

struct part {
    const char *name;
    int (*run)(void);
    int status; /* as waitpid gives it */
};
enum { SKIP = 77 };

static inline void run_part(const char *program, const struct part *part) {
    printf("%s\n", part->name);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        execl(program, program, part->name, (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP) return;
    if (status != part->status) {
        fprintf(stderr, "%s: wait status %#x, not %#x\n", part->name, status, part->status);
        abort();
    }
}

static inline int run_parts(int argc, char **argv, const struct part *parts, size_t count) {
    for (size_t i = 0; argc > 1 && i < count; i++)
        if (strcmp(argv[1], parts[i].name) == 0) return parts[i].run();
    for (size_t i = 0; i < count; i++) run_part(argv[0], &parts[i]);
    return 0;
}
#define RUN_PARTS(argc, argv, parts) run_parts(argc, argv, parts, sizeof(parts) / sizeof *(parts))
#define PART(function, status) {#function, function, status}

/* Awaits a condition; the alarm ends a program that awaits it in vain. */
#define AWAIT(what)                                                                                \
    while (!(what)) usleep(1000)

/* A whole life: a database, a record, a consumer, a reader, ten values. */
static inline int count_value(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m);
    atomic_fetch_add((_Atomic int *)user, 1);
    return 0;
}

static inline void live_once(void) {
    _Atomic int seen = 0;
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    consume(r, count_value, &seen, NULL);
    aimdb_reader_t *reader;
    OK(aimdb_reader_open(r, &reader));
    OK(aimdb_start(db));
    for (uint64_t n = 0; n < 10; n++) OK(put(r, n));
    end_database(db);
    REQUIRE(seen == 10);
}

#endif
