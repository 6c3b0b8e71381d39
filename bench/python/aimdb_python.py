# SPDX-License-Identifier: Apache-2.0
"""This package."""

import aimdb
import scenario


class AimDB:
    def _record(self, values):
        self.db = aimdb.Database()
        ring = aimdb.Ring(values)  # as the queues, it holds what a slow consumer has not taken
        return self.db.register("bench", ring, payload_max=scenario.SIZE)

    def _close(self):
        self.db.close()
        self.db.destroy()

    def cross_thread(self, function, values):
        record = self._record(values)
        record.consumer(function)
        self.db.start()
        return record.produce, self._close

    def batch(self, values):
        record = self._record(values)
        reader = record.subscribe()
        self.db.start()
        return record.produce_many, reader.get_many, self._close

    def asyncio(self, values):
        record = self._record(values)
        reader = record.subscribe_async()
        self.db.start()
        return record.produce, reader.get, self._close


scenario.main("aimdb-python", AimDB())
