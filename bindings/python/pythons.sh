#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Lists the CPythons at hand that the package is for, one path a line, the oldest
# first: those on PATH, and those of pyenv.
set -eu

works() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.implementation.name != "cpython")' >/dev/null 2>&1; }

versions=${PYENV_ROOT:-$HOME/.pyenv}/versions
for version in 3.9 3.10 3.11 3.12 3.13; do
    for python in "python$version" "$versions/$version".*/bin/python; do
        if command -v "$python" >/dev/null 2>&1 && works "$python"; then
            command -v "$python"
            break
        fi
    done
done
