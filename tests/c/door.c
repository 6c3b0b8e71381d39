// SPDX-License-Identifier: Apache-2.0
//
// The two doors into the library, under what a host can do to them: threads that
// come and go, signals, Go's collections, fork, bad pointers. Each part runs in
// a process of its own, once for each value of AIMDB_DOOR.

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "test.h"

static const char *program;

static aimdb_door_t door_of(aimdb_t *db) {
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    OK(aimdb_database_stats(db, &stats));
    return stats.door;
}

/* Which door there is: the direct one on amd64 and arm64, unless the library is
 * built without it. */
#if defined(__x86_64__) || defined(__aarch64__)
static const aimdb_door_t usual = AIMDB_DOOR_DIRECT;
#else
static const aimdb_door_t usual = AIMDB_DOOR_CGO;
#endif

static int say_door(void) {
    aimdb_t *db = quiet_database();
    int door = (int)door_of(db);
    OK(aimdb_destroy(db));
    return door;
}

/* A storm: everything at once, and the accounts are exact at the end.
 *
 * Values carry who made them and a number, and a pattern made of both, so that
 * one that is torn, doubled or out of order shows. */

enum { WORDS = 8, LASTING = 2, PER_THREAD = 20 };

typedef struct value {
    uint64_t producer, number, pattern[WORDS - 2];
} value_t;

static aimdb_record_t *ring, *mailbox, *latest;
static aimdb_reader_t *shared; /* on the ring: by threads that come and go */
static _Atomic uint64_t in_ring, in_mailbox, in_latest, taken_from_mailbox, taken_from_shared;
static _Atomic bool over;
static _Atomic uint64_t handled;

static uint64_t pattern(uint64_t producer, uint64_t number, uint64_t k) {
    return (producer << 48 ^ number) * 0x9e3779b97f4a7c15u + k;
}

static void produce(aimdb_record_t *record, _Atomic uint64_t *count, uint64_t producer, uint64_t number) {
    value_t v = {producer, number, {0}};
    for (uint64_t k = 0; k < WORDS - 2; k++) v.pattern[k] = pattern(producer, number, k);
    OK(aimdb_produce(record, &v, sizeof v));
    (*count)++;
}

static value_t whole(const aimdb_message_t *m) {
    value_t v;
    REQUIRE(m->size == sizeof v);
    memcpy(&v, m->data, sizeof v);
    for (uint64_t k = 0; k < WORDS - 2; k++) REQUIRE(v.pattern[k] == pattern(v.producer, v.number, k));
    return v;
}

/* Each lasting producer's numbers only grow, in the eyes of one consumer. */
static void in_order(const value_t *v, uint64_t *last) {
    if (v->producer >= LASTING) return;
    REQUIRE(v->number > last[v->producer]);
    last[v->producer] = v->number;
}

static _Atomic uint64_t called, called_about_latest;

static int on_value(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    static uint64_t last[LASTING];
    UNUSED(e), UNUSED(user);
    value_t v = whole(m);
    in_order(&v, last);
    called++;
    return 0;
}

static int on_latest(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    static uint64_t last[LASTING];
    UNUSED(e), UNUSED(user);
    value_t v = whole(m);
    in_order(&v, last);
    called_about_latest++;
    return 0;
}

static void *lasting_producer(void *argument) {
    uint64_t self = (uint64_t)(uintptr_t)argument;
    for (uint64_t n = 1; !over; n++) {
        produce(ring, &in_ring, self, n);
        produce(latest, &in_latest, self, n);
        if (n % 64 == 0) produce(mailbox, &in_mailbox, self, n);
        if (n % 256 == 0) sched_yield();
    }
    return NULL;
}

static void *lasting_reader(void *argument) {
    UNUSED(argument);
    value_t buffer;
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    for (;;) {
        aimdb_status_t status = aimdb_recv(argument, &buffer, sizeof buffer, &m, 2 * AIMDB_MILLISECOND);
        if (status == AIMDB_CLOSED) return NULL;
        REQUIRE(status == AIMDB_OK || status == AIMDB_TIMEOUT);
        if (status != AIMDB_OK) continue;
        whole(&m);
        taken_from_mailbox++;
    }
}

