# SPDX-License-Identifier: Apache-2.0
"""AimDB: an in-process data plane for edge software.

A program registers records and produces values into them without ever waiting;
every consumer gets them at its own pace, through a ring, a latest value or a
mailbox. What a slow consumer loses is counted exactly.

    with aimdb.Database() as db:
        temperature = db.register("sensor.temperature", codec="<d")

        @temperature.consumer
        def show(value):
            print(value)

        db.start()
        temperature.produce(21.5)
"""

from ._aio import AsyncReader
from ._buffers import Buffer, Latest, Mailbox, Ring
from ._codec import Codec, CStruct, Dataclass, Json, Struct
from ._consumer import Consumer
from ._database import CloseResult, Database
from ._emitter import Emitter
from ._errors import (
    ArgumentError,
    Closed,
    CodecError,
    DepthError,
    EmitterError,
    Empty,
    Error,
    ExistsError,
    ForkedError,
    HandleError,
    InternalError,
    KeyFormatError,
    Lagged,
    LibraryError,
    NoDescriptorsError,
    NoMemoryError,
    NotFoundError,
    NoThreadsError,
    RecordTypeError,
    Rejected,
    SizeError,
    StateError,
    UnsupportedError,
    VersionError,
)
from ._library import path as library_path
from ._library import version as library_version
from ._producer import REJECT
from ._reader import Reader
from ._record import Record
from ._stats import ConsumerStats, DatabaseStats, RecordStats

__version__ = "0.1.0"

__all__ = [
    "REJECT",
    "ArgumentError",
    "AsyncReader",
    "Buffer",
    "CStruct",
    "CloseResult",
    "Closed",
    "Codec",
    "CodecError",
    "Consumer",
    "ConsumerStats",
    "Database",
    "DatabaseStats",
    "Dataclass",
    "DepthError",
    "Emitter",
    "EmitterError",
    "Empty",
    "Error",
    "ExistsError",
    "ForkedError",
    "HandleError",
    "InternalError",
    "Json",
    "KeyFormatError",
    "Lagged",
    "Latest",
    "LibraryError",
    "Mailbox",
    "NoDescriptorsError",
    "NoMemoryError",
    "NoThreadsError",
    "NotFoundError",
    "Reader",
    "Record",
    "RecordStats",
    "RecordTypeError",
    "Rejected",
    "Ring",
    "SizeError",
    "StateError",
    "Struct",
    "UnsupportedError",
    "VersionError",
    "library_path",
    "library_version",
]
