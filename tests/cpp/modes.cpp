// SPDX-License-Identifier: Apache-2.0
//
// Compiled three times into one program, once in each mode. Units give each
// other handles, and what is the same type in every mode; each catches what its
// own consumers throw, in whatever order they are linked.

#include "test.hpp"

namespace {

// A function pointer: of one type in all units.
void consume(const double &value) {
#ifdef __cpp_exceptions
    if (value > 1) throw value;
#else
    (void)value;
#endif
}

aimdb_consumer_t *subscribed(aimdb_record_t *handle) {
    auto record = aimdb::Record<double>::from_handle(handle).value();
    auto subscription = record.subscribe(&consume).value();
    return subscription.release();
}

} // namespace

aimdb_consumer_t *subscribed_returning(aimdb_record_t *handle);
aimdb_consumer_t *subscribed_without_exceptions(aimdb_record_t *handle);
aimdb::Status produced_returning(aimdb_record_t *handle, aimdb::Bytes value);

#if defined(AIMDB_EXCEPTIONS)

int main() {
    auto db = aimdb::Database::create({aimdb::LogLevel::off, aimdb::forever}).value();
    auto record = db.add<double>("d").value();
    aimdb::Subscription throwing(subscribed(record.handle()));
    aimdb::Subscription returning(subscribed_returning(record.handle()));
    aimdb::Subscription without(subscribed_without_exceptions(record.handle()));
    db.start();
    const double value = 2;
    const aimdb::Bytes bytes(reinterpret_cast<const std::byte *>(&value), sizeof value);
    REQUIRE(produced_returning(record.handle(), bytes) == AIMDB_OK);
    REQUIRE(produced_returning(nullptr, bytes) == AIMDB_ERR_HANDLE);
    REQUIRE(db.close(aimdb::forever) == AIMDB_OK);
    for (const auto *each : {&throwing, &returning, &without}) {
        REQUIRE(each->stats()->delivered == 1);
        REQUIRE(each->stats()->failures == (each == &without ? 0 : 1));
    }
    try {
        (void)aimdb::Record<double>().produce(1);
    } catch (const aimdb::Error &e) {
        REQUIRE(e.status() == AIMDB_ERR_HANDLE);
        return 0;
    }
    return 1;
}

#elif defined(__cpp_exceptions)

aimdb_consumer_t *subscribed_returning(aimdb_record_t *handle) {
    return subscribed(handle);
}
aimdb::Status produced_returning(aimdb_record_t *handle, aimdb::Bytes value) {
    const auto record = aimdb::Record<aimdb::Bytes>::from_handle(handle);
    return record ? record->produce(value) : record.error();
}

#else

aimdb_consumer_t *subscribed_without_exceptions(aimdb_record_t *handle) {
    return subscribed(handle);
}

#endif
