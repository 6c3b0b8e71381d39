/* SPDX-License-Identifier: Apache-2.0
 *
 * The conformance suite while a call of the library to the system fails
 * (AIMDB_INJECT, see capi/inject.h). Linked with --wrap in between the tests and
 * the library: a function that answers that something is not to be had must be
 * one that may by its text, have done nothing, and say why in words; called again
 * it must do its work, after which the test goes on as ever, with its accounts and
 * free functions. At the end all that was taken has been given back.
 *
 *   AIMDB_INJECT_HELD=memory,maps,threads,descriptors: what may be held at the end, as
 *   the last line of a run without a fault says.
 */
#include "inject.h"
#include "test.h"

#include <dirent.h>
#include <unistd.h>

/* Rules ------------------------------------------------------------------------ */

static atomic_int answers, broken;

static void rule(bool good, const char *function, const char *what)
{
    if (good) return;
    atomic_fetch_add(&broken, 1);
    printf("# %s: %s (last error: %s)\n", function, what, aimdb_last_error());
}

static injected_t injected(void)
{
    injected_t now;
    aimdb_injected(&now);
    return now;
}

/* Whether a call is to be made again: it answers for a fault, and not for what a
 * test asks that there is not. Faults without end are ended: the next call is to
 * work. */
static bool lacks(aimdb_status_t status, const aimdb_status_t *documented, const char *function)
{
    if (status > AIMDB_ERR_NO_MEMORY || status < AIMDB_ERR_NO_DESCRIPTORS) return false;
    if (atomic_load(&answers) >= injected().failed) return false;
    atomic_fetch_add(&answers, 1);
    rule(aimdb_last_error()[0] != 0, function, "says nothing in words");
    while (*documented && *documented != status) documented++;
    rule(*documented == status, function, "answers what its text does not list");
    aimdb_inject_end();
    return true;
}

/* The functions that may lack something, and what by their text --------------------- */

#define MAY_LACK(...)                                                                              \
    static const aimdb_status_t documented[] = { __VA_ARGS__, AIMDB_OK }

static void keep(void *before, const void *out, size_t size)
{
    if (out) memcpy(before, out, size);
}

static void check_kept(const void *before, const void *out, size_t size, const char *function)
{
    rule(!out || memcmp(before, out, size) == 0, function, "wrote its output");
}

/* A call with an output, which it leaves alone if it fails. */
#define CALL(function, out, ...)                                                                   \
    do {                                                                                           \
        char before[sizeof *(out)];                                                                \
        keep(before, out, sizeof before);                                                          \
        aimdb_status_t status = __real_##function(__VA_ARGS__);                                    \
        if (!lacks(status, documented, #function)) return status;                                  \
        check_kept(before, out, sizeof before, #function);                                         \
        return __real_##function(__VA_ARGS__);                                                     \
    } while (0)

#define NO_OUTPUT ((char *)NULL)

#define WRAP(function, ...)                                                                        \
    aimdb_status_t __real_##function(__VA_ARGS__);                                                 \
    aimdb_status_t __wrap_##function(__VA_ARGS__);                                                 \
    aimdb_status_t __wrap_##function(__VA_ARGS__)

WRAP(aimdb_create, const aimdb_config_t *config, aimdb_t **db)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY, AIMDB_ERR_NO_THREADS);
    CALL(aimdb_create, db, config, db);
}

WRAP(aimdb_close, aimdb_t *db, int64_t timeout_ns)
{
    MAY_LACK(AIMDB_ERR_NO_THREADS, AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_close, NO_OUTPUT, db, timeout_ns);
}

WRAP(aimdb_close_with, aimdb_t *db, int64_t timeout_ns, uint32_t options)
{
    MAY_LACK(AIMDB_ERR_NO_THREADS, AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_close_with, NO_OUTPUT, db, timeout_ns, options);
}

WRAP(aimdb_register, aimdb_t *db, const char *key, const aimdb_record_config_t *config,
     aimdb_record_t **record)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_register, record, db, key, config, record);
}

WRAP(aimdb_subscribe, aimdb_record_t *record, const aimdb_consumer_config_t *config,
     aimdb_consumer_t **consumer)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY, AIMDB_ERR_NO_THREADS);
    CALL(aimdb_subscribe, consumer, record, config, consumer);
}

WRAP(aimdb_reader_open, aimdb_record_t *record, aimdb_reader_t **reader)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_reader_open, reader, record, reader);
}

