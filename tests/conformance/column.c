/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns: the whole suite is run several times, each time in another way.
 *
 *   --shared     all consumers are shared, else each has a thread of its own
 *   --no-pi      on a kernel whose locks do not inherit priority
 *   AIMDB_DOOR   the door to the hot path, direct or cgo; the library's own
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool shared;

aimdb_dispatch_t column_dispatch(void) { return shared ? AIMDB_SHARED : AIMDB_DEDICATED; }

/* Systems for 32 bits have two calls. */
#ifndef SYS_futex_time64
#define SYS_futex_time64 SYS_futex
#endif
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

/* Asks the kernel to free a lock that this thread holds. */
static bool locks_inherit(void)
{
    uint32_t lock = (uint32_t)syscall(SYS_gettid);
    return syscall(SYS_futex, &lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0;
}

/* Futexes that inherit priority get ENOSYS from now on, as from a kernel that is
 * built without them. */
static void refuse_pi(void)
{
    enum { COMMAND = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) };
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_time64, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)COMMAND),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_LOCK_PI, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_UNLOCK_PI, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { COUNT(steps), steps };
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* The library has looked at the kernel before main: so the filter, which stays,
 * is for a new start of this program. */
static void start_without_pi(char **argv)
{
    if (!locks_inherit()) return;
    refuse_pi();
    REQUIRE(!locks_inherit());
    execv("/proc/self/exe", argv);
    REQUIRE(false && "started again");
}

char **column_choose(char **argv)
{
    char **argument = argv + 1;
    for (; *argument && strncmp(*argument, "--", 2) == 0; argument++) {
        if (strcmp(*argument, "--shared") == 0) shared = true;
        else if (strcmp(*argument, "--no-pi") == 0) start_without_pi(argv);
        else if (strcmp(*argument, "--dedicated") == 0) shared = false;
        else break;
    }
    return argument;
}

const char *column_name(void)
{
    static char name[64];
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    aimdb_t *db = database();
    REQUIRE_OK(aimdb_database_stats(db, &stats));
    REQUIRE_OK(aimdb_destroy(db));
    snprintf(name, sizeof name, "%s, %s%s", shared ? "shared" : "dedicated",
             stats.door == AIMDB_DOOR_DIRECT ? "direct" : "cgo", locks_inherit() ? "" : ", no PI");
    return name;
}

/* A column that does not take is a blind one. */

TEST(column_has_the_door_that_the_environment_asks_for)
{
    const char *asked = getenv("AIMDB_DOOR");
    aimdb_t *db = database();
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    CHECK_OK(aimdb_database_stats(db, &stats));
    CHECK_OK(aimdb_destroy(db));
    if (!asked) NO_MEANING("no door is asked for");
    if (strcmp(asked, "cgo") == 0) CHECK_EQ(stats.door, AIMDB_DOOR_CGO);
#if defined(__x86_64__) || defined(__aarch64__)
    if (strcmp(asked, "direct") == 0) CHECK_EQ(stats.door, AIMDB_DOOR_DIRECT);
#endif
}

enum { CONSUMERS = 64 };

struct distinct {
    pthread_mutex_t lock;
    pthread_t threads[CONSUMERS];
    size_t threads_seen, calls;
};

static int note_thread(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    struct distinct *seen = user;
    (void)emitter, (void)message;
    pthread_mutex_lock(&seen->lock);
    size_t i = 0;
    while (i < seen->threads_seen && !pthread_equal(seen->threads[i], pthread_self())) i++;
    if (i == seen->threads_seen) seen->threads[seen->threads_seen++] = pthread_self();
    seen->calls++;
    pthread_mutex_unlock(&seen->lock);
    return 0;
}

/* Callbacks that never block: workers come for those that do. */
TEST(column_runs_callbacks_on_few_threads_if_shared_and_else_on_one_each)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 16);
    struct distinct seen = { .lock = PTHREAD_MUTEX_INITIALIZER };
    for (int i = 0; i < CONSUMERS; i++) {
        aimdb_consumer_config_t config = consumer_config();
        config.fn = note_thread;
        config.user = &seen;
        REQUIRE_OK(aimdb_subscribe(ring, &config, NULL));
    }
    started(db);
    put_range(ring, 1, 10);
    end(db);
    CHECK_EQ(seen.calls, 10 * CONSUMERS);
    if (shared) CHECK(seen.threads_seen < CONSUMERS / 2);
    else CHECK_EQ(seen.threads_seen, CONSUMERS);
}
