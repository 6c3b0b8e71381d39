# SPDX-License-Identifier: Apache-2.0
"""Short time slices for the threads of consumer functions.

Linux 6.12 and later lets a thread that asks for a short time slice run when it is
woken, before the one that woke it goes on, where both have one processor. Older
kernels take no notice. libaimdb does the same for its own threads (capi/worker.c),
and like this not with AIMDB_TIME_SLICE=off or under a filter of system calls, which
may kill whoever asks.
"""

from __future__ import annotations

import ctypes
import os
import platform

_BRIEF = 100_000  # nanoseconds, the least there is
_NUMBERS = {  # of the system calls sched_setattr and sched_getattr
    "x86_64": (314, 315),
    "aarch64": (274, 275),
    "riscv64": (274, 275),
    "armv7l": (380, 381),
}


class _Scheduling(ctypes.Structure):
    """The kernel's struct sched_attr, first version."""

    size: int
    policy: int
    runtime: int
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


_syscall = ctypes.CDLL(None).syscall
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.POINTER(_Scheduling)]
_syscall.argtypes += [ctypes.c_uint, ctypes.c_uint]
_syscall.restype = ctypes.c_long


def _allowed() -> bool:
    if os.environ.get("AIMDB_TIME_SLICE") == "off":
        return False
    try:
        with open("/proc/thread-self/status", encoding="ascii", errors="replace") as status:
            return not any(
                line.startswith("Seccomp:") and line.split()[1] != "0" for line in status
            )
    except OSError:
        return False


def ask_for_brief() -> None:
    """For the calling thread. A refusal changes nothing."""
    numbers = _NUMBERS.get(platform.machine())
    if numbers is None or not _allowed():
        return
    put, get = numbers
    size = ctypes.sizeof(_Scheduling)
    now = _Scheduling(size=size)
    if _syscall(get, 0, ctypes.byref(now), size, 0) == 0 and now.policy == os.SCHED_OTHER:
        now.size, now.runtime = size, _BRIEF
        _syscall(put, 0, ctypes.byref(now), 0, 0)
