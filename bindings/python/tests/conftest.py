# SPDX-License-Identifier: Apache-2.0
import ctypes
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

import aimdb

TREE = Path(__file__).resolve().parents[3]
TIMEOUT = 300  # seconds: only a hang takes that long

# A slow machine is no fault.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture
def db():
    """A database, closed and destroyed at the end."""
    with aimdb.Database(close_timeout=TIMEOUT) as database:
        yield database


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """tests/native.c, on the libaimdb that the package uses."""
    library = Path(aimdb.library_path)
    out = tmp_path_factory.mktemp("native") / "native.so"
    source = Path(__file__).parent / "native.c"
    command = ["gcc", "-std=gnu11", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"]
    command += [f"-I{TREE}/capi", str(source), "-o", str(out)]
    command += [f"-L{library.parent}", f"-l:{library.name}"]
    subprocess.run(command, check=True)
    made = ctypes.CDLL(str(out))
    made.native_database.restype = ctypes.c_void_p
    return made


@pytest.fixture
def run_python():
    """Runs a program in a new interpreter; its output. It must end well."""

    def run(program, *arguments, status=0, environment=None):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env=environment,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


class Gate:
    """A consumer function that stands still until it is let go."""

    def __init__(self):
        import threading

        self.inside = threading.Event()
        self.go = threading.Event()
        self.got = []

    def __call__(self, value):
        self.got.append(value)
        self.inside.set()
        assert self.go.wait(TIMEOUT)


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.go.set()


def number(i, size=8):
    return i.to_bytes(8, "little") + bytes(size - 8)


def number_of(data):
    return int.from_bytes(data[:8], "little")


def balanced(stats):
    """The account: what was offered is somewhere."""
    return stats.offered == (
        stats.delivered + stats.lagged + stats.skipped + stats.pending + stats.abandoned
    )
