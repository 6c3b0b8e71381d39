// SPDX-License-Identifier: Apache-2.0
//
// aimdb.hpp, rule by rule. Compiled with exceptions, with AIMDB_EXCEPTIONS, and
// with neither exceptions nor RTTI.

#include "test.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
#endif

using namespace std::chrono_literals;

namespace {

struct Temperature {
    static constexpr const char *aimdb_type = "test.Temperature";
    double celsius;
    std::uint32_t number;
};

// As long as Temperature, and yet something else.
struct Command {
    std::uint64_t code;
    std::uint64_t argument;
};

struct alignas(64) Wide {
    static constexpr const char *aimdb_type = "test.Wide";
    std::uint64_t words[8];
};

struct Plain {
    std::uint32_t number;
    explicit Plain(std::uint32_t n) : number(n) {} // has no default constructor
    static constexpr const char *aimdb_type = "test.Plain";
};

struct Three {
    static constexpr const char *aimdb_type = "test.Three";
    unsigned char bytes[3];
};

} // namespace

template <> struct aimdb::TypeName<Command> {
    static constexpr const char *value = "test.Command";
};

namespace {

aimdb::Database quiet() {
    aimdb::DatabaseOptions options;
    options.log_level = aimdb::LogLevel::off;
    return aimdb::Database::create(options).value();
}

// With AIMDB_EXCEPTIONS an error is thrown, else returned.
template <typename Call> aimdb::Status status_of(Call &&call) {
#ifdef AIMDB_EXCEPTIONS
    try {
        return call();
    } catch (const aimdb::Error &e) {
        REQUIRE(std::string(e.what()).find(e.status().text()) == 0);
        return e.status();
    }
#else
    return call();
#endif
}
#define STATUS(want, call) REQUIRE(status_of([&]() -> aimdb::Status { return (call); }) == (want))
#define FAILS(want, call) REQUIRE(status_of([&] { return (call).status(); }) == (want))

// Counts its living copies, moves among them.
struct Counted {
    static inline std::atomic<int> alive{0};
    Counted() { alive++; }
    Counted(const Counted &) { alive++; }
    Counted(Counted &&) noexcept { alive++; }
    Counted &operator=(const Counted &) = default;
    Counted &operator=(Counted &&) = default;
    ~Counted() { alive--; }
};

void values_reach_lambdas_in_order() {
    auto db = quiet();
    auto record = db.add<Temperature>("t").value();
    std::vector<std::uint32_t> plain, message;
    auto a = record.subscribe([&](const Temperature &t) { plain.push_back(t.number); }).value();
    auto b = record.subscribe([&](const aimdb::Message<Temperature> &m) {
        REQUIRE(m.sequence() == m->number && (*m).celsius == m.value().celsius);
        message.push_back(m->number);
    });
    auto c = record.subscribe([&](auto &m) { REQUIRE(m.sequence() == m->number); });
    STATUS(AIMDB_OK, db.start());
    for (std::uint32_t n = 1; n <= 100; n++) STATUS(AIMDB_OK, record.produce({n / 2.0, n}));
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(plain.size() == 100 && plain == message);
    for (std::uint32_t n = 1; n <= 100; n++) REQUIRE(plain[n - 1] == n);
    REQUIRE(a.stats()->delivered == 100 && a.stats()->failures == 0);
}

void a_record_opens_only_as_what_it_is() {
    auto db = quiet();
    auto temperature = db.add<Temperature>("t").value();
    REQUIRE(db.open<Temperature>("t")->handle() == temperature.handle());
    REQUIRE(sizeof(Command) == sizeof(Temperature));
    FAILS(AIMDB_ERR_TYPE, db.open<Command>("t"));
    FAILS(AIMDB_ERR_TYPE, db.open<double>("t"));
    REQUIRE(db.open<aimdb::Bytes>("t").ok());
    auto info = temperature.info().value();
    REQUIRE(info.exact_size == sizeof(Temperature) && info.payload_max == sizeof(Temperature));
    REQUIRE(std::string(info.type_name) == "test.Temperature" && std::string(info.key) == "t");
    auto number = db.add<std::uint32_t>("n").value();
    REQUIRE(std::string(number.info()->type_name) == "uint32");
    FAILS(AIMDB_ERR_TYPE, db.open<float>("n")); // of the same size
}

void keys_are_checked_not_cut() {
    auto db = quiet();
    const std::string longest(255, 'k'), longer(256, 'k'), far_longer(10000, 'k');
    REQUIRE(db.add<double>(longest).ok());
    FAILS(AIMDB_ERR_KEY, db.add<double>(longer));
    FAILS(AIMDB_ERR_KEY, db.add<double>(far_longer));
    FAILS(AIMDB_ERR_KEY, db.open<double>(far_longer));
    FAILS(AIMDB_ERR_KEY, db.add<double>(""));
    FAILS(AIMDB_ERR_KEY, db.add<double>(std::string_view("a\0b", 3)));
    REQUIRE(db.add<double>(std::string_view("part of it").substr(0, 4)).ok());
    REQUIRE(db.open<double>("part").ok());
    FAILS(AIMDB_ERR_EXISTS, db.add<double>("part"));
}

void options_reach_the_record() {
    auto db = quiet();
    auto ring = db.add<aimdb::Bytes>("ring", aimdb::ring(7, 99)).value().info().value();
    REQUIRE(ring.buffer == AIMDB_RING && ring.capacity == 7 && ring.payload_max == 99);
    REQUIRE(ring.exact_size == AIMDB_ANY_SIZE && ring.type_name[0] == '\0');
    auto latest = db.add<double>("latest", aimdb::latest()).value().info().value();
    REQUIRE(latest.buffer == AIMDB_LATEST && latest.payload_max == 8);
    auto mailbox = db.add<aimdb::Bytes>("mailbox", aimdb::mailbox(5)).value().info().value();
    REQUIRE(mailbox.buffer == AIMDB_MAILBOX && mailbox.payload_max == 5);
    aimdb::RecordOptions typed;
    typed.exact_size = 16;
    typed.type_name = "test.Command";
    REQUIRE(db.add<aimdb::Bytes>("typed", typed).ok() && db.open<Command>("typed").ok());
    FAILS(AIMDB_ERR_ARGUMENT, db.add<double>("none", aimdb::ring(0)));
    REQUIRE(db.stats()->records == 4 && db.stats()->memory > 0);
}

void bytes_are_any_bytes() {
    auto db = quiet();
    auto record = db.add<aimdb::Bytes>("b", aimdb::ring(16, 32)).value();
    auto reader = record.reader().value();
    std::vector<std::string> seen;
    auto s = record.subscribe([&](aimdb::Bytes b) { seen.emplace_back(aimdb::as_text(b)); });
    STATUS(AIMDB_OK, db.start());
    const std::array<std::byte, 3> array{};
    const std::vector<std::byte> none;
    STATUS(AIMDB_OK, record.produce(aimdb::as_bytes("hello")));
    STATUS(AIMDB_OK, record.produce(array));
    STATUS(AIMDB_OK, record.produce(none));
    STATUS(AIMDB_ERR_SIZE, record.produce(aimdb::as_bytes(std::string(33, 'x'))));
    std::byte small[4], large[32];
    STATUS(AIMDB_ERR_TOO_SMALL, reader.try_recv(small).status());
    const auto too_large = reader.try_recv(small); // an outcome in every mode
    REQUIRE(too_large.status() == AIMDB_ERR_TOO_SMALL && too_large.needed() == 5);
    REQUIRE((*too_large).empty());
    aimdb::Batch<aimdb::Bytes> narrow(2, 4);
    REQUIRE(reader.recv_batch(narrow, 0s) == AIMDB_ERR_TOO_SMALL && narrow.needed() == 5);
    auto first = reader.recv(large, 1min);
    REQUIRE(first.ok() && first.needed() == 0);
    REQUIRE(first && aimdb::as_text(*first) == "hello" && first.sequence() == 1);
    REQUIRE(first.value().data() == large);
    REQUIRE(reader.try_recv(large).value().size() == 3);
    auto third = reader.try_recv(large);
    REQUIRE(third && third.value().empty());
    REQUIRE(reader.try_recv(large).status() == AIMDB_EMPTY);
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(seen.size() == 3 && seen[0] == "hello" && seen[1].size() == 3 && seen[2].empty());
}

void readers_receive_lag_and_close() {
    auto db = quiet();
    auto record = db.add<Plain>("p", aimdb::ring(4)).value();
    auto reader = record.reader().value();
    STATUS(AIMDB_OK, db.start());
    REQUIRE(reader.recv(0ms).status() == AIMDB_EMPTY);
    REQUIRE(reader.recv(1us).status() == AIMDB_TIMEOUT);
    REQUIRE(reader.try_recv().status() == AIMDB_EMPTY);
    STATUS(AIMDB_ERR_ARGUMENT, reader.recv(-1ns).status());
    STATUS(AIMDB_ERR_ARGUMENT, reader.recv(std::chrono::hours::min()).status());
    for (std::uint32_t n = 1; n <= 10; n++) STATUS(AIMDB_OK, record.produce(Plain(n)));
    auto lag = reader.try_recv();
    REQUIRE(lag.status() == AIMDB_LAGGED && lag.lagged() == 6);
    auto copy(lag);
    REQUIRE(copy.lagged() == 6);
    auto seventh = reader.recv(std::chrono::hours::max()); // for ever, no overflow
    REQUIRE(seventh && seventh->number == 7 && seventh.sequence() == 7 && seventh.lagged() == 0);
    REQUIRE(reader.stats()->pending == 3);
    REQUIRE(reader.fd().value() >= 0);
    std::thread waiter([other = record.reader().value()] {
        REQUIRE(other.recv(aimdb::forever).status() == AIMDB_CLOSED);
    });
    STATUS(AIMDB_OK, db.close(0s));
    waiter.join();
    for (int i = 0; i < 3; i++) REQUIRE(reader.recv(1.5s).status() == AIMDB_OK);
    REQUIRE(reader.try_recv().status() == AIMDB_CLOSED);
    aimdb::ConsumerStats last;
    STATUS(AIMDB_OK, reader.close(&last));
    REQUIRE(last.delivered == 4 && last.lagged == 6 && last.offered == 10);
    FAILS(AIMDB_ERR_HANDLE, reader.stats());
    FAILS(AIMDB_CLOSED, record.reader());
    FAILS(AIMDB_CLOSED, record.subscribe([](const Plain &) {}));
}

void batches_take_what_is_there() {
    auto db = quiet();
    auto three = db.add<Three>("three", aimdb::ring(8)).value();
    auto wide = db.add<Wide>("wide").value();
    auto bytes = db.add<aimdb::Bytes>("bytes").value();
    auto r3 = three.reader().value();
    auto rw = wide.reader().value();
    auto rb = bytes.reader().value();
    STATUS(AIMDB_OK, db.start());
    aimdb::Batch<Three> batch(5);
    REQUIRE(r3.recv_batch(batch, 0s) == AIMDB_EMPTY && batch.empty());
    for (unsigned char n = 1; n <= 10; n++) STATUS(AIMDB_OK, three.produce({{n, n, n}}));
    REQUIRE(r3.recv_batch(batch, 0s) == AIMDB_LAGGED && batch.empty() && batch.lagged() == 2);
    STATUS(AIMDB_OK, r3.recv_batch(batch, 1min));
    REQUIRE(batch.size() == 5 && batch.lagged() == 0);
    std::uint64_t expected = 3;
    for (auto m : batch) REQUIRE(m.sequence() == expected && m->bytes[2] == expected++);
    STATUS(AIMDB_OK, r3.recv_batch(batch, 0s));
    REQUIRE(batch.size() == 3 && batch[2].value().bytes[0] == 10);
    using Iterator = decltype(batch.begin());
    static_assert(
        std::is_same_v<std::iterator_traits<Iterator>::value_type, aimdb::Message<Three>>);
    static_assert(std::is_base_of_v<std::input_iterator_tag,
                                    std::iterator_traits<Iterator>::iterator_category>);
    const auto tenth =
        std::find_if(batch.begin(), batch.end(), [](auto m) { return m.sequence() == 10; });
    REQUIRE(tenth != batch.end() && tenth->value().bytes[0] == 10 &&
            std::next(tenth) == batch.end());
    const std::vector<aimdb::Message<Three>> copies(batch.begin(), batch.end());
    REQUIRE(copies.size() == 3 && copies[0].sequence() == 8);
#ifdef __cpp_lib_ranges
    static_assert(std::ranges::forward_range<decltype(batch)>);
    static_assert(std::ranges::sized_range<decltype(batch)>);
    REQUIRE(std::ranges::max(batch, {}, [](auto m) { return m.sequence(); })->bytes[0] == 10);
#endif

    aimdb::Batch<Wide> wides(4);
    for (std::uint64_t n = 0; n < 3; n++)
        STATUS(AIMDB_OK, wide.produce({{n, n, n, n, n, n, n, n}}));
    STATUS(AIMDB_OK, rw.recv_batch(wides, 0s));
    REQUIRE(wides.size() == 3 && wides[2].value().words[7] == 2);

    aimdb::Batch<aimdb::Bytes> texts(10, 32);
    for (const char *t : {"one", "twentyfour bytes of text", "three"})
        STATUS(AIMDB_OK, bytes.produce(aimdb::as_bytes(t)));
    STATUS(AIMDB_OK, rb.recv_batch(texts, 0s));
    REQUIRE(texts.size() == 2 && aimdb::as_text(*texts[1]) == "twentyfour bytes of text");

    aimdb::Batch<Three> none(0), huge(SIZE_MAX / 16);
    STATUS(AIMDB_ERR_NO_MEMORY, r3.recv_batch(none, 0s));
    STATUS(AIMDB_ERR_NO_MEMORY, r3.recv_batch(huge, 0s));
}

void batches_are_produced() {
    auto db = quiet();
    auto three = db.add<Three>("three", aimdb::ring(500)).value();
    auto bytes = db.add<aimdb::Bytes>("bytes").value();
    auto limited = db.add<double>("limited").value();
    STATUS(AIMDB_OK, limited.set_producer([](double d) {
        return d < 70 ? aimdb::Verdict::accept : aimdb::Verdict::reject;
    }));
    auto r3 = three.reader().value();
    auto rb = bytes.reader().value();
    STATUS(AIMDB_OK, db.start());
    std::vector<Three> values(200);
    for (unsigned char n = 0; n < 200; n++) values[n] = {{n, n, n}};
    std::size_t produced = 0;
    STATUS(AIMDB_OK, three.produce_batch(values, &produced));
    REQUIRE(produced == 200);
    for (unsigned char n = 0; n < 200; n++) REQUIRE(r3.try_recv()->bytes[2] == n);
    REQUIRE(r3.try_recv().status() == AIMDB_EMPTY);
    STATUS(AIMDB_OK, three.produce_batch({}, &produced));
    REQUIRE(produced == 0);

    const std::size_t sizes[] = {3, 0, 2};
    STATUS(AIMDB_OK, bytes.produce_batch(aimdb::as_bytes("onetw"), sizes, &produced));
    std::byte buffer[8];
    REQUIRE(produced == 3 && aimdb::as_text(*rb.try_recv(buffer)) == "one");
    REQUIRE(rb.try_recv(buffer).value().empty() && aimdb::as_text(*rb.try_recv(buffer)) == "tw");

    double numbers[100];
    for (int n = 0; n < 100; n++) numbers[n] = n;
    STATUS(AIMDB_REJECTED, limited.produce_batch(numbers, &produced));
    REQUIRE(produced == 70 && limited.stats()->produced == 70);
}

void shared_consumers() {
    auto db = quiet();
    auto record = db.add<std::uint64_t>("n").value();
    std::atomic<std::uint64_t> sum{0};
    aimdb::ConsumerOptions options;
    options.dispatch = aimdb::Dispatch::shared;
    std::vector<aimdb::Subscription> all;
    for (int i = 0; i < 50; i++)
        all.push_back(record.subscribe([&](const std::uint64_t &n) { sum += n; }, options).value());
    STATUS(AIMDB_OK, db.start());
    for (std::uint64_t n = 1; n <= 10; n++) STATUS(AIMDB_OK, record.produce(n));
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(sum == 50 * 55);
}

void aligned_beyond_eight_is_copied() {
    auto db = quiet();
    auto record = db.add<Wide>("w", aimdb::latest()).value();
    std::uint64_t sum = 0;
    STATUS(AIMDB_OK,
           record.set_producer([](const aimdb::Message<Wide> &m, aimdb::Draft<Wide> &draft) {
               Wide w = m.value();
               w.words[0]++;
               return draft.replace(w);
           }));
    auto s = record.subscribe([&](const Wide &w) {
        REQUIRE(reinterpret_cast<std::uintptr_t>(&w) % 64 == 0);
        sum += w.words[0];
    });
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce({{41, 0, 0, 0, 0, 0, 0, 0}}));
    auto peeked = record.peek();
    REQUIRE(peeked && peeked->words[0] == 42);
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(sum == 42);
}

