"""Builds the chains that genomes ask for into a raw ring: whole requests cut anywhere, and spoilt ones."""

from __future__ import annotations

from dataclasses import dataclass

from tb.fuzz.spoils import INDIRECT, NEXT, SPOILS, WRITE, Draft
from tb.guest.block_request import BlockType
from tb.sequences.raw_ring import STATUS_POISON, Entry, RawRing

HEADER = 16
SECTOR_MASK = (1 << 64) - 1
PATTERN = bytes(range(1, 252)) * 40
"""What a write carries, in a period that divides no power of two."""


@dataclass(slots=True, frozen=True)
class Wish:
    """One request: type, sector, payload bytes in `pieces` buffers `shift` bytes off a page.

    `table`: 0 descriptors in the ring, 1 all in an indirect table, 2 the header in the ring and the rest in
    a table.
    """

    kind: int = BlockType.IN
    sector: int = 0
    length: int = 512
    pieces: int = 1
    shift: int = 0
    table: int = 0


@dataclass(slots=True)
class RingState:
    """A ring and how far the guest has come with it: chains in its slots, its next free descriptor."""

    ring: RawRing
    offered: int = 0
    published: int = 0
    next_free: int = 0
    busy: int = 0

    @property
    def waiting(self) -> int:
        """Chains in the slots that the function has not used, as far as the used index tells."""
        return (self.offered - self.ring.used_index()) & 0xFFFF


def offer(state: RingState, wish: Wish, spoil: str = "", extra: int = 0) -> bool:
    """Write a chain and its slot; False when the ring has no room for it, and nothing is written."""
    ring = state.ring
    if state.waiting >= ring.size:
        return False
    draft = Draft(_entries(ring, wish), ring.size)
    if spoil:
        SPOILS[spoil](draft, extra)
    entries = _linked(draft)
    if draft.table_length is not None or wish.table:
        entries = _in_table(ring, draft, entries, wish.table)
    if state.waiting == 0:
        state.busy = 0
    if state.busy + len(entries) > ring.size:
        return False
    state.busy += len(entries)
    places = [(state.next_free + at) % ring.size for at in range(len(entries))]
    for at, (address, length, flags, following) in enumerate(entries):
        inside = flags & NEXT and following < len(entries) and at not in draft.links
        ring.descriptor(places[at], (address, length, flags, places[following] if inside else following))
    ring.slot(state.offered, places[0] if draft.head is None else draft.head)
    state.next_free = (state.next_free + len(entries)) % ring.size
    state.offered = (state.offered + 1) & 0xFFFF
    return True


def _entries(ring: RawRing, wish: Wish) -> list[list[int]]:
    """Header, data, status as address, length, flags, next."""
    memory = ring.memory
    header = memory.allocate(HEADER + 1)
    status = header + HEADER
    kind, sector = wish.kind & 0xFFFF_FFFF, wish.sector & SECTOR_MASK
    memory.write(header, kind.to_bytes(4, "little") + bytes(4) + sector.to_bytes(8, "little"))
    memory.write(status, bytes((STATUS_POISON,)))
    outward = kind & 1
    entries = [[header, HEADER, NEXT, 0]]
    if wish.length:
        data = memory.allocate(wish.length + wish.shift, 4096) + wish.shift
        if outward:
            memory.write(data, PATTERN[: wish.length])
        flags = NEXT if outward else NEXT | WRITE
        entries += [[at, length, flags, 0] for at, length in _pieces(data, wish.length, wish.pieces)]
    return [*entries, [status, 1, WRITE, 0]]


def _pieces(address: int, length: int, pieces: int) -> list[tuple[int, int]]:
    """A buffer in so many parts of odd lengths, fewer where there are too few bytes."""
    pieces = max(pieces, 1)
    step = max(length // pieces | 1, 1)
    cuts = [min(step * at, length) for at in range(pieces)]
    ends = [*cuts[1:], length]
    return [(address + start, end - start) for start, end in zip(cuts, ends, strict=True) if end > start]


def _linked(draft: Draft) -> list[Entry]:
    """The entries with their next fields: each to the one behind it, unless a spoil has said otherwise."""
    last = len(draft.entries) - 1
    linked = []
    for at, (address, length, flags, following) in enumerate(draft.entries):
        after = draft.links.get(at, following if at == last else at + 1)
        linked.append((address & SECTOR_MASK, length & 0xFFFF_FFFF, flags, after))
    return linked


def _in_table(ring: RawRing, draft: Draft, entries: list[Entry], table: int) -> list[Entry]:
    """The entries in an indirect table; what is left is the ring's own part of the chain."""
    if draft.nested:
        entries = [(ring.table(entries), 16 * len(entries), INDIRECT, 0)]
    if table == 2 and len(entries) > 1:
        head, rest = entries[0], entries[1:]
        moved = [(a, n, f, max(t - 1, 0) if f & NEXT else t) for a, n, f, t in rest]
        length = 16 * len(rest) if draft.table_length is None else draft.table_length
        return [(*head[:3], 1), (ring.table(moved), length, INDIRECT | draft.outer, 0)]
    length = 16 * len(entries) if draft.table_length is None else draft.table_length
    return [(ring.table(entries, shift=draft.outer & 1), length & 0xFFFF_FFFF, INDIRECT | draft.outer, 0)]
