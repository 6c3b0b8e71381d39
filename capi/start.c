// SPDX-License-Identifier: Apache-2.0

/* Starting Go. Loading the library runs nothing: Go starts at the first call that
 * needs it, once in a process. What it would change in its host is prevented
 * here, or undone. */

#define _GNU_SOURCE
#include <elf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "_cgo_export.h"
#include "go.h"
#include "side.h"

_Atomic bool side_go_runs;

/* Arguments, environment and auxiliary vector as the kernel would lay them out:
 * Go keeps the pointers. Nothing is the host's: its arguments and environment may
 * move and change, and what it says in GODEBUG it says to itself, if it is Go.
 *   asyncpreemptoff: Go sends no SIGURG. No loop of the library's Go code lasts:
 *     each calls functions, or is bounded by a count of callbacks, records or
 *     processors; so a collection never waits for one.
 *   containermaxprocs, updatemaxprocs: Go keeps no descriptor of a cgroup, and
 *     sets no timer to read it.
 *   GOGC=off: capi/runtime.go says when to collect.
 * For tests AIMDB_COLLECT says after about how many bytes, and AIMDB_GODEBUG what else is
 * to be in GODEBUG. */
enum { TAGS = 7, AT_THE_END = 4 };
static union {
    const char *text;
    uintptr_t word;
} block[5 + AT_THE_END + 2 * TAGS + 2];
static char debug[256];
static char processors[] = "GOMAXPROCS=4";
static uint64_t seed[2];

/* On how many processors Go is to run at once. */
static int count_processors(void) {
    enum { MOST = 4 };
    unsigned char mask[8192]; /* as many as Linux has: 65,536 */
    int count = 0;
    long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (long i = 0; i < size; i++) count += __builtin_popcount(mask[i]);
    return count < 1 ? 1 : count > MOST ? MOST : count;
}

