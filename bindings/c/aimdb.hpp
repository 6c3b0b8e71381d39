// SPDX-License-Identifier: Apache-2.0
//
// aimdb.hpp - AimDB for C++17: one header over aimdb.h, nothing to link beside
// libaimdb.
//
//   struct Temperature {
//       static constexpr const char *aimdb_type = "acme.Temperature";
//       double celsius;
//   };
//
//   auto db = aimdb::Database::create().value();
//   auto temperature = db.add<Temperature>("sensor.temperature").value();
//   auto alert = temperature.subscribe([](const Temperature &t) {
//       if (t.celsius > 80) std::puts("hot");
//   }).value();
//   if (!db.start() || !temperature.produce({81.5})) return 1;
//   return db.close(std::chrono::seconds(2)) ? 0 : 1;
//
// aimdb.h is the reference for what each call does and answers; here stands
// what C++ adds.
//
// RULES FOR ALL OF IT
//
// Ownership. Database, Subscription and Reader own what they stand for and can
// only be moved; their destructors end it. Record is a handle to copy freely,
// valid until its database is destroyed. After that, and if empty or moved
// from, every object answers AIMDB_ERR_HANDLE: nothing dangles. (What callables
// refer to is theirs to keep: see Subscription.)
//
// C handles. Each object gives its own with handle() or release().
// Database::from_handle and Record<T>::from_handle take one of C and leave it
// C's; Subscription and Reader are constructed from one and own it. So a plugin
// in C++ works on the database of a host in C.
//
// Threads. Every const member may be called from any thread at any time, also
// inside callbacks. Moving, assigning or destroying an object while another
// thread uses that same object is a data race, as with any C++ object.
//
// Errors. Nothing here throws unless AIMDB_EXCEPTIONS is defined before the
// header is included. Calls give a Status, or a Result<T>: a T or a Status.
// With AIMDB_EXCEPTIONS, negative statuses are thrown as aimdb::Error instead,
// by the call itself; outcomes (AIMDB_EMPTY, AIMDB_TIMEOUT, ...) still are
// returned, and so is AIMDB_ERR_TOO_SMALL of a receive or peek into a buffer. A
// Status must be looked at; a Done, with AIMDB_EXCEPTIONS, need not be: the call
// threw or it is AIMDB_OK. The header needs neither exceptions nor RTTI. A
// bad_alloc passes through only from the user's own constructors.
//
// Modes. There are three: with AIMDB_EXCEPTIONS; without; and compiled with
// -fno-exceptions. Units of all can be linked together. Status, Span, Bytes,
// TypeName, options and statistics are the same types in each. The others are
// not (a function that takes a Record, defined in another mode, is an undefined
// reference), and pass as handles: give record.handle(), db.handle() or
// reader.release(), and make the object of them on the other side.
//
// Callables. They are moved to the heap once, when they are given, and
// destroyed once, when the library will never call them again (on any thread).
// Per message nothing is allocated. An exception that leaves a consumer, lag or
// producer function is caught: a consumer's counts as its failure, a producer
// function's as AIMDB_REJECTED, and its what() goes to the database's log, at
// most once a second for each function. Leaving a callable by longjmp,
// pthread_exit or cancellation is forbidden.
#ifndef AIMDB_HPP
#define AIMDB_HPP

#include <aimdb.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

static_assert(AIMDB_ABI_VERSION == 0, "aimdb.hpp and aimdb.h are of different versions");

#if defined(AIMDB_EXCEPTIONS) && !defined(__cpp_exceptions)
#error "AIMDB_EXCEPTIONS needs exceptions, and -fno-exceptions is given"
#endif

#ifdef __cpp_exceptions
#include <exception>
#endif
#ifdef AIMDB_EXCEPTIONS
#include <stdexcept>
#include <string>
#define AIMDB_NOEXCEPT
#else
#define AIMDB_NOEXCEPT noexcept
#endif

// What is compiled differently has different names, or the linker would take the
// one for the other.
#if defined(AIMDB_EXCEPTIONS)
#define AIMDB_MODE throwing
#elif defined(__cpp_exceptions)
#define AIMDB_MODE returning
#else
#define AIMDB_MODE without_exceptions
#endif

namespace aimdb {


// STATUS ----------------------------------------------------------------------

/// An aimdb_status_t, to be compared with its constants: `s == AIMDB_CLOSED`.
class [[nodiscard]] Status {
  public:
    constexpr Status(aimdb_status_t code = AIMDB_OK) noexcept : code_(code) {}
    constexpr aimdb_status_t code() const noexcept { return code_; }
    /// True for AIMDB_OK alone.
    constexpr bool ok() const noexcept { return code_ == AIMDB_OK; }
    constexpr explicit operator bool() const noexcept { return ok(); }
    /// Negative: the call did nothing.
    constexpr bool is_error() const noexcept { return code_ < 0; }
    /// What the status means, static memory.
    const char *text() const noexcept { return aimdb_strerror(code_); }
    friend constexpr bool operator==(Status a, Status b) noexcept { return a.code_ == b.code_; }
    friend constexpr bool operator!=(Status a, Status b) noexcept { return a.code_ != b.code_; }

