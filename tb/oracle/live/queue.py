"""The driver's end of one virtqueue, as rows of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct

from tb.models.registers import QUEUE_NOTIFY, QUEUE_PFN, QUEUE_SELECT, QUEUE_SIZE, QUEUE_VECTOR
from tb.models.virtqueue import (
    DESC_INDIRECT,
    DESC_NEXT,
    DESC_WRITE,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    F_EVENT_IDX,
    PAGE_SHIFT,
    RingLayout,
)
from tb.oracle.live.plan import RING_ROOM, RINGS, Plan

_U16 = Struct("<H")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One descriptor, by the names of its fields."""

    address: int
    length: int
    flags: int = 0
    next: int = 0

    def pack(self) -> bytes:
        return DESCRIPTOR.pack(
            self.address, self.length & 0xFFFFFFFF, self.flags & 0xFFFF, self.next & 0xFFFF
        )


def readable(address: int, length: int) -> Descriptor:
    return Descriptor(address, length)


def writable(address: int, length: int) -> Descriptor:
    return Descriptor(address, length, DESC_WRITE)


class PlannedQueue:
    """Queue ``number`` of the device, at an address of its own.

    ``offered``: chains made available in all; ``looked``: how many of them were awaited on the used ring.
    """

    def __init__(self, plan: Plan, number: int, page: int | None = None) -> None:
        self.plan = plan
        self.number = number
        self.size = plan.shape.queues[number]
        self.pfn = (RINGS >> PAGE_SHIFT) + number * (RING_ROOM >> PAGE_SHIFT) if page is None else page
        self.layout = RingLayout.of(self.pfn, self.size)
        self.offered = 0
        self.looked = 0
        self._descriptor = plan.number(0, self.size - 1)
        self._written: set[int] = set()  # descriptors of chains that are not published yet

    def set_up(self, vector: int | None = None) -> None:
        """Clear its memory, give it its address and its vector."""
        plan = self.plan
        plan.io_w(QUEUE_SELECT, 2, self.number)
        plan.io_r(QUEUE_SIZE, 2)
        plan.ram_fill(self.layout.descriptors, self.layout.end - self.layout.descriptors, 0)
        plan.io_w(QUEUE_PFN, 4, self.pfn)
        if vector is not None and plan.msix:
            plan.io_w(QUEUE_VECTOR, 2, vector)
            plan.io_r(QUEUE_VECTOR, 2)

    # --- chains

    def _take(self) -> int:
        """The next free descriptor; scattered over the table."""
        self._descriptor = (self._descriptor + self.plan.choose((1, 1, 1, 3, 5))) % self.size
        return self._descriptor

    def indices(self, count: int) -> list[int]:
        """``count`` different descriptors, of which no chain that waits to be published has one."""
        assert len(self._written) + count <= self.size
        taken: list[int] = []
        while len(taken) < count:
            index = self._take()
            while index in self._written:
                index = (index + 1) % self.size
            self._written.add(index)
            taken.append(index)
        return taken

    def write_chain(self, parts: list[Descriptor], places: list[int]) -> None:
        """Link ``parts`` in the table at ``places``, which must be as many."""
        for part, place in zip(linked(parts, places), places, strict=True):
            self.write_descriptor(place, part)

    def write_descriptor(self, index: int, descriptor: Descriptor) -> None:
        self.plan.ram_w(self.layout.descriptor(index), descriptor.pack())

    def write_table(self, parts: list[Descriptor]) -> Descriptor:
        """An indirect table of ``parts`` in a buffer; the descriptor that refers to it."""
        address = self.put_table(linked(parts, list(range(len(parts)))))
        return Descriptor(address, DESCRIPTOR_BYTES * len(parts), DESC_INDIRECT)

    def put_table(self, table: list[Descriptor]) -> int:
        """The address of a buffer with these descriptors."""
        address = self.plan.buffer(DESCRIPTOR_BYTES * len(table))
        self.plan.ram_w(address, b"".join(part.pack() for part in table))
        return address

    # --- rings

    def offer(self, head: int) -> None:
        """Put a head into the next slot of the available ring."""
        self.plan.ram_w(self.layout.available_slot(self.offered), _U16.pack(head & 0xFFFF))
        self.offered = self.offered + 1 & 0xFFFF

    def publish(self, ahead: int = 0) -> None:
        """Write the available index (``ahead`` of the truth, for a broken driver).

        The used elements that are awaited are cleared before: what earlier requests left there came in an
        order of QEMU's own.
        """
        for place in self._awaited():
            self.plan.ram_fill(place, 8, 0)
        self.plan.ram_w(self.layout.available_index, _U16.pack(self.offered + ahead & 0xFFFF))
        self._written.clear()

    def notify(self) -> None:
        self.plan.io_w(QUEUE_NOTIFY, 2, self.number)

    def set_available_flags(self, flags: int) -> None:
        self.plan.ram_w(self.layout.available_flags, _U16.pack(flags))

    def set_used_event(self, index: int) -> None:
        self.plan.ram_w(self.layout.used_event, _U16.pack(index & 0xFFFF))

    def some_event(self) -> None:
        """Ask for the next interrupt somewhere around here, or anywhere."""
        offset = self.plan.choose((-1, 0, 0, 0, 1, 2, 5, self.plan.number(0, 0xFFFF)))
        self.set_used_event(self.looked + offset)

    def _awaited(self) -> list[int]:
        """Where the used elements go of all that was offered since the last look."""
        count = min((self.offered - self.looked) & 0xFFFF, self.size)
        return [self.layout.used_element(self.offered - count + each & 0xFFFF) for each in range(count)]

    def await_used(self) -> None:
        """Wait for all that was offered, look at the used ring and at both event fields."""
        plan = self.plan
        plan.row("poll", addr=self.layout.used_index, size=2)
        places = self._awaited()
        if len(places) == 1:
            plan.ram_r(places[0], 8)
        elif places:
            plan.row("used_set", addrs=places)
        self.looked = self.offered
        plan.ram_r(self.layout.used_flags, 2)
        if plan.features >> F_EVENT_IDX & 1:
            plan.ram_r(self.layout.avail_event, 2)


def linked(parts: list[Descriptor], places: list[int]) -> list[Descriptor]:
    """``parts`` with NEXT from each place to the following one."""
    out = [
        replace(part, flags=part.flags | DESC_NEXT, next=following)
        for part, following in zip(parts[:-1], places[1:], strict=True)
    ]
    return [*out, *parts[-1:]]
