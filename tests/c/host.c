// SPDX-License-Identifier: Apache-2.0
//
// What the library does to the process that loads it: exit, fork, signals,
// limits. Run with an argument it plays one part in a process of its own.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "test.h"

static const char *program;

static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return 0;
}

/* A database with a consumer; lifecycle calls make garbage for Go's collector. */
static aimdb_record_t *running_record(aimdb_t **db) {
    *db = quiet_database();
    aimdb_record_t *r = add(*db, "r", AIMDB_RING, 64);
    consume(r, nothing, NULL, NULL);
    OK(aimdb_start(*db));
    return r;
}

/* Parts: each returns its exit status. */

static int exit_without_close(void) {
    aimdb_t *db;
    aimdb_record_t *r = running_record(&db);
    for (uint64_t n = 0; n < 1000; n++) OK(put(r, n));
    return 0;
}

static int exit_after_destroy(void) {
    aimdb_t *db;
    running_record(&db);
    end_database(db);
    return 0;
}

static void on_segv(int s) {
    UNUSED(s);
    _exit(42);
}

static void set_handler(int sig, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(sig, &action, NULL);
}

static volatile int *volatile nowhere;

static int touch(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return *nowhere;
}

static int segv_in_callback(void) {
    set_handler(SIGSEGV, on_segv, SA_ONSTACK);
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    consume(r, touch, NULL, NULL);
    OK(aimdb_start(db));
    OK(put(r, 1));
    while (pause()) {
    }
    return 0;
}

static int segv_in_host(void) {
    aimdb_t *db;
    running_record(&db);
    set_handler(SIGSEGV, on_segv, SA_ONSTACK);
    return *nowhere;
}

static int segv_by_a_bad_pointer_to_produce(void) {
    set_handler(SIGSEGV, on_segv, SA_ONSTACK);
    aimdb_t *db;
    aimdb_record_t *r = running_record(&db);
    aimdb_produce(r, (const void *)16, 64);
    return 1;
}

static int sigint_ends_the_process(void) {
    aimdb_t *db;
    running_record(&db);
    kill(getpid(), SIGINT);
    while (pause()) {
    }
    return 0;
}

static volatile sig_atomic_t alarms, profiles;
static void on_alarm(int s) {
    UNUSED(s);
    volatile char stack[16384]; /* more than a Go stack may have left */
    for (size_t i = 0; i < sizeof stack; i += 512) stack[i] = 1;
    alarms++;
}
static void on_profile(int s) {
    UNUSED(s);
    profiles++;
}

/* A handler set by plain signal(), without SA_ONSTACK, at 2 kHz, while Go
 * collects garbage all the time (AIMDB_COLLECT) and threads go in and out of Go. */
static int sigalrm_without_onstack(void) {
    signal(SIGALRM, on_alarm);
    set_handler(SIGPROF, on_profile, SA_ONSTACK | SA_RESTART);
    struct itimerval often = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &often, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    while (alarms < 4000) {
        aimdb_t *db;
        aimdb_record_t *r = running_record(&db);
        for (uint64_t n = 0; n < 200; n++) OK(put(r, n));
        end_database(db);
    }
    REQUIRE(profiles > 0);
    return 0;
}

