# SPDX-License-Identifier: Apache-2.0
"""A Python host with faulthandler: python_host.py LIBRARY"""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import threading

CONSUMER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class ConsumerConfig(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("fn", CONSUMER),
        ("on_lag", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
        ("stack_size", ctypes.c_size_t),
    ]


class Host:
    """A database with one record and one consumer that counts."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.db, self.record = ctypes.c_void_p(), ctypes.c_void_p()
        self.count, self.enough = 0, threading.Event()
        self.callback = CONSUMER(self.consume)
        self.ok("aimdb_create", None, ctypes.byref(self.db))
        self.ok("aimdb_register", self.db, b"r", None, ctypes.byref(self.record))
        config = ConsumerConfig(ctypes.sizeof(ConsumerConfig), self.callback)
        self.ok("aimdb_subscribe", self.record, ctypes.byref(config), None)
        self.ok("aimdb_start", self.db)

    def ok(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        assert status == 0, (name, status)

    def consume(self, emitter, message, user):
        self.count += 1
        if self.count == 1000:
            self.enough.set()
        return 0

    def produce(self, values):
        for _ in range(values):
            self.ok("aimdb_produce", self.record, b"12345678", ctypes.c_size_t(8))

    def end(self):
        self.ok("aimdb_close", self.db, ctypes.c_int64(60 * 10**9))
        self.ok("aimdb_destroy", self.db)


def delivers_under_alarms(path):
    """Alarms, a traceback of all threads and a fork, while values are delivered."""
    alarms = []
    signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    host = Host(path)
    host.produce(1000)
    assert host.enough.wait(60)
    with tempfile.TemporaryFile() as out:
        faulthandler.dump_traceback(out, all_threads=True)
        out.seek(0)
        assert b"delivers_under_alarms" in out.read()
    signal.setitimer(signal.ITIMER_REAL, 0)
    child = os.fork()
    if child == 0:
        os._exit(0 if host.library.aimdb_start(host.db) == -16 else 1)
    assert os.waitpid(child, 0)[1] == 0
    host.end()
    assert alarms and host.count == 1000


def exits_without_close(path):
    Host(path).produce(10)


def crashes(path):
    Host(path)
    ctypes.string_at(1)


def main():
    if len(sys.argv) > 2:
        faulthandler.enable()
        return globals()[sys.argv[2]](sys.argv[1])
    for part, returned, says in (
        ("delivers_under_alarms", 0, b""),
        ("exits_without_close", 0, b""),
        ("crashes", -signal.SIGSEGV, b"Fatal Python error: Segmentation fault"),
    ):
        run = subprocess.run(
            [sys.executable, __file__, sys.argv[1], part], stderr=subprocess.PIPE, timeout=100, check=False
        )
        print(part, run.returncode)
        assert run.returncode == returned and says in run.stderr, run.stderr.decode()


main()
