"""A console: control messages of every kind, output, input, the far end connecting; broken chains."""

from __future__ import annotations

from struct import Struct

from tb.models.devices.console import CONTROL_RX, CONTROL_TX, F_MULTIPORT, Control, receive_queue
from tb.oracle.live.chains import Places, look_at, offer_broken, offer_chain, put, room
from tb.oracle.live.driver import Driver, Steps
from tb.oracle.live.plan import Plan

_CONTROL = Struct("<IHH")


class _Console(Driver):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.port = 1 if plan.kind.name == "serial" else 0
        self.supplied: dict[int, list[Places]] = {}
        self.connected = False

    def steps(self) -> Steps:
        return (
            (self.some_message, 18),
            (self.output, 20),
            (self.some_supply, 12),
            (self.input, 16),
            (self.far_end, 8),
            (self.emergency, 6),
            (self.broken, 5),
            (self.start, 5),
            (self.make_noise, 3),
            (self.look_around, 7),
        )

    def negotiate(self) -> None:
        plan = self.plan
        plan.negotiate(plan.some_features(always=1 << F_MULTIPORT if plan.chance(0.8) else 0))

    def queue_numbers(self) -> range:
        return range(6)

    def started(self) -> None:
        """Buffers for control messages; mostly the ports are introduced."""
        self.supplied = {0: [], CONTROL_RX: [], 4: []}
        self.supply(CONTROL_RX, 4)
        if self.plan.chance(0.8):
            self.tell(0xFFFFFFFF, Control.DEVICE_READY, 1)
            self.tell(self.port, Control.PORT_READY, 1)
            self.tell(self.port, Control.PORT_OPEN, 1)

    def some_supply(self) -> None:
        plan = self.plan
        self.supply(plan.choose((0, 4, CONTROL_RX, receive_queue(self.port))), plan.number(1, 3))

    def supply(self, number: int, count: int) -> None:
        """Empty buffers for a receive queue; those that wait keep their descriptors."""
        plan, queue = self.plan, self.queues[number]
        supplied = self.supplied[number]
        if len(supplied) + count > 10:
            return
        self.rules(queue)
        for _ in range(count):
            length = plan.choose((64, 64, 16, 8, 4, 100))
            parts, places = room(plan, length, 2)
            first = 2 * len(supplied)
            offer_chain(queue, parts, list(range(first, first + len(parts))), plan.chance(0.2))
            supplied.append(places)
        queue.publish()
        queue.notify()
        plan.settle()

    def look_at_supplies(self, number: int) -> None:
        plan, queue = self.plan, self.queues[number]
        plan.row("poll", addr=queue.layout.used_index, size=2)
        plan.ram_r(queue.layout.used_element(0), 96)
        plan.ram_r(queue.layout.used_flags, 2)
        plan.ram_r(queue.layout.avail_event, 2)
        for places in self.supplied[number]:
            look_at(plan, places)

    def tell(self, port: int, event: int, value: int, cut: int = 8) -> None:
        """A control message and what comes back."""
        plan, queue = self.plan, self.queues[CONTROL_TX]
        self.rules(queue)
        parts = put(plan, _CONTROL.pack(port, event, value)[:cut] + b"\0" * max(cut - 8, 0), 2)
        offer_chain(queue, parts, queue.indices(len(parts)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        queue.await_used()
        self.look_at_supplies(CONTROL_RX)

    def some_message(self) -> None:
        plan = self.plan
        port = plan.choose((self.port, self.port, self.port, 0, 1, 2, 4, 0xFFFFFFFF))
        event = plan.choose((*Control, 8, 0xFFFF))
        self.tell(port, event, plan.choose((0, 1, 1, 2)), plan.choose((8, 8, 8, 8, 4, 7, 12)))

    def output(self) -> None:
        """Bytes out on any port."""
        plan = self.plan
        queue = self.queues[plan.choose((1, 5, receive_queue(self.port) + 1))]
        self.rules(queue)
        for _ in range(plan.number(1, 2)):
            parts = put(plan, plan.rng.randbytes(plan.choose((1, 5, 20))), 3)
            offer_chain(queue, parts, queue.indices(len(parts)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        queue.await_used()
        if self.connected:
            plan.row("serial_out")

    def input(self) -> None:
        """Bytes in, when the far end is connected."""
        plan = self.plan
        if self.connected:
            plan.row("serial_in", data=plan.rng.randbytes(plan.choose((1, 5, 30))).hex())
            self.look_at_supplies(receive_queue(self.port))

    def far_end(self) -> None:
        """The far end connects or hangs up."""
        plan = self.plan
        if self.connected:
            plan.row("host_close")
        else:
            plan.note("host connected the chardev")
        self.connected = not self.connected
        self.look_at_supplies(CONTROL_RX)

    def emergency(self) -> None:
        plan = self.plan
        base = 24 if plan.msix else 20
        plan.io_w(base + plan.choose((8, 8, 0, 4)), plan.choose((1, 2, 4)), plan.number(0, 255))
        for offset in range(0, 12, 4):
            plan.io_r(base + offset, 4)
        if self.connected:
            plan.row("serial_out")

    def broken(self) -> None:
        """A chain with a mistake; what follows; a reset."""
        plan = self.plan
        queue = plan.choose(self.queues)
        places: Places = []
        if queue.number % 2:
            parts = put(plan, _CONTROL.pack(self.port, 3, 1), 3)
        else:
            parts, places = room(plan, 40, 3)
        offer_broken(queue, parts, plan.chance(0.3))
        queue.publish()
        queue.notify()
        plan.settle()
        plan.row("poll", addr=queue.layout.used_index, size=2)
        plan.ram_r(queue.layout.used, 64)
        look_at(plan, places)
        if self.connected:
            plan.row("serial_out")
        plan.look()
        if plan.chance(0.5):
            self.some_message()
        self.start()


def console(plan: Plan) -> None:
    """Some dozens of steps in random order."""
    _Console(plan).work(25, 45)