  private:
    aimdb_status_t code_;
};

/// What the last error on this thread was about: names the argument and the
/// rule. Valid until the thread's next call into the library.
inline const char *last_error() noexcept {
    return aimdb_last_error();
}


// BYTES AND TYPES -------------------------------------------------------------

/// A pointer and a length; owns nothing.
template <typename T> class Span {
  public:
    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr Span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    /// Of a vector, array, string, std::span, ... of T.
    template <typename Container,
              typename = std::enable_if_t<
                  !std::is_same_v<std::decay_t<Container>, Span> &&
                  std::is_convertible_v<decltype(std::declval<Container &>().data()), T *>>>
    constexpr Span(Container &&container) noexcept
        : data_(container.data()), size_(container.size()) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Raw bytes, as in Record<Bytes>: values of any size up to payload_max.
using Bytes = Span<const std::byte>;

inline Bytes as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte *>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) noexcept {
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

/// The name under which records of T are registered: what is opened with
/// another name or another size is refused with AIMDB_ERR_TYPE. A type says it
/// itself, `static constexpr const char *aimdb_type = "acme.Temperature";`, or
/// this template is specialised for it. Change the name when the layout changes.
/// Arithmetic types, std::byte and std::array of what has a name have one.
template <typename T, typename = void> struct TypeName {
    static_assert(!std::is_same_v<T, T>, "give T a `static constexpr const char *aimdb_type`, or "
                                         "specialise aimdb::TypeName<T>");
};
template <typename T> struct TypeName<T, std::void_t<decltype(T::aimdb_type)>> {
    static constexpr const char *value = T::aimdb_type;
};

namespace detail {
/// By what a type holds, not by how C++ spells it: the same on each machine.
template <typename T> constexpr const char *arithmetic_name() noexcept {
    constexpr std::size_t bytes = sizeof(T);
    if constexpr (std::is_same_v<T, bool>) {
        return "bool";
    } else if constexpr (std::is_same_v<T, char>) { // signed or not
        return "char";
#ifdef __cpp_char8_t
    } else if constexpr (std::is_same_v<T, char8_t>) {
        return "char8";
#endif
    } else if constexpr (std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t> ||
                         std::is_same_v<T, wchar_t>) {
        return bytes == 2 ? "char16" : "char32";
    } else if constexpr (std::is_floating_point_v<T>) {
        constexpr int digits = std::numeric_limits<T>::digits;
        static_assert(digits == 11 || digits == 24 || digits == 53 || digits == 64 || digits == 113,
                      "specialise aimdb::TypeName<T>");
        return digits == 11   ? "float16"
               : digits == 24 ? "float32"
               : digits == 53 ? "float64"
               : digits == 64 ? "float80"
                              : "float128";
    } else {
        static_assert(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16,
                      "specialise aimdb::TypeName<T>");
        constexpr bool is_signed = std::is_signed_v<T>;
        return bytes == 1   ? is_signed ? "int8" : "uint8"
               : bytes == 2 ? is_signed ? "int16" : "uint16"
               : bytes == 4 ? is_signed ? "int32" : "uint32"
               : bytes == 8 ? is_signed ? "int64" : "uint64"
               : is_signed  ? "int128"
                            : "uint128";
    }
}
} // namespace detail

/// "bool", "char", "int8" to "uint64", "float32", "float64", ...
template <typename T> struct TypeName<T, std::enable_if_t<std::is_arithmetic_v<T>>> {
    static constexpr const char *value = detail::arithmetic_name<T>();
};
template <> struct TypeName<std::byte> { static constexpr const char *value = "byte"; };

namespace detail {
template <typename T> struct Innermost { using type = T; };
template <typename T, std::size_t N> struct Innermost<std::array<T, N>> : Innermost<T> {};

/// "float64[2][3]", as C would declare it.
template <typename T, std::size_t N> struct ArrayName {
    char text[2 * AIMDB_TYPE_NAME_MAX] = {};
    constexpr ArrayName() noexcept {
        const std::string_view element = TypeName<T>::value;
        const std::string_view innermost = TypeName<typename Innermost<T>::type>::value;
        char *end = text;
        for (char c : innermost) *end++ = c;
        *end++ = '[';
        std::size_t unit = 1;
        while (N / unit >= 10) unit *= 10;
        for (; unit != 0; unit /= 10) *end++ = static_cast<char>('0' + N / unit % 10);
        *end++ = ']';
        for (char c : element.substr(innermost.size())) *end++ = c;
    }
};
} // namespace detail

/// "float64[16]", "acme.Point[2][3]": the element's name and the extents.
template <typename T, std::size_t N> struct TypeName<std::array<T, N>> {
  private:
    static constexpr detail::ArrayName<T, N> name{};

  public:
    static constexpr const char *value = name.text;
};

namespace detail {
/// How a T is stored in a record and seen in the library's memory, which is
/// aligned to 8: in place, or as a copy if T asks for more.
template <typename T> struct Payload {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> &&
                      !std::is_reference_v<T> && !std::is_const_v<T>,
                  "a record holds trivially copyable values, or Bytes");
    static constexpr bool in_place = alignof(T) <= 8;
    static constexpr std::size_t exact_size = sizeof(T);
    using View = std::conditional_t<in_place, const T &, T>;
    using Argument = const T &;

    static constexpr const char *name() noexcept {
        static_assert(std::char_traits<char>::length(TypeName<T>::value) > 0 &&
                          std::char_traits<char>::length(TypeName<T>::value) <= AIMDB_TYPE_NAME_MAX,
                      "a type name has 1 to 255 bytes");
        return TypeName<T>::value;
    }
    static const void *data(const T &value) noexcept { return std::addressof(value); }
    static std::size_t size(const T &) noexcept { return sizeof(T); }
    static View view(const void *data, std::size_t) noexcept {
        if constexpr (in_place) {
            return *static_cast<const T *>(data);
        } else {
            alignas(T) unsigned char copy[sizeof(T)];
            std::memcpy(copy, data, sizeof(T));
            return *std::launder(reinterpret_cast<const T *>(copy));
        }
    }
};

template <> struct Payload<Bytes> {
    static constexpr bool in_place = true;
    static constexpr std::size_t exact_size = AIMDB_ANY_SIZE;
    using View = Bytes;
    using Argument = Bytes;

    static constexpr const char *name() noexcept { return nullptr; }
    static const void *data(Bytes value) noexcept { return value.data(); }
    static std::size_t size(Bytes value) noexcept { return value.size(); }
    static View view(const void *data, std::size_t size) noexcept {
        return {static_cast<const std::byte *>(data), size};
    }
};

template <typename T> constexpr bool is_bytes = std::is_same_v<T, Bytes>;

/// Nanoseconds of any duration; what int64_t can't hold is for ever, or negative.
template <typename Rep, typename Period>
constexpr std::int64_t nanoseconds(std::chrono::duration<Rep, Period> d) noexcept {
    const double seconds = std::chrono::duration<double>(d).count();
    if (seconds > 9.2e9) return AIMDB_FOREVER;
    if (seconds < -9.2e9) return -1;
    return std::chrono::duration_cast<std::chrono::duration<std::int64_t, std::nano>>(d).count();
}

/// A key with the NUL that C wants. What is too long or has a NUL inside stays
/// forbidden in the copy, so that the library refuses it with its own words.
class Key {
  public:
    explicit Key(std::string_view key) noexcept {
        const std::size_t size = key.size() < sizeof text_ - 1 ? key.size() : sizeof text_ - 1;
        for (std::size_t i = 0; i < size; i++) text_[i] = key[i] ? key[i] : '\1';
        text_[size] = '\0';
    }
    const char *c_str() const noexcept { return text_; }

  private:
    char text_[AIMDB_KEY_MAX + 2];
};
} // namespace detail

/// Waits without limit.
constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();


// OPTIONS ---------------------------------------------------------------------

enum class Buffer { ring = AIMDB_RING, latest = AIMDB_LATEST, mailbox = AIMDB_MAILBOX };

enum class LogLevel {
    error = AIMDB_LOG_ERROR,
    warning = AIMDB_LOG_WARNING,
    info = AIMDB_LOG_INFO,
    debug = AIMDB_LOG_DEBUG,
    off = AIMDB_LOG_OFF
};

/// What a producer function decides on a value.
enum class Verdict { accept = AIMDB_ACCEPT, reject = AIMDB_REJECT, replace = AIMDB_REPLACE };

/// Where a consumer's callbacks run.
enum class Dispatch {
    dedicated = AIMDB_DEDICATED, ///< a thread of its own: wakes soonest, may block as it likes
    shared = AIMDB_SHARED        ///< few threads for all of the database's: for very many consumers
};

/// Whom a close lets drain.
enum class Drain : std::uint32_t {
    consumers = 0,
    readers = AIMDB_CLOSE_DRAIN_READERS ///< pull readers as well
};

/// Statistics are the C structs; section 9 of aimdb.h says what they count.
using DatabaseStats = aimdb_database_stats_t;
using RecordStats = aimdb_record_stats_t;
using ConsumerStats = aimdb_consumer_stats_t;
using RecordInfo = aimdb_record_info_t;

struct DatabaseOptions {
    LogLevel log_level = LogLevel::warning; ///< least severe level to log
    /// How long the destructor lets consumers drain.
    std::chrono::nanoseconds drain = std::chrono::seconds(2);
};

/// Best made by ring(), latest() or mailbox().
struct RecordOptions {
    Buffer buffer = Buffer::ring;
    std::size_t capacity = 1024; ///< values held for a slow reader, >= 1; ring only
    /// Record<Bytes> only: bytes of the largest value, the only size if not
    /// AIMDB_ANY_SIZE, and a type name or nullptr.
    std::size_t payload_max = 256;
    std::size_t exact_size = AIMDB_ANY_SIZE;
    const char *type_name = nullptr;
};

inline RecordOptions ring(std::size_t capacity = 1024, std::size_t payload_max = 256) noexcept {
    RecordOptions options;
    options.capacity = capacity;
    options.payload_max = payload_max;
    return options;
}
inline RecordOptions latest(std::size_t payload_max = 256) noexcept {
    RecordOptions options;
    options.buffer = Buffer::latest;
    options.payload_max = payload_max;
    return options;
}
inline RecordOptions mailbox(std::size_t payload_max = 256) noexcept {
    RecordOptions options;
    options.buffer = Buffer::mailbox;
    options.payload_max = payload_max;
    return options;
}

struct ConsumerOptions {
    Dispatch dispatch = Dispatch::dedicated;
    std::size_t stack_size = 0; ///< bytes of a dedicated thread's stack; 0: 1 MiB
};


inline namespace AIMDB_MODE {


// RESULT ----------------------------------------------------------------------

#ifdef AIMDB_EXCEPTIONS
/// A status that was thrown. what() has its text and what it is about.
class Error : public std::runtime_error {
  public:
    explicit Error(Status status) : Error(status, status.is_error() ? last_error() : "") {}
    Error(Status status, const char *about)
        : std::runtime_error(std::string(status.text()) + (*about ? ": " : "") + about),
          status_(status) {}
    Status status() const noexcept { return status_; }

  private:
    Status status_;
};

/// Of a call that is AIMDB_OK or throws: nothing is lost if nobody looks at it.
class Done : public Status {
  public:
    constexpr Done(Status status) noexcept : Status(status) {}
};
#else
using Done = Status;
#endif

namespace by_mode {
/// Where each status of the library passes.
inline Status checked(aimdb_status_t status) AIMDB_NOEXCEPT {
#ifdef AIMDB_EXCEPTIONS
    if (status < 0) throw Error(status);
#endif
    return status;
}
/// Of a receive into the caller's buffer: that it is too small is an outcome.
inline Status received(aimdb_status_t status) AIMDB_NOEXCEPT {
    return status == AIMDB_ERR_TOO_SMALL ? Status(status) : checked(status);
}
/// An error found here, of which last_error() knows nothing.
inline Status refused(aimdb_status_t status, const char *about) AIMDB_NOEXCEPT {
#ifdef AIMDB_EXCEPTIONS
    throw Error(status, about);
#else
    (void)about;
    return status;
#endif
}

[[noreturn]] inline void no_value(Status status) {
#ifdef AIMDB_EXCEPTIONS
    throw Error(status);
#else
    std::fprintf(stderr, "aimdb: value() of a result without one: %s: %s\n", status.text(),
                 last_error());
    std::abort();
#endif
}
} // namespace by_mode

/// A T, or the status that says why there is none.
template <typename T> class [[nodiscard]] Result {
  public:
    Result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
    /// `status` is not AIMDB_OK.
    Result(Status status) noexcept : status_(status) {}
    bool ok() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    Status status() const noexcept { return status_; }
    /// The same, by the name that std::expected has for it.
    Status error() const noexcept { return status_; }
    /// The value. Without one the program ends with a message (with
    /// AIMDB_EXCEPTIONS: an Error is thrown).
    T &value() & {
        if (!value_) by_mode::no_value(status_);
        return *value_;
    }
    const T &value() const & {
        if (!value_) by_mode::no_value(status_);
        return *value_;
    }
    T &&value() && {
        if (!value_) by_mode::no_value(status_);
        return std::move(*value_);
    }
    /// The value; there must be one.
    T &operator*() & { return *value_; }
    const T &operator*() const & { return *value_; }
    T &&operator*() && { return std::move(*value_); }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }

  private:
    std::optional<T> value_;
    Status status_;
};


// WHAT CALLABLES ARE GIVEN ----------------------------------------------------

template <typename T> class Record;

/// Produces from inside the callback that was given it. Valid during that call;
/// afterwards it answers AIMDB_ERR_EMITTER.
class Emitter {
  public:
    constexpr Emitter() noexcept = default;
    constexpr explicit Emitter(aimdb_emitter_t *handle) noexcept : handle_(handle) {}
    /// As Record::produce; the record must be of the same database.
    template <typename T>
    Status emit(const Record<T> &record,
                typename detail::Payload<T>::Argument value) const AIMDB_NOEXCEPT {
        return by_mode::checked(aimdb_emit(handle_, record.handle(),
                                           detail::Payload<T>::data(value),
                                           detail::Payload<T>::size(value)));
    }
    aimdb_emitter_t *handle() const noexcept { return handle_; }

