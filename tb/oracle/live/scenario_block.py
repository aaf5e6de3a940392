"""Block I/O: batches of random requests in random chains, good ones and broken ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

from tb.models.devices.block import (
    SECTOR,
    TYPE_BARRIER,
    TYPE_DISCARD,
    TYPE_FLUSH,
    TYPE_GET_ID,
    TYPE_OUT,
    TYPE_SCSI,
    TYPE_WRITE_ZEROES,
)
from tb.models.registers import ISR, STATUS
from tb.models.virtqueue import F_INDIRECT_DESC
from tb.oracle.live.chains import Places, cut, look_at, offer_broken, offer_chain, put, room
from tb.oracle.live.driver import Driver, Steps
from tb.oracle.live.plan import COMMAND, COMMAND_ALL, Plan
from tb.oracle.live.queue import Descriptor, PlannedQueue, readable

_HEADER = Struct("<IIQ")
_RANGE = Struct("<QII")
_ROOMY = 64  # entries of a queue that has room for a few chains of any shape
_SECTORS = 1024  # traffic stays inside the smallest size that the disk is given
_TYPES = (
    (0, 8),
    (TYPE_OUT, 8),
    (TYPE_FLUSH, 2),
    (TYPE_GET_ID, 2),
    (TYPE_SCSI, 1),
    (TYPE_DISCARD, 1),
    (TYPE_WRITE_ZEROES, 1),
    (-1, 1),
)


@dataclass(slots=True)
class _Request:
    """One request as buffers, and where to look when it is done."""

    parts: list[Descriptor] = field(default_factory=list)
    places: Places = field(default_factory=list)


def _type(plan: Plan) -> int:
    kinds, weights = zip(*_TYPES, strict=True)
    kind: int = plan.rng.choices(kinds, weights)[0]
    if kind < 0:
        return plan.choose((5, 6, 7, 9, 10, 12, 14, 100, 0x40000000, plan.rng.getrandbits(32)))
    if plan.chance(0.05):
        kind |= TYPE_BARRIER
    return kind


def _request(plan: Plan, first: int, sectors: int, pieces: int) -> _Request:
    """A random request for sectors from ``first`` on, ``sectors`` at most, each part in up to ``pieces``."""
    kind = _type(plan)
    count = plan.number(0 if plan.chance(0.1) else 1, min(sectors, 8))
    sector = first + plan.number(0, sectors - count)
    length = count * SECTOR
    if not first and plan.chance(0.2):  # one of a batch at most: two of them may overlap
        sector = plan.choose((2048, 2047, 4096, 1 << 32, (1 << 64) - 1, (1 << 55) + 1))
        length = max(length, 2 * SECTOR)
    if plan.chance(0.05):
        length += plan.choose((1, 100, 511))
    request = _Request()
    out, room_bytes = _payload(plan, kind & ~TYPE_BARRIER, sector, count, length)
    request.parts = put(plan, _HEADER.pack(kind, plan.rng.getrandbits(32), sector), 2)
    request.parts += _data(plan, out, pieces)
    # QEMU's errors of a SCSI command go past a buffer that is too short for them: not a thing to agree on.
    parts, request.places = room(
        plan, room_bytes + 1, 1 if kind & ~(TYPE_BARRIER | 1) == TYPE_SCSI else pieces
    )
    request.parts += parts
    return request


def _payload(plan: Plan, kind: int, sector: int, count: int, length: int) -> tuple[bytes | int, int]:
    """What goes out (bytes, or a number of bytes whose content is any), and room for what comes in."""
    match kind:
        case 0:
            return b"", length
        case 1:
            return length, 0
        case 8:
            return b"", plan.choose((20, 20, 0, 1, 19, 21, 32, 512))
        case 11 | 13:
            flags = plan.choose((0, 0, 0, 1, 2))
            segment = _RANGE.pack(sector, plan.choose((count, count, 0, 0x400000)), flags)
            return segment + plan.choose((b"", b"", b"", b"", segment)), 0
    return 512 if plan.chance(0.3) else b"", plan.choose((0, 0, 16, 512))


def _data(plan: Plan, content: bytes | int, pieces: int) -> list[Descriptor]:
    if isinstance(content, bytes):
        return put(plan, content, pieces) if content else []
    parts = []
    for length in cut(plan, content, pieces):
        address = plan.buffer(length)
        plan.ram_fill(address, length, plan.number(0, 255))
        plan.ram_w(address, plan.rng.randbytes(min(length, 8)))
        parts.append(readable(address, length))
    return parts


class _Block(Driver):
    driver_ok_chance = 0.9

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._first_page: int | None = None

    def steps(self) -> Steps:
        return (
            (self.some_requests, 100),
            (self.broken, 15),
            (self.jump, 2),
            (self.neighbours, 2),
            (self.without_bus_master, 4),
            (self.start_elsewhere, 7),
            (self.cache_mode, 5),
            (self.resize, 5),
            (self.make_noise, 5),
            (self.reset_machine, 3),
            (self.look_around, 50),
        )

    def page_of(self, number: int) -> int | None:
        return None if self._first_page is None else self._first_page + 8 * number

    def start_elsewhere(self) -> None:
        """All anew, the queues at other pages; the next start finds them at their usual ones."""
        self._first_page = self.plan.number(0x100, 0x110)
        self.start()
        self._first_page = None

    def some_requests(self) -> None:
        """A batch on one of the queues."""
        plan = self.plan
        queue = plan.choose(self.queues)
        self.requests(queue, plan.choose((1, 1, 1, 2, 3, 5, 8, min(queue.size // 4, 40))))

    def requests(self, queue: PlannedQueue, count: int) -> None:
        """``count`` requests on disjoint sectors; looked at when all are done."""
        plan = self.plan
        share = max(_SECTORS // max(count, 1), 1)
        pieces = 4 if count * 14 <= queue.size else 1
        served = [_request(plan, each * share, share, pieces) for each in range(count)]
        self.rules(queue)
        free = queue.indices(min(sum(len(each.parts) for each in served), queue.size))
        for left, each in zip(range(count - 1, -1, -1), served, strict=True):
            indirect = self._indirect() or len(each.parts) > len(free) - left
            taken = 1 if indirect else len(each.parts)
            offer_chain(queue, each.parts, free[:taken], indirect)
            free = free[taken:]
        queue.publish()
        queue.notify()
        queue.await_used()
        for each in served:
            look_at(plan, each.places)

    def _indirect(self) -> bool:
        return self.plan.chance(0.4 if self.plan.features >> F_INDIRECT_DESC & 1 else 0.05)

    def broken(self) -> None:
        """A request with a mistake, among good ones; what follows it; then a reset."""
        plan, queue = self.plan, self.plan.choose(self.queues)
        count = plan.choose((0, 0, 1, 3)) if queue.size > _ROOMY else 0
        before = [_request(plan, 100 * each, 100, 2) for each in range(count)]
        bad = _request(plan, 500, 100, 3)
        free = queue.indices(sum(len(each.parts) for each in before))
        for each in before:
            offer_chain(queue, each.parts, free[: len(each.parts)], False)
            free = free[len(each.parts) :]
        offer_broken(queue, bad.parts, self._indirect())
        queue.publish()
        queue.notify()
        queue.await_used()
        for each in (*before, bad):
            look_at(plan, each.places)
        plan.look()
        if plan.chance(0.5):
            self.requests(plan.choose(self.queues), 1)
        self.start()

    def jump(self) -> None:
        """An available index that is far from the truth: a fresh ring, all of whose heads are one request.

        The request is one that QEMU completes at once, so that nothing races when it is served many times.
        """
        self.start()
        queue = self.plan.choose(self.queues)
        parts = put(self.plan, _HEADER.pack(TYPE_GET_ID, 0, 0), 1)
        more, places = room(self.plan, 21, 1)
        queue.write_chain(parts + more, [0, self.plan.number(1, queue.size - 1)])
        queue.offer(0)
        self.rules(queue)
        far = self.plan.choose((1, 2, queue.size - 1, queue.size, queue.size + 1, 700))
        queue.publish(-2 if self.plan.chance(0.02) else far)
        queue.notify()
        queue.await_used()
        look_at(self.plan, places)
        self.plan.look()
        queue.notify()
        queue.await_used()
        self.start()

    def neighbours(self) -> None:
        """Before DRIVER_OK: a request on one queue, the notification for another."""
        plan = self.plan
        self.start(status=3)
        queue, other = plan.choose(self.queues), plan.choose(self.queues)
        request = _request(plan, 0, 100, 2)
        offer_chain(queue, request.parts, queue.indices(len(request.parts)), False)
        queue.publish()
        other.notify()
        queue.await_used()
        look_at(plan, request.places)
        plan.look()
        plan.io_w(STATUS, 1, plan.choose((3, 7)))
        plan.row("poll", addr=queue.layout.used_index, size=2)
        plan.look()
        self.start()

    def without_bus_master(self) -> None:
        """Bus master off and on around a request."""
        plan, queue = self.plan, self.plan.choose(self.queues)
        plan.cfg_w(COMMAND, 2, plan.choose((3, 0x403)))
        plan.io_r(STATUS, 1)
        if plan.chance(0.3):
            plan.io_w(STATUS, 1, 7)
        request = _request(plan, 0, 100, 2)
        offer_chain(queue, request.parts, queue.indices(len(request.parts)), False)
        queue.publish()
        queue.notify()
        queue.await_used()
        plan.look()
        if plan.chance(0.3):
            plan.io_w(STATUS, 1, plan.choose((3, 7)))
        plan.cfg_w(COMMAND, 2, COMMAND_ALL)
        plan.settle()
        plan.look()
        queue.notify()
        plan.row("poll", addr=queue.layout.used_index, size=2)
        look_at(plan, request.places)
        plan.io_w(STATUS, 1, 7)
        plan.row("poll", addr=queue.layout.used_index, size=2)
        look_at(plan, request.places)
        plan.look()

    def cache_mode(self) -> None:
        base = 24 if self.plan.msix else 20
        self.plan.io_w(base + 32, 1, self.plan.choose((0, 1, 1, 0xFF)))
        self.plan.io_r(base + 32, 1)

    def resize(self) -> None:
        plan = self.plan
        plan.host("block_resize", device="d0", size=SECTOR * plan.choose((2048, 1024, 4096)))
        plan.look()
        plan.io_r(24 if plan.msix else 20, 4)


def block(plan: Plan) -> None:
    """Some dozens of batches, with everything else in between."""
    _Block(plan).work(30, 60)
    plan.io_r(ISR, 1)
