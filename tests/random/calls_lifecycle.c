// SPDX-License-Identifier: Apache-2.0
//
// Start, close, destroy, by anyone at any time, and databases that live for a moment.

#include "random.h"

aimdb_status_t start_database(struct database *db) {
    struct range range = range_begin(db);
    phase_try(db, STARTED);
    aimdb_status_t status = CALL(aimdb_start(db_handle(db)));
    range_end_of(&range, STARTED);
    set allowed = allowed_setup(&range, IN(AIMDB_OK));
    EXPECT(status, allowed, "start, phases %d-%d", range.from, range.to);
    if (status == AIMDB_OK)
        phase_done(db, STARTED);
    else
        phase_failed(db, STARTED);
    return status;
}

void do_start(struct database *db) {
    if (db->done == CREATED || chance(5)) start_database(db);
}

/* Close ---------------------------------------------------------------------------------- */

static set allowed_close(const struct range *range, int64_t timeout) {
    set allowed = 0;
    if (range->from == CREATED) allowed |= ERR(STATE);
    if (range_may(range, DESTROYED)) allowed |= ERR(HANDLE);
    if (range->to == CREATED || range->from == DESTROYED) return allowed;
    set ended = IN(AIMDB_OK) | IN(AIMDB_TIMEOUT);
    if (inside())
        return allowed | IN(AIMDB_IN_PROGRESS) |
               (range->to >= CLOSING ? ended | IN(AIMDB_BLOCKED) : 0);
    if (timeout == AIMDB_FOREVER) return allowed | ended;
    allowed |= ended | IN(AIMDB_BLOCKED);
    return range->to >= CLOSING ? allowed | IN(AIMDB_IN_PROGRESS)
                                : allowed; /* another has more time */
}

/* Without options by either of two names. */
static aimdb_status_t call_close(struct database *db, int64_t timeout, uint32_t options) {
    if (options == 0 && chance(70)) return CALL(aimdb_close(db_handle(db), timeout));
    if (options) db->readers_too = true;
    return CALL(aimdb_close_with(db_handle(db), timeout, options));
}

/* However often and from wherever it is asked, the end is the same; but one who asks
 * for readers as well is told TIMEOUT for these alone. */
static void same_answer(struct database *db, aimdb_status_t status) {
    int answer = status == AIMDB_OK ? 1 : 2, before = 0;
    if (!atomic_compare_exchange_strong(&db->answered, &before, answer) && !db->readers_too)
        CHECK(before == answer, "database %u: close answered %s, before %s", db->uid,
              status == AIMDB_OK ? "OK" : "TIMEOUT", before == 1 ? "OK" : "TIMEOUT");
    db->quiet = true;
}

/* It may wait five seconds more for a thread; how busy the machine is, nobody knows. */
static void in_time(int64_t timeout, uint64_t took) {
    if (timeout == AIMDB_FOREVER) return;
    CHECK(took < (uint64_t)timeout + (uint64_t)((5 + options.patience / 3) * 1e9),
          "close with %.3f s took %.3f s", (double)timeout / 1e9, (double)took / 1e9);
}

static aimdb_status_t close_with(struct database *db, int64_t timeout, uint32_t options) {
    struct range range = range_begin(db);
    phase_try(db, CLOSING);
    uint64_t begun = now();
    aimdb_status_t status = call_close(db, timeout, options);
    in_time(timeout, now() - begun);
    range_end_of(&range, CLOSING);
    EXPECT(status, allowed_close(&range, timeout), "close, %s, phases %d-%d",
           inside() ? "inside" : "outside", range.from, range.to);
    if (status == AIMDB_OK || status == AIMDB_TIMEOUT) {
        same_answer(db, status);
        phase_done(db, QUIET);
    } else if (status > 0)
        phase_done(db, CLOSING);
    else
        phase_failed(db, CLOSING);
    if (status >= 0) db->left = 0;
    return status;
}

