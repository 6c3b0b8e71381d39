// SPDX-License-Identifier: Apache-2.0
//
// A gateway fed by the machine it runs on:
//
//   telemetry  ring      CPU, memory, network, disks from /proc; its producer
//                        function validates, and emits to alerts
//   alerts     ring      thresholds crossed
//   config     latest    a file, re-read when it changes
//   commands   mailbox   lines on stdin: rate N, pause, resume, stop
//   events     ring      what happened, written as JSON lines
//
// and an uplink that is slow on purpose: it lags, and disturbs nobody. At the
// end the accounts of the library are compared with what the consumers counted.

#define _GNU_SOURCE
#include <aimdb.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gateway/proc.h"
#include "gateway/settings.h"
#include "gateway/table.h"
#include "gateway/tally.h"

enum { TELEMETRY, ALERTS, CONFIG, COMMANDS, EVENTS, RECORDS };
enum { CSV, STATISTICS, UPLINK, ALERTER, APPLIER, JOURNAL, OPERATOR, CONSUMERS };

static struct options {
    uint64_t rate;
    double seconds; /* 0: until stopped */
    const char *config, *csv, *events;
    bool require_lag;
} options = {.rate = 200};

static aimdb_t *db;
static struct record_row records[RECORDS] = {
    {"telemetry", "ring", NULL, 0}, {"alerts", "ring", NULL, 0},    {"config", "latest", NULL, 0},
    {"commands", "mailbox", NULL, 0}, {"events", "ring", NULL, 0},
};
static struct tally tallies[CONSUMERS];
static struct consumer_row consumers[CONSUMERS] = {
    {"csv", "telemetry", NULL, NULL, &tallies[CSV], 0},
    {"statistics", "telemetry", NULL, NULL, &tallies[STATISTICS], 0},
    {"uplink", "telemetry", NULL, NULL, &tallies[UPLINK], 0},
    {"alerter", "alerts", NULL, NULL, &tallies[ALERTER], 0},
    {"applier", "config", NULL, NULL, &tallies[APPLIER], 0},
    {"journal", "events", NULL, NULL, &tallies[JOURNAL], 0},
    {"operator", "commands", NULL, NULL, &tallies[OPERATOR], 0},
};
static const int record_of[CONSUMERS] = {TELEMETRY, TELEMETRY, TELEMETRY, ALERTS,
                                         CONFIG,    EVENTS,    COMMANDS};
static _Atomic uint64_t issued[RECORDS];  /* values this program gave to each record */
static _Atomic uint64_t refused[RECORDS]; /* and those the producer function rejected */
static _Atomic uint64_t wanted_rate;
static FILE *csv_file, *events_file;

