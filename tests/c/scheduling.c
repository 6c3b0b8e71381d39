// SPDX-License-Identifier: Apache-2.0
//
// What threads of the library have of the scheduler: short time slices, unless the
// process is under a filter of system calls or has switched them off; and what they
// inherit from the thread that subscribes. Each part is a process of its own.

#define _GNU_SOURCE
#include "test.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static struct attributes attributes(void) {
    struct attributes a = {.size = sizeof a};
    REQUIRE(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0);
    return a;
}

/* What a callback finds on its thread. */
struct seen {
    sem_t called;
    struct attributes attributes;
    cpu_set_t processors;
};
static int look(aimdb_emitter_t *e, const aimdb_message_t *m, void *user) {
    UNUSED(e), UNUSED(m);
    struct seen *seen = user;
    seen->attributes = attributes();
    REQUIRE(sched_getaffinity(0, sizeof seen->processors, &seen->processors) == 0);
    sem_post(&seen->called);
    return 0;
}

/* The same for dedicated and shared consumers. */
static aimdb_t *db;
static aimdb_record_t *record;
static struct seen seen[2];
static aimdb_status_t subscribe(aimdb_dispatch_t dispatch) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = look;
    config.user = &seen[dispatch];
    config.dispatch = dispatch;
    sem_init(&seen[dispatch].called, 0, 0);
    return aimdb_subscribe(record, &config, NULL);
}
static void begin(void) {
    db = quiet_database();
    record = add(db, "r", AIMDB_RING, 64);
}
static void see(void) {
    OK(aimdb_start(db));
    OK(put(record, 1));
    for (int i = 0; i < 2; i++) sem_wait(&seen[i].called);
}
static void observe(void) {
    begin();
    OK(subscribe(AIMDB_DEDICATED));
    OK(subscribe(AIMDB_SHARED));
    see();
}

static bool slices_are_short(int i) { return seen[i].attributes.runtime == 100000; }

/* Parts. */

static int slices(void) {
    struct utsname system;
    int major = 0, minor = 0;
    uname(&system);
    sscanf(system.release, "%d.%d", &major, &minor);
    bool wanted = major > 6 || (major == 6 && minor >= 12);
    observe();
    for (int i = 0; i < 2; i++) REQUIRE(slices_are_short(i) == wanted);
    end_database(db);
    return 0;
}

static int no_slices(void) {
    observe();
    for (int i = 0; i < 2; i++) REQUIRE(!slices_are_short(i));
    end_database(db);
    return 0;
}

static void kill_who_sets_attributes(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setattr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
}

static int sandboxed_before(void) {
    begin();
    kill_who_sets_attributes();
    OK(subscribe(AIMDB_DEDICATED));
    OK(subscribe(AIMDB_SHARED));
    see();
    end_database(db);
    return 0;
}

/* Dispatchers whose sleeps are now short, now long would set their slice anew. */
static int sandboxed_later(void) {
    observe();
    kill_who_sets_attributes();
    for (int i = 0; i < 200; i++) {
        for (int burst = 0; burst < 50; burst++) OK(put(record, 1));
        usleep(1000);
    }
    OK(subscribe(AIMDB_DEDICATED));
    end_database(db);
    return 0;
}

static int inheritance(void) {
    cpu_set_t mine, one;
    REQUIRE(sched_getaffinity(0, sizeof mine, &mine) == 0);
    CPU_ZERO(&one);
    for (int i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &mine)) CPU_SET(i, &one);
    begin();
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    REQUIRE(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}) == 0);
    OK(subscribe(AIMDB_DEDICATED));
    OK(subscribe(AIMDB_SHARED));
    see();
    for (int i = 0; i < 2; i++) {
        REQUIRE(seen[i].attributes.policy == SCHED_BATCH);
        REQUIRE(CPU_EQUAL(&seen[i].processors, &one));
    }
    end_database(db);
    return 0;
}

/* The kernel gives such a thread no others. */
static int deadline(void) {
    begin();
    struct attributes a = {.size = sizeof a, .policy = 6 /* SCHED_DEADLINE */,
                           .runtime = 10000000, .deadline = 100000000, .period = 100000000};
    struct attributes usual = attributes();
    if (syscall(SYS_sched_setattr, 0, &a, 0) != 0) {
        printf("  SCHED_DEADLINE is not to be had: %s\n", strerror(errno));
        return 0;
    }
    for (aimdb_dispatch_t d = AIMDB_DEDICATED; d <= AIMDB_SHARED; d++) {
        STATUS(AIMDB_ERR_NO_THREADS, subscribe(d));
        REQUIRE(strstr(aimdb_last_error(), "no thread"));
    }
    a.flags = 1; /* SCHED_FLAG_RESET_ON_FORK */
    REQUIRE(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
    OK(subscribe(AIMDB_DEDICATED));
    OK(subscribe(AIMDB_SHARED));
    REQUIRE(syscall(SYS_sched_setattr, 0, &usual, 0) == 0);
    see();
    for (int i = 0; i < 2; i++) REQUIRE(seen[i].attributes.policy == SCHED_OTHER);
    end_database(db);
    puts("  SCHED_DEADLINE: no threads, but with reset on fork");
    return 0;
}

static const char *program;
static void run(int (*part)(void), const char *name, const char *setting) {
    UNUSED(part);
    pid_t child = fork();
    if (child == 0) {
        if (setting) setenv("AIMDB_TIME_SLICE", setting, 1);
        execl(program, program, name, NULL);
        _exit(127);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) printf("%s: signal %d\n", name, WTERMSIG(status));
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#define PART(part) if (argc > 1 && strcmp(argv[1], #part) == 0) return alarm(60), part()
#define IN_PROCESS(part, setting) run(part, #part, setting)

static void slices_are_short_where_the_kernel_has_them(void) { IN_PROCESS(slices, NULL); }
static void AIMDB_TIME_SLICE_off(void) { IN_PROCESS(no_slices, "off"); }
static void a_filter_that_kills_who_sets_a_slice(void) { IN_PROCESS(sandboxed_before, NULL); }
static void such_a_filter_set_up_later_with_slices_off(void) { IN_PROCESS(sandboxed_later, "off"); }
static void policy_and_processors_are_inherited(void) { IN_PROCESS(inheritance, NULL); }
static void a_thread_with_a_deadline_gets_no_dispatcher(void) { IN_PROCESS(deadline, NULL); }

int main(int argc, char **argv) {
    program = argv[0];
    PART(slices);
    PART(no_slices);
    PART(sandboxed_before);
    PART(sandboxed_later);
    PART(inheritance);
    PART(deadline);
    RUN(slices_are_short_where_the_kernel_has_them);
    RUN(AIMDB_TIME_SLICE_off);
    RUN(a_filter_that_kills_who_sets_a_slice);
    RUN(such_a_filter_set_up_later_with_slices_off);
    RUN(policy_and_processors_are_inherited);
    RUN(a_thread_with_a_deadline_gets_no_dispatcher);
    return 0;
}