  private:
    aimdb_emitter_t *handle_ = nullptr;
};

/// A value as a callable or a batch sees it, without a copy. Valid during the
/// call; in a batch, until the batch is used again or destroyed.
template <typename T> class Message {
  public:
    using View = typename detail::Payload<T>::View;

    Message(const void *data, const aimdb_message_t &raw, aimdb_emitter_t *emitter) noexcept
        : data_(data), raw_(&raw), emitter_(emitter) {}
    /// `const T &`; Bytes for Bytes; a copy if T is aligned to more than 8.
    View value() const noexcept { return detail::Payload<T>::view(data_, raw_->size); }
    View operator*() const noexcept { return value(); }
    const T *operator->() const noexcept {
        static_assert(std::is_reference_v<View>, "use value()");
        return std::addressof(value());
    }
    /// Number of the value in its record, from 1; 0 in a producer function.
    std::uint64_t sequence() const noexcept { return raw_->sequence; }
    Emitter emitter() const noexcept { return Emitter(emitter_); }
    template <typename U>
    Status emit(const Record<U> &record,
                typename detail::Payload<U>::Argument value) const AIMDB_NOEXCEPT {
        return emitter().emit(record, value);
    }
    const aimdb_message_t &raw() const noexcept { return *raw_; }

  private:
    const void *data_;
    const aimdb_message_t *raw_;
    aimdb_emitter_t *emitter_;
};

/// `values` were lost to a consumer before what it gets next.
struct Lag {
    std::uint64_t values;
    Emitter emitter;
};

/// Where a producer function writes a replacement. Valid during the call.
template <typename T> class Draft {
  public:
    explicit Draft(aimdb_draft_t &raw) noexcept : raw_(&raw) {}
    /// Writes the replacement: `return draft.replace(better);`. Bytes over
    /// payload_max are not written, and produce answers AIMDB_ERR_SIZE.
    Verdict replace(typename detail::Payload<T>::Argument value) noexcept {
        raw_->size = detail::Payload<T>::size(value);
        if (raw_->size != 0 && raw_->size <= raw_->capacity)
            std::memcpy(raw_->data, detail::Payload<T>::data(value), raw_->size);
        return Verdict::replace;
    }
    /// Bytes only: the memory itself, payload_max bytes aligned to 8, to be
    /// written and then committed with its size.
    Span<std::byte> buffer() noexcept {
        static_assert(detail::is_bytes<T>, "use replace(value)");
        return {static_cast<std::byte *>(raw_->data), raw_->capacity};
    }
    Verdict commit(std::size_t size) noexcept {
        static_assert(detail::is_bytes<T>, "use replace(value)");
        raw_->size = size;
        return Verdict::replace;
    }

  private:
    aimdb_draft_t *raw_;
};

namespace by_mode {
inline void to_stderr(const char *text) noexcept {
    std::fprintf(stderr, "aimdb: warning: %s\n", text);
}

/// Where lines go: the library's and those on exceptions.
class Logger {
  public:
    explicit Logger(LogLevel least) noexcept : least_(least) {}
    Logger(const Logger &) = delete;
    Logger &operator=(const Logger &) = delete;
    virtual ~Logger() = default;
    virtual void line(LogLevel, const char *text) noexcept { to_stderr(text); }
    void warn(const char *text) noexcept {
        if (least_ != LogLevel::off && least_ >= LogLevel::warning) line(LogLevel::warning, text);
    }