aimdb_status_t close_database(struct database *db, int64_t timeout) {
    return close_with(db, timeout, 0);
}

static int64_t some_timeout(void) {
    if (chance(20)) return 0;
    return chance(60) ? (int64_t)below(2000000) : (int64_t)below(50000000);
}

void do_close(struct database *db) {
    if (db->done == CREATED && chance(80)) return;
    close_with(db, some_timeout(), chance(20) ? AIMDB_CLOSE_DRAIN_READERS : 0);
}

/* Destroy ------------------------------------------------------------------------------------ */

aimdb_status_t destroy_database(struct database *db) {
    static const set by_state[PHASES] = {IN(AIMDB_OK), ERR(STATE), IN(AIMDB_OK), IN(AIMDB_OK),
                                         ERR(HANDLE)};
    struct range range = range_begin(db);
    phase_try(db, DESTROYED);
    aimdb_status_t status = CALL(aimdb_destroy(db_handle(db)));
    range_end_of(&range, DESTROYED);
    set allowed = 0;
    for (int phase = range.from; phase <= range.to; phase++) allowed |= by_state[phase];
    EXPECT(status, allowed, "destroy, phases %d-%d", range.from, range.to);
    if (status != AIMDB_OK) {
        phase_failed(db, DESTROYED);
        return status;
    }
    phase_done(db, DESTROYED);
    ended_add(DATABASE, db->handle);
    for (int i = 0; i < db->record_count; i++) ended_add(RECORD, db->records[i].handle);
    db->left = 0;
    return status;
}

void do_destroy(struct database *db) {
    if (db->done == CREATED && chance(90)) return;
    destroy_database(db);
}

/* A database that nobody else knows, from one end to the other. */
static void few_values(aimdb_record_t *record, aimdb_reader_t *reader) {
    uint64_t count = 1 + below(6), got = 0;
    for (uint64_t i = 1; i <= count; i++) {
        bool deep = self()->emitting > AIMDB_DEPTH_MAX;
        EXPECT(CALL(aimdb_produce(record, &i, sizeof i)), deep ? ERR(DEPTH) : IN(AIMDB_OK),
               "brief");
        if (deep) return;
    }
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    for (uint64_t i = 1; i <= count; i++) {
        EXPECT(CALL(aimdb_try_recv(reader, &got, sizeof got, &message)), IN(AIMDB_OK), "brief");
        CHECK(got == i && message.sequence == i, "brief database: value %llu is %llu",
              (unsigned long long)i, (unsigned long long)got);
    }
    EXPECT(CALL(aimdb_try_recv(reader, &got, sizeof got, &message)), IN(AIMDB_EMPTY), "brief");
}

void do_brief_database(struct database *unused) {
    (void)unused;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log_level = AIMDB_LOG_OFF;
    aimdb_t *db = NULL;
    aimdb_record_t *record = NULL;
    aimdb_reader_t *reader = NULL;
    EXPECT(CALL(aimdb_create(&config, &db)), IN(AIMDB_OK), "brief");
    EXPECT(CALL(aimdb_register(db, "brief", NULL, &record)), IN(AIMDB_OK), "brief");
    EXPECT(CALL(aimdb_reader_open(record, &reader)), IN(AIMDB_OK), "brief");
    EXPECT(CALL(aimdb_start(db)), IN(AIMDB_OK), "brief");
    few_values(record, reader);
    EXPECT(CALL(aimdb_close(db, AIMDB_FOREVER)),
           inside() ? IN(AIMDB_IN_PROGRESS) | IN(AIMDB_OK) : IN(AIMDB_OK), "brief");
    EXPECT(CALL(aimdb_destroy(db)), IN(AIMDB_OK), "brief");
    ended_add(DATABASE, (uintptr_t)db);
    ended_add(RECORD, (uintptr_t)record);
    ended_add(READER, (uintptr_t)reader);
}
