#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command in several processes at once: crowded.sh PROCESSES COMMAND...
# Threads then stand still at any point for long, which finds what comes too late.
set -u
count=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

running=
for i in $(seq "$count"); do
    "$@" >"$out/$i" 2>&1 &
    running="$running $!"
done

bad=0 i=0
for process in $running; do
    i=$((i + 1))
    wait "$process" || { bad=$?; echo "process $i of $count: exit status $bad"; cat "$out/$i"; }
done
exit "$bad"
