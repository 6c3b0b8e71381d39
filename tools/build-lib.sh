#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds libaimdb.so: tools/build-lib.sh DIRECTORY [GO BUILD FLAGS...]
# Make and CMake both call this. The version comes from capi/aimdb.h.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift

of() { sed -n "s/^#define AIMDB_$1 \"*\([0-9.]*\)\"*\$/\1/p" "$top/capi/aimdb.h"; }
abi=$(of ABI_VERSION)
file=libaimdb.so.$(of VERSION)

cd "$top"
CGO_ENABLED=1 go build -buildmode=c-shared -trimpath "$@" -o "$out/$file" -ldflags \
    "${AIMDB_GO_LDFLAGS--s -w} -extldflags '-Wl,-soname,libaimdb.so.$abi \"-Wl,--version-script=$top/capi/libaimdb.map\"'" \
    ./capi
rm -f "$out"/libaimdb*.h # the header is capi/aimdb.h
ln -sf "$file" "$out/libaimdb.so.$abi"
ln -sf "libaimdb.so.$abi" "$out/libaimdb.so"
