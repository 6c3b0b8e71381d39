// SPDX-License-Identifier: Apache-2.0
//
// The scenarios, the same code for every system: a program includes this
// after it has defined its system_... functions, so that they can be inlined.
//
//   PROGRAM SCENARIO     one round; a line of JSON per figure
//   PROGRAM version      which release is measured
//
// Exit status 77: the system has no such thing.

#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static const char *scenario;
static unsigned char *value; // of setup.size bytes
static setup_t setup;
static uint64_t pushed; // values so far; the next one's number

static void open_system(setup_t wanted) {
    setup = wanted;
    value = aligned_memory(setup.size);
    if (!system_open(&setup)) skip("no such thing in this system");
}

static inline void push_next(void) {
    stamp(value, setup.size, pushed++);
    system_push(value, setup.size);
}

static uint64_t slowest(void) {
    uint64_t least = UINT64_MAX;
    for (int c = 0; c < setup.consumers; c++) {
        uint64_t got = atomic_load_explicit(&accounts[c].got, memory_order_acquire);
        if (got < least) least = got;
    }
    return least;
}

static void await_all(uint64_t count) {
    unsigned tries = 0;
    uint64_t begun = now();
    while (setup.consumers && slowest() < count) {
        patience(&tries);
        if (tries % 4096 == 0 && now() - begun > 20 * SECOND)
            fail("%lu of %lu values arrived", (unsigned long)slowest(), (unsigned long)count);
    }
}

static bool all_saw(uint64_t probe) {
    for (int c = 0; c < setup.consumers; c++)
        if (atomic_load_explicit(&accounts[c].probe, memory_order_acquire) != probe) return false;
    return true;
}

// Returns when every consumer is subscribed and has nothing pending: some
// systems drop what is sent before their consumers are known to the sender.
static void settle(void) {
    unsigned tries = 0;
    uint64_t begun = now();
    for (uint64_t probe = PROBE; now() - begun < 10 * SECOND; probe++) {
        stamp(value, setup.size, probe);
        system_push(value, setup.size);
        for (uint64_t sent = now(); now() - sent < 10 * MILLISECOND; patience(&tries))
            if (all_saw(probe)) return;
    }
    fail("the consumers do not come up");
}

// Pushes for some time; returns ns per value. With `heed`, never more than the
// capacity ahead of the slowest consumer, and the time ends when all have all.
static double stream(uint64_t duration, bool heed) {
    uint64_t step = heed ? setup.capacity / 4 : 256; // values between looks at the clock
    uint64_t first = pushed, begun = now(), end = begun;
    while (end - begun < duration) {
        for (uint64_t i = 0; i < step; i++) push_next();
        if (heed && pushed > setup.capacity - step) await_all(pushed - (setup.capacity - step));
        end = now();
    }
    if (heed) await_all(pushed), end = now();
    return (double)(end - begun) / (double)(pushed - first);
}

static double measure(bool heed) {
    stream(50 * MILLISECOND, heed);
    return stream(300 * MILLISECOND, heed);
}

// A pass of its own, so that counting costs nothing where time is taken.
static void report_allocations(uint64_t values, bool heed) {
    uint64_t first = pushed;
    counting = true;
    while (pushed - first < values) stream(MILLISECOND, heed);
    counting = false;
    report(scenario, "allocations", (double)allocations / (double)(pushed - first), "1/message");
}

static void push_alone(void) {
    open_system((setup_t){.size = 64, .capacity = 1024});
    report(scenario, "time", measure(false), "ns");
}

static void push_contended(void) {
    open_system((setup_t){.size = 64, .capacity = 1024, .consumers = 1});
    settle();
    expectation = LOSSY;
    stream(50 * MILLISECOND, false);
    uint64_t got = slowest(), first = pushed;
    double ns = stream(300 * MILLISECOND, false);
    got = slowest() - got;
    if (got < 1000) fail("the consumer got only %lu values: it did not run", (unsigned long)got);
    report(scenario, "time", ns, "ns");
    report(scenario, "delivered", (double)got / (double)(pushed - first), "share");
    report_allocations(10000, false);
}

static void lossless(int consumers, size_t size, size_t capacity) {
    open_system((setup_t){.size = size, .capacity = capacity, .consumers = consumers});
    settle();
    double ns = measure(true);
    report(scenario, "time", ns, "ns");
    report(scenario, "rate", (double)size * 1000 / ns, "MB/s");
    report_allocations(10 * capacity, true);
}

static void pause_ns(uint64_t ns) {
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)ns};
    nanosleep(&t, NULL);
}

// Pushes values at rest: each when the one before has arrived, and the gap is over.
static void push_at_rest(uint64_t gap, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pause_ns(gap);
        if (slowest() < pushed) await_all(pushed), pause_ns(gap);
        stamp(value, setup.size, pushed++);
        uint64_t sent = now();
        memcpy(value + 8, &sent, sizeof sent);
        system_push(value, setup.size);
    }
    await_all(pushed);
}

static void wake(uint64_t gap, size_t count) {
    enum { WARM = 100 };
    open_system((setup_t){.size = 64, .capacity = 1024, .consumers = 1, .sleeps = true});
    settle();
    expectation = WAKE;
    push_at_rest(gap, WARM);
    uint64_t slept = accounts[0].slept, begun = now();
    push_at_rest(gap, count);
    report(scenario, "interval", (double)(now() - begun) / (double)count, "ns");
    report(scenario, "slept", (double)(accounts[0].slept - slept) / (double)count, "share");
    report_percentiles(scenario, samples + WARM, count);
}