/* Go wipes the kernel's 16 random bytes, so it gets others. */
static uintptr_t random_bytes(uintptr_t kernels) {
    if (syscall(SYS_getrandom, seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
        return (uintptr_t)seed;
    if (kernels) memcpy(seed, (const void *)kernels, sizeof seed);
    seed[0] ^= (uint64_t)side_now();
    return (uintptr_t)seed;
}

static char **fill_block(int count) {
    static const unsigned long tags[TAGS] = {AT_PAGESZ, AT_SECURE,   AT_HWCAP,       AT_HWCAP2,
                                             AT_RANDOM, AT_PLATFORM, AT_SYSINFO_EHDR};
    processors[sizeof processors - 2] = (char)('0' + count);
    size_t at = 0;
    block[at++].text = "aimdb";
    block[at++].text = NULL;
    const char *more = secure_getenv("AIMDB_GODEBUG");
    snprintf(debug, sizeof debug, "GODEBUG=%s,%s",
             "asyncpreemptoff=1,containermaxprocs=0,updatemaxprocs=0", more ? more : "");
    block[at++].text = debug;
    block[at++].text = "GOGC=off";
    block[at++].text = processors;
    block[at++].text = NULL;
    for (int i = 0; i < TAGS; i++) {
        uintptr_t value = getauxval(tags[i]);
        if (tags[i] == AT_RANDOM) value = random_bytes(value);
        if (!value && tags[i] != AT_SECURE) continue;
        block[at++].word = tags[i];
        block[at++].word = value;
    }
    block[at++].word = AT_NULL;
    block[at].word = 0;
    return (char **)block;
}

/* Go is to leave alone all signals but those that it makes panics of (and those
 * of the C library, whose handlers are to run on a stack that is large enough):
 * then it installs no handler for the others, and opens them on no thread. */
static void tame_signals(void) {
    static const struct {
        int signal;
        const char *name;
    } known[] = {{1, "SIGHUP:"},  {7, "SIGBUS:"},  {11, "SIGSEGV:"}, {13, "SIGPIPE:"}, {17, "SIGCHLD:"},
                 {23, "SIGURG:"}, {27, "SIGPROF:"}, {32, "signal 32"}, {33, "signal 33"}, {64, "signal 64"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) { /* an unknown table stays */
        const struct go_signal *s = &aimdb__go_signals[known[i].signal];
        size_t length = strlen(known[i].name);
        if (s->length < (intptr_t)length || memcmp(s->name, known[i].name, length) != 0) return;
    }
    for (int i = 0; i < GO_SIGNALS; i++)
        if (i != SIGSEGV && i != SIGBUS && i != SIGFPE && i != 32 && i != 33) aimdb__go_signals[i].flags = 0;
}

/* Go's scavenger sleeps on a timer between two bits of memory that it gives back, and
 * Go's first timer opens its poller: two descriptors, of which a host that closes all
 * it does not know ends the process. It begins when it is woken, and who wakes it
 * looks whether it is parked: told that it is not, it stays asleep for ever. What it
 * would do collections do at once (capi/runtime.go). One that looks otherwise than
 * known is left alone. */
static void keep_scavenger_asleep(void) {
    static const struct timespec a_while = {.tv_nsec = AIMDB_MILLISECOND / 10};
    struct go_scavenger *s = &aimdb__go_scavenger;
    for (int i = 0; i < 10000; i++) { /* it is on its way to its first sleep */
        if (__atomic_load_n(&s->parked, __ATOMIC_ACQUIRE) == 1 &&
            __atomic_load_n(&s->lock, __ATOMIC_ACQUIRE) == 0) {
            if (s->goroutine && s->timer && s->wanted == 0) __atomic_store_n(&s->parked, 0, __ATOMIC_RELEASE);
            return;
        }
        nanosleep(&a_while, NULL);
    }
}

static bool cgo_door(void) {
    const char *choice = secure_getenv("AIMDB_DOOR");
    if (!choice || !*choice || strcmp(choice, "direct") == 0) return false;
    if (strcmp(choice, "cgo") == 0) return true;
    char line[128];
    snprintf(line, sizeof line, "AIMDB_DOOR is neither cgo nor direct but %s", choice);
    side_to_stderr(AIMDB_LOG_WARNING, line);
    return false;
}

static bool no_time_slices(void) {
    const char *choice = secure_getenv("AIMDB_TIME_SLICE");
    return choice && strcmp(choice, "off") == 0;
}

/* Go raises the soft limit of descriptors to the hard one when it starts. */
static void enter_go(int processor_count) {
    struct rlimit files, raised;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0;
    tame_signals();
    side_before_go();
    aimdb__go_entry(1, fill_block(processor_count));
    const char *collect = secure_getenv("AIMDB_COLLECT");
    goBegin(cgo_door(), collect ? strtoull(collect, NULL, 10) : 0); /* waits until Go is there */
    keep_scavenger_asleep();
    if (known && getrlimit(RLIMIT_NOFILE, &raised) == 0 && raised.rlim_cur != files.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &files);
}

/* Fork guard: a page that the kernel wipes in the child, and, where that says it
 * does and does not (emulators), an atfork handler that says the same. It is armed
 * when Go starts: children forked before that start their own. */
static int unguarded = 1;
int *side_parent = &unguarded;
static _Atomic bool armed;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static void in_child(void) {
    if (armed)
        *side_parent = 0;
    else /* another thread of the parent may have been about to */
        starting = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

void side_refuse_child(void) {
    side_to_stderr(AIMDB_LOG_ERROR, "a forked child has returned from the callback it was forked in: it ends");
    _exit(1);
}

static void arm_fork_guard(void) {
    static int *page;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    if (!page) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at != MAP_FAILED && madvise(at, size, MADV_WIPEONFORK) == 0) page = at;
    }
    if (page) *page = 1, side_parent = page;
    armed = true;
}

static void disarm_fork_guard(void) {
    side_parent = &unguarded;
    armed = false;
}

/* Whether Go can have the address space that it takes at once: it would end the
 * process. */
static bool space_to_be_had(void) {
    size_t size = (size_t)(sizeof(void *) > 4 ? 1300 : 128) << 20 /* tried out */;
    void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at != MAP_FAILED && munmap(at, size) == 0;
}

enum { GO_ALWAYS = 3 }; /* threads of Go that run no code of the library's */

static aimdb_status_t start(void) {
    if (!space_to_be_had())
        return side_fail(AIMDB_ERR_NO_MEMORY, "no address space for the library to start");
    arm_fork_guard();
    int count = count_processors(), threads = count + SIDE_GO_SPARE + GO_ALWAYS;
    if (!side_threads_to_be_had(threads) || !side_stay_loaded()) {
        disarm_fork_guard();
        return side_fail(AIMDB_ERR_NO_THREADS, "no threads for the library to start: it needs %d", threads);
    }
    side_start_clock();
    if (no_time_slices()) side_no_time_slices();
    enter_go(count);
    atomic_store(&side_go_runs, true);
    return AIMDB_OK;
}

/* A failure can be tried again. The calling thread's signals are blocked: what
 * threads Go makes inherit that. */
aimdb_status_t side_start_go(void) {
    static _Atomic int registered;
    if (atomic_load(&side_go_runs)) return AIMDB_OK;
    if (!atomic_exchange(&registered, 1)) pthread_atfork(NULL, NULL, in_child);
    pthread_mutex_lock(&starting);
    aimdb_status_t status = side_go_runs ? AIMDB_OK : start();
    pthread_mutex_unlock(&starting);
    if (status == AIMDB_OK) side_attach();
    return status;
}
