// SPDX-License-Identifier: Apache-2.0
//
// Go starts at the first call. Before that the process is as it would be without
// the library; where Go can't start a status says so, and a later call tries again.

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "parts.h"

static int entries(const char *path) {
    DIR *d = opendir(path);
    int count = -3; /* ., .. and its own */
    while (readdir(d)) count++;
    closedir(d);
    return count;
}
static int descriptors(void) { return entries("/proc/self/fd"); }
static int threads(void) { return entries("/proc/self/task") + 1; }

static bool handled(int sig) {
    struct sigaction action;
    return sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

static int loading_leaves_no_trace(void) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    REQUIRE(threads() == 1);
    for (int sig = 1; sig < NSIG; sig++) REQUIRE(!handled(sig) && sigismember(&mask, sig) != 1);
    int before = descriptors();
    REQUIRE(aimdb_version()[0] && aimdb_strerror(AIMDB_OK)[0] && !aimdb_last_error()[0]);
    usleep(200000); /* nothing goes on in the background either */
    REQUIRE(threads() == 1 && descriptors() == before);
    return 0;
}

/* What is no handle is none without Go, too. */
static int made_up_handles_start_nothing(void) {
    static const uintptr_t numbers[] = {0, 1, 0x1000, 0xdeadbeef, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        aimdb_record_t *r = (aimdb_record_t *)numbers[i];
        aimdb_reader_t *reader = (aimdb_reader_t *)numbers[i];
        aimdb_message_t m = AIMDB_MESSAGE_INIT;
        char buffer[8];
        size_t count, size = 1;
        STATUS(AIMDB_ERR_HANDLE, aimdb_produce(r, "x", 1));
        STATUS(AIMDB_ERR_HANDLE, aimdb_produce_batch(r, "x", &size, 1, NULL));
        STATUS(AIMDB_ERR_EMITTER, aimdb_emit((aimdb_emitter_t *)numbers[i], r, "x", 1));
        STATUS(AIMDB_ERR_HANDLE, aimdb_try_recv(reader, buffer, sizeof buffer, &m));
        STATUS(AIMDB_ERR_HANDLE, aimdb_recv(reader, buffer, sizeof buffer, &m, AIMDB_FOREVER));
        STATUS(AIMDB_ERR_HANDLE, aimdb_recv_batch(reader, buffer, sizeof buffer, &m, 1, &count, 0));
        STATUS(AIMDB_ERR_HANDLE, aimdb_peek(r, buffer, sizeof buffer, &m));
    }
    REQUIRE(threads() == 1);
    STATUS(AIMDB_ERR_HANDLE, aimdb_start((aimdb_t *)numbers[3]));
    return 0;
}

static void *create_one(void *barrier) {
    pthread_barrier_wait(barrier);
    live_once();
    return NULL;
}

static int many_threads_make_the_first_call_at_once(void) {
    pthread_t t[16];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 16);
    for (int i = 0; i < 16; i++) REQUIRE(pthread_create(&t[i], NULL, create_one, &barrier) == 0);
    for (int i = 0; i < 16; i++) pthread_join(t[i], NULL);
    return 0;
}

/* Go collects all the time, and once the heap has shrunk a lot. */
static int no_descriptor_is_opened(void) {
    enum { MANY = 3000 };
    setenv("AIMDB_COLLECT", "100000", 1);
    int before = descriptors();
    for (int round = 0; round < 3; round++) {
        aimdb_t *db = quiet_database();
        for (int i = 0; i < MANY; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            add(db, key, AIMDB_LATEST, 1);
        }
        OK(aimdb_destroy(db));
        for (int i = 0; i < 300; i++) live_once();
        REQUIRE(descriptors() == before);
    }
    usleep(300000);
    REQUIRE(descriptors() == before);
    return 0;
}

static int limits_of_descriptors_stay(void) {
    struct rlimit before, after;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0 && before.rlim_max > 200);
    before.rlim_cur = 200;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    live_once();
    REQUIRE(getrlimit(RLIMIT_NOFILE, &after) == 0 && after.rlim_cur == 200);
    return 0;
}

/* The host's variables for its own Go are no concern of the library's. */
static int variables_of_go_have_no_effect(void) {
    if (!getenv("GODEBUG")) {
        setenv("GODEBUG", "inittrace=1,gctrace=1", 1);
        setenv("GOMAXPROCS", "64", 1);
        dup2(fileno(tmpfile()), STDERR_FILENO);
        execl("/proc/self/exe", "startup", __func__, (char *)NULL);
        return 127;
    }
    live_once();
    return lseek(STDERR_FILENO, 0, SEEK_END) != 0;
}

static int no_descriptor_free_is_no_matter(void) {
    while (open("/dev/null", O_RDONLY) >= 0) {
    }
    live_once();
    return 0;
}

