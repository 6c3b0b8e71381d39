#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# One round: each profile through both doors, each with a new seed.
#
#   tests/random/run.sh PROGRAM SECONDS PROFILE...
set -eu

program=$1 seconds=$2
shift 2
for profile in "$@"; do
    for door in direct cgo; do
        AIMDB_DOOR=$door "$program" --profile "$profile" --seconds "$seconds"
    done
done
