"""Ways to spoil a chain: each takes the descriptors of a good one and makes them malformed or odd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tb.guest.registers import DescriptorFlag

NEXT, WRITE, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.WRITE, DescriptorFlag.INDIRECT
FAR = 1 << 44


@dataclass(slots=True)
class Draft:
    """A chain that is being built.

    `entries` are address, length, flags, next, where next counts within the chain. `table_length` replaces
    the length of an indirect table, `outer` is added to the flags of the descriptor that points to it, `head`
    replaces the head in the available slot, `nested` puts the whole into one more table.
    """

    entries: list[list[int]]
    size: int
    table_length: int | None = None
    outer: int = 0
    head: int | None = None
    nested: bool = False
    links: dict[int, int] = field(default_factory=dict)
    """Next fields that are written as they are, by position in the chain."""


Spoil = Callable[[Draft, int], None]


def _link_last(to: Callable[[Draft, int], int]) -> Spoil:
    def spoil(draft: Draft, extra: int) -> None:
        draft.entries[-1][2] |= NEXT
        draft.links[len(draft.entries) - 1] = to(draft, extra) & 0xFFFF

    return spoil


def _loop(draft: Draft, extra: int) -> None:
    last = draft.entries[-1]
    last[2] |= NEXT
    last[3] = extra % len(draft.entries)


def _empty(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][1] = 0


def _turn_direction(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][2] ^= WRITE


def _all_readable(draft: Draft, _extra: int) -> None:
    for entry in draft.entries:
        entry[2] &= ~WRITE


def _all_writable(draft: Draft, _extra: int) -> None:
    for entry in draft.entries:
        entry[2] |= WRITE


def _cut_header(draft: Draft, extra: int) -> None:
    draft.entries[0][1] = extra % 16


def _unknown_flags(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][2] |= 0xFFF8


def _stray_table(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][2] |= INDIRECT


def _end_early(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][2] &= ~NEXT


def _far(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][0] += FAR * (1 + (extra >> 4) % 1024)


def _long(draft: Draft, extra: int) -> None:
    draft.entries[extra % len(draft.entries)][1] += 65536


def _head(draft: Draft, extra: int) -> None:
    draft.head = max(extra, draft.size) & 0xFFFF


def _table_length(draft: Draft, extra: int) -> None:
    draft.table_length = extra


def _outer_flags(draft: Draft, extra: int) -> None:
    draft.table_length = 16 * len(draft.entries)
    draft.outer = (NEXT, WRITE, NEXT | WRITE, 0xFFF8)[extra % 4]


def _nest(draft: Draft, _extra: int) -> None:
    draft.table_length = 16 * len(draft.entries)
    draft.nested = True


SPOILS: dict[str, Spoil] = {
    "loop": _loop,
    "next_beyond": _link_last(lambda draft, extra: max(extra, draft.size)),
    "next_anywhere": _link_last(lambda _draft, extra: extra),
    "empty": _empty,
    "turn_direction": _turn_direction,
    "all_readable": _all_readable,
    "all_writable": _all_writable,
    "cut_header": _cut_header,
    "unknown_flags": _unknown_flags,
    "stray_table": _stray_table,
    "end_early": _end_early,
    "far": _far,
    "long": _long,
    "head": _head,
    "table_length": _table_length,
    "outer_flags": _outer_flags,
    "nest": _nest,
}
