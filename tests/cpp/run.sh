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

# The three modes in one program, in each order: the linker keeps the first of
# what has one name.
modes() {
    compile -std=c++17 -c "$top/tests/cpp/modes.cpp" -o "$out/returning.o"
    compile -std=c++17 -DAIMDB_EXCEPTIONS -c "$top/tests/cpp/modes.cpp" -o "$out/throwing.o"
    compile -std=c++17 -fno-exceptions -c "$top/tests/cpp/modes.cpp" -o "$out/without.o"
    for order in "returning throwing without" "throwing without returning" "without returning throwing"; do
        set --
        for unit in $order; do set -- "$@" "$out/$unit.o"; done
        link "$@" -o "$out/modes"
        "$out/modes" 2> "$out/log" || { cat "$out/log"; return 1; }
        [ "$(grep -c 'd: a consumer threw' "$out/log")" = 2 ] || { cat "$out/log"; return 1; }
    done
    echo "$compiler: three modes in one program"
}

# Each NAME_n of refused.cpp must fail to compile, with the text beside it.
refused() { # NAMES FLAGS...
    names=$1
    shift
    compile "$@" -fsyntax-only "$top/tests/cpp/refused.cpp"
    sed -n "s/^#ifdef \(\($names\)_[0-9]*\) \/\/ \(.*\)$/\1 \3/p" "$top/tests/cpp/refused.cpp" > "$out/list"
    [ "$(wc -l < "$out/list")" = "$(grep -c "^#ifdef \($names\)_" "$top/tests/cpp/refused.cpp")" ]
    while read -r name text; do
        if compile "$@" -fsyntax-only "-D$name" "$top/tests/cpp/refused.cpp" 2> "$out/log"; then
            echo "$compiler $*: $name compiles"
            return 1
        fi
        grep -qF "$text" "$out/log" || { echo "$name:"; cat "$out/log"; return 1; }
    done < "$out/list"
    echo "$compiler $*: $(wc -l < "$out/list") refused"
}

# shellcheck disable=SC2086 # lists of flags
all() { # COMPILER
    compiler=$1 out=$top/build/cpp/$1
    mkdir -p "$out"
    binding -std=c++17 -O1 $sanitize
    binding -std=c++17 -O1 $sanitize -DAIMDB_EXCEPTIONS
    binding -std=c++17 -O1 $sanitize -fno-exceptions -fno-rtti
    binding -std=c++20 -O2 # as users build it
    for std in c++20 c++2b; do
        compile -std=$std -fsyntax-only "$top/tests/cpp/binding.cpp"
        compile -std=$std -fsyntax-only "$top/tests/cpp/binding.cpp" -DAIMDB_EXCEPTIONS
        compile -std=$std -fsyntax-only "$top/tests/cpp/binding.cpp" -fno-exceptions -fno-rtti
    done
    modes
    refused 'REFUSED\|RETURNING' -std=c++17
    refused REFUSED -std=c++17 -DAIMDB_EXCEPTIONS
}

(all g++) & gcc=$!
(all clang++) & clang=$!
status=0
wait $gcc || status=1
wait $clang || status=1
exit $status
