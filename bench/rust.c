// SPDX-License-Identifier: Apache-2.0
//
// A rival written in Rust: a static library with these functions, which do
// what their namesakes in common.h do, and call received() through
// bench_received.

#include "common.h"

void *rival_open(int shape, bool sleeps, int consumers, size_t size,
                 size_t capacity); // NULL: no such thing
void rival_push(void *rival, const void *data, size_t size);
void rival_read(void *rival, void *data, size_t size);
void rival_roundtrips(void *rival, uint64_t count);
void rival_close(void *rival);

void bench_received(int consumer, const void *data, size_t size);
void bench_received(int consumer, const void *data, size_t size) {
    received(consumer, data, size);
}

static void *rival;

bool system_open(const setup_t *s) {
    rival = rival_open((int)s->shape, s->sleeps, s->consumers, s->size, s->capacity);
    return rival != NULL;
}
void system_push(const void *data, size_t size) {
    rival_push(rival, data, size);
}
void system_read(void *data, size_t size) {
    rival_read(rival, data, size);
}
void system_roundtrips(uint64_t count) {
    rival_roundtrips(rival, count);
}
void system_close(void) {
    rival_close(rival);
}

const char *system_version(void) {
    return BENCH_VERSION;
}

#include "scenarios.h"