  private:
    LogLevel least_;
};

template <typename Fn> class LogTo final : public Logger {
  public:
    LogTo(LogLevel least, Fn &&fn) : Logger(least), fn_(std::move(fn)) {}
    LogTo(LogLevel least, const Fn &fn) : Logger(least), fn_(fn) {}
    void line(LogLevel level, const char *text) noexcept override {
#ifdef __cpp_exceptions
        try {
            fn_(level, std::string_view(text));
        } catch (...) { // there is no log for the log
        }
#else
        fn_(level, std::string_view(text));
#endif
    }

  private:
    Fn fn_;
};

using LoggerRef = std::shared_ptr<Logger>;

/// None if there is no memory.
template <typename L, typename... Args> LoggerRef make_logger(Args &&...args) {
#ifdef __cpp_exceptions
    try {
        return std::make_shared<L>(std::forward<Args>(args)...);
    } catch (const std::bad_alloc &) {
        return {};
    }
#else
    return std::make_shared<L>(std::forward<Args>(args)...);
#endif
}

/// Stands around a user's callable: nothing is thrown through C.
class Guard {
  public:
    explicit Guard(LoggerRef logger) noexcept : logger_(std::move(logger)) {}

    template <typename Call>
    auto run(aimdb_record_t *record, const char *who, decltype(std::declval<Call>()()) failure,
             Call &&call) noexcept {
#ifdef __cpp_exceptions
        try {
            return call();
        } catch (const std::exception &e) {
            report(record, who, e.what());
        } catch (...) {
            report(record, who, "not a std::exception");
        }
        return failure;
#else
        (void)record, (void)who, (void)failure;
        return call();
#endif
    }

  private:
    /// At most once a second: a failing callable would fill the log.
    void report(aimdb_record_t *record, const char *who, const char *what) noexcept {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        const auto second = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::seconds>(now).count() + 1);
        if (second_.exchange(second) == second) {
            unsaid_.fetch_add(1);
            return;
        }
        aimdb_record_info_t info = AIMDB_RECORD_INFO_INIT;
        (void)aimdb_record_info(record, &info);
        char more[48] = "";
        if (const std::uint32_t unsaid = unsaid_.exchange(0))
            std::snprintf(more, sizeof more, " (and %u more before)",
                          static_cast<unsigned>(unsaid));
        char text[512];
        std::snprintf(text, sizeof text, "%s: %s threw: %.180s%s", info.key, who, what, more);
        if (logger_)
            logger_->warn(text);
        else
            to_stderr(text);
    }

    LoggerRef logger_; // none: warnings to stderr
    std::atomic<std::uint32_t> second_{0};
    std::atomic<std::uint32_t> unsaid_{0};
};

struct NoLag {};

/// What a consumer holds so that what it refers to lives: nothing, an owner, or
/// an owner for the time of each call. present() is false if it has gone.
struct NoOwner {
    constexpr bool present() const noexcept { return true; }
};
template <typename T> struct Held {
    std::shared_ptr<T> owner;
    constexpr bool present() const noexcept { return true; }
};
template <typename T> struct Watched {
    std::weak_ptr<T> owner;
    std::shared_ptr<T> present() const noexcept { return owner.lock(); }
};
template <typename T> Held<T> held(std::shared_ptr<T> owner) noexcept {
    return {std::move(owner)};
}
template <typename T> Watched<T> held(std::weak_ptr<T> owner) noexcept {
    return {std::move(owner)};
}
template <typename T> using HeldOf = decltype(held(std::declval<T>()));

/// The library's own constructors.
struct Private {};

/// True if the value was taken care of.
template <typename T, typename Fn, typename Given> bool consumed(Fn &fn, Given &&given) {
    using Answer = decltype(fn(std::forward<Given>(given)));
    static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, bool>,
                  "a consumer returns void, or bool: false is a failure");
    if constexpr (std::is_void_v<Answer>) {
        fn(std::forward<Given>(given));
        return true;
    } else {
        return fn(std::forward<Given>(given));
    }
}

/// A consumer on the heap.
template <typename T, typename Fn, typename LagFn, typename Owner> class Consumer {
  public:
    template <typename F, typename L>
    Consumer(LoggerRef logger, F &&fn, L &&on_lag, Owner owner)
        : owner_(std::move(owner)), fn_(std::forward<F>(fn)), on_lag_(std::forward<L>(on_lag)),
          guard_(std::move(logger)) {}

    static int call(aimdb_emitter_t *emitter, const aimdb_message_t *raw, void *user) noexcept {
        auto *self = static_cast<Consumer *>(user);
        return self->guard_.run(raw->record, "a consumer", 1, [&]() -> int {
            const auto present = self->owner_.present();
            if (!present) return 0;
            const Message<T> message(raw->data, *raw, emitter);
            if constexpr (std::is_invocable_v<Fn &, const Message<T> &>)
                return consumed<T>(self->fn_, message) ? 0 : 1;
            else
                return consumed<T>(self->fn_, message.value()) ? 0 : 1;
        });
    }
    static void lagged(aimdb_emitter_t *emitter, aimdb_record_t *record, std::uint64_t values,
                       void *user) noexcept {
        auto *self = static_cast<Consumer *>(user);
        self->guard_.run(record, "a lag function", 0, [&]() -> int {
            const auto present = self->owner_.present();
            if (present) self->on_lag_(Lag{values, Emitter(emitter)});
            return 0;
        });
    }
    static void free(void *user) noexcept { delete static_cast<Consumer *>(user); }

  private:
    Owner owner_; // goes last
    Fn fn_;
    LagFn on_lag_;
    Guard guard_;
};

/// A producer function on the heap. Several threads may call it at once.
template <typename T, typename Fn> class Producer {
  public:
    template <typename F>
    Producer(LoggerRef logger, F &&fn) : fn_(std::forward<F>(fn)), guard_(std::move(logger)) {}

    static int call(aimdb_emitter_t *emitter, const aimdb_message_t *raw, aimdb_draft_t *draft_raw,
                    void *user) noexcept {
        auto *self = static_cast<Producer *>(user);
        return self->guard_.run(raw->record, "a producer function", AIMDB_REJECT, [&]() -> int {
            Draft<T> draft(*draft_raw);
            if constexpr (!detail::is_bytes<T>) {
                // The producer's own memory: of C it need not be aligned.
                if (reinterpret_cast<std::uintptr_t>(raw->data) % alignof(T) != 0) {
                    alignas(T) unsigned char copy[sizeof(T)];
                    std::memcpy(copy, raw->data, sizeof(T));
                    return static_cast<int>(self->judge({copy, *raw, emitter}, draft));
                }
            }
            return static_cast<int>(self->judge({raw->data, *raw, emitter}, draft));
        });
    }
    static void free(void *user) noexcept { delete static_cast<Producer *>(user); }

  private:
    Verdict judge(const Message<T> &message, Draft<T> &draft) {
        using View = typename Message<T>::View;
        if constexpr (std::is_invocable_r_v<Verdict, Fn &, const Message<T> &, Draft<T> &>)
            return fn_(message, draft);
        else if constexpr (std::is_invocable_r_v<Verdict, Fn &, View, Draft<T> &>)
            return fn_(message.value(), draft);
        else
            return fn_(message.value());
    }

    Fn fn_;
    Guard guard_;
};

