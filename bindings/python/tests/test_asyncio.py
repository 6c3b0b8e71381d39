# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number


@pytest.fixture
def record(db):
    """Of a database that runs."""
    made = db.register("values", aimdb.Ring(20_000))
    db.start()
    return made


def run(main):
    return asyncio.run(asyncio.wait_for(main, TIMEOUT))


def test_asyncio_async_for_gives_every_value_in_order_and_ends_with_the_database(db, record):
    values = [number(i) for i in range(10_000)]

    def produce():
        for value in values[:5_000]:
            record.produce(value)
        record.produce_many(values[5_000:])
        db.close(TIMEOUT)

    async def main():
        reader = record.subscribe()  # a reader works with async for as it is
        thread = threading.Thread(target=produce)
        thread.start()
        got = [value async for value in reader]
        thread.join()
        with pytest.raises(aimdb.Closed):
            await reader.aio.get()
        return got

    assert run(main()) == values


def test_asyncio_needs_no_thread_and_one_descriptor(record):
    async def main():
        before = threading.active_count()
        readers = [record.subscribe_async() for _ in range(10)]
        waiting = [asyncio.ensure_future(reader.get()) for reader in readers]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        record.produce(b"v")
        assert await asyncio.gather(*waiting) == [b"v"] * 10
        for reader in readers:
            reader.close()

    run(main())


def test_asyncio_wakes_the_loop_once_for_many_values(record):
    async def main():
        reader = record.subscribe_async()
        wakes, on_readable = [], reader._on_readable
        reader._on_readable = lambda: (wakes.append(1), on_readable())
        waiting = asyncio.ensure_future(reader.get_many())
        await asyncio.sleep(0)
        record.produce_many([number(i) for i in range(500)])
        assert len(await waiting) == 500
        assert sum(wakes) == 1
        for i in range(500):  # and it is not woken for what nobody waits for
            record.produce(number(i))
            await asyncio.sleep(0)
        assert sum(wakes) <= 3
        assert len(await reader.get_many(300)) == 300
        assert len(await reader.get_many()) == 200
        reader.close()

    run(main())


def test_asyncio_several_tasks_share_a_reader_each_value_goes_to_one(db, record):
    async def main():
        reader, taken = record.subscribe_async(), []

        async def take():
            async for value in reader:
                taken.append(value)
                await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(take()) for _ in range(5)]
        await asyncio.sleep(0)
        for i in range(1000):
            record.produce(number(i))
            if i % 10 == 0:
                await asyncio.sleep(0)
        threading.Thread(target=db.close).start()
        await asyncio.gather(*tasks)
        return taken

    assert sorted(run(main())) == sorted(number(i) for i in range(1000))


def test_asyncio_a_task_that_is_cancelled_loses_no_value_and_no_wake(record):
    async def main():
        reader = record.subscribe_async()
        for i in range(100):
            gone = asyncio.ensure_future(reader.get())
            stays = asyncio.ensure_future(reader.get())
            await asyncio.sleep(0)
            record.produce(number(i))
            if i % 2:
                await asyncio.sleep(0)  # it may be its turn already
            gone.cancel()
            try:
                got = [await gone]
            except asyncio.CancelledError:
                got = []
            if got:  # it had the value before it was cancelled
                stays.cancel()
            else:
                got = [await stays]
            assert got == [number(i)]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.get(), 0.01)
        record.produce(b"after")
        assert await reader.get() == b"after"
        reader.close()

    run(main())


def test_asyncio_lag_comes_in_its_place(db):
    record = db.register("a", aimdb.Ring(4))
    db.start()

    async def main():
        async with record.subscribe_async() as reader:
            record.produce_many([number(i) for i in range(3)])
            assert await reader.get() == number(0)
            record.produce_many([number(i) for i in range(3, 10)])
            assert [await reader.get(), await reader.get()] == [number(1), number(2)]
            with pytest.raises(aimdb.Lagged) as caught:
                await reader.get()
            assert caught.value.count == 3
            assert await reader.get_many() == [number(i) for i in range(6, 10)]
            assert balanced(reader.stats())

    run(main())


def test_asyncio_values_taken_ahead_are_pending_then_abandoned(record):
    async def main():
        reader = record.subscribe_async()
        record.produce_many([b"v"] * 10)
        await reader.get()
        stats = reader.stats()
        assert (stats.delivered, stats.pending) == (1, 9)
        last = reader.close()
        assert (last.delivered, last.pending, last.abandoned) == (1, 0, 9)
        with pytest.raises(aimdb.Closed):
            reader.get_nowait()

    run(main())


def test_asyncio_get_nowait(record):
    async def main():
        reader = record.subscribe_async()
        with pytest.raises(aimdb.Empty):
            reader.get_nowait()
        record.produce(b"v")
        assert reader.get_nowait() == b"v"
        reader.close()

    run(main())


@pytest.mark.parametrize("by", ["a task", "another thread", "the database"])
def test_asyncio_tasks_that_wait_are_told_when_the_reader_ends(db, record, by):
    async def main():
        reader = record.subscribe_async()
        waiting = [asyncio.ensure_future(reader.get()) for _ in range(3)]
        await asyncio.sleep(0)
        if by == "a task":
            reader.close()
        else:
            end = reader.close if by == "another thread" else db.close
            threading.Thread(target=end).start()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, aimdb.Closed)

    run(main())


def test_asyncio_latest_is_never_taken_ahead(db):
    record = db.register("a", aimdb.Latest())
    db.start()

    async def main():
        reader = record.subscribe_async()
        record.produce(b"1")
        assert await reader.get() == b"1"
        record.produce(b"2")
        record.produce(b"3")
        assert await reader.get() == b"3"
        reader.close()

    run(main())


def test_asyncio_reader_belongs_to_one_loop(record):
    reader = record.subscribe_async()

    async def wait_a_little():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.get(), 0.01)

    async def use_it():
        with pytest.raises(aimdb.StateError, match="another event loop"):
            await reader.get()

    asyncio.run(wait_a_little())
    asyncio.run(use_it())
    reader.close()


def test_asyncio_produce_from_the_loop_itself(record):
    async def main():
        reader, got = record.subscribe_async(), []

        async def take():
            async for value in reader:
                got.append(value)
                if len(got) == 3:
                    return

        task = asyncio.ensure_future(take())
        for i in range(3):
            record.produce(number(i))
            await asyncio.sleep(0)
        await task
        reader.close()
        return got

    assert run(main()) == [number(i) for i in range(3)]
