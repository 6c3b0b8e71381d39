# SPDX-License-Identifier: Apache-2.0
"""Finding the library."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import aimdb
from aimdb import _library

FAKE = """
unsigned aimdb_abi_version(void) { return %d; }
const char *aimdb_version(void) { return "9.9"; }
"""


@pytest.fixture
def fake(tmp_path):
    """Builds a library of another ABI version, with a soname."""

    def build(version, soname, name="libaimdb.so.0", text=FAKE):
        source, out = tmp_path / "fake.c", tmp_path / name
        source.write_text(text % version if "%d" in text else text)
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", str(source), "-o", str(out)]
        subprocess.run(command, check=True)
        return out

    return build


def importing(run_python, wanted, program="import aimdb", status=0):
    environment = {k: v for k, v in os.environ.items() if k != "AIMDB_LIBRARY"}
    if wanted is not None:
        environment["AIMDB_LIBRARY"] = str(wanted)
    return run_python(program, status=status, environment=environment)


def test_library_is_found_without_a_word(run_python):
    here = Path(aimdb.__file__).parent
    tree = here.parents[2] / "build" / _library.SONAME
    if not (here / _library.SONAME).exists() and not tree.exists():
        expected = None
    else:
        expected = here / _library.SONAME if (here / _library.SONAME).exists() else tree
    done = importing(run_python, None, "import aimdb; print(aimdb.library_path)")
    assert expected is None or os.path.samefile(done.stdout.strip(), expected)


def test_library_named_by_the_environment_is_taken(run_python, tmp_path):
    copy = tmp_path / "another-name.so"
    shutil.copyfile(aimdb.library_path, copy)
    done = importing(run_python, copy, "import aimdb; print(aimdb.library_path)")
    assert done.stdout.strip() == str(copy)


@pytest.mark.parametrize("wanted", ["/nowhere/libaimdb.so", "/etc/hostname", "/"])
def test_library_named_by_the_environment_that_is_none_is_refused(run_python, wanted):
    done = importing(run_python, wanted, status=1)
    assert "aimdb._errors.LibraryError: AIMDB_LIBRARY: " in done.stderr


def test_library_of_another_abi_version_is_refused(run_python, fake):
    done = importing(run_python, fake(7, "libaimdb.so.0"), status=1)
    assert "has ABI version 7, this package needs 0" in done.stderr


def test_library_that_is_another_is_refused(run_python, fake):
    done = importing(run_python, fake(0, "libother.so", text="int other;"), status=1)
    assert "is not libaimdb" in done.stderr
    done = importing(run_python, fake(0, "libaimdb.so.0"), status=1)
    assert "it is another version" in done.stderr


def test_library_already_in_the_process_is_found_first(run_python, tmp_path):
    copy = tmp_path / "sub" / "libaimdb.so.0.1.0"
    copy.parent.mkdir()
    shutil.copyfile(aimdb.library_path, copy)
    program = f"""
import ctypes
ctypes.CDLL({str(copy)!r})  # as a program of C's would have it
import aimdb
print(aimdb.library_path)
"""
    done = importing(run_python, None, program)
    assert done.stdout.strip() == str(copy)
    done = importing(run_python, copy, program)
    assert done.stdout.strip() == str(copy)


def test_library_twice_in_a_process_is_refused(run_python, tmp_path):
    copy = tmp_path / "libaimdb.so.0.1.0"
    shutil.copyfile(aimdb.library_path, copy)
    loaded_first = f"import ctypes; ctypes.CDLL({str(copy)!r}); import aimdb"
    done = importing(run_python, aimdb.library_path, loaded_first, status=1)
    assert "a second copy would not know its handles" in done.stderr
    loaded_later = f"""
import aimdb, ctypes
db = aimdb.Database()
ctypes.CDLL({str(copy)!r})
try:
    aimdb.Database.from_handle(db.handle)
except ImportError as error:
    print(error)
"""
    done = importing(run_python, None, loaded_later)
    assert "two copies of libaimdb are in this process" in done.stdout


def test_library_of_another_abi_version_in_the_process_is_refused(run_python, fake):
    other = fake(1, "libaimdb.so.1", "libaimdb.so.1.0.0")
    done = importing(
        run_python, None, f"import ctypes; ctypes.CDLL({str(other)!r}); import aimdb", status=1
    )
    assert f"{other} is in this process already, and is not libaimdb.so.0" in done.stderr


def test_library_tells_its_version():
    assert aimdb.library_version == aimdb.__version__
