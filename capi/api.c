// SPDX-License-Identifier: Apache-2.0

/* The functions that enter Go for the lifecycle of things: they check their
 * arguments and pass them on. */

#include <string.h>

#include "_cgo_export.h"
#include "side.h"

/* A call into Go, which is started if need be, with the thread's asynchronous
 * signals blocked. */
#define IN_GO(call)                                                                                \
    do {                                                                                           \
        sigset_t before_;                                                                          \
        side_block(&before_);                                                                      \
        status = side_start_go();                                                                  \
        if (status == AIMDB_OK) {                                                                  \
            SYNC_RELEASE(SYNC_LIFECYCLE);                                                          \
            status = (aimdb_status_t)(call);                                                       \
            SYNC_ACQUIRE(SYNC_LIFECYCLE);                                                          \
        }                                                                                          \
        side_restore(&before_);                                                                    \
    } while (0)

static bool inside(void) { return side_self.depth > 0; }

/* User functions are called a level deeper: a close from within must not wait. They
 * may last. */
void side_log(aimdb_log_fn fn, aimdb_log_level_t level, const char *text, void *user) {
    side_left_go();
    side_self.depth++;
    if (fn)
        fn(level, text, user);
    else
        side_to_stderr(level, text);
    side_self.depth--;
    side_end_child();
}

void side_free(aimdb_free_fn fn, void *user) {
    if (!fn) return;
    side_left_go();
    side_self.depth++;
    fn(user);
    side_self.depth--;
    side_end_child();
}

const char *aimdb_version(void) { return AIMDB_VERSION; }

uint32_t aimdb_abi_version(void) { return AIMDB_ABI_VERSION; }

const char *aimdb_last_error(void) { return side_text; }

const char *aimdb_strerror(aimdb_status_t status) {
    switch (status) {
    case AIMDB_OK: return "ok";
    case AIMDB_EMPTY: return "nothing to receive";
    case AIMDB_LAGGED: return "values were lost to this reader";
    case AIMDB_TIMEOUT: return "the timeout passed first";
    case AIMDB_CLOSED: return "closed";
    case AIMDB_REJECTED: return "rejected by the producer function";
    case AIMDB_IN_PROGRESS: return "not waited for: goes on in the background";
    case AIMDB_BLOCKED: return "a callback or producer function still runs";
    case AIMDB_ERR_ARGUMENT: return "bad argument";
    case AIMDB_ERR_HANDLE: return "bad handle";
    case AIMDB_ERR_STATE: return "wrong lifecycle state";
    case AIMDB_ERR_KEY: return "bad key";
    case AIMDB_ERR_EXISTS: return "exists already";
    case AIMDB_ERR_NOT_FOUND: return "no such record";
    case AIMDB_ERR_TYPE: return "the record has another type";
    case AIMDB_ERR_SIZE: return "payload size not accepted";
    case AIMDB_ERR_TOO_SMALL: return "buffer too small for the value";
    case AIMDB_ERR_VERSION: return "struct of an unknown version";
    case AIMDB_ERR_NO_MEMORY: return "no memory";
    case AIMDB_ERR_NO_THREADS: return "no thread";
    case AIMDB_ERR_NO_DESCRIPTORS: return "no file descriptor";
    case AIMDB_ERR_DEPTH: return "emission nested too deep";
    case AIMDB_ERR_EMITTER: return "bad or expired emitter";
    case AIMDB_ERR_FORKED: return "not usable in a forked child";
    case AIMDB_ERR_UNSUPPORTED: return "not possible with this buffer";
    case AIMDB_ERR_INTERNAL: return "internal fault";
    }
    return "unknown status";
}

aimdb_status_t aimdb_create(const aimdb_config_t *config, aimdb_t **db) {
    GUARD();
    NOT_NULL(db);
    aimdb_config_t c = AIMDB_CONFIG_INIT;
    aimdb_status_t status = config ? side_read(&c, sizeof c, config, "config") : AIMDB_OK;
    if (status != AIMDB_OK) return status;
    if ((int)c.log_level < AIMDB_LOG_ERROR || (int)c.log_level > AIMDB_LOG_OFF)
        return side_fail(AIMDB_ERR_ARGUMENT, "config.log_level: %d is no level", (int)c.log_level);
    uint64_t handle = 0;
    IN_GO(goCreate(c.log, (int32_t)c.log_level, c.user, c.free, &handle, side_text));
    if (status == AIMDB_OK) *db = (aimdb_t *)(uintptr_t)handle;
    return status;
}

