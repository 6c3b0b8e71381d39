#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Each planted fault must be found within a minute; the sound library passes the
# same profile. Faults of ordering need two processors to show. (fault_panic shows
# with a key of its own only.)
#
#   tests/random/faults.sh BUILD
set -eu

build=$(cd "$1" && pwd)
output=$(mktemp)
trap 'rm -f "$output"' EXIT

profile_of() { # where the fault is likely to show
    case $1 in
    nobaton) echo mailbox ;;
    freetwice) echo lifecycle ;;
    *) echo default ;;
    esac
}

run() { # LIBRARY DIRECTORY, PROFILE, SECONDS
    LD_LIBRARY_PATH=$1 "$build/random" --profile "$2" --seconds "$3" --patience 10 >"$output" 2>&1
}

bad=0
for fault in nofence norecheck nobaton lagoffbyone freetwice; do
    profile=$(profile_of $fault)
    begun=$(date +%s)
    if ! run "$build" "$profile" 3; then
        echo "$fault: UNSOUND, profile $profile fails with the sound library:"
        head -5 "$output"
        bad=1
    elif run "$build/faults/fault_$fault" "$profile" 60; then
        echo "$fault: MISSED in a minute, profile $profile"
        head -5 "$output"
        bad=1
    else
        echo "$fault: found after $(($(date +%s) - begun)) s, profile $profile: $(grep -m 1 FOUND "$output" || tail -1 "$output")"
    fi
done
exit $bad
