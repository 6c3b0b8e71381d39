// SPDX-License-Identifier: Apache-2.0

/* A process whose only thread of its own waits in the library ends by SIGTERM, and
 * by any other signal, as it would in poll(2): close, unsubscribe and receive leave
 * the thread's signals as they are while they wait. */

#include <signal.h>
#include <sys/wait.h>

#include "test.h"

static int block(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *inside) {
    UNUSED(emitter), UNUSED(message);
    *(_Atomic bool *)inside = true;
    for (;;) pause();
    return 0;
}

/* The child: waits for ever in what it is told. */
static int wait_in(const char *what) {
    static _Atomic bool inside;
    aimdb_t *db = quiet_database();
    aimdb_record_t *record = add(db, "r", AIMDB_RING, 4), *idle = add(db, "idle", AIMDB_RING, 4);
    aimdb_reader_t *reader;
    OK(aimdb_reader_open(idle, &reader));
    aimdb_consumer_t *consumer = consume(record, block, (void *)&inside, NULL);
    OK(aimdb_start(db));
    OK(put(record, 1));
    while (!inside) usleep(100);
    if (write(1, "w", 1) != 1) return 1;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    char buffer[64];
    if (strcmp(what, "close") == 0) aimdb_close(db, AIMDB_FOREVER);
    if (strcmp(what, "unsubscribe") == 0) aimdb_unsubscribe(consumer, NULL);
    if (strcmp(what, "recv") == 0) aimdb_recv(reader, buffer, sizeof buffer, &message, AIMDB_FOREVER);
    return 1; /* it was not to return */
}

/* Asleep in one and the same sleep in many looks: it waits. */
static void await_sleep(pid_t process) {
    char path[64], line[256];
    unsigned long before = 0, sleeps = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    for (int same = 0; same < 50;) {
        char state = 0;
        FILE *status = fopen(path, "r");
        REQUIRE(status);
        while (fgets(line, sizeof line, status)) {
            sscanf(line, "State: %c", &state);
            sscanf(line, "voluntary_ctxt_switches: %lu", &sleeps);
        }
        fclose(status);
        same = state == 'S' && sleeps == before ? same + 1 : 0;
        before = sleeps;
        usleep(1000);
    }
}

static char *self;

static void ends_in(const char *what) {
    int told[2], status;
    char byte;
    REQUIRE(pipe(told) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(told[1], 1);
        execl(self, self, what, (char *)NULL);
        _exit(1);
    }
    REQUIRE(read(told[0], &byte, 1) == 1);
    await_sleep(child);
    REQUIRE(kill(child, SIGTERM) == 0);
    REQUIRE(waitpid(child, &status, 0) == child); /* else the watchdog comes */
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    close(told[0]), close(told[1]);
}

static void sigterm_ends_a_process_that_waits_in_close(void) { ends_in("close"); }
static void sigterm_ends_a_process_that_waits_in_unsubscribe(void) { ends_in("unsubscribe"); }
static void sigterm_ends_a_process_that_waits_in_a_receive(void) { ends_in("recv"); }

int main(int argc, char **argv) {
    self = argv[0];
    if (argc > 1) return wait_in(argv[1]);
    RUN(sigterm_ends_a_process_that_waits_in_close);
    RUN(sigterm_ends_a_process_that_waits_in_unsubscribe);
    RUN(sigterm_ends_a_process_that_waits_in_a_receive);
    return 0;
}
