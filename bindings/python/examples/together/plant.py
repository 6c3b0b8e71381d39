# SPDX-License-Identifier: Apache-2.0
"""C and Python in one process, on one libaimdb: C produces samples that Python
consumes, Python produces commands that C consumes. Needs gcc and aimdb.h.

    python plant.py [--header DIRECTORY]
"""

import argparse
import ctypes
import subprocess
import tempfile
from pathlib import Path

import aimdb

HERE = Path(__file__).resolve().parent


class Sample(ctypes.Structure):
    """struct plant_sample of plant.h."""

    _fields_ = [
        ("number", ctypes.c_uint32),
        ("pressure", ctypes.c_float),
        ("time", ctypes.c_double),
    ]
    number: int
    pressure: float


def build(header: str, directory: str) -> ctypes.CDLL:
    """The C part, linked to the libaimdb that is in this process already."""
    out, library = Path(directory) / "plant.so", Path(aimdb.library_path)
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-shared", "-fPIC", f"-I{header}"]
    command += [str(HERE / "plant.c"), "-o", str(out), "-lm"]
    command += [f"-L{library.parent}", f"-l:{library.name}"]
    subprocess.run(command, check=True)
    plant = ctypes.CDLL(str(out))
    plant.plant_begin.restype = ctypes.c_size_t
    plant.plant_sample.argtypes = [ctypes.c_uint32]
    return plant


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", default=str(HERE.parents[3] / "capi"), help="of aimdb.h")
    with tempfile.TemporaryDirectory() as directory:
        plant = build(parser.parse_args().header, directory)
        handle = plant.plant_begin()
        if not handle:
            raise SystemExit("the plant did not begin")
        with aimdb.Database.from_handle(handle) as db:
            samples = db.open("samples", aimdb.CStruct(Sample, type_name="plant.sample"))
            commands = db.open("commands", aimdb.Struct("=i", type_name="plant.command"))
            reader = samples.subscribe()
            for number in range(100):
                plant.plant_sample(number)
            peak = max(reader.get_many(), key=lambda sample: sample.pressure)
            print(
                f"Python: highest pressure {peak.pressure:.2f} at sample {peak.number}", flush=True
            )
            commands.produce(round(peak.pressure * 10))
        status = plant.plant_end()  # delivers the command
        print(f"Python: C's database ended with {status}, valve is {plant.plant_valve()}")


if __name__ == "__main__":
    main()
