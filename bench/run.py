#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark: every system in every scenario, in turns, several rounds.

Figures go to results.json, tables to RESULTS.md, drawings to docs/bench. Only a
whole run (all scenarios, all systems that are there, at least 5 rounds)
replaces those in the tree; others stay beside the programs. The exit status
tells of systems that did not do what is measured, never of time.
"""

import argparse
import fnmatch
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import report
from systems import RUNS, SYSTEMS, runs_in

TIMEOUT = 120  # seconds for one run of a program
NOT_HERE = 77  # its exit status when the system has no such thing

# Those that are linked in have none.
LIBRARIES = {"aimdb": "libaimdb", "aimdb-cgo": "libaimdb", "zeromq": "libzmq", "nng": "libnng"}


class Failure(Exception):
    """The system did not do what is measured."""


def run(programs, system, scenario):
    """The figures of one round, or None if the system has no such thing."""
    program, environment = SYSTEMS[system]
    environment = {**os.environ, **environment, "BENCH_SYSTEM": system}
    try:
        done = subprocess.run([programs / program, scenario], env=environment, timeout=TIMEOUT,
                              capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"no end after {TIMEOUT} s") from late
    if done.returncode == NOT_HERE:
        return None
    if done.returncode:
        raise Failure(f"{done.stderr.strip()} (status {done.returncode})")
    return done.stdout


def figures(programs, system, scenario):
    if scenario == "library_size":
        return library_size(programs, system)
    if scenario.startswith("pacing_") and system != "c-ring":
        return []  # the same for all
    lines = run(programs, system, scenario)
    return [json.loads(line) for line in (lines or "").splitlines()]


def stripped_size(path):
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfile(path, copy.name)
        subprocess.run(["strip", copy.name], check=True)
        return os.path.getsize(copy.name)


def library_size(programs, system):
    """Of the stripped shared object alone; for what is linked in, what it adds to a program."""
    program = programs / SYSTEMS[system][0]
    if system in LIBRARIES:
        loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        path = next(line.split("=>")[1].split()[0] for line in loaded.splitlines() if LIBRARIES[system] in line)
        size = stripped_size(path)
    elif system in ("tokio", "iceoryx2"):
        size = stripped_size(program) - stripped_size(programs / "nothing")
    else:
        return []
    return [{"scenario": "library_size", "system": system, "metric": "size", "value": size, "unit": "bytes"}]


def progress(text):
    """One line that changes on a terminal; elsewhere a line each time."""
    start, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(start + text, end=end, file=sys.stderr, flush=True)


def measure(programs, systems, scenarios, rounds):
    """All figures, and the failures as {(system, scenario): text}."""
    results, failures = [], {}
    for number in range(1, rounds + 1):
        for scenario in scenarios:
            progress(f"round {number} of {rounds}: {scenario}")
            for system in (s for s in systems if runs_in(s, scenario)):
                try:
                    results += [figure | {"round": number} for figure in figures(programs, system, scenario)]
                except Failure as failure:
                    failures[system, scenario] = str(failure)
                    print(f"{system} failed in {scenario}: {failure}", file=sys.stderr)
    progress("")
    return results, failures


def available(programs, wanted):
    """The systems that are built and work here; says which do not."""
    systems = {}
    for system in wanted:
        if not (programs / SYSTEMS[system][0]).exists():
            print(f"without {system}: it is not built", file=sys.stderr)
            continue
        # Opening a database tells whether its door is there.
        if system == "aimdb" and run(programs, system, "rss_idle") is None:
            print(f"without {system}: this build of the library has no direct door", file=sys.stderr)
            continue
        try:
            systems[system] = run(programs, system, "version").strip()
        except Failure as failure:
            print(f"without {system}: {failure}", file=sys.stderr)
    return systems


def matching(names, wanted, what):
    """The names that one of the patterns means; no pattern means all."""
    patterns = [pattern.removesuffix("_p50").removesuffix("_p99") for pattern in wanted.split()]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            sys.exit(f"there is no {what} {pattern}; there are: {' '.join(names)}")
    return [name for name in names if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()} {platform.machine()}"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--programs", type=Path, required=True, help="where they are built")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--scenarios", default="", help="names or patterns")
    options.add_argument("--systems", default="", help="names or patterns")
    args = options.parse_args()

    scenarios = matching(RUNS, args.scenarios, "scenario")
    systems = available(args.programs, matching(list(SYSTEMS), args.systems, "system"))
    results, failures = measure(args.programs, systems, scenarios, args.rounds)

    whole = args.rounds >= 5 and not args.scenarios and not args.systems and not failures
    place = report.TREE if whole else report.Place(args.programs, args.programs, args.programs)
    title = f"{args.rounds} rounds on {machine()}. " + ", ".join(f"{s} {v}" for s, v in systems.items()) + "."
    report.write(results, place, title)
    for (system, scenario), text in failures.items():
        print(f"FAILED: {system} in {scenario}: {text}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