struct EndConsumer {
    void operator()(aimdb_consumer_t *handle) const noexcept {
        (void)aimdb_unsubscribe(handle, nullptr);
    }
};
struct EndReader {
    void operator()(aimdb_reader_t *handle) const noexcept {
        (void)aimdb_reader_close(handle, nullptr);
    }
};
struct EndDatabase {
    std::int64_t drain = -1; // of others: to be left alone
    void operator()(aimdb_t *handle) const noexcept {
        if (drain < 0) return;
        // What the callables captured may be about to go: wait for those that run.
        const aimdb_status_t closed = aimdb_close(handle, drain);
        if (closed == AIMDB_BLOCKED || closed == AIMDB_IN_PROGRESS)
            (void)aimdb_close(handle, AIMDB_FOREVER);
        (void)aimdb_destroy(handle);
    }
};
} // namespace by_mode


// SUBSCRIPTION ----------------------------------------------------------------

/// A consumer that is subscribed. Its destructor unsubscribes: outside callbacks
/// it returns when the callable does not run and has been destroyed. Inside any
/// callback of the library it does not wait (two that end each other would wait
/// for ever): the callable may run on, on its own thread, and is destroyed after
/// that. So whatever a callback may destroy must not be referred to by a bare
/// `this` or `&`. An object that has its subscription itself gives a weak_ptr:
///
///     struct Sensor { // in a shared_ptr
///         double last = 0;
///         aimdb::Subscription values;
///     };
///     auto sensor = std::make_shared<Sensor>();
///     sensor->values = record.subscribe([s = sensor.get()](double v) { s->last = v; },
///                                       std::weak_ptr<Sensor>(sensor)).value();
///
/// Then `sensor.reset()` is safe anywhere: a call that runs keeps the Sensor until
/// it returns, and none begins afterwards. State apart from the subscription is
/// captured as a shared_ptr, or given as one beside the callable: it is released
/// when the callable is destroyed. Never so the object that has the subscription:
/// they would keep each other until the database is closed.
class [[nodiscard]] Subscription {
  public:
    Subscription() noexcept = default;
    /// Owns it from now on.
    explicit Subscription(aimdb_consumer_t *handle) noexcept : handle_(handle) {}
    /// The same now, with the last account. AIMDB_OK or AIMDB_IN_PROGRESS: the
    /// object is empty.
    Status unsubscribe(ConsumerStats *last = nullptr) AIMDB_NOEXCEPT {
        if (last) last->struct_size = sizeof *last;
        return by_mode::checked(aimdb_unsubscribe(handle_.release(), last));
    }
    /// Leaves it subscribed until the database is closed; this object is empty.
    void detach() noexcept { (void)release(); }
    Result<ConsumerStats> stats() const AIMDB_NOEXCEPT {
        ConsumerStats stats = AIMDB_CONSUMER_STATS_INIT;
        const Status status = by_mode::checked(aimdb_consumer_stats(handle(), &stats));
        if (!status) return status;
        return stats;
    }
    aimdb_consumer_t *handle() const noexcept { return handle_.get(); }
    /// The handle, to be ended by who takes it; this object is empty.
    [[nodiscard]] aimdb_consumer_t *release() noexcept { return handle_.release(); }

  private:
    std::unique_ptr<aimdb_consumer_t, by_mode::EndConsumer> handle_;
};


// READER ----------------------------------------------------------------------

/// What a receive or a peek gave: `if (r) use(*r); else if (r.status() == ...)`.
template <typename T> class [[nodiscard]] Received {
  public:
    Status status() const noexcept { return status_; }
    bool ok() const noexcept { return status_.ok(); }
    explicit operator bool() const noexcept { return ok(); }
    /// The value. Without one the program ends with a message (with
    /// AIMDB_EXCEPTIONS: an Error is thrown).
    const T &value() const & {
        if (!ok()) by_mode::no_value(status_);
        return **this;
    }
    T value() && { return std::as_const(*this).value(); }
    /// The value; there must be one.
    const T &operator*() const & { return *std::launder(reinterpret_cast<const T *>(bytes_)); }
    T operator*() && { return *std::as_const(*this); }
    const T *operator->() const noexcept { return std::addressof(**this); }
    /// Number of the value in its record, from 1.
    std::uint64_t sequence() const noexcept { return sequence_; }
    /// Values lost, if the status is AIMDB_LAGGED; else 0.
    std::uint64_t lagged() const noexcept { return lagged_; }

    template <typename Call> Received(by_mode::Private, Call &&call) AIMDB_NOEXCEPT {
        aimdb_message_t message = AIMDB_MESSAGE_INIT;
        status_ = by_mode::checked(call(bytes_, sizeof bytes_, &message));
        sequence_ = message.sequence;
        lagged_ = message.lagged;
    }

  private:
    std::uint64_t sequence_ = 0;
    std::uint64_t lagged_ = 0;
    Status status_;
    alignas(T) unsigned char bytes_[sizeof(T)];
};

/// The same of raw bytes, which lie in the caller's buffer. That it is too small
/// is an outcome in every mode: `if (r.status() == AIMDB_ERR_TOO_SMALL)
/// buffer.resize(r.needed());`
template <> class [[nodiscard]] Received<Bytes> {
  public:
    Status status() const noexcept { return status_; }
    bool ok() const noexcept { return status_.ok(); }
    explicit operator bool() const noexcept { return ok(); }
    Bytes value() const {
        if (!ok()) by_mode::no_value(status_);
        return **this;
    }
    /// The value; empty without one.
    Bytes operator*() const noexcept {
        return {static_cast<const std::byte *>(message_.data), ok() ? message_.size : 0};
    }
    /// Bytes needed, if the status is AIMDB_ERR_TOO_SMALL, else 0; the value stays
    /// pending.
    std::size_t needed() const noexcept {
        return status_ == AIMDB_ERR_TOO_SMALL ? message_.size : 0;
    }
    std::uint64_t sequence() const noexcept { return message_.sequence; }
    std::uint64_t lagged() const noexcept { return message_.lagged; }

    template <typename Call>
    Received(by_mode::Private, Span<std::byte> buffer, Call &&call) AIMDB_NOEXCEPT {
        status_ = by_mode::received(call(buffer.data(), buffer.size(), &message_));
    }

  private:
    aimdb_message_t message_ = AIMDB_MESSAGE_INIT;
    Status status_;
};