aimdb_status_t aimdb_start(aimdb_t *db) {
    GUARD();
    aimdb_status_t status;
    IN_GO(goStart(HANDLE(db), side_text));
    return status;
}

static aimdb_status_t close_database(aimdb_t *db, int64_t timeout_ns, bool readers) {
    aimdb_status_t status = side_no_timeout(timeout_ns);
    if (status != AIMDB_OK) return status;
    side_wait_t wait;
    IN_GO(goClose(HANDLE(db), timeout_ns, readers, inside(), &wait, side_text));
    return side_await(&wait, status, NULL);
}

aimdb_status_t aimdb_close(aimdb_t *db, int64_t timeout_ns) {
    GUARD();
    return close_database(db, timeout_ns, false);
}

aimdb_status_t aimdb_close_with(aimdb_t *db, int64_t timeout_ns, uint32_t options) {
    GUARD();
    if (options & ~(uint32_t)AIMDB_CLOSE_DRAIN_READERS)
        return side_fail(AIMDB_ERR_ARGUMENT, "options: 0x%x has a bit that is none", (unsigned)options);
    return close_database(db, timeout_ns, options & AIMDB_CLOSE_DRAIN_READERS);
}

aimdb_status_t aimdb_destroy(aimdb_t *db) {
    GUARD();
    aimdb_status_t status;
    IN_GO(goDestroy(HANDLE(db), side_text));
    return status;
}

aimdb_status_t aimdb_register(aimdb_t *db, const char *key, const aimdb_record_config_t *config,
                              aimdb_record_t **record) {
    GUARD();
    NOT_NULL(key);
    NOT_NULL(record);
    aimdb_record_config_t c = AIMDB_RECORD_CONFIG_INIT;
    aimdb_status_t status = config ? side_read(&c, sizeof c, config, "config") : AIMDB_OK;
    if (status != AIMDB_OK) return status;
    uint64_t handle = 0;
    uint64_t exact = c.exact_size == AIMDB_ANY_SIZE ? UINT64_MAX : c.exact_size;
    size_t type_length = c.type_name ? strnlen(c.type_name, AIMDB_TYPE_NAME_MAX + 1) : 0;
    IN_GO(goRegister(HANDLE(db), (char *)key, strnlen(key, AIMDB_KEY_MAX + 1), (uint32_t)c.buffer,
                     c.capacity, c.payload_max, exact, (char *)c.type_name, type_length, &handle,
                     side_text));
    if (status == AIMDB_OK) *record = (aimdb_record_t *)(uintptr_t)handle;
    return status;
}

aimdb_status_t aimdb_open(aimdb_t *db, const char *key, const char *type_name, size_t exact_size,
                          aimdb_record_t **record) {
    GUARD();
    NOT_NULL(key);
    NOT_NULL(record);
    aimdb_status_t status;
    uint64_t handle = 0;
    uint64_t exact = exact_size == AIMDB_ANY_SIZE ? UINT64_MAX : exact_size;
    IN_GO(goOpen(HANDLE(db), (char *)key, strnlen(key, AIMDB_KEY_MAX + 1), (char *)type_name,
                 type_name ? strnlen(type_name, AIMDB_TYPE_NAME_MAX + 1) : 0, exact, &handle,
                 side_text));
    if (status == AIMDB_OK) *record = (aimdb_record_t *)(uintptr_t)handle;
    return status;
}

aimdb_status_t aimdb_record_info(aimdb_record_t *record, aimdb_record_info_t *info) {
    GUARD();
    NOT_NULL(info);
    aimdb_status_t status = side_check(info, sizeof *info, "info");
    if (status != AIMDB_OK) return status;
    aimdb_record_info_t known = {0};
    IN_GO(goRecordInfo(HANDLE(record), &known, side_text));
    if (status == AIMDB_OK) side_write(info, &known, sizeof known);
    return status;
}

