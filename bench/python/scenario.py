# SPDX-License-Identifier: Apache-2.0
"""The scenarios, the same for every system.

A program gives a system as an object with these methods; each run is one round
of one scenario and prints one JSON line for each metric:

    {"scenario": ..., "system": ..., "metric": ..., "value": ..., "unit": ...}

py_cross_thread_64  N values of 64 bytes, produced one by one on the main thread;
                    a function is called with each on another. From the first
                    produce to the last call, for each value.
py_batch_64         the same, given and taken as many as the system can at once.
py_asyncio_64       the same, produced one by one on a thread, awaited one by one
                    by the main thread's event loop.
py_wake_1ms_p50     one value each millisecond to a consumer that sleeps: from
                    before it is produced to the function's first line, median.

Nothing may be lost: each value has its number, which is checked.
"""

import argparse
import asyncio
import json
import os
import platform
import struct
import sys
import threading
import time

SIZE = 64
VALUES = 200_000
BATCH = 256
NOT_HERE = 77  # exit status: the system has no such thing
WAKES = 1000
NUMBER = struct.Struct("<Q")
PADDING = bytes(SIZE - NUMBER.size)


def value(number):
    return NUMBER.pack(number) + PADDING


class Check:
    """Counts values by their numbers, and tells when all have come."""

    def __init__(self, total):
        self.total = total
        self.next = 0
        self.done = threading.Event()
        self.ended = 0

    def one(self, data):
        if NUMBER.unpack_from(data)[0] != self.next:
            self.next = -1  # it can't become the total any more
        self.next += 1
        if self.next == self.total:
            self.ended = time.perf_counter_ns()
            self.done.set()

    def all(self):
        self.next = self.total
        self.ended = time.perf_counter_ns()
        self.done.set()

    def all_came(self):
        if not self.done.wait(120):
            sys.exit(f"values are missing: {self.next} of {self.total}")


def cross_thread(system):
    values, check = [value(i) for i in range(VALUES)], Check(VALUES)
    produce, close = system.cross_thread(check.one, VALUES)
    begun = time.perf_counter_ns()
    for v in values:
        produce(v)
    check.all_came()
    close()
    return "time", (check.ended - begun) / VALUES, "ns"


def batch(system):
    values = [value(i) for i in range(VALUES)]
    produce_many, take_many, close = system.batch(VALUES)
    check = Check(VALUES)

    def take():
        at = 0
        while at < VALUES:
            taken = take_many()
            if taken != values[at : at + len(taken)]:
                sys.exit(f"the values after {at} are others")
            at += len(taken)
        check.all()

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    begun = time.perf_counter_ns()
    for i in range(0, VALUES, BATCH):
        produce_many(values[i : i + BATCH])
    check.all_came()
    taker.join()
    close()
    return "time", (check.ended - begun) / VALUES, "ns"


def asyncio_(system):
    values, check = [value(i) for i in range(VALUES)], Check(VALUES)

    async def main():
        produce, take, close = system.asyncio(VALUES)

        def run():
            for v in values:
                produce(v)

        thread = threading.Thread(target=run, daemon=True)
        begun = time.perf_counter_ns()
        thread.start()
        while check.next != VALUES:
            check.one(await take())
        thread.join()
        close()
        return begun

    begun = asyncio.run(main())
    check.all_came()
    return "time", (check.ended - begun) / VALUES, "ns"


def wake(system):
    latencies, come = [], threading.Event()

    def one(data):
        now = time.perf_counter_ns()
        latencies.append(now - NUMBER.unpack_from(data)[0])
        if len(latencies) == WAKES:
            come.set()

    produce, close = system.cross_thread(one, WAKES)
    for _ in range(WAKES):
        time.sleep(0.001)
        produce(value(time.perf_counter_ns()))
    if not come.wait(120):
        sys.exit("values are missing")
    close()
    return "latency", sorted(latencies)[WAKES // 2], "ns"


SCENARIOS = {
    "py_cross_thread_64": (cross_thread, "cross_thread"),
    "py_batch_64": (batch, "batch"),
    "py_asyncio_64": (asyncio_, "asyncio"),
    "py_wake_1ms_p50": (wake, "cross_thread"),
}


CPYTHON = "of CPython " + platform.python_version()


def main(name, system, version=CPYTHON):
    """Runs the scenario named on the command line, or says the version."""
    able = [s for s, (_, needs) in SCENARIOS.items() if hasattr(system, needs)]
    parser = argparse.ArgumentParser(description=f"one round with {name}")
    parser.add_argument("scenario", choices=["version", *SCENARIOS])
    arguments = parser.parse_args()
    if arguments.scenario == "version":
        print(version)
        return
    if arguments.scenario not in able:
        sys.exit(NOT_HERE)
    metric, result, unit = SCENARIOS[arguments.scenario][0](system)
    line = {
        "scenario": arguments.scenario,
        "system": os.environ.get("BENCH_SYSTEM", name),
        "metric": metric,
        "value": round(result, 2),
        "unit": unit,
    }
    print(json.dumps(line), flush=True)
