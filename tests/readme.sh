#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The README's first program is examples/c/hello.c, has at most 25 lines, and
# prints what the README says; so does the README's Go program:
# tests/readme.sh PROGRAM
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
block() { awk -v lang="$1" '$0 == "```" lang && !seen { inside = seen = 1; next } /^```/ { inside = 0 } inside' "$top/README.md"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ "$(wc -l < "$top/examples/c/hello.c")" -le 25 ]
block c > "$work/hello.c"
diff "$work/hello.c" "$top/examples/c/hello.c"
block output > "$work/says"
"$1" > "$work/prints"
diff "$work/says" "$work/prints"

block go > "$work/main.go"
test -z "$(gofmt -l "$work/main.go")"
(cd "$top" && go run "$work/main.go") > "$work/prints"
diff "$work/says" "$work/prints"