void peek_does_not_take() {
    auto db = quiet();
    auto record = db.add<double>("d", aimdb::mailbox()).value();
    auto ring = db.add<double>("ring").value();
    auto raw = db.open<aimdb::Bytes>("d").value();
    STATUS(AIMDB_OK, db.start());
    REQUIRE(record.peek().status() == AIMDB_EMPTY);
    STATUS(AIMDB_ERR_UNSUPPORTED, ring.peek().status());
    STATUS(AIMDB_OK, record.produce(1.5));
    REQUIRE(*record.peek() == 1.5 && *record.peek() == 1.5);
    std::byte buffer[8];
    REQUIRE(raw.peek(buffer).value().size() == 8);
    REQUIRE(record.stats()->pending == 1);
}

void results_are_moved_out_of() {
    auto db = quiet();
    auto record = *db.add<double>("d");
    auto subscription = *record.subscribe([](double) {});
    auto reader = *record.reader();
    static_assert(std::is_same_v<decltype(*record.reader()), aimdb::Reader<double> &&>);
    static_assert(
        std::is_same_v<decltype(*reader.try_recv()), double>); // no reference that dangles
    REQUIRE(subscription.stats().ok() && record.info().error() == AIMDB_OK);
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce(1.5));
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(reader.try_recv().value() == 1.5);
    REQUIRE(record.reader().error() == AIMDB_CLOSED);
}

