"""The split virtqueue as data: where its parts lie, how a descriptor chain is walked, when it interrupts.

Nothing here touches memory. ``walk_chain`` is a generator that asks for the bytes it needs, so the same
walk serves the actor (which reads its own memory) and the judge (which waits for the function's DMA).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb.models.profile import Profile

PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
DESCRIPTOR_BYTES = 16
USED_ELEMENT_BYTES = 8

DESC_NEXT = 1
DESC_WRITE = 2
DESC_INDIRECT = 4

AVAIL_NO_INTERRUPT = 1
USED_NO_NOTIFY = 1

F_NOTIFY_ON_EMPTY = 24
F_ANY_LAYOUT = 27
F_INDIRECT_DESC = 28
F_EVENT_IDX = 29
F_BAD_FEATURE = 30

DESCRIPTOR = Struct("<QIHH")


class ChainError(Exception):
    """A chain a correct driver never makes. The queue stops until reset (``rule`` names the requirement)."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"{rule}: {sentence}")
        self.rule = rule
        self.sentence = sentence


class RequestError(ChainError):
    """A well-formed chain that the device stops at: what is in it is not a request."""


@dataclass(slots=True, frozen=True)
class RingLayout:
    """Byte addresses of one legacy queue's parts (VPCI-Q-01, VPCI-Q-05). ``size`` is a power of two."""

    size: int
    descriptors: int
    available: int
    used: int

    @classmethod
    def of(cls, pfn: int, size: int) -> RingLayout:
        """Layout of a queue of ``size`` entries whose address register holds ``pfn`` (address / 4096)."""
        descriptors = pfn << PAGE_SHIFT
        available = descriptors + DESCRIPTOR_BYTES * size
        used = -(-(available + 2 * (3 + size)) // PAGE) * PAGE
        return cls(size, descriptors, available, used)

    def descriptor(self, index: int) -> int:
        return self.descriptors + DESCRIPTOR_BYTES * index

    @property
    def available_flags(self) -> int:
        return self.available

    @property
    def available_index(self) -> int:
        return self.available + 2

    def available_slot(self, index: int) -> int:
        """Address of the slot that the free-running 16-bit ``index`` selects (VRING-AV-03)."""
        return self.available + 4 + 2 * (index % self.size)

    @property
    def used_event(self) -> int:
        return self.available + 4 + 2 * self.size

    @property
    def used_flags(self) -> int:
        return self.used

    @property
    def used_index(self) -> int:
        return self.used + 2

    def used_element(self, index: int) -> int:
        """Address of the 8-byte element that the free-running 16-bit ``index`` selects."""
        return self.used + 4 + USED_ELEMENT_BYTES * (index % self.size)

    @property
    def avail_event(self) -> int:
        return self.used + 4 + USED_ELEMENT_BYTES * self.size

    @property
    def end(self) -> int:
        """First byte after the queue, avail_event included."""
        return self.avail_event + 2


@dataclass(slots=True, frozen=True)
class Segment:
    """One buffer of a chain: ``length`` bytes at guest address ``address``."""

    address: int
    length: int


@dataclass(slots=True, frozen=True)
class Chain:
    """A walked descriptor chain: its head index, then its buffers in order, readable before writable."""

    head: int
    readable: tuple[Segment, ...]
    writable: tuple[Segment, ...]
    readable_length: int
    writable_length: int


class FetchKind(StrEnum):
    """What a walk asks for: a descriptor of the queue's own table, or of an indirect table."""

    DIRECT = "direct"
    INDIRECT = "indirect"


@dataclass(slots=True, frozen=True)
class Fetch:
    """A 16-byte descriptor the walk needs: ``address`` in guest memory, ``index`` in its table.

    ``entries``: how many the table has.
    """

    address: int
    length: int
    kind: FetchKind
    index: int
    entries: int = 0


@dataclass(slots=True)
class _Walk:
    """Where a walk stands: the table it is in and how far it has come there."""

    base: int
    entries: int
    kind: FetchKind
    index: int
    seen: int = 0
    resume: int | None = None  # direct index to go on with after an indirect table


def walk_chain(
    layout: RingLayout, head: int, profile: Profile, *, indirect_negotiated: bool
) -> Generator[Fetch, bytes, Chain]:
    """Walk the chain that starts at ``head``; yields each descriptor fetch and is sent its 16 bytes.

    Every descriptor is asked for exactly once (VRING-DESC-12). Raises ``ChainError`` where ``profile``
    says that the queue stops.
    """
    if head >= layout.size:
        raise ChainError("BAD-RING-03", f"head {head} is not below the queue size {layout.size}")
    readable: list[Segment] = []
    writable: list[Segment] = []
    walk = _Walk(layout.descriptors, layout.size, FetchKind.DIRECT, head)
    while True:
        place = walk.base + DESCRIPTOR_BYTES * walk.index
        raw = yield Fetch(place, DESCRIPTOR_BYTES, walk.kind, walk.index, walk.entries)
        address, length, flags, following = DESCRIPTOR.unpack(raw)
        if flags & DESC_INDIRECT and _is_table(walk, profile, indirect_negotiated):
            walk = _enter_table(walk, address, length, flags, following, profile)
            continue
        _collect(readable, writable, Segment(address, length), flags, profile)
        walk.seen += 1
        _check_count(walk, len(readable) + len(writable), profile)
        if flags & DESC_NEXT:
            walk.index = _checked_next(walk, following)
        elif walk.resume is not None:
            walk = _Walk(layout.descriptors, layout.size, FetchKind.DIRECT, walk.resume, walk.seen)
        else:
            break
    return Chain(
        head,
        tuple(readable),
        tuple(writable),
        sum(s.length for s in readable),
        sum(s.length for s in writable),
    )


def _is_table(walk: _Walk, profile: Profile, negotiated: bool) -> bool:
    """Whether a descriptor with INDIRECT refers to a table here, or is taken as plain data."""
    if walk.kind is FetchKind.INDIRECT:
        if profile.nested_indirect == "stop":
            raise ChainError("VRING-IND-02", f"entry {walk.index} of an indirect table is itself INDIRECT")
        return False
    if not negotiated and profile.indirect_not_negotiated == "stop":
        raise ChainError("VRING-IND-01", f"descriptor {walk.index} is INDIRECT, which was not negotiated")
    return walk.seen == 0 or profile.indirect_after_direct == "table"


def _enter_table(
    walk: _Walk, address: int, length: int, flags: int, following: int, profile: Profile
) -> _Walk:
    if length == 0 or length % DESCRIPTOR_BYTES:
        raise ChainError("VRING-IND-06", f"an indirect table is {length} bytes long, no multiple of 16")
    resume = None
    if flags & DESC_NEXT and profile.indirect_with_next == "resume":
        resume = _checked_next(walk, following)
    seen = walk.seen if profile.chain_limit_counts == "whole_chain" else 0
    return _Walk(address, length // DESCRIPTOR_BYTES, FetchKind.INDIRECT, 0, seen, resume)


def _collect(
    readable: list[Segment], writable: list[Segment], segment: Segment, flags: int, profile: Profile
) -> None:
    if segment.length == 0 and profile.zero_length_descriptor == "stop":
        raise ChainError("VRING-DESC-09", "a descriptor is zero bytes long")
    if flags & DESC_WRITE:
        writable.append(segment)
        return
    if writable and profile.writable_before_readable == "stop":
        raise ChainError("VRING-DESC-05", "a readable descriptor follows a writable one")
    readable.append(segment)


def _check_count(walk: _Walk, segments: int, profile: Profile) -> None:
    bound = walk.entries if profile.chain_limit_counts == "table" else profile.max_segments
    if walk.seen > bound:
        raise ChainError("VRING-DESC-04", f"a chain runs past {bound} descriptors: it is a loop")
    if segments > profile.max_segments:
        raise ChainError("VRING-DESC-04", f"a chain has more than {profile.max_segments} descriptors")


def _checked_next(walk: _Walk, following: int) -> int:
    if following >= walk.entries:
        raise ChainError("BAD-RING-05", f"next {following} is not below the table's {walk.entries} entries")
    return following


def event_crossed(event: int, new: int, old: int) -> bool:
    """Whether a 16-bit index passed ``event`` on its way from ``old`` to ``new`` (VRING-INT-03)."""
    return ((new - event - 1) & 0xFFFF) < ((new - old) & 0xFFFF)


def needs_interrupt(
    features: int, *, flags: int, used_event: int, new: int, old: int | None, drained: bool
) -> bool:
    """Whether moving the used index from ``old`` to ``new`` interrupts the guest (VRING-INT-01/-02/-05).

    ``flags`` are the available ring's; ``old`` is the index at the last decision, None when there was none
    yet; ``drained``: the available ring is empty and no chain is in flight.
    """
    if drained and features >> F_NOTIFY_ON_EMPTY & 1:
        return True
    if not features >> F_EVENT_IDX & 1:
        return not flags & AVAIL_NO_INTERRUPT
    return old is None or event_crossed(used_event, new, old)
