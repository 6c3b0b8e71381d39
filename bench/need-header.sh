#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that a C header is there: bench/need-header.sh HEADER PACKAGE
set -eu
echo "#include <$1>" | "${CC:-cc}" -E -o /dev/null - 2>/dev/null && exit 0
exec "$(dirname "$0")/../tools/need.sh" "header:$1=$2" # no command is called that: installs
