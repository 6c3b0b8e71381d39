// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

aimdb_status_t row_stats(const struct consumer_row *row, aimdb_consumer_stats_t *stats) {
    return row->consumer ? aimdb_consumer_stats(row->consumer, stats)
                         : aimdb_reader_stats(row->reader, stats);
}

static int width(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* One line, cut at the window's edge; the rest of the old line is erased. */
__attribute__((format(printf, 1, 2))) static void row(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    printf("%.*s\033[K\n", width() - 1, line);
}

static double rate(uint64_t now, uint64_t *before, double seconds) {
    double r = seconds > 0 ? (double)(now - *before) / seconds : 0;
    *before = now;
    return r;
}

static void draw_records(double seconds, struct record_row *records, size_t count) {
    row("%-12s %-8s %9s %10s %8s %8s %7s", "RECORD", "BUFFER", "RATE/s", "PRODUCED", "REJECTED",
        "OVERWR.", "READERS");
    for (struct record_row *r = records; r < records + count; r++) {
        aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
        if (aimdb_record_stats(r->record, &s) != AIMDB_OK) continue;
        row("%-12s %-8s %9.1f %10llu %8llu %8llu %7llu", r->name, r->buffer,
            rate(s.produced, &r->before, seconds), (unsigned long long)s.produced,
            (unsigned long long)s.rejected, (unsigned long long)s.overwritten,
            (unsigned long long)s.readers);
    }
}

static void draw_consumers(double seconds, struct consumer_row *consumers, size_t count) {
    row("%-12s %-12s %9s %10s %8s %8s %8s", "CONSUMER", "OF", "RATE/s", "DELIVERED", "LAGGED",
        "PENDING", "P99 us");
    for (struct consumer_row *c = consumers; c < consumers + count; c++) {
        aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
        if (row_stats(c, &s) != AIMDB_OK) continue;
        row("%-12s %-12s %9.1f %10llu %8llu %8llu %8.1f", c->name, c->record,
            rate(s.delivered, &c->before, seconds), (unsigned long long)s.delivered,
            (unsigned long long)s.lagged, (unsigned long long)s.pending,
            (double)tally_p99(c->tally) / 1000);
    }
}

static void print_line(double seconds, struct record_row *records, size_t record_count,
                       struct consumer_row *consumers, size_t consumer_count) {
    for (struct record_row *r = records; r < records + record_count; r++) {
        aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
        if (aimdb_record_stats(r->record, &s) == AIMDB_OK)
            printf("%s %.0f/s  ", r->name, rate(s.produced, &r->before, seconds));
    }
    for (struct consumer_row *c = consumers; c < consumers + consumer_count; c++) {
        aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
        if (row_stats(c, &s) == AIMDB_OK && (s.lagged || s.pending))
            printf("[%s lagged %llu pending %llu] ", c->name, (unsigned long long)s.lagged,
                   (unsigned long long)s.pending);
    }
    printf("\n");
}

static bool drawn;

void table_anew(void) { drawn = false; }

void table_show(bool terminal, double seconds, struct record_row *records, size_t record_count,
                struct consumer_row *consumers, size_t consumer_count) {
    if (!terminal) {
        print_line(seconds, records, record_count, consumers, consumer_count);
    } else {
        /* The cursor stays on the line below the table, where commands are typed. */
        printf(drawn ? "\0337\033[H" : "\033[2J\033[H");
        draw_records(seconds, records, record_count);
        row("%s", "");
        draw_consumers(seconds, consumers, consumer_count);
        row("%s", "");
        row("rate N | pause | resume | stop");
        if (drawn) printf("\0338");
        drawn = true;
    }
    fflush(stdout);
}
