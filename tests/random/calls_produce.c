// SPDX-License-Identifier: Apache-2.0
//
// Giving values to records: aimdb_produce, aimdb_produce_batch, aimdb_emit.

#include "random.h"

/* The bytes lie in memory of just their size, so that a sanitizer sees a byte too much. */
static void *packed(size_t size) { return size ? malloc(size) : NULL; }

static set outcome_of(enum verdict verdict) {
    switch (verdict) {
    case ACCEPTS:
    case REPLACES: return IN(AIMDB_OK);
    case REJECTS:
    case NO_VERDICT: return IN(AIMDB_REJECTED);
    case REPLACES_BADLY: return ERR(SIZE);
    }
    return 0;
}

/* Emission and produce alike are refused deeper than the limit. Whether free and
 * log functions count is not said. */
static set allowed_at_depth(const struct range *range, set outcome) {
    struct self *me = self();
    set allowed = allowed_produce(range, outcome);
    if (me->emitting > AIMDB_DEPTH_MAX)
        allowed = (allowed & ~(outcome & (IN(AIMDB_OK) | IN(AIMDB_REJECTED)))) | ERR(DEPTH);
    else if (me->emitting + me->other > AIMDB_DEPTH_MAX)
        allowed |= ERR(DEPTH);
    return allowed;
}

static void note_outcome(struct record *record, aimdb_status_t status, const struct fate *fate) {
    if (status == AIMDB_CLOSED) record->db->refused = true;
    if (status == AIMDB_OK) {
        record->bytes += fate->size;
        record->ok++;
    }
    if (status == AIMDB_REJECTED || status == AIMDB_ERR_SIZE) record->rejected++;
}

static aimdb_emitter_t *some_emitter(const struct frame *with) {
    const struct frame *frame = with;
    for (const struct frame *f = self()->top; f; f = f->below) /* an outer one serves as well */
        if (f->emitter && f->db == with->db && chance(20)) frame = f;
    return frame->emitter;
}

/* Without an emitter by aimdb_produce. `other` is what else it may answer. */
static void send(struct record *record, aimdb_emitter_t *emitter, struct value value, set other) {
    size_t size = value.size;
    void *data = packed(size);
    if (record_mute(record)) value.flags = 0;
    value_write(data, size, &value);
    struct fate fate = value_fate(record, &value, size);
    const void *outer = self()->handed;
    self()->handed = data;
    record->begun++;
    struct range range = range_begin(record->db);
    aimdb_status_t status = emitter ? CALL(aimdb_emit(emitter, record_handle(record), data, size))
                                    : CALL(aimdb_produce(record_handle(record), data, size));
    range_end(&range);
    self()->handed = outer;
    EXPECT(status, other | allowed_at_depth(&range, outcome_of(fate.verdict)),
           "%s to record %u, phases %d-%d, depth %d", emitter ? "emit" : "produce", record->uid,
           range.from, range.to, self()->emitting);
    note_outcome(record, status, &fate);
    free(data);
}

/* With a frame now and then by its emitter. */
void send_value(struct record *record, const struct frame *with, size_t size, unsigned hops,
                unsigned flags) {
    bool emits = with && with->emitter && with->db == record->db && chance(70);
    send(record, emits ? some_emitter(with) : NULL, value_next(record, size, hops, flags), 0);
}

/* An emitter that was kept serves any thread while its callback runs, also while a
 * close drains. */
static void send_kept(struct record *record, aimdb_emitter_t *kept) {
    struct value value = value_next(record, value_size(record), 0, VALUE_NESTED);
    set outcome =
        record->db->done < CLOSING ? 0 : outcome_of(value_fate(record, &value, value.size).verdict);
    send(record, kept, value, outcome | ERR(EMITTER) | ERR(HANDLE) | ERR(DEPTH));
}

void poke(struct record *record) {
    size_t size = record_mute(record) || record->config.exact_size != AIMDB_ANY_SIZE
                      ? value_size(record)
                      : VALUE_MIN;
    send_value(record, NULL, size, 0, VALUE_DIVE); /* which is always accepted */
}

void do_produce(struct database *db) {
    struct record *record = record_any(db);
    if (!record) return;
    unsigned count = chance(20) ? 1 + (unsigned)below(60) : 1;
    unsigned hops = chance(40) ? 1 + (unsigned)below(3) : 0;
    for (unsigned i = 0; i < count; i++)
        send_value(record, self()->top, value_size(record), hops, 0);
}

static bool has_producer(const struct record *record) {
    return record->has_producer == 2 && !record_mute(record);
}

/* A value whose producer functions send on and on, to the limit. */
void do_dive(struct database *db) {
    struct record *record = record_with(db, has_producer);
    if (record) send_value(record, self()->top, value_size(record), 0, VALUE_DIVE);
}