// A host in C, a plugin in C++.
void handles_of_c_are_taken() {
    struct Host {
        aimdb_t *db = nullptr;
        aimdb_record_t *temperature = nullptr, *other = nullptr, *raw = nullptr;
        Host() {
            aimdb_config_t config = AIMDB_CONFIG_INIT;
            config.log_level = AIMDB_LOG_OFF;
            aimdb_record_config_t typed = AIMDB_RECORD_CONFIG_INIT;
            typed.payload_max = typed.exact_size = sizeof(Temperature);
            typed.type_name = "test.Temperature";
            REQUIRE(aimdb_create(&config, &db) == AIMDB_OK);
            REQUIRE(aimdb_register(db, "temperature", &typed, &temperature) == AIMDB_OK);
            typed.type_name = "another";
            REQUIRE(aimdb_register(db, "other", &typed, &other) == AIMDB_OK);
            REQUIRE(aimdb_register(db, "raw", nullptr, &raw) == AIMDB_OK);
        }
    } host;
    {
        auto db = aimdb::Database::from_handle(host.db).value();
        REQUIRE(db.handle() == host.db && db.stats()->records == 3);
        REQUIRE(db.open<Temperature>("temperature")->handle() == host.temperature);
        FAILS(AIMDB_ERR_HANDLE, aimdb::Database::from_handle(nullptr));

        auto record = aimdb::Record<Temperature>::from_handle(host.temperature).value();
        FAILS(AIMDB_ERR_TYPE, aimdb::Record<Temperature>::from_handle(host.other));
        FAILS(AIMDB_ERR_TYPE, aimdb::Record<Temperature>::from_handle(host.raw));
        FAILS(AIMDB_ERR_TYPE, aimdb::Record<Command>::from_handle(host.temperature));
        FAILS(AIMDB_ERR_HANDLE, aimdb::Record<Temperature>::from_handle(nullptr));
        REQUIRE(aimdb::Record<aimdb::Bytes>::from_handle(host.other).ok());
#ifdef AIMDB_EXCEPTIONS
        try {
            (void)aimdb::Record<double>::from_handle(host.raw);
            REQUIRE(false); // not reached
        } catch (const aimdb::Error &e) {
            REQUIRE(std::string(e.what()).find("float64") != std::string::npos);
        }
#endif
        std::atomic<std::uint32_t> number{0};
        auto s = record.subscribe([&](const Temperature &t) { number = t.number; }).value();
        aimdb_consumer_t *consumer = s.release();
        FAILS(AIMDB_ERR_HANDLE, s.stats());
        aimdb_reader_t *reader = record.reader().value().release();
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce({1, 7}));
        REQUIRE(aimdb::Reader<Temperature>(reader).recv(1min)->number == 7);
        aimdb::ConsumerStats ended = AIMDB_CONSUMER_STATS_INIT;
        REQUIRE(aimdb_reader_stats(reader, &ended) == AIMDB_ERR_HANDLE);
        while (number != 7) std::this_thread::yield();
        { aimdb::Subscription adopted(consumer); }
        REQUIRE(aimdb_consumer_stats(consumer, &ended) == AIMDB_ERR_HANDLE);
    }
    // Still the host's.
    const Temperature t = {2, 8};
    REQUIRE(aimdb_produce(host.temperature, &t, sizeof t) == AIMDB_OK);
    REQUIRE(aimdb_close(host.db, AIMDB_FOREVER) == AIMDB_OK);
    REQUIRE(aimdb_destroy(host.db) == AIMDB_OK);

    aimdb_t *released = quiet().release();
    REQUIRE(aimdb_destroy(released) == AIMDB_OK);
}

