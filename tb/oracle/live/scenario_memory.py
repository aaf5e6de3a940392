"""The two devices that work on plain buffers: the balloon and the entropy source."""

from __future__ import annotations

from struct import pack

from tb.models.devices.balloon import DEFLATE, INFLATE, STATS
from tb.models.registers import STATUS
from tb.oracle.live.chains import Places, look_at, offer_broken, offer_chain, put, room
from tb.oracle.live.driver import Driver, Steps
from tb.oracle.live.plan import COMMAND, COMMAND_ALL, Plan
from tb.oracle.live.queue import PlannedQueue

_PAGE = 4096
_BALLOON_PAGES = 0x2800  # pages the balloon may take, above all that the plan uses


class _PlainDriver(Driver):
    """What both drivers share."""

    driver_ok_chance = 0.9

    def look_at_ring(self, queue: PlannedQueue) -> None:
        """The used ring as it is, whether or not all that was offered has come back."""
        plan = self.plan
        plan.row("poll", addr=queue.layout.used_index, size=2)
        plan.ram_r(queue.layout.used, 4 + 8 * min(queue.size, 16))
        plan.ram_r(queue.layout.avail_event, 2)

    def without_bus_master(self) -> None:
        """Bus master off and on around a notification."""
        plan = self.plan
        plan.cfg_w(COMMAND, 2, plan.choose((3, 0x403)))
        plan.choose(self.queues).notify()
        plan.settle()
        plan.look()
        if plan.chance(0.3):
            self.start()
        plan.cfg_w(COMMAND, 2, COMMAND_ALL)
        plan.io_w(STATUS, 1, 7)
        plan.settle()


class _Balloon(_PlainDriver):
    def steps(self) -> Steps:
        return (
            (self.pages, 40),
            (self.statistics, 20),
            (self.configure, 18),
            (self.broken, 7),
            (self.without_bus_master, 3),
            (self.make_noise, 2),
            (self.start, 3),
            (self.reset_machine, 1),
            (self.look_around, 6),
        )

    def pages(self) -> None:
        """Pages into the balloon or out of it."""
        plan = self.plan
        queue = self.queues[plan.choose((INFLATE, INFLATE, DEFLATE))]
        self.rules(queue)
        pages = [_BALLOON_PAGES + plan.number(0, 40) for _ in range(plan.number(1, 6))]
        if plan.chance(0.2):
            pages.append(plan.choose((0xA0, 0xFF, 0x4000, 0xFE000, 0xFFFFFFFF)))
        for page in pages[:2]:
            plan.ram_fill(page * _PAGE, _PAGE, 0x5A)
        data = b"".join(pack("<I", page) for page in pages) + plan.choose((b"", b"", b"", b"\1", b"\1\2\3"))
        parts = put(plan, data, 3)
        if plan.chance(0.1):
            parts += room(plan, 8, 1)[0]
        offer_chain(queue, parts, queue.indices(len(parts)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        self.look_at_ring(queue)
        for page in pages:
            if page < 0x4000 and page >= 0x100:
                plan.ram_r(page * _PAGE - 4, 8)
                plan.ram_r(page * _PAGE + _PAGE - 4, 8)

    def statistics(self) -> None:
        """A statistics buffer; the device keeps it until the next one."""
        plan, queue = self.plan, self.queues[STATS]
        self.rules(queue)
        for _ in range(plan.choose((1, 1, 1, 2))):
            parts = put(plan, b"".join(pack("<HQ", tag, tag * 1000) for tag in range(plan.number(1, 12))), 2)
            offer_chain(queue, parts, queue.indices(len(parts)), plan.chance(0.2))
        queue.publish()
        queue.notify()
        self.look_at_ring(queue)

    def configure(self) -> None:
        """The host's wish and the driver's answer."""
        plan = self.plan
        base = 24 if plan.msix else 20
        if plan.chance(0.5):
            plan.host("balloon", value=plan.choose((64, 60, 48, 33, 8)) << 20)
            plan.look()
        else:
            size = plan.choose((1, 2, 4))
            plan.io_w(base + plan.number(0, 16 // size - 1) * size, size, plan.rng.getrandbits(8 * size))
        for offset in range(0, 16, 4):
            plan.io_r(base + offset, 4)

    def broken(self) -> None:
        plan = self.plan
        queue = plan.choose(self.queues)
        parts = put(plan, pack("<III", _BALLOON_PAGES, _BALLOON_PAGES + 1, _BALLOON_PAGES + 2), 3)
        offer_broken(queue, parts, plan.chance(0.3))
        queue.publish()
        queue.notify()
        plan.settle()
        self.look_at_ring(queue)
        plan.look()
        if plan.chance(0.5):
            self.pages()
        self.start()


def balloon(plan: Plan) -> None:
    """Some dozens of steps in random order."""
    _Balloon(plan).work(25, 45)


class _Entropy(_PlainDriver):
    def steps(self) -> Steps:
        return (
            (self.ask, 70),
            (self.broken, 10),
            (self.without_bus_master, 4),
            (self.make_noise, 2),
            (self.start, 4),
            (self.reset_machine, 1),
            (self.look_around, 9),
        )

    def ask(self) -> None:
        """Buffers to fill, some with nothing to write to."""
        plan, queue = self.plan, self.queues[0]
        self.rules(queue)
        free = queue.indices(queue.size)
        places: Places = []
        for _ in range(plan.choose((1, 1, 2, 3))):
            parts, more = room(plan, plan.choose((1, 16, 64, 300)), 2)
            if plan.chance(0.15):
                parts, more = put(plan, b"abc", 1), []
            elif plan.chance(0.2):
                parts = put(plan, b"abcdef", 1) + parts
            indirect = plan.chance(0.3) or len(parts) > len(free)
            taken = 1 if indirect else len(parts)
            if taken > len(free):
                break
            offer_chain(queue, parts, free[:taken], indirect)
            free = free[taken:]
            places += more
        queue.publish()
        queue.notify()
        plan.settle()
        self.look_at_ring(queue)
        look_at(plan, places)
        queue.looked = queue.offered

    def broken(self) -> None:
        plan, queue = self.plan, self.queues[0]
        parts, places = room(plan, 40, 3)
        offer_broken(queue, parts, plan.chance(0.3))
        queue.publish(plan.choose((1, 8, 9, 0x8000)) if plan.chance(0.1) else 0)
        queue.notify()
        plan.settle()
        self.look_at_ring(queue)
        look_at(plan, places)
        plan.look()
        if plan.chance(0.5):
            self.ask()
        self.start()


def entropy(plan: Plan) -> None:
    """Some dozens of steps in random order."""
    _Entropy(plan).work(25, 45)
