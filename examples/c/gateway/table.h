/* SPDX-License-Identifier: Apache-2.0
 *
 * The live view: a row for each record and each consumer. */
#ifndef GATEWAY_TABLE_H
#define GATEWAY_TABLE_H

#include <aimdb.h>
#include <stdbool.h>

#include "tally.h"

struct record_row {
    const char *name, *buffer;
    aimdb_record_t *record;
    uint64_t before; /* produced at the last view */
};

struct consumer_row {
    const char *name, *record;
    aimdb_consumer_t *consumer; /* or */
    aimdb_reader_t *reader;
    struct tally *tally;
    uint64_t before;
};

aimdb_status_t row_stats(const struct consumer_row *row, aimdb_consumer_stats_t *stats);

/* The next view clears the screen first: lines were typed on it. */
void table_anew(void);
/* Redraws in place on a terminal; one line otherwise. `seconds` since the last. */
void table_show(bool terminal, double seconds, struct record_row *records, size_t record_count,
                struct consumer_row *consumers, size_t consumer_count);

#endif
