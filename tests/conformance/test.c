/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of test.h, and main:
 *
 *   conformance [--shared] [--no-pi] [--list] [part of a test's name, or =NAME ...]
 */
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct test *first_test, **last_test = &first_test;
static const char *current = "";
static const char *without_meaning; /* why the test has none in this column */
static atomic_int failures;

void test_add(struct test *test)
{
    *last_test = test;
    last_test = &test->next;
}

/* Checks ----------------------------------------------------------------------- */

/* Prints the first failures of a test only: a broken rule in a loop says enough. */
static bool failed(void) { return atomic_fetch_add(&failures, 1) < 20; }

bool check(bool good, const char *file, int line, const char *text)
{
    if (!good && failed()) printf("# %s:%d: %s\n", file, line, text);
    return good;
}

bool check_eq(int64_t got, int64_t want, const char *file, int line, const char *text)
{
    if (got != want && failed())
        printf("# %s:%d: %s: got %lld, want %lld\n", file, line, text, (long long)got,
               (long long)want);
    return got == want;
}

bool check_status(aimdb_status_t got, aimdb_status_t want, const char *file, int line,
                  const char *text)
{
    if (got != want && failed())
        printf("# %s:%d: %s: got %d (%s), want %d (%s); last error: %s\n", file, line, text, got,
               aimdb_strerror(got), want, aimdb_strerror(want), aimdb_last_error());
    return got == want;
}

void no_meaning(const char *why) { without_meaning = why; }

void bail_out(void)
{
    printf("Bail out! %s\n", current);
    fflush(stdout);
    _exit(1);
}

void nap(void)
{
    struct timespec pause = { 0, 200000 };
    nanosleep(&pause, NULL);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Threads ---------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
    struct thread *thread = arg;
    atomic_store(&thread->tid, (pid_t)syscall(SYS_gettid));
    thread->run(thread->arg);
    return NULL;
}

void thread_start(struct thread *thread, void (*run)(void *), void *arg)
{
    atomic_store(&thread->tid, 0);
    thread->run = run;
    thread->arg = arg;
    REQUIRE(pthread_create(&thread->id, NULL, thread_main, thread) == 0);
}

void thread_join(struct thread *thread) { REQUIRE(pthread_join(thread->id, NULL) == 0); }

/* The state letter and how often the thread went to sleep; false if it has ended. */
static bool thread_sleep_state(pid_t tid, char *state, unsigned long *sleeps)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "State: %c", state);
        sscanf(line, "voluntary_ctxt_switches: %lu", sleeps);
    }
    fclose(file);
    return true;
}

/* A thread on its way into a wait may sleep shortly elsewhere: asleep means one and
 * the same sleep in ten looks. No test's verdict on a sound library hangs on it. */
void thread_await_sleep(struct thread *thread)
{
    AWAIT(atomic_load(&thread->tid) != 0);
    unsigned long before = 0, sleeps = 0;
    for (int same = 0, looks = 0; same < 10 && looks < 20000; looks++) {
        char state = 0;
        if (!thread_sleep_state(atomic_load(&thread->tid), &state, &sleeps)) return;
        same = state == 'S' && sleeps == before ? same + 1 : 0;
        before = sleeps;
        nap();
    }
}

/* Of a receive that waited when its reader ended, CLOSED. One that came too late to
 * wait, as on a busy machine, finds no reader. */
bool was_told(aimdb_status_t status)
{
    if (status != AIMDB_CLOSED) CHECK_STATUS(status, AIMDB_ERR_HANDLE);
    return status == AIMDB_CLOSED;
}

size_t threads_of_process(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks));) count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* Databases, records, numbers ---------------------------------------------------- */

aimdb_t *database(void)
{
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log_level = AIMDB_LOG_OFF;
    aimdb_t *db = NULL;
    REQUIRE_OK(aimdb_create(&config, &db));
    return db;
}

aimdb_t *started(aimdb_t *db)
{
    REQUIRE_OK(aimdb_start(db));
    return db;
}

void await_consumers(aimdb_t *db, uint64_t count)
{
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    for (;;) {
        REQUIRE_OK(aimdb_database_stats(db, &stats));
        if (stats.consumers == count) return;
        nap();
    }
}

/* The threads are awaited before destroy, so that a second call of a free function
 * would have been made when sink_end looks. */
void close_and_destroy(aimdb_t *db, aimdb_status_t want)
{
    CHECK_STATUS(aimdb_close(db, LONG_TIME), want);
    await_consumers(db, 0);
    CHECK_OK(aimdb_destroy(db));
}

void end(aimdb_t *db) { close_and_destroy(db, AIMDB_OK); }

