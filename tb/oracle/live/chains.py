"""Random chains: streams of bytes cut into buffers, tables, and the ways in which drivers get them wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from tb.models.virtqueue import DESC_INDIRECT, DESC_NEXT, DESC_WRITE
from tb.oracle.live.plan import Plan
from tb.oracle.live.queue import Descriptor, PlannedQueue, linked, readable, writable

GUARD = 8  # bytes before and behind a writable buffer that must stay as they are
FILL = 0xAA

Places = list[tuple[int, int]]  # (address, length) of the pieces of a stream


def cut(plan: Plan, length: int, most: int) -> list[int]:
    """``length`` in up to ``most`` pieces, none of them empty."""
    if length <= 1 or most <= 1:
        return [length] if length else []
    marks = {plan.number(1, length - 1) for _ in range(plan.number(0, most - 1))}
    edges = [0, *sorted(marks), length]
    return [after - before for before, after in pairwise(edges)]


def put(plan: Plan, data: bytes, most: int) -> list[Descriptor]:
    """``data`` in guest memory, in up to ``most`` buffers."""
    parts = []
    for length in cut(plan, len(data), most):
        address = plan.buffer(length)
        plan.ram_w(address, data[:length])
        data = data[length:]
        parts.append(readable(address, length))
    return parts


def room(plan: Plan, length: int, most: int) -> tuple[list[Descriptor], Places]:
    """Room for ``length`` bytes in up to ``most`` buffers, filled, with a guard around each."""
    parts, places = [], []
    for piece in cut(plan, length, most):
        address = plan.buffer(piece + 2 * GUARD) + GUARD
        plan.ram_fill(address - GUARD, piece + 2 * GUARD, FILL)
        parts.append(writable(address, piece))
        places.append((address, piece))
    return parts, places


def look_at(plan: Plan, places: Places) -> None:
    """Read what ``room`` gave, guards included."""
    for address, length in places:
        plan.ram_r(address - GUARD, length + 2 * GUARD)


def offer_chain(queue: PlannedQueue, parts: list[Descriptor], places: list[int], indirect: bool) -> None:
    """Make ``parts`` available at descriptors ``places`` (one suffices for an indirect chain)."""
    if indirect:
        parts = [queue.write_table(parts)]
        places = places[:1]
    queue.write_chain(parts, places)
    queue.offer(places[0])


# --- what broken drivers do

_LENGTHS = (1, 15, 16, 17, 511, 4096, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_ADDRESSES = (0x9FFF8, 0xA0000, 0xF0000, 0x3FFFFF0, 0x4000000, 0x100000000, 0xFFFFFFFFFFFFFFF0)


def _bad_next(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    following = queue.plan.choose((queue.size, 0xFFFF, places[0], places[at], queue.size - 1))
    parts[at] = replace(parts[at], flags=parts[at].flags | DESC_NEXT, next=following)


def _bad_length(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    parts[at] = replace(parts[at], length=queue.plan.choose(_LENGTHS))


def _empty(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    parts[at] = replace(parts[at], length=0)


def _bad_address(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    parts[at] = replace(parts[at], address=queue.plan.choose(_ADDRESSES))


def _bad_direction(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    parts[at] = replace(parts[at], flags=parts[at].flags ^ DESC_WRITE)


def _bad_flags(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    extra = queue.plan.choose(
        (DESC_INDIRECT, 8, 0xFFF8, DESC_INDIRECT | DESC_NEXT, DESC_INDIRECT | DESC_WRITE)
    )
    parts[at] = replace(parts[at], flags=parts[at].flags | extra)


def _cut_short(queue: PlannedQueue, parts: list[Descriptor], places: list[int], at: int) -> None:
    parts[at] = replace(parts[at], flags=parts[at].flags & ~DESC_NEXT)


_Mistake = Callable[[PlannedQueue, list[Descriptor], list[int], int], None]
MISTAKES: tuple[_Mistake, ...] = (
    _bad_next,
    _bad_length,
    _empty,
    _bad_address,
    _bad_direction,
    _bad_flags,
    _cut_short,
)


def offer_broken(queue: PlannedQueue, parts: list[Descriptor], indirect: bool, spare: int = 0) -> None:
    """Make ``parts``, linked, available with a mistake in a descriptor, in the table's or in the ring.

    The first ``spare`` descriptors have no mistake.
    """
    plan = queue.plan
    places = list(range(len(parts))) if indirect else queue.indices(len(parts))
    links = linked(parts, places)
    if len(links) > spare and plan.chance(0.9):
        plan.choose(MISTAKES)(queue, links, places, plan.number(spare, len(links) - 1))
    if indirect:
        places = _broken_table(queue, links)
    else:
        for place, part in zip(places, links, strict=True):
            queue.write_descriptor(place, part)
    head = places[0] if places else 0
    queue.offer(plan.choose((queue.size, 0x8000, 0xFFFF)) if plan.chance(0.05) else head)


def _broken_table(queue: PlannedQueue, links: list[Descriptor]) -> list[int]:
    plan = queue.plan
    address = queue.put_table(links)
    length = 16 * len(links)
    if plan.chance(0.3):
        length = plan.choose((0, 1, 8, length - 16, length + 8, length + 16, 16 * 1025, 0x80000000))
    places = queue.indices(1)
    flags = DESC_INDIRECT
    if plan.chance(0.2):
        flags |= plan.choose((DESC_NEXT, DESC_WRITE))
    queue.write_descriptor(places[0], Descriptor(address, max(length, 0), flags, plan.number(0, queue.size)))
    return places
