#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The tests for another machine, under qemu's emulation of it:
# tests/cross.sh TRIPLET QEMU LIBRARY_DIRECTORY
#
# The conformance suite, aimdb.hpp, both gateways; and the static archive.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
triplet=$1 qemu=$2
lib=$(cd "$3" && pwd)
arch=$(basename "$lib")

# -pthread: riscv64 has some atomics in a library that it brings.
c() { "$triplet-gcc" -std=gnu11 -O2 -Wall -Wextra -Wpedantic -Werror -I"$top/capi" -pthread "$@" -lm; }
cpp() {
    "$triplet-g++" -std=c++17 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
        -I"$top/capi" -I"$top/bindings/c" -pthread "$@"
}
shared="-L$lib -laimdb -Wl,-rpath,\$ORIGIN"

# shellcheck disable=SC2086 # a list of flags
{
    c "$top"/tests/conformance/*.c -o "$lib/conformance" $shared
    c -I"$top/examples/c" "$top/examples/c/gateway.c" "$top"/examples/c/gateway/*.c -o "$lib/gateway" $shared
    c "$top/examples/c/hello.c" "$lib/libaimdb.a" -o "$lib/hello"
    cpp "$top/tests/cpp/binding.cpp" -o "$lib/binding" $shared
    cpp "$top/examples/cpp/gateway.cpp" -o "$lib/gateway_cpp" $shared
}

# The watchdog is for tests that hang, not for those that wait for a processor.
export AIMDB_TEST_WATCHDOG=600

run() {
    echo "$arch: $*"
    program=$1
    shift
    if ! "$qemu" -L "/usr/$triplet" "$lib/$program" "$@" > "$lib/$program.log" 2>&1 < /dev/null; then
        cat "$lib/$program.log" >&2
        echo "$arch: $program failed" >&2
        exit 1
    fi
}
run hello
run binding
run gateway --seconds 3 --rate 200
run gateway_cpp --seconds 3 --rate 200
run conformance
tail -n 2 "$lib/conformance.log"