/// Memory for batch receives, taken once; iterates as Message<T>. If the memory
/// was not to be had, the receive answers AIMDB_ERR_NO_MEMORY.
template <typename T> class Batch {
  public:
    /// Room for `max` values.
    explicit Batch(std::size_t max) noexcept : Batch(max, max, rounded(sizeof(T))) {
        static_assert(!detail::is_bytes<T>, "Batch<Bytes>(max, bytes)");
    }
    /// Bytes only: room for `max` values of `bytes` together, each rounded up to 8.
    Batch(std::size_t max, std::size_t bytes) noexcept : Batch(max, bytes, 1) {
        static_assert(detail::is_bytes<T>, "Batch<T>(max)");
    }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    Message<T> operator[](std::size_t i) const noexcept {
        return {messages_[i].data, messages_[i], nullptr};
    }
    /// Values lost, if the receive said AIMDB_LAGGED; else 0.
    std::uint64_t lagged() const noexcept { return lagged_; }

    /// Bytes only: what the first value needs, if the receive said
    /// AIMDB_ERR_TOO_SMALL (an outcome in every mode), else 0; it stays pending.
    std::size_t needed() const noexcept { return needed_; }

    class Iterator {
        struct Arrow {
            Message<T> message;
            const Message<T> *operator->() const noexcept { return &message; }
        };

      public:
        using value_type = Message<T>;
        using reference = Message<T>; // made as it is looked at: hence input, of old
        using pointer = Arrow;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using iterator_concept = std::forward_iterator_tag;

        Iterator() noexcept = default;
        Iterator(const Batch *batch, std::size_t at) noexcept : batch_(batch), at_(at) {}
        Message<T> operator*() const noexcept { return (*batch_)[at_]; }
        Arrow operator->() const noexcept { return {**this}; }
        Iterator &operator++() noexcept {
            at_++;
            return *this;
        }
        Iterator operator++(int) noexcept {
            const Iterator before(*this);
            at_++;
            return before;
        }
        friend bool operator==(const Iterator &a, const Iterator &b) noexcept {
            return a.at_ == b.at_;
        }
        friend bool operator!=(const Iterator &a, const Iterator &b) noexcept { return !(a == b); }

      private:
        const Batch *batch_ = nullptr;
        std::size_t at_ = 0;
    };
    using iterator = Iterator;
    using const_iterator = Iterator;
    using value_type = Message<T>;
    Iterator begin() const noexcept { return {this, 0}; }
    Iterator end() const noexcept { return {this, size_}; }

    /// For Reader::recv_batch.
    Status receive(aimdb_reader_t *reader, std::int64_t timeout_ns) AIMDB_NOEXCEPT {
        size_ = needed_ = 0;
        lagged_ = 0;
        if (!messages_ || !bytes_) return by_mode::refused(AIMDB_ERR_NO_MEMORY, "");
        messages_[0].struct_size = sizeof(aimdb_message_t);
        const aimdb_status_t status = aimdb_recv_batch(reader, bytes_.get(), capacity_,
                                                       messages_.get(), max_, &size_, timeout_ns);
        if (status != AIMDB_OK) size_ = 0;
        if (status == AIMDB_LAGGED) lagged_ = messages_[0].lagged;
        if (status == AIMDB_ERR_TOO_SMALL) needed_ = messages_[0].size;
        return by_mode::received(status);
    }

  private:
    static constexpr std::size_t rounded(std::size_t bytes) noexcept { return (bytes + 7) / 8 * 8; }
    Batch(std::size_t max, std::size_t count, std::size_t each) noexcept
        : max_(max), capacity_(count * each) {
        if (max == 0 || count > SIZE_MAX / each || max > SIZE_MAX / sizeof(aimdb_message_t)) return;
        messages_.reset(new (std::nothrow) aimdb_message_t[max]());
        bytes_.reset(new (std::nothrow) std::uint64_t[capacity_ / 8 + 1]);
    }

    std::size_t max_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    std::size_t needed_ = 0;
    std::uint64_t lagged_ = 0;
    std::unique_ptr<aimdb_message_t[]> messages_;
    std::unique_ptr<std::uint64_t[]> bytes_; // for the alignment
};

/// A pull reader. Several threads may receive at once: each value goes to one
/// of them. The destructor closes it; a receive that waits then answers
/// AIMDB_CLOSED.
template <typename T> class [[nodiscard]] Reader {
  public:
    Reader() noexcept = default;
    /// Owns it from now on. It must be one of a Record<T>, which is not checked.
    explicit Reader(aimdb_reader_t *handle) noexcept : handle_(handle) {}
    /// The next value, AIMDB_LAGGED, AIMDB_EMPTY or AIMDB_CLOSED.
    Received<T> try_recv() const AIMDB_NOEXCEPT {
        static_assert(!detail::is_bytes<T>, "Reader<Bytes>: try_recv(buffer)");
        return Received<T>({},
                           [this](void *buffer, std::size_t capacity, aimdb_message_t *message) {
                               return aimdb_try_recv(handle(), buffer, capacity, message);
                           });
    }
    /// The same, waiting; AIMDB_TIMEOUT instead of AIMDB_EMPTY if it has waited.
    template <typename Rep, typename Period>
    Received<T> recv(std::chrono::duration<Rep, Period> timeout) const AIMDB_NOEXCEPT {
        static_assert(!detail::is_bytes<T>, "Reader<Bytes>: recv(buffer, timeout)");
        return Received<T>({}, [&](void *buffer, std::size_t capacity, aimdb_message_t *message) {
            return aimdb_recv(handle(), buffer, capacity, message, detail::nanoseconds(timeout));
        });
    }
    /// Bytes only: into the caller's buffer, where the value stays.
    Received<T> try_recv(Span<std::byte> into) const AIMDB_NOEXCEPT {
        static_assert(detail::is_bytes<T>, "Reader<T>: try_recv()");
        return Received<T>({}, into,
                           [this](void *buffer, std::size_t capacity, aimdb_message_t *message) {
                               return aimdb_try_recv(handle(), buffer, capacity, message);
                           });
    }
    template <typename Rep, typename Period>
    Received<T> recv(Span<std::byte> into,
                     std::chrono::duration<Rep, Period> timeout) const AIMDB_NOEXCEPT {
        static_assert(detail::is_bytes<T>, "Reader<T>: recv(timeout)");
        return Received<T>({}, into,
                           [&](void *buffer, std::size_t capacity, aimdb_message_t *message) {
                               return aimdb_recv(handle(), buffer, capacity, message,
                                                 detail::nanoseconds(timeout));
                           });
    }
    /// Waits for a first value and takes what is there, as aimdb_recv_batch.
    /// After AIMDB_OK the batch has at least one value.
    template <typename Rep, typename Period>
    Status recv_batch(Batch<T> &batch,
                      std::chrono::duration<Rep, Period> timeout) const AIMDB_NOEXCEPT {
        return batch.receive(handle(), detail::nanoseconds(timeout));
    }
    /// A descriptor for poll, epoll, ...; aimdb_reader_fd says how to use it. It
    /// stays the reader's.
    Result<int> fd() const AIMDB_NOEXCEPT {
        int fd = -1;
        const Status status = by_mode::checked(aimdb_reader_fd(handle(), &fd));
        if (!status) return status;
        return fd;
    }
    Result<ConsumerStats> stats() const AIMDB_NOEXCEPT {
        ConsumerStats stats = AIMDB_CONSUMER_STATS_INIT;
        const Status status = by_mode::checked(aimdb_reader_stats(handle(), &stats));
        if (!status) return status;
        return stats;
    }
    /// Ends it now, with the last account; this object is empty.
    Done close(ConsumerStats *last = nullptr) AIMDB_NOEXCEPT {
        if (last) last->struct_size = sizeof *last;
        return by_mode::checked(aimdb_reader_close(handle_.release(), last));
    }
    aimdb_reader_t *handle() const noexcept { return handle_.get(); }
    /// The handle, to be ended by who takes it; this object is empty.
    [[nodiscard]] aimdb_reader_t *release() noexcept { return handle_.release(); }

  private:
    std::unique_ptr<aimdb_reader_t, by_mode::EndReader> handle_;
};


// RECORD ----------------------------------------------------------------------

