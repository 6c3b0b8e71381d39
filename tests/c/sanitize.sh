#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the C tests under a sanitizer: tests/c/sanitize.sh asan|tsan
#
# The library's C side is compiled with the sanitizer too. Go code is not: its
# orderings are told to ThreadSanitizer by the annotations in capi/side.h. The
# flag is given by a wrapper around the compiler, not in CGO_CFLAGS: cgo would
# then order every call after every other, which hides the races that callbacks
# have among themselves.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/$1
mkdir -p "$out"
case $1 in
asan) flag=address programs="reentrancy closing threads lifetime limits integration mixed" ;;
tsan) flag=thread programs="tsan_clean mixed" ;;
*) echo "asan or tsan?" >&2; exit 2 ;;
esac

# Go links executables of its own while it builds; only C of this library is
# to be instrumented.
cat > "$out/cc" <<WRAPPER
#!/bin/sh
for word in "\$@"; do
    case \$word in -shared) exec gcc "\$@" -fsanitize=$flag ;; esac
done
for word in "\$@"; do
    case \$word in *.c) case \$word in _cgo_*|*.cgo2.c) ;; *) exec gcc "\$@" -fsanitize=$flag -g ;; esac ;; esac
done
exec gcc "\$@"
WRAPPER
chmod +x "$out/cc"
CC=$out/cc "$top/tools/build-lib.sh" "$out"

compile() {
    gcc -std=gnu11 -g -O1 -fsanitize=$flag -I"$top/capi" "$top/tests/c/$1.c" -o "$out/$1" \
        -L"$out" -laimdb -Wl,-rpath,"$out" -lpthread -ldl
}

# An alternate stack of the sanitizer's own would take the place of Go's.
export ASAN_OPTIONS=use_sigaltstack=0:detect_leaks=1:quarantine_size_mb=1:handle_segv=0:allow_user_segv_handler=1
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

for program in $programs; do
    compile "$program"
    echo "$1: $program"
    "$out/$program"
done

if [ "$1" = asan ]; then
    gcc -std=gnu11 -g -O1 -fsanitize=$flag -I"$top/capi" "$top"/tests/conformance/*.c -o "$out/conformance" \
        -L"$out" -laimdb -Wl,-rpath,"$out" -lpthread -lm
    "$out/conformance" > "$out/conformance.log" 2>&1 || { cat "$out/conformance.log" >&2; exit 1; }
    echo "asan: conformance"
fi

if [ "$1" = tsan ]; then
    compile tsan_planted
    if "$out/tsan_planted" > "$out/planted.log" 2>&1; then
        echo "the planted race was not found" >&2
        exit 1
    fi
    grep -q "data race" "$out/planted.log" || { cat "$out/planted.log" >&2; exit 1; }
    echo "tsan: the planted race was found"
fi
