// SPDX-License-Identifier: Apache-2.0
//
// The program's signals are its own: those it waits for reach it and no thread of
// the library's, its handlers run on its own stacks, its masks stay.

#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#include "parts.h"

static const int asynchronous[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2, SIGPIPE,  SIGALRM,   SIGTERM,
                                   SIGCHLD, SIGCONT, SIGURG,  SIGSTKFLT, SIGPROF, SIGVTALRM, SIGWINCH, SIGIO};
enum { ASYNCHRONOUS = sizeof asynchronous / sizeof *asynchronous };

/* The mask of another thread; false if it has ended. */
static bool mask_of(const char *tid, unsigned long long *blocked) {
    char path[300], line[256];
    bool read = false;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    while (fgets(line, sizeof line, f)) read = sscanf(line, "SigBlk: %llx", blocked) == 1 || read;
    fclose(f);
    return read;
}

static int nap(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    usleep(1000);
    return 0;
}

static int threads_of_the_library_block_all_asynchronous_signals(void) {
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    aimdb_consumer_config_t shared = AIMDB_CONSUMER_CONFIG_INIT;
    shared.fn = nap, shared.dispatch = AIMDB_SHARED;
    consume(r, nap, NULL, NULL);
    OK(aimdb_subscribe(r, &shared, NULL));
    OK(aimdb_start(db));
    for (int round = 0; round < 20; round++) {
        OK(put(r, 1));
        DIR *tasks = opendir("/proc/self/task");
        int seen = 0;
        for (struct dirent *entry; (entry = readdir(tasks));) {
            unsigned long long blocked;
            if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid()) continue;
            if (!mask_of(entry->d_name, &blocked)) continue;
            seen++;
            for (int i = 0; i < ASYNCHRONOUS; i++) REQUIRE(blocked >> (asynchronous[i] - 1) & 1);
            for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) REQUIRE(blocked >> (sig - 1) & 1);
        }
        closedir(tasks);
        REQUIRE(seen >= 6);
    }
    end_database(db);
    return 0;
}

static int no_handler_is_installed_but_for_faults(void) {
    live_once();
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction action;
        if (sigaction(sig, NULL, &action) != 0 || sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE) continue;
        REQUIRE(action.sa_handler == SIG_DFL);
    }
    return 0;
}

/* A timer's signal, blocked in all of the program's threads, and taken by
 * sigwaitinfo: on another thread it would end the process. */
static int a_real_time_signal_reaches_who_waits_for_it(void) {
    sigset_t tick;
    sigemptyset(&tick);
    sigaddset(&tick, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &tick, NULL);
    live_once();
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec often = {{0, 500000}, {0, 500000}};
    timer_settime(timer, 0, &often, NULL);
    for (int n = 0; n < 300; n++) {
        siginfo_t info;
        live_once(); /* the next tick comes meanwhile */
        REQUIRE(sigwaitinfo(&tick, &info) == SIGRTMIN);
    }
    return 0;
}

static int signalfd_sees_every_child(void) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &children, NULL);
    int fd = signalfd(-1, &children, SFD_CLOEXEC);
    aimdb_t *db = quiet_database();
    for (int n = 0; n < 100; n++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        struct signalfd_siginfo info;
        REQUIRE(read(fd, &info, sizeof info) == sizeof info && (pid_t)info.ssi_pid == child);
        waitpid(child, NULL, 0);
    }
    OK(aimdb_destroy(db));
    return 0;
}

static volatile sig_atomic_t hits;
static void on_signal(int sig) {
    UNUSED(sig);
    hits++;
}

static pthread_t program;
static uintptr_t lowest, highest; /* of its stack */
static volatile sig_atomic_t elsewhere;
static void on_signal_on_the_programs_stack(int sig) {
    UNUSED(sig);
    uintptr_t here = (uintptr_t)&sig;
    if (!pthread_equal(pthread_self(), program) || here < lowest || here > highest) elsewhere++;
    hits++;
}

/* As libuv has it: SIGCHLD is open during ppoll only. */
static int ppoll_sees_every_child(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    sigset_t children, open;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &children, &open);
    aimdb_t *db = quiet_database();
    for (int n = 0; n < 100; n++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        siginfo_t ended;
        waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
        REQUIRE(ppoll(NULL, 0, NULL, &open) == -1 && errno == EINTR && hits == n + 1);
        waitpid(child, NULL, 0);
    }
    OK(aimdb_destroy(db));
    return 0;
}