// The same name for the same meaning on every machine.
void numbers_and_arrays_have_names() {
    auto name = [](auto value) {
        return std::string_view(aimdb::TypeName<decltype(value)>::value);
    };
    REQUIRE(name(true) == "bool" && name('c') == "char" && name(std::byte{}) == "byte");
    REQUIRE(name(std::int8_t{}) == "int8" && name(static_cast<signed char>(0)) == "int8");
    REQUIRE(name(std::uint8_t{}) == "uint8" && name(std::int16_t{}) == "int16");
    REQUIRE(name(static_cast<unsigned short>(0)) == "uint16" && name(1) == "int32");
    REQUIRE(name(1U) == "uint32" && name(1LL) == "int64" && name(1ULL) == "uint64");
    REQUIRE(name(std::int64_t{}) == "int64" && name(std::uint64_t{}) == "uint64");
    REQUIRE(name(1L) == (sizeof(long) == 8 ? "int64" : "int32"));
    REQUIRE(name(1UL) == (sizeof(long) == 8 ? "uint64" : "uint32"));
    REQUIRE(name(1.0F) == "float32" && name(1.0) == "float64");
    REQUIRE(name(1.0L) == (sizeof(long double) == 8                         ? "float64"
                           : std::numeric_limits<long double>::digits == 64 ? "float80"
                                                                            : "float128"));
    REQUIRE(name(u'c') == "char16" && name(U'c') == "char32");
    REQUIRE(name(L'c') == (sizeof(wchar_t) == 2 ? "char16" : "char32"));
    REQUIRE(name(std::array<double, 16>{}) == "float64[16]");
    REQUIRE(name(std::array<std::array<int, 100>, 2>{}) == "int32[2][100]");
    REQUIRE(name(std::array<Three, 10>{}) == "test.Three[10]");
    auto db = quiet();
    auto record = db.add<std::array<float, 3>>("a").value();
    REQUIRE(db.add<bool>("b").ok() && db.add<long long>("l").ok() && db.add<char>("c").ok());
    REQUIRE(db.open<std::int64_t>("l").ok());
    FAILS(AIMDB_ERR_TYPE, db.open<std::int8_t>("c"));
    auto reader = record.reader().value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce({1, 2, 3}));
    REQUIRE((*reader.try_recv())[2] == 3);
}

