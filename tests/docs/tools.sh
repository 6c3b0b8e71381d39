#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What docs/sanitizers.md says: each tool finds a fault of the program and finds
# nothing in one without: tests/docs/tools.sh BUILD PREFIX
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
supp=$2/share/aimdb/valgrind.supp
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH="$2/lib/pkgconfig"
installed="$(pkg-config --cflags --libs aimdb) -Wl,-rpath,$2/lib"
log=$work/log

build() { # FLAGS, LIBRARY
    # shellcheck disable=SC2086 # lists of flags
    gcc -g -O1 $1 "$top/tests/docs/app.c" -o "$work/app" $2 -lpthread
}
own() { echo "-I$top/capi -L$build/$1 -laimdb -Wl,-rpath,$build/$1"; }

silent() { "$@" > "$log" 2>&1 || { cat "$log" >&2; echo "failed: $*" >&2; exit 1; }; }
finds() { # TEXT COMMAND...
    text=$1
    shift
    "$@" > "$log" 2>&1 || true
    grep -q "$text" "$log" || { cat "$log" >&2; echo "'$*' does not say: $text" >&2; exit 1; }
}

# Random layouts that a ThreadSanitizer of old does not know.
plain="setarch -R"
$plain true 2>/dev/null || plain=env

for library in "$installed" "$(own asan)"; do
    build -fsanitize=address,undefined "$library"
    silent "$work/app" nothing
    finds "heap-use-after-free.*" "$work/app" freed
    finds "in callback" "$work/app" freed
    finds "SEGV on unknown address" "$work/app" fault
    finds "detected memory leaks" "$work/app" leak
    finds "signed integer overflow" "$work/app" overflow
done
echo "AddressSanitizer and UBSan: as installed, and with the library's C side"

for library in "$installed" "$(own tsan)"; do
    build -fsanitize=thread "$library"
    silent $plain "$work/app" nothing
    finds "data race" $plain "$work/app" race
done
echo "ThreadSanitizer: as installed, and with the library's C side"

build "" "$installed"
memcheck="env LD_LIBRARY_PATH=$build/valgrind valgrind -q --error-exitcode=9 --leak-check=no $work/app"
silent $memcheck apart
finds "Invalid read" $memcheck freed_value
finds "Invalid read" $memcheck long_value
finds "Invalid write" $memcheck long_receive
finds "uninitialised" $memcheck config
finds "callback (app.c" $memcheck uninitialised
finds "Invalid read" $memcheck freed
finds "definitely lost.*" valgrind -q --leak-check=full --suppressions="$supp" "$work/app" leak
finds "give (app.c" valgrind -q --leak-check=full --suppressions="$supp" "$work/app" leak
finds "ERROR SUMMARY.*(suppressed: [1-9]" valgrind --leak-check=full --suppressions="$supp" "$work/app" apart
if grep "possibly lost in\|depends on uninitialised" "$log"; then exit 1; fi
echo "memcheck: nothing, and the faults of the program"

for tool in helgrind drd; do
    threads="valgrind -q --tool=$tool --error-exitcode=9 --suppressions=$supp $work/app"
    silent $threads apart
    finds "app.c" $threads race
done
echo "helgrind and drd: nothing, and a race of the program"

named="env LD_LIBRARY_PATH=$build/named"
finds "callback (" gdb -q -batch -ex run -ex bt --args "$work/app" fault
finds '"aimdb:r' gdb -q -batch -ex run -ex bt --args "$work/app" fault
finds "dispatch.c" $named gdb -q -batch -ex run -ex bt --args "$work/app" fault
silent gdb -q -batch -return-child-result -ex run --args "$work/app" nothing
echo "gdb: the callback's frame, the thread's name, names of the library"

if perf record -o "$work/perf" true > "$log" 2>&1; then
    silent $named perf record -g -o "$work/perf" "$work/app" nothing
    finds "libaimdb.so" perf report -i "$work/perf" --stdio --sort dso
    echo "perf: samples in the library"
else
    echo "perf: not allowed here"
fi
