"""Rings and chains that no correct driver makes (the ring table of the bad inputs), one builder a row.

A builder prepares everything but the available index and the kick. `STOPPING` rows must stop the queue until
reset; `SERVED` rows are legal although they look odd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from tb.guest.registers import RingFeature
from tb.sequences.raw_ring import INDIRECT, NEXT, WRITE, Buffers, RawRing, read_table

Builder = Callable[[RawRing, Buffers], int]
"""Prepares everything but the kick; returns the available index to publish."""
ALL_ONES = 0xFFFF_FFFF


@dataclass(slots=True, frozen=True)
class BadRow:
    """One row: its requirement or table id, what is wrong, and how to build it. `smallest` ring it needs."""

    rule: str
    what: str
    build: Builder
    smallest: int = 4
    features: int = RingFeature.INDIRECT_DESC


def _index_jump(by: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        ring.descriptors(dict(enumerate(read_table(buffers, 512))))
        for position in range(ring.size):
            ring.slot(position, 0)
        return (ring.size + by) if by > 0 else by

    return build


def _head(beyond: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        ring.descriptors(dict(enumerate(read_table(buffers, 512))))
        ring.slot(0, ring.size - 1 + beyond if beyond > 0 else 0xFFFF)
        return 1

    return build


def _next_beyond(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 16, NEXT, ring.size))
    ring.slot(0, 0)
    return 1


def _next_far_beyond(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 16, NEXT, 0xFFFF))
    ring.slot(0, 0)
    return 1


def _loop(*order: int) -> Builder:
    """Descriptors linked in `order`, the last one back to where its number says."""

    def build(ring: RawRing, buffers: Buffers) -> int:
        for at, following in pairwise(order):
            ring.descriptor(at, (buffers.header, 16, NEXT, following))
        ring.slot(0, order[0])
        return 1

    return build


def _writable_loop(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 16, NEXT, 1))
    ring.descriptor(1, (buffers.data, 512, NEXT | WRITE, 1))
    ring.slot(0, 0)
    return 1


def _writable_first(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.data, 512, NEXT | WRITE, 1))
    ring.descriptor(1, (buffers.header, 16, NEXT, 2))
    ring.descriptor(2, (buffers.status, 1, WRITE, 0))
    ring.slot(0, 0)
    return 1


def _readable_after_writable(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 16, NEXT, 1))
    ring.descriptor(1, (buffers.data, 512, NEXT | WRITE, 2))
    ring.descriptor(2, (buffers.data, 16, NEXT, 3))
    ring.descriptor(3, (buffers.status, 1, WRITE, 0))
    ring.slot(0, 0)
    return 1


def _zero_length(where: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        for at, (address, length, flags, following) in enumerate(read_table(buffers, 512)):
            ring.descriptor(at, (address, 0 if at == where else length, flags, following))
        ring.slot(0, 0)
        return 1

    return build


def _readable_only(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 16, 0, 0))
    ring.slot(0, 0)
    return 1


def _writable_only(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.data, 512, NEXT | WRITE, 1))
    ring.descriptor(1, (buffers.status, 1, WRITE, 0))
    ring.slot(0, 0)
    return 1


def _short_header(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptor(0, (buffers.header, 15, NEXT, 1))
    ring.descriptor(1, (buffers.status, 1, WRITE, 0))
    ring.slot(0, 0)
    return 1


def _indirect_length(length: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        table = ring.table(read_table(buffers, 512))
        ring.descriptor(0, (table, length, INDIRECT, 0))
        ring.slot(0, 0)
        return 1

    return build


def _indirect_next(beyond: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        entries = read_table(buffers, 512)
        entries[1] = (buffers.data, 512, NEXT | WRITE, 2 + beyond)
        ring.descriptor(0, (ring.table(entries), 48, INDIRECT, 0))
        ring.slot(0, 0)
        return 1

    return build


def _indirect_loop(ring: RawRing, buffers: Buffers) -> int:
    entries = read_table(buffers, 512)
    entries[1] = (buffers.data, 512, NEXT | WRITE, 1)
    ring.descriptor(0, (ring.table(entries), 48, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


def _nested(ring: RawRing, buffers: Buffers) -> int:
    inner = ring.table(read_table(buffers, 512))
    outer = ring.table([(inner, 48, INDIRECT, 0)])
    ring.descriptor(0, (outer, 16, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


def _nested_later(ring: RawRing, buffers: Buffers) -> int:
    inner = ring.table(read_table(buffers, 512)[1:])
    outer = ring.table([(buffers.header, 16, NEXT, 1), (inner, 32, INDIRECT, 0)])
    ring.descriptor(0, (outer, 32, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


def _too_many_segments(ring: RawRing, buffers: Buffers) -> int:
    """One more than the function takes, in one table: many single bytes after the header."""
    count = 1024
    entries = [(buffers.header, 16, NEXT, 1)]
    entries += [(buffers.data + at, 1, NEXT | WRITE, at + 2) for at in range(count - 2)]
    entries.append((buffers.status, 1, WRITE, 0))
    ring.descriptor(0, (ring.table(entries), 16 * count, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


STOPPING = (
    BadRow("BAD-RING-01", "available index one past a full ring", _index_jump(1), 1),
    BadRow("BAD-RING-01", "available index far past a full ring", _index_jump(0x4000), 1),
    BadRow("BAD-RING-02", "available index moved back by one", _index_jump(-1), 1),
    BadRow("BAD-RING-03", "head equal to the queue size", _head(1), 1),
    BadRow("BAD-RING-03", "head ffff", _head(0), 1),
    BadRow("BAD-RING-05", "next equal to the queue size", _next_beyond, 1),
    BadRow("BAD-RING-05", "next ffff", _next_far_beyond, 1),
    BadRow("BAD-RING-06", "a descriptor that follows itself", _loop(0, 0), 1),
    BadRow("BAD-RING-06", "two descriptors in a ring", _loop(0, 1, 0), 2),
    BadRow("BAD-RING-06", "a loop into the middle", _loop(3, 1, 2, 1), 4),
    BadRow("BAD-RING-06", "a loop of writable descriptors", _writable_loop, 2),
    BadRow("BAD-RING-08", "a writable descriptor first", _writable_first),
    BadRow("BAD-RING-08", "a readable descriptor after a writable one", _readable_after_writable),
    BadRow("BAD-RING-09", "no writable descriptor", _readable_only, 1),
    BadRow("BAD-RING-09", "no readable descriptor", _writable_only, 2),
    BadRow("BAD-RING-10", "an empty header", _zero_length(0)),
    BadRow("BAD-RING-10", "empty data", _zero_length(1)),
    BadRow("BAD-RING-10", "an empty status", _zero_length(2)),
    BadRow("BAD-RING-15", "an indirect table of no bytes", _indirect_length(0), 1),
    BadRow("BAD-RING-16", "an indirect table of 15 bytes", _indirect_length(15), 1),
    BadRow("BAD-RING-16", "an indirect table of 49 bytes", _indirect_length(49), 1),
    BadRow("BAD-RING-16", "an indirect table of 40 bytes", _indirect_length(40), 1),
    BadRow("BAD-RING-16", "an indirect table of ffffffff bytes", _indirect_length(ALL_ONES), 1),
    BadRow("BAD-RING-22", "a table too short for its chain", _indirect_length(32), 1),
    BadRow("BAD-RING-18", "a table inside a table", _nested, 1),
    BadRow("BAD-RING-18", "a table after a buffer inside a table", _nested_later, 1),
    BadRow("BAD-RING-22", "next in a table equal to its entries", _indirect_next(1), 1),
    BadRow("BAD-RING-22", "next in a table far beyond it", _indirect_next(0xFF00), 1),
    BadRow("BAD-RING-06", "a loop inside a table", _indirect_loop, 1),
    BadRow("BAD-RING-34", "more segments than the function takes", _too_many_segments, 1),
    BadRow("BAD-BLK-02", "a header of 15 bytes", _short_header),
)


def _flags_in_unknown_bits(ring: RawRing, buffers: Buffers) -> int:
    for at, (address, length, flags, following) in enumerate(read_table(buffers, 512)):
        ring.descriptor(at, (address, length, flags | 0xFFF8, following))
    ring.slot(0, 0)
    return 1


def _next_without_flag(ring: RawRing, buffers: Buffers) -> int:
    for at, (address, length, flags, following) in enumerate(read_table(buffers, 512)):
        ring.descriptor(at, (address, length, flags, following if flags & NEXT else 0xFFFF))
    ring.slot(0, 0)
    return 1


def _indirect_and(extra: int) -> Builder:
    def build(ring: RawRing, buffers: Buffers) -> int:
        table = ring.table(read_table(buffers, 512))
        ring.descriptor(0, (table, 48, INDIRECT | extra, 0xFFFF))
        ring.slot(0, 0)
        return 1

    return build


def _indirect_after_direct(ring: RawRing, buffers: Buffers) -> int:
    table = ring.table([(buffers.data, 512, NEXT | WRITE, 1), (buffers.status, 1, WRITE, 0)])
    ring.descriptor(1, (buffers.header, 16, NEXT, 3))
    ring.descriptor(3, (table, 32, INDIRECT, 0))
    ring.slot(0, 1)
    return 1


def _table_out_of_order(ring: RawRing, buffers: Buffers) -> int:
    entries = [
        (buffers.header, 16, NEXT, 3),
        (buffers.status, 1, WRITE, 0),
        (0, 0, NEXT, 0xFFFF),
        (buffers.data, 512, NEXT | WRITE, 1),
    ]
    ring.descriptor(0, (ring.table(entries, align=4096, shift=4096 - 37), 64, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


def _table_with_tail(ring: RawRing, buffers: Buffers) -> int:
    entries = [*read_table(buffers, 512), (0, 0, 0, 0), (0, 0, 0, 0)]
    ring.descriptor(0, (ring.table(entries, shift=3), 80, INDIRECT, 0))
    ring.slot(0, 0)
    return 1


def _other_available_flags(ring: RawRing, buffers: Buffers) -> int:
    ring.flags(0xFFFE)
    ring.descriptors(dict(enumerate(read_table(buffers, 512))))
    ring.slot(0, 0)
    return 1


def _same_head_twice(ring: RawRing, buffers: Buffers) -> int:
    ring.descriptors(dict(enumerate(read_table(buffers, 512))))
    ring.slot(0, 0)
    ring.slot(1, 0)
    return 2


SERVED = (
    BadRow("BAD-RING-25", "unknown descriptor flags", _flags_in_unknown_bits),
    BadRow("VRING-DESC-10", "a next field without its flag", _next_without_flag),
    BadRow("BAD-RING-21", "an indirect descriptor marked writable", _indirect_and(WRITE), 1),
    BadRow("BAD-RING-19", "an indirect descriptor with a next", _indirect_and(NEXT), 1),
    BadRow("BAD-RING-20", "a table after a direct descriptor", _indirect_after_direct),
    BadRow("VRING-IND-06", "a table walked out of order, across a page, unaligned", _table_out_of_order, 1),
    BadRow("VRING-IND-07", "a table with unused entries at an odd address", _table_with_tail, 1),
    BadRow("BAD-RING-14", "a table although it was not negotiated", _indirect_and(0), 1, RingFeature.NONE),
    BadRow("BAD-RING-30", "other bits of the available flags", _other_available_flags),
    BadRow("BAD-RING-04", "the same head twice", _same_head_twice),
)
