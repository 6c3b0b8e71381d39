// SPDX-License-Identifier: Apache-2.0
//
// What the library calls. Each checks that it may run now, looks at what it was
// given, and then does something random: sleep, fail, send values on, call the
// library in any other way.

#include "random.h"

/* Emitters that outlive their callback. */
static void keep(aimdb_emitter_t *emitter) {
    if (chance(5)) ended_add(EMITTER, (uintptr_t)emitter);
}

static void maybe_nap(void) {
    if (!chance(options.profile->naps)) return;
    nap(chance(90) ? below(300000) : below(3000000));
}

static void enter(struct frame *frame) {
    struct subscription *sub = frame->sub;
    CHECK(!sub->quiet && !frame->db->quiet, "subscription %u is called after its end", sub->uid);
    CHECK(!sub->freed, "subscription %u is called after its free function", sub->uid);
    CHECK(!sub->refused, "subscription %u is called though refused", sub->uid);
    CHECK(!sub->left, "subscription %u is called though it unsubscribed in its callback", sub->uid);
    CHECK(atomic_fetch_add(&sub->running, 1) == 0, "subscription %u is called twice at once",
          sub->uid);
    CHECK(frame->emitter != NULL, "subscription %u", sub->uid);
    frame_push(frame);
    keep(frame->emitter);
}

static void leave(struct frame *frame) {
    struct subscription *sub = frame->sub;
    frame_pop();
    CHECK(!sub->quiet && !frame->db->quiet, "subscription %u ran on after its end", sub->uid);
    CHECK(!sub->freed, "subscription %u ran on after its free function", sub->uid);
    atomic_fetch_sub(&sub->running, 1);
}

/* Sends a value on; it says itself how often that may be. */
static void send_on(const struct frame *frame, const struct value *value) {
    if (value->hops == 0 || !database_enter(frame->db)) return;
    unsigned copies = 1 + (unsigned)below(2);
    for (unsigned i = 0; i < copies; i++) {
        struct record *to = record_any(frame->db);
        if (to) send_value(to, frame, value_size(to), value->hops - 1u, 0);
    }
    database_leave(frame->db);
}

static void act_inside(const struct frame *frame) {
    struct database *db = frame->db;
    if (db->handle == 0) return; /* told of in the log before aimdb_create has returned */
    if (self()->emitting > 3 || !chance(options.profile->inner)) return;
    bool own = chance(70);
    if (own ? !database_enter(db) : (db = database_take()) == NULL) return;
    act(db);
    database_leave(db);
}

static void message_check(const struct subscription *sub, const aimdb_message_t *message) {
    CHECK(message->struct_size >= sizeof(aimdb_message_t), "subscription %u", sub->uid);
    CHECK(message->data != NULL && (uintptr_t)message->data % 8 == 0, "subscription %u: data at %p",
          sub->uid, message->data);
}

int on_value(aimdb_emitter_t *emitter, const aimdb_message_t *message, void *user) {
    struct subscription *sub = user;
    struct frame frame = {IN_CONSUMER, emitter, sub->record->db, sub, NULL, NULL};
    uint64_t begun = now();
    enter(&frame);
    message_check(sub, message);
    seen_value(sub, message);
    struct value value = {0};
    if (!record_mute(sub->record)) memcpy(&value, message->data, sizeof value);
    maybe_nap();
    send_on(&frame, &value);
    act_inside(&frame);
    value_read(sub->record, message->data, message->size); /* valid and the same to the end */
    int answer = chance(5) ? (int)below(5) - 2 : 0;
    sub->failures += answer != 0;
    sub->ns += now() - begun;
    leave(&frame);
    return answer;
}

void on_lag(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lagged, void *user) {
    struct subscription *sub = user;
    struct frame frame = {IN_LAG, emitter, sub->record->db, sub, NULL, NULL};
    enter(&frame);
    CHECK(record == record_handle(sub->record), "lag of subscription %u: record %p", sub->uid,
          (void *)record);
    seen_lag(sub, lagged);
    maybe_nap();
    send_on(&frame, &(struct value){.hops = chance(10)});
    act_inside(&frame);
    leave(&frame);
}

/* While a free function runs its thread may call, but the user pointer is gone. */
static void in_free(struct database *db, struct subscription *sub) {
    struct frame frame = {IN_FREE, NULL, db, sub, NULL, NULL};
    frame_push(&frame);
    maybe_nap();
    act_inside(&frame);
    frame_pop();
}