/* A thread that lives for a moment, and that Go has never seen. */
static void *passing_thread(void *argument) {
    uint64_t self = (uint64_t)(uintptr_t)argument;
    value_t buffer[4];
    aimdb_message_t messages[4] = {AIMDB_MESSAGE_INIT};
    for (uint64_t n = 1; n <= PER_THREAD; n++) {
        size_t count;
        produce(ring, &in_ring, self, n);
        if (n % 4 == 0) produce(mailbox, &in_mailbox, self, n);
        aimdb_status_t status = aimdb_recv_batch(shared, buffer, sizeof buffer, messages, 4, &count, 0);
        REQUIRE(status == AIMDB_OK || status == AIMDB_EMPTY || status == AIMDB_LAGGED);
        for (size_t i = 0; i < count; i++) whole(&messages[i]);
        taken_from_shared += count;
    }
    return NULL;
}

static _Atomic uint64_t passed;

static void *churn(void *argument) {
    UNUSED(argument);
    for (uint64_t self = 0; !over; self++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, passing_thread, (void *)(uintptr_t)(LASTING + self % 60000)) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        passed++;
    }
    return NULL;
}

static struct sigaction go_urg;

static void on_prof(int s) {
    UNUSED(s);
    handled++;
}

static void on_urg(int s, siginfo_t *info, void *context) {
    handled++;
    if (go_urg.sa_flags & SA_SIGINFO) go_urg.sa_sigaction(s, info, context);
}

static pthread_t producers[LASTING];

