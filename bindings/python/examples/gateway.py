# SPDX-License-Identifier: Apache-2.0
"""A gateway fed by the machine it runs on, in one event loop:

    telemetry  ring      CPU, memory, network from /proc; its producer function
                         validates, and emits to alerts
    alerts     ring      thresholds crossed
    config     latest    a file of JSON, read again when it changes
    commands   mailbox   lines on stdin: rate N, pause, resume, stop
    events     ring      what happened, written as JSON lines

and an uplink that is slow on purpose: it lags, and disturbs nobody. At the end
the accounts of the library are compared with what the consumers counted.

    python gateway.py [--seconds 10] [--rate 200] [--events FILE] [--config FILE]
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Optional, TextIO, Union

import aimdb


@dataclass
class Telemetry:
    number: int
    time: float
    cpu_percent: float
    memory_percent: float
    received_bytes: int
    sent_bytes: int


@dataclass
class Alert:
    number: int
    telemetry: int
    percent: float
    limit: float
    what: Annotated[str, "8s"]


@dataclass
class Settings:
    number: int = 0
    cpu_alert_percent: float = 90.0
    memory_alert_percent: float = 90.0


@dataclass
class Tally:
    """What a consumer counts by itself, from the numbers in the values."""

    received: int = 0
    told: int = 0
    untold: int = 0  # told, and the number after the gap not yet seen
    last: int = 0
    wrong: int = 0  # numbers missed and not told, or told and not missed
    ordered: bool = True

    def take(self, number: int) -> None:
        self.received += 1
        gap = number - self.last - 1
        if gap != self.untold and (self.ordered or gap < 0):
            self.wrong += 1
        self.last, self.untold = number, 0

    def lag(self, count: int) -> None:
        self.told += count
        self.untold += count


class Machine:
    """This machine's own figures."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._all = self._idle = 0
        self._cpu = 0.0

    def sample(self) -> Telemetry:
        received, sent = self._network()
        return Telemetry(
            next(self._numbers), time.time(), self._load(), self._memory(), received, sent
        )

    def _load(self) -> float:
        """Over at least 20 ticks of the kernel's 10 ms."""
        ticks = [int(t) for t in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        busy, idle = sum(ticks) - self._all, ticks[3] + ticks[4] - self._idle
        if busy >= 20:
            self._cpu = min(max(100 * (1 - idle / busy), 0), 100) if self._all else 0.0
            self._all, self._idle = sum(ticks), ticks[3] + ticks[4]
        return self._cpu

    @staticmethod
    def _memory() -> float:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return 100 * (1 - free / total)

    @staticmethod
    def _network() -> tuple[int, int]:
        fields = [
            line.split(":")[1].split()
            for line in Path("/proc/net/dev").read_text().splitlines()
            if ":" in line
        ]
        return sum(int(f[0]) for f in fields), sum(int(f[8]) for f in fields)


Subscription = Union["aimdb.Consumer[Any]", "aimdb.AsyncReader[Any]"]


@dataclass
class Gateway:
    rate: float
    events_file: Optional[TextIO] = None
    paused: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tallies: dict[str, Tally] = field(default_factory=dict)
    consumers: dict[str, Subscription] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db = aimdb.Database(log_level="error")
        self.telemetry = self.db.register("telemetry", aimdb.Ring(2048), codec=Telemetry)
        self.alerts = self.db.register("alerts", aimdb.Ring(256), codec=Alert)
        self.config = self.db.register("config", aimdb.Latest(), codec=Settings)
        self.commands = self.db.register("commands", aimdb.Mailbox())
        self.events = self.db.register("events", aimdb.Ring(256), codec=aimdb.Json())
        self.above: dict[str, bool] = {}
        self.alert_numbers, self.event_numbers = itertools.count(1), itertools.count(1)
        self.one_at_a_time = threading.Lock()  # events are told by several threads

        self.telemetry.producer(self.validate)
        self.consume("statistics", self.telemetry, lambda t: None)
        self.consume("uplink", self.telemetry, lambda t: time.sleep(0.1))
        self.consume("alerter", self.alerts, self.raise_alert)
        self.consume("applier", self.config, lambda s: self.tell(f"settings: {asdict(s)}"))
        self.consume("journal", self.events, self.write_event)
        self.tallies["applier"].ordered = False  # a latest value skips without a word
        self.db.start()

    def consume(self, name: str, record: "aimdb.Record[Any]", act: Any) -> None:
        tally = self.tallies[name] = Tally()

        def consumer(value: Any) -> None:
            tally.take(value["number"] if isinstance(value, dict) else value.number)
            act(value)

        self.consumers[name] = record.consumer(consumer, on_lag=tally.lag)

    def validate(self, t: Telemetry, emitter: aimdb.Emitter) -> Any:
        if not (0 <= t.cpu_percent <= 100 and 0 <= t.memory_percent <= 100):
            return aimdb.REJECT
        settings = self.config.peek() or Settings()
        limits = {
            "CPU": (t.cpu_percent, settings.cpu_alert_percent),
            "memory": (t.memory_percent, settings.memory_alert_percent),
        }
        for what, (percent, limit) in limits.items():
            if percent > limit and not self.above.get(what):
                alert = Alert(next(self.alert_numbers), t.number, percent, limit, what)
                emitter.emit(self.alerts, alert)
            self.above[what] = percent > limit
        return None

    def raise_alert(self, alert: Alert) -> None:
        self.tell(f"{alert.what} at {alert.percent:.1f} %, over {alert.limit:.1f} %")

    def tell(self, text: str) -> None:
        with self.one_at_a_time:
            try:
                event = {
                    "number": next(self.event_numbers),
                    "time": time.time(),
                    "text": text[:120],
                }
                self.events.produce(event)
            except aimdb.Closed:
                pass  # it is the end, which takes nothing more

    def write_event(self, event: dict[str, Any]) -> None:
        if self.events_file:
            print(json.dumps(event), file=self.events_file, flush=True)

    async def sample(self) -> None:
        machine, due = Machine(), time.monotonic()
        while True:
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            await asyncio.sleep(max(due - time.monotonic(), 0))
            if not self.paused:
                self.telemetry.produce(machine.sample())

    async def operate(self) -> None:
        """Commands are awaited, as everything in the loop."""
        async with self.commands.subscribe_async() as reader:
            async for line in reader:
                self.obey(line.decode(errors="replace").split())

    def obey(self, words: list[str]) -> None:
        if len(words) == 2 and words[0] == "rate" and words[1].isdigit() and int(words[1]):
            self.rate = min(float(words[1]), 10_000)
        elif words in (["pause"], ["resume"]):
            self.paused = words == ["pause"]
        elif words == ["stop"]:
            self.stop.set()
        else:
            self.tell(f"command not understood: {' '.join(words)}")
            return
        self.tell(f"command: {' '.join(words)}")

    async def read_lines(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.commands.produce(line[:256].strip())

    async def follow(self, path: Path) -> None:
        """The configuration file, when it changes."""
        numbers, seen = itertools.count(1), 0
        while True:
            if path.exists() and (now := path.stat().st_mtime_ns) != seen:
                seen = now
                try:
                    self.config.produce(Settings(next(numbers), **json.loads(path.read_text())))
                except (ValueError, TypeError) as error:
                    self.tell(f"settings refused: {error}")
            await asyncio.sleep(0.25)

    def rows(self) -> Iterator[tuple[str, ...]]:
        yield ("CONSUMER", "DELIVERED", "LAGGED", "SKIPPED", "PENDING", "FAILURES")
        for name, consumer in self.consumers.items():
            s = consumer.stats()
            counts = (s.delivered, s.lagged, s.skipped, s.pending, s.failures)
            yield (name, *map(str, counts))

    async def show(self) -> None:
        try:
            from rich.live import Live
            from rich.table import Table
        except ImportError:
            while True:
                await asyncio.sleep(1)
                print(" | ".join(" ".join(row) for row in self.rows()))
        with Live() as live:
            while True:
                head, *rows = self.rows()
                table = Table(*head)
                for row in rows:
                    table.add_row(*row)
                live.update(table)
                await asyncio.sleep(0.25)

    async def run(self, seconds: float, config: Optional[Path]) -> None:
        tasks = [self.sample(), self.operate(), self.show()]
        if config:
            tasks.append(self.follow(config))
        if not os.isatty(0) or os.getpgrp() == os.tcgetpgrp(0):  # not in the background
            tasks.append(self.read_lines())
        running = [asyncio.ensure_future(task) for task in tasks]
        stopping = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait(
            [*running[:2], stopping], timeout=seconds or None, return_when="FIRST_COMPLETED"
        )
        for task in [*running, stopping]:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
        failures = [r for r in results if isinstance(r, Exception)]
        await asyncio.to_thread(self.db.close, 2)
        if failures:
            raise failures[0]

    def accounts_agree(self) -> bool:
        """The library's account of each consumer is what the consumer counted."""
        agree = True
        for name, consumer in self.consumers.items():
            s, t = consumer.stats(), self.tallies[name]
            # A loss that the close cut off from being told is counted all the same.
            told = t.told == s.lagged or (s.abandoned > 0 and t.told < s.lagged)
            exact = told and (s.delivered, s.pending, t.wrong) == (t.received, 0, 0)
            print(f"{name:<12} {'exact' if exact else 'WRONG'}  {s}")
            agree = agree and exact
        return agree


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10, help="0: until stopped")
    parser.add_argument("--rate", type=float, default=200, help="telemetry values a second")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--events", type=argparse.FileType("w"))
    arguments = parser.parse_args()

    async def run() -> Gateway:
        gateway = Gateway(arguments.rate, arguments.events)
        await gateway.run(arguments.seconds, arguments.config)
        return gateway

    try:
        gateway = asyncio.run(run())
    except KeyboardInterrupt:
        return 130
    agree = gateway.accounts_agree()
    gateway.db.destroy()
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
