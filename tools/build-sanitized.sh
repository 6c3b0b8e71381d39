#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the shared library with its C side under a sanitizer:
# tools/build-sanitized.sh asan|tsan DIRECTORY
#
# Go code is not instrumented: its orderings are told to ThreadSanitizer by the
# annotations in capi/side.h. The flag is given by a wrapper around the compiler,
# not in CGO_CFLAGS: cgo would then order every call after every other, which
# hides the races that callbacks have among themselves.
set -eu

case $1 in
asan) flag=address ;;
tsan) flag=thread ;;
*) echo "asan or tsan?" >&2; exit 2 ;;
esac
mkdir -p "$2"
out=$(cd "$2" && pwd)

# Go links executables of its own while it builds; only C of this library is
# to be instrumented.
cat > "$out/cc" <<WRAPPER
#!/bin/sh
for word in "\$@"; do
    case \$word in -shared) exec ${CC:-gcc} "\$@" -fsanitize=$flag ;; esac
done
for word in "\$@"; do
    case \$word in *.c) case \$word in _cgo_*|*.cgo2.c) ;; *) exec ${CC:-gcc} "\$@" -fsanitize=$flag -g ;; esac ;; esac
done
exec ${CC:-gcc} "\$@"
WRAPPER
chmod +x "$out/cc"
CC=$out/cc exec "$(dirname "$0")/build-lib.sh" "$out"