void producer_functions_judge() {
    auto db = quiet();
    auto limited = db.add<double>("limited").value();
    auto clamped = db.add<double>("clamped").value();
    auto text = db.add<aimdb::Bytes>("text", aimdb::ring(8, 16)).value();
    const double limit = 100;
    STATUS(AIMDB_OK, limited.set_producer([limit](double v) {
        return v > limit ? aimdb::Verdict::reject : aimdb::Verdict::accept;
    }));
    STATUS(AIMDB_ERR_EXISTS, limited.set_producer([](double) { return aimdb::Verdict::accept; }));
    STATUS(AIMDB_OK, clamped.set_producer([limit](double v, aimdb::Draft<double> &draft) {
        return v > limit ? draft.replace(limit) : aimdb::Verdict::accept;
    }));
    STATUS(AIMDB_OK, text.set_producer([](aimdb::Bytes b, aimdb::Draft<aimdb::Bytes> &draft) {
        if (b.empty()) return draft.replace(aimdb::as_bytes("more than sixteen bytes"));
        for (std::size_t i = 0; i < b.size(); i++) draft.buffer()[i] = b[i] | std::byte{0x20};
        return draft.commit(b.size());
    }));
    auto r1 = limited.reader().value();
    auto r2 = clamped.reader().value();
    auto r3 = text.reader().value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_REJECTED, limited.produce(101));
    STATUS(AIMDB_OK, limited.produce(99));
    STATUS(AIMDB_OK, clamped.produce(101));
    STATUS(AIMDB_OK, text.produce(aimdb::as_bytes("LOUD")));
    STATUS(AIMDB_ERR_SIZE, text.produce({}));
    REQUIRE(*r1.try_recv() == 99 && r1.try_recv().status() == AIMDB_EMPTY);
    REQUIRE(*r2.try_recv() == 100);
    std::byte buffer[16];
    REQUIRE(aimdb::as_text(*r3.try_recv(buffer)) == "loud");
    REQUIRE(limited.stats()->rejected == 1 && text.stats()->rejected == 1);

    // A C program may produce from memory that is not aligned for a double.
    alignas(8) unsigned char memory[16] = {};
    const double value = 7;
    std::memcpy(memory + 1, &value, sizeof value);
    REQUIRE(aimdb_produce(limited.handle(), memory + 1, sizeof value) == AIMDB_OK);
    REQUIRE(*r1.try_recv() == 7);
}

void callbacks_emit() {
    auto db = quiet();
    auto other = quiet();
    auto in = db.add<std::int32_t>("in").value();
    auto out = db.add<std::int64_t>("out").value();
    auto raw = db.add<aimdb::Bytes>("raw").value();
    auto foreign = other.add<std::int64_t>("out").value();
    STATUS(AIMDB_OK, other.start());
    aimdb::Emitter kept;
    Event done;
    auto s = in.subscribe([&](const aimdb::Message<std::int32_t> &m) {
        STATUS(AIMDB_OK, m.emit(out, *m * 2LL));
        STATUS(AIMDB_OK, m.emitter().emit(raw, aimdb::as_bytes("x")));
        STATUS(AIMDB_ERR_HANDLE, m.emit(foreign, 1));
        STATUS(AIMDB_OK, foreign.produce(1)); // not by the emitter
        kept = m.emitter();
        done.say();
    });
    auto reader = out.reader().value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, in.produce(21));
    REQUIRE(*reader.recv(1min) == 42);
    done.wait();
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    STATUS(AIMDB_ERR_EMITTER, kept.emit(out, 1));
    STATUS(AIMDB_ERR_EMITTER, aimdb::Emitter().emit(out, 1));
}

