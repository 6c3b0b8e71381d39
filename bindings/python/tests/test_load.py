# SPDX-License-Identifier: Apache-2.0
import itertools

import aimdb
from conftest import TIMEOUT, balanced, number_of

TOTAL = 1_000_000


class Account:
    """What a consumer has seen, by the numbers in the values."""

    def __init__(self):
        self.next = self.received = self.lost = self.wrong = 0

    def value(self, data):
        if number_of(data) != self.next:
            self.wrong += 1
        self.next += 1
        self.received += 1

    def lag(self, count):
        self.next += count
        self.lost += count


def test_load_of_three_consumers_and_a_million_values_has_exact_accounts():
    with aimdb.Database(close_timeout=TIMEOUT) as db:
        record = db.register("a", aimdb.Ring(2048), payload_max=8)
        accounts = [Account() for _ in range(3)]
        consumers = [record.consumer(a.value, on_lag=a.lag) for a in accounts]
        db.start()
        numbers = iter(range(TOTAL))
        while chunk := [i.to_bytes(8, "little") for i in itertools.islice(numbers, 1000)]:
            record.produce_many(chunk)
        assert db.close(TIMEOUT) is aimdb.CloseResult.DELIVERED
    for account, consumer in zip(accounts, consumers):
        stats = consumer.stats()
        assert balanced(stats)
        assert account.wrong == 0
        assert account.next == TOTAL == stats.offered
        assert (account.received, account.lost) == (stats.delivered, stats.lagged)
