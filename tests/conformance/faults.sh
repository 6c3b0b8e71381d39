#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The suite must fail for each planted fault, and pass without one. Each faulty
# library is one Go build tag away from the sound one, in build/faults/TAG. Faults
# of ordering need two processors to show. Two tests that catch a fault are enough.
#
#   tests/conformance/faults.sh [BUILD DIRECTORY]
#
# AIMDB_TEST_WATCHDOG: seconds after which a test that hangs counts as failed.
set -eu

build=$(cd "${1:-$(dirname "$0")/../../build}" && pwd)
export AIMDB_TEST_WATCHDOG="${AIMDB_TEST_WATCHDOG:-20}"
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# The tests whose rule the fault breaks; each is run in a process of its own.
tests_of() {
    case $1 in
    nofence) # the tail is published before the payload is copied
        echo tearing_ring_4_kib tearing_ring_64_kib tearing_ring_8_mib \
            tearing_latest_4_and_64_kib ;;
    norecheck) # a waiter does not look again between announcing itself and sleeping
        echo parking_ring_loses_no_wake_up_with_1_reader \
            parking_ring_loses_no_wake_up_with_2_readers parking_latest_loses_no_wake_up \
            parking_callback_loses_no_wake_up ;;
    nobaton) # a mailbox waiter that leaves without taking does not pass the wake on
        echo mailbox_waiter_whose_buffer_is_too_small_passes_the_wake_on_to_a_reader \
            mailbox_waiter_whose_buffer_is_too_small_passes_the_wake_on_to_a_callback ;;
    lagoffbyone) # lagged(n - 1) is reported
        echo ring_reader_more_than_capacity ring_callback_more_than_capacity \
            ring_gap_between_numbers reader_batch_reports_a_loss_alone logging_lag ;;
    freetwice) # the free function is called twice at the end of a subscription
        echo unsubscribe_from_outside unsubscribe_inside_its_own unsubscribe_each_other \
            close_calls_every_free_function destroy_before_start ;;
    esac
}

run() { # LIBRARY DIRECTORY, TEST: true if it passes
    { LD_LIBRARY_PATH=$1 "$build/conformance" "$2" >"$output" 2>&1; } 2>/dev/null
}

bad=0
row() { printf '%-12s %-10s %s\n' "$@"; }
row TAG RESULT 'CAUGHT BY'
for tag in nofence norecheck nobaton lagoffbyone freetwice; do
    caught=
    for test in $(tests_of $tag); do
        [ "$(echo "$caught" | wc -w)" -lt 2 ] || break
        if ! run "$build" "$test"; then
            row "$tag" UNSOUND "$test fails with the sound library:"
            cat "$output"
            bad=1
        fi
        [ -e "$build/faults/fault_$tag/libaimdb.so.0" ] || continue
        run "$build/faults/fault_$tag" "$test" || caught="$caught $test"
    done
    if [ -n "$caught" ]; then
        row "$tag" caught "$(echo "$caught" | sed 's/^ //; s/ /\n                        /g')"
    else
        row "$tag" MISSED 'no test: the library is missing or the suite is blind'
        bad=1
    fi
done
exit $bad