void lag_functions_are_told() {
    auto db = quiet();
    auto record = db.add<std::uint64_t>("n", aimdb::ring(4)).value();
    auto lost = db.add<std::uint64_t>("lost", aimdb::latest()).value();
    Event begun, go_on;
    std::uint64_t told = 0;
    auto s = record.subscribe(
        [&](const std::uint64_t &n) {
            if (n != 1) return;
            begun.say();
            go_on.wait();
        },
        [&](aimdb::Lag lag) {
            told += lag.values;
            STATUS(AIMDB_OK, lag.emitter.emit(lost, told));
        });
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce(1));
    begun.wait();
    for (std::uint64_t n = 2; n <= 20; n++) STATUS(AIMDB_OK, record.produce(n));
    go_on.say();
    auto reader = lost.reader().value();
    REQUIRE(*reader.recv(1min) == 15);
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(told == 15 && s->stats()->lagged == 15 && s->stats()->delivered == 5);
}

void false_is_a_failure() {
    auto db = quiet();
    auto record = db.add<std::uint64_t>("n").value();
    auto s = record.subscribe([](const std::uint64_t &n) { return n % 2 == 0; }).value();
    STATUS(AIMDB_OK, db.start());
    for (std::uint64_t n = 1; n <= 5; n++) STATUS(AIMDB_OK, record.produce(n));
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(s.stats()->failures == 3 && s.stats()->delivered == 5);
}

void callables_live_as_long_as_they_are_needed() {
    REQUIRE(Counted::alive == 0);
    {
        auto db = quiet();
        auto record = db.add<double>("d").value();
        Counted counted;
        STATUS(AIMDB_OK, record.set_producer([counted](double) { return aimdb::Verdict::accept; }));
        REQUIRE(Counted::alive == 2);
        // Refused: gone at once.
        STATUS(AIMDB_ERR_EXISTS,
               record.set_producer([counted](double) { return aimdb::Verdict::accept; }));
        REQUIRE(Counted::alive == 2);
        auto kept = record.subscribe([counted](double) {}, [counted](aimdb::Lag) {}).value();
        REQUIRE(Counted::alive == 4);
        {
            auto dropped = record.subscribe([counted](double) {}).value();
        }
        REQUIRE(Counted::alive == 4); // unsubscribed and destroyed by the destructor
        record.subscribe([counted](double) {}).value().detach();
        REQUIRE(Counted::alive == 5);
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce(1));
        STATUS(AIMDB_OK, kept.unsubscribe());
        REQUIRE(Counted::alive == 3);
        STATUS(AIMDB_ERR_HANDLE, kept.unsubscribe());
        STATUS(AIMDB_OK, db.close(aimdb::forever));
        REQUIRE(Counted::alive == 2); // the detached consumer ended
    }
    REQUIRE(Counted::alive == 0); // the producer function, with its database
}

// Has a subscription, and is destroyed by a callback of another one while its own
// callback runs on another thread.
struct Sensor {
    Counted counted;
    double last = 0;
    aimdb::Subscription values;
};

template <typename Subscribe, typename Drop>
void dropped_by_another_callback(const aimdb::ConsumerOptions &options, Subscribe subscribe,
                                 Drop drop) {
    REQUIRE(Counted::alive == 0);
    auto db = quiet();
    auto values = db.add<double>("values").value();
    auto commands = db.add<int>("commands").value();
    Event begun, dropped, ended;
    auto work = [&](double &last, double v) {
        begun.say();
        dropped.wait();
        last = v; // of what the command has let go
        ended.say();
    };
    subscribe(values, work);
    auto control = commands.subscribe(
        [&](int) {
            drop();
            dropped.say();
        },
        options);
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, values.produce(1));
    begun.wait();
    REQUIRE(Counted::alive == 1);
    STATUS(AIMDB_OK, commands.produce(1));
    ended.wait();
    STATUS(AIMDB_OK, values.produce(2)); // nobody is there
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(Counted::alive == 0);
}

void owners_are_kept_while_callbacks_run() {
    for (auto dispatch : {aimdb::Dispatch::dedicated, aimdb::Dispatch::shared}) {
        aimdb::ConsumerOptions options;
        options.dispatch = dispatch;

        std::shared_ptr<Sensor> sensor; // watched by its own subscription
        dropped_by_another_callback(
            options,
            [&](const aimdb::Record<double> &values, auto &work) {
                sensor = std::make_shared<Sensor>();
                auto take = [&work, s = sensor.get()](double v) { work(s->last, v); };
                sensor->values =
                    values.subscribe(take, std::weak_ptr<Sensor>(sensor), options).value();
            },
            [&] { sensor.reset(); });

        std::shared_ptr<Sensor> state; // held by a subscription that goes with it
        aimdb::Subscription subscription;
        dropped_by_another_callback(
            options,
            [&](const aimdb::Record<double> &values, auto &work) {
                state = std::make_shared<Sensor>();
                auto take = [&work, s = state.get()](double v) { work(s->last, v); };
                subscription = values
                                   .subscribe(
                                       take, [](aimdb::Lag) {}, state, options)
                                   .value();
            },
            [&] {
                subscription = {};
                state.reset();
            });
    }
}

void a_watched_owner_that_has_gone_is_not_called() {
    auto db = quiet();
    auto record = db.add<std::uint64_t>("n", aimdb::ring(2)).value();
    auto owner = std::make_shared<std::uint64_t>(0);
    std::uint64_t lost = 0;
    Event begun, go_on;
    auto s = record
                 .subscribe(
                     [&, n = owner.get()](const std::uint64_t &value) {
                         *n += value;
                         begun.say();
                         go_on.wait();
                     },
                     [&](aimdb::Lag lag) { lost += lag.values; }, std::weak_ptr<void>(owner))
                 .value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce(1));
    begun.wait();
    for (std::uint64_t n = 2; n <= 9; n++) STATUS(AIMDB_OK, record.produce(n));
    REQUIRE(owner.use_count() == 2 && *owner == 1); // the call's, and ours
    owner.reset();
    go_on.say();
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(lost == 0 && s.stats()->delivered == 3 && s.stats()->failures == 0);
}

