"""The device's end of one virtqueue: takes chains from the available ring, puts them on the used ring.

Used by the actor only. All reads and writes go through the ``Memory`` it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache
from struct import Struct

from tb.models.memory import Mapping, Memory
from tb.models.profile import Profile
from tb.models.virtqueue import (
    DESC_INDIRECT,
    DESC_WRITE,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    F_EVENT_IDX,
    F_INDIRECT_DESC,
    F_NOTIFY_ON_EMPTY,
    USED_NO_NOTIFY,
    Chain,
    ChainError,
    Fetch,
    FetchKind,
    RingLayout,
    needs_interrupt,
    walk_chain,
)

_U16 = Struct("<H")
_USED_ELEMENT = Struct("<II")


class DeviceRing:
    """State of one queue on the device's side.

    Attributes:
        size: entries of the queue.
        layout: where it lies, None while it has no address.
        next_available, next_used: free-running 16-bit indices of the next chain to take and to give back.
        in_flight: chains taken and not given back.
        kicks: whether the device asks for notifications.
        stopped: a malformed chain has stopped this queue until reset.
    """

    __slots__ = (
        "_features",
        "_known_index",
        "_mapping",
        "_memory",
        "_profile",
        "_signalled",
        "_signalled_valid",
        "_survey",
        "in_flight",
        "kicks",
        "layout",
        "next_available",
        "next_used",
        "size",
        "stopped",
    )

    def __init__(
        self,
        size: int,
        profile: Profile,
        memory: Memory,
        features: Callable[[], int],
        mapping: Mapping | None = None,
    ) -> None:
        self.size = size
        self._profile = profile
        self._survey = _surveying(profile)
        self._memory = memory
        self._mapping = mapping
        self._features = features
        self.reset()

    def reset(self) -> None:
        """No address, all indices zero."""
        self.layout: RingLayout | None = None
        self.next_available = 0
        self.next_used = 0
        self.in_flight = 0
        self.kicks = True
        self.stopped = False
        self._known_index = 0
        self._signalled = 0
        self._signalled_valid = self._profile.first_decision == "by_event"

    def move(self, pfn: int) -> None:
        """The queue lies at ``pfn`` now; indices stay as they are (VPCI-Q-11)."""
        self.layout = RingLayout.of(pfn, self.size)

    def _has(self, feature: int) -> bool:
        return bool(self._features() >> feature & 1)

    def _read_u16(self, address: int) -> int:
        return int.from_bytes(self._memory.read(address, 2), "little")

    # --- available ring

    def _read_available_index(self) -> int:
        assert self.layout is not None
        self._known_index = self._read_u16(self.layout.available_index)
        return self._known_index

    def empty(self) -> bool:
        """Whether no chain waits. The index is read anew only when all known chains are taken."""
        if self.layout is None:
            return True
        if self._known_index != self.next_available:
            return False
        return self._read_available_index() == self.next_available

    def pop(self) -> Chain | None:
        """Take the next chain. Raises ``ChainError`` for one that stops the queue."""
        if self.empty():
            return None
        assert self.layout is not None
        profile = self._profile
        ahead = (self._known_index - self.next_available) & 0xFFFF
        if profile.available_jump == "stop" and ahead > self.size:
            raise ChainError("BAD-RING-01", f"the available index is {ahead} ahead of a ring of {self.size}")
        if self.in_flight >= self.size:
            raise ChainError("BAD-RING-26", f"more than {self.size} chains are in flight")
        head = self._next_head()
        walk = walk_chain(self.layout, head, profile, indirect_negotiated=self._has(F_INDIRECT_DESC))
        self._announce(head)
        chain = self._walked(walk)
        self.in_flight += 1
        return chain

    def _next_head(self) -> int:
        assert self.layout is not None
        head = self._read_u16(self.layout.available_slot(self.next_available))
        self.next_available = self.next_available + 1 & 0xFFFF
        return head

    def _announce(self, head: int) -> None:
        """With EVENT_IDX, ask for a kick for the chain after the one just taken."""
        if head < self.size and self._profile.avail_event == "per_chain" and self._has(F_EVENT_IDX):
            self._publish_avail_event(self.next_available)

    def pop_unread(self) -> int:
        """Take the head of the next chain, which must be there, and leave its descriptors alone."""
        head = self._next_head()
        if head >= self.size:
            raise ChainError("BAD-RING-03", f"head {head} is not below the queue size {self.size}")
        self._announce(head)
        self.in_flight += 1
        return head

    def _walked(self, walk: Generator[Fetch, bytes, Chain]) -> Chain:
        try:
            fetch = next(walk)
            while True:
                fetch = walk.send(self._fetched(fetch))
        except StopIteration as done:
            chain: Chain = done.value
            return chain

    def _fetched(self, fetch: Fetch) -> bytes:
        if fetch.kind is FetchKind.INDIRECT and fetch.index == 0 and self._mapping is not None:
            self._mapping.map_table(fetch.address, fetch.entries * DESCRIPTOR_BYTES)
        return self._memory.read(fetch.address, fetch.length)

    def unpop(self) -> None:
        """Give the chain taken last back to the available ring."""
        self.next_available = self.next_available - 1 & 0xFFFF
        self.in_flight -= 1

    def available_bytes(self, limit: int) -> int:
        """Writable bytes in all waiting chains, counted until ``limit``. Raises ``ChainError``."""
        total = buffers = 0
        index = self.next_available
        if self.layout is None:
            return 0
        waiting = self._read_available_index() - index & 0xFFFF
        if waiting > self.size:
            raise ChainError(
                "BAD-RING-01", f"the available index is {waiting} ahead of a ring of {self.size}"
            )
        while index != self._known_index and total < limit:
            head = self._read_u16(self.layout.available_slot(index))
            found, taken = self._survey_chain(head, limit - total, buffers)
            total += found
            buffers += taken
            index = index + 1 & 0xFFFF
        return total

    def _survey_chain(self, head: int, limit: int, before: int) -> tuple[int, int]:
        """Writable bytes of one chain, looked at until ``limit``, and how many of the queue's descriptors."""
        assert self.layout is not None
        walk = walk_chain(self.layout, head, self._survey, indirect_negotiated=self._has(F_INDIRECT_DESC))
        total = taken = inside = 0
        try:
            fetch = next(walk)
            while True:
                raw = self._fetched(fetch)
                _, length, flags, _ = DESCRIPTOR.unpack(raw)
                if fetch.kind is FetchKind.DIRECT:
                    taken, inside = taken + 1, 0
                    self._check_survey(before + taken)
                else:
                    inside += 1
                    _check_table(inside, fetch.entries)
                is_table = flags & DESC_INDIRECT and fetch.kind is FetchKind.DIRECT and taken == 1
                if flags & DESC_WRITE and not is_table:
                    total += length
                    if total >= limit:
                        break
                fetch = walk.send(raw)
        except StopIteration:
            pass
        return total, taken

    def _check_survey(self, descriptors: int) -> None:
        if descriptors > self.size and self._profile.survey_limit == "all_chains":
            raise ChainError("VRING-DESC-04", f"all chains together have more than {self.size} descriptors")

    # --- kicks

    def set_kicks(self, wanted: bool) -> None:
        """Ask the driver for notifications, or for none, as far as the profile lets that show."""
        if self.layout is None:
            return
        self.kicks = wanted
        if self._has(F_EVENT_IDX):
            index = self._read_available_index()
            self._publish_avail_event(index)
        elif self._profile.used_flags == "toggles":
            flags = self._read_u16(self.layout.used_flags)
            flags = flags & ~USED_NO_NOTIFY if wanted else flags | USED_NO_NOTIFY
            self._memory.write(self.layout.used_flags, _U16.pack(flags))

    def _publish_avail_event(self, index: int) -> None:
        if self.kicks and self.layout is not None:
            self._memory.write(self.layout.avail_event, _U16.pack(index))

    # --- used ring

    def push(self, *used: tuple[int, int]) -> None:
        """Give back chains as (head, length): all elements, then the index once (VRING-US-03)."""
        assert self.layout is not None
        old = self.next_used
        for place, element in enumerate(used):
            self._memory.write(self.layout.used_element(old + place), _USED_ELEMENT.pack(*element))
        new = old + len(used) & 0xFFFF
        self.next_used = new
        self._memory.write(self.layout.used_index, _U16.pack(new))
        self.in_flight -= len(used)
        if self._profile.first_decision == "interrupts" and _signed(new - self._signalled) < len(used):
            self._signalled_valid = False

    def wants_interrupt(self, *, closed: bool = False) -> bool:
        """Whether what was put on the used ring since the last call interrupts the guest.

        ``closed``: the device takes no more chains, so the queue counts as empty (VRING-INT-05).
        """
        assert self.layout is not None
        features = self._features()
        if features >> F_NOTIFY_ON_EMPTY & 1 and self.in_flight == 0 and (closed or self.empty()):
            return True
        if not features >> F_EVENT_IDX & 1:
            flags = self._read_u16(self.layout.available_flags)
            return needs_interrupt(features, flags=flags, used_event=0, new=0, old=None, drained=False)
        old = self._signalled if self._signalled_valid else None
        self._signalled = self.next_used
        self._signalled_valid = True
        event = self._read_u16(self.layout.used_event)
        return needs_interrupt(
            features, flags=0, used_event=event, new=self.next_used, old=old, drained=False
        )


@cache
def _surveying(profile: Profile) -> Profile:
    """``profile`` for looking ahead: what only matters when a chain is taken does not stop the queue."""
    return replace(profile, zero_length_descriptor="accept", writable_before_readable="accept")


def _signed(value: int) -> int:
    """The low 16 bits of ``value`` as a signed number."""
    value &= 0xFFFF
    return value - 0x10000 if value & 0x8000 else value


def _check_table(descriptors: int, entries: int) -> None:
    if descriptors > entries:
        raise ChainError("VRING-DESC-04", f"a chain runs past {entries} descriptors: it is a loop")
