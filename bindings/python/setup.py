# SPDX-License-Identifier: Apache-2.0
"""Puts libaimdb into the package and tags the wheel for what it needs.

Where the library comes from: AIMDB_LIBRARY, a file; or else the source tree
around this folder, built by tools/build-lib.sh (needs Go), or as it lies in its
build/. Where there is none of these the package is pure, and finds the library
when it is imported.
"""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
SONAME = "libaimdb.so.0"


def library(scratch):
    """The file to put into the package, or None."""
    if os.environ.get("AIMDB_LIBRARY"):
        return Path(os.environ["AIMDB_LIBRARY"])
    script = TREE / "tools" / "build-lib.sh"
    if script.exists() and shutil.which("go"):
        subprocess.run([str(script), scratch], check=True)
        return Path(scratch) / SONAME
    built = TREE / "build" / SONAME
    return built if built.exists() else None


def platform_tag(file):
    """manylinux by the newest glibc that the library's symbols need."""
    machine = platform.machine()
    needed = re.findall(rb"\bGLIBC_2\.(\d+)\b", file.read_bytes())
    if needed and platform.libc_ver()[0] == "glibc":
        return f"manylinux_2_{max(map(int, needed))}_{machine}"
    return f"linux_{machine}"


class BuildPy(build_py):
    def run(self):
        super().run()
        packed = Path(self.build_lib) / "aimdb" / SONAME
        packed.unlink(missing_ok=True)
        if self.editable_mode:
            return  # the package then finds the library in the source tree
        with tempfile.TemporaryDirectory() as scratch:
            found = library(scratch)
            if found is not None:
                packed.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, packed)

    def get_outputs(self, include_bytecode=True):
        packed = Path(self.build_lib) / "aimdb" / SONAME
        outputs = super().get_outputs(include_bytecode)
        return [*outputs, str(packed)] if packed.exists() else outputs


class BdistWheel(bdist_wheel):
    def get_tag(self):
        packed = Path(self.get_finalized_command("build_py").build_lib) / "aimdb" / SONAME
        return "py3", "none", platform_tag(packed) if packed.exists() else "any"


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return True  # it is for a platform, though not for a version of Python


setup(distclass=WithLibrary, cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel})
