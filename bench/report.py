#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables and drawings from results.json. Run alone, it repeats the last whole run's."""

import json
import statistics
import sys
from collections import defaultdict, namedtuple
from pathlib import Path

from tabulate import tabulate

import figures
from systems import OURS, SYSTEMS, TABLE, TARGETS, main_metric

Place = namedtuple("Place", "results tables drawings")
_bench = Path(__file__).resolve().parent
TREE = Place(_bench, _bench, _bench.parent / "docs" / "bench")


class Medians:
    """Of each figure over the rounds."""

    def __init__(self, results):
        values = defaultdict(list)
        for r in results:
            values[r["scenario"], r["system"], r["metric"]].append(r["value"])
        self._rounds = values
        self._medians = {key: statistics.median(v) for key, v in values.items()}
        self._units = {(r["scenario"], r["metric"]): r["unit"] for r in results}
        measured = {r["system"] for r in results}
        self.systems = [s for s in SYSTEMS if s in measured]
        # What the others are compared with: aimdb-cgo where there is no direct door.
        self.ours = next((s for s in (OURS, "aimdb-cgo") if s in self.systems), None)

    def __call__(self, scenario, system, metric=None):
        return self._medians.get((scenario, system, metric or main_metric(scenario)))

    def unit(self, scenario, metric=None):
        return self._units.get((scenario, metric or main_metric(scenario)))

    def spread(self, scenario, system):
        """(Largest - smallest) / median of the rounds."""
        values = self._rounds.get((scenario, system, main_metric(scenario)))
        middle = self(scenario, system)
        return (max(values) - min(values)) / middle if values and middle else None

    def ratio(self, scenario, system, to, metric=None):
        one, other = self(scenario, system, metric), self(scenario, to, metric)
        return one / other if one is not None and other else None


def short(number):
    """Three digits, which is more than the figures are good for."""
    if number is None:
        return ""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def rows(medians):
    return [s for s in TABLE if any(medians(s, system) is not None for system in medians.systems)]


def medians_table(medians, style):
    body = [[s, medians.unit(s), *(short(medians(s, system)) for system in medians.systems)] for s in rows(medians)]
    return tabulate(body, ["median of", "unit", *medians.systems], tablefmt=style, disable_numparse=True,
                    colalign=["left", "left", *["right"] * len(medians.systems)])


def ratios_table(medians, style):
    others = [system for system in medians.systems if system != medians.ours]
    body = []
    for s in rows(medians):
        spread = medians.spread(s, medians.ours)
        body.append([s, *(short(medians.ratio(s, system, medians.ours)) for system in others),
                     "" if spread is None else f"{spread:.0%}"])
    return tabulate(body, [f"times {medians.ours}'s", *others, f"spread of {medians.ours}"], tablefmt=style,
                    disable_numparse=True, colalign=["left", *["right"] * (len(others) + 1)])


def target_row(medians, scenario, metric, limit, against):
    name = scenario if metric == main_metric(scenario) else f"{metric}, {scenario}"
    unit = medians.unit(scenario, metric) or ""
    if against:
        value = medians.ratio(scenario, medians.ours, against, metric)
        at_most, found = f"{limit:g} × {against}", value is not None and f"{value:.2f} ×"
    else:
        value = medians(scenario, medians.ours, metric)
        at_most, found = f"{short(limit)} {unit}", value is not None and f"{short(value)} {unit}"
    return value is not None and [name, at_most, found, "met" if value <= limit else "missed"]


def targets_table(medians, style):
    body = [row for target in TARGETS if (row := target_row(medians, *target))]
    return tabulate(body, ["scenario", "at most", "found", ""], tablefmt=style, disable_numparse=True)


def losses(medians):
    """Where others are better: a line for each scenario."""
    lines = []
    for s in rows(medians):
        mine = medians(s, medians.ours)
        better = [(medians.ratio(s, o, medians.ours), o) for o in medians.systems
                  if mine and o != medians.ours and (medians(s, o) or mine) < mine]
        if better:
            lines.append(f"- `{s}`: " + ", ".join(f"{o} {r:.2f} ×" for r, o in sorted(better)))
    return lines


def cautions(medians):
    """Figures that are not quite what their scenario says."""
    checks = [("wake_20us", "slept", 0.95, "only {:.1%} of {}'s samples were real sleeps"),
              ("wake_1ms", "slept", 0.95, "only {:.1%} of {}'s samples were real sleeps"),
              *((f"cpu_{rate}", "delivered", 0.999, "only {:.1%} of {}'s values arrived")
                for rate in ("100", "1khz", "10000", "100000"))]
    return [f"- `{scenario}`: " + text.format(share, system)
            for scenario, metric, least, text in checks for system in medians.systems
            if (share := medians(scenario, system, metric)) is not None and share < least]


def markdown(medians, title):
    lines = ["<!-- Written by bench/run.py. -->", "# Results", "", title, "",
             "What each scenario is: [README.md](README.md). Less is better in every row.", "",
             "## Medians", "", medians_table(medians, "github"), ""]
    if not medians.ours:
        return "\n".join(lines)
    lines += ["## Ratios", "",
             f"Under 1: better than {medians.ours}. Spread: (largest - smallest) / median of the rounds.", "",
             ratios_table(medians, "github"), "",
             "## Targets", "", targets_table(medians, "github"), "",
             "## Where we lose", "", f"Rivals' medians as multiples of {medians.ours}'s:", "", *losses(medians), ""]
    if found := cautions(medians):
        lines += ["## To be read with care", "", *found, ""]
    return "\n".join(lines)


def show(medians):
    print(medians_table(medians, "simple"), "\n")
    if not medians.ours:
        return
    print(ratios_table(medians, "simple"), "\n")
    print(targets_table(medians, "simple"), "\n")
    print("\n".join(["Where we lose:", *losses(medians), *cautions(medians)]), "\n")


def write(results, place, title=None):
    medians = Medians(results)
    show(medians)
    if title:
        place.drawings.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in results)
        (place.results / "results.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        (place.tables / "RESULTS.md").write_text(markdown(medians, title), encoding="utf-8")
    figures.draw(medians, place.drawings)
    print(f"written: {place.results}/results.json, {place.tables}/RESULTS.md, {place.drawings}/*.svg")


if __name__ == "__main__":
    if not (TREE.results / "results.json").exists():
        sys.exit("there is no bench/results.json yet: make bench")
    write(json.loads((TREE.results / "results.json").read_text(encoding="utf-8")), TREE)
