#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Rounds with new seeds until the time is over, every other one under
# AddressSanitizer.
#
#   tests/random/soak.sh BUILD HOURS PROFILE...
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 hours=$2
shift 2
asan=$top/build/asan
"$top/tools/build-sanitized.sh" asan "$asan"
gcc -std=gnu11 -g -O1 -fsanitize=address -I"$top/capi" "$top"/tests/random/*.c -o "$asan/random" \
    -L"$asan" -laimdb -Wl,-rpath,"$asan" -lpthread
# An alternate stack of the sanitizer's own would take the place of Go's.
export ASAN_OPTIONS=use_sigaltstack=0:detect_leaks=1:quarantine_size_mb=64:handle_segv=0:allow_user_segv_handler=1

end=$(($(date +%s) + $(awk "BEGIN { print int($hours * 3600) }")))

while [ "$(date +%s)" -lt "$end" ]; do
    "$top/tests/random/run.sh" "$build/random" 60 "$@"
    "$top/tests/random/run.sh" "$asan/random" 30 "$@"
done
