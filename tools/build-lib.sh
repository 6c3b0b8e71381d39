#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the library: tools/build-lib.sh DIRECTORY [GO BUILD FLAGS...]
#   KIND=shared  libaimdb.so and its links (default)
#   KIND=static  libaimdb.a, which needs -lpthread
#
# Make and CMake both call this. The version comes from capi/aimdb.h, the
# architecture from the compiler: CC=aarch64-linux-gnu-gcc builds for arm64.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift

CC=${CC:-gcc}
machine=$($CC -dumpmachine)
case $machine in
x86_64-*) GOARCH=amd64 ;;
i?86-*) GOARCH=386 ;;
aarch64-*) GOARCH=arm64 ;;
arm*) GOARCH=arm ;;
riscv64-*) GOARCH=riscv64 ;;
*) echo "no library for the machine of $CC, $machine" >&2; exit 1 ;;
esac
GOARM=${GOARM:-7}
export CC GOARCH GOARM
export GOOS=linux CGO_ENABLED=1
tool() { $CC -print-prog-name="$1"; }

of() { sed -n "s/^#define AIMDB_$1 \"*\([0-9.]*\)\"*\$/\1/p" "$top/capi/aimdb.h"; }
abi=$(of ABI_VERSION)

shared() {
    file=libaimdb.so.$(of VERSION)
    go build -buildmode=c-shared -trimpath -buildvcs=false "$@" -o "$out/$file" -ldflags \
        "${AIMDB_GO_LDFLAGS--s -w} -extldflags '-Wl,-soname,libaimdb.so.$abi \"-Wl,--version-script=$top/capi/libaimdb.map\"'" \
        ./capi
    rm -f "$out"/libaimdb.so*.h "$out/libaimdb.h" # the header is capi/aimdb.h
    ln -sf "$file" "$out/libaimdb.so.$abi"
    ln -sf "libaimdb.so.$abi" "$out/libaimdb.so"
}

is_musl() { ! echo '#include <features.h>' | $CC -E -dM -x c - | grep -q __GLIBC__; }

# What the objects have of each other is renamed to aimdb__*, so that it meets no
# name of a program's. (Linking them into one object and hiding it there makes
# binutils 2.40 for arm64 crash on the link after.) Their constructors run in the
# order of host.c whatever the order of linking, and before a program's own,
# which then may call the library.
static() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    go build -buildmode=c-archive -trimpath -buildvcs=false "$@" -o "$work/go.a" -ldflags "${AIMDB_GO_LDFLAGS--s -w}" ./capi
    cd "$work"
    "$(tool ar)" x go.a
    rm go.a
    "$(tool nm)" -g --defined-only -- *.o |
        awk 'NF == 3 && $3 !~ /^aimdb_/ { print $3, "aimdb__" $3 }' | sort -u > names
    for object in *.o; do
        if [ "$object" != go.o ]; then
            set -- --rename-section .init_array=.init_array.00104
        elif is_musl; then # capi/host.c calls it
            "$(tool objcopy)" --globalize-symbol "_rt0_${GOARCH}_linux_lib" "$object"
            set -- --remove-section .init_array --redefine-sym "_rt0_${GOARCH}_linux_lib=aimdb__go_entry"
        else
            set -- --rename-section .init_array=.init_array.00103
        fi
        "$(tool objcopy)" --redefine-syms=names "$@" "$object"
        mv "$object" "aimdb_$object"
    done
    rm -f "$out/libaimdb.a"
    "$(tool ar)" rcsD "$out/libaimdb.a" *.o
}

cd "$top"
"${KIND:-shared}" "$@"
