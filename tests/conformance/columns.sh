#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the suite in all its columns, two at a time; with --two, in the first two:
#
#   tests/conformance/columns.sh [--two] CONFORMANCE [part of a test's name ...]
#
# What failed is printed, and one line for each column.
set -eu

two=false
[ "$1" != --two ] || { two=true; shift; }
program=$1
shift
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

column() { # DOOR OPTION...: the test names are in $tests
    door=$1
    shift
    log=$logs/$door-$(echo "$@" | tr -d ' ')
    if AIMDB_DOOR=$door "$program" "$@" $tests >"$log" 2>&1; then
        tail -n 1 "$log"
    else
        grep -v '^ok ' "$log"
        echo "AIMDB_DOOR=$door $program $*: failed"
        touch "$logs/failed"
    fi
}

tests=$*
{ column direct --dedicated; $two || { column cgo --shared; column direct --dedicated --no-pi; }; } &
{ column direct --shared; $two || { column cgo --dedicated; column direct --shared --no-pi; }; } &
wait
test ! -e "$logs/failed"
