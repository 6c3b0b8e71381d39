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
case $(go env GOVERSION) in # later ones fetch the version that go.mod names
go1.? | go1.?.* | go1.1? | go1.1?.* | go1.20 | go1.20.*)
    echo "$(go env GOVERSION) is too old to build the library: Go 1.21 or later is needed" >&2
    exit 1
    ;;
esac
export GOOS=linux CGO_ENABLED=1
tool() { $CC -print-prog-name="$1"; }

of() { sed -n "s/^#define AIMDB_$1 \"*\([0-9.]*\)\"*\$/\1/p" "$top/capi/aimdb.h"; }
flags=${AIMDB_GO_LDFLAGS--s -w}

has() { "$(tool nm)" "$1" | grep -q " $2\$"; }

# Where a symbol of go.o lies: SECTION:0xOFFSET.
place() { "$(tool objdump)" -t go.o | awk -v name="$1" '$NF == name { print $(NF - 2) ":0x" $1 }'; }

# The objects of both libraries. Go builds an archive, whose objects are taken
# apart: Go's entry is no constructor any more but called by capi/start.c, which
# first tames Go's table of signals, and then its scavenger; what cgo wants of pthread, and the memory for
# it, lead to capi/gothread.c. What the objects have of each other is renamed to aimdb__*, so
# that it meets no name of a program's. (Linking them into one object and hiding it
# there makes binutils 2.40 for arm64 crash on the link after.)
objects() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    go build -buildmode=c-archive -trimpath -buildvcs=false "$@" -o "$work/go.a" -ldflags "$flags" ./capi
    cd "$work"
    "$(tool ar)" x go.a
    rm go.a go.h
    "$(tool nm)" -g --defined-only -- *.o |
        awk 'NF == 3 && $3 !~ /^aimdb_/ { print $3, "aimdb__" $3 }' | sort -u > names
    entry=_rt0_${GOARCH}_linux_lib
    for object in *.o; do
        set --
        if [ "$object" = go.o ]; then
            "$(tool objcopy)" --globalize-symbol "$entry" go.o
            set -- --remove-section .init_array --redefine-sym "$entry=aimdb__go_entry" \
                --add-symbol "aimdb__go_signals=$(place runtime.sigtable),global" \
                --add-symbol "aimdb__go_scavenger=$(place runtime.scavenger),global"
        elif has "$object" _cgo_try_pthread_create || has "$object" _cgo_sys_thread_start; then
            set -- --redefine-sym malloc=aimdb__go_malloc --redefine-sym free=aimdb__go_free \
                --redefine-sym pthread_create=aimdb__go_thread \
                --redefine-sym pthread_attr_getstacksize=aimdb__go_stack \
                --redefine-sym pthread_key_create=aimdb__go_key
        elif has "$object" x_cgo_thread_start; then
            set -- --redefine-sym malloc=aimdb__go_malloc
        fi
        "$(tool objcopy)" --redefine-syms=names "$@" "$object"
        mv "$object" "aimdb_$object"
    done
}

# Like Go's own -buildmode=c-shared: what lies in it is bound to it, and it stays.
shared() {
    file=libaimdb.so.$(of VERSION)
    abi=$(of ABI_VERSION)
    objects "$@"
    case " $flags " in *" -s "*) strip=-s ;; *) strip= ;; esac
    # shellcheck disable=SC2086 # the flags are words
    $CC -shared $strip -o "$out/$file" ./*.o ${CGO_LDFLAGS-} -pthread \
        -Wl,-soname,"libaimdb.so.$abi" -Wl,--version-script="$top/capi/libaimdb.map" \
        -Wl,-z,relro -Wl,-z,nodelete -Wl,-Bsymbolic
    ln -sf "$file" "$out/libaimdb.so.$abi"
    ln -sf "libaimdb.so.$abi" "$out/libaimdb.so"
}

static() {
    objects "$@"
    rm -f "$out/libaimdb.a"
    "$(tool ar)" rcsD "$out/libaimdb.a" -- *.o
}

cd "$top"
"${KIND:-shared}" "$@"
