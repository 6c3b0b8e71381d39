# SPDX-License-Identifier: Apache-2.0
"""The conformance suite with faults on purpose: run.py PROGRAM [--seconds N] [--all]
[--seed N] [--jobs N] [part of a test's name ...].

First each test runs without a fault, which counts the calls that can fail. Then it
runs again for each of them, in a process of its own: that call fails, or all from
that one on until a function has answered for it. Sleeps and locks fail time and
again through a whole run, in each way that the kernel knows.
"""

import argparse
import errno
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

MEMORY, MAP, THREAD, DESCRIPTOR, SLEEP, LOCK = range(6)  # inject_kind_t

# What is taken, and how the call fails.
TAKES = {MEMORY: errno.ENOMEM, MAP: errno.ENOMEM, THREAD: errno.EAGAIN, DESCRIPTOR: errno.EMFILE}
# What waits, each how many calls fail, and how; 0: returns without a cause.
WAITS = {
    SLEEP: (3, [0, errno.EINTR, errno.EAGAIN, errno.ENOMEM]),
    LOCK: (2, [errno.EAGAIN, errno.EDEADLK, errno.ENOMEM, errno.ESRCH]),
}
UNTIL_ANSWERED = 100
MANY, FEW, LONG = 200, 24, 60  # calls; seconds for those of one kind, if they are many
WATCHDOG = "300"  # seconds; some tests look without sleeping, slow on a busy machine
PART = "20"  # of the rounds of tests that go round by the thousand, as they run hundreds of times
FOR_EVER = 1 << 62

# Options and environment.
COLUMNS = {
    "dedicated": ([], {}),
    "shared": (["--shared"], {}),
    "cgo": ([], {"AIMDB_DOOR": "cgo"}),
    "no pi": (["--no-pi"], {}),
}

# What the kernel does not answer to a wait as it should be: said on the log, once.
REFUSALS = (errno.ENOMEM, errno.EDEADLK)
# Of no use here: a refusal for a fault is one more.
UNFIT = {"error_text_is_of_the_last_refusal_on_the_calling_thread"}

SUMMARY = re.compile(
    r"# failed (\d+) at (.*); answers (\d+); held ([-\d,]+); "
    r"calls ([\d ]+); of them to start ([\d ]+)$",
    re.M,
)


@dataclass
class Case:
    test: str
    column: str
    faults: str = ""
    held: str = ""

    def environment(self):
        changed = {"AIMDB_TEST_WATCHDOG": WATCHDOG, "AIMDB_TEST_PART": PART}
        changed.update(COLUMNS[self.column][1])
        if self.faults:
            changed["AIMDB_INJECT"] = self.faults
        if self.held:
            changed["AIMDB_INJECT_HELD"] = self.held
        return changed

    def command(self, program):
        return [program, *COLUMNS[self.column][0], "=" + self.test]


@dataclass
class Outcome:
    case: Case
    good: bool
    text: str
    seconds: float
    failed: int = 0
    where: str = ""
    answers: int = 0
    held: str = ""
    calls: tuple = ()
    start: tuple = ()