void move_only_captures() {
    auto db = quiet();
    auto record = db.add<double>("d").value();
    auto sum = std::make_unique<double>(0);
    auto s = record.subscribe([sum = std::move(sum)](double d) mutable { *sum += d; }).value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce(1));
    STATUS(AIMDB_OK, record.produce(2));
    while (s.stats()->pending != 0) std::this_thread::yield();
    auto moved = std::move(s);
    FAILS(AIMDB_ERR_HANDLE, s.stats());
    REQUIRE(moved.stats()->delivered == 2);
    aimdb::ConsumerStats last;
    STATUS(AIMDB_OK, moved.unsubscribe(&last));
    REQUIRE(last.delivered == 2 && last.abandoned == 0);
}

void a_close_may_wait_for_readers() {
    auto db = quiet();
    auto record = db.add<double>("d").value();
    auto reader = record.reader().value();
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, record.produce(1.5));
    STATUS(AIMDB_TIMEOUT, db.close(1ms, aimdb::Drain::readers));
    REQUIRE(*reader.try_recv() == 1.5);
    REQUIRE(reader.try_recv().status() == AIMDB_CLOSED);
}

void a_database_waits_for_its_callbacks() {
    Event begun;
    std::atomic<bool> left{false};
    std::thread outside;
    {
        int local = 0; // referred to by the consumer
        auto db = quiet();
        auto record = db.add<double>("d").value();
        record
            .subscribe([&](double) {
                begun.say();
                while (!left) std::this_thread::yield();
                local++;
            })
            .value()
            .detach();
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce(1));
        begun.wait();
        STATUS(AIMDB_BLOCKED, db.close(0s));
        outside = std::thread([&] { left = true; });
    } // ~Database, then `local` goes
    REQUIRE(left);
    outside.join();
}

void a_database_waits_though_a_longer_close_goes_on() {
    Event begun;
    bool over = false;
    std::atomic<bool> left{false};
    std::thread closer, outside;
    {
        aimdb::DatabaseOptions options;
        options.drain = 0s;
        options.log_level = aimdb::LogLevel::off;
        auto db = aimdb::Database::create(options).value();
        auto record = db.add<double>("d").value();
        auto s = record.subscribe([&](double) {
            begun.say();
            while (!left) std::this_thread::yield();
            over = true;
        });
        s->detach();
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce(1));
        begun.wait();
        closer = std::thread([h = db.handle()] { (void)aimdb_close(h, AIMDB_FOREVER); });
        while (status_of([&] { return record.produce(2); }) == AIMDB_OK) std::this_thread::yield();
        // Lets the callback go when the destructor has returned, which it must not, or waits.
        outside = std::thread([&left, h = db.handle()] {
            aimdb::DatabaseStats stats = AIMDB_DATABASE_STATS_INIT;
            const auto until = std::chrono::steady_clock::now() + 200ms;
            while (std::chrono::steady_clock::now() < until &&
                   aimdb_database_stats(h, &stats) == AIMDB_OK)
                std::this_thread::yield();
            left = true;
        });
    }
    REQUIRE(over);
    closer.join();
    outside.join();
}

void ended_and_empty_objects_answer() {
    aimdb::Record<double> record, kept;
    aimdb::Subscription subscription;
    aimdb::Reader<double> reader;
    aimdb::Database none;
    STATUS(AIMDB_ERR_HANDLE, record.produce(1));
    STATUS(AIMDB_ERR_HANDLE, none.start());
    STATUS(AIMDB_ERR_HANDLE, none.destroy());
    STATUS(AIMDB_ERR_HANDLE, reader.try_recv().status());
    FAILS(AIMDB_ERR_HANDLE, record.subscribe([](double) {}));
    {
        auto db = quiet();
        kept = db.add<double>("d").value();
        subscription = kept.subscribe([](double) {}).value();
        reader = kept.reader().value();
        STATUS(AIMDB_ERR_STATE, kept.produce(1)); // not started
        STATUS(AIMDB_ERR_STATE, db.close(0s));
        auto moved = std::move(db);
        STATUS(AIMDB_OK, moved.start());
        STATUS(AIMDB_ERR_STATE, moved.destroy()); // running
        STATUS(AIMDB_OK, moved.close(0s));
        STATUS(AIMDB_CLOSED, kept.produce(1));
        STATUS(AIMDB_OK, moved.destroy());
        STATUS(AIMDB_ERR_HANDLE, moved.start());
    }
    STATUS(AIMDB_ERR_HANDLE, kept.produce(1));
    STATUS(AIMDB_ERR_HANDLE, reader.try_recv().status());
    FAILS(AIMDB_ERR_HANDLE, subscription.stats());
}

void destroyed_inside_a_callback() {
    Event done;
    auto db = std::make_unique<aimdb::Database>(quiet());
    auto record = db->add<double>("d").value();
    record
        .subscribe([&db, &done](double) {
            db.reset(); // does not wait for this callback
            done.say();
        })
        .value()
        .detach();
    STATUS(AIMDB_OK, db->start());
    STATUS(AIMDB_OK, record.produce(1));
    done.wait();
    STATUS(AIMDB_ERR_HANDLE, record.produce(2));
}

void lines_reach_the_log() {
    std::vector<std::string> lines;
    Event logged;
    {
        aimdb::DatabaseOptions options;
        options.log_level = aimdb::LogLevel::warning;
        auto db = aimdb::Database::create(
                      [&](aimdb::LogLevel level, std::string_view text) {
                          REQUIRE(level == aimdb::LogLevel::warning);
                          lines.emplace_back(text);
                          logged.say();
                      },
                      options)
                      .value();
        auto record = db.add<double>("d").value();
        auto s = record.subscribe([](double) { return false; });
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce(1));
        logged.wait();
        STATUS(AIMDB_OK, db.close(aimdb::forever));
    }
    REQUIRE(lines.size() == 1 && lines[0].find("d: ") == 0);
}

