#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that commands are there: tools/need.sh COMMAND=PACKAGE...
# Installs what is missing where it may, and otherwise names it in one line.
set -eu

missing=
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -z "$missing" ] && exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null 2>&1 && $sudo true 2>/dev/null; then
    # shellcheck disable=SC2086 # several packages, perhaps no sudo
    $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
echo "missing:$missing (install with: sudo apt-get install$missing)" >&2
exit 1
