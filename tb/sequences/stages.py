"""The states of the function as seen from outside: which packet or disk event has just passed.

A stage names a kind of thing that passes, where in the target queue's rings and buffers it lies, and what
work makes it pass at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tb.guest.block_request import BlockType
from tb.pcie.moment import Matcher, Passed, PassedKind
from tb.sequences.shot import Load, Wish

ANY = Wish()
Places = Callable[[Load], list[range]]


@dataclass(slots=True, frozen=True)
class Stage:
    """One state. Without `places` the thing belongs to no queue; without `kind` nothing is under way."""

    name: str
    kind: PassedKind | None
    places: Places | None = None
    wish: Wish = ANY

    def matcher(self, load: Load) -> Matcher:
        """What to wait for when `load` is the queue the shot is aimed at."""
        kind = self.kind
        if self.places is None:
            return lambda passed: passed.kind is kind
        places = self.places(load)

        def matches(passed: Passed) -> bool:
            return passed.kind is kind and passed.begins_in(places)

        return matches

    @property
    def is_read(self) -> bool:
        """Whether a DMA read belongs to it, which the host may answer wrongly."""
        return self.kind in (PassedKind.READ, PassedKind.ANSWER)


def _index(load: Load) -> list[range]:
    return [_bytes(load.ring.ring.available_index, 2)]


def _slots(load: Load) -> list[range]:
    return [range(load.ring.ring.available_slot(0), load.ring.ring.used_event)]


def _descriptors(load: Load) -> list[range]:
    return [range(load.ring.base, load.ring.ring.available)]


def _tables(load: Load) -> list[range]:
    return [chain.table for chain in load.chains]


def _headers(load: Load) -> list[range]:
    return [chain.header for chain in load.chains]


def _data(load: Load) -> list[range]:
    return [piece for chain in load.chains for piece in chain.data]


def _statuses(load: Load) -> list[range]:
    return [chain.status for chain in load.chains]


def _flags(load: Load) -> list[range]:
    return [_bytes(load.ring.ring.available, 2)]


def _used_event(load: Load) -> list[range]:
    return [_bytes(load.ring.ring.used_event, 2)]


def _elements(load: Load) -> list[range]:
    return [range(load.ring.ring.used_element(0), load.ring.ring.available_event)]


def _used_index(load: Load) -> list[range]:
    return [_bytes(load.ring.ring.used_index, 2)]


def _available_event(load: Load) -> list[range]:
    return [_bytes(load.ring.ring.available_event, 2)]


def _bytes(address: int, count: int) -> range:
    return range(address, address + count)


READS: tuple[tuple[str, Places, Wish], ...] = (
    ("available index", _index, ANY),
    ("available index of an empty ring", _index, Wish(idle=True)),
    ("available slot", _slots, ANY),
    ("descriptor", _descriptors, ANY),
    ("indirect table", _tables, Wish(indirect=True)),
    ("header", _headers, ANY),
    ("data of a write", _data, Wish(kind=BlockType.OUT)),
    ("flags", _flags, Wish(event_idx=False)),
    ("used_event", _used_event, Wish(event_idx=True)),
)
WRITES: tuple[tuple[str, Places, Wish], ...] = (
    ("data of a read", _data, Wish(kind=BlockType.IN)),
    ("status", _statuses, ANY),
    ("used element", _elements, ANY),
    ("used index", _used_index, ANY),
    ("avail_event", _available_event, Wish(event_idx=True)),
)
OTHERS: tuple[tuple[PassedKind, Wish], ...] = (
    (PassedKind.MEDIA_READ, Wish(kind=BlockType.IN)),
    (PassedKind.MEDIA_WRITE, Wish(kind=BlockType.OUT)),
    (PassedKind.MEDIA_FLUSH, Wish(kind=BlockType.FLUSH)),
    (PassedKind.MEDIA_DATA, Wish(kind=BlockType.OUT)),
    (PassedKind.MEDIA_RESPONSE, Wish(kind=BlockType.IN)),
    (PassedKind.MESSAGE, Wish(msix=True)),
    (PassedKind.ASSERT, Wish(msix=False)),
    (PassedKind.DEASSERT, Wish(msix=False)),
)


def _all() -> Iterable[Stage]:
    yield Stage("nothing under way", None)
    for name, places, wish in READS:
        yield Stage(f"{name} asked for", PassedKind.READ, places, wish)
        yield Stage(f"{name} answered", PassedKind.ANSWER, places, wish)
    for name, places, wish in WRITES:
        yield Stage(f"{name} written", PassedKind.WRITE, places, wish)
    for kind, wish in OTHERS:
        yield Stage(kind.value, kind, None, wish)


STAGES: tuple[Stage, ...] = tuple(_all())