/// A record of values T (trivially copyable), or of raw Bytes.
template <typename T> class Record {
    using Payload = detail::Payload<T>;

  public:
    Record() noexcept = default;
    /// Of a record of C, or of another mode, on the same libaimdb. AIMDB_ERR_TYPE
    /// as from Database::open, but last_error() is not about it.
    static Result<Record> from_handle(aimdb_record_t *handle) AIMDB_NOEXCEPT {
        Record record(handle, {});
        const Result<RecordInfo> info = record.info();
        if (!info) return info.status();
        if constexpr (!detail::is_bytes<T>) {
            if (info->exact_size != Payload::exact_size ||
                std::string_view(info->type_name) != Payload::name())
                return by_mode::refused(AIMDB_ERR_TYPE, Payload::name());
        }
        return record;
    }

    /// Copies one value into the record and wakes who waits. Never waits for a
    /// consumer; see aimdb_produce for the statuses.
    Status produce(typename Payload::Argument value) const AIMDB_NOEXCEPT {
        return by_mode::checked(aimdb_produce(handle_, Payload::data(value), Payload::size(value)));
    }

    /// One value after the other, as aimdb_produce_batch: ends with the first that
    /// is not enqueued. *produced says how many were, whatever the status is.
    Status produce_batch(Span<const T> values,
                         std::size_t *produced = nullptr) const AIMDB_NOEXCEPT {
        static_assert(!detail::is_bytes<T>, "Record<Bytes>: produce_batch(data, sizes)");
        constexpr std::size_t most = 64;
        std::size_t sizes[most], done = 0;
        for (std::size_t &size : sizes) size = sizeof(T);
        aimdb_status_t status = AIMDB_OK;
        do {
            const std::size_t left = values.size() - done, count = left < most ? left : most;
            std::size_t enqueued = 0;
            status = aimdb_produce_batch(handle_, values.data() + done, sizes, count, &enqueued);
            done += enqueued;
        } while (status == AIMDB_OK && done < values.size());
        if (produced) *produced = done;
        return by_mode::checked(status);
    }
    /// Bytes only: the values lie back to back in `data`.
    Status produce_batch(Bytes data, Span<const std::size_t> sizes,
                         std::size_t *produced = nullptr) const AIMDB_NOEXCEPT {
        static_assert(detail::is_bytes<T>, "Record<T>: produce_batch(values)");
        return by_mode::checked(
            aimdb_produce_batch(handle_, data.data(), sizes.data(), sizes.size(), produced));
    }

    /// Subscribes `fn`, called on a dispatcher thread, one call at a time, with `const Message<T>
    /// &` or with `const T &` (Bytes), whichever it takes; a generic lambda gets the message. It
    /// returns void, or bool: false is counted as a failure.
    template <typename Fn>
    Result<Subscription> subscribe(Fn &&fn, const ConsumerOptions &options = {}) const {
        return subscribe_with(std::forward<Fn>(fn), by_mode::NoLag{}, by_mode::NoOwner{}, options);
    }
    /// `on_lag(Lag)` is told of losses, on the same thread, before the next value.
    template <typename Fn, typename LagFn,
              typename = std::enable_if_t<std::is_invocable_v<std::decay_t<LagFn> &, Lag>>>
    Result<Subscription> subscribe(Fn &&fn, LagFn &&on_lag,
                                   const ConsumerOptions &options = {}) const {
        return subscribe_with(std::forward<Fn>(fn), std::forward<LagFn>(on_lag), by_mode::NoOwner{},
                              options);
    }
    /// With an `owner` of what the functions refer to. A std::shared_ptr is held
    /// until they have been destroyed. A std::weak_ptr is locked for each call, and
    /// there are none once the owner has gone. Subscription says when to use which.
    template <typename Fn, typename Owner, typename = by_mode::HeldOf<Owner>>
    Result<Subscription> subscribe(Fn &&fn, Owner owner,
                                   const ConsumerOptions &options = {}) const {
        return subscribe_with(std::forward<Fn>(fn), by_mode::NoLag{},
                              by_mode::held(std::move(owner)), options);
    }
    template <typename Fn, typename LagFn, typename Owner, typename = by_mode::HeldOf<Owner>>
    Result<Subscription> subscribe(Fn &&fn, LagFn &&on_lag, Owner owner,
                                   const ConsumerOptions &options = {}) const {
        return subscribe_with(std::forward<Fn>(fn), std::forward<LagFn>(on_lag),
                              by_mode::held(std::move(owner)), options);
    }

    /// Gives the record its producer function, once, before start. It runs on
    /// the producing threads, several at once, and returns a Verdict. It takes
    /// `const T &`, or `const T &` or `const Message<T> &` and a `Draft<T> &` for
    /// a replacement.
    template <typename Fn> Done set_producer(Fn &&fn) const {
        using Function = std::decay_t<Fn>;
        using View = typename Payload::View;
        static_assert(
            std::disjunction_v<
                std::is_invocable_r<Verdict, Function &, const Message<T> &, Draft<T> &>,
                std::is_invocable_r<Verdict, Function &, View, Draft<T> &>,
                std::is_invocable_r<Verdict, Function &, View>>,
            "a producer function is Verdict(const T &), Verdict(const T &, Draft<T> &) or "
            "Verdict(const Message<T> &, Draft<T> &)");
        using Producer = by_mode::Producer<T, Function>;
        std::unique_ptr<Producer> producer(new (std::nothrow)
                                               Producer(logger_, std::forward<Fn>(fn)));
        if (!producer) return by_mode::refused(AIMDB_ERR_NO_MEMORY, "");
        aimdb_producer_config_t config = AIMDB_PRODUCER_CONFIG_INIT;
        config.fn = Producer::call;
        config.user = producer.get();
        config.free = Producer::free;
        const aimdb_status_t status = aimdb_set_producer(handle_, &config);
        if (status == AIMDB_OK) (void)producer.release();
        return by_mode::checked(status);
    }

    /// Opens a pull reader; AIMDB_CLOSED if the database is closing or closed.
    Result<Reader<T>> reader() const AIMDB_NOEXCEPT {
        aimdb_reader_t *handle = nullptr;
        const Status status = by_mode::checked(aimdb_reader_open(handle_, &handle));
        if (!status) return status;
        return Reader<T>(handle);
    }

    /// The current value, not consumed: latest and mailbox. AIMDB_EMPTY if none.
    Received<T> peek() const AIMDB_NOEXCEPT {
        static_assert(!detail::is_bytes<T>, "Record<Bytes>: peek(buffer)");
        return Received<T>({},
                           [this](void *buffer, std::size_t capacity, aimdb_message_t *message) {
                               return aimdb_peek(handle_, buffer, capacity, message);
                           });
    }
    /// Bytes only: into the caller's buffer.
    Received<T> peek(Span<std::byte> into) const AIMDB_NOEXCEPT {
        static_assert(detail::is_bytes<T>, "Record<T>: peek()");
        return Received<T>({}, into,
                           [this](void *buffer, std::size_t capacity, aimdb_message_t *message) {
                               return aimdb_peek(handle_, buffer, capacity, message);
                           });
    }

    Result<RecordStats> stats() const AIMDB_NOEXCEPT {
        RecordStats stats = AIMDB_RECORD_STATS_INIT;
        const Status status = by_mode::checked(aimdb_record_stats(handle_, &stats));
        if (!status) return status;
        return stats;
    }
    /// How it was registered.
    Result<RecordInfo> info() const AIMDB_NOEXCEPT {
        RecordInfo info = AIMDB_RECORD_INFO_INIT;
        const Status status = by_mode::checked(aimdb_record_info(handle_, &info));
        if (!status) return status;
        return info;
    }
    aimdb_record_t *handle() const noexcept { return handle_; }

  private:
    friend class Database;
    Record(aimdb_record_t *handle, by_mode::LoggerRef logger) noexcept
        : handle_(handle), logger_(std::move(logger)) {}

    template <typename Fn, typename LagFn, typename Owner>
    Result<Subscription> subscribe_with(Fn &&fn, LagFn &&on_lag, Owner owner,
                                        const ConsumerOptions &options) const {
        using Function = std::decay_t<Fn>;
        using LagFunction = std::decay_t<LagFn>;
        static_assert(std::disjunction_v<std::is_invocable<Function &, const Message<T> &>,
                                         std::is_invocable<Function &, typename Payload::View>>,
                      "a consumer takes `const Message<T> &` or `const T &`");
        using Consumer = by_mode::Consumer<T, Function, LagFunction, Owner>;
        std::unique_ptr<Consumer> consumer(new (std::nothrow) Consumer(
            logger_, std::forward<Fn>(fn), std::forward<LagFn>(on_lag), std::move(owner)));
        if (!consumer) return by_mode::refused(AIMDB_ERR_NO_MEMORY, "");
        aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
        config.fn = Consumer::call;
        if constexpr (!std::is_same_v<LagFunction, by_mode::NoLag>)
            config.on_lag = Consumer::lagged;
        config.user = consumer.get();
        config.free = Consumer::free;
        config.stack_size = options.stack_size;
        config.dispatch = static_cast<aimdb_dispatch_t>(options.dispatch);
        aimdb_consumer_t *handle = nullptr;
        const aimdb_status_t status = aimdb_subscribe(handle_, &config, &handle);
        if (status != AIMDB_OK) return by_mode::checked(status);
        (void)consumer.release();
        return Subscription(handle);
    }

    aimdb_record_t *handle_ = nullptr;
    by_mode::LoggerRef logger_;
};


