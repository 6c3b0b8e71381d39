// SPDX-License-Identifier: Apache-2.0
//
// Statistics at any moment, records found and registered, fixed texts.

#include "random.h"

static void look_consumer(struct subscription *sub) {
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    struct range range = range_begin(sub->record->db);
    bool over = sub_over(sub);
    uint64_t seen = sub->seen, told = sub->told;
    aimdb_status_t status = CALL(aimdb_consumer_stats(consumer_handle(sub), &stats));
    uint64_t seen_after = sub->seen;
    range_end(&range);
    set allowed = over ? ERR(HANDLE) : allowed_look(&range) | (sub->ends ? ERR(HANDLE) : 0);
    EXPECT(status, allowed, "consumer_stats of %u, phases %d-%d", sub->uid, range.from, range.to);
    if (status != AIMDB_OK) return;
    account_check(sub, &stats);
    CHECK(seen <= stats.delivered && stats.delivered <= seen_after + 1,
          "subscription %u: delivered %llu, seen %llu before and %llu after", sub->uid,
          (unsigned long long)stats.delivered, (unsigned long long)seen,
          (unsigned long long)seen_after);
    if (sub->record->config.buffer == AIMDB_RING)
        CHECK(stats.lagged >= told, "subscription %u: lagged %llu, told %llu", sub->uid,
              (unsigned long long)stats.lagged, (unsigned long long)told);
}

static void look_reader(struct subscription *sub) {
    aimdb_consumer_stats_t stats = AIMDB_CONSUMER_STATS_INIT;
    struct range range = range_begin(sub->record->db);
    bool over = sub_over(sub);
    uint64_t seen = sub->seen, told = sub->told;
    aimdb_status_t status = CALL(aimdb_reader_stats(reader_handle(sub), &stats));
    range_end(&range);
    set allowed = over ? ERR(HANDLE) : allowed_look(&range) | (sub->ends ? ERR(HANDLE) : 0);
    EXPECT(status, allowed, "reader_stats of %u, phases %d-%d", sub->uid, range.from, range.to);
    if (status != AIMDB_OK) return;
    account_check(sub, &stats);
    CHECK(stats.delivered >= seen && stats.lagged >= told,
          "reader %u: delivered %llu seen %llu, lagged %llu told %llu", sub->uid,
          (unsigned long long)stats.delivered, (unsigned long long)seen,
          (unsigned long long)stats.lagged, (unsigned long long)told);
}

static void look_record(struct record *record) {
    struct {
        aimdb_record_stats_t stats;
        uint64_t tail, beyond;
    } wide = {.stats = AIMDB_RECORD_STATS_INIT, .tail = 7, .beyond = 7};
    bool later = chance(20);
    if (later) wide.stats.struct_size += sizeof wide.tail;
    struct range range = range_begin(record->db);
    uint64_t before = record->ok, taken = record->taken;
    aimdb_status_t status = CALL(aimdb_record_stats(record_handle(record), &wide.stats));
    range_end(&range);
    EXPECT(status, allowed_look(&range), "record_stats, phases %d-%d", range.from, range.to);
    if (status != AIMDB_OK) return;
    const aimdb_record_stats_t *s = &wide.stats;
    CHECK(wide.tail == (later ? 0 : 7) && wide.beyond == 7, "record_stats of a later struct");
    CHECK(before <= s->produced && s->produced <= record->begun, "record %u: produced %llu",
          record->uid, (unsigned long long)s->produced);
    CHECK(s->memory == record_memory(record), "record %u: memory %llu, not %llu", record->uid,
          (unsigned long long)s->memory, (unsigned long long)record_memory(record));
    if (record->config.buffer != AIMDB_MAILBOX) return;
    CHECK(s->pending <= 1 && s->taken >= taken, "record %u: mailbox pending %llu", record->uid,
          (unsigned long long)s->pending);
    CHECK(s->produced == s->taken + s->overwritten + s->pending + s->abandoned,
          "record %u: produced %llu taken %llu overwritten %llu pending %llu abandoned %llu",
          record->uid, (unsigned long long)s->produced, (unsigned long long)s->taken,
          (unsigned long long)s->overwritten, (unsigned long long)s->pending,
          (unsigned long long)s->abandoned);
}

static void look_database(struct database *db) {
    aimdb_database_stats_t stats = AIMDB_DATABASE_STATS_INIT;
    struct range range = range_begin(db);
    aimdb_status_t status = CALL(aimdb_database_stats(db_handle(db), &stats));
    range_end(&range);
    EXPECT(status, allowed_look(&range), "database_stats, phases %d-%d", range.from, range.to);
    if (status == AIMDB_OK)
        CHECK(stats.records <= (uint64_t)db->record_count, "database %u: %llu records", db->uid,
              (unsigned long long)stats.records);
}

