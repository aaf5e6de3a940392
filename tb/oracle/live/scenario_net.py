"""Network traffic: frames out and in, control commands, the link; good chains and broken ones."""

from __future__ import annotations

from tb.models.devices.net import CONTROL, RECEIVE, TRANSMIT
from tb.models.registers import STATUS
from tb.oracle.live.chains import Places, look_at, offer_broken, offer_chain, put, room
from tb.oracle.live.driver import Driver, Steps
from tb.oracle.live.plan import COMMAND, COMMAND_ALL, Plan

F_MRG_RXBUF = 15
_MAC = bytes.fromhex("525400123456")
_MACS = (_MAC, b"\xff" * 6, bytes.fromhex("01005e000001"), bytes.fromhex("525400abcdef"), b"\x33\x33\0\0\0\1")
_LENGTHS = (14, 20, 59, 60, 64, 100, 590, 1514)


class _Net(Driver):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.supplied: list[Places] = []

    def steps(self) -> Steps:
        return (
            (self.send_some, 25),
            (self.supply_some, 15),
            (self.receive, 18),
            (self.command, 20),
            (self.broken, 4),
            (self.link, 4),
            (self.without_bus_master, 3),
            (self.start, 3),
            (self.make_noise, 2),
            (self.look_around, 6),
        )

    def negotiate(self) -> None:
        if self.plan.chance(0.8):
            super().negotiate()

    def queue_numbers(self) -> range:
        return range(3)

    def started(self) -> None:
        self.supplied = []

    @property
    def header(self) -> int:
        return 12 if self.plan.features >> F_MRG_RXBUF & 1 else 10

    def _frame(self) -> bytes:
        plan = self.plan
        tag = plan.choose((b"\x08\x00", b"\x81\x00" + bytes((0, plan.number(0, 5))) + b"\x08\x00"))
        frame = plan.choose(_MACS) + plan.choose(_MACS) + tag
        length = max(plan.choose(_LENGTHS), len(frame))
        return frame + plan.rng.randbytes(4) + bytes((plan.number(0, 255),)) * (length - len(frame) - 4)

    def send_some(self) -> None:
        self.send(self.plan.choose((1, 1, 2, 5)))

    def supply_some(self) -> None:
        self.supply(self.plan.number(1, 5))

    def send(self, count: int) -> None:
        """``count`` frames out; each is looked for at the far end, and one more that must not be there."""
        plan, queue = self.plan, self.queues[TRANSMIT]
        self.rules(queue)
        for _ in range(count):
            frame = bytes(self.header) + self._frame()
            parts = put(plan, frame, plan.choose((1, 2, 4)))
            offer_chain(queue, parts, queue.indices(len(parts)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        queue.await_used()
        for _ in range(count + 1):
            plan.row("net_tx_seen")

    def supply(self, count: int) -> None:
        """``count`` empty receive buffers, of all sizes."""
        plan, queue = self.plan, self.queues[RECEIVE]
        if (queue.offered - queue.looked & 0xFFFF) + count > 24:
            return
        self.rules(queue)
        for _ in range(count):
            length = plan.choose((1600, 1600, 2048, 128, 64, self.header + 60))
            parts, places = room(plan, length, plan.choose((1, 1, 2, 3)))
            offer_chain(queue, parts, self._receive_indices(len(parts)), plan.chance(0.2))
            self.supplied.append(places)
        queue.publish()
        if plan.chance(0.9):
            queue.notify()

    def _receive_indices(self, count: int) -> list[int]:
        """Descriptors in turn: buffers that wait keep theirs."""
        queue = self.queues[RECEIVE]
        first = len(self.supplied) * 3 % 240
        assert count <= 3 and queue.size >= 243
        return list(range(first, first + count))

    def receive(self) -> None:
        """Frames in, buffers looked at one and all."""
        plan, queue = self.plan, self.queues[RECEIVE]
        for _ in range(plan.number(1, 3)):
            plan.row("net_rx_inject", frame=self._frame().hex())
        plan.row("poll", addr=queue.layout.used_index, size=2)
        for index in range(8):
            plan.ram_r(queue.layout.used_element(queue.looked + index), 8)
        plan.ram_r(queue.layout.used_flags, 2)
        plan.ram_r(queue.layout.avail_event, 2)
        for places in self.supplied[-12:]:
            look_at(plan, places)

    def command(self) -> None:
        """A control command, mostly sane."""
        plan, queue = self.plan, self.queues[CONTROL]
        group, command, data = self._some_command()
        self.rules(queue)
        parts = put(plan, bytes((group, command)) + data, plan.choose((1, 2, 3)))
        more, places = room(plan, plan.choose((1, 1, 1, 4)), 2)
        chain = parts + more
        offer_chain(queue, chain, queue.indices(len(chain)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        queue.await_used()
        look_at(plan, places)
        for offset in range(0, 8, 2):
            plan.io_r((24 if plan.msix else 20) + offset, 2)

    def _some_command(self) -> tuple[int, int, bytes]:
        plan = self.plan
        match plan.choose((0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 5, 9)):
            case 0:
                return 0, plan.number(0, 6), plan.choose((b"\0", b"\1", b"\1", b"", b"\2", b"\1\1"))
            case 1 if plan.chance(0.5):
                return 1, 1, plan.choose((*_MACS, _MAC[:5], _MAC + b"\0"))
            case 1:
                return (
                    1,
                    plan.choose((0, 0, 0, 2)),
                    self._table() + self._table() + plan.choose((b"", b"", b"\0")),
                )
            case 2:
                vlan = plan.choose((0, 1, 2, 3, 4, 5, 4095, 4096, 0xFFFF))
                return (
                    2,
                    plan.choose((0, 0, 1, 2)),
                    vlan.to_bytes(2, "little") + plan.choose((b"", b"", b"\0")),
                )
            case group:
                return group, plan.number(0, 2), plan.rng.randbytes(plan.choose((0, 1, 2, 8)))

    def _table(self) -> bytes:
        plan = self.plan
        count = plan.choose((0, 1, 2, 3, 3, 70))
        told = count + plan.choose((0, 0, 0, 0, 1, 0x10000))
        return told.to_bytes(4, "little") + b"".join(plan.choose(_MACS) for _ in range(count))

    def broken(self) -> None:
        """A chain with a mistake on one of the queues; what follows; a reset."""
        plan = self.plan
        queue = plan.choose(self.queues)
        places: Places = []
        spare = 0
        # QEMU 7.2 aborts on a request or a buffer shorter than its header: that one stays whole.
        if queue.number == RECEIVE:
            (first, places), (others, more_places) = room(plan, self.header, 1), room(plan, 588, 2)
            parts, places, spare = first + others, places + more_places, 1
        elif queue.number == TRANSMIT:
            parts, spare = put(plan, bytes(self.header), 1) + put(plan, self._frame(), 2), 1
        else:
            more, places = room(plan, 1, 1)
            parts = put(plan, b"\0\0\1", 2) + more
        if plan.chance(0.2):
            parts = parts[: plan.number(1, len(parts))]
        offer_broken(queue, parts, plan.chance(0.3), spare)
        queue.publish()
        queue.notify()
        plan.settle()
        if queue.number == RECEIVE:
            plan.row("net_rx_inject", frame=self._frame().hex())
        plan.row("poll", addr=queue.layout.used_index, size=2)
        plan.ram_r(queue.layout.used, 64)
        look_at(plan, places)
        plan.row("net_tx_seen")
        plan.look()
        if plan.chance(0.5):
            self.send(1)
        self.start()

    def link(self) -> None:
        plan = self.plan
        plan.host("set_link", name="n0", up=plan.chance(0.6))
        plan.look()
        plan.io_r((24 if plan.msix else 20) + 6, 2)

    def without_bus_master(self) -> None:
        plan = self.plan
        plan.cfg_w(COMMAND, 2, 3)
        self.send(1)
        plan.look()
        plan.cfg_w(COMMAND, 2, COMMAND_ALL)
        self.queues[TRANSMIT].notify()
        plan.settle()
        plan.io_w(STATUS, 1, 7)
        plan.settle()
        plan.row("poll", addr=self.queues[TRANSMIT].layout.used_index, size=2)
        plan.row("net_tx_seen")
        plan.look()


def net(plan: Plan) -> None:
    """Some dozens of steps in random order."""
    _Net(plan).work(25, 45)
    plan.host("set_link", name="n0", up=True)
    plan.registers()
