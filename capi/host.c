// SPDX-License-Identifier: Apache-2.0

/* The process that the library is loaded into. */

#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "side.h"

/* Signals that are not the answer to an instruction of the thread itself. */
void side_async_signals(sigset_t *set) {
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) sigdelset(set, kept[i]);
}

/* Writes a log line; called with asynchronous signals blocked. If nobody reads any
 * more, the SIGPIPE that says so was not meant for the host. */
void side_to_stderr(aimdb_log_level_t level, const char *text) {
    static const char *const names[] = {"aimdb: error: ", "aimdb: warning: ", "aimdb: info: ",
                                        "aimdb: debug: "};
    struct iovec parts[] = {{(void *)names[level], strlen(names[level])},
                            {(void *)text, strlen(text)},
                            {(void *)"\n", 1}};
    sigset_t pending, pipe;
    sigpending(&pending);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (writev(STDERR_FILENO, parts, 3) >= 0 || errno != EPIPE || sigismember(&pending, SIGPIPE)) return;
    while (sigtimedwait(&pipe, NULL, &(struct timespec){0}) == -1 && errno == EINTR) {
    }
}

/* A plugin that libaimdb.a is in must stay when it is closed, as libaimdb.so does
 * (it is linked so): Go's threads can't be ended. glibc keeps what has destructors
 * to run at the end of a thread: so one that never ends gets one. (dlopen with
 * RTLD_NODELETE would do, but is not to be had in a static program without a
 * warning.) Until that thread has asked for it, the calling one holds it. */
#ifdef __GLIBC__
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak, visibility("hidden")));
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));

static bool stays_anyway(void) {
    if (!_DYNAMIC || !__cxa_thread_atexit_impl) return true;
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_DEBUG) return true; /* a program */
        if (d->d_tag == DT_FLAGS_1 && d->d_un.d_val & DF_1_NODELETE) return true;
    }
    return false;
}

static void nothing(void *unused) { (void)unused; }

static void hold(void) { __cxa_thread_atexit_impl(nothing, NULL, &side_go_runs); }

static void *stay(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "aimdb:stay");
    hold();
    for (;;) pause();
    return NULL;
}

/* Does not wait for the thread, which waits for the caller if that is in dlopen. */
bool side_stay_loaded(void) {
    static bool stays;
    if (stays || stays_anyway()) return true;
    hold();
    return stays = side_make_thread(stay, NULL, 64 << 10);
}
#else
bool side_stay_loaded(void) { return true; } /* musl never unloads */
#endif