static void look_info(struct record *record) {
    aimdb_record_info_t info = {.struct_size = sizeof info};
    struct range range = range_begin(record->db);
    aimdb_status_t status = CALL(aimdb_record_info(record_handle(record), &info));
    range_end(&range);
    EXPECT(status, allowed_look(&range), "record_info, phases %d-%d", range.from, range.to);
    if (status != AIMDB_OK) return;
    bool ring = record->config.buffer == AIMDB_RING;
    CHECK(strcmp(info.key, record->key) == 0 && strcmp(info.type_name, record->type_name) == 0 &&
              info.buffer == record->config.buffer &&
              info.payload_max == record->config.payload_max &&
              info.exact_size == record->config.exact_size &&
              info.capacity == (ring ? record->config.capacity : 1),
          "info of record %u", record->uid);
}

void do_look(struct database *db) {
    bool pull = chance(50);
    struct subscription *sub = sub_any(db, pull);
    struct record *record = record_any(db);
    switch (below(6)) {
    case 0: look_database(db); return;
    case 1:
        if (record) look_info(record);
        return;
    case 2:
        if (record) look_record(record);
        return;
    default:
        if (sub) (pull ? look_reader : look_consumer)(sub);
    }
}

/* Records ---------------------------------------------------------------------------------- */

void do_open(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    bool other_type = chance(10), unknown = chance(10);
    const char *type = other_type                           ? "another"
                       : chance(50) && record->type_name[0] ? record->type_name
                                                            : NULL;
    size_t exact = chance(50) ? AIMDB_ANY_SIZE : record->config.exact_size;
    aimdb_record_t *handle = NULL;
    struct range range = range_begin(db);
    aimdb_status_t status =
        CALL(aimdb_open(db_handle(db), unknown ? "unknown" : record->key, type, exact, &handle));
    range_end(&range);
    set allowed = allowed_look(&range);
    if (unknown || other_type)
        allowed = (allowed & ~IN(AIMDB_OK)) | (unknown ? ERR(NOT_FOUND) : ERR(TYPE));
    EXPECT(status, allowed, "open %s, phases %d-%d", record->key, range.from, range.to);
    if (status == AIMDB_OK)
        CHECK(handle == record_handle(record), "open gave another handle");
    else
        CHECK(handle == NULL, "open wrote a handle with %s", status_name(status));
}

/* A record of mute values has its producer function set at any time, since that
 * changes nothing; the others before anybody can know them. */
static void set_producer(struct record *record, aimdb_record_t *handle) {
    aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
    config.fn = on_produce;
    int was = 0;
    bool first = atomic_compare_exchange_strong(&record->has_producer, &was, 1);
    if (first) config.user = record, config.free = on_producer_free;
    struct range range = range_begin(record->db);
    aimdb_status_t status = CALL(aimdb_set_producer(handle, &config));
    range_end(&range);
    set allowed = allowed_setup(&range, was == 0 ? IN(AIMDB_OK) : ERR(EXISTS));
    if (was) allowed |= ERR(EXISTS);
    EXPECT(status, allowed, "set_producer of record %u, phases %d-%d", record->uid, range.from,
           range.to);
    if (first) record->has_producer = status == AIMDB_OK ? 2 : 0;
}

static bool can_be_set(const struct record *record) {
    return record->has_producer == 2 || (record->has_producer == 0 && record_mute(record));
}

void do_set_producer(struct database *db) {
    struct record *record = record_with(db, can_be_set);
    if (record) set_producer(record, record_handle(record));
}

/* Its handle is known to others last, so that a producer function comes first. */
void do_register(struct database *db) {
    struct record *record = db->done > CREATED ? NULL : record_add(db);
    if (!record) return;
    aimdb_record_t *handle = NULL;
    struct range range = range_begin(db);
    aimdb_status_t status =
        CALL(aimdb_register(db_handle(db), record->key, &record->config, &handle));
    range_end(&range);
    EXPECT(status, allowed_setup(&range, IN(AIMDB_OK)), "register %s, phases %d-%d", record->key,
           range.from, range.to);
    if (status != AIMDB_OK) return;
    if (chance(options.profile->producers)) set_producer(record, handle);
    record->handle = (uintptr_t)handle;
}

void do_fixed_texts(struct database *db) {
    (void)db;
    CHECK(strcmp(aimdb_version(), AIMDB_VERSION) == 0, "version %s", aimdb_version());
    CHECK(aimdb_abi_version() == AIMDB_ABI_VERSION, "ABI version %u", aimdb_abi_version());
    int status = (int)below(60) - 30;
    CHECK(aimdb_strerror((aimdb_status_t)status) && aimdb_strerror((aimdb_status_t)status)[0],
          "text of status %d", status);
    CHECK(aimdb_last_error() != NULL, "last error");
}
