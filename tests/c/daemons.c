// SPDX-License-Identifier: Apache-2.0
//
// What daemons do: they fork before the first call, close the descriptors that
// they know nothing of, and fork again in callbacks.

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "parts.h"

static int daemon_then_the_first_call(void) {
    int result[2];
    REQUIRE(pipe(result) == 0);
    if (fork() == 0) {
        REQUIRE(daemon(1, 1) == 0);
        live_once();
        _exit(write(result[1], "x", 1) != 1);
    }
    char x;
    close(result[1]);
    REQUIRE(read(result[0], &x, 1) == 1);
    return 0;
}

static int await_child(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    return status;
}

/* Each process has a Go of its own; only children forked after it are refused. */
static int fork_before_the_first_call(void) {
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            live_once();
            pid_t grandchild = fork();
            aimdb_t *db;
            if (grandchild == 0) _exit(aimdb_create(NULL, &db) != AIMDB_ERR_FORKED);
            _exit(await_child(grandchild) != 0);
        }
    }
    live_once();
    for (int i = 0; i < 4; i++) REQUIRE(await_child(children[i]) == 0);
    return 0;
}

static pthread_barrier_t barrier;
static void *first_call(void *unused) {
    UNUSED(unused);
    pthread_barrier_wait(&barrier);
    live_once();
    return NULL;
}

/* However far the start has come, a child of the moment works, or is refused. */
static int fork_beside_the_first_call(void) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, first_call, NULL) == 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            aimdb_t *db;
            alarm(60);
            aimdb_status_t status = aimdb_create(NULL, &db);
            _exit(status != AIMDB_OK && status != AIMDB_ERR_FORKED);
        }
        REQUIRE(await_child(child) == 0);
    }
    pthread_join(thread, NULL);
    return 0;
}

static void close_all(void) {
    for (int fd = 3; fd < 256; fd++) close(fd);
}

static int closefrom_before_the_first_call(void) {
    close_all();
    for (int i = 0; i < 100; i++) live_once();
    return 0;
}

/* The program's own epoll gets the number that one of Go's would have had. */
static int closefrom_after_the_first_call(void) {
    setenv("AIMDB_COLLECT", "10000", 1);
    aimdb_t *db = quiet_database();
    live_once();
    close_all();
    int fd;
    do fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd < 4);
    int poller = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(timer, 0, &often, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1234};
    REQUIRE(epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event) == 0);
    for (int n = 0; n < 1000; n++) {
        uint64_t ticks;
        REQUIRE(epoll_wait(poller, &event, 1, -1) == 1 && event.data.u64 == 0x1234);
        REQUIRE(read(timer, &ticks, sizeof ticks) == sizeof ticks);
        live_once();
    }
    OK(aimdb_destroy(db));
    return 0;
}

/* Fork in callbacks. What the child of each says is written to a pipe. */
static int from_child[2];
static _Atomic pid_t child;
static pid_t parent;

static void say(char what) { REQUIRE(write(from_child[1], &what, 1) == 1); }

static void fork_here(void) {
    pid_t forked = fork();
    if (forked) child = forked;
}

static void begin(void) {
    parent = getpid();
    REQUIRE(pipe(from_child) == 0);
    close(STDERR_FILENO);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
}

/* The child has ended with this status, and said this. */
static int check(int status, const char *said) {
    AWAIT(child != 0);
    int got = await_child(child);
    close(from_child[1]);
    char text[16] = "";
    REQUIRE(read(from_child[0], text, sizeof text - 1) >= 0);
    return got == status && strcmp(text, said) == 0 ? 0 : 1;
}

static int fork_at_first(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(user);
    if (number_in(m) == 1) fork_here();
    if (getpid() != parent) say('c');
    return 0;
}

static aimdb_status_t life_with(aimdb_consumer_fn fn, aimdb_free_fn free_user, aimdb_dispatch_t dispatch) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = fn, config.free = free_user, config.dispatch = dispatch;
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    OK(aimdb_subscribe(r, &config, NULL));
    OK(aimdb_start(db));
    for (uint64_t n = 1; n <= 5; n++) OK(put(r, n));
    return aimdb_close(db, AIMDB_FOREVER);
}

static int a_child_forked_in_a_consumer_delivers_nothing_more(void) {
    begin();
    OK(life_with(fork_at_first, NULL, AIMDB_DEDICATED));
    return check(1 << 8, "c");
}

static int a_child_forked_in_a_shared_consumer_delivers_nothing_more(void) {
    begin();
    OK(life_with(fork_at_first, NULL, AIMDB_SHARED));
    return check(1 << 8, "c");
}

static int nothing(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(user);
    return 0;
}

static void fork_in_free(void *user) {
    UNUSED(user);
    fork_here();
    if (getpid() != parent) say('f');
}

static int a_child_forked_in_a_free_function_ends(void) {
    begin();
    OK(life_with(nothing, fork_in_free, AIMDB_DEDICATED));
    return check(1 << 8, "f");
}

static void fork_in_log(aimdb_log_level_t level, const char *text, void *user) {
    UNUSED(level), UNUSED(text), UNUSED(user);
    if (child) return;
    fork_here();
    if (getpid() != parent) say('l');
}

static int a_child_forked_in_a_log_function_ends(void) {
    begin();
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log = fork_in_log, config.log_level = AIMDB_LOG_DEBUG;
    aimdb_t *db;
    OK(aimdb_create(&config, &db));
    OK(aimdb_start(db));
    OK(aimdb_close(db, 0));
    return check(1 << 8, "l");
}

static int fork_in_producer(aimdb_emitter_t *e, const aimdb_message_t *m, aimdb_draft_t *d, void *user) {
    UNUSED(e), UNUSED(m), UNUSED(d), UNUSED(user);
    fork_here();
    return AIMDB_ACCEPT;
}

static int a_child_forked_in_a_producer_function_is_refused(void) {
    begin();
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
    config.fn = fork_in_producer;
    OK(aimdb_set_producer(r, &config));
    OK(aimdb_start(db));
    aimdb_status_t status = put(r, 1);
    if (getpid() != parent) {
        if (status == AIMDB_ERR_FORKED && put(r, 2) == AIMDB_ERR_FORKED) say('p');
        _exit(7);
    }
    OK(status);
    return check(7 << 8, "p");
}

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(daemon_then_the_first_call, 0),
        PART(fork_before_the_first_call, 0),
        PART(fork_beside_the_first_call, 0),
        PART(closefrom_before_the_first_call, 0),
        PART(closefrom_after_the_first_call, 0),
        PART(a_child_forked_in_a_consumer_delivers_nothing_more, 0),
        PART(a_child_forked_in_a_shared_consumer_delivers_nothing_more, 0),
        PART(a_child_forked_in_a_free_function_ends, 0),
        PART(a_child_forked_in_a_log_function_ends, 0),
        PART(a_child_forked_in_a_producer_function_is_refused, 0),
    };
    return RUN_PARTS(argc, argv, parts);
}
