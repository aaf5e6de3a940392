"""A split ring in memory: where its parts lie and what its descriptors look like."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tb.guest.registers import QUEUE_ALIGN, DescriptorFlag

DESCRIPTOR_BYTES = 16
USED_ELEMENT_BYTES = 8
NO_INTERRUPT = 1
"""The only bit the available ring's flags have (VRING-INT-01)."""
NO_NOTIFY = 1
"""The only bit the used ring's flags have (VRING-KICK-01)."""
INDEX_MASK = 0xFFFF
"""Ring indices run freely modulo 2^16 (VRING-AV-02)."""
_DESCRIPTOR = struct.Struct("<QIHH")


@dataclass(slots=True, frozen=True)
class RingAddresses:
    """Where the parts of a ring of `size` entries lie when its descriptor table is at `base` (VPCI-Q-05)."""

    size: int
    base: int

    @property
    def available(self) -> int:
        return self.base + DESCRIPTOR_BYTES * self.size

    @property
    def available_index(self) -> int:
        return self.available + 2

    @property
    def used_event(self) -> int:
        return self.available + 4 + 2 * self.size

    @property
    def used(self) -> int:
        end = self.used_event + 2
        return -(-end // QUEUE_ALIGN) * QUEUE_ALIGN

    @property
    def used_index(self) -> int:
        return self.used + 2

    @property
    def available_event(self) -> int:
        return self.used + 4 + USED_ELEMENT_BYTES * self.size

    @property
    def end(self) -> int:
        return self.available_event + 2

    def descriptor(self, index: int) -> int:
        return self.base + DESCRIPTOR_BYTES * index

    def available_slot(self, position: int) -> int:
        return self.available + 4 + 2 * (position % self.size)

    def used_element(self, position: int) -> int:
        return self.used + 4 + USED_ELEMENT_BYTES * (position % self.size)

    @staticmethod
    def bytes_needed(size: int) -> int:
        """Length of a ring's memory from its base to its end."""
        return RingAddresses(size, 0).end


def pack_descriptor(address: int, length: int, flags: int = 0, following: int = 0) -> bytes:
    """The 16 bytes of one descriptor."""
    return _DESCRIPTOR.pack(address, length, flags, following)


def crossed(event: int, new: int, old: int) -> bool:
    """Whether moving a free-running index from `old` to `new` passes `event` (VRING-INT-03)."""
    return (new - event - 1) & INDEX_MASK < (new - old) & INDEX_MASK


def encode_chain(
    pieces: Sequence[tuple[int, int, bool]],
    entries: Sequence[int],
    extra: DescriptorFlag = DescriptorFlag.NONE,
) -> list[tuple[int, bytes]]:
    """Descriptors of a chain as (table index, 16 bytes). Each piece is address, length, device-writable.

    `entries` names the table entry each piece goes to; the last one carries no NEXT.
    """
    out = []
    last = len(pieces) - 1
    for position, (address, length, writable) in enumerate(pieces):
        flags = extra | (DescriptorFlag.WRITE if writable else DescriptorFlag.NONE)
        following = 0
        if position != last:
            flags |= DescriptorFlag.NEXT
            following = entries[position + 1]
        out.append((entries[position], pack_descriptor(address, length, flags, following)))
    return out
