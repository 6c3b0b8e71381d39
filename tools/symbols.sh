#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Compares what a library exports with the list in the tree, and with the
# header: tools/symbols.sh LIBRARY
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
exported=$(nm -D --defined-only "$1" | awk '{print $NF}' | sort)
declared=$(grep -o 'aimdb_[a-z_]*(' "$top/capi/aimdb.h" | grep -v '_fn(' | tr -d '(' | sort -u)
listed=$(sort "$top/capi/symbols.txt")
declared=$(for f in $declared; do
    grep -qE "^AIMDB_API .*\b$f\(" "$top/capi/aimdb.h" && echo "$f"
done)
[ "$exported" = "$listed" ] || { echo "exported symbols differ from capi/symbols.txt" >&2; exit 1; }
[ "$declared" = "$listed" ] || { echo "functions of aimdb.h differ from capi/symbols.txt" >&2; exit 1; }
