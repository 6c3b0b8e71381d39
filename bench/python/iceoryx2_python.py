# SPDX-License-Identifier: Apache-2.0
"""iceoryx2's Python package: publish-subscribe within the process, and an event
that wakes the subscriber, which the publisher notifies of each value."""

import ctypes
import threading
import uuid

import iceoryx2 as iox2

import scenario


class Value(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * scenario.SIZE)]


class Iceoryx2:
    def cross_thread(self, function, values):
        iox2.set_log_level(iox2.LogLevel.Error)
        node = iox2.NodeBuilder.new().create(iox2.ServiceType.Local)
        name = iox2.ServiceName.new(f"bench/{uuid.uuid4()}")
        service = (
            node.service_builder(name)
            .publish_subscribe(Value)
            .enable_safe_overflow(False)  # nothing may be lost
            .subscriber_max_buffer_size(values)
            .open_or_create()
        )
        event = node.service_builder(name).event().open_or_create()
        publisher = service.publisher_builder().create()
        subscriber = service.subscriber_builder().create()
        notifier, listener = event.notifier_builder().create(), event.listener_builder().create()
        closed = threading.Event()

        def run():
            while not closed.is_set():
                sample = subscriber.receive()
                if sample is None:
                    listener.timed_wait(iox2.Duration.from_millis(100))
                    continue
                function(bytes(sample.payload().contents))
                sample.delete()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def produce(value):
            publisher.send_copy(Value.from_buffer_copy(value))
            notifier.notify()

        def close():
            closed.set()
            notifier.notify()
            thread.join()

        return produce, close


scenario.main("iceoryx2-python", Iceoryx2())