aimdb_status_t aimdb_set_producer(aimdb_record_t *record, const aimdb_producer_config_t *config) {
    GUARD();
    NOT_NULL(config);
    aimdb_producer_config_t c = AIMDB_PRODUCER_CONFIG_INIT;
    aimdb_status_t status = side_read(&c, sizeof c, config, "config");
    if (status != AIMDB_OK) return status;
    if (!c.fn) return side_fail(AIMDB_ERR_ARGUMENT, "config.fn: is NULL");
    IN_GO(goSetProducer(HANDLE(record), HANDLE(c.fn), HANDLE(c.user), c.user, c.free, side_text));
    return status;
}

aimdb_status_t aimdb_subscribe(aimdb_record_t *record, const aimdb_consumer_config_t *config,
                               aimdb_consumer_t **consumer) {
    enum { SMALLEST_STACK = 64 << 10 };
    GUARD();
    NOT_NULL(config);
    aimdb_consumer_config_t c = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_status_t status = side_read(&c, sizeof c, config, "config");
    if (status != AIMDB_OK) return status;
    if (!c.fn) return side_fail(AIMDB_ERR_ARGUMENT, "config.fn: is NULL");
    if (c.stack_size && c.stack_size < SMALLEST_STACK)
        return side_fail(AIMDB_ERR_ARGUMENT, "config.stack_size: is %zu, at least %d bytes are needed",
                         c.stack_size, SMALLEST_STACK);
    if ((int)c.dispatch < AIMDB_DEDICATED || (int)c.dispatch > AIMDB_SHARED)
        return side_fail(AIMDB_ERR_ARGUMENT, "config.dispatch: %d is none", (int)c.dispatch);
    side_consumer_t given = {.fn = c.fn, .on_lag = c.on_lag, .user = c.user, .free = c.free,
                             .stack_size = c.stack_size, .shared = c.dispatch == AIMDB_SHARED};
    uint64_t handle = 0;
    IN_GO(goSubscribe(HANDLE(record), &given, &handle, side_text));
    if (status == AIMDB_OK && consumer) *consumer = (aimdb_consumer_t *)(uintptr_t)handle;
    return status;
}

aimdb_status_t aimdb_unsubscribe(aimdb_consumer_t *consumer, aimdb_consumer_stats_t *last) {
    GUARD();
    aimdb_status_t status = last ? side_check(last, sizeof *last, "last") : AIMDB_OK;
    if (status != AIMDB_OK) return status;
    aimdb_consumer_stats_t known;
    side_wait_t wait;
    IN_GO(goUnsubscribe(HANDLE(consumer), inside(), &known, &wait, side_text));
    status = side_await(&wait, status, &known);
    if (status >= 0 && last) side_write(last, &known, sizeof known);
    return status;
}

aimdb_status_t aimdb_reader_open(aimdb_record_t *record, aimdb_reader_t **reader) {
    GUARD();
    NOT_NULL(reader);
    aimdb_status_t status;
    uint64_t handle = 0;
    IN_GO(goReaderOpen(HANDLE(record), &handle, side_text));
    if (status == AIMDB_OK) *reader = (aimdb_reader_t *)(uintptr_t)handle;
    return status;
}

aimdb_status_t aimdb_reader_close(aimdb_reader_t *reader, aimdb_consumer_stats_t *last) {
    GUARD();
    aimdb_status_t status = last ? side_check(last, sizeof *last, "last") : AIMDB_OK;
    if (status != AIMDB_OK) return status;
    aimdb_consumer_stats_t known;
    IN_GO(goReaderClose(HANDLE(reader), &known, side_text));
    if (status == AIMDB_OK && last) side_write(last, &known, sizeof known);
    return status;
}

aimdb_status_t aimdb_reader_fd(aimdb_reader_t *reader, int *fd) {
    GUARD();
    NOT_NULL(fd);
    aimdb_status_t status;
    int32_t opened = -1;
    IN_GO(goReaderFd(HANDLE(reader), &opened, side_text));
    if (status == AIMDB_OK) *fd = opened;
    return status;
}

aimdb_status_t aimdb_database_stats(aimdb_t *db, aimdb_database_stats_t *stats) {
    GUARD();
    NOT_NULL(stats);
    aimdb_status_t status = side_check(stats, sizeof *stats, "stats");
    if (status != AIMDB_OK) return status;
    aimdb_database_stats_t known = AIMDB_DATABASE_STATS_INIT;
    IN_GO(goDatabaseStats(HANDLE(db), &known, side_text));
    if (status == AIMDB_OK) side_write(stats, &known, sizeof known);
    return status;
}