#ifdef __cpp_exceptions
struct Odd {};

void exceptions_are_failures_and_logged() {
    std::vector<std::string> lines;
    std::atomic_flag writing = ATOMIC_FLAG_INIT; // lines come from several threads
    std::atomic<int> about_exceptions{0};
    {
        auto db = aimdb::Database::create([&](aimdb::LogLevel, std::string_view text) {
                      while (writing.test_and_set()) std::this_thread::yield();
                      lines.emplace_back(text);
                      writing.clear();
                      if (text.find("threw") != text.npos) about_exceptions++;
                      throw Odd(); // dropped
                  }).value();
        auto record = db.add<std::uint64_t>("n", aimdb::ring(2)).value();
        auto judged = db.add<std::uint64_t>("judged").value();
        Event begun, go_on, last;
        STATUS(AIMDB_OK, judged.set_producer([](const std::uint64_t &) -> aimdb::Verdict {
            throw std::bad_alloc();
        }));
        auto s = record
                     .subscribe(
                         [&](const std::uint64_t &n) {
                             if (n == 1) begun.say(), go_on.wait();
                             if (n == 7) last.say();
                             if (n == 6) throw Odd();
                             throw std::bad_alloc();
                         },
                         [](aimdb::Lag) { throw Odd(); })
                     .value();
        STATUS(AIMDB_OK, db.start());
        STATUS(AIMDB_OK, record.produce(1));
        begun.wait();
        for (std::uint64_t n = 2; n <= 7; n++) STATUS(AIMDB_OK, record.produce(n));
        go_on.say();
        last.wait();
        STATUS(AIMDB_REJECTED, judged.produce(1));
        STATUS(AIMDB_OK, db.close(aimdb::forever));
        REQUIRE(s.stats()->delivered == 3 && s.stats()->failures == 3 && s.stats()->lagged == 4);
        REQUIRE(judged.stats()->rejected == 1);
    }
    bool consumer = false, producer = false;
    for (const auto &line : lines) {
        consumer |= line == "n: a consumer threw: std::bad_alloc";
        producer |= line == "judged: a producer function threw: std::bad_alloc";
    }
    REQUIRE(consumer && producer);
    // One line a second for the consumer's three and its lag function's one.
    REQUIRE(about_exceptions >= 2 && about_exceptions <= 5);
}
#endif

#ifdef AIMDB_EXCEPTIONS
void errors_are_thrown_outcomes_returned() {
    auto db = quiet();
    auto record = db.add<double>("d").value();
    try {
        (void)record.produce(1);
        REQUIRE(false); // not reached
    } catch (const aimdb::Error &e) {
        REQUIRE(e.status() == AIMDB_ERR_STATE);
        REQUIRE(std::string(e.what()) ==
                std::string(e.status().text()) + ": record: its database is not started");
    }
    STATUS(AIMDB_OK, db.start());
    STATUS(AIMDB_OK, db.close(0s));
    REQUIRE(record.produce(1) == AIMDB_CLOSED);
    auto closed = record.reader();
    REQUIRE(!closed && closed.status() == AIMDB_CLOSED);
    try {
        (void)closed.value();
        REQUIRE(false); // not reached
    } catch (const aimdb::Error &e) {
        REQUIRE(e.status() == AIMDB_CLOSED);
    }
}
#endif

void many_threads_one_record() {
    auto db = quiet();
    auto record = db.add<Temperature>("t", aimdb::ring(1 << 14)).value();
    std::atomic<std::uint64_t> sum{0};
    auto s = record.subscribe([&](const Temperature &t) { sum += t.number; });
    STATUS(AIMDB_OK, db.start());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([record] {
            for (std::uint32_t n = 1; n <= 1000; n++) STATUS(AIMDB_OK, record.produce({0, n}));
        });
    for (auto &t : threads) t.join();
    STATUS(AIMDB_OK, db.close(aimdb::forever));
    REQUIRE(sum == 4 * 500500);
}

} // namespace

int main() {
    REQUIRE(std::string(aimdb::version()) == AIMDB_VERSION);
    RUN(values_reach_lambdas_in_order);
    RUN(a_record_opens_only_as_what_it_is);
    RUN(keys_are_checked_not_cut);
    RUN(options_reach_the_record);
    RUN(bytes_are_any_bytes);
    RUN(readers_receive_lag_and_close);
    RUN(batches_take_what_is_there);
    RUN(batches_are_produced);
    RUN(shared_consumers);
    RUN(aligned_beyond_eight_is_copied);
    RUN(peek_does_not_take);
    RUN(results_are_moved_out_of);
    RUN(handles_of_c_are_taken);
    RUN(numbers_and_arrays_have_names);
    RUN(producer_functions_judge);
    RUN(callbacks_emit);
    RUN(lag_functions_are_told);
    RUN(false_is_a_failure);
    RUN(callables_live_as_long_as_they_are_needed);
    RUN(owners_are_kept_while_callbacks_run);
    RUN(a_watched_owner_that_has_gone_is_not_called);
    RUN(move_only_captures);
    RUN(a_close_may_wait_for_readers);
    RUN(a_database_waits_for_its_callbacks);
    RUN(a_database_waits_though_a_longer_close_goes_on);
    RUN(ended_and_empty_objects_answer);
    RUN(destroyed_inside_a_callback);
    RUN(lines_reach_the_log);
#ifdef __cpp_exceptions
    RUN(exceptions_are_failures_and_logged);
#endif
#ifdef AIMDB_EXCEPTIONS
    RUN(errors_are_thrown_outcomes_returned);
#endif
    RUN(many_threads_one_record);
}
