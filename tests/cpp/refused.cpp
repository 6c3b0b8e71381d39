// SPDX-License-Identifier: Apache-2.0
//
// What must not compile, each with what the compiler is to say; RETURNING_n
// without AIMDB_EXCEPTIONS.

#include <aimdb.hpp>

#include <string>

struct Nameless {
    int n;
};
struct Text {
    static constexpr const char *aimdb_type = "test.Text";
    std::string text;
};

void refused(aimdb::Database &db, aimdb::Record<double> &record,
             aimdb::Record<aimdb::Bytes> &bytes);
void refused(aimdb::Database &db, aimdb::Record<double> &record,
             aimdb::Record<aimdb::Bytes> &bytes) {
    (void)db, (void)record, (void)bytes;
#ifdef REFUSED_1 // give T a `static constexpr const char *aimdb_type`
    (void)db.add<Nameless>("n");
#endif
#ifdef REFUSED_2 // a record holds trivially copyable values, or Bytes
    (void)db.add<Text>("t");
#endif
#ifdef REFUSED_3 // a record holds trivially copyable values, or Bytes
    (void)db.add<const char *>("p");
#endif
#ifdef REFUSED_4 // a consumer takes `const Message<T> &` or `const T &`
    (void)record.subscribe([](const std::string &) {});
#endif
#ifdef REFUSED_5 // a consumer returns void, or bool: false is a failure
    (void)record.subscribe([](double) { return 0; });
#endif
#ifdef REFUSED_6 // a producer function is Verdict(const T &)
    (void)record.set_producer([](double) { return true; });
#endif
#ifdef REFUSED_7 // Reader<Bytes>: try_recv(buffer)
    (void)bytes.reader()->try_recv();
#endif
#ifdef REFUSED_8 // delete
    aimdb::Database copy(db);
#endif
    // What may be an outcome must be looked at.
#ifdef REFUSED_9 // nodiscard
    record.produce(1);
#endif
#ifdef REFUSED_10 // nodiscard
    db.close(aimdb::forever);
#endif
#ifdef REFUSED_11 // nodiscard
    record.subscribe([](double) {});
#endif
#ifdef REFUSED_12 // no matching function
    (void)record.subscribe([](double) {}, std::make_unique<int>(1));
#endif
    // What is AIMDB_OK or throws need not be.
#ifdef AIMDB_EXCEPTIONS
    db.start();
    record.set_producer([](double) { return aimdb::Verdict::accept; });
    bytes.reader()->close();
    db.destroy();
#endif
#ifdef RETURNING_1 // nodiscard
    db.start();
#endif
}
