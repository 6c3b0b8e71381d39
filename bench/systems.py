# SPDX-License-Identifier: Apache-2.0
"""What is measured: the systems, the scenarios, the targets."""

# System -> (program, its environment), in the order of running and reporting.
SYSTEMS = {
    "aimdb": ("aimdb", {"AIMDB_DOOR": "direct"}),
    "aimdb-cgo": ("aimdb", {"AIMDB_DOOR": "cgo"}),
    "c-ring": ("c-ring", {}),
    "c-ring-locked": ("c-ring-locked", {}),
    "condvar": ("condvar", {}),
    "zeromq": ("zeromq", {}),
    "nng": ("nng", {}),
    "tokio": ("tokio", {}),
    "iceoryx2": ("iceoryx2", {}),
}

# The systems of Python programs; they run only the scenarios named py_*.
PYTHON = {
    "aimdb-python": ("aimdb-python", {"AIMDB_DOOR": "direct"}),
    "queue": ("queue", {}),
    "simplequeue": ("simplequeue", {}),
    "asyncio-queue": ("asyncio-queue", {}),
    "pyzmq": ("pyzmq", {}),
    "iceoryx2-python": ("iceoryx2-python", {}),
}
SYSTEMS |= PYTHON

SIZES = [8, 64, 512, 4096, 32768, 262144, 1048576]
RATES = [100, 10000, 100000]  # cpu_1khz is the one between

# What is run. wake_* give two scenarios each, wake_..._p50 and wake_..._p99.
RUNS = [
    "push_alone_64",
    "push_contended_64",
    "lossless_64",
    "fanout8_64",
    "wake_20us",
    "wake_1ms",
    "cpu_1khz",
    "latest_push_64",
    "latest_read_64",
    "mailbox_roundtrip_64",
    "lossless_1MiB_4",
    "rss_idle",
    "library_size",
    *[f"throughput_{size}" for size in SIZES],
    *[f"cpu_{rate}" for rate in RATES],
    *[f"pacing_{rate}" for rate in [100, 1000, 10000, 100000]],
    "py_cross_thread_64",
    "py_batch_64",
    "py_asyncio_64",
    "py_wake_1ms_p50",
]

# The metric that a scenario is about; for each, less is better.
MAIN = {
    "py_wake": "latency",
    "py_": "time",
    "push_": "time",
    "lossless_": "time",
    "fanout8_": "time",
    "throughput_": "time",
    "latest_": "time",
    "mailbox_": "time",
    "wake_": "latency",
    "cpu_": "cpu",
    "rss_idle": "memory",
    "library_size": "size",
}

# The rows of the tables.
TABLE = [
    name
    for run in RUNS
    if not run.startswith(("pacing_", "throughput_", "cpu_1"))
    for name in ([f"{run}_p50", f"{run}_p99"] if run.startswith("wake_") else [run])
]
TABLE.insert(TABLE.index("latest_push_64"), "cpu_1khz")

# (scenario, metric, at most so many times, this system's): None is an absolute limit.
TARGETS = [
    ("push_alone_64", "time", 4, "c-ring"),
    ("push_alone_64", "time", 2, "c-ring-locked"),
    ("push_alone_64", "time", 1, "tokio"),
    ("push_contended_64", "time", 3.5, "c-ring"),
    ("push_contended_64", "time", 0.6, "tokio"),
    ("push_contended_64", "time", 0.4, "zeromq"),
    ("lossless_64", "time", 0.5, "zeromq"),
    ("fanout8_64", "time", 0.5, "zeromq"),
    ("wake_20us_p50", "latency", 0.8, "zeromq"),
    ("wake_20us_p50", "latency", 1.15, "condvar"),
    ("wake_1ms_p50", "latency", 0.8, "zeromq"),
    ("wake_1ms_p50", "latency", 1.15, "condvar"),
    ("wake_1ms_p99", "latency", 1, "zeromq"),
    ("cpu_1khz", "cpu", 1, "zeromq"),
    ("latest_push_64", "time", 40, None),
    ("push_contended_64", "allocations", 0, None),
    ("lossless_64", "allocations", 0, None),
    ("latest_push_64", "allocations", 0, None),
    ("mailbox_roundtrip_64", "allocations", 0, None),
    ("rss_idle", "memory", 8 * 1024, None),
    ("library_size", "size", 3 * 1024 * 1024, None),
    ("py_cross_thread_64", "time", 0.8, "pyzmq"),
    ("py_cross_thread_64", "time", 0.4, "queue"),
    ("py_batch_64", "time", 0.3, "pyzmq"),
    ("py_asyncio_64", "time", 0.5, "asyncio-queue"),
    ("py_wake_1ms_p50", "latency", 1.2, "pyzmq"),
]


def runs_in(system, scenario):
    """Python's systems and scenarios, and the others, keep to themselves."""
    return (system in PYTHON) == scenario.startswith("py_")



def main_metric(scenario):
    return next(metric for prefix, metric in MAIN.items() if scenario.startswith(prefix))
