// SPDX-License-Identifier: Apache-2.0
//
// Calls that can't be right: handles that name nothing, structs of no version, NULL,
// values out of their range. The answer is the error that the header gives, or the
// one of the state that the database is in; outputs stay as they were.

#include "random.h"

/* What is wrong, beside the state. */
static set allowed_wrong(const struct range *range, set wrong) {
    set allowed = wrong;
    if (range_may(range, DESTROYED)) allowed |= ERR(HANDLE);
    if (range->to != STARTED || range->from != STARTED) allowed |= ERR(STATE);
    if (range->to >= CLOSING) allowed |= IN(AIMDB_CLOSED);
    if (self()->emitting + self()->other > AIMDB_DEPTH_MAX) allowed |= ERR(DEPTH);
    return allowed;
}

#define WRONG(call, wrong)                                                                         \
    do {                                                                                           \
        struct range range_ = range_begin(db);                                                     \
        aimdb_status_t status_ = CALL(call);                                                       \
        range_end(&range_);                                                                        \
        EXPECT(status_, allowed_wrong(&range_, (wrong)), "%s", #call);                             \
    } while (0)

/* Handles ----------------------------------------------------------------------------------- */

static void wrong_database(struct database *db) {
    aimdb_t *none = (aimdb_t *)no_handle(DATABASE, db);
    const char *is = no_handle_is();
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    aimdb_record_t *record = NULL;
    set wrong = ERR(HANDLE);
    switch (below(6)) {
    case 0: EXPECT(CALL(aimdb_start(none)), wrong, "start of a handle that is %s", is); break;
    case 1: EXPECT(CALL(aimdb_close(none, 0)), wrong, "close of a handle that is %s", is); break;
    case 2: EXPECT(CALL(aimdb_destroy(none)), wrong, "destroy of a handle that is %s", is); break;
    case 3:
        EXPECT(CALL(aimdb_register(none, "key", NULL, &record)), wrong,
               "register of a handle that is %s", is);
        break;
    case 4:
        EXPECT(CALL(aimdb_open(none, "key", NULL, AIMDB_ANY_SIZE, &record)), wrong,
               "open of a handle that is %s", is);
        break;
    case 5:
        EXPECT(CALL(aimdb_database_stats(none, &stats)), wrong,
               "database_stats of a handle that is %s", is);
        break;
    }
    CHECK(record == NULL, "a record's handle was written");
}

static int no_fn(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    (void)emitter, (void)message, (void)user;
    fail(__FILE__, __LINE__, NULL, "a consumer that was refused is called");
    return 0;
}

static int no_producer(aimdb_emitter_t *emitter, const aimdb_message_t *message,
                       aimdb_draft_t *draft, void *user) {
    (void)emitter, (void)message, (void)draft, (void)user;
    fail(__FILE__, __LINE__, NULL, "a producer function that was refused is called");
    return 0;
}

static void no_free(void *user) {
    (void)user;
    fail(__FILE__, __LINE__, NULL, "the free function of what was refused is called");
}

static void wrong_record(struct database *db) {
    aimdb_record_t *none = (aimdb_record_t *)no_handle(RECORD, db);
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    consumer.fn = no_fn, consumer.free = no_free;
    aimdb_producer_config_t producer = {sizeof producer, no_producer, NULL, no_free};
    aimdb_record_stats_t stats = AIMDB_RECORD_STATS_INIT;
    aimdb_record_info_t info = {.struct_size = sizeof info};
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_reader_t *reader = NULL;
    size_t size = 8, produced = 77;
    char bytes[64] = "hostile";
    set wrong = ERR(HANDLE);
    switch (below(8)) {
    case 0: WRONG(aimdb_produce(none, bytes, size), wrong); break;
    case 1: WRONG(aimdb_produce_batch(none, bytes, &size, 1, &produced), wrong); break;
    case 2: WRONG(aimdb_subscribe(none, &consumer, NULL), wrong); break;
    case 3: WRONG(aimdb_reader_open(none, &reader), wrong); break;
    case 4: WRONG(aimdb_record_stats(none, &stats), wrong); break;
    case 5: WRONG(aimdb_record_info(none, &info), wrong); break;
    case 6: WRONG(aimdb_peek(none, bytes, sizeof bytes, &message), wrong); break;
    case 7: WRONG(aimdb_set_producer(none, &producer), wrong | ERR(STATE)); break;
    }
    CHECK(produced == 77 || produced == 0, "a batch to no record says %zu", produced);
    CHECK(reader == NULL, "a reader's handle was written");
}

static void wrong_subscription(struct database *db) {
    aimdb_reader_t *reader = (aimdb_reader_t *)no_handle(READER, db);
    const char *reader_is = no_handle_is();
    aimdb_consumer_t *consumer = (aimdb_consumer_t *)no_handle(CONSUMER, db);
    const char *consumer_is = no_handle_is();
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    char bytes[64] = {0};
    size_t count = 0;
    int fd = -7;
    set wrong = ERR(HANDLE);
    switch (below(8)) {
    case 0:
        EXPECT(CALL(aimdb_unsubscribe(consumer, &stats)), wrong,
               "unsubscribe of a handle that is %s", consumer_is);
        break;
    case 1:
        EXPECT(CALL(aimdb_consumer_stats(consumer, &stats)), wrong,
               "consumer_stats of a handle that is %s", consumer_is);
        break;
    case 2:
        EXPECT(CALL(aimdb_reader_close(reader, &stats)), wrong,
               "reader_close of a handle that is %s", reader_is);
        break;
    case 3:
        EXPECT(CALL(aimdb_try_recv(reader, bytes, sizeof bytes, &message)), wrong,
               "try_recv of a handle that is %s", reader_is);
        break;
    case 4:
        EXPECT(CALL(aimdb_recv(reader, bytes, sizeof bytes, &message, 1000)), wrong,
               "recv of a handle that is %s", reader_is);
        break;
    case 5:
        EXPECT(CALL(aimdb_recv_batch(reader, bytes, sizeof bytes, &message, 1, &count, 0)), wrong,
               "recv_batch of a handle that is %s", reader_is);
        break;
    case 6:
        EXPECT(CALL(aimdb_reader_fd(reader, &fd)), wrong, "reader_fd of a handle that is %s",
               reader_is);
        break;
    case 7:
        EXPECT(CALL(aimdb_reader_stats(reader, &stats)), wrong,
               "reader_stats of a handle that is %s", reader_is);
        break;
    }
    CHECK(fd == -7, "a descriptor was written");
}

/* Structs ----------------------------------------------------------------------------------- */

static size_t no_version(void) {
    static const size_t sizes[] = {0, 1, 4, 7};
    return sizes[below(COUNT(sizes))];
}

/* A later program's struct with something in its tail that is not known here. */
static void later_struct(struct database *db, struct record *record) {
    struct {
        aimdb_consumer_config_t config;
        uint64_t tail[2];
    } wide = {AIMDB_CONSUMER_CONFIG_INIT, {0, 1}};
    wide.config.struct_size = sizeof wide;
    wide.config.fn = no_fn, wide.config.free = no_free;
    WRONG(aimdb_subscribe(record_handle(record), &wide.config, NULL), ERR(VERSION));
}

static void wrong_struct(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    aimdb_config_t config = {.struct_size = no_version()};
    aimdb_record_config_t record_config = {.struct_size = no_version()};
    aimdb_consumer_config_t consumer = {.struct_size = no_version(), .fn = no_fn};
    aimdb_record_stats_t stats = {.struct_size = no_version()};
    aimdb_record_info_t info = {.struct_size = no_version()};
    aimdb_database_stats_t all = {.struct_size = no_version()};
    aimdb_t *none = NULL;
    aimdb_record_t *other = NULL;
    set wrong = ERR(VERSION);
    switch (below(7)) {
    case 0: EXPECT(CALL(aimdb_create(&config, &none)), wrong, "create"); break;
    case 1:
        WRONG(aimdb_register(db_handle(db), "no/version", &record_config, &other),
              wrong | ERR(STATE));
        break;
    case 2: WRONG(aimdb_subscribe(record_handle(record), &consumer, NULL), wrong); break;
    case 3: WRONG(aimdb_record_stats(record_handle(record), &stats), wrong); break;
    case 4: WRONG(aimdb_record_info(record_handle(record), &info), wrong); break;
    case 5: WRONG(aimdb_database_stats(db_handle(db), &all), wrong); break;
    case 6: later_struct(db, record); break;
    }
    CHECK(!none && !other, "a handle was written");
}

/* Arguments ---------------------------------------------------------------------------------- */

static void wrong_key(struct database *db) {
    static const char *const keys[] = {"", "a b", "\xc3\xa4", "a\n"};
    char long_key[300];
    memset(long_key, 'k', 256);
    long_key[256] = 0;
    aimdb_record_t *record = NULL;
    const char *key = chance(20) ? long_key : keys[below(COUNT(keys))];
    if (chance(50))
        WRONG(aimdb_register(db_handle(db), key, NULL, &record), ERR(KEY) | ERR(STATE));
    else
        WRONG(aimdb_open(db_handle(db), key, NULL, AIMDB_ANY_SIZE, &record), ERR(KEY));
    CHECK(!record, "a handle was written");
}

static void wrong_record_config(struct database *db) {
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    struct record *known = record_any(db);
    aimdb_record_t *record = NULL;
    switch (below(4)) {
    case 0: config.capacity = 0; break;
    case 1: config.exact_size = config.payload_max + 1; break;
    case 2: config.buffer = (aimdb_buffer_t)(3 + below(100)); break;
    case 3:
        if (known)
            WRONG(aimdb_register(db_handle(db), known->key, NULL, &record),
                  ERR(EXISTS) | ERR(STATE));
        return;
    }
    WRONG(aimdb_register(db_handle(db), "wrong", &config, &record), ERR(ARGUMENT) | ERR(STATE));
    CHECK(!record, "a handle was written");
}

static void wrong_value(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    size_t size = record->config.payload_max + 1, exact = record->config.exact_size;
    unsigned char *data = calloc(1, size);
    if (exact != AIMDB_ANY_SIZE && exact > 0 && chance(50)) size = below(exact);
    size_t produced = 5;
    switch (below(3)) {
    case 0: WRONG(aimdb_produce(record_handle(record), data, size), ERR(SIZE)); break;
    case 1:
        WRONG(aimdb_produce(record_handle(record), NULL, 1 + below(100)),
              ERR(ARGUMENT) | ERR(SIZE));
        break;
    case 2:
        WRONG(aimdb_produce_batch(record_handle(record), data, &size, 1, &produced), ERR(SIZE));
        CHECK(produced == 0, "a batch of record %u says %zu", record->uid, produced);
        break;
    }
    free(data);
}

static void wrong_subscribe(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = no_fn, config.free = no_free;
    switch (below(4)) {
    case 0: config.fn = NULL; break;
    case 1: config.dispatch = (aimdb_dispatch_t)(2 + below(50)); break;
    case 2: config.stack_size = 1 + below(1000); break;
    case 3: WRONG(aimdb_subscribe(record_handle(record), NULL, NULL), ERR(ARGUMENT)); return;
    }
    WRONG(aimdb_subscribe(record_handle(record), &config, NULL), ERR(ARGUMENT));
}

static void wrong_receive(struct database *db) {
    struct subscription *sub = sub_any(db, true);
    if (!sub) return;
    aimdb_message_t message = AIMDB_MESSAGE_INIT, none = {0};
    char bytes[8];
    size_t count = 0;
    set argument = ERR(ARGUMENT) | ERR(HANDLE), version = ERR(VERSION) | ERR(HANDLE);
    switch (below(5)) {
    case 0:
        WRONG(aimdb_recv(reader_handle(sub), bytes, 8, &message, -1 - (int64_t)below(9)), argument);
        break;
    case 1: WRONG(aimdb_try_recv(reader_handle(sub), bytes, 8, NULL), argument); break;
    case 2: WRONG(aimdb_try_recv(reader_handle(sub), bytes, 8, &none), version); break;
    case 3:
        WRONG(aimdb_recv_batch(reader_handle(sub), bytes, 8, &none, 1, &count, 0), version);
        break;
    case 4: WRONG(aimdb_reader_fd(reader_handle(sub), NULL), argument); break;
    }
}

static void null_argument(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    switch (below(8)) {
    case 7:
        WRONG(aimdb_close_with(db_handle(db), 0, 2 + (uint32_t)below(1000) * 2), ERR(ARGUMENT));
        break;
    case 0: EXPECT(CALL(aimdb_create(NULL, NULL)), ERR(ARGUMENT), "create(NULL, NULL)"); break;
    case 1:
        WRONG(aimdb_register(db_handle(db), "null", NULL, NULL), ERR(ARGUMENT) | ERR(STATE));
        break;
    case 2:
        WRONG(aimdb_open(db_handle(db), record->key, NULL, AIMDB_ANY_SIZE, NULL), ERR(ARGUMENT));
        break;
    case 3: WRONG(aimdb_record_stats(record_handle(record), NULL), ERR(ARGUMENT)); break;
    case 4: WRONG(aimdb_database_stats(db_handle(db), NULL), ERR(ARGUMENT)); break;
    case 5: WRONG(aimdb_reader_open(record_handle(record), NULL), ERR(ARGUMENT)); break;
    case 6: WRONG(aimdb_close(db_handle(db), -1), ERR(ARGUMENT)); break;
    }
}

void do_hostile(struct database *db) {
    static call_fn *const ways[] = {
        wrong_database,      wrong_record, wrong_subscription, wrong_struct,  wrong_key,
        wrong_record_config, wrong_value,  wrong_subscribe,    wrong_receive, null_argument};
    ways[below(COUNT(ways))](db);
}