/* Signals to the producers, and to whichever thread gets them. */
static void *signaller(void *argument) {
    UNUSED(argument);
    struct timespec pause = {0, 50000};
    for (unsigned n = 0; !over; n++) {
        pthread_kill(producers[n % LASTING], n & 2 ? SIGURG : SIGPROF);
        if (n % 8 == 0) kill(getpid(), n & 8 ? SIGURG : SIGPROF);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Makes garbage in Go, some 100 KiB, which with AIMDB_COLLECT is soon collected:
 * lifecycle a little, refusals with long texts much. */
static void cycle(void) {
    aimdb_t *db = quiet_database();
    char missing[AIMDB_KEY_MAX + 1];
    memset(missing, 'm', AIMDB_KEY_MAX);
    missing[AIMDB_KEY_MAX] = 0;
    for (int i = 0; i < 100; i++) {
        aimdb_record_t *none;
        STATUS(AIMDB_ERR_NOT_FOUND, aimdb_open(db, missing, NULL, AIMDB_ANY_SIZE, &none));
    }
    aimdb_record_t *r = add(db, "a", AIMDB_RING, 4);
    add(db, "b", AIMDB_MAILBOX, 1);
    consume(r, on_latest, NULL, NULL);
    aimdb_reader_t *reader;
    OK(aimdb_reader_open(r, &reader));
    OK(aimdb_start(db));
    end_database(db);
}

/* How many collections there were: their lines in the file that standard error is,
 * if the runtime has been asked for them, or else as many as are wanted. */
enum { COLLECTIONS = 50 };
static int collections(void) {
    static char text[1 << 16];
    static off_t end;
    static int count;
    static bool line_begins = true;
    if (!getenv("AIMDB_GODEBUG")) return COLLECTIONS;
    for (ssize_t n; (n = pread(STDERR_FILENO, text, sizeof text, end)) != 0; end += n) {
        REQUIRE(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            count += line_begins && text[i] == 'g'; /* "gc 7 @0.03s 1%: …" */
            line_begins = text[i] == '\n';
        }
    }
    return count;
}

static void check_accounts(aimdb_t *db, aimdb_consumer_t *callback, aimdb_consumer_t *about_latest) {
    aimdb_status_t closed = aimdb_close(db, AIMDB_FOREVER);
    REQUIRE(closed == AIMDB_OK || closed == AIMDB_TIMEOUT);
    aimdb_record_stats_t record = AIMDB_RECORD_STATS_INIT;
    OK(aimdb_record_stats(ring, &record));
    REQUIRE(record.produced == in_ring);
    aimdb_consumer_stats_t s = stats_of(callback);
    REQUIRE(s.offered == in_ring && s.delivered == called && s.delivered + s.lagged + s.abandoned == in_ring);
    s = stats_of(about_latest);
    REQUIRE(s.offered == in_latest && s.delivered == called_about_latest);
    OK(aimdb_reader_stats(shared, &s));
    REQUIRE(s.offered == in_ring && s.delivered == taken_from_shared);
    REQUIRE(s.delivered + s.lagged + s.pending == in_ring);
    OK(aimdb_record_stats(mailbox, &record));
    REQUIRE(record.produced == in_mailbox);
    REQUIRE(record.produced == record.taken + record.overwritten + record.pending + record.abandoned);
}

static int storm(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.payload_max = sizeof(value_t);
    config.capacity = 64;
    OK(aimdb_register(db, "ring", &config, &ring));
    config.buffer = AIMDB_MAILBOX;
    OK(aimdb_register(db, "mailbox", &config, &mailbox));
    config.buffer = AIMDB_LATEST;
    OK(aimdb_register(db, "latest", &config, &latest));
    aimdb_consumer_t *callback = consume(ring, on_value, NULL, NULL);
    aimdb_consumer_t *about_latest = consume(latest, on_latest, NULL, NULL);
    aimdb_reader_t *reader;
    OK(aimdb_reader_open(ring, &shared));
    OK(aimdb_reader_open(mailbox, &reader));
    OK(aimdb_start(db));

    struct sigaction prof = {.sa_handler = on_prof, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGPROF, &prof, NULL);
    struct sigaction urg = {.sa_sigaction = on_urg, .sa_flags = SA_ONSTACK | SA_RESTART | SA_SIGINFO};
    sigaction(SIGURG, NULL, &go_urg);
    sigaction(SIGURG, &urg, NULL);

    pthread_t threads[3];
    for (uintptr_t i = 0; i < LASTING; i++)
        REQUIRE(pthread_create(&producers[i], NULL, lasting_producer, (void *)i) == 0);
    REQUIRE(pthread_create(&threads[0], NULL, lasting_reader, reader) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, churn, NULL) == 0);
    REQUIRE(pthread_create(&threads[2], NULL, signaller, NULL) == 0);
    /* Through cgo the threads take turns in Go, and a cycle waits for many. */
    int cycles = door_of(db) == AIMDB_DOOR_DIRECT ? 5000 : 1500;
    for (int i = 0; i < cycles || passed < 3000 || handled < 3000; i++) cycle();
    while (collections() < COLLECTIONS) cycle();
    over = true;
    for (int i = 0; i < LASTING; i++) pthread_join(producers[i], NULL);
    pthread_join(threads[1], NULL);
    pthread_join(threads[2], NULL);
    check_accounts(db, callback, about_latest);
    pthread_join(threads[0], NULL);
    aimdb_record_stats_t record = AIMDB_RECORD_STATS_INIT;
    OK(aimdb_record_stats(mailbox, &record));
    REQUIRE(record.taken == taken_from_mailbox);
    OK(aimdb_destroy(db));
    return 0;
}

/* Fork, while threads of the parent hold locks at any moment. */

static aimdb_record_t *forked;

static void *hammer(void *argument) {
    UNUSED(argument);
    for (uint64_t n = 0; !over; n++) put(forked, n);
    return NULL;
}

static void *take(void *reader) {
    uint64_t value;
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    while (!over) aimdb_recv(reader, &value, sizeof value, &m, AIMDB_MILLISECOND);
    return NULL;
}

static int in_child(aimdb_reader_t *reader) {
    uint64_t value = 0;
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    alarm(20); /* its default action ends the child: it hung */
    for (int i = 0; i < 100; i++) {
        if (put(forked, 1) != AIMDB_ERR_FORKED) return 1;
        if (aimdb_try_recv(reader, &value, sizeof value, &m) != AIMDB_ERR_FORKED) return 2;
        if (aimdb_recv(reader, &value, sizeof value, &m, AIMDB_FOREVER) != AIMDB_ERR_FORKED) return 3;
    }
    return 0;
}

static int fork_many(void) {
    aimdb_t *db = quiet_database();
    aimdb_reader_t *reader;
    forked = add(db, "r", AIMDB_RING, 64);
    OK(aimdb_reader_open(forked, &reader));
    OK(aimdb_start(db));
    pthread_t threads[3];
    for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&threads[i], NULL, hammer, NULL) == 0);
    REQUIRE(pthread_create(&threads[2], NULL, take, reader) == 0);
    for (int i = 0; i < 150; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) _exit(in_child(reader));
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(status == 0);
        OK(put(forked, 1)); /* the parent goes on */
    }
    over = true;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    end_database(db);
    return 0;
}

