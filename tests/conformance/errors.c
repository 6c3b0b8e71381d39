/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses and texts: each status has a fixed one, each refusal one that names the
 * argument, of the calling thread; a pointer that must not be NULL; times that are
 * negative; and what a call does not write.
 */
#include "test.h"

TEST(error_each_status_has_a_text_and_unknown_numbers_too)
{
    const char *texts[64];
    size_t count = 0;
    for (int status = AIMDB_ERR_INTERNAL; status <= AIMDB_BLOCKED; status++) {
        const char *text = texts[count++] = aimdb_strerror((aimdb_status_t)status);
        if (!CHECK(text != NULL && text[0] != 0)) return;
        CHECK(text == aimdb_strerror((aimdb_status_t)status)); /* static memory */
        for (size_t i = 0; i + 1 < count; i++) CHECK(strcmp(texts[i], text) != 0);
    }
    static const int unknown[] = { 8, 1000, -19, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < COUNT(unknown); i++) {
        const char *text = aimdb_strerror((aimdb_status_t)unknown[i]);
        if (!CHECK(text != NULL && text[0] != 0)) continue;
        for (size_t k = 0; k < count; k++) CHECK(strcmp(texts[k], text) != 0);
    }
}

TEST(error_version_is_that_of_the_header)
{
    CHECK(strcmp(aimdb_version(), AIMDB_VERSION) == 0);
    CHECK_EQ(aimdb_abi_version(), AIMDB_ABI_VERSION);
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", AIMDB_VERSION_MAJOR, AIMDB_VERSION_MINOR,
             AIMDB_VERSION_PATCH);
    CHECK(strcmp(text, AIMDB_VERSION) == 0);
}

static void look_at_own_error(void *arg)
{
    CHECK(aimdb_last_error()[0] == 0); /* there was none on this thread */
    CHECK_STATUS(aimdb_start(NULL), AIMDB_ERR_HANDLE);
    CHECK(strncmp(aimdb_last_error(), "db", 2) == 0);
    (void)arg;
}

TEST(error_text_is_of_the_last_refusal_on_the_calling_thread)
{
    aimdb_t *db = database();
    struct thread other;
    CHECK_STATUS(aimdb_open(db, "no key", NULL, AIMDB_ANY_SIZE, &(aimdb_record_t *){ 0 }),
                 AIMDB_ERR_KEY);
    CHECK(strncmp(aimdb_last_error(), "key", 3) == 0);
    thread_start(&other, look_at_own_error, NULL);
    thread_join(&other);
    CHECK(strncmp(aimdb_last_error(), "key", 3) == 0);
    numbers(db, AIMDB_RING, 1); /* an outcome, no error */
    CHECK(strncmp(aimdb_last_error(), "key", 3) == 0);
    CHECK_STATUS(aimdb_close(db, 0), AIMDB_ERR_STATE);
    CHECK(strncmp(aimdb_last_error(), "key", 3) != 0);
    CHECK_OK(aimdb_destroy(db));
}

/* The call refuses its argument, and the text begins with the argument's name. */
#define REFUSED(call, status, name)                                                                \
    do {                                                                                           \
        CHECK_STATUS(call, status);                                                                \
        CHECK(strncmp(aimdb_last_error(), name ":", strlen(name ":")) == 0);                       \
    } while (0)

TEST(error_names_the_pointer_that_must_not_be_null)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4), *latest = record(db, "latest", AIMDB_LATEST, 0, 8);
    aimdb_reader_t *in = reader(ring);
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_record_t *made;
    size_t count;
    uint64_t buffer;
    started(db);
    put_range(ring, 1, 1);
    put_range(latest, 1, 1);
    REFUSED(aimdb_create(NULL, NULL), AIMDB_ERR_ARGUMENT, "db");
    REFUSED(aimdb_register(db, NULL, NULL, &made), AIMDB_ERR_ARGUMENT, "key");
    REFUSED(aimdb_register(db, "late", NULL, NULL), AIMDB_ERR_ARGUMENT, "record");
    REFUSED(aimdb_open(db, NULL, NULL, 0, &made), AIMDB_ERR_ARGUMENT, "key");
    REFUSED(aimdb_open(db, "numbers", NULL, 0, NULL), AIMDB_ERR_ARGUMENT, "record");
    REFUSED(aimdb_record_info(ring, NULL), AIMDB_ERR_ARGUMENT, "info");
    REFUSED(aimdb_set_producer(ring, NULL), AIMDB_ERR_ARGUMENT, "config");
    REFUSED(aimdb_produce(ring, NULL, 1), AIMDB_ERR_ARGUMENT, "data");
    REFUSED(aimdb_produce_batch(ring, "", NULL, 1, NULL), AIMDB_ERR_ARGUMENT, "sizes");
    REFUSED(aimdb_subscribe(ring, NULL, NULL), AIMDB_ERR_ARGUMENT, "config");
    REFUSED(aimdb_reader_open(ring, NULL), AIMDB_ERR_ARGUMENT, "reader");
    REFUSED(aimdb_reader_fd(in, NULL), AIMDB_ERR_ARGUMENT, "fd");
    REFUSED(aimdb_try_recv(in, &buffer, 8, NULL), AIMDB_ERR_ARGUMENT, "message");
    REFUSED(aimdb_try_recv(in, NULL, 8, &message), AIMDB_ERR_ARGUMENT, "buffer");
    REFUSED(aimdb_recv(in, &buffer, 8, NULL, 0), AIMDB_ERR_ARGUMENT, "message");
    REFUSED(aimdb_recv(in, NULL, 8, &message, 0), AIMDB_ERR_ARGUMENT, "buffer");
    REFUSED(aimdb_recv_batch(in, NULL, 8, &message, 1, &count, 0), AIMDB_ERR_ARGUMENT, "buffer");
    REFUSED(aimdb_recv_batch(in, &buffer, 8, NULL, 1, &count, 0), AIMDB_ERR_ARGUMENT, "messages");
    REFUSED(aimdb_recv_batch(in, &buffer, 8, &message, 1, NULL, 0), AIMDB_ERR_ARGUMENT, "count");
    REFUSED(aimdb_recv_batch(in, &buffer, 8, &message, 0, &count, 0), AIMDB_ERR_ARGUMENT, "max");
    REFUSED(aimdb_peek(latest, &buffer, 8, NULL), AIMDB_ERR_ARGUMENT, "message");
    REFUSED(aimdb_peek(latest, NULL, 8, &message), AIMDB_ERR_ARGUMENT, "buffer");
    REFUSED(aimdb_database_stats(db, NULL), AIMDB_ERR_ARGUMENT, "stats");
    REFUSED(aimdb_record_stats(ring, NULL), AIMDB_ERR_ARGUMENT, "stats");
    REFUSED(aimdb_reader_stats(in, NULL), AIMDB_ERR_ARGUMENT, "stats");
    check_takes(in, 1, 1); /* nothing was lost by that */
    end(db);
}

