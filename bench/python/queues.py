# SPDX-License-Identifier: Apache-2.0
"""The queues of the module queue: queues.py Queue|SimpleQueue SCENARIO."""

import queue
import sys
import threading

import scenario

_END = object()


class Queue:
    def __init__(self, kind):
        self.kind = kind

    def cross_thread(self, function, values):
        q = self.kind()

        def run():
            while True:
                v = q.get()
                if v is _END:
                    return
                function(v)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def close():
            q.put(_END)
            thread.join()

        return q.put, close

    def batch(self, values):
        """It has no call for many: one by one, without waiting after the first."""
        q = self.kind()

        def put_many(many):
            for v in many:
                q.put(v)

        def take_many():
            taken = [q.get()]
            try:
                while len(taken) < scenario.BATCH:
                    taken.append(q.get_nowait())
            except queue.Empty:
                pass
            return taken

        return put_many, take_many, lambda: None


kind = sys.argv.pop(1)
scenario.main(kind.lower(), Queue(getattr(queue, kind)))