WRAP(aimdb_reader_fd, aimdb_reader_t *reader, int *fd)
{
    MAY_LACK(AIMDB_ERR_NO_DESCRIPTORS);
    CALL(aimdb_reader_fd, fd, reader, fd);
}

WRAP(aimdb_produce, aimdb_record_t *record, const void *data, size_t size)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_produce, NO_OUTPUT, record, data, size);
}

WRAP(aimdb_emit, aimdb_emitter_t *emitter, aimdb_record_t *record, const void *data, size_t size)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY);
    CALL(aimdb_emit, NO_OUTPUT, emitter, record, data, size);
}

WRAP(aimdb_produce_batch, aimdb_record_t *record, const void *data, const size_t *sizes,
     size_t count, size_t *produced)
{
    MAY_LACK(AIMDB_ERR_NO_MEMORY);
    size_t done = 0, rest = 0;
    aimdb_status_t status = __real_aimdb_produce_batch(record, data, sizes, count, &done);
    if (lacks(status, documented, "aimdb_produce_batch")) {
        const char *left = data;
        for (size_t i = 0; i < done; i++) left += sizes[i];
        status = __real_aimdb_produce_batch(record, left, sizes + done, count - done, &rest);
    }
    if (produced) *produced = done + rest;
    return status;
}

/* What is held --------------------------------------------------------------------- */

struct held {
    long memory, maps, threads, descriptors;
};

static long descriptors(void)
{
    long count = -3; /* ".", ".." and its own */
    DIR *all = opendir("/proc/self/fd");
    if (!all) return 0;
    while (readdir(all)) count++;
    closedir(all);
    return count;
}

static void print_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    if (!all) return;
    for (struct dirent *one; (one = readdir(all));) {
        char path[300], file[256] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", one->d_name);
        if (readlink(path, file, sizeof file - 1) > 0) printf("# descriptor %s is %s\n", one->d_name, file);
    }
    closedir(all);
}

static struct held held(void)
{
    injected_t now = injected();
    return (struct held){ (long)now.held[INJECT_MEMORY], (long)now.held[INJECT_MAP],
                          (long)now.held[INJECT_THREAD], descriptors() };
}

static bool none_over(struct held now, struct held most)
{
    return now.memory <= most.memory && now.maps <= most.maps && now.threads <= most.threads &&
           now.descriptors <= most.descriptors;
}

/* Without a fault: what is held once nothing changes any more. */
static struct held settled(void)
{
    struct held before = held();
    for (int same = 0; same < 100; same++) {
        nap();
        struct held now = held();
        if (now.threads != 0 || memcmp(&now, &before, sizeof now) != 0) same = 0;
        before = now;
    }
    return before;
}

static void check_held(const char *text)
{
    struct held most = { 0 };
    if (sscanf(text, "%ld,%ld,%ld,%ld", &most.memory, &most.maps, &most.threads,
               &most.descriptors) != 4)
        bail_out();
    uint64_t end = now_ns() + (uint64_t)(2 * LONG_TIME);
    struct held now = held();
    for (; !none_over(now, most) && now_ns() < end; now = held()) nap();
    bool over = !none_over(now, most);
    rule(!over, "at the end", "more is held than without a fault");
    if (over) print_descriptors();
}

/* The first call starts Go. */
static void start_library(void)
{
    aimdb_t *db;
    REQUIRE_OK(__wrap_aimdb_create(NULL, &db));
    REQUIRE_OK(aimdb_destroy(db));
}

static void print_calls(injected_t of)
{
    for (int i = 0; i < INJECT_KINDS; i++) printf(" %lld", (long long)of.calls[i]);
}

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __wrap_main(int argc, char **argv)
{
    const char *most = getenv("AIMDB_INJECT_HELD");
    start_library();
    injected_t start = injected();
    int bad = __real_main(argc, argv);
    injected_t now = injected();
    if (!bad && !broken && most) check_held(most);
    struct held at_end = bad || broken || most ? held() : settled();
    printf("# failed %lld at %s; answers %d; held %ld,%ld,%ld,%ld; calls", (long long)now.failed,
           now.where, atomic_load(&answers), at_end.memory, at_end.maps, at_end.threads,
           at_end.descriptors);
    print_calls(now);
    printf("; of them to start");
    print_calls(start);
    printf("\n");
    return bad || broken;
}
