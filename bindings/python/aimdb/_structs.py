# SPDX-License-Identifier: Apache-2.0
"""The structs, numbers and callback types of aimdb.h, as ctypes."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

OK, EMPTY, LAGGED, TIMEOUT, CLOSED, REJECTED, IN_PROGRESS, BLOCKED = range(8)
ERR_HANDLE, ERR_STATE, ERR_FORKED = -2, -3, -16

ACCEPT, REJECT, REPLACE = range(3)

FOREVER = 2**63 - 1
ANY_SIZE = c_size_t(-1).value
NANOSECONDS = 1_000_000_000


class Sized(ctypes.Structure):
    """A struct that begins with its size, set when it is made."""

    struct_size: int

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class Message(Sized):
    data: int
    size: int
    sequence: int
    lagged: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("data", c_void_p),
        ("size", c_size_t),
        ("record", c_void_p),
        ("sequence", c_uint64),
        ("lagged", c_uint64),
    ]


class Draft(Sized):
    data: int
    capacity: int
    size: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("data", c_void_p),
        ("capacity", c_size_t),
        ("size", c_size_t),
    ]


# The emitter, the message and the draft are only read during the call.
PRODUCER_FN = ctypes.CFUNCTYPE(
    c_int, c_void_p, ctypes.POINTER(Message), ctypes.POINTER(Draft), c_void_p
)
LOG_FN = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
FREE_FN = ctypes.CFUNCTYPE(None, c_void_p)


class Config(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("log", LOG_FN),
        ("log_level", c_int),
        ("user", c_void_p),
        ("free", FREE_FN),
    ]


class RecordConfig(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("buffer", c_int),
        ("capacity", c_size_t),
        ("payload_max", c_size_t),
        ("exact_size", c_size_t),
        ("type_name", c_char_p),
    ]


class RecordInfo(Sized):
    buffer: int
    capacity: int
    payload_max: int
    exact_size: int
    key: bytes
    type_name: bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("buffer", c_int),
        ("capacity", c_size_t),
        ("payload_max", c_size_t),
        ("exact_size", c_size_t),
        ("key", c_char * 256),
        ("type_name", c_char * 256),
    ]


class ProducerConfig(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("fn", PRODUCER_FN),
        ("user", c_void_p),
        ("free", FREE_FN),
    ]


CONSUMER_COUNTS = (
    "offered",
    "delivered",
    "lagged_events",
    "lagged",
    "skipped",
    "pending",
    "abandoned",
    "failures",
    "callback_ns",
    "callback_max_ns",
)
RECORD_COUNTS = (
    "produced",
    "rejected",
    "overwritten",
    "taken",
    "pending",
    "abandoned",
    "bytes",
    "readers",
    "memory",
    "producer_calls",
    "producer_ns",
    "producer_max_ns",
)


class ConsumerStats(Sized):
    _fields_ = [("struct_size", c_size_t), *((name, c_uint64) for name in CONSUMER_COUNTS)]


class RecordStats(Sized):
    _fields_ = [("struct_size", c_size_t), *((name, c_uint64) for name in RECORD_COUNTS)]


class DatabaseStats(Sized):
    records: int
    consumers: int
    readers: int
    memory: int
    door: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("records", c_uint64),
        ("consumers", c_uint64),
        ("readers", c_uint64),
        ("memory", c_uint64),
        ("door", c_int),
    ]
