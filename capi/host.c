// SPDX-License-Identifier: Apache-2.0

/* What loading a Go library would do to its host, undone. */

#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "side.h"

static struct sigaction host_sigurg, go_sigurg;
static struct rlimit host_files;
static sigset_t host_mask;

/* Signals that are not the answer to an instruction of the thread itself.
 * SIGURG is how Go preempts, SIGPROF how profilers sample. */
void side_async_signals(sigset_t *set) {
    static const int kept[] = {SIGURG, SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) sigdelset(set, kept[i]);
}

/* The Go runtime starts in a constructor of default priority: these two run
 * before and after it. What threads it starts inherit the mask. */
__attribute__((constructor(101))) static void before_go(void) {
    sigaction(SIGURG, NULL, &host_sigurg);
    getrlimit(RLIMIT_NOFILE, &host_files);
    sigset_t async;
    side_async_signals(&async);
    pthread_sigmask(SIG_BLOCK, &async, &host_mask);
}

#ifndef __GLIBC__
/* Go's entry wants argc and argv, as glibc passes them to constructors; musl
 * passes nothing (golang/go #13492). So tools/build-lib.sh takes the entry out of
 * the constructors, and it is called here with what the kernel left on the stack,
 * where environ lies after argc, argv and a NULL: no constructor of a program has
 * run yet that could have moved it. Go finds the auxiliary vector behind it. */
void aimdb__go_entry(int argc, char **argv) __attribute__((weak));

__attribute__((constructor(103))) static void start_go(void) {
    if (!aimdb__go_entry) return; /* while cgo looks at the objects */
    char **end = environ - 1;
    intptr_t argc = 0;
    while ((intptr_t)end[-1 - argc] != argc) argc++;
    aimdb__go_entry((int)argc, end - argc);
}
#endif

/* Links after the runtime's constructor, being in a later object or section. */
__attribute__((constructor)) static void after_go(void) {
    pthread_sigmask(SIG_SETMASK, &host_mask, NULL);
}

static void both(int signal, siginfo_t *info, void *context) {
    go_sigurg.sa_sigaction(signal, info, context);
    if (host_sigurg.sa_flags & SA_SIGINFO)
        host_sigurg.sa_sigaction(signal, info, context);
    else
        host_sigurg.sa_handler(signal);
}

/* Called when Go is initialised, its own handler installed: Go's does not call
 * the one before it for SIGURG. */
void side_chain_sigurg(void) {
    bool handled = (host_sigurg.sa_flags & SA_SIGINFO) ||
                   (host_sigurg.sa_handler != SIG_DFL && host_sigurg.sa_handler != SIG_IGN);
    if (!handled) return;
    sigaction(SIGURG, NULL, &go_sigurg);
    struct sigaction chained = go_sigurg;
    chained.sa_sigaction = both;
    sigaction(SIGURG, &chained, NULL);
}

/* Go raises the soft limit of descriptors when it starts. */
void side_restore_limits(void) { setrlimit(RLIMIT_NOFILE, &host_files); }

/* Fork guard: a page that the kernel wipes in the child, and, where that says it
 * does and does not (emulators), an atfork handler that says the same. */
static int fork_unguarded = 1;
int *side_parent = &fork_unguarded;

static void child(void) { *side_parent = 0; }

__attribute__((constructor(102))) static void guard_fork(void) {
    long size = sysconf(_SC_PAGESIZE);
    int *page = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, (size_t)size, MADV_WIPEONFORK) == 0) {
        *page = 1;
        side_parent = page;
    }
    pthread_atfork(NULL, NULL, child);
}