aimdb_record_t *record(aimdb_t *db, const char *key, aimdb_buffer_t buffer, size_t capacity,
                       size_t payload_max)
{
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.buffer = buffer;
    if (buffer == AIMDB_RING) config.capacity = capacity;
    config.payload_max = payload_max;
    aimdb_record_t *made = NULL;
    REQUIRE_OK(aimdb_register(db, key, &config, &made));
    return made;
}

aimdb_record_t *numbers(aimdb_t *db, aimdb_buffer_t buffer, size_t capacity)
{
    return record(db, "numbers", buffer, capacity, sizeof(uint64_t));
}

aimdb_status_t put(aimdb_record_t *record, uint64_t number)
{
    return aimdb_produce(record, &number, sizeof number);
}

void put_range(aimdb_record_t *record, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) REQUIRE_OK(put(record, n));
}

uint64_t number_of(const aimdb_message_t *message)
{
    uint64_t number = 0;
    if (CHECK(message->size >= sizeof number)) memcpy(&number, message->data, sizeof number);
    return number;
}

struct taken take(aimdb_reader_t *reader, int64_t timeout)
{
    uint64_t buffer = 0;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    struct taken taken = { 0 };
    taken.status = timeout ? aimdb_recv(reader, &buffer, sizeof buffer, &message, timeout)
                           : aimdb_try_recv(reader, &buffer, sizeof buffer, &message);
    if (taken.status == AIMDB_OK) {
        CHECK(message.data == (void *)&buffer);
        taken.number = number_of(&message);
        taken.sequence = message.sequence;
    }
    if (taken.status == AIMDB_LAGGED) taken.lagged = message.lagged;
    return taken;
}

aimdb_reader_t *reader(aimdb_record_t *record)
{
    aimdb_reader_t *opened = NULL;
    REQUIRE_OK(aimdb_reader_open(record, &opened));
    return opened;
}

void check_takes(aimdb_reader_t *reader, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        struct taken taken = take(reader, 0);
        if (!CHECK_STATUS(taken.status, AIMDB_OK) || !CHECK_EQ(taken.number, n)) return;
    }
    CHECK(take(reader, 0).status != AIMDB_OK);
}

aimdb_consumer_stats_t stats_of_reader(aimdb_reader_t *reader)
{
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    REQUIRE_OK(aimdb_reader_stats(reader, &stats));
    return stats;
}

aimdb_consumer_stats_t stats_of_consumer(aimdb_consumer_t *consumer)
{
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    REQUIRE_OK(aimdb_consumer_stats(consumer, &stats));
    return stats;
}

aimdb_record_stats_t stats_of_record(aimdb_record_t *record)
{
    aimdb_record_stats_t stats = AIMDB_RECORD_STATS_INIT;
    REQUIRE_OK(aimdb_record_stats(record, &stats));
    return stats;
}

void check_account(const aimdb_consumer_stats_t *s)
{
    CHECK_EQ(s->offered, s->delivered + s->lagged + s->skipped + s->pending + s->abandoned);
}

void check_mailbox_account(const aimdb_record_stats_t *s)
{
    CHECK_EQ(s->produced, s->taken + s->overwritten + s->pending + s->abandoned);
    CHECK(s->pending <= 1);
}

/* Sinks ------------------------------------------------------------------------- */

int sink_fn(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    struct sink *sink = user;
    CHECK(message->struct_size >= sizeof *message);
    pthread_mutex_lock(&sink->lock);
    CHECK_EQ(sink->frees, 0);    /* never called after the end */
    CHECK_EQ(sink->inside++, 0); /* one call at a time */
    if (sink->count == sink->room) {
        sink->room = sink->room ? 2 * sink->room : 64;
        sink->numbers = realloc(sink->numbers, sink->room * sizeof *sink->numbers);
        REQUIRE(sink->numbers != NULL);
    }
    sink->numbers[sink->count++] = number_of(message);
    pthread_cond_broadcast(&sink->changed);
    while (sink->hold) pthread_cond_wait(&sink->changed, &sink->lock);
    pthread_mutex_unlock(&sink->lock);
    if (sink->then) sink->then(sink, emitter, message);
    pthread_mutex_lock(&sink->lock);
    sink->inside--;
    int answer = sink->answer;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
    return answer;
}

void sink_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user)
{
    struct sink *sink = user;
    CHECK(emitter != NULL && record != NULL && lagged > 0);
    pthread_mutex_lock(&sink->lock);
    sink->lags++;
    sink->lagged += lagged;
    pthread_mutex_unlock(&sink->lock);
}

void sink_free(void *user)
{
    struct sink *sink = user;
    pthread_mutex_lock(&sink->lock);
    CHECK_EQ(sink->inside, 0);
    sink->frees++;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
}

aimdb_consumer_config_t consumer_config(void)
{
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.dispatch = column_dispatch();
    return config;
}

