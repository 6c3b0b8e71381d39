# SPDX-License-Identifier: Apache-2.0
"""For pytest (-p python_again): each test runs once as ever, which counts the calls
of the library that can fail; then once for each of them, which fails.

A function of the package may then raise, for the first call that failed, what its
own text says, with the library's words; called again it must work, and the test go
on as ever. At the end of each run the library holds no more than after the first.

  AIMDB_INJECT_SECONDS  about so long for all tests; unset: every fault
  AIMDB_INJECT_SEED     which sample
"""

import ctypes
import errno
import functools
import gc
import os
import random
import time

import pytest
from _pytest.runner import runtestprotocol

import aimdb

MEMORY, MAP, THREAD, DESCRIPTOR = range(4)  # inject_kind_t of capi/inject.h
KINDS = 6
ERRORS = {MEMORY: errno.ENOMEM, MAP: errno.ENOMEM, THREAD: errno.EAGAIN, DESCRIPTOR: errno.EMFILE}
UNTIL_ANSWERED = 100


class Injected(ctypes.Structure):
    _fields_ = [
        ("calls", ctypes.c_int64 * KINDS),
        ("held", ctypes.c_int64 * KINDS),
        ("failed", ctypes.c_int64),
        ("where", ctypes.c_char * 64),
    ]


library = ctypes.CDLL(aimdb.library_path)
library.aimdb_inject.argtypes = [
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int,
]


def injected():
    now = Injected()
    library.aimdb_injected(ctypes.byref(now))
    return now


# The functions that may lack something -----------------------------------------

LACKS = (aimdb.NoMemoryError, aimdb.NoThreadsError, aimdb.NoDescriptorsError)


class Run:
    """What happens in a run with a fault."""

    before = 0  # faults, ever
    answered = 0  # exceptions
    wrong = ()  # what was not right


def lacks(raised, text):
    """Whether an exception is for a fault; notes what is not right about it. (It is
    not kept: its frames hold what a test wants to see end.)"""
    if Run.answered == injected().failed - Run.before:
        return False  # the test has a way of its own
    if type(raised).__name__ not in text:
        Run.wrong.append(f"raises {raised!r}, which its text does not list")
    if not str(raised).partition(": ")[2]:
        Run.wrong.append(f"raises {raised!r} without the library's words")
    Run.answered += 1
    library.aimdb_inject_end()
    return True


def again(function, text=None):
    """The function, called again if it lacks something."""
    text = text or function.__doc__

    @functools.wraps(function)
    def call(*given, **named):
        try:
            return function(*given, **named)
        except LACKS as raised:
            if not lacks(raised, text):
                raise
        return function(*given, **named)

    return call


def produce_many(function):
    def call(record, values):
        values = list(values)
        try:
            return function(record, values)
        except LACKS as raised:
            done = raised.index
            if not lacks(raised, record.produce.__doc__):
                raise
        return done + function(record, values[done:])

    return functools.wraps(function)(call)


def with_produce(init):
    """`produce` is made for each record."""

    @functools.wraps(init)
    def call(record, *given, **named):
        init(record, *given, **named)
        record.produce = again(record.produce)

    return call


def wrap():
    database, record, reader = aimdb.Database, aimdb.Record, aimdb.Reader
    database.__init__ = again(database.__init__, database.__doc__)
    database.register = again(database.register)
    database.close = again(database.close)
    record.__init__ = with_produce(record.__init__)
    record.subscribe = again(record.subscribe)
    record.consumer = again(record.consumer)
    record.produce_many = produce_many(record.produce_many)
    reader.get = again(reader.get)
    reader.get_many = again(reader.get_many, reader.get.__doc__)


# Running -------------------------------------------------------------------------

TAKEN = (MEMORY, MAP, THREAD)


def held():
    now = injected().held
    fds = len(os.listdir("/proc/self/fd"))
    return [*(now[kind] for kind in TAKEN), fds]


def settled():
    """What is held once nothing changes any more."""
    gc.collect()
    before, same = held(), 0
    while same < 20:
        time.sleep(0.001)
        now = held()
        same = same + 1 if now == before else 0
        before = now
    return before


def over(most):
    """What is held though it should not be, however long one waits."""
    end = time.monotonic() + 60
    while any(now > limit for now, limit in zip(held(), most)):
        if time.monotonic() > end:
            return f"held {held()}, at most {most}"
        gc.collect()
        time.sleep(0.001)
    return None


class Again:
    def __init__(self):
        seconds = os.environ.get("AIMDB_INJECT_SECONDS")
        self.seconds = float(seconds) if seconds else None
        self.seed = int(os.environ.get("AIMDB_INJECT_SEED") or random.randrange(1 << 32))
        self.dice = random.Random(self.seed)
        self.runs = self.hits = self.answers = 0

    def pytest_collection_finish(self, session):
        self.share = self.seconds and self.seconds / max(len(session.items), 1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self.next = nextitem
        for report in self.reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def reports(self, item):
        """Those of the first run that failed, or of the last."""
        for kind in ERRORS:
            library.aimdb_inject(kind, 0, 0, 0, 0)  # counts from here
        begun = time.monotonic()
        reports = self.run(item)
        spent = time.monotonic() - begun
        calls, most = injected().calls, settled()
        for kind, nth, times in self.sample(calls, spent):
            if any(report.failed for report in reports):
                break
            reports = self.run_with(item, (kind, nth, 1, times, ERRORS[kind]), most)
        return reports

    def sample(self, calls, spent):
        faults = [
            (kind, nth, times)
            for kind in ERRORS
            for nth in range(1, calls[kind] + 1)
            for times in (1, UNTIL_ANSWERED)
        ]
        if self.share is None:
            return faults
        return self.dice.sample(faults, min(len(faults), max(1, int(self.share / spent))))

    def run(self, item):
        if hasattr(item, "_initrequest"):
            item._initrequest()  # fixtures anew
        return runtestprotocol(item, nextitem=self.next, log=False)

    def run_with(self, item, fault, most):
        Run.before, Run.answered, Run.wrong = injected().failed, 0, []
        library.aimdb_inject(*fault)
        reports = self.run(item)
        library.aimdb_inject_end()
        now = injected()
        self.runs += 1
        self.hits += now.failed > Run.before
        self.answers += Run.answered > 0
        for text in (*Run.wrong, over(most)):
            if text:
                reports[1].outcome, reports[1].longrepr = "failed", text
        if any(report.failed for report in reports):
            where = f"fault {fault} at {now.where.decode()}, seed {self.seed}"
            reports[1].sections.append(("fault injection", where))
        return reports

    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.write_line(
            f"fault injection: seed {self.seed}, {self.runs} runs, {self.hits} with a fault, "
            f"{self.answers} answered by an exception"
        )

    def pytest_sessionfinish(self, session):
        if not self.answers and session.exitstatus == 0:
            session.exitstatus = 1  # nothing was shown


def pytest_configure(config):
    wrap()
    config.pluginmanager.register(Again())
