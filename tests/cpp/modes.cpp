// SPDX-License-Identifier: Apache-2.0
//
// Compiled twice into one program: a unit that throws beside one that does not.

#include "test.hpp"

#ifndef AIMDB_EXCEPTIONS

int returning_status();
int returning_status() { // of a record that is none
    return aimdb::Record<double>().produce(1).code();
}

#else

int returning_status();
int main() {
    REQUIRE(returning_status() == AIMDB_ERR_HANDLE);
    try {
        (void)aimdb::Record<double>().produce(1);
    } catch (const aimdb::Error &e) {
        REQUIRE(e.status() == AIMDB_ERR_HANDLE);
        return 0;
    }
    return 1;
}

#endif
