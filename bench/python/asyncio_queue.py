# SPDX-License-Identifier: Apache-2.0
"""asyncio.Queue, fed from a thread by call_soon_threadsafe."""

import asyncio

import scenario


class AsyncioQueue:
    def asyncio(self, values):
        loop, q = asyncio.get_running_loop(), asyncio.Queue()
        return lambda v: loop.call_soon_threadsafe(q.put_nowait, v), q.get, lambda: None


scenario.main("asyncio-queue", AsyncioQueue())
