#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The documents as a reader has them, from an installation: man pages, guide,
# reference: tests/docs/run.sh BUILD
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make install BUILD="$1" PREFIX="$work/aimdb" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
export PKG_CONFIG_PATH="$work/aimdb/lib/pkgconfig"

tests/docs/programs.py man "$work/aimdb/share/man/man3"
tests/docs/programs.py guide "$work/aimdb/share/doc/aimdb/guide.md"
tests/docs/reference.py "$work/reference"
tests/docs/tools.sh "$1" "$work/aimdb"
