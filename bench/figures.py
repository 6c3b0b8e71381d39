# SPDX-License-Identifier: Apache-2.0
"""The drawings. Colours are Okabe and Ito's, which colour-blind people can tell apart."""

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from systems import RATES, SIZES

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.hashsalt": "aimdb",  # the same drawing from the same figures
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "legend.frameon": False,
})

# System -> colour, marker, dashes.
STYLE = {
    "aimdb": ("#D55E00", "o", "-"),
    "aimdb-cgo": ("#E69F00", "o", "--"),
    "c-ring": ("#777777", "x", ":"),
    "c-ring-locked": ("#777777", "+", "--"),
    "condvar": ("#000000", "s", "-"),
    "zeromq": ("#0072B2", "^", "-"),
    "nng": ("#56B4E9", "v", "-"),
    "tokio": ("#009E73", "D", "-"),
    "iceoryx2": ("#CC79A7", "P", "-"),
}


def emphasis(medians, system):
    """How a line of this system is drawn: ours stands out."""
    colour, marker, dashes = STYLE[system]
    ours = system == medians.ours
    return {"color": colour, "marker": marker, "linestyle": "-" if ours else dashes, "label": system,
            "linewidth": 3 if ours else 1.3, "markersize": 7 if ours else 5, "zorder": 3 if ours else 2}


def plain(value, _=None):
    """1000000 -> 1,000,000; 0.5 -> 0.5"""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def log_axis(axis, label, ticks=None, names=None):
    """A logarithmic axis that shows numbers people read."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_label_text(label)
    if ticks:
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, i: names[ticks.index(v)]) if names else FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())


def size_name(size):
    return f"{size} B" if size < 1024 else f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    pyplot.close(figure)


def latency_panel(axes, medians, scenario, title):
    def at(system, percentile):
        return medians(scenario, system, f"p{percentile}") / 1000

    systems = [s for s in medians.systems if medians(scenario, s, "p50") is not None]
    systems.sort(key=lambda s: at(s, 50), reverse=True)
    for y, system in enumerate(systems):
        colour, ours = STYLE[system][0], system == medians.ours
        axes.plot([at(system, 1), at(system, 99)], [y, y], color=colour, linewidth=1.5, zorder=2)
        axes.plot([at(system, 25), at(system, 75)], [y, y], color=colour, linewidth=9 if ours else 6,
                  solid_capstyle="butt", zorder=2)
        axes.plot(at(system, 50), y, "o", color="white", markeredgecolor=colour, markersize=8 if ours else 6, zorder=4)
        axes.plot(at(system, 99), y, "|", color=colour, markersize=13, markeredgewidth=2.5, zorder=3)
        weight = "bold" if ours else "normal"
        axes.annotate(f"{at(system, 50):.1f}", (at(system, 50), y), (0, 8), textcoords="offset points", ha="center",
                      fontsize=8.5, fontweight=weight)
        axes.annotate(f"{at(system, 99):.0f}", (at(system, 99), y), (7, 0), textcoords="offset points", va="center",
                      fontsize=8.5, fontweight=weight, color="#555555")
    axes.set_yticks(range(len(systems)), systems)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == medians.ours else "normal")
    axes.set_ylim(-0.6, len(systems) - 0.3)
    log_axis(axes.xaxis, "µs", [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    axes.grid(axis="x", color="#DDDDDD")
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=10.5)


def latency(medians, path):
    panels = [("wake_20us", "after a pause of 20 µs"), ("wake_1ms", "after a pause of 1 ms")]
    panels = [p for p in panels if any(medians(p[0], s, "p50") is not None for s in medians.systems)]
    if not panels:
        return
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.6 * len(panels), 4.2), squeeze=False, sharex=True,
                                   layout="constrained")
    for a, (scenario, title) in zip(axes[0], panels):
        latency_panel(a, medians, scenario, title)
    figure.suptitle("Wake latency: from before the push to the consumer's first line, the consumer asleep",
                    x=0.01, ha="left", fontweight="bold", fontsize=12)
    figure.supxlabel("○ and number: median   ▬ 25 % to 75 %   ─ 1 % to 99 %   ❙ and grey number: 99 %   "
                     "(medians of the rounds; less is better)", fontsize=9)
    save(figure, path)


def lines(medians, points, path, title, x, y, baseline=None):
    """One line for each system; points(system) gives [(x, y)]."""
    drawn = {s: p for s in medians.systems if (p := points(s))}
    if not drawn:
        return
    figure, axes = pyplot.subplots(figsize=(8.6, 4.8), layout="constrained")
    for system, p in drawn.items():
        axes.plot(*zip(*p), **emphasis(medians, system))
    if baseline:
        axes.plot(*zip(*baseline), color="#999999", linestyle=(0, (1, 2)), linewidth=2, label="pacing alone", zorder=1)
    log_axis(axes.xaxis, *x)
    log_axis(axes.yaxis, *y)
    axes.grid(color="#E4E4E4")
    axes.set_title(title, fontsize=12)
    # The legend in the order of the lines' right ends.
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda i: -handles[i].get_ydata()[-1])
    legend = axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="center left",
                         bbox_to_anchor=(1.01, 0.5))
    for text in legend.get_texts():
        text.set_fontweight("bold" if text.get_text() == medians.ours else "normal")
    save(figure, path)


def throughput(medians, path):
    def points(system):
        return [(size, rate) for size in SIZES
                if (rate := medians(f"throughput_{size}", system, "rate")) is not None]

    lines(medians, points, path, "Throughput without loss, one producer, one consumer (more is better)",
          ("payload", SIZES, [size_name(s) for s in SIZES]), ("MB/s",))


def cpu(medians, path):
    rates = sorted([*RATES, 1000])

    def points(system):
        found = []
        for rate in rates:
            scenario = "cpu_1khz" if rate == 1000 else f"cpu_{rate}"
            used, achieved = medians(scenario, system, "cpu"), medians(scenario, system, "achieved")
            if used is not None:  # a machine too slow for the rate is shown at what it did
                found.append((rate if achieved > 0.95 * rate else achieved, used))
        return found

    pacing = [(rate, used) for rate in rates
              if (used := medians(f"pacing_{rate}", "c-ring", "pacing")) is not None]
    lines(medians, points, path, "CPU time of the whole process for each value (less is better)",
          ("values per second", rates, [f"{rate:,}" for rate in rates]),
          ("µs", [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]), baseline=pacing)


def draw(medians, place):
    place.mkdir(parents=True, exist_ok=True)
    latency(medians, place / "latency.svg")
    throughput(medians, place / "throughput.svg")
    cpu(medians, place / "cpu.svg")