static void die(const char *what, aimdb_status_t status) {
    fprintf(stderr, "gateway: %s: %s: %s\n", what, aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

static void check(const char *what, aimdb_status_t status) {
    if (status != AIMDB_OK) die(what, status);
}

/* Producing --------------------------------------------------------------- */

/* From a callback with its emitter, from main without. A closing database takes
 * nothing more, which is no error. */
static bool give(aimdb_emitter_t *emitter, int record, const void *value, size_t size) {
    aimdb_status_t status = emitter ? aimdb_emit(emitter, records[record].record, value, size)
                                    : aimdb_produce(records[record].record, value, size);
    if (status == AIMDB_OK) issued[record]++;
    if (status == AIMDB_REJECTED) refused[record]++;
    if (status < 0) die(records[record].name, status);
    return status == AIMDB_OK;
}

/* Several threads tell events: numbering and giving is one act, so that the
 * numbers come in order and one that was not taken leaves no gap. */
__attribute__((format(printf, 2, 3))) static void tell(aimdb_emitter_t *emitter, const char *format,
                                                      ...) {
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t number;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct event e = {.time_ns = now.tv_sec * 1000000000LL + now.tv_nsec};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e.text, sizeof e.text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&one_at_a_time);
    e.number = number + 1;
    if (give(emitter, EVENTS, &e, sizeof e)) number++;
    pthread_mutex_unlock(&one_at_a_time);
}

static struct settings present_settings(void) {
    struct settings s = {.cpu_alert_percent = 90, .memory_alert_percent = 90};
    aimdb_message_t m = AIMDB_MESSAGE_INIT;
    aimdb_status_t status = aimdb_peek(records[CONFIG].record, &s, sizeof s, &m);
    if (status < 0) die("config", status);
    return s;
}

static void watch(aimdb_emitter_t *emitter, const struct telemetry *t, bool memory, double percent,
                  double limit) {
    static bool above[2];
    static uint64_t number;
    bool now = percent > limit;
    if (now && !above[memory]) {
        struct alert a = {number + 1, t->number, percent, limit, memory};
        if (give(emitter, ALERTS, &a, sizeof a)) number++;
    }
    above[memory] = now;
}

static bool is_percent(double p) { return isfinite(p) && p >= 0 && p <= 100; }

/* The producer function of telemetry. Only the main thread produces it. */
static int validate(aimdb_emitter_t *emitter, const aimdb_message_t *message, aimdb_draft_t *draft,
                    void *user) {
    (void)draft, (void)user;
    const struct telemetry *t = message->data;
    if (!is_percent(t->cpu_percent) || !is_percent(t->memory_percent)) return AIMDB_REJECT;
    struct settings s = present_settings();
    watch(emitter, t, false, t->cpu_percent, s.cpu_alert_percent);
    watch(emitter, t, true, t->memory_percent, s.memory_alert_percent);
    return AIMDB_ACCEPT;
}

/* Consuming --------------------------------------------------------------- */

/* Every value begins with its number. */
static uint64_t number_of(const aimdb_message_t *m) { return *(const uint64_t *)m->data; }

static void write_csv(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    (void)emitter;
    const struct telemetry *t = m->data;
    if (csv_file)
        fprintf(csv_file, "%" PRIu64 ",%" PRId64 ",%.1f,%.1f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                t->number, t->time_ns, t->cpu_percent, t->memory_percent, t->received_bytes,
                t->sent_bytes, t->read_sectors, t->written_sectors);
}

/* Of the CPU's load; percentiles from counts of tenths of a percent. */
static struct running {
    uint64_t count, tenths[1001];
    double sum, min, max;
} running = {.min = 100};

static void run_statistics(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    (void)emitter;
    double cpu = ((const struct telemetry *)m->data)->cpu_percent;
    running.count++;
    running.sum += cpu;
    running.min = fmin(running.min, cpu);
    running.max = fmax(running.max, cpu);
    running.tenths[(int)lround(cpu * 10)]++;
}

static double running_p99(void) {
    uint64_t above = 0;
    for (int i = 1000; i >= 0; i--)
        if ((above += running.tenths[i]) * 100 > running.count) return i / 10.0;
    return 0;
}

/* Ten messages a second, as over a thin line. */
static void send_slowly(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    (void)emitter, (void)m;
    uint64_t sent = tally_now() + 100000000;
    struct timespec until = {(time_t)(sent / 1000000000), (long)(sent % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

static void raise_alert(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    const struct alert *a = m->data;
    tell(emitter, "%s at %.1f %%, over %.1f %%", a->memory ? "memory" : "CPU", a->percent, a->limit);
}

static void apply_settings(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    const struct settings *s = m->data;
    if (s->rate) wanted_rate = s->rate;
    tell(emitter, "settings: alerts over CPU %.1f %%, memory %.1f %%", s->cpu_alert_percent,
         s->memory_alert_percent);
}

static void write_json(FILE *to, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f) /* whatever bytes came in, it stays JSON */
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
}

static void write_event(aimdb_emitter_t *emitter, const aimdb_message_t *m) {
    (void)emitter;
    const struct event *e = m->data;
    if (!events_file) return;
    fprintf(events_file, "{\"number\":%" PRIu64 ",\"time_ns\":%" PRId64 ",\"text\":\"", e->number, e->time_ns);
    write_json(events_file, e->text);
    fputs("\"}\n", events_file);
}

typedef void (*handler)(aimdb_emitter_t *emitter, const aimdb_message_t *m);
static const handler handlers[CONSUMERS] = {write_csv,   run_statistics, send_slowly,
                                            raise_alert, apply_settings, write_event};

static int consume(aimdb_emitter_t *emitter, const aimdb_message_t *m, void *user) {
    struct tally *t = user;
    uint64_t begun = tally_now();
    tally_number(t, number_of(m));
    handlers[t - tallies](emitter, m);
    tally_time(t, tally_now() - begun);
    return 0;
}

static void lagged(aimdb_emitter_t *emitter, aimdb_record_t *record, uint64_t lost, void *user) {
    (void)record;
    struct tally *t = user;
    if (!t->told) tell(emitter, "%s lags", consumers[t - tallies].name);
    tally_lag(t, lost);
}

/* Setting up -------------------------------------------------------------- */

static void add_record(int i, aimdb_buffer_t buffer, size_t capacity, size_t size, const char *type) {
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.buffer = buffer;
    config.capacity = capacity;
    config.payload_max = config.exact_size = size;
    config.type_name = type;
    check(records[i].name, aimdb_register(db, records[i].name, &config, &records[i].record));
}

static void add_consumer(int i) {
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = consume;
    config.on_lag = lagged;
    config.user = &tallies[i];
    tallies[i].ordered = record_of[i] != CONFIG; /* a latest value skips without a word */
    check(consumers[i].name,
          aimdb_subscribe(records[record_of[i]].record, &config, &consumers[i].consumer));
}

static void set_up(void) {
    aimdb_config_t quiet = AIMDB_CONFIG_INIT;
    quiet.log_level = AIMDB_LOG_ERROR; /* lag is shown in the table */
    check("database", aimdb_create(&quiet, &db));
    add_record(TELEMETRY, AIMDB_RING, 2048, sizeof(struct telemetry), "gateway.telemetry");
    add_record(ALERTS, AIMDB_RING, 256, sizeof(struct alert), "gateway.alert");
    add_record(CONFIG, AIMDB_LATEST, 1, sizeof(struct settings), "gateway.settings");
    add_record(COMMANDS, AIMDB_MAILBOX, 1, sizeof(struct command), "gateway.command");
    add_record(EVENTS, AIMDB_RING, 256, sizeof(struct event), "gateway.event");
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    producer.fn = validate;
    check("telemetry", aimdb_set_producer(records[TELEMETRY].record, &producer));
    for (int i = CSV; i < OPERATOR; i++) add_consumer(i);
    check("operator", aimdb_reader_open(records[COMMANDS].record, &consumers[OPERATOR].reader));
    wanted_rate = options.rate;
    check("start", aimdb_start(db));
}

/* Running ----------------------------------------------------------------- */

static bool paused, stopping;
static uint64_t rate;

static void set_timer(int timer, uint64_t period_ns) {
    struct timespec period = {(time_t)(period_ns / 1000000000), (long)(period_ns % 1000000000)};
    struct itimerspec every = {period, period};
    if (timerfd_settime(timer, 0, &every, NULL) != 0) {
        perror("gateway: timerfd_settime");
        exit(1);
    }
}

static uint64_t expirations(int timer) {
    uint64_t n = 0;
    return read(timer, &n, sizeof n) == sizeof n ? n : 0;
}

static void sample(uint64_t due) {
    static uint64_t number;
    if (due > rate) due = rate; /* after a long stop: no more than a second's worth */
    for (; due; due--) {        /* more than one if the machine was late */
        struct telemetry t;
        proc_sample(&t);
        t.number = number + 1;
        if (give(NULL, TELEMETRY, &t, sizeof t)) number++;
    }
}

static void reload(void) {
    static struct settings s = {.cpu_alert_percent = 90, .memory_alert_percent = 90};
    char why[100];
    if (!options.config || !settings_changed(options.config)) return;
    if (!settings_read(options.config, &s, why, sizeof why)) {
        tell(NULL, "settings refused: %s", why);
        return;
    }
    s.number++;
    give(NULL, CONFIG, &s, sizeof s);
}

static void understand(const char *line) {
    static uint64_t number;
    struct command c = {.number = number + 1};
    char name[16] = "";
    char figures[16] = "", excess[2], *end = figures;
    int words = sscanf(line, "%15s %15s %1s", name, figures, excess);
    if (words < 1) return;
    c.rate = strtoul(figures, &end, 10);
    if (words == 2 && !strcmp(name, "rate") && !*end && c.rate >= 1 && c.rate <= 10000)
        c.kind = COMMAND_RATE;
    else if (words == 1 && !strcmp(name, "pause"))
        c.kind = COMMAND_PAUSE;
    else if (words == 1 && !strcmp(name, "resume"))
        c.kind = COMMAND_RESUME;
    else if (words == 1 && !strcmp(name, "stop"))
        c.kind = COMMAND_STOP;
    else {
        tell(NULL, "command not understood: %.60s", line);
        return;
    }
    if (give(NULL, COMMANDS, &c, sizeof c)) number++;
}

/* False at the end of the input. */
static bool read_lines(void) {
    static char text[256];
    static size_t held;
    ssize_t n = read(STDIN_FILENO, text + held, sizeof text - 1 - held);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    if (n == 0) { /* a last line may lack its end */
        text[held] = '\0';
        understand(text);
        return false;
    }
    held += (size_t)n;
    char *line = text, *end;
    while ((end = memchr(line, '\n', held))) {
        *end = '\0';
        understand(line);
        table_anew();
        held -= (size_t)(end + 1 - line);
        line = end + 1;
    }
    memmove(text, line, held);
    if (held == sizeof text - 1) held /= 2; /* no command is that long: it is not understood */
    return true;
}

static void obey(const struct command *c) {
    switch (c->kind) {
    case COMMAND_RATE: wanted_rate = c->rate; break;
    case COMMAND_PAUSE: paused = true; break;
    case COMMAND_RESUME: paused = false; break;
    default: stopping = true;
    }
    static const char *const names[] = {"rate", "pause", "resume", "stop"};
    tell(NULL, "command: %s", names[c->kind]);
}

/* The operator: a pull reader, as its descriptor is in the loop. */
static void receive_commands(void) {
    for (;;) {
        struct command c;
        aimdb_message_t m = AIMDB_MESSAGE_INIT;
        aimdb_status_t status = aimdb_try_recv(consumers[OPERATOR].reader, &c, sizeof c, &m);
        if (status == AIMDB_EMPTY || status == AIMDB_CLOSED) return;
        check("commands", status);
        uint64_t begun = tally_now();
        tally_number(&tallies[OPERATOR], c.number);
        obey(&c);
        tally_time(&tallies[OPERATOR], tally_now() - begun);
    }
}

static void follow_rate(int timer) {
    static bool was_paused;
    uint64_t wanted = wanted_rate;
    if (wanted == rate && paused == was_paused) return;
    rate = wanted;
    was_paused = paused;
    set_timer(timer, paused ? 0 : 1000000000 / rate);
}

static void run(int signals) {
    enum { SAMPLE, VIEW, SIGNALS, OPERATOR_FD, INPUT, POLLED };
    bool terminal = isatty(STDOUT_FILENO);
    struct pollfd polled[POLLED] = {
        {timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), POLLIN, 0},
        {timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), POLLIN, 0},
        {signals, POLLIN, 0}, {-1, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    check("commands", aimdb_reader_fd(consumers[OPERATOR].reader, &polled[OPERATOR_FD].fd));
    uint64_t views_per_second = 4, begun = tally_now(), viewed = begun, views = 0;
    set_timer(polled[VIEW].fd, 1000000000 / views_per_second);
    reload();
    while (!stopping) {
        follow_rate(polled[SAMPLE].fd);
        if (poll(polled, POLLED, -1) < 0 && errno != EINTR) break;
        if (polled[SAMPLE].revents) sample(expirations(polled[SAMPLE].fd));
        if (polled[INPUT].revents && !read_lines()) polled[INPUT].fd = -1; /* its end is not ours */
        if (polled[OPERATOR_FD].revents) receive_commands();
        if (polled[SIGNALS].revents) stopping = true;
        if (polled[VIEW].revents && expirations(polled[VIEW].fd)) {
            reload();
            uint64_t now = tally_now();
            if (terminal || ++views % views_per_second == 0) {
                table_show(terminal, (double)(now - viewed) / 1e9, records, RECORDS, consumers, CONSUMERS);
                viewed = now;
            }
            if (options.seconds > 0 && (double)(now - begun) / 1e9 >= options.seconds) stopping = true;
        }
    }
    close(polled[SAMPLE].fd);
    close(polled[VIEW].fd);
}

/* The end ----------------------------------------------------------------- */

static int faults;

static void must(bool holds, const char *name, const char *rule) {
    if (holds) return;
    printf("OFF  %s: %s\n", name, rule);
    faults++;
}

/* Of a subscription: the library's account against the consumer's own count. */
static void check_consumer(int i) {
    const struct consumer_row *c = &consumers[i];
    const struct tally *t = c->tally;
    aimdb_consumer_stats_t s = AIMDB_CONSUMER_STATS_INIT;
    check(c->name, row_stats(c, &s));
    uint64_t given = issued[record_of[i]];
    printf("%-12s offered %8" PRIu64 " = delivered %8" PRIu64 " + lagged %6" PRIu64 " + skipped %3" PRIu64
           " + pending %2" PRIu64 " + abandoned %5" PRIu64 "   p99 %.1f us\n",
           c->name, s.offered, s.delivered, s.lagged, s.skipped, s.pending, s.abandoned,
           (double)tally_p99(t) / 1000);
    must(s.offered == s.delivered + s.lagged + s.skipped + s.pending + s.abandoned, c->name,
         "offered = delivered + lagged + skipped + pending + abandoned");
    must(t->received == s.delivered, c->name, "what it received is what was delivered");
    must(t->wrong == 0, c->name, "each gap in the numbers is the lag it was told");
    must(s.failures == 0, c->name, "no callback failed");
    if (record_of[i] == COMMANDS) return;
    must(s.offered == given, c->name, "it was offered all that was produced");
    must(t->told == s.lagged || (s.abandoned && t->told < s.lagged), c->name,
         "it was told of every loss before it was stopped");
    must(t->received + t->missed == t->last, c->name, "it saw or missed each number up to its last");
    must(given - t->last == s.lagged + s.skipped - t->missed + s.abandoned + s.pending, c->name,
         "each number after its last is lost, pending or abandoned");
}

static void check_record(int i) {
    const struct record_row *r = &records[i];
    aimdb_record_stats_t s = AIMDB_RECORD_STATS_INIT;
    check(r->name, aimdb_record_stats(r->record, &s));
    printf("%-12s produced %8" PRIu64 ", rejected %" PRIu64 ", %" PRIu64 " bytes\n", r->name, s.produced,
           s.rejected, s.bytes);
    must(s.produced == issued[i], r->name, "all that was given is produced");
    must(s.rejected == refused[i], r->name, "all that was refused is rejected");
    if (i != COMMANDS) return;
    const struct tally *t = &tallies[OPERATOR];
    must(s.produced == s.taken + s.overwritten + s.pending + s.abandoned, r->name,
         "produced = taken + overwritten + pending + abandoned");
    must(t->received == s.taken, r->name, "what the operator received is what was taken");
    must(t->missed + (s.produced - t->last) == s.overwritten + s.pending + s.abandoned, r->name,
         "no number is missing but those overwritten");
}

static bool close_output(const char *path, FILE *file) {
    if (!file) return true;
    bool failed = ferror(file);
    failed |= fclose(file) != 0;
    if (failed) fprintf(stderr, "gateway: %s: not all could be written\n", path);
    return !failed;
}

static int finish(void) {
    printf("closing\n");
    aimdb_status_t status = aimdb_close(db, 2 * AIMDB_SECOND);
    if (status < 0 || status == AIMDB_BLOCKED) {
        /* The uplink may be in its pause of 0.1 s: it gets it. */
        if (status == AIMDB_BLOCKED) status = aimdb_close(db, AIMDB_SECOND);
        if (status < 0) die("close", status);
    }
    receive_commands(); /* a pull reader drains by itself */
    printf("closed: %s\n\n", aimdb_strerror(status));
    for (int i = 0; i < RECORDS; i++) check_record(i);
    for (int i = 0; i < CONSUMERS; i++) check_consumer(i);
    if (running.count)
        printf("\nCPU %%: min %.1f, mean %.1f, max %.1f, p99 %.1f\n", running.min,
               running.sum / (double)running.count, running.max, running_p99());
    aimdb_consumer_stats_t uplink = AIMDB_CONSUMER_STATS_INIT;
    check("uplink", row_stats(&consumers[UPLINK], &uplink));
    if (options.require_lag) must(uplink.lagged > 0, "uplink", "it lagged");
    must(status != AIMDB_BLOCKED, "close", "every callback returned");
    printf(faults ? "%d accounts are off\n" : "all accounts balance\n", faults);
    fflush(stdout);
    check("destroy", aimdb_destroy(db));
    if (status == AIMDB_BLOCKED) _exit(1); /* a callback holds its file still */
    bool written = close_output(options.csv, csv_file);
    written &= close_output(options.events, events_file);
    return faults != 0 || !written;
}

static void usage(FILE *to) {
    fputs("usage: gateway [options]\n"
          "  --rate N       samples per second, 1 to 10000 (200)\n"
          "  --seconds N    stop after N seconds\n"
          "  --config FILE  lines of cpu_alert_percent, memory_alert_percent, rate = N;\n"
          "                 re-read when it changes\n"
          "  --csv FILE     telemetry as CSV\n"
          "  --events FILE  events as JSON lines\n"
          "  --require-lag  fail unless the uplink lagged\n"
          "  --help         this text\n"
          "commands on stdin: rate N, pause, resume, stop\n",
          to);
}

static double number_option(const char *name, const char *text, double most) {
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || !(n > 0 && n <= most)) {
        fprintf(stderr, "gateway: --%s: \"%s\" is no number over 0 and up to %g\n", name, text, most);
        exit(2);
    }
    return n;
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"rate", 1, NULL, 'r'}, {"seconds", 1, NULL, 's'}, {"config", 1, NULL, 'f'},
        {"csv", 1, NULL, 'c'}, {"events", 1, NULL, 'e'}, {"require-lag", 0, NULL, 'l'},
        {"help", 0, NULL, 'h'}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (o) {
        case 'r': options.rate = (uint64_t)ceil(number_option("rate", optarg, 10000)); break;
        case 's': options.seconds = number_option("seconds", optarg, 1e9); break;
        case 'f': options.config = optarg; break;
        case 'c': options.csv = optarg; break;
        case 'e': options.events = optarg; break;
        case 'l': options.require_lag = true; break;
        case 'h': usage(stdout); exit(0);
        default: exit(2); /* getopt has said why */
        }
    }
    if (optind < argc) {
        fprintf(stderr, "gateway: \"%s\" is no option\n", argv[optind]);
        exit(2);
    }
}

static FILE *open_output(const char *path) {
    FILE *file = path ? fopen(path, "we") : NULL;
    if (path && !file) {
        fprintf(stderr, "gateway: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    return file;
}

/* Started with stdin, stdout or stderr closed, no file of ours may take its place. */
static void hold_standard_descriptors(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
    hold_standard_descriptors();
    read_options(argc, argv);
    csv_file = open_output(options.csv);
    events_file = open_output(options.events);
    if (csv_file)
        fputs("number,time_ns,cpu_percent,memory_percent,received_bytes,sent_bytes,read_sectors,"
              "written_sectors\n", csv_file);
    if (events_file) setvbuf(events_file, NULL, _IOLBF, BUFSIZ); /* seen as it happens */
    signal(SIGPIPE, SIG_IGN); /* whoever reads our output may leave */
    signal(SIGTTIN, SIG_IGN);
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGHUP);
    sigprocmask(SIG_BLOCK, &end, NULL);
    int signals = signalfd(-1, &end, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0 || !proc_open()) {
        perror("gateway: /proc or signalfd");
        return 1;
    }
    set_up();
    tell(NULL, "started");
    run(signals);
    return finish();
}