void on_free(void *user) {
    struct subscription *sub = user;
    CHECK(!sub->refused, "subscription %u: free function though refused", sub->uid);
    CHECK(!sub->running, "subscription %u: free function while a callback runs", sub->uid);
    in_free(sub->record->db, sub);
    atomic_fetch_sub(&sub->record->db->live, 1);
    CHECK(atomic_fetch_add(&sub->freed, 1) == 0, "subscription %u: free function again", sub->uid);
}

/* Producer functions ------------------------------------------------------------------- */

static void dive(const struct frame *frame, const struct value *value) {
    if (!(value->flags & VALUE_DIVE) || !database_enter(frame->db)) return;
    struct record *to = record_any(frame->db);
    if (to) send_value(to, frame, value_size(to), 0, VALUE_DIVE);
    database_leave(frame->db);
}

static int answer(const struct record *record, const struct value *value, size_t size,
                  aimdb_draft_t *draft) {
    struct fate fate = value_fate(record, value, size);
    switch (fate.verdict) {
    case ACCEPTS: return AIMDB_ACCEPT;
    case REJECTS: return AIMDB_REJECT;
    case NO_VERDICT: return chance(50) ? 77 : -1;
    case REPLACES_BADLY: draft->size = draft->capacity + 1; return AIMDB_REPLACE;
    case REPLACES: break;
    }
    struct value other = *value;
    other.flags |= VALUE_REPLACED;
    value_write(draft->data, fate.size, &other);
    draft->size = fate.size;
    return AIMDB_REPLACE;
}

static void offered_check(const struct record *record, const aimdb_message_t *message,
                          const aimdb_draft_t *draft) {
    if (self()->handed) /* not in batches */
        CHECK(message->data == self()->handed, "record %u: a producer function sees %p",
              record->uid, message->data);
    CHECK(message->sequence == 0 && message->lagged == 0, "record %u", record->uid);
    CHECK(message->record == record_handle(record), "record %u", record->uid);
    CHECK(draft->capacity == record->config.payload_max && draft->size == 0, "record %u: draft %zu",
          record->uid, draft->capacity);
    CHECK((uintptr_t)draft->data % 8 == 0, "record %u: draft at %p", record->uid, draft->data);
}

int on_produce(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
               void *user) {
    struct record *record = user;
    struct frame frame = {IN_PRODUCER, emitter, record->db, NULL, message->data, NULL};
    uint64_t begun = now();
    CHECK(!record->db->quiet, "record %u: producer function after close", record->uid);
    CHECK(!record->producer_freed, "record %u: producer function after its free function",
          record->uid);
    record->calls++;
    offered_check(record, message, draft);
    struct value value = value_read(record, message->data, message->size);
    const void *handed = self()->handed;
    frame_push(&frame);
    keep(emitter);
    maybe_nap();
    send_on(&frame, &value);
    dive(&frame, &value);
    act_inside(&frame);
    frame_pop();
    self()->handed = handed;
    int verdict = answer(record, &value, message->size, draft);
    record->calls_ns += now() - begun;
    CHECK(!record->db->quiet, "record %u: producer function runs after close", record->uid);
    return verdict;
}

void on_producer_free(void *user) {
    struct record *record = user;
    CHECK(atomic_fetch_add(&record->producer_freed, 1) == 0, "record %u: free function again",
          record->uid);
    in_free(record->db, NULL);
}

/* Log ------------------------------------------------------------------------------------ */

void on_log(aimdb_log_level_t level, const char *text, void *user) {
    struct database *db = user;
    struct frame frame = {IN_LOG, NULL, db, NULL, NULL, NULL};
    CHECK(!db->config_freed, "a log line after the free function: %s", text);
    CHECK((unsigned)level <= AIMDB_LOG_DEBUG, "log level %d", (int)level);
    CHECK(text && text[0] && !strchr(text, '\n'), "log line");
    frame_push(&frame);
    if (chance(10)) maybe_nap();
    if (self()->other < 3) act_inside(&frame);
    frame_pop();
    CHECK(!db->config_freed, "the free function was called while a log line was told");
}

void on_config_free(void *user) {
    struct database *db = user;
    CHECK(atomic_fetch_add(&db->config_freed, 1) == 0, "free function of a database again");
}
