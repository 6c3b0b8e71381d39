#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the C tests under a sanitizer: tests/c/sanitize.sh asan|tsan
# with the library's C side compiled for it (tools/build-sanitized.sh), and what
# ThreadSanitizer says of programs also with the library that is installed.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/$1
case $1 in
asan) flag=address programs="reentrancy closing threads lifetime limits integration mixed" ;;
tsan) flag=thread programs="tsan_clean mixed" ;;
*) echo "asan or tsan?" >&2; exit 2 ;;
esac

"$top/tools/build-sanitized.sh" "$1" "$out"

compile() { # PROGRAM, with the library in DIRECTORY
    gcc -std=gnu11 -g -O1 -fsanitize=$flag -I"$top/capi" "$top/tests/c/$1.c" -o "$out/$1" \
        -L"${2:-$out}" -laimdb -Wl,-rpath,"${2:-$out}" -lpthread -ldl
}

# An alternate stack of the sanitizer's own would take the place of Go's.
export ASAN_OPTIONS=use_sigaltstack=0:detect_leaks=1:quarantine_size_mb=1:handle_segv=0:allow_user_segv_handler=1
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

for program in $programs; do
    compile "$program"
    echo "$1: $program"
    "$out/$program"
done

if [ "$1" = asan ]; then
    gcc -std=gnu11 -g -O1 -fsanitize=$flag -I"$top/capi" "$top"/tests/conformance/*.c -o "$out/conformance" \
        -L"$out" -laimdb -Wl,-rpath,"$out" -lpthread -lm
    "$out/conformance" > "$out/conformance.log" 2>&1 || { cat "$out/conformance.log" >&2; exit 1; }
    echo "asan: conformance"
fi

if [ "$1" = tsan ]; then
    compile tsan_clean "$top/build"
    "$out/tsan_clean"
    echo "tsan: tsan_clean, with the library that is installed"
    for library in "$out" "$top/build"; do
        compile tsan_planted "$library"
        if "$out/tsan_planted" > "$out/planted.log" 2>&1; then
            echo "the planted race was not found with $library" >&2
            exit 1
        fi
        grep -q "data race" "$out/planted.log" || { cat "$out/planted.log" >&2; exit 1; }
    done
    echo "tsan: the planted race was found, with either library"
fi