TEST(error_of_a_negative_timeout)
{
    aimdb_t *db = database();
    aimdb_record_t *ring = numbers(db, AIMDB_RING, 4);
    aimdb_reader_t *in = reader(ring);
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    uint64_t buffer;
    size_t count;
    started(db);
    put_range(ring, 1, 1);
    static const int64_t negative[] = { -1, -AIMDB_SECOND, INT64_MIN };
    for (size_t i = 0; i < COUNT(negative); i++) {
        REFUSED(aimdb_close(db, negative[i]), AIMDB_ERR_ARGUMENT, "timeout_ns");
        REFUSED(aimdb_recv(in, &buffer, 8, &message, negative[i]), AIMDB_ERR_ARGUMENT, "timeout_ns");
        REFUSED(aimdb_recv_batch(in, &buffer, 8, &message, 1, &count, negative[i]),
                AIMDB_ERR_ARGUMENT, "timeout_ns");
    }
    put_range(ring, 2, 2); /* not closed */
    check_takes(in, 1, 2);
    end(db);
}

/* EMPTY, TIMEOUT and CLOSED say nothing about a value: nothing is written. */
static void check_untouched(aimdb_reader_t *in, aimdb_status_t now, aimdb_status_t waited)
{
    void *const mark = (void *)0x5a5a;
    const aimdb_message_t before = { sizeof before, mark, 77, mark, 77, 77 };
    aimdb_message_t message = before;
    uint64_t buffer = 77;
    size_t count = 77;
    CHECK_STATUS(aimdb_try_recv(in, &buffer, sizeof buffer, &message), now);
    CHECK_STATUS(aimdb_recv(in, &buffer, sizeof buffer, &message, 1), waited);
    CHECK_STATUS(aimdb_recv_batch(in, &buffer, sizeof buffer, &message, 1, &count, 0), now);
    CHECK_EQ(count, 0);
    CHECK_STATUS(aimdb_recv_batch(in, &buffer, sizeof buffer, &message, 1, &count, 1), waited);
    CHECK_EQ(count, 0);
    CHECK_EQ(buffer, 77);
    CHECK(message.data == mark && message.size == 77 && message.record == mark);
    CHECK(message.sequence == 77 && message.lagged == 77);
}

TEST(error_outputs_are_not_written_when_there_is_nothing_to_say)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_RING, AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        aimdb_record_t *numbered = numbers(db, buffers[b], 4);
        aimdb_reader_t *in = reader(numbered);
        check_untouched(in, AIMDB_EMPTY, AIMDB_TIMEOUT);
        started(db);
        check_untouched(in, AIMDB_EMPTY, AIMDB_TIMEOUT);
        put_range(numbered, 1, 1);
        check_takes(in, 1, 1);
        check_untouched(in, AIMDB_EMPTY, AIMDB_TIMEOUT);
        CHECK_OK(aimdb_close(db, LONG_TIME));
        check_untouched(in, AIMDB_CLOSED, AIMDB_CLOSED);
        CHECK_OK(aimdb_destroy(db));
    }
}

TEST(error_of_a_log_level_that_is_none)
{
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    struct sink sink = SINK;
    aimdb_t *db = NULL;
    config.user = &sink;
    config.free = sink_free;
    static const int levels[] = { -1, 5, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < COUNT(levels); i++) {
        config.log_level = (aimdb_log_level_t)levels[i];
        REFUSED(aimdb_create(&config, &db), AIMDB_ERR_ARGUMENT, "config.log_level");
        CHECK(db == NULL);
    }
    CHECK_EQ(sink_frees(&sink), 0);
}
