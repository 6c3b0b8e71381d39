#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The library is built with a Go runtime that dwells where a collection can miss a
# thread that comes out of Go: between its look for a collection and its word that it is
# in C, and between the collection's look at that word and its grip. Collections must
# not stand still; without the look that capi/runtime.go tells of they must.
#
#   tests/c/collection.sh [BUILD DIRECTORY]
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(mkdir -p "${1:-$top/build}/collection" && cd "${1:-$top/build}/collection" && pwd)
proc=$(go env GOROOT)/src/runtime/proc.go

awk '/^\t\/\/ As soon as we switch to _Gsyscall, we are in danger/ { dwell(); places++ }
     /^\tif !castogscanstatus\(gp, status, status\|_Gscan\)/ { dwell(); places++ }
     { print }
     function dwell() { print "\tfor i := 0; i < 300; i++ {\n\t\tprocyield(30)\n\t}" }
     END { exit places != 2 }' "$proc" > "$build/proc" || {
    case $(go env GOVERSION) in
    go1.2[0-5]*) echo "$(go env GOVERSION) looks in the other order: nothing to test"; exit 0 ;;
    esac
    echo "not found in $proc: what tests/c/collection.sh is about" >&2
    exit 1
}
printf '{"Replace": {"%s": "%s"}}\n' "$proc" "$build/proc" > "$build/overlay.json"

run() { # DIRECTORY SECONDS [GO BUILD FLAGS...]
    out=$build/$1 seconds=$2
    shift 2
    "$top/tools/build-lib.sh" "$out" -overlay "$build/overlay.json" "$@"
    ${CC:-gcc} -std=gnu11 -O2 -I"$top/capi" "$top/tests/c/collection.c" -o "$out/collection" \
        -L"$out" -laimdb -Wl,-rpath,"$out" -lpthread
    "$out/collection" "$seconds"
}

run sound 20
status=0
run nolook 90 -tags fault_nolook || status=$?
test $status = 3 || { echo "the planted fault was not found: $status" >&2; exit 1; }
