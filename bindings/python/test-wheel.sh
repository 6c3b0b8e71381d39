#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the wheel into a new venv of each CPython at hand and runs the tests
# there, with the library that the wheel carries: test-wheel.sh WHEELS SCRATCH
set -eu

here=$(cd "$(dirname "$0")" && pwd)
wheel=$(cd "$1" && pwd)/$(ls "$1" | grep '\.whl$')
rm -rf "$2"
mkdir -p "$2"
scratch=$(cd "$2" && pwd)
unset AIMDB_LIBRARY PYTHONPATH || true

"$here/pythons.sh" | while read -r python; do
    echo "$("$python" --version): $(basename "$wheel")"
    "$python" -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" install -q --disable-pip-version-check "$wheel" -r "$here/requirements-test.txt"
    # Away from the source tree: it is the installed package that is imported.
    (cd "$scratch" && "$scratch/venv/bin/python" -m pytest -c "$here/pyproject.toml" \
        --rootdir "$here" "$here/tests" </dev/null)
    rm -rf "$scratch/venv"
done

echo "pip install of the source tree"
python=$("$here/pythons.sh" | tail -1)
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check "$here"
(cd "$scratch" && "$scratch/venv/bin/python" -c '
import os, aimdb
assert os.path.dirname(aimdb.library_path) == os.path.dirname(aimdb.__file__), aimdb.library_path')
