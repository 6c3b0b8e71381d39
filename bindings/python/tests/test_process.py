# SPDX-License-Identifier: Apache-2.0
"""Interpreter exit, Ctrl-C and fork: neither a hang nor a crash."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from conftest import TIMEOUT

SETUP = """
import aimdb, os, sys, threading, time
db = aimdb.Database()
record = db.register("a", aimdb.Ring(64))
other = db.register("b")
reader = record.subscribe(on_lag="skip")
"""

EXITS = {
    "nothing started": "",
    "a consumer that sleeps": "record.consumer(lambda v: None)\ndb.start()",
    "a consumer that works": """
record.consumer(lambda v: None, on_lag="skip")
db.start()
def work():
    try:
        while True: record.produce_many([b"v"] * 100)
    except aimdb.Closed:
        pass
threading.Thread(target=work).start()
threading.Timer(0.1, db.close).start()
""",
    "a daemon thread that produces": """
record.consumer(lambda v: None, on_lag="skip")
db.start()
def work():
    while True: record.produce(b"v")
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
""",
    "a consumer that never returns": """
inside = threading.Event()
@record.consumer
def stuck(v):
    inside.set()
    threading.Event().wait()
db.start()
record.produce_many([b"v"] * 5)
inside.wait()
""",
    "a producer function that never returns": """
inside = threading.Event()
@record.producer
def stuck(v):
    inside.set()
    threading.Event().wait()
db.start()
threading.Thread(target=record.produce, args=(b"v",), daemon=True).start()
inside.wait()
""",
    "a reader that waits": """
db.start()
threading.Thread(target=reader.get, daemon=True).start()
""",
    "a log function": """
second = aimdb.Database(log=lambda *line: None, log_level="debug")
second.start()
""",
    "an exit from a consumer": """
end = threading.Event()
@record.consumer(on_error=lambda error, _: end.set())
def leave(v):
    sys.exit(3)
db.start()
record.produce(b"v")
end.wait()
""",
    "a database in a cycle": "record.self = db\ndb.start()",
    "asyncio that waits": """
import asyncio
async def main():
    task = asyncio.ensure_future(record.subscribe_async().get())
    await asyncio.sleep(0)
    task.cancel()
db.start()
asyncio.run(main())
""",
}


@pytest.mark.parametrize("program", EXITS.values(), ids=EXITS)
def test_exit_of_the_interpreter_neither_hangs_nor_crashes(run_python, program):
    done = run_python(SETUP + program + "\nprint('end')")
    assert done.stdout.endswith("end\n")
    assert "Fatal" not in done.stderr


def test_exit_leaves_daemon_threads_without_a_word(run_python):
    """They would print while the interpreter ends, which CPython may abort for."""
    done = run_python("""
import aimdb, asyncio, threading
db = aimdb.Database()
record = db.register("r", aimdb.Ring(8), codec="<q")
reader, polled, iterated = (record.subscribe(on_lag="skip") for _ in range(3))
later = record.subscribe_async(on_lag="skip")
db.start()
begun = threading.Barrier(6)
def get():
    begun.wait()
    while True: reader.get()
def iterate():
    begun.wait()
    for _ in iterated: pass
    print("goes on")
def poll():
    begun.wait()
    while True:
        try: polled.get_nowait()
        except aimdb.Empty: pass
def produce():
    begun.wait()
    while True: record.produce(1)
def run():
    begun.wait()
    asyncio.run(later.get_many(1))
    asyncio.run(forever(later))
async def forever(reader):
    while True: await reader.get()
for work in get, iterate, poll, produce, run: threading.Thread(target=work, daemon=True).start()
begun.wait()
""")
    assert (done.stdout, done.stderr) == ("", "")


def test_exit_cuts_off_threads_of_c_that_produce(run_python, native):
    """They call into Python all the while, until it ends."""
    done = run_python(
        SETUP
        + """
import ctypes
native = ctypes.CDLL(sys.argv[1])
native.native_produce.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
many = threading.Event()
counts = []
@record.producer
def judge(v):
    counts.append(v)
    if len(counts) == 100: many.set()
db.start()
for _ in range(3): native.native_produce(record._handle, 2**60)
many.wait()
print('end')
""",
        native._name,
    )
    assert done.stdout == "end\n"


WAITS = {
    "reader.get()": "reader.get()",
    "reader.get(timeout)": "reader.get(1000)",
    "reader.get_many()": "reader.get_many()",
    "iteration": "for _ in reader: pass",
    "consumer.unsubscribe()": """
inside = threading.Event()
@record.consumer
def stuck(v):
    inside.set()
    threading.Event().wait()
record.produce(b"v")
reader.get()
inside.wait()
ready()
stuck.unsubscribe()
""",
    "db.close()": """
inside = threading.Event()
@record.consumer
def stuck(v):
    inside.set()
    threading.Event().wait()
record.produce(b"v")
reader.get()
inside.wait()
ready()
db.close(None)
""",
    "producing": "ready()\nwhile True: record.produce(b'v')",
    "producing many": "ready()\nwhile True: record.produce_many([b'v'] * 1000)",
    "a with block": """
with db:
    record.consumer(lambda v: None)
    ready()
    reader.get()
""",
    "asyncio": """
import asyncio
async def tick():  # asyncio sleeps through a signal that wakes nobody
    while True: await asyncio.sleep(0.1)
async def main():
    ready()
    ticks = asyncio.ensure_future(tick())
    async for _ in record.subscribe(): pass
