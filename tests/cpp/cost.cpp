// SPDX-License-Identifier: Apache-2.0
//
// The same work through aimdb.h and through aimdb.hpp, for callgrind to count:
// cost c|cpp produce|deliver. cost.sh reads the counts.
//
// Counting is switched on for one thread between the first value and the last.
// A consumer's first callback holds until all values are in the ring: what
// follows is deliveries alone, without a sleep.

#include <valgrind/callgrind.h>

#include "test.hpp"

#include <string_view>

namespace {

constexpr std::uint64_t values = 5000;

struct Sample {
    static constexpr const char *aimdb_type = "test.Sample";
    std::uint64_t number;
    std::uint64_t more[7];
};

Event first, filled;
std::uint64_t sum;

inline void take(const Sample &sample) {
    if (sample.number == 1) {
        first.say();
        filled.wait();
        CALLGRIND_TOGGLE_COLLECT;
    }
    sum += sample.number;
    if (sample.number == values) CALLGRIND_TOGGLE_COLLECT;
}

int take_c(aimdb_emitter_t *, const aimdb_message_t *message, void *) {
    take(*static_cast<const Sample *>(message->data));
    return 0;
}

// Both sides get their record and consumer, and differ in nothing else.
template <typename Produce> void produce_all(bool counted, Produce produce) {
    Sample sample = {};
    for (std::uint64_t n = 1; n <= values; n++) {
        sample.number = n;
        if (counted && n == 2) CALLGRIND_TOGGLE_COLLECT;
        if (produce(sample) != AIMDB_OK) std::abort();
        if (n == 1 && !counted) first.wait();
    }
    if (counted) CALLGRIND_TOGGLE_COLLECT;
    filled.say();
}

void in_c(bool deliver) {
    aimdb_t *db;
    aimdb_record_t *record;
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.capacity = values;
    config.payload_max = config.exact_size = sizeof(Sample);
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    consumer.fn = take_c;
    REQUIRE(aimdb_create(nullptr, &db) == AIMDB_OK);
    REQUIRE(aimdb_register(db, "sample", &config, &record) == AIMDB_OK);
    if (deliver) REQUIRE(aimdb_subscribe(record, &consumer, nullptr) == AIMDB_OK);
    REQUIRE(aimdb_start(db) == AIMDB_OK);
    produce_all(!deliver, [=](const Sample &s) { return aimdb_produce(record, &s, sizeof s); });
    REQUIRE(aimdb_close(db, AIMDB_FOREVER) == AIMDB_OK);
    REQUIRE(aimdb_destroy(db) == AIMDB_OK);
}

void in_cpp(bool deliver) {
    auto db = aimdb::Database::create().value();
    auto record = db.add<Sample>("sample", aimdb::ring(values)).value();
    aimdb::Subscription subscription;
    if (deliver) subscription = record.subscribe([](const Sample &s) { take(s); }).value();
    REQUIRE(db.start());
    produce_all(!deliver, [&](const Sample &s) { return record.produce(s); });
    REQUIRE(db.close(aimdb::forever));
}

} // namespace

int main(int argc, char **argv) {
    REQUIRE(argc == 3);
    const bool deliver = std::string_view(argv[2]) == "deliver";
    if (std::string_view(argv[1]) == "c")
        in_c(deliver);
    else
        in_cpp(deliver);
    REQUIRE(!deliver || sum == values * (values + 1) / 2);
}