// CPU time of the process per value at a steady rate, of at most 10,000 pauses
// a second: more are not to be had everywhere, so above that values come in
// groups. Without consumers, the cost of the pacing itself.
static void cpu(uint64_t rate, uint64_t count, int consumers) {
    open_system(
        (setup_t){.size = 64, .capacity = 1024, .consumers = consumers, .sleeps = consumers > 0});
    if (consumers) settle();
    expectation = LOSSY;
    prctl(PR_SET_TIMERSLACK, 1UL); // pauses as long as they should be
    uint64_t group = rate > 10000 ? rate / 10000 : 1;
    uint64_t begun = now(), cpu_begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (pushed < count) {
        uint64_t due = begun + pushed * SECOND / rate;
        struct timespec t = {(time_t)(due / SECOND), (long)(due % SECOND)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        for (uint64_t i = 0; i < group; i++) push_next();
    }
    uint64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun;
    double seconds = (double)(now() - begun) / SECOND;
    if (!consumers) {
        report(scenario, "pacing", (double)used / 1000 / (double)count, "us");
        return;
    }
    // A stall of the machine may have cost values; the last one always arrives.
    for (uint64_t last = now(); atomic_load(&accounts[0].next) < count;)
        if (now() - last > SECOND) fail("the last value did not arrive");
    report(scenario, "cpu", (double)used / 1000 / (double)count, "us");
    report(scenario, "achieved", (double)count / seconds, "1/s");
    report(scenario, "delivered", (double)slowest() / (double)count, "share");
}

static void latest_push(void) {
    open_system((setup_t){.size = 64, .capacity = 1, .shape = LATEST});
    report(scenario, "time", measure(false), "ns");
    report_allocations(10000, false);
}

// Blocks of pushes and blocks of (push, read), in turns; the difference of
// their medians: a clock around each read would cost more than the read.
static void latest_read(void) {
    enum { BLOCK = 256 };
    static uint64_t pushes[SAMPLES_MAX], pairs[SAMPLES_MAX];
    unsigned char out[64];
    size_t blocks = 0;
    open_system((setup_t){.size = 64, .capacity = 1, .shape = LATEST});
    for (uint64_t begun = now(); blocks < SAMPLES_MAX && now() - begun < 350 * MILLISECOND;) {
        uint64_t a = now();
        for (int i = 0; i < BLOCK; i++) push_next();
        uint64_t b = now();
        for (int i = 0; i < BLOCK; i++) {
            push_next();
            system_read(out, sizeof out);
            if (word(out, 0) != pushed - 1 || word(out, 56) != pushed - 1)
                fail("the newest value was not read");
        }
        pairs[blocks] = now() - b, pushes[blocks++] = b - a;
    }
    double difference = (double)median(pairs, blocks) - (double)median(pushes, blocks);
    report(scenario, "time", difference / BLOCK, "ns");
}

static void mailbox_roundtrip(void) {
    enum { WARM = 200, COUNT = 5000, COUNTED = 1000 };
    open_system((setup_t){.size = 64, .capacity = 1, .shape = MAILBOXES, .sleeps = true});
    system_roundtrips(WARM);
    uint64_t begun = now();
    system_roundtrips(COUNT);
    report(scenario, "time", (double)(now() - begun) / COUNT, "ns");
    counting = true;
    system_roundtrips(COUNTED);
    counting = false;
    report(scenario, "allocations", (double)allocations / (2 * COUNTED), "1/message");
}

static void rss_idle(void) {
    uint64_t nothing = resident_nothing();
    open_system((setup_t){.size = 64, .capacity = 1024, .consumers = 1, .sleeps = true});
    settle();
    report(scenario, "memory", (double)resident() - (double)nothing, "KiB");
}

// 1024 values, but no more than 8 MiB of them, and no fewer than 8.
static size_t capacity_for(size_t size) {
    size_t fit = (8u << 20) / size;
    return fit > 1024 ? 1024 : fit < 8 ? 8 : fit;
}

static bool named(const char *name) {
    return strcmp(scenario, name) == 0;
}

int main(int argc, char **argv) {
    unsigned long number;
    if (argc != 2) fail("usage: %s SCENARIO", argv[0]);
    scenario = argv[1];
    if (named("version")) return puts(system_version()) < 0;
    if (named("push_alone_64"))
        push_alone();
    else if (named("push_contended_64"))
        push_contended();
    else if (named("lossless_64"))
        lossless(1, 64, 1024);
    else if (named("fanout8_64"))
        lossless(8, 64, 1024);
    else if (named("lossless_1MiB_4"))
        lossless(4, 1 << 20, 8);
    else if (sscanf(scenario, "throughput_%lu", &number) == 1)
        lossless(1, number, capacity_for(number));
    else if (named("wake_20us"))
        wake(20000, 5000);
    else if (named("wake_1ms"))
        wake(MILLISECOND, 2000);
    else if (named("cpu_1khz"))
        cpu(1000, 10000, 1);
    else if (sscanf(scenario, "cpu_%lu", &number) == 1)
        cpu(number, number > 1000 ? number : 200, 1);
    else if (sscanf(scenario, "pacing_%lu", &number) == 1)
        cpu(number, number > 1000 ? number : 200, 0);
    else if (named("latest_push_64"))
        latest_push();
    else if (named("latest_read_64"))
        latest_read();
    else if (named("mailbox_roundtrip_64"))
        mailbox_roundtrip();
    else if (named("rss_idle"))
        rss_idle();
    else
        fail("no scenario is called %s", scenario);
    system_close();
    return 0;
}
