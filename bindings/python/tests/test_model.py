# SPDX-License-Identifier: Apache-2.0
"""Random sequences of operations against a model of each buffer."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

import aimdb
from conftest import balanced, number


class Model(RuleBasedStateMachine):
    """One record; a reader of the model knows what is still to come."""

    buffer = aimdb.Ring(4)
    readers = Bundle("readers")

    def __init__(self):
        super().__init__()
        self.db = aimdb.Database()
        self.record = self.db.register("a", self.buffer)
        self.seen = []
        self.consumer = self.record.consumer(self.seen.append)
        self.produced = 0
        self.state = "created"
        self.models = []

    def teardown(self):
        if self.state == "running":
            self.db.close()
        self.db.destroy()
        assert balanced(self.consumer.stats())
        assert self.consumer.stats().delivered == len(self.seen)
        assert self.seen == sorted(self.seen)

    @rule()
    def start(self):
        if self.state == "created":
            self.db.start()
            self.state = "running"
        else:
            with pytest.raises(aimdb.StateError):
                self.db.start()

    @rule(count=st.integers(0, 7), many=st.booleans())
    def produce(self, count, many):
        values = [number(self.produced + i) for i in range(count)]
        if self.state != "running":
            refusal = aimdb.StateError if self.state == "created" else aimdb.Closed
            with pytest.raises(refusal):
                self.record.produce(b"v")
            return
        if many:
            assert self.record.produce_many(values) == count
        else:
            for value in values:
                self.record.produce(value)
        self.produced += count
        for model in self.models:
            model.push(values)

    @rule(target=readers)
    def subscribe(self):
        if self.state == "closed":
            with pytest.raises(aimdb.Closed):
                self.record.subscribe()
            return None
        model = self.reader_model()
        model.reader = self.record.subscribe()
        self.models.append(model)
        return model

    @rule(model=readers, most=st.integers(1, 6))
    def get_many(self, model, most):
        if model is None:
            return
        expected = model.take(most)
        if isinstance(expected, int):
            with pytest.raises(aimdb.Lagged) as caught:
                model.reader.get_many(most, timeout=0)
            assert caught.value.count == expected
        elif expected:
            if most == 1:
                assert [model.reader.get_nowait()] == expected
            else:
                assert model.reader.get_many(most, timeout=0) == expected
        else:
            with pytest.raises(aimdb.Closed if self.state == "closed" else aimdb.Empty):
                model.reader.get_nowait()

    @rule(model=readers)
    def look(self, model):
        if model is not None:
            stats = model.reader.stats()
            assert balanced(stats)
            assert (stats.delivered, stats.lagged, stats.skipped) == model.counts()
        assert self.record.stats().produced == self.produced

    @rule(model=consumes(readers))
    def end(self, model):
        if model is not None:
            stats = model.reader.close()
            assert balanced(stats)
            assert stats.pending == 0
            self.models.remove(model)

    @rule()
    def close(self):
        if self.state == "running":
            assert self.db.close() is aimdb.CloseResult.DELIVERED
            self.state = "closed"

    def reader_model(self):
        return RingModel(self.buffer.capacity)


class RingModel:
    def __init__(self, capacity):
        self.capacity, self.held, self.delivered, self.told = capacity, [], 0, 0

    def push(self, values):
        self.held += values

    def lost(self):
        return max(0, len(self.held) - self.capacity)

    def take(self, most):
        lost = self.lost()
        if lost:
            del self.held[:lost]
            self.told += lost
            return lost
        taken, self.held = self.held[:most], self.held[most:]
        self.delivered += len(taken)
        return taken

    def counts(self):
        return self.delivered, self.told + self.lost(), 0


class LatestModel:
    def __init__(self, current):
        self.newest, self.delivered, self.skipped = current, 0, 0

    def push(self, values):
        if values:
            self.skipped += len(values) - 1 + (self.newest is not None)
            self.newest = values[-1]

    def take(self, _most):
        taken, self.newest = self.newest, None
        if taken is None:
            return []
        self.delivered += 1
        return [taken]

    def counts(self):
        return self.delivered, 0, self.skipped


class LatestMachine(Model):
    buffer = aimdb.Latest()

    def reader_model(self):
        return LatestModel(number(self.produced - 1) if self.produced else None)

    @rule()
    def peek(self):
        assert self.record.peek() == (number(self.produced - 1) if self.produced else None)


TestRingModel = Model.TestCase
TestLatestModel = LatestMachine.TestCase
TestRingModel.settings = TestLatestModel.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
