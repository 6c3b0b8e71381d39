# SPDX-License-Identifier: Apache-2.0
"""Finds, loads and declares libaimdb.

Each function is there twice: `held.f` keeps the GIL and is for calls that
cannot sleep; `released.f` gives it away and is for calls that wait, enter
callbacks of others, or take memory. A held call may take a lock of the library
for a moment: its holder never runs user code and never needs the GIL meanwhile,
so there is nothing to deadlock with.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import weakref
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any, Optional

from . import _ending
from . import _structs as c
from ._errors import LibraryError

ABI_VERSION = 0
SONAME = f"libaimdb.so.{ABI_VERSION}"

_handle_out = POINTER(c_void_p)

_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "aimdb_version": (c_char_p, []),
    "aimdb_abi_version": (c_uint32, []),
    "aimdb_strerror": (c_char_p, [c_int]),
    "aimdb_last_error": (c_char_p, []),
    "aimdb_create": (c_int, [POINTER(c.Config), _handle_out]),
    "aimdb_start": (c_int, [c_void_p]),
    "aimdb_close": (c_int, [c_void_p, c_int64]),
    "aimdb_close_with": (c_int, [c_void_p, c_int64, c_uint32]),
    "aimdb_destroy": (c_int, [c_void_p]),
    "aimdb_register": (c_int, [c_void_p, c_char_p, POINTER(c.RecordConfig), _handle_out]),
    "aimdb_open": (c_int, [c_void_p, c_char_p, c_char_p, c_size_t, _handle_out]),
    "aimdb_record_info": (c_int, [c_void_p, POINTER(c.RecordInfo)]),
    "aimdb_set_producer": (c_int, [c_void_p, POINTER(c.ProducerConfig)]),
    # The bytes are a c_char_p, which takes bytes as they are, also with NULs in
    # them, and nothing else: no int as an address, no str.
    "aimdb_produce": (c_int, [c_void_p, c_char_p, c_size_t]),
    "aimdb_produce_batch": (
        c_int,
        [c_void_p, c_char_p, POINTER(c_size_t), c_size_t, POINTER(c_size_t)],
    ),
    "aimdb_emit": (c_int, [c_void_p, c_void_p, c_char_p, c_size_t]),
    "aimdb_subscribe": (c_int, [c_void_p, c_void_p, _handle_out]),
    "aimdb_unsubscribe": (c_int, [c_void_p, POINTER(c.ConsumerStats)]),
    "aimdb_reader_open": (c_int, [c_void_p, _handle_out]),
    "aimdb_reader_close": (c_int, [c_void_p, POINTER(c.ConsumerStats)]),
    "aimdb_try_recv": (c_int, [c_void_p, c_void_p, c_size_t, POINTER(c.Message)]),
    "aimdb_recv": (c_int, [c_void_p, c_void_p, c_size_t, POINTER(c.Message), c_int64]),
    "aimdb_recv_batch": (
        c_int,
        [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t), c_int64],
    ),
    "aimdb_reader_fd": (c_int, [c_void_p, POINTER(c_int)]),
    "aimdb_peek": (c_int, [c_void_p, c_void_p, c_size_t, POINTER(c.Message)]),
    "aimdb_database_stats": (c_int, [c_void_p, POINTER(c.DatabaseStats)]),
    "aimdb_record_stats": (c_int, [c_void_p, POINTER(c.RecordStats)]),
    "aimdb_consumer_stats": (c_int, [c_void_p, POINTER(c.ConsumerStats)]),
    "aimdb_reader_stats": (c_int, [c_void_p, POINTER(c.ConsumerStats)]),
}


def _open(name: str, flags: int = 0) -> Optional[ctypes.CDLL]:
    try:
        return ctypes.CDLL(name, mode=os.RTLD_LOCAL | flags)
    except OSError:
        return None


def copies() -> dict[str, str]:
    """The files named libaimdb.so* that are mapped into this process, by inode."""
    found = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and os.path.basename(fields[5]).startswith("libaimdb.so"):
                found[fields[3] + "/" + fields[4]] = fields[5].strip()
    return found


def check_only_copy() -> None:
    """Raises LibraryError if two copies are loaded: a handle of one is nothing
    to the other."""
    found = sorted(copies().values())
    if len(found) > 1:
        raise LibraryError("two copies of libaimdb are in this process: " + " and ".join(found))


def _path_of(library: ctypes.CDLL) -> str:
    class Info(ctypes.Structure):
        _fields_ = [("name", c_char_p), ("base", c_void_p), ("s", c_char_p), ("a", c_void_p)]

    dladdr = ctypes.CDLL(None).dladdr
    dladdr.restype, dladdr.argtypes = c_int, [c_void_p, POINTER(Info)]
    info = Info()
    dladdr(ctypes.cast(library.aimdb_abi_version, c_void_p), ctypes.byref(info))
    return os.fsdecode(info.name)


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _load() -> ctypes.CDLL:
    wanted = os.environ.get("AIMDB_LIBRARY")
    library = _open(SONAME, os.RTLD_NOLOAD)
    if library is not None:
        if wanted and not _same_file(wanted, _path_of(library)):
            raise LibraryError(
                f"AIMDB_LIBRARY is {wanted}, but {_path_of(library)} is in this process already; "
                "a second copy would not know its handles"
            )
        return library
    others = sorted(copies().values())
    if others:
        raise LibraryError(f"{others[0]} is in this process already, and is not {SONAME}")
    if wanted:
        try:
            return ctypes.CDLL(wanted)
        except OSError as error:
            raise LibraryError(f"AIMDB_LIBRARY: {error}") from None
    here = os.path.dirname(os.path.abspath(__file__))
    tree = os.path.join(here, "..", "..", "..", "build", SONAME)
    for name in (os.path.join(here, SONAME), os.path.normpath(tree), SONAME):
        library = _open(name) if name == SONAME or os.path.exists(name) else None
        if library is not None:
            return library
    raise LibraryError(
        f"{SONAME} is not in this process, not in the package, and not where the system looks; "
        "set AIMDB_LIBRARY to its path"
    )


def _declare(library: ctypes.CDLL) -> None:
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise LibraryError(f"{library._name} has no {name}: it is another version") from None
        function.restype, function.argtypes = result, arguments


def _check_version(library: ctypes.CDLL) -> None:
    try:
        version = library.aimdb_abi_version
    except AttributeError:
        raise LibraryError(f"{library._name} is not libaimdb") from None
    version.restype, version.argtypes = c_uint32, []
    if version() != ABI_VERSION:
        raise LibraryError(
            f"{_path_of(library)} has ABI version {version()}, this package needs {ABI_VERSION}"
        )


released = _load()
_check_version(released)
check_only_copy()
held = ctypes.PyDLL(released._name, handle=released._handle)
_declare(released)
_declare(held)

path = _path_of(released)
version = held.aimdb_version().decode()

# In a forked child the library answers ERR_FORKED. What would wait for a thread
# of the parent, or clean up after it, asks here first.
forked = False

# What must end before the interpreter does: databases, with a method _at_exit.
open_databases: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def _at_exit() -> None:
    _ending.begin()
    for reference in open_databases.valuerefs():
        database = reference()
        if database is not None and not forked:
            database._at_exit()


atexit.register(_at_exit)


def _after_fork() -> None:
    global forked  # noqa: PLW0603 (a forked process has one state)
    forked = True


os.register_at_fork(after_in_child=_after_fork)


def addressed(library: ctypes.CDLL, name: str) -> Any:
    """A function that takes bytes, declared to take their address."""
    result, arguments = _SIGNATURES[name]
    function = library[name]
    function.restype = result
    function.argtypes = [c_void_p if of is c_char_p else of for of in arguments]
    return function
