// SPDX-License-Identifier: Apache-2.0
//
// A user's program in C++: exit status 0 if a value came through.

#include <aimdb.hpp>

#include <string_view>

// Values may be produced as early as this: the library is ready before a
// program's own constructors run.
static aimdb::Database early = aimdb::Database::create().value();

int main() {
    auto answer = early.add<std::int32_t>("answer").value();
    auto reader = answer.reader().value();
    if (!early.start() || !answer.produce(42)) return 1;
    return *reader.recv(std::chrono::minutes(1)) == 42 &&
                   std::string_view(aimdb::version()) == AIMDB_VERSION
               ? 0
               : 1;
}