// DATABASE --------------------------------------------------------------------

/// A database. The destructor closes it, with DatabaseOptions::drain as timeout,
/// waits until no callback runs (so callables may refer to what outlives the
/// database object), and destroys it. For an end that waits for nobody call
/// close(timeout) and destroy(). Destroyed inside a callback it never waits.
class Database {
  public:
    Database() noexcept = default;

    /// Makes a database whose warnings go to stderr.
    static Result<Database> create(const DatabaseOptions &options = {}) {
        return make(by_mode::make_logger<by_mode::Logger>(options.log_level), false, options);
    }
    /// Makes a database that logs to `log(LogLevel, std::string_view)`: any
    /// thread, several at once; the text is valid during the call.
    template <typename Log, typename = std::enable_if_t<std::is_invocable_v<
                                std::decay_t<Log> &, LogLevel, std::string_view>>>
    static Result<Database> create(Log &&log, const DatabaseOptions &options = {}) {
        using To = by_mode::LogTo<std::decay_t<Log>>;
        return make(by_mode::make_logger<To>(options.log_level, std::forward<Log>(log)), true,
                    options);
    }

    /// Of a database of C, or of another mode, on the same libaimdb. It stays
    /// theirs: the destructor leaves it as it is. Lines on exceptions go to stderr.
    static Result<Database> from_handle(aimdb_t *handle) AIMDB_NOEXCEPT {
        Database db;
        db.handle_ = {handle, by_mode::EndDatabase{}};
        const Result<DatabaseStats> stats = db.stats();
        if (!stats) return stats.status();
        return db;
    }

    /// Registers a record, before start. The size and the type name of T are
    /// kept with it.
    template <typename T>
    Result<Record<T>> add(std::string_view key,
                          const RecordOptions &options = {}) const AIMDB_NOEXCEPT {
        aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
        config.buffer = static_cast<aimdb_buffer_t>(options.buffer);
        config.capacity = options.capacity;
        if constexpr (detail::is_bytes<T>) {
            config.payload_max = options.payload_max;
            config.exact_size = options.exact_size;
            config.type_name = options.type_name;
        } else {
            config.payload_max = config.exact_size = detail::Payload<T>::exact_size;
            config.type_name = detail::Payload<T>::name();
        }
        aimdb_record_t *record = nullptr;
        const Status status =
            by_mode::checked(aimdb_register(handle(), detail::Key(key).c_str(), &config, &record));
        if (!status) return status;
        return Record<T>(record, logger_);
    }
    /// Finds a record, in every state. AIMDB_ERR_TYPE if it was not registered
    /// with the size and type name of T; Bytes opens any.
    template <typename T> Result<Record<T>> open(std::string_view key) const AIMDB_NOEXCEPT {
        aimdb_record_t *record = nullptr;
        const Status status = by_mode::checked(aimdb_open(handle(), detail::Key(key).c_str(),
                                                          detail::Payload<T>::name(),
                                                          detail::Payload<T>::exact_size, &record));
        if (!status) return status;
        return Record<T>(record, logger_);
    }

    /// From now on produce works and callbacks run.
    Done start() const AIMDB_NOEXCEPT { return by_mode::checked(aimdb_start(handle())); }
    /// Ends intake and lets consumers, or also readers, drain until the timeout; as
    /// aimdb_close_with.
    template <typename Rep, typename Period>
    Status close(std::chrono::duration<Rep, Period> timeout,
                 Drain drain = Drain::consumers) const AIMDB_NOEXCEPT {
        return by_mode::checked(aimdb_close_with(handle(), detail::nanoseconds(timeout),
                                                 static_cast<std::uint32_t>(drain)));
    }
    /// Ends it and all its handles without waiting; as aimdb_destroy. After
    /// AIMDB_OK the object is empty.
    Done destroy() AIMDB_NOEXCEPT {
        const aimdb_status_t status = aimdb_destroy(handle());
        if (status == AIMDB_OK) (void)handle_.release();
        return by_mode::checked(status);
    }
    Result<DatabaseStats> stats() const AIMDB_NOEXCEPT {
        DatabaseStats stats = AIMDB_DATABASE_STATS_INIT;
        const Status status = by_mode::checked(aimdb_database_stats(handle(), &stats));
        if (!status) return status;
        return stats;
    }
    aimdb_t *handle() const noexcept { return handle_.get(); }
    /// The handle, to be ended by who takes it; this object is empty.
    [[nodiscard]] aimdb_t *release() noexcept { return handle_.release(); }

  private:
    static Result<Database> make(by_mode::LoggerRef logger, bool own,
                                 const DatabaseOptions &options) {
        if (!logger) return by_mode::refused(AIMDB_ERR_NO_MEMORY, "");
        aimdb_config_t config = AIMDB_CONFIG_INIT;
        config.log_level = static_cast<aimdb_log_level_t>(options.log_level);
        std::unique_ptr<by_mode::LoggerRef> shared;
        if (own) {
            shared.reset(new (std::nothrow) by_mode::LoggerRef(logger));
            if (!shared) return by_mode::refused(AIMDB_ERR_NO_MEMORY, "");
            config.log = [](aimdb_log_level_t level, const char *text, void *user) {
                (*static_cast<by_mode::LoggerRef *>(user))
                    ->line(static_cast<LogLevel>(level), text);
            };
            config.user = shared.get();
            config.free = [](void *user) { delete static_cast<by_mode::LoggerRef *>(user); };
        }
        aimdb_t *handle = nullptr;
        const Status status = by_mode::checked(aimdb_create(&config, &handle));
        if (!status) return status;
        (void)shared.release();
        Database db;
        const std::int64_t drain = detail::nanoseconds(options.drain);
        db.handle_ = {handle, by_mode::EndDatabase{drain < 0 ? 0 : drain}};
        db.logger_ = std::move(logger);
        return db;
    }

    std::unique_ptr<aimdb_t, by_mode::EndDatabase> handle_;
    by_mode::LoggerRef logger_;
};

/// The library's version at run time, "0.1.0".
inline const char *version() noexcept {
    return aimdb_version();
}
/// Its ABI version; AIMDB_ABI_VERSION is the header's.
inline std::uint32_t abi_version() noexcept {
    return aimdb_abi_version();
}

} // namespace AIMDB_MODE
} // namespace aimdb

#undef AIMDB_MODE
#undef AIMDB_NOEXCEPT

#endif // AIMDB_HPP
