// SPDX-License-Identifier: Apache-2.0
//
// How databases end: at rest, with calls under way, or torn down at once.

#include "random.h"

/* Every value that is there still comes, then CLOSED, each time. */
static void drain_reader(struct subscription *sub) {
    aimdb_status_t status;
    do status = receive_once(sub, true);
    while (status == AIMDB_OK || status == AIMDB_LAGGED);
    EXPECT(status, IN(AIMDB_CLOSED), "reader %u, drained after close", sub->uid);
    EXPECT(receive_once(sub, true), IN(AIMDB_CLOSED), "reader %u, drained after close", sub->uid);
}

static void drain_readers(struct database *db) {
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        if (sub->pull && sub->handle && !sub->ends && chance(80)) drain_reader(sub);
    }
    rest_check(db);
}

static void close_readers(struct database *db) {
    for (int i = 0; i < db->sub_count; i++) {
        struct subscription *sub = db->subs[i];
        if (sub->pull && sub->handle && !sub->ends && chance(50)) close_reader(sub);
    }
    rest_check(db);
}

static void after_close(struct database *db) {
    rest_check(db);
    drain_readers(db);
    close_readers(db);
}

/* At rest everything is delivered: close has nothing to wait for. */
static void end_at_rest(struct database *db) {
    seal(db);
    rest_check(db);
    if (db->done == STARTED) {
        close_database(db, AIMDB_FOREVER);
        CHECK(db->answered == 1, "database %u: close at rest did not answer OK", db->uid);
    }
    if (db->done == QUIET) after_close(db);
}

static void end_under_way(struct database *db) {
    if (db->done >= STARTED) close_database(db, (int64_t)below(20000000));
    if (chance(50)) nap(below(1000000));
    seal(db);
    if (db->done >= CLOSING && db->done < DESTROYED) {
        close_database(db, AIMDB_FOREVER);
        after_close(db);
    }
}

static void end_at_once(struct database *db) {
    if (db->done >= STARTED) close_database(db, (int64_t)below(2) * 100000);
    if (db->done != STARTED) destroy_database(db);
    seal(db);
}

static bool tells_its_end(const struct database *db) {
    for (int i = 0; i < db->sub_count; i++)
        if (!db->subs[i]->pull && !db->subs[i]->has_free) return false;
    return true;
}

/* Free functions come when the last callback has returned, each once. */
static bool all_freed(const struct database *db) {
    for (int i = 0; i < db->sub_count; i++) {
        const struct subscription *sub = db->subs[i];
        if (!sub->pull && !sub->refused && sub->has_free && !sub->freed) return false;
    }
    for (int i = 0; i < db->record_count; i++)
        if (db->records[i].has_producer == 2 && !db->records[i].producer_freed) return false;
    return db->config_freed > 0;
}

/* With one reference, the caller's, and db->ending its own. */
void end_database(struct database *db) {
    uint64_t way = below(3);
    if (way == 0)
        end_at_rest(db);
    else if (way == 1 || !tells_its_end(db))
        end_under_way(db);
    else
        end_at_once(db);
    if (db->done == STARTED) close_database(db, 0);
    if (db->done < DESTROYED) {
        EXPECT(destroy_database(db), IN(AIMDB_OK), "destroy at the end, phase %d", (int)db->done);
    }
    AWAIT(all_freed(db));
    rest_check(db);
    database_remove(db);
    AWAIT(db->refs == 1);
    database_bury(db);
}