asyncio.run(main())
""",
}


def program_of(wait):
    return WAITS[wait] if "ready()" in WAITS[wait] else "ready()\n" + WAITS[wait]


@pytest.mark.parametrize("wait", WAITS)
def test_keyboard_interrupt_ends_what_waits(wait):
    # Who started the tests may ignore it, as a shell does for a job in the background.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += SETUP + "db.start()\ndef ready(): print('ready', flush=True)\n"
    child = subprocess.Popen(
        [sys.executable, "-c", program + program_of(wait)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        try:
            _, errors = child.communicate(timeout=TIMEOUT)
        finally:
            child.kill()
    assert "KeyboardInterrupt" in errors
    assert child.returncode in (-signal.SIGINT, 1), errors


@pytest.mark.parametrize("wait", [wait for wait in WAITS if "producing" not in wait])
def test_an_interrupt_that_wakes_nobody_is_heard(run_python, wait):
    """CPython takes it on another thread here; one that comes between the main thread's
    look for signals and its sleep is the same to it."""
    done = run_python(
        SETUP
        + """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
db.start()
def asleep():
    with open(f"/proc/self/task/{os.getpid()}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "S"
def interrupt():
    while not all(asleep() for _ in range(100)): pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
def ready(): threading.Thread(target=interrupt, daemon=True).start()
try:
"""
        + textwrap.indent(program_of(wait), "    ")
        + """
except KeyboardInterrupt:
    print("heard", flush=True)
"""
    )
    assert done.stdout == "heard\n"


FORKED = (
    SETUP
    + """
import gc, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads is what is tested
@record.consumer(on_lag="skip")
def consumer(v): pass
areader = other.subscribe_async()
threading.Thread(target=other.subscribe().get, daemon=True).start()
db.start()
record.produce_many([b"v"] * 10)
calls = dict(
    produce=lambda: record.produce(b"v"),
    produce_many=lambda: record.produce_many([b"v"]),
    produce_buffer=lambda: record.produce(bytearray(b"v")),
    get=reader.get, get_timeout=lambda: reader.get(1), get_nowait=reader.get_nowait,
    get_many=reader.get_many, close_reader=reader.close,
    stats=record.stats, reader_stats=reader.stats, consumer_stats=consumer.stats,
    async_nowait=areader.get_nowait,
    unsubscribe=consumer.unsubscribe, peek=record.peek, subscribe=record.subscribe,
    consumer=lambda: record.consumer(print), open=lambda: db.open("a"),
    register=lambda: db.register("x"), close=db.close, destroy=db.destroy, start=db.start,
    stats_db=db.stats, create=aimdb.Database, handle=lambda: aimdb.Database.from_handle(db.handle),
)
def use():
    for name, call in calls.items():
        try:
            call()
        except aimdb.ForkedError as error:
            assert "fork" in str(error)
        else:
            raise AssertionError(name)
"""
)


def test_fork_child_gets_exceptions_and_ends_and_the_parent_goes_on(run_python):
    done = run_python(
        FORKED
        + """
for i in range(20):
    child = os.fork()
    if child == 0:
        use()
        with db: pass
        del db, record, reader, other, areader, consumer, calls
        gc.collect()
        sys.exit(7)
    record.produce(b"v")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert db.close() is aimdb.CloseResult.DELIVERED
assert consumer.stats().delivered == 30
print("end")
"""
    )
    assert done.stdout == "end\n"


def test_fork_of_multiprocessing_neither_hangs_nor_crashes(run_python):
    run_python(
        FORKED
        + """
import multiprocessing
fork = multiprocessing.get_context("fork")
stop = threading.Event()
def work():
    while not stop.is_set(): record.produce_many([b"v"] * 10)
worker = threading.Thread(target=work)
worker.start()
children = [fork.Process(target=use) for _ in range(10)]
for child in children: child.start()
for child in children:
    child.join()
    assert child.exitcode == 0, child.exitcode
with fork.Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
stop.set()
worker.join()
"""
    )


def test_signals_reach_python_while_values_flow(run_python):
    run_python(
        SETUP
        + """
import signal
alarms = []
signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
seen = []
@record.consumer(on_lag="skip")
def consume(v): seen.append(v)
db.start()
while len(alarms) < 100 or not seen: record.produce_many([b"v"] * 50)
signal.setitimer(signal.ITIMER_REAL, 0)
db.close()
"""
    )


def test_collecting_garbage_under_load_neither_hangs_nor_crashes(run_python):
    run_python(
        """
import aimdb, gc, warnings
warnings.simplefilter("ignore", ResourceWarning)
gc.set_threshold(1)
for i in range(50):
    db = aimdb.Database()
    record = db.register("a")
    record.cycle = [db, record]
    record.producer(lambda v: None)
    record.consumer(lambda v: None)
    reader = record.subscribe()
    reader.cycle = reader
    db.start()
    record.produce_many([b"v"] * 50)
    reader.get()
"""
    )


def test_environment_is_not_changed_by_the_import(run_python):
    run_python(
        """
import resource, signal
before = resource.getrlimit(resource.RLIMIT_NOFILE), signal.pthread_sigmask(signal.SIG_BLOCK, [])
import aimdb
after = resource.getrlimit(resource.RLIMIT_NOFILE), signal.pthread_sigmask(signal.SIG_BLOCK, [])
assert before == after
""",
        environment={**os.environ},
    )