/* A pointer to nothing, given to produce: the host's own handler gets the signal. */

static void *bad;

static void on_segv(int s, siginfo_t *info, void *context) {
    UNUSED(s), UNUSED(context);
    _exit(info->si_addr >= bad && (char *)info->si_addr < (char *)bad + 4096 ? 42 : 43);
}

static int bad_pointer(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 4);
    OK(aimdb_start(db));
    bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction segv = {.sa_sigaction = on_segv, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    sigaction(SIGSEGV, &segv, NULL);
    aimdb_produce(r, bad, 64);
    return 1; /* it came back */
}

/* The parts, and who runs them. */

static const struct part {
    const char *name;
    int (*run)(void);
} parts[] = {{"say_door", say_door}, {"storm", storm}, {"fork", fork_many}, {"bad_pointer", bad_pointer}};

/* Runs a part in a new process, with AIMDB_DOOR set, and gives its exit status;
 * what it writes to standard error goes to the file, unless that is NULL. */
static int run_part(const char *name, const char *door, FILE *output) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (door)
            setenv("AIMDB_DOOR", door, 1);
        else
            unsetenv("AIMDB_DOOR");
        setenv("AIMDB_COLLECT", "1", 1);
        if (output) {
            setenv("AIMDB_GODEBUG", "gctrace=1", 1);
            dup2(fileno(output), STDERR_FILENO);
        }
        alarm(110);
        execl(program, program, name, (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void the_environment_chooses_the_door_and_the_statistics_tell(void) {
    FILE *output = tmpfile();
    REQUIRE(run_part("say_door", NULL, NULL) == (int)usual);
    REQUIRE(run_part("say_door", "direct", NULL) == (int)usual);
    REQUIRE(run_part("say_door", "cgo", NULL) == AIMDB_DOOR_CGO);
    REQUIRE(run_part("say_door", "", NULL) == (int)usual);
    REQUIRE(run_part("say_door", "sideways", output) == (int)usual);
    char line[512], warned = 0;
    rewind(output);
    while (fgets(line, sizeof line, output)) warned |= strstr(line, "AIMDB_DOOR") != NULL;
    REQUIRE(warned);
    fclose(output);
}

static void storm_through(const char *door) {
    FILE *output = tmpfile();
    int status = run_part("storm", door, output);
    char line[512];
    rewind(output);
    while (status != 0 && fgets(line, sizeof line, output))
        if (strncmp(line, "gc ", 3) != 0) fputs(line, stderr);
    fclose(output);
    if (status != 0) fprintf(stderr, "the storm ended with %d (%d: it stood still)\n", status, -SIGALRM);
    REQUIRE(status == 0);
}

static void accounts_are_exact_after_a_storm_through_the_direct_door(void) { storm_through("direct"); }
static void accounts_are_exact_after_a_storm_through_cgo(void) { storm_through("cgo"); }

static void children_are_refused_at_once_through_the_direct_door(void) {
    REQUIRE(run_part("fork", "direct", NULL) == 0);
}
static void children_are_refused_at_once_through_cgo(void) { REQUIRE(run_part("fork", "cgo", NULL) == 0); }

static void a_bad_pointer_reaches_the_hosts_handler_through_the_direct_door(void) {
    REQUIRE(run_part("bad_pointer", "direct", NULL) == 42);
}
static void a_bad_pointer_reaches_the_hosts_handler_through_cgo(void) {
    REQUIRE(run_part("bad_pointer", "cgo", NULL) == 42);
}

int main(int count, char **arguments) {
    program = "/proc/self/exe";
    if (count > 1) {
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (strcmp(arguments[1], parts[i].name) == 0) return parts[i].run();
        return 126;
    }
    RUN(the_environment_chooses_the_door_and_the_statistics_tell);
    RUN(accounts_are_exact_after_a_storm_through_the_direct_door);
    RUN(accounts_are_exact_after_a_storm_through_cgo);
    RUN(children_are_refused_at_once_through_the_direct_door);
    RUN(children_are_refused_at_once_through_cgo);
    RUN(a_bad_pointer_reaches_the_hosts_handler_through_the_direct_door);
    RUN(a_bad_pointer_reaches_the_hosts_handler_through_cgo);
    return 0;
}
