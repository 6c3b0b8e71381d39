/* SPDX-License-Identifier: Apache-2.0
 *
 * Logging: to a callback of the application's, by level; without one, warnings go
 * to stderr. Lag and failures are logged at most once a second per consumer,
 * summed, and nothing is left out of the sum.
 */
#include "test.h"

#include <unistd.h>

struct log {
    atomic_ullong lag_lines, lost, failure_lines, failed, lines[AIMDB_LOG_OFF];
    _Atomic(aimdb_t *) db; /* the log calls the library: no lock is held */
};

/* The number that follows `word`, if it is there. */
static bool number_after(const char *text, const char *word, unsigned long long *number)
{
    const char *at = strstr(text, word);
    return at && sscanf(at + strlen(word), " %llu", number) == 1;
}

static void keep_line(aimdb_log_level_t level, const char *text, void *user)
{
    struct log *log = user;
    unsigned long long number;
    if (!CHECK((unsigned)level < AIMDB_LOG_OFF)) return;
    CHECK(text[0] != 0 && !strchr(text, '\n'));
    atomic_fetch_add(&log->lines[level], 1);
    if (number_after(text, "lost", &number)) {
        CHECK_EQ(level, AIMDB_LOG_WARNING);
        atomic_fetch_add(&log->lag_lines, 1);
        atomic_fetch_add(&log->lost, number);
    }
    if (number_after(text, "failed", &number)) {
        CHECK_EQ(level, AIMDB_LOG_WARNING);
        atomic_fetch_add(&log->failure_lines, 1);
        atomic_fetch_add(&log->failed, number);
    }
    aimdb_t *db = atomic_load(&log->db);
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    if (db) (void)aimdb_database_stats(db, &stats);
}

static aimdb_t *logging_database(struct log *log, aimdb_log_level_t level)
{
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_t *db = NULL;
    config.log = keep_line;
    config.log_level = level;
    config.user = log;
    REQUIRE_OK(aimdb_create(&config, &db));
    atomic_store(&log->db, db);
    return db;
}

/* One loss of exactly `lost` values: the callback is held while they are produced. */
static void lose(struct sink *sink, aimdb_record_t *record, uint64_t lost)
{
    size_t count = sink_count(sink);
    sink_hold(sink);
    REQUIRE_OK(put(record, 0));
    sink_await_count(sink, count + 1);
    put_range(record, 1, lost + 1); /* the capacity is 1 */
    sink_release(sink);
    sink_await_done(sink, count + 2);
}

TEST(logging_lag_at_most_once_a_second_per_consumer_and_summed_exactly)
{
    struct log log = { 0 };
    aimdb_t *db = logging_database(&log, AIMDB_LOG_WARNING);
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 1);
    struct sink sink = SINK;
    sink.answer = 1; /* and each callback fails */
    sink_subscribe(&sink, ring);
    started(db);
    uint64_t begin = now_ns(), lost = 0, events = 0;
    while (atomic_load(&log.lag_lines) < 2 || atomic_load(&log.failure_lines) < 2) {
        uint64_t size = 1 + events % 7;
        lose(&sink, ring, size);
        lost += size;
        events++;
        nap();
    }
    for (int i = 0; i < 5; i++) { /* what comes after the last line is not forgotten */
        lose(&sink, ring, 3);
        lost += 3;
        events++;
    }
    end(db);
    /* One at the beginning, one for each second that passed, one at the end. */
    uint64_t most = 2 + (now_ns() - begin) / AIMDB_SECOND;
    CHECK(atomic_load(&log.lag_lines) <= most);
    CHECK(atomic_load(&log.failure_lines) <= most);
    CHECK(events > 2 * most);
    CHECK_EQ(sink.lags, events);
    CHECK_EQ(sink.lagged, lost);
    CHECK_EQ(atomic_load(&log.lost), lost);
    CHECK_EQ(atomic_load(&log.failed), sink.count);
    sink_end(&sink);
}

TEST(logging_of_one_consumer_does_not_hide_another)
{
    struct log log = { 0 };
    aimdb_t *db = logging_database(&log, AIMDB_LOG_WARNING);
    aimdb_record_t *a = record(db, "a", AIMDB_RING, 1, 8), *b = record(db, "b", 0, 1, 8);
    struct sink at_a = SINK, at_b = SINK;
    sink_subscribe(&at_a, a);
    sink_subscribe(&at_b, b);
    started(db);
    lose(&at_a, a, 5);
    lose(&at_b, b, 7);
    end(db);
    CHECK_EQ(atomic_load(&log.lag_lines), 2);
    CHECK_EQ(atomic_load(&log.lost), 12);
    sink_end(&at_a);
    sink_end(&at_b);
}

