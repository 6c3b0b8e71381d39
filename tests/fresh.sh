#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# In an empty Debian made by debootstrap, as root, with a network:
#   tests/fresh.sh demo    the README's first command, make demo
#   tests/fresh.sh test    its second, make test: an hour; SETS="..." make's variables
#   tests/fresh.sh readme  "Install and link": from git clone to a program that runs
#   tests/fresh.sh deb     the packages of `make deb`: installed, used, removed
# Run by hand, before a release for trixie and bookworm each: SUITE says which
# Debian, default trixie.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
suite=${SUITE:-trixie}
"$top/tools/need.sh" debootstrap=debootstrap git=git
root=$(mktemp -d /var/tmp/aimdb-fresh.XXXXXX)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,sudo "$suite" "$root" > "$root.log" 2>&1 ||
    { cat "$root.log" >&2; exit 1; }
rm -f "$root.log"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # a proxy may have its own

# What runs inside sees its own processes, and takes them with it.
inside() { unshare -mpf --mount-proc="$root/proc" chroot "$root" env -i PATH="$PATH" HOME=/srv DEBIAN_FRONTEND=noninteractive sh -eux -c "$1"; }
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What the README says is cloned comes from here, at the commit of the tree.
publish() {
    url=$(sed -n 's/^git clone //p' "$top/README.md")
    git clone -q --bare "$top" "$root/aimdb.git"
    printf '[url "file:///aimdb.git"]\n\tinsteadOf = %s\n[safe]\n\tdirectory = *\n' "$url" > "$root/srv/.gitconfig"
}

# The README's line for this Debian, and where Debian 12 has its Go.
prepare() {
    line=$(sed -n "s/^| Debian.*, \`$suite\` *| \`\(.*\)\` |\$/\1/p" "$top/README.md")
    [ -n "$line" ] || { echo "the README has no line for $suite" >&2; exit 1; }
    case $line in *backports*)
        printf 'deb http://deb.debian.org/debian %s-backports main\n' "$suite" > "$root/etc/apt/sources.list.d/backports.list" ;;
    esac
    publish
    inside "apt-get update -qq; $(echo "$line" | sed 's/apt-get install/apt-get -qq install/')"
}

case ${1:-} in
demo)
    prepare
    inside "cd /srv; git clone -q $url; make -C aimdb-go demo < /dev/null"
    ;;
test)
    prepare
    inside "cd /srv; git clone -q $url; make -C aimdb-go test ${SETS-} < /dev/null"
    ;;
readme)
    publish
    commands=$(awk '/^```sh$/ && section { on = 1; next } /^```/ { if (on) exit } on; /^## Install and link/ { section = 1 }' "$top/README.md")
    [ "$(echo "$commands" | wc -l)" -le 5 ]
    inside "cd /srv; apt-get update -qq; $(echo "$commands" | sed 's/apt-get install/apt-get -qq install/')
./gateway --seconds 2 < /dev/null"
    ;;
deb)
    cp "$top"/build/deb/*.deb "$root/srv/"
    cp -R "$top/tests/install/consumer" "$root/srv/consumer"
    inside 'cd /srv; apt-get update -qq
apt-get -qq install ./*.deb g++ cmake pkg-config man-db > /dev/null
g++ -std=c++17 consumer/main.cpp -o plain $(pkg-config --cflags --libs aimdb) && ./plain
gcc -static consumer/main.c -o static $(pkg-config --cflags --static --libs aimdb) && ./static
cmake -S consumer -B build -DFROM=package -DWANTED=0.1 > log && cmake --build build > log && ctest --test-dir build --no-tests=error
gcc -I/usr/share/doc/libaimdb-dev/examples/c /usr/share/doc/libaimdb-dev/examples/c/gateway.c /usr/share/doc/libaimdb-dev/examples/c/gateway/*.c -o gateway -laimdb -lm
./gateway --seconds 2 < /dev/null > log
find /usr/share/man/man3 -name "aimdb*.3.gz" | grep -q aimdb_recv_batch
if [ -e /usr/lib/python3/dist-packages/aimdb ]; then
    python3 -W error -c "import aimdb; print(aimdb.__file__)"
fi
apt-get -qq purge "libaimdb*" "python3-aimdb*" > /dev/null
[ -z "$(find / -xdev -name "*aimdb*" -not -path "/srv/*" -not -path "/proc/*" -not -path "/var/*")" ]'
    ;;
*) echo "demo, test, readme or deb?" >&2; exit 2 ;;
esac
echo "fresh $1: ok"