static bool is_poller(const char *fd) {
    char path[300], file[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%s", fd);
    return readlink(path, file, sizeof file - 1) > 0 && strcmp(file, "anon_inode:[eventpoll]") == 0;
}

/* Threads come and go, which is memory that Go gives back, and Go collects. */
static int go_opens_no_poller(void) {
    for (int round = 0; round < 40; round++) {
        aimdb_t *db;
        aimdb_record_t *r = running_record(&db);
        aimdb_consumer_t *consumers[100];
        aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
        config.fn = nothing;
        for (int i = 0; i < 100; i++) OK(aimdb_subscribe(r, &config, &consumers[i]));
        for (int i = 0; i < round % 2 * 100; i++) OK(aimdb_unsubscribe(consumers[i], NULL));
        end_database(db);
        DIR *all = opendir("/proc/self/fd");
        for (struct dirent *one; (one = readdir(all));) REQUIRE(!is_poller(one->d_name));
        closedir(all);
    }
    return 0;
}

static const struct part {
    const char *name;
    int (*run)(void);
    int status; /* as waitpid gives it */
} parts[] = {
    {"exit_without_close", exit_without_close, 0},
    {"exit_after_destroy", exit_after_destroy, 0},
    {"segv_in_callback_reaches_the_host", segv_in_callback, 42 << 8},
    {"segv_in_host_reaches_the_host", segv_in_host, 42 << 8},
    {"segv_by_a_bad_pointer_to_produce", segv_by_a_bad_pointer_to_produce, 42 << 8},
    {"sigint_ends_the_process", sigint_ends_the_process, SIGINT},
    {"sigalrm_without_onstack", sigalrm_without_onstack, 0},
    {"go_opens_no_poller", go_opens_no_poller, 0},
};

static void run_part(const struct part *part) {
    printf("%s\n", part->name);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { /* a forked child can't use the library: a new program can */
        setenv("AIMDB_COLLECT", "1", 1);
        execl(program, program, part->name, (char *)NULL);
        _exit(127);
    }
    int status;
    alarm(60);
    waitpid(child, &status, 0);
    alarm(0);
    if (status != part->status) {
        fprintf(stderr, "%s: wait status %#x, not %#x\n", part->name, status, part->status);
        abort();
    }
}

/* Fork. */

static int answer_of_each_function(void) {
    aimdb_t *db = NULL;
    aimdb_record_t *r = NULL;
    aimdb_reader_t *reader = NULL;
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    uint64_t buffer;
    size_t count;
    int fd;
    const aimdb_status_t answers[] = {
        aimdb_create(NULL, &db), aimdb_start(db), aimdb_close(db, 0), aimdb_destroy(db),
        aimdb_register(db, "k", NULL, &r), aimdb_open(db, "k", NULL, 8, &r),
        aimdb_record_info(r, NULL), aimdb_set_producer(r, NULL), aimdb_produce(r, NULL, 0),
        aimdb_emit(NULL, r, NULL, 0), aimdb_subscribe(r, NULL, NULL), aimdb_unsubscribe(NULL, NULL),
        aimdb_reader_open(r, &reader), aimdb_reader_close(reader, NULL),
        aimdb_try_recv(reader, &buffer, 8, &m), aimdb_recv(reader, &buffer, 8, &m, AIMDB_FOREVER),
        aimdb_recv_batch(reader, &buffer, 8, &m, 1, &count, AIMDB_FOREVER),
        aimdb_reader_fd(reader, &fd), aimdb_peek(r, &buffer, 8, &m), aimdb_database_stats(db, NULL),
        aimdb_record_stats(r, NULL), aimdb_consumer_stats(NULL, NULL), aimdb_reader_stats(reader, NULL)};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i] != AIMDB_ERR_FORKED) return 1;
    return !strstr(aimdb_last_error(), "fork") || !aimdb_version()[0];
}

static _Atomic bool over;
static aimdb_record_t *forked_record;

static void *hammer(void *argument) {
    UNUSED(argument);
    while (!over) put(forked_record, 1);
    return NULL;
}

static void a_child_is_refused_and_never_hangs_while_the_parent_produces(void) {
    aimdb_t *db;
    forked_record = running_record(&db);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, hammer, NULL) == 0);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) _exit(answer_of_each_function());
        int status;
        REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    }
    over = true;
    pthread_join(thread, NULL);
    OK(put(forked_record, 2));
    end_database(db);
}

/* Marks that loading leaves. */

static rlim_t files_before;
static sigset_t mask_before;
__attribute__((constructor(101))) static void remember(void) {
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    files_before = r.rlim_cur;
    pthread_sigmask(SIG_BLOCK, NULL, &mask_before);
}

static void loading_leaves_limits_and_the_signal_mask_as_they_were(void) {
    aimdb_t *db = quiet_database(); /* Go is initialised by now */
    struct rlimit r;
    sigset_t mask;
    getrlimit(RLIMIT_NOFILE, &r);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    REQUIRE(r.rlim_cur == files_before);
    REQUIRE(sigismember(&mask, SIGINT) == 0 && sigismember(&mask, SIGALRM) == 0);
    OK(aimdb_destroy(db));
}

int main(int argc, char **argv) {
    program = argv[0];
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(argv[1], parts[i].name)) return parts[i].run();
    RUN(loading_leaves_limits_and_the_signal_mask_as_they_were);
    RUN(a_child_is_refused_and_never_hangs_while_the_parent_produces);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) run_part(&parts[i]);
    return 0;
}
