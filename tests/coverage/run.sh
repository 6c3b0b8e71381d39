#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Measures what the tests run of capi and core, and reports it: make coverage.
#
# The library is built from a copy of its sources, with gcov for the C side and
# Go's counters for the rest, and with testdata/write.*, which write these when a
# program ends. Conformance in all columns and the C tests run with it, the Go
# tests with counters of their own.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/coverage
rm -rf "$out"
mkdir -p "$out/src" "$out/tmp" "$out/counters"

# Only C of this library is to be instrumented, not that of Go's own packages.
wrapper() {
    cat <<'WRAPPER'
#!/bin/sh
for word in "$@"; do
    case $word in
    -shared) exec gcc "$@" --coverage ;;
    *cgo2.c | _cgo_* | gcc_*) break ;;
    [a-z]*.c) exec gcc "$@" -O1 -g --coverage -fprofile-update=atomic ;;
    esac
done
exec gcc "$@"
WRAPPER
}

build() {
    cd "$top"
    cp -r go.mod go.sum capi core tools "$out/src"
    for file in tests/coverage/testdata/write.*; do
        cp "$file" "$out/src/capi/coverage.${file##*.}"
    done
    echo "/* $(date +%s%N): not from the build cache */" >>"$out/src/capi/coverage.c"
    wrapper >"$out/cc"
    chmod +x "$out/cc"
    CC=$out/cc GOTMPDIR=$out/tmp AIMDB_GO_LDFLAGS='' "$out/src/tools/build-lib.sh" "$out" \
        -work -cover -covermode=atomic -coverpkg=./capi,./core/...
}

compile() { # PROGRAM SOURCE...
    program=$out/$1
    shift
    gcc -std=gnu11 -g -O1 -I"$top/capi" "$@" -o "$program" -L"$out" -laimdb -Wl,-rpath,"$out" \
        -lpthread -lm -ldl
}

# What a test finds is for `make test` to say; here it is named, and counts with
# what it ran.
c_tests() {
    for source in "$top"/tests/c/*.c; do
        name=$(basename "$source" .c)
        case $name in tsan_* | plugins) continue ;; esac # these are built in another way
        compile "$name" "$source"
        AIMDB_LIBRARY=$out/libaimdb.so.0 timeout -k 5 90 "$out/$name" >"$out/$name.log" 2>&1 ||
            echo "note: tests/c/$name fails with this library: $out/$name.log" >&2
    done
}

export GOCOVERDIR=$out/counters
# It is slower with counters, and a test that is ended writes none.
export AIMDB_TEST_WATCHDOG="${AIMDB_TEST_WATCHDOG:-300}"
build
compile conformance "$top"/tests/conformance/*.c
"$top/tests/conformance/columns.sh" "$out/conformance" || echo "note: conformance fails with this library" >&2
c_tests
cd "$top"
go test -count=1 -cover -covermode=atomic -coverpkg=./core/... ./core/... -args -test.gocoverdir="$GOCOVERDIR" >/dev/null
go tool covdata textfmt -i="$GOCOVERDIR" -o="$out/go.txt"
find "$out"/tmp/*/b001 -name "*.gcda" -exec gcov --branch-probabilities --json-format --stdout {} + >"$out/c.json"
go run ./tests/coverage -c "$out/c.json" -go "$out/go.txt" -reasons docs/coverage.md