static const int own[] = {SIGPROF, SIGURG, SIGCHLD, SIGUSR1, SIGALRM};

static _Atomic bool over;
static void *storm(void *unused) {
    UNUSED(unused);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (unsigned n = 0; !over; n++) {
        pthread_kill(program, own[n % 5]);
        if (n % 8 == 0) kill(getpid(), own[n % 5]);
        usleep(1);
    }
    return NULL;
}

/* Handlers set without SA_ONSTACK: on one of Go's stacks they would overflow it. */
static int handlers_run_on_the_programs_own_stack(void) {
    pthread_attr_t attributes;
    void *stack;
    size_t size;
    program = pthread_self();
    pthread_getattr_np(program, &attributes);
    pthread_attr_getstack(&attributes, &stack, &size);
    lowest = (uintptr_t)stack, highest = lowest + size;
    struct sigaction action = {.sa_handler = on_signal_on_the_programs_stack, .sa_flags = SA_RESTART};
    for (int i = 0; i < 5; i++) sigaction(own[i], &action, NULL);
    setenv("AIMDB_COLLECT", "10000", 1);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, storm, NULL) == 0);
    while (hits < 10000 && !elsewhere) {
        live_once();
        aimdb_t *db = quiet_database();
        aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
        for (int i = 0; i < 50; i++) OK(aimdb_database_stats(db, &stats));
        OK(aimdb_destroy(db));
    }
    over = true;
    pthread_join(thread, NULL);
    REQUIRE(!elsewhere);
    return 0;
}

static void same_mask(const sigset_t *want) {
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    for (int sig = 1; sig < NSIG; sig++) REQUIRE(sigismember(&now, sig) == sigismember(want, sig));
}

static void *calls_keep_the_mask_of_a_thread(void *unused) {
    UNUSED(unused);
    sigset_t mask;
    sigemptyset(&mask);
    for (int sig = 1; sig < NSIG; sig++)
        if (rand() % 2) sigaddset(&mask, sig);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &mask); /* as it is */
    aimdb_t *db = quiet_database();
    same_mask(&mask);
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 8);
    same_mask(&mask);
    consume(r, nap, NULL, NULL);
    OK(aimdb_start(db));
    OK(put(r, 1));
    same_mask(&mask);
    STATUS(AIMDB_ERR_NOT_FOUND, aimdb_open(db, "none", NULL, AIMDB_ANY_SIZE, &r));
    end_database(db);
    same_mask(&mask);
    return NULL;
}

/* The first thread starts Go, each is new to it. */
static int calls_keep_the_mask(void) {
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, calls_keep_the_mask_of_a_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    return 0;
}

static void close_with_values_left(void) {
    aimdb_t *db;
    aimdb_record_t *r;
    OK(aimdb_create(NULL, &db));
    OK(aimdb_register(db, "r", NULL, &r));
    consume(r, nap, NULL, NULL);
    OK(aimdb_start(db));
    for (uint64_t n = 0; n < 100; n++) OK(put(r, n));
    aimdb_status_t status = aimdb_close(db, 0);
    REQUIRE(status == AIMDB_TIMEOUT || status == AIMDB_BLOCKED); /* and it has said so */
    OK(aimdb_destroy(db));
}

/* Nobody reads standard error any more. */
static int a_log_line_raises_no_sigpipe(void) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]), close(ends[1]);
    close_with_values_left();
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    close_with_values_left();
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}

static int a_write_of_the_programs_raises_sigpipe(void) {
    live_once();
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    close(ends[0]);
    return write(ends[1], "x", 1) == 1;
}

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(threads_of_the_library_block_all_asynchronous_signals, 0),
        PART(no_handler_is_installed_but_for_faults, 0),
        PART(a_real_time_signal_reaches_who_waits_for_it, 0),
        PART(signalfd_sees_every_child, 0),
        PART(ppoll_sees_every_child, 0),
        PART(handlers_run_on_the_programs_own_stack, 0),
        PART(calls_keep_the_mask, 0),
        PART(a_log_line_raises_no_sigpipe, 0),
        PART(a_write_of_the_programs_raises_sigpipe, SIGPIPE),
    };
    return RUN_PARTS(argc, argv, parts);
}
