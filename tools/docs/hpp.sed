# SPDX-License-Identifier: Apache-2.0
#
# aimdb.hpp as Doxygen is to see it: its first comment is the file's, and the
# inline namespace of the mode is not there.
1c /// @file
1,/^#ifndef/ {
    s|^//   |///     |
    s|^// \(RULES.*\)|/// <h2>\1</h2>|
    s|^//$|///|
    s|^// |/// |
}
/^inline namespace AIMDB_MODE/d
/^} .. namespace AIMDB_MODE/d
