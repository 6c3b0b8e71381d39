// SPDX-License-Identifier: Apache-2.0
//
// Failures with what repeats them, the dump, the counts, and the watchdog.

#include "random.h"

#include <stdarg.h>
#include <unistd.h>

static const char *const names[] = {
    "ERR_INTERNAL",
    "ERR_UNSUPPORTED",
    "ERR_FORKED",
    "ERR_EMITTER",
    "ERR_DEPTH",
    "ERR_NO_DESCRIPTORS",
    "ERR_NO_THREADS",
    "ERR_NO_MEMORY",
    "ERR_VERSION",
    "ERR_TOO_SMALL",
    "ERR_SIZE",
    "ERR_TYPE",
    "ERR_NOT_FOUND",
    "ERR_EXISTS",
    "ERR_KEY",
    "ERR_STATE",
    "ERR_HANDLE",
    "ERR_ARGUMENT",
    "OK",
    "EMPTY",
    "LAGGED",
    "TIMEOUT",
    "CLOSED",
    "REJECTED",
    "IN_PROGRESS",
    "BLOCKED",
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct site *) sites;
static _Atomic uint64_t findings;
static uint64_t started;

const char *status_name(aimdb_status_t status) {
    return status >= AIMDB_ERR_INTERNAL && status <= AIMDB_BLOCKED ? names[status + 18] : "?";
}

void site_list(struct site *site) {
    if (atomic_exchange(&site->listed, true)) return;
    site->next = sites;
    while (!atomic_compare_exchange_weak(&sites, &site->next, site)) continue;
}

void report_start(void) { started = now(); }
uint64_t report_findings(void) { return findings; }

static void print_command(FILE *to) {
    fprintf(to, "  again: AIMDB_DOOR=%s", getenv("AIMDB_DOOR") ? getenv("AIMDB_DOOR") : "");
    fprintf(to, " %s --seed %llu --threads %d --profile %s --seconds %g\n", options.argv[0],
            (unsigned long long)options.seed, options.threads, options.profile->name,
            options.seconds);
}

static size_t name_length(const char *text) {
    if (strncmp(text, "await", 5) == 0) return strlen(text);
    return strcspn(text, "(");
}

/* One line for each function of the library: how often which answer. */
static void add_up(const struct site *first, uint64_t sums[32]) {
    size_t length = name_length(first->text);
    for (const struct site *s = sites; s; s = s->next)
        if (name_length(s->text) == length && memcmp(s->text, first->text, length) == 0)
            for (int i = 0; i < 32; i++) sums[i] += s->answers[i];
}

static bool is_first(const struct site *site) {
    size_t length = name_length(site->text);
    for (const struct site *s = sites; s != site; s = s->next)
        if (name_length(s->text) == length && memcmp(s->text, site->text, length) == 0)
            return false;
    return true;
}

static uint64_t print_counts(bool print) {
    uint64_t total = 0;
    for (const struct site *s = sites; s; s = s->next) {
        if (strncmp(s->text, "await", 5) == 0 || !is_first(s)) continue;
        uint64_t sums[32] = {0};
        add_up(s, sums);
        if (print) printf("  %-24.*s", (int)name_length(s->text), s->text);
        for (int i = 0; i < 32; i++) {
            total += sums[i];
            if (sums[i] && print) printf(" %s %llu", names[i], (unsigned long long)sums[i]);
        }
        if (print) printf("\n");
    }
    return total;
}

void report_counts(void) {
    uint64_t total = print_counts(options.verbose);
    printf("%s: %llu calls in %.1f s, %llu findings\n", options.profile->name,
           (unsigned long long)total, (double)(now() - started) / 1e9,
           (unsigned long long)findings);
}

static void print_thread(struct self *thread) {
    int deep = thread->deep;
    printf("  thread %u %s, %llu calls\n", thread->id, thread->what,
           (unsigned long long)thread->calls);
    for (int i = 0; i < deep && i < NOTES; i++) {
        const struct site *site = thread->notes[i].site;
        printf("    %*sfor %.3f s in %s\n", i, "", (double)(now() - thread->notes[i].since) / 1e9,
               site ? site->text : "?");
    }
}

void report_dump(void) {
    printf("seed %llu, %.1f s after the start\n", (unsigned long long)options.seed,
           (double)(now() - started) / 1e9);
    print_command(stdout);
    self_each(print_thread);
    print_counts(true);
    fflush(stdout);
}

/* In a run that goes on, the first few of each place. */
static bool worth_printing(const char *file, int line) {
    static struct {
        const char *file;
        int line, times;
    } known[64];
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!known[i].file) known[i].file = file, known[i].line = line;
        if (known[i].file == file && known[i].line == line) return ++known[i].times <= 3;
    }
    return false;
}

void fail(const char *file, int line, const char *rule, const char *format, ...) {
    char error[256];
    snprintf(error, sizeof error, "%s", aimdb_last_error());
    pthread_mutex_lock(&lock);
    findings++;
    if (!options.keep_going || worth_printing(file, line)) {
        va_list args;
        va_start(args, format);
        printf("FOUND %.3f s %s:%d: ", (double)(now() - started) / 1e9, file, line);
        vprintf(format, args);
        if (rule) printf("; not so: %s", rule);
        printf("\n  thread %u, last error of it: %s\n", self()->id, error);
        va_end(args);
        fflush(stdout);
    }
    if (!options.keep_going) {
        report_dump();
        if (getenv("AIMDB_RANDOM_ABORT")) abort();
        _exit(1);
    }
    pthread_mutex_unlock(&lock);
}

/* A call that doesn't come back is no progress, however busy the others are. */
static _Atomic(struct self *) stuck;

static void look_for_stuck(struct self *thread) {
    int deep = thread->deep;
    if (deep == 0 || deep > NOTES) return;
    uint64_t since = thread->notes[deep - 1].since, t = now();
    if (since && t > since && (double)(t - since) / 1e9 > options.patience) stuck = thread;
}

void *watchdog(void *unused) {
    (void)unused;
    for (;;) {
        nap(500000000);
        self_each(look_for_stuck);
        if (!stuck) continue;
        pthread_mutex_lock(&lock);
        printf("FOUND: no progress for %g s\n", options.patience);
        report_dump();
        if (getenv("AIMDB_RANDOM_ABORT")) abort();
        _exit(1);
    }
    return NULL;
}
