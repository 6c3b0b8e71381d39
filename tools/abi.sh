#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the binary interface that a header declares: tools/abi.sh HEADER
#
# Every declaration without its comments, every constant, and where each field
# of each struct lies on 64-bit and on 32-bit machines. capi/abi.txt is what
# this prints for capi/aimdb.h; docs/abi.md says what may change in it.
set -eu

header=$1
name=$(basename "$header")

# One declaration a line.
declarations() {
    clang -ffreestanding -E -x c "$header" |
        awk -v name="\"[^\"]*$name\"" '/^# [0-9]+ "/ { ours = $0 ~ name; next } ours' | tr -s ' \n' '  ' |
        awk '{
            for (i = 1; i <= length($0); i++) {
                c = substr($0, i, 1)
                line = line c
                depth += (c == "{") - (c == "}")
                if (c == ";" && depth == 0) { sub(/^ /, "", line); print line; line = "" }
            }
        }' | sed -e 's/^__attribute__((visibility("default"))) //' -e 's/ *\* */ */g' -e 's/\* \*/**/g' -e 's/( \*/(*/'
}

# The version itself may change.
constants() {
    clang -ffreestanding -E -dM -x c "$header" |
        grep '^#define AIMDB_' | grep -v 'AIMDB_\(H\|API\|VERSION.*\) ' | tr -s ' ' | sort
}

layout() { # TARGET
    clang "--target=$1" -ffreestanding -fsyntax-only -x c -Xclang -fdump-record-layouts-complete "$header" |
        awk '/^ +0 \| struct / { ours = $4 ~ /^aimdb_/; struct = $4; next }
             !ours { next }
             /sizeof=/ { gsub(/[^0-9,]/, ""); split($0, n, ","); print struct ": " n[1] " bytes, aligned to " n[2]; next }
             /^ +[0-9]+ \| / { print struct "." $NF " " $1 }'
}

echo "DECLARATIONS"
declarations
echo
echo "CONSTANTS"
constants
for machine in x86_64-linux-gnu arm-linux-gnueabihf; do
    echo
    [ $machine = x86_64-linux-gnu ] && echo "LAYOUT, 64 BITS" || echo "LAYOUT, 32 BITS"
    layout $machine
done

# The 64-bit machines are all alike.
for machine in aarch64-linux-gnu riscv64-linux-gnu; do
    [ "$(layout $machine)" = "$(layout x86_64-linux-gnu)" ] || { echo "$machine is laid out otherwise" >&2; exit 1; }
done
