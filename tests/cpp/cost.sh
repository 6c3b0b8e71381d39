#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# aimdb.hpp must cost at most 5 % more instructions than aimdb.h, per produce
# and per delivery, the library's own included: tests/cpp/cost.sh LIBRARY_DIRECTORY
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
lib=$(cd "$1" && pwd)
out=$top/build/cpp
values=$(sed -n 's/.*values = \([0-9]*\);/\1/p' "$top/tests/cpp/cost.cpp")
mkdir -p "$out"
g++ -std=c++17 -O2 -Wall -Wextra -Werror -I"$top/capi" -I"$top/bindings/c" "$top/tests/cpp/cost.cpp" \
    -o "$out/cost" -L"$lib" -laimdb -Wl,-rpath,"$lib" -lpthread

# Callgrind loses its way in the signals by which Go preempts.
export GODEBUG=asyncpreemptoff=1

# The least of three: Go's own work now and then falls into a count.
count() { # LANGUAGE WHAT
    for _ in 1 2 3; do
        valgrind -q --tool=callgrind --collect-atstart=no --callgrind-out-file="$out/callgrind" "$out/cost" "$1" "$2"
        sed -n 's/^totals: //p' "$out/callgrind"
    done | sort -n | head -n 1
}

for what in produce deliver; do
    c=$(count c $what)
    cpp=$(count cpp $what)
    awk -v what=$what -v c="$c" -v cpp="$cpp" -v n=$((values - 1)) 'BEGIN {
        printf "%s: C %.1f, C++ %.1f instructions, %+.1f %%\n", what, c / n, cpp / n, 100 * (cpp / c - 1)
        exit !(c > 20 * n && cpp <= 1.05 * c)
    }'
done
