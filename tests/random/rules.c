// SPDX-License-Identifier: Apache-2.0
//
// Which status a call may have. The state of a database only goes forward, so
// during a call it was between what had surely happened before the call and what
// had been tried by its end. A try that failed has done nothing and counts no more.

#include "random.h"

#include <stdarg.h>

static void raise_to(atomic_int *place, int value) {
    int old = *place;
    while (old < value && !atomic_compare_exchange_weak(place, &old, value)) continue;
}

void phase_try(struct database *db, int phase) { atomic_fetch_add(&db->tries[phase], 1); }
void phase_failed(struct database *db, int phase) { atomic_fetch_sub(&db->tries[phase], 1); }
void phase_done(struct database *db, int phase) { raise_to(&db->done, phase); }

struct range range_begin(struct database *db) { return (struct range){db, db->done, 0}; }

void range_end(struct range *range) { range_end_of(range, -1); }

/* Without the try that the caller itself has made. */
void range_end_of(struct range *range, int own) {
    int to = range->db->done;
    for (int phase = to + 1; phase < PHASES; phase++)
        if (range->db->tries[phase] > (phase == own)) to = phase;
    if (to == CLOSING) to = QUIET; /* a close under way, or in the background */
    range->to = to;
}

bool range_may(const struct range *range, int phase) {
    return range->from <= phase && phase <= range->to;
}

static set by_phase(const struct range *range, const set sets[PHASES]) {
    set allowed = 0;
    for (int phase = range->from; phase <= range->to; phase++) allowed |= sets[phase];
    return allowed;
}

/* Whether this thread is in a callback of the database: then what it sends is an
 * emission. */
static bool emits(const struct database *db) {
    for (const struct frame *f = self()->top; f; f = f->below)
        if (f->db == db && f->place < IN_FREE) return true;
    return false;
}

/* While a close drains, emissions are taken, until its time has passed. */
set allowed_produce(const struct range *range, set outcome) {
    set draining = IN(AIMDB_CLOSED) | (emits(range->db) ? outcome : 0);
    return by_phase(range,
                    (set[PHASES]){ERR(STATE), outcome, draining, IN(AIMDB_CLOSED), ERR(HANDLE)});
}

set allowed_join(const struct range *range) {
    return by_phase(range, (set[PHASES]){IN(AIMDB_OK), IN(AIMDB_OK), IN(AIMDB_CLOSED),
                                         IN(AIMDB_CLOSED), ERR(HANDLE)});
}

set allowed_look(const struct range *range) {
    set ok = IN(AIMDB_OK);
    return by_phase(range, (set[PHASES]){ok, ok, ok, ok, ERR(HANDLE)});
}

set allowed_setup(const struct range *range, set outcome) {
    set late = ERR(STATE);
    return by_phase(range, (set[PHASES]){outcome, late, late, late, ERR(HANDLE)});
}

static void name_set(char *text, size_t room, set allowed) {
    size_t used = 0;
    text[0] = 0;
    for (int status = -18; status <= 7; status++)
        if (allowed & IN(status) && used < room)
            used += (size_t)snprintf(text + used, room - used, " %s",
                                     status_name((aimdb_status_t)status));
}

void expect(const char *file, int line, aimdb_status_t status, set allowed, const char *format,
            ...) {
    if (allowed & IN(status)) return;
    char names[400], what[300];
    name_set(names, sizeof names, allowed);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fail(file, line, NULL, "%s: answered %s, allowed:%s", what, status_name(status), names);
}
