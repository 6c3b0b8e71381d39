#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that what a target needs is there: tools/need.sh NEED=PACKAGE...
# A NEED is a command, header:NAME of C, or module:NAME of Python 3.
#
# What is missing is installed in one go, where it may be, and otherwise named in
# one line. One of these installs at a time, and waits while another program, such
# as unattended upgrades, has apt's or dpkg's locks: NEED_WAIT seconds, default 600.
set -eu

there() {
    case $1 in
    header:*) echo "#include <${1#*:}>" | gcc -fsyntax-only -xc - 2>/dev/null ;;
    module:*) python3 -c "import ${1#*:}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing() {
    for need in "$@"; do
        there "${need%=*}" || echo "${need##*=}"
    done | sort -u | xargs
}

packages=$(missing "$@")
[ -z "$packages" ] && exit 0
refuse() { echo "missing: $packages ($1; install with: sudo apt-get install $packages)" >&2; exit 1; }

sudo=
[ "$(id -u)" = 0 ] || sudo="sudo -n"
command -v apt-get >/dev/null 2>&1 || { echo "missing: $packages (packages of Debian, by whose names others find them)" >&2; exit 1; }
$sudo true 2>/dev/null || refuse "no right to install"

# The lock is on this file, which is there as long as the tree is.
wait=${NEED_WAIT:-600}
exec 9<"$0"
flock -w "$wait" 9 || refuse "another one has been installing for $wait s"
packages=$(missing "$@") # it may have installed what is missing here
[ -z "$packages" ] && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
end=$(($(date +%s) + wait))

# apt can wait for dpkg's lock by itself, but older ones not for that of the lists.
apt() {
    until $sudo env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout="$wait" "$@" >"$log" 2>&1 </dev/null 9<&-; do
        if ! grep -q "Could not get lock\|Unable to lock" "$log"; then
            cat "$log" >&2
            refuse "apt-get $1 failed"
        fi
        [ "$(date +%s)" -lt "$end" ] || refuse "another program has had apt's lock for $wait s"
        sleep 1
    done
}

echo "installing, since it is missing: $packages" >&2
apt update
# shellcheck disable=SC2086 # several packages
apt install -y $packages
packages=$(missing "$@")
[ -z "$packages" ] || refuse "apt-get installed them, and they are still not found"
