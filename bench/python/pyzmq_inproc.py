# SPDX-License-Identifier: Apache-2.0
"""pyzmq, PUB to SUB over inproc, without a limit on what waits."""

import threading

import zmq
import zmq.asyncio

import scenario


def pair(context, receiver):
    publisher = context.socket(zmq.PUB)
    publisher.set_hwm(0)
    publisher.bind("inproc://bench")
    receiver.set_hwm(0)
    receiver.setsockopt(zmq.SUBSCRIBE, b"")
    receiver.connect("inproc://bench")
    return publisher


def await_subscription(publisher, receiver):
    """A subscriber misses what is sent before its subscription has arrived."""
    while True:
        publisher.send(b"ready?")
        if receiver.poll(10):
            break
    while receiver.poll(10):
        receiver.recv()


class Pyzmq:
    def _open(self):
        context = zmq.Context()
        receiver = context.socket(zmq.SUB)
        publisher = pair(context, receiver)
        await_subscription(publisher, receiver)
        return context, publisher, receiver

    def cross_thread(self, function, values):
        context, publisher, receiver = self._open()

        def run():
            while True:
                v = receiver.recv()
                if not v:
                    return
                function(v)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def close():
            publisher.send(b"")
            thread.join()
            context.destroy()

        return publisher.send, close

    def batch(self, values):
        """It has no call for many: one by one, without waiting after the first."""
        context, publisher, receiver = self._open()

        def send_many(many):
            send = publisher.send
            for v in many:
                send(v)

        def take_many():
            taken = [receiver.recv()]
            try:
                while len(taken) < scenario.BATCH:
                    taken.append(receiver.recv(zmq.NOBLOCK))
            except zmq.Again:
                pass
            return taken

        return send_many, take_many, context.destroy

    def asyncio(self, values):
        context, publisher, receiver = self._open()
        return publisher.send, zmq.asyncio.Socket.from_socket(receiver).recv, context.destroy


scenario.main("pyzmq", Pyzmq())