aimdb_consumer_config_t sink_config(struct sink *sink)
{
    aimdb_consumer_config_t config = consumer_config();
    config.fn = sink_fn;
    config.on_lag = sink_lag;
    config.user = sink;
    config.free = sink_free;
    return config;
}

aimdb_consumer_t *sink_subscribe(struct sink *sink, aimdb_record_t *record)
{
    aimdb_consumer_config_t config = sink_config(sink);
    aimdb_consumer_t *consumer = NULL;
    REQUIRE_OK(aimdb_subscribe(record, &config, &consumer));
    return consumer;
}

void sink_await_count(struct sink *sink, size_t count) { SINK_AWAIT(sink, sink->count >= count); }
void sink_await_done(struct sink *sink, size_t count)
{
    SINK_AWAIT(sink, sink->count >= count && sink->inside == 0);
}

void sink_await_inside(struct sink *sink) { SINK_AWAIT(sink, sink->inside > 0); }
void sink_await_freed(struct sink *sink) { SINK_AWAIT(sink, sink->frees > 0); }

static void sink_set_hold(struct sink *sink, bool hold)
{
    pthread_mutex_lock(&sink->lock);
    sink->hold = hold;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
}

void sink_hold(struct sink *sink) { sink_set_hold(sink, true); }
void sink_release(struct sink *sink) { sink_set_hold(sink, false); }

size_t sink_count(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    size_t count = sink->count;
    pthread_mutex_unlock(&sink->lock);
    return count;
}

unsigned sink_frees(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    unsigned frees = sink->frees;
    pthread_mutex_unlock(&sink->lock);
    return frees;
}

void sink_check_range(struct sink *sink, uint64_t first, uint64_t last)
{
    pthread_mutex_lock(&sink->lock);
    CHECK_EQ(sink->count, last - first + 1);
    for (size_t i = 0; i < sink->count; i++)
        if (!CHECK_EQ(sink->numbers[i], first + i)) break;
    pthread_mutex_unlock(&sink->lock);
}

void sink_end(struct sink *sink)
{
    sink_await_freed(sink);
    CHECK_EQ(sink_frees(sink), 1);
    CHECK_EQ(sink->inside, 0);
    free(sink->numbers);
    sink->numbers = NULL;
}

/* Running ------------------------------------------------------------------------ */

static void watchdog_bites(int number)
{
    (void)number;
    static const char text[] = "# watchdog: the test hangs: ";
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0 ||
        write(STDOUT_FILENO, current, strlen(current)) < 0 || write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(1);
    abort();
}

/* Every other thread may be in a wait with signals blocked. */
static void *watchdog_thread(void *unused)
{
    for (;;) pause();
    return unused;
}

static unsigned watchdog_start(void)
{
    pthread_t thread;
    struct sigaction action = { 0 };
    action.sa_handler = watchdog_bites;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    REQUIRE(pthread_create(&thread, NULL, watchdog_thread, NULL) == 0);
    const char *seconds = getenv("AIMDB_TEST_WATCHDOG");
    return seconds && atoi(seconds) > 0 ? (unsigned)atoi(seconds) : 60;
}

uint64_t rounds(uint64_t often)
{
    const char *part = getenv("AIMDB_TEST_PART");
    uint64_t fewer = part && atoi(part) > 0 ? often / (uint64_t)atoi(part) : often;
    return fewer > 0 ? fewer : 1;
}

static bool wanted(const struct test *test, char **filters)
{
    if (!*filters) return true;
    for (; *filters; filters++)
        if (**filters == '=' ? strcmp(test->name, *filters + 1) == 0
                             : strstr(test->name, *filters) != NULL)
            return true;
    return false;
}

struct outcome {
    int number, bad, without_meaning;
};

static void run(const struct test *test, struct outcome *outcome, unsigned watchdog)
{
    current = test->name;
    without_meaning = NULL;
    atomic_store(&failures, 0);
    alarm(watchdog);
    test->run();
    alarm(0);
    bool bad = atomic_load(&failures);
    printf("%s %d - %s%s%s\n", bad ? "not ok" : "ok", ++outcome->number, test->name,
           without_meaning ? " # SKIP " : "", without_meaning ? without_meaning : "");
    fflush(stdout);
    outcome->bad += bad;
    outcome->without_meaning += without_meaning != NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    char **filters = column_choose(argv);
    bool list = *filters && strcmp(*filters, "--list") == 0;
    filters += list;
    unsigned watchdog = watchdog_start();
    struct outcome outcome = { 0 };
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test *test = first_test; test; test = test->next) {
        if (!wanted(test, filters)) continue;
        if (list) outcome.number += puts(test->name) >= 0;
        else run(test, &outcome, watchdog);
    }
    if (!list)
        printf("1..%d\n# %s: %d failed, %d have no meaning here\n", outcome.number, column_name(),
               outcome.bad, outcome.without_meaning);
    return outcome.bad || !outcome.number;
}