/* Batches ------------------------------------------------------------------------------- */

enum { BATCH = 40 };
struct batch {
    struct record *record;
    size_t count, sizes[BATCH];
    struct fate fates[BATCH];
    unsigned char *data;
};

static void batch_make(struct batch *batch) {
    size_t total = 0;
    for (size_t i = 0; i < batch->count; i++) total += batch->sizes[i] = value_size(batch->record);
    batch->data = packed(total);
    unsigned char *at = batch->data;
    for (size_t i = 0; i < batch->count; i++) {
        struct value value = value_next(batch->record, batch->sizes[i], 0, 0);
        value_write(at, batch->sizes[i], &value);
        batch->fates[i] = value_fate(batch->record, &value, batch->sizes[i]);
        if (batch->sizes[i]) at += batch->sizes[i];
    }
}

static void batch_check(const struct batch *batch, const struct range *range, aimdb_status_t status,
                        size_t produced) {
    struct record *record = batch->record;
    CHECK(produced <= batch->count, "batch of record %u", record->uid);
    if (produced > batch->count) return;
    for (size_t i = 0; i < produced; i++) {
        CHECK(outcome_of(batch->fates[i].verdict) == IN(AIMDB_OK), "batch of record %u: value %zu",
              record->uid, i);
        note_outcome(record, AIMDB_OK, &batch->fates[i]);
    }
    if (status == AIMDB_OK) {
        CHECK(produced == batch->count, "batch of record %u", record->uid);
        return;
    }
    CHECK(produced < batch->count, "batch of record %u answered %s", record->uid,
          status_name(status));
    if (produced == batch->count) return;
    const struct fate *fate = &batch->fates[produced];
    EXPECT(status, allowed_at_depth(range, outcome_of(fate->verdict)),
           "batch of record %u, value %zu", record->uid, produced);
    note_outcome(record, status, fate);
}

/* Which value's memory a producer function sees moves along: not checked here. */
static bool fit_for_batch(const struct record *record) { return record->has_producer == 0; }

void do_batch(struct database *db) {
    struct batch batch = {.record = record_any(db), .count = below(chance(80) ? 8 : BATCH)};
    if (!batch.record || !(fit_for_batch(batch.record) || chance(50))) return;
    if (batch.record->config.payload_max > 4096) batch.count %= 5;
    batch_make(&batch);
    const void *outer = self()->handed;
    self()->handed = NULL;
    batch.record->begun += batch.count;
    size_t produced = SIZE_MAX;
    struct range range = range_begin(db);
    aimdb_status_t status = CALL(aimdb_produce_batch(record_handle(batch.record), batch.data,
                                                     batch.sizes, batch.count, &produced));
    range_end(&range);
    self()->handed = outer;
    if (batch.count > 0) batch_check(&batch, &range, status, produced);
    free(batch.data);
}

/* Emitters --------------------------------------------------------------------------------- */

void do_emit(struct database *db) {
    struct frame *top = self()->top;
    struct record *record = record_any(db);
    if (record && top && top->emitter && top->db == db)
        send_value(record, top, value_size(record), chance(30), 0);
    else
        do_produce(db);
}

/* To a record of another database, too many bytes, or with an emitter that is none. */
void do_emit_wrongly(struct database *db) {
    struct frame *top = self()->top;
    struct record *record = record_any(db);
    if (!record) return;
    unsigned char byte[VALUE_MIN] = {0};
    size_t most = record->config.payload_max;
    if (top && top->emitter && top->db != db) {
        EXPECT(CALL(aimdb_emit(top->emitter, record_handle(record), byte, 0)),
               ERR(HANDLE) | (record->config.exact_size != AIMDB_ANY_SIZE ? ERR(SIZE) : 0) |
                   (self()->emitting > AIMDB_DEPTH_MAX ? ERR(DEPTH) : 0),
               "emit to another database");
        return;
    }
    uintptr_t kept = chance(50) ? ended_any(EMITTER) : 0;
    if (kept && chance(60)) {
        send_kept(record, (aimdb_emitter_t *)kept);
        return;
    }
    aimdb_emitter_t *emitter =
        kept ? (aimdb_emitter_t *)kept : (aimdb_emitter_t *)no_handle(DATABASE, db);
    /* One that was kept may be of a callback that still runs: then the size is wrong. */
    size_t size = most + 1;
    unsigned char *data = calloc(1, size);
    EXPECT(CALL(aimdb_emit(emitter, record_handle(record), data, size)),
           ERR(EMITTER) |
               (kept ? ERR(SIZE) | ERR(HANDLE) | ERR(DEPTH) | ERR(STATE) | IN(AIMDB_CLOSED) : 0),
           "emit with an emitter that %s", kept ? "was kept" : "is none");
    free(data);
}