/* Root is under no limit. */
static bool become_limited(void) { return getuid() != 0 || setresuid(65533, 65533, 65533) == 0; }

static int without_threads_the_first_call_says_so_and_a_later_one_works(void) {
    if (!become_limited()) return puts("  skipped: can't become another user"), SKIP;
    struct rlimit before, none;
    getrlimit(RLIMIT_NPROC, &before);
    none = before;
    none.rlim_cur = 1;
    setrlimit(RLIMIT_NPROC, &none);
    aimdb_t *db;
    for (int i = 0; i < 3; i++) {
        STATUS(AIMDB_ERR_NO_THREADS, aimdb_create(NULL, &db));
        REQUIRE(strstr(aimdb_last_error(), "threads"));
    }
    pid_t child = fork(); /* nothing has begun: the child is not refused for what failed */
    REQUIRE(child < 0 || (child == 0 ? (_exit(aimdb_create(NULL, &db) != AIMDB_ERR_NO_THREADS), 1) : 1));
    setrlimit(RLIMIT_NPROC, &before);
    live_once();
    return 0;
}

static pthread_barrier_t limit_met;
static void *call_in(void *unused) {
    UNUSED(unused);
    pthread_barrier_wait(&limit_met);
    for (int i = 0; i < 1000; i++) {
        aimdb_t *db = quiet_database();
        for (char key[] = "a"; *key < 'u'; ++*key) add(db, key, AIMDB_RING, 4);
        OK(aimdb_start(db));
        end_database(db);
    }
    return NULL;
}

/* The library has been used little when the system gives no more threads; then
 * others make their first call, and much is to be collected. */
static int a_thread_limit_met_later_ends_nothing(void) {
    enum { MANY = 4 };
    if (!become_limited()) return puts("  skipped: can't become another user"), SKIP;
    OK(aimdb_destroy(quiet_database()));
    pthread_t t[MANY];
    pthread_barrier_init(&limit_met, NULL, MANY + 1);
    for (int i = 0; i < MANY; i++) REQUIRE(pthread_create(&t[i], NULL, call_in, NULL) == 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NPROC, &limit);
    limit.rlim_cur = 1;
    setrlimit(RLIMIT_NPROC, &limit);
    pthread_barrier_wait(&limit_met);
    for (int i = 0; i < MANY; i++) pthread_join(t[i], NULL);
    return 0;
}

static int without_address_space_the_first_call_says_so(void) {
    if (sizeof(void *) < 8) return puts("  skipped: there is never much"), SKIP;
    struct rlimit before, little;
    getrlimit(RLIMIT_AS, &before);
    little = before;
    little.rlim_cur = 512 << 20;
    setrlimit(RLIMIT_AS, &little);
    aimdb_t *db;
    STATUS(AIMDB_ERR_NO_MEMORY, aimdb_create(NULL, &db));
    setrlimit(RLIMIT_AS, &before);
    live_once();
    return 0;
}

static long resident(void) { /* KiB */
    long pages = 0, all;
    FILE *f = fopen("/proc/self/statm", "r");
    REQUIRE(f && fscanf(f, "%ld %ld", &all, &pages) == 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A record, a callback and its emitter take what they use, not their tables. */
static int memory_that_is_locked_is_little(void) {
    enum { LIMIT = 4096, STACK = 1024 };
    OK(aimdb_destroy(quiet_database()));
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return puts("  skipped: memory can't be locked"), SKIP;
    long before = resident();
    _Atomic int seen = 0;
    aimdb_t *db = quiet_database();
    aimdb_record_t *r = add(db, "r", AIMDB_RING, 64);
    consume(r, count_value, &seen, NULL);
    OK(aimdb_start(db));
    OK(put(r, 1));
    AWAIT(seen);
    long more = resident() - before;
    if (more > LIMIT + STACK) fprintf(stderr, "%ld KiB\n", more);
    REQUIRE(more <= LIMIT + STACK);
    end_database(db);
    return 0;
}

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(loading_leaves_no_trace, 0),
        PART(made_up_handles_start_nothing, 0),
        PART(many_threads_make_the_first_call_at_once, 0),
        PART(no_descriptor_is_opened, 0),
        PART(no_descriptor_free_is_no_matter, 0),
        PART(limits_of_descriptors_stay, 0),
        PART(variables_of_go_have_no_effect, 0),
        PART(without_threads_the_first_call_says_so_and_a_later_one_works, 0),
        PART(a_thread_limit_met_later_ends_nothing, 0),
        PART(without_address_space_the_first_call_says_so, 0),
        PART(memory_that_is_locked_is_little, 0),
    };
    return RUN_PARTS(argc, argv, parts);
}
