"""The driver's half of a split virtqueue: it makes chains available and takes back what was used.

It suspects the device: every used element is held against what is in flight (BAD-DEV-01 to -05), and a head
is free again only after the device has returned it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tb.guest.errors import GuestUsageError, UsedRingError
from tb.guest.host_bus import HostMemory
from tb.guest.registers import QUEUE_ALIGN, DescriptorFlag
from tb.guest.ring import (
    DESCRIPTOR_BYTES,
    INDEX_MASK,
    NO_INTERRUPT,
    NO_NOTIFY,
    USED_ELEMENT_BYTES,
    RingAddresses,
    crossed,
    encode_chain,
)

_U16 = struct.Struct("<H")
_USED_ELEMENT = struct.Struct("<II")

Piece = tuple[int, int]
"""A run of guest memory: address and length in bytes."""


@dataclass(slots=True)
class InFlight:
    """A chain the device has and the driver has not got back."""

    token: Any
    descriptors: tuple[int, ...]
    writable_bytes: int


@dataclass(slots=True, frozen=True)
class Completion:
    """One used element: the token given to `add`, the head, the bytes the device claims to have written."""

    token: Any
    head: int
    length: int


@dataclass(slots=True)
class QueueCounts:
    """How much one queue has seen since it was made."""

    chains: int = 0
    indirect_chains: int = 0
    kicks: int = 0
    kicks_suppressed: int = 0
    completions: int = 0


@dataclass(slots=True)
class _Table:
    address: int = 0
    entries: int = 0


@dataclass(slots=True)
class SplitQueue:
    """One queue. `size` comes from the device; the ring's memory is allocated at once and zeroed.

    `event_idx` and `indirect` say what was negotiated. `shuffle` takes free descriptors in random order, so
    that chains are scattered over the table.
    """

    memory: HostMemory
    index: int
    size: int
    event_idx: bool = False
    indirect: bool = False
    shuffle: random.Random | None = None
    base: int = 0
    counts: QueueCounts = field(default_factory=QueueCounts)
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    ring: RingAddresses = field(init=False)
    _free: list[int] = field(init=False)
    _tables: dict[int, _Table] = field(default_factory=dict)
    _available_index: int = 0
    _published: int = 0
    _last_used: int = 0
    _batch: int = 1
    _interrupts: bool = True

    def __post_init__(self) -> None:
        if self.size < 1 or self.size & (self.size - 1) or self.size > 32768:
            raise GuestUsageError(f"a split ring cannot have {self.size} entries")
        if self.base == 0:
            self.base = self.memory.allocate(RingAddresses.bytes_needed(self.size), QUEUE_ALIGN)
        self.reset()

    @property
    def pfn(self) -> int:
        """The queue address register's value."""
        return self.base // QUEUE_ALIGN

    @property
    def free_descriptors(self) -> int:
        return len(self._free)

    @property
    def outstanding(self) -> int:
        return len(self.in_flight)

    @property
    def available_index(self) -> int:
        """Free-running index of the next chain to be added, modulo 2^16."""
        return self._available_index

    @property
    def last_used(self) -> int:
        """Free-running index of the next used element to be taken, modulo 2^16."""
        return self._last_used

    def reset(self) -> None:
        """Zero the ring and forget everything in flight, as before writing the PFN (VPCI-Q-12)."""
        self.ring = RingAddresses(self.size, self.base)
        self.memory.write(self.base, bytes(self.ring.end - self.base))
        self._free = list(range(self.size - 1, -1, -1))
        if self.shuffle is not None:
            self.shuffle.shuffle(self._free)
        self.in_flight.clear()
        self._available_index = self._published = self._last_used = 0
        self.enable_interrupts(self._batch)

    def add(
        self, readable: Sequence[Piece], writable: Sequence[Piece], token: Any, *, indirect: bool = False
    ) -> int:
        """Put one chain into the ring without showing it yet; returns its head.

        GuestUsageError when the ring has no room, the chain is empty, or `indirect` was not negotiated.
        """
        pieces = [(address, length, False) for address, length in readable]
        pieces += [(address, length, True) for address, length in writable]
        if not pieces:
            raise GuestUsageError("a chain needs at least one buffer")
        if indirect and not self.indirect:
            raise GuestUsageError("indirect descriptors were not negotiated")
        needed = 1 if indirect else len(pieces)
        if needed > len(self._free):
            raise GuestUsageError(f"queue {self.index} has {len(self._free)} free descriptors, not {needed}")
        taken = tuple(self._free.pop() for _ in range(needed))
        head = taken[0]
        if indirect:
            pieces_in_ring = [self._write_table(head, pieces)]
            encoded = encode_chain(pieces_in_ring, taken, DescriptorFlag.INDIRECT)
            self.counts.indirect_chains += 1
        else:
            encoded = encode_chain(pieces, taken)
        for entry, raw in encoded:
            self.memory.write(self.ring.descriptor(entry), raw)
        self.in_flight[head] = InFlight(token, taken, sum(length for _, length in writable))
        self._offer(head)
        return head

    def chooses_indirect(self, pieces: int, *, wanted: bool) -> bool:
        """Whether a chain goes into an indirect table: as wished, or because the ring could never hold it."""
        return wanted or (self.indirect and pieces > self.size)

    def has_room(self, pieces: int, *, indirect: bool) -> bool:
        """Whether a chain of so many buffers can be added now."""
        return len(self._free) >= (1 if self.chooses_indirect(pieces, wanted=indirect) else pieces)

    def publish(self) -> bool:
        """Show what was added. True when the device has asked to be notified of it (VRING-KICK-03)."""
        new, old = self._available_index, self._published
        if new == old:
            return False
        self.memory.write(self.ring.available_index, _U16.pack(new))
        self._published = new
        if self.event_idx:
            wanted = crossed(self._read16(self.ring.available_event), new, old)
        else:
            wanted = not self._read16(self.ring.used) & NO_NOTIFY
        if wanted:
            self.counts.kicks += 1
        else:
            self.counts.kicks_suppressed += 1
        return wanted

    def collect(self) -> list[Completion]:
        """Take every used element the device shows. UsedRingError when it shows nonsense."""
        used_index = self._read16(self.ring.used_index)
        fresh = (used_index - self._last_used) & INDEX_MASK
        if fresh == 0:
            return []
        if fresh > len(self.in_flight):
            what = f"queue {self.index}: used index moved by {fresh}, {len(self.in_flight)} chains in flight"
            raise UsedRingError("BAD-DEV-05", what)
        done = []
        for _ in range(fresh):
            raw = self.memory.read(self.ring.used_element(self._last_used), USED_ELEMENT_BYTES)
            done.append(self._take(*_USED_ELEMENT.unpack(raw)))
            self._last_used = (self._last_used + 1) & INDEX_MASK
        self.counts.completions += fresh
        self._rearm()
        return done

    def enable_interrupts(self, batch: int = 1) -> None:
        """Ask for an interrupt after `batch` more used elements (always 1 without EVENT_IDX)."""
        self._interrupts = True
        self._batch = batch
        if not self.event_idx:
            self.memory.write(self.ring.available, _U16.pack(0))
        self._rearm()

    def disable_interrupts(self) -> None:
        """Ask for no interrupts: a hint the device should follow (VRING-INT-01, VRING-INT-02)."""
        self._interrupts = False
        if self.event_idx:
            self.set_used_event(self._last_used - 1)
        else:
            self.memory.write(self.ring.available, _U16.pack(NO_INTERRUPT))

    def has_used(self) -> bool:
        """Whether the device has returned something that was not collected yet."""
        return self._read16(self.ring.used_index) != self._last_used

    def set_used_event(self, index: int) -> None:
        """Write the used_event field with any value, modulo 2^16."""
        self.memory.write(self.ring.used_event, _U16.pack(index & INDEX_MASK))

    def place_next_table(self, address: int, entries: int) -> None:
        """Put the indirect table of the next indirect chain at any address; it has room for `entries`."""
        self._tables[self._free[-1]] = _Table(address, entries)

    def _rearm(self) -> None:
        if self.event_idx and self._interrupts:
            ahead = max(1, min(self._batch, len(self.in_flight)))
            self.set_used_event(self._last_used + ahead - 1)

    def _offer(self, head: int) -> None:
        self.memory.write(self.ring.available_slot(self._available_index), _U16.pack(head))
        self._available_index = (self._available_index + 1) & INDEX_MASK
        self.counts.chains += 1

    def _write_table(self, head: int, pieces: Sequence[tuple[int, int, bool]]) -> tuple[int, int, bool]:
        table = self._tables.setdefault(head, _Table())
        if table.entries < len(pieces):
            table.entries = max(8, len(pieces))
            table.address = self.memory.allocate(table.entries * DESCRIPTOR_BYTES)
        raw = b"".join(data for _, data in encode_chain(pieces, range(len(pieces))))
        self.memory.write(table.address, raw)
        return table.address, len(raw), False

    def _take(self, head: int, length: int) -> Completion:
        if head >= self.size:
            raise UsedRingError("BAD-DEV-01", f"queue {self.index}: used id {head} in a ring of {self.size}")
        chain = self.in_flight.pop(head, None)
        if chain is None:
            raise self._not_a_head(head)
        if length > chain.writable_bytes:
            what = f"queue {self.index}: used length {length} for {chain.writable_bytes} writable bytes"
            raise UsedRingError("BAD-DEV-04", what)
        self._free.extend(reversed(chain.descriptors))
        return Completion(chain.token, head, length)

    def _not_a_head(self, head: int) -> UsedRingError:
        if any(head in chain.descriptors for chain in self.in_flight.values()):
            return UsedRingError("BAD-DEV-03", f"queue {self.index}: used id {head} is inside a chain")
        return UsedRingError("BAD-DEV-02", f"queue {self.index}: used id {head} is not in flight")

    def _read16(self, address: int) -> int:
        value: int = _U16.unpack(self.memory.read(address, 2))[0]
        return value
