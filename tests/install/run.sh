#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A user's project outside the tree finds the library in each way the README
# names, builds against it and runs.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$top/tests/install/consumer" "$work/project"

version=$(sed -n 's/^#define AIMDB_VERSION "\(.*\)"/\1/p' "$top/capi/aimdb.h")
minor=${version#*.}
minor=${minor%.*}

quietly() { "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; echo "failed: $*" >&2; exit 1; }; }

# Installing takes nothing but what copies files. Whoever calls anything else
# meets a stand-in that says so.
bare=$work/bare
mkdir "$bare"
for tool in make cmake sh sed find install cp basename test id chmod od rm mkdir; do
    ln -s "$(command -v "$tool")" "$bare/$tool"
done
for tool in go gcc cc g++ clang apt-get apt sudo git curl python3 cmake3 ninja ldconfig; do
    printf '#!/bin/sh\necho "%s $*" >> "%s"\nexit 1\n' "$tool" "$work/called" > "$bare/$tool"
    chmod +x "$bare/$tool"
done
barely() {
    quietly env PATH="$bare" "$@"
    [ ! -e "$work/called" ] || { echo "'$*' calls:" >&2; cat "$work/called" >&2; exit 1; }
}

# Both installations hold the same files, and the same text but for the prefix.
barely make -C "$top" install PREFIX="$work/by make"
quietly make -C "$top" install PREFIX=/usr LIBDIR="lib/$(gcc -print-multiarch)" DESTDIR="$work/staged"
quietly cmake -G Ninja -S "$top" -B "$work/cmake" -DCMAKE_INSTALL_LIBDIR=lib \
    -DAIMDB_BUILD_TESTS=OFF -DAIMDB_BUILD_EXAMPLES=OFF
quietly cmake --build "$work/cmake"
barely cmake --install "$work/cmake" --prefix "$work/by cmake"
(cd "$work/by make" && find . | sort) > "$work/made"
(cd "$work/by cmake" && find . | sort) | diff "$work/made" -
sed "s|by make|by cmake|" "$work/by make/lib/pkgconfig/aimdb.pc" | diff - "$work/by cmake/lib/pkgconfig/aimdb.pc"
diff -r "$work/by make/lib/cmake" "$work/by cmake/lib/cmake"
diff -r "$work/by make/include" "$work/by cmake/include"
diff -r "$work/by make/share" "$work/by cmake/share"
while read -r f; do [ -e "$work/by make/share/man/man3/$f.3" ]; done < "$top/capi/symbols.txt"
[ -s "$work/by make/share/aimdb/valgrind.supp" ] && [ -s "$work/by make/share/doc/aimdb/guide.md" ]
echo "make install and cmake --install agree, and need no Go, compiler or network"

# Without a library there is nothing to install, and nothing is built.
if env PATH="$bare" make -C "$top" install BUILD="$work/none" PREFIX="$work/nothing" > "$work/log" 2>&1; then
    echo "make install without a library succeeds" >&2
    exit 1
fi
grep -q "make lib" "$work/log" && [ ! -e "$work/nothing" ] && [ ! -e "$work/called" ]

# The loader's cache is renewed for a system prefix, by root, and else not.
says() { make -n -C "$top" install "$@" | grep -c ldconfig || true; }
[ "$(says PREFIX=/usr/local)" = 1 ] && [ "$(says PREFIX=/usr)" = 1 ]
[ "$(says PREFIX=/usr DESTDIR=/x)" = 0 ] && [ "$(says PREFIX=/opt/aimdb)" = 0 ]
if unshare -rm true 2>/dev/null; then # a /usr/local of our own, as root
    for install in "make -C '$top' install" "cmake --install '$work/cmake' --prefix /usr/local"; do
        rm -f "$work/called"
        ln -sf "$(command -v true)" "$bare/true"
        quietly unshare -rm sh -c "mount -t tmpfs none /usr/local && PATH='$bare' && $install; test -e /usr/local/lib/libaimdb.so"
        grep -q ldconfig "$work/called" || { echo "$install: no ldconfig" >&2; exit 1; }
    done
    rm -f "$work/called"
fi
echo "ldconfig: by root for a system prefix without DESTDIR"

project() { # GENERATOR FROM DEFINITIONS...
    generator=$1 from=$2
    shift 2
    rm -rf "$work/build"
    quietly cmake -G "$generator" -S "$work/project" -B "$work/build" -DFROM="$from" -DWANTED="${version%.*}" "$@"
    quietly cmake --build "$work/build" -j 2
    quietly ctest --test-dir "$work/build" --output-on-failure --no-tests=error --timeout 100
    echo "$generator: $from"
}
project Ninja package -DCMAKE_PREFIX_PATH="$work/by make"
project "Unix Makefiles" package -DCMAKE_PREFIX_PATH="$work/by cmake"
project Ninja package -DCMAKE_PREFIX_PATH="$work/staged/usr"

tar -C "$top" --exclude=./build --exclude=./.git -cf "$work/aimdb.tar" .
mkdir "$work/aimdb"
tar -C "$work/aimdb" -xf "$work/aimdb.tar"
project Ninja subdirectory -DSOURCE="$work/aimdb"
project "Unix Makefiles" subdirectory -DSOURCE="$work/aimdb"
project Ninja fetch -DSOURCE="$work/aimdb.tar"
[ -z "$(cd "$work/aimdb" && find . -name 'CMakeCache.txt' -o -name '*.so')" ] # nothing built in the source

# A version that docs/abi.md calls another is refused.
if cmake -S "$work/project" -B "$work/refused" -DFROM=package -DWANTED="${version%%.*}.$((minor + 1))" \
    -DCMAKE_PREFIX_PATH="$work/by make" > "$work/log" 2>&1; then
    echo "find_package takes version $version for the next one" >&2
    exit 1
fi
grep -q "considered but not accepted" "$work/log" || { cat "$work/log" >&2; exit 1; }

# pkg-config; a prefix with a space is more than compiler command lines bear.
ln -s "$work/by make" "$work/plain"
quietly make -C "$top" install PREFIX="$work/plain"
export PKG_CONFIG_PATH="$work/plain/lib/pkgconfig"
[ "$(pkg-config --modversion aimdb)" = "$version" ]
# shellcheck disable=SC2046 # lists of flags
{
    quietly gcc "$work/project/main.c" -o "$work/c" $(pkg-config --cflags --libs aimdb)
    quietly g++ -std=c++17 "$work/project/main.cpp" -o "$work/cpp" $(pkg-config --cflags --libs aimdb)
    quietly gcc -static "$work/project/main.c" -o "$work/c_static" $(pkg-config --cflags --static --libs aimdb)
    quietly g++ -std=c++17 -static "$work/project/main.cpp" -o "$work/cpp_static" $(pkg-config --cflags --static --libs aimdb)
}
quietly env LD_LIBRARY_PATH="$work/plain/lib" "$work/c"
quietly env LD_LIBRARY_PATH="$work/plain/lib" "$work/cpp"
quietly "$work/c_static"
quietly "$work/cpp_static"
echo "pkg-config: shared, static"

# The archive has no global name but those of the header and aimdb__*.
nm -g --defined-only "$work/plain/lib/libaimdb.a" | awk 'NF == 3 { print $3 }' | grep -v '^aimdb__' | sort |
    diff "$top/capi/symbols.txt" -

quietly make -C "$top" uninstall PREFIX="$work/plain"
[ -z "$(find "$work/by make" ! -type d)" ]
echo "uninstall leaves nothing"
