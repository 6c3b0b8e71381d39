// SPDX-License-Identifier: Apache-2.0
//
// Each value says which record it is for, who made it, as which, and how long it
// is; all bytes behind that follow from its number. So a value that is torn, cut,
// in a wrong record or never sent is seen wherever it arrives.

#include "random.h"

uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t sum_of(const struct value *v) {
    uint64_t sum = mix(v->number) ^ mix((uint64_t)v->record << 32 | v->size);
    return mix(sum ^ ((uint64_t)v->thread << 32 | (uint32_t)v->hops << 16 | v->flags));
}

static bool nested(void) {
    for (const struct frame *f = self()->top; f; f = f->below)
        if (f->place != IN_CONSUMER && f->place != IN_LAG) return true;
    return false;
}

struct value value_next(const struct record *record, size_t size, unsigned hops, unsigned flags) {
    struct self *me = self();
    struct value value = {
        .number = (uint64_t)me->id << 40 | ++me->numbers,
        .record = record->uid,
        .size = (uint32_t)size,
        .thread = me->id,
        .hops = (uint16_t)hops,
        .flags = (uint16_t)(flags | (nested() ? VALUE_NESTED : 0)),
    };
    value.sum = sum_of(&value);
    return value;
}

/* The byte pattern of mute values. */
static unsigned char mute_byte(uint32_t record, size_t size, size_t i) {
    return (unsigned char)(record * 31 + size * 7 + i * 3 + 1);
}

static void tail_fill(unsigned char *data, size_t size, uint64_t number) {
    uint64_t word = mix(number);
    size_t i = VALUE_MIN;
    for (; i + 8 <= size; i += 8, word += 0x9e3779b97f4a7c15u) memcpy(data + i, &word, 8);
    memcpy(data + i, &word, size - i);
}

/* The first byte that is wrong, or size. */
static size_t tail_wrong(const unsigned char *data, size_t size, uint64_t number) {
    uint64_t word = mix(number);
    size_t i = VALUE_MIN;
    for (; i + 8 <= size; i += 8, word += 0x9e3779b97f4a7c15u)
        if (memcmp(data + i, &word, 8) != 0) return i;
    return memcmp(data + i, &word, size - i) != 0 ? i : size;
}

void value_write(void *data, size_t size, const struct value *value) {
    unsigned char *bytes = data;
    if (size < VALUE_MIN) {
        for (size_t i = 0; i < size; i++) bytes[i] = mute_byte(value->record, size, i);
        return;
    }
    struct value front = *value;
    front.size = (uint32_t)size;
    front.sum = sum_of(&front);
    memcpy(data, &front, sizeof front);
    tail_fill(data, size, front.number);
}

static void mute_check(const struct record *record, const unsigned char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        CHECK(data[i] == mute_byte(record->uid, size, i), "value of record %u: byte %zu of %zu",
              record->uid, i, size);
}

struct value value_read(const struct record *record, const void *data, size_t size) {
    struct value front = {0};
    CHECK(size <= record->config.payload_max, "record %u: %zu bytes", record->uid, size);
    CHECK(record->config.exact_size == AIMDB_ANY_SIZE || size == record->config.exact_size,
          "record %u: %zu bytes", record->uid, size);
    if (record_mute(record)) {
        mute_check(record, data, size);
        return front;
    }
    CHECK(size >= VALUE_MIN, "record %u: %zu bytes, never sent", record->uid, size);
    memcpy(&front, data, sizeof front);
    if (front.sum != sum_of(&front) || front.size != size) {
        fail(__FILE__, __LINE__, NULL,
             "value torn: record %u, front says record %u size %u of %zu, number %llx", record->uid,
             front.record, front.size, size, (unsigned long long)front.number);
        return (struct value){0};
    }
    CHECK(front.record == record->uid, "stray value: of record %u, in record %u", front.record,
          record->uid);
    size_t wrong = tail_wrong(data, size, front.number);
    CHECK(wrong == size, "value torn: record %u, byte %zu of %zu", record->uid, wrong, size);
    return front;
}

static size_t replacement_size(const struct record *record, uint64_t roll) {
    if (record->config.exact_size != AIMDB_ANY_SIZE) return record->config.exact_size;
    size_t most = record->config.payload_max;
    return VALUE_MIN + (most > VALUE_MIN ? roll % (most - VALUE_MIN + 1) : 0);
}

struct fate value_fate(const struct record *record, const struct value *value, size_t size) {
    struct fate fate = {ACCEPTS, size};
    if (record->has_producer < 2 || record_mute(record)) return fate;
    uint64_t roll = mix(value->number ^ (uint64_t)record->uid << 17);
    unsigned of_100 = roll % 100;
    roll >>= 8;
    if (value->flags & VALUE_DIVE || of_100 < 70) return fate;
    fate.verdict = of_100 < 80   ? REJECTS
                   : of_100 < 93 ? REPLACES
                   : of_100 < 96 ? NO_VERDICT
                                 : REPLACES_BADLY;
    if (fate.verdict == REPLACES) fate.size = replacement_size(record, roll);
    return fate;
}

size_t value_size(const struct record *record) {
    size_t most = record->config.payload_max;
    if (record->config.exact_size != AIMDB_ANY_SIZE) return record->config.exact_size;
    if (record_mute(record)) return below(most + 1);
    if (most > 512 && chance(70)) most = 512;
    return VALUE_MIN + below(most - VALUE_MIN + 1);
}
