# SPDX-License-Identifier: Apache-2.0
"""A signal of 1 kHz, its spectrum computed by a consumer.

    python numpy_spectrum.py [--seconds 3] [--picture spectrum.png]

The producer gives NumPy blocks as they are; the consumer looks at the bytes with
numpy.frombuffer. Spectra go to a record of their own, of which only the latest
counts. At the end the strongest tones are printed, and drawn if matplotlib is
installed.
"""

import argparse
import threading
import time

import numpy as np
import numpy.typing as npt

import aimdb

Signal = npt.NDArray[np.float64]

RATE = 1000  # samples a second
BLOCK = 100  # samples in a value
WINDOW = 1000  # samples in a spectrum: 1 Hz from line to line
TONES = ((50.0, 1.0), (120.0, 0.5))  # Hz, amplitude


def measure(begin: int) -> Signal:
    """What a converter would give: the tones, and noise."""
    t = np.arange(begin, begin + BLOCK) / RATE
    signal = 0.1 * np.random.default_rng(begin).standard_normal(BLOCK)
    for frequency, amplitude in TONES:
        signal += amplitude * np.sin(2 * np.pi * frequency * t)
    return signal


def draw(path: str, spectrum: Signal) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
    axes.plot(np.fft.rfftfreq(WINDOW, 1 / RATE), spectrum)
    axes.set(xlabel="Hz", ylabel="amplitude")
    figure.savefig(path)
    print(f"drawn to {path}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--picture", default="spectrum.png")
    arguments = parser.parse_args()

    with aimdb.Database() as db:
        signal = db.register("signal", exact_size=BLOCK * 8, type_name="float64")
        spectra = db.register("spectrum", aimdb.Latest(), payload_max=(WINDOW // 2 + 1) * 8)
        window = np.zeros(WINDOW)
        blocks = max(int(arguments.seconds * RATE / BLOCK), WINDOW // BLOCK)
        last = threading.Event()

        @signal.consumer
        def transform(block: bytes, emitter: aimdb.Emitter) -> None:
            window[:-BLOCK] = window[BLOCK:]
            window[-BLOCK:] = np.frombuffer(block)
            weighted = window * np.hanning(WINDOW)
            emitter.emit(spectra, np.abs(np.fft.rfft(weighted)) / WINDOW * 4)
            if transform.stats().delivered == blocks:
                last.set()

        db.start()
        begin = time.monotonic()
        for i in range(blocks):
            time.sleep(max(0.0, begin + (i + 1) * BLOCK / RATE - time.monotonic()))
            signal.produce(measure(i * BLOCK))
        last.wait()  # a close would refuse what the consumer emits

        newest = spectra.peek()
        assert newest is not None
        spectrum = np.frombuffer(newest)
        print(f"{transform.stats().delivered} blocks of {BLOCK} samples")
        inner = spectrum[1:-1]
        peaks = 1 + np.flatnonzero((inner > spectrum[:-2]) & (inner > spectrum[2:]))
        for line in sorted(peaks[np.argsort(spectrum[peaks])[-len(TONES) :]]):
            print(f"{line * RATE / WINDOW:.0f} Hz: {spectrum[line]:.2f}")
        draw(arguments.picture, spectrum)


if __name__ == "__main__":
    main()
