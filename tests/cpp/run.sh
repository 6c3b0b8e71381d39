#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# aimdb.hpp with gcc and clang: tests/cpp/run.sh LIBRARY_DIRECTORY
#
# Each compiler, in each mode (results, exceptions, neither exceptions nor
# RTTI), without a warning, under AddressSanitizer and UndefinedBehaviorSanitizer;
# what must not compile, and what it says then.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
lib=$(cd "$1" && pwd)
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"

# An alternate stack of the sanitizer's own would take the place of Go's.
export ASAN_OPTIONS=use_sigaltstack=0:detect_leaks=1:handle_segv=0:allow_user_segv_handler=1
export UBSAN_OPTIONS=print_stacktrace=1

compile() { "$compiler" $warnings -I"$top/capi" -I"$top/bindings/c" "$@"; }
link() { compile "$@" -L"$lib" -laimdb -Wl,-rpath,"$lib" -lpthread; }

binding() { # FLAGS...
    link "$@" -g "$top/tests/cpp/binding.cpp" -o "$out/binding"
    "$out/binding" > "$out/log" 2>&1 || { cat "$out/log"; return 1; }
    echo "$compiler $*"
}

# Each REFUSED_n of refused.cpp must fail to compile, with the text beside it.
refused() {
    compile -std=c++17 -fsyntax-only "$top/tests/cpp/refused.cpp"
    sed -n 's/^#ifdef \(REFUSED_[0-9]*\) \/\/ \(.*\)$/\1 \2/p' "$top/tests/cpp/refused.cpp" > "$out/list"
    [ -s "$out/list" ]
    while read -r name text; do
        if compile -std=c++17 -fsyntax-only "-D$name" "$top/tests/cpp/refused.cpp" 2> "$out/log"; then
            echo "$compiler: $name compiles"
            return 1
        fi
        grep -qF "$text" "$out/log" || { echo "$name:"; cat "$out/log"; return 1; }
    done < "$out/list"
}

# shellcheck disable=SC2086 # lists of flags
all() { # COMPILER
    compiler=$1 out=$top/build/cpp/$1
    mkdir -p "$out"
    binding -std=c++17 -O1 $sanitize
    binding -std=c++17 -O1 $sanitize -DAIMDB_EXCEPTIONS
    binding -std=c++17 -O1 $sanitize -fno-exceptions -fno-rtti
    binding -std=c++20 -O2 # as users build it
    compile -std=c++17 -c "$top/tests/cpp/modes.cpp" -o "$out/returning.o"
    link -std=c++17 -DAIMDB_EXCEPTIONS "$top/tests/cpp/modes.cpp" "$out/returning.o" -o "$out/modes"
    "$out/modes"
    refused
}

(all g++) & gcc=$!
(all clang++) & clang=$!
status=0
wait $gcc || status=1
wait $clang || status=1
exit $status
