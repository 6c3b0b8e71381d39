/* SPDX-License-Identifier: Apache-2.0
 *
 * Tearing: every word of a payload equals its number, for large payloads in small
 * buffers, with a producer that runs as fast as it can. A payload is published
 * after its last byte, and one overwritten during a copy is never handed over.
 */
#include "test.h"

enum { WORDS_4K = 512, WORDS_64K = 8192, WORDS_8M = 1048576 };
enum { TIMES_4K = 60000, TIMES_64K = 8000, TIMES_8M = 150 };

struct torn {
    aimdb_record_t *record;
    size_t words;
    uint64_t last;
};

static void check_words(const void *data, size_t size, uint64_t number, size_t words)
{
    const uint64_t *word = data;
    if (!CHECK_EQ(size, words * sizeof *word)) return;
    for (size_t i = 0; i < words; i++)
        if (!CHECK_EQ(word[i], number)) return;
}

static void produce_words(void *arg)
{
    struct torn *torn = arg;
    uint64_t *words = malloc(torn->words * sizeof *words);
    REQUIRE(words != NULL);
    for (uint64_t n = 1; n <= torn->last; n++) {
        for (size_t i = 0; i < torn->words; i++) words[i] = n;
        REQUIRE_OK(aimdb_produce(torn->record, words, torn->words * sizeof *words));
    }
    free(words);
}

struct torn_reader {
    struct torn *torn;
    aimdb_reader_t *reader;
    bool waits; /* or asks again and again, to be there while a value is written */
    struct thread thread;
};

static void receive_words(void *arg)
{
    struct torn_reader *in = arg;
    size_t bytes = in->torn->words * sizeof(uint64_t);
    uint64_t *buffer = malloc(bytes);
    REQUIRE(buffer != NULL);
    for (;;) {
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        aimdb_status_t status =
            in->waits ? aimdb_recv(in->reader, buffer, bytes, &message, AIMDB_FOREVER)
                      : aimdb_try_recv(in->reader, buffer, bytes, &message);
        if (status == AIMDB_OK)
            check_words(buffer, message.size, message.sequence, in->torn->words);
        else if (status != AIMDB_LAGGED && status != AIMDB_EMPTY)
            break;
    }
    free(buffer);
}

static int consume_words(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user)
{
    struct torn *torn = user;
    (void)emitter;
    check_words(message->data, message->size, message->sequence, torn->words);
    return 0;
}

static void check_tearing(aimdb_buffer_t buffer, size_t capacity, size_t words, uint64_t last)
{
    aimdb_t *db = database();
    struct torn torn = { record(db, "words", buffer, capacity, words * 8), words, rounds(last) };
    struct torn_reader readers[2] = { { .torn = &torn, .waits = true }, { .torn = &torn } };
    aimdb_consumer_config_t config = consumer_config();
    config.fn = consume_words;
    config.user = &torn;
    REQUIRE_OK(aimdb_subscribe(torn.record, &config, NULL));
    started(db);
    for (int i = 0; i < 2; i++) {
        readers[i].reader = reader(torn.record);
        thread_start(&readers[i].thread, receive_words, &readers[i]);
    }
    produce_words(&torn);
    CHECK_OK(aimdb_close(db, LONG_TIME));
    for (int i = 0; i < 2; i++) thread_join(&readers[i].thread);
    end(db);
}

TEST(tearing_ring_4_kib)
{
    check_tearing(AIMDB_RING, 1, WORDS_4K, TIMES_4K);
    check_tearing(AIMDB_RING, 4, WORDS_4K, TIMES_4K);
}

TEST(tearing_ring_64_kib)
{
    check_tearing(AIMDB_RING, 1, WORDS_64K, TIMES_64K);
    check_tearing(AIMDB_RING, 4, WORDS_64K, TIMES_64K);
}

/* A large memmove may store past the cache, and the scheduler cuts it. */
TEST(tearing_ring_8_mib) { check_tearing(AIMDB_RING, 1, WORDS_8M, TIMES_8M); }

TEST(tearing_latest_4_and_64_kib)
{
    check_tearing(AIMDB_LATEST, 0, WORDS_4K, TIMES_4K);
    check_tearing(AIMDB_LATEST, 0, WORDS_64K, TIMES_64K);
}

TEST(tearing_mailbox_4_and_64_kib)
{
    check_tearing(AIMDB_MAILBOX, 0, WORDS_4K, TIMES_4K);
    check_tearing(AIMDB_MAILBOX, 0, WORDS_64K, TIMES_64K);
}

/* Peek reads without a cursor of its own. */
static void peek_words(void *arg)
{
    struct torn_reader *in = arg;
    size_t bytes = in->torn->words * sizeof(uint64_t);
    uint64_t *buffer = malloc(bytes), newest = 0;
    REQUIRE(buffer != NULL);
    while (newest < in->torn->last) {
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        if (aimdb_peek(in->torn->record, buffer, bytes, &message) != AIMDB_OK) continue;
        check_words(buffer, message.size, message.sequence, in->torn->words);
        CHECK(message.sequence >= newest);
        newest = message.sequence;
    }
    free(buffer);
}

TEST(tearing_peek_4_kib)
{
    static const aimdb_buffer_t buffers[] = { AIMDB_LATEST, AIMDB_MAILBOX };
    for (size_t b = 0; b < COUNT(buffers); b++) {
        aimdb_t *db = database();
        struct torn torn = { record(db, "words", buffers[b], 0, WORDS_4K * 8), WORDS_4K, rounds(TIMES_4K) };
        struct torn_reader peeker = { .torn = &torn };
        started(db);
        thread_start(&peeker.thread, peek_words, &peeker);
        produce_words(&torn);
        thread_join(&peeker.thread);
        end(db);
    }
}
