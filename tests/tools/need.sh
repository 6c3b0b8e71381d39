#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tools/need.sh, with an apt-get that installs nothing but empty programs, and says
# what it was asked for.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin=$work/bin
mkdir "$bin"
for tool in sh flock date mktemp grep cat rm sort xargs echo true env sleep mkdir rmdir chmod ln gcc; do
    for at in /bin /usr/bin; do [ ! -x "$at/$tool" ] || ln -sf "$at/$tool" "$bin/$tool"; done
done
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$bin/python3"

program() { cat > "$bin/$1"; chmod +x "$bin/$1"; }

# apt-get: $work/locked says how often it finds its lock taken, $work/broken that it
# fails. It must never run twice at a time.
program apt-get << EOF
#!/bin/sh
echo "\$*" >> "$work/calls"
mkdir "$work/running" || { echo "two at a time" >> "$work/calls"; exit 1; }
trap 'rmdir "$work/running"' EXIT
locked=\$(cat "$work/locked")
if [ "\$locked" -gt 0 ]; then
    echo \$((locked - 1)) > "$work/locked"
    echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1" >&2
    exit 100
fi
[ ! -e "$work/broken" ] || { echo "E: no network" >&2; exit 100; }
case " \$* " in
*" install "*) [ -e "$work/useless" ] || for c in one two; do ln -sf "$bin/sh" "$bin/\$c"; done ;;
esac
EOF
program sudo << EOF
#!/bin/sh
[ ! -e "$work/refused" ] || exit 1
shift
exec "\$@"
EOF

begin() { # USER LOCKED
    patience=60
    rm -f "$bin/one" "$bin/two" "$work/calls" "$work/broken" "$work/useless" "$work/refused"
    printf '#!/bin/sh\necho %s\n' "$1" | program id
    echo "$2" > "$work/locked"
    : > "$work/calls"
}
need() { PATH=$bin NEED_WAIT=$patience "$top/tools/need.sh" "$@" > "$work/out" 2>&1; }
fail() { echo "need.sh: $1"; cat "$work/out" "$work/calls"; exit 1; } >&2
lines() { [ "$(grep -c '' "$work/out")" = "$1" ] || fail "not $1 lines"; }
says() { grep -q -e "$1" "$work/out" || fail "does not say: $1"; }
installs() { [ "$(grep -c ' install ' "$work/calls")" = "$1" ] || fail "not $1 installations"; }

begin 0 0
need sh=dash header:stdio.h=libc6-dev module:sys=python3 || fail "what is there is not found"
lines 0 && installs 0

begin 0 0
need sh=dash one=pack-one two=pack-two || fail "does not install"
lines 1 && says "pack-one pack-two" && installs 1

begin 1000 0
need one=pack || fail "does not install by sudo"
installs 1

begin 1000 0
: > "$work/refused"
need one=pack two=other && fail "has no right to, and says nothing"
lines 1 && says "sudo apt-get install other pack" && installs 0

begin 0 2
need one=pack || fail "does not wait for apt's lock"
[ "$(grep -c update "$work/calls")" = 3 ] || fail "not three tries"

begin 0 1000000
patience=1
need one=pack && fail "waits for apt's lock for ever"
lines 2 && says "apt's lock for 1 s"

begin 0 0
: > "$work/broken"
need one=pack && fail "apt-get fails, and it says nothing"
says "no network" && says "sudo apt-get install pack"

begin 0 0
: > "$work/useless"
need one=pack && fail "installing was of no use, and it says nothing"
says "still not found"

begin 0 0
need header:no/such.h=pack && fail "a header that is nowhere is found"
need module:no_such_module=pack && fail "a module that is nowhere is found"

# Two at the same time: one installs, the other waits, finds all there, and is silent.
begin 0 1
PATH=$bin "$top/tools/need.sh" one=pack 2> "$work/first" &
need one=pack || fail "two at a time"
wait $! || fail "two at a time"
installs 1

echo "tools/need.sh: as it says"