class Runner:
    def __init__(self, program, jobs):
        self.program = os.path.abspath(program)
        self.jobs = jobs

    def names(self):
        listed = subprocess.run(
            [self.program, "--list"], capture_output=True, text=True, check=True
        )
        lines = listed.stdout.splitlines()
        return [line for line in lines if line not in UNFIT and not line.startswith("#")]

    def run(self, case):
        begun = time.monotonic()
        done = subprocess.run(
            case.command(self.program),
            env={**os.environ, **case.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        outcome = Outcome(case, done.returncode == 0, done.stdout, time.monotonic() - begun)
        summary = SUMMARY.search(done.stdout)
        if not summary:
            outcome.good = False
            outcome.text += f"# ended with {done.returncode}, without a summary\n"
            return outcome
        outcome.failed, outcome.where = int(summary[1]), summary[2]
        outcome.answers, outcome.held = int(summary[3]), summary[4]
        outcome.calls = tuple(map(int, summary[5].split()))
        outcome.start = tuple(map(int, summary[6].split()))
        return outcome

    def run_all(self, cases):
        with ThreadPoolExecutor(self.jobs) as pool:
            for outcome in pool.map(self.run, cases):
                if not outcome.good:
                    report(self.program, outcome)
                yield outcome


def report(program, outcome):
    settings = " ".join(f"{k}={v}" for k, v in outcome.case.environment().items())
    print(f"NOT RIGHT: env {settings} {' '.join(outcome.case.command(program))}")
    lines = outcome.text.splitlines()
    shown = lines if len(lines) <= 30 else [*lines[:25], "...", *lines[-5:]]  # Go's can be long
    print("".join("    " + line + "\n" for line in shown), flush=True)


def calls(first, last, seconds):
    """Which calls fail: each, and two more, as what follows a fault may make one that
    was not counted. Tests that go round by the thousand make the same calls each time:
    of theirs the first, and some on the way to the last, the fewer the longer a run."""
    many = max(FEW, min(MANY, int(LONG / seconds)))
    if last - first <= many:
        return range(first + 1, last + 3 if last > first else first + 1)
    middle = first + many // 2
    return [*range(first + 1, middle), *range(middle, last + 3, 2 * (last - first) // many)]


def cases_of(dry, with_start):
    """All faults for a test, from its run without one; those of starting the library,
    which are the same for all tests, for one of them."""
    test, column, held = dry.case.test, dry.case.column, dry.held
    for kind, error in TAKES.items():
        for nth in calls(0 if with_start else dry.start[kind], dry.calls[kind], dry.seconds):
            for times in (1, UNTIL_ANSWERED):
                yield Case(test, column, f"{kind}:{nth}:1:{times}:{error}", held)
    for kind, (every, errors) in WAITS.items():
        for error in errors:
            if test.startswith("logging_") and error in REFUSALS:
                continue
            yield Case(test, column, f"{kind}:1:{every}:{FOR_EVER}:{error}", held)


def sample(cases, seconds, each, dice):
    """As many as the time allows, at even distances."""
    count = max(1, int(seconds / max(each, 0.001)))
    if count >= len(cases):
        return cases
    first, step = dice.random(), len(cases) / count
    return [cases[int((i + first) * step)] for i in range(count)]


def say(outcomes):
    places = {}
    for outcome in outcomes:
        if outcome.failed:
            count, answered = places.get(outcome.where, (0, 0))
            places[outcome.where] = (count + 1, answered + (outcome.answers > 0))
    for where, (count, answered) in sorted(places.items()):
        print(f"  {where:24} failed in {count:5} runs, answered for in {answered}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=40, help="about so long (default 40)")
    parser.add_argument("--all", action="store_true", help="each fault, in each column")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=2 * os.cpu_count(), help="most runs sleep")
    given = parser.parse_intermixed_args()
    seed = given.seed if given.seed is not None else random.randrange(1 << 32)
    print(f"fault injection: seed {seed}", flush=True)
    dice = random.Random(seed)
    runner = Runner(given.program, given.jobs)

    tests = [t for t in runner.names() if not given.names or any(n in t for n in given.names)]
    every_column = list(COLUMNS)
    dry_cases = [
        Case(test, column)
        for test in tests
        for column in (every_column if given.all else [dice.choice(every_column)])
    ]
    dry = list(runner.run_all(dry_cases))
    cases, started = [], set()
    share = given.seconds * given.jobs / max(len(dry), 1)
    for outcome in dry:
        if outcome.good:
            of_test = list(cases_of(outcome, outcome.case.column not in started))
            started.add(outcome.case.column)
            cases += of_test if given.all else sample(of_test, share, outcome.seconds, dice)
    dice.shuffle(cases)
    print(f"{len(tests)} tests, {len(cases)} runs to come", flush=True)
    outcomes = []
    for outcome in runner.run_all(cases):
        outcomes.append(outcome)
        if len(outcomes) % 2000 == 0:
            print(f"{len(outcomes)} runs", flush=True)

    say(outcomes)
    bad = sum(not o.good for o in dry + outcomes)
    hit = sum(o.failed > 0 for o in outcomes)
    print(f"{len(tests)} tests, {len(outcomes)} runs, {hit} with a fault, {bad} not right")
    return 1 if bad or not hit else 0


if __name__ == "__main__":
    sys.exit(main())