/* Nothing else happens meanwhile: nobody is woken for it. */
TEST(logging_of_what_is_held_back_comes_when_the_second_is_over)
{
    struct log log = { 0 };
    aimdb_t *db = logging_database(&log, AIMDB_LOG_WARNING);
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 1);
    struct sink sink = SINK;
    sink.answer = 1;
    sink_subscribe(&sink, ring);
    started(db);
    for (unsigned round = 1; round <= 2; round++) {
        lose(&sink, ring, 3);
        lose(&sink, ring, 4);
        AWAIT(atomic_load(&log.lost) == round * 7 && atomic_load(&log.failed) == sink_count(&sink));
    }
    CHECK(atomic_load(&log.lag_lines) >= 2);
    uint64_t lines = atomic_load(&log.lag_lines) + atomic_load(&log.failure_lines);
    end(db);
    CHECK_EQ(atomic_load(&log.lag_lines) + atomic_load(&log.failure_lines), lines);
    sink_end(&sink);
}

TEST(logging_gives_only_lines_of_the_level_or_more_severe)
{
    for (int level = AIMDB_LOG_ERROR; level <= AIMDB_LOG_OFF; level++) {
        struct log log = { 0 };
        aimdb_t *db = logging_database(&log, (aimdb_log_level_t)level);
        aimdb_record_t *ring = numbers(db, AIMDB_RING, 1);
        struct sink sink = SINK;
        sink_subscribe(&sink, ring);
        started(db);
        lose(&sink, ring, 5);
        end(db);
        CHECK_EQ(atomic_load(&log.lost), level >= AIMDB_LOG_WARNING && level < AIMDB_LOG_OFF ? 5 : 0);
        for (int l = 0; l < AIMDB_LOG_OFF; l++)
            if (l > level || level == AIMDB_LOG_OFF) CHECK_EQ(atomic_load(&log.lines[l]), 0);
        if (level == AIMDB_LOG_INFO || level == AIMDB_LOG_DEBUG)
            CHECK(atomic_load(&log.lines[AIMDB_LOG_INFO]) > 0);
        sink_end(&sink);
    }
}

TEST(logging_without_a_callback_writes_warnings_to_stderr)
{
    FILE *file = tmpfile();
    int stderr_fd = dup(STDERR_FILENO);
    REQUIRE(file != NULL && stderr_fd >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    aimdb_t *db = NULL;
    REQUIRE_OK(aimdb_create(NULL, &db));
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 1);
    struct sink sink = SINK;
    sink_subscribe(&sink, ring);
    started(db);
    lose(&sink, ring, 5);
    end(db);
    REQUIRE(dup2(stderr_fd, STDERR_FILENO) >= 0);
    close(stderr_fd);
    char text[1000] = "";
    unsigned long long lost = 0;
    rewind(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    CHECK(size > 0 && text[size - 1] == '\n');
    CHECK(strchr(text, '\n') == text + size - 1); /* one line: no more than the warning */
    CHECK(number_after(text, "lost", &lost) && lost == 5);
    fclose(file);
    sink_end(&sink);
}

static void count_abandoned(aimdb_log_level_t level, const char *text, void *user)
{
    if (level == AIMDB_LOG_WARNING && strstr(text, "abandoned")) atomic_fetch_add((atomic_int *)user, 1);
}

/* A close that cuts very many records off does not flood the log. */
TEST(logging_names_the_records_that_a_close_abandons_values_of)
{
    enum { RECORDS = 20, NAMED = 16 };
    atomic_int lines = 0;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_record_t *records[RECORDS];
    struct sink sinks[RECORDS];
    aimdb_t *db = NULL;
    config.log = count_abandoned;
    config.user = &lines;
    REQUIRE_OK(aimdb_create(&config, &db));
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "record.%d", i);
        records[i] = record(db, key, AIMDB_RING, 4, 8);
        sinks[i] = (struct sink)SINK;
        sinks[i].hold = true;
        sink_subscribe(&sinks[i], records[i]);
    }
    started(db);
    for (int i = 0; i < RECORDS; i++) {
        put_range(records[i], 1, 1);
        sink_await_inside(&sinks[i]);
        put_range(records[i], 2, 3);
    }
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_BLOCKED);
    for (int i = 0; i < RECORDS; i++) sink_release(&sinks[i]);
    close_and_destroy(db, AIMDB_TIMEOUT);
    CHECK_EQ(atomic_load(&lines), NAMED + 1); /* and one for all the others */
    for (int i = 0; i < RECORDS; i++) sink_end(&sinks[i]);
}
