"""What the guest asks of the disk: requests of every kind, in buffers cut and placed at random,
well made or not.
"""

from __future__ import annotations

import random
from struct import Struct

from tb.guest.errors import UsedRingError
from tb.guest.memory import SparseMemory
from tb.guest.registers import DescriptorFlag
from tb.guest.ring import DESCRIPTOR_BYTES, pack_descriptor
from tb.guest.virtqueue import Piece, SplitQueue

SLOT_BYTES = 0x4000
SLOTS = 24
HIGH = 0x12_3400_0000
SECTOR = 512
_HEADER = Struct("<IIQ")
_RANGE = Struct("<QII")
_U16 = Struct("<H")
IN, OUT, SCSI, FLUSH, GET_ID, DISCARD, WRITE_ZEROES = 0, 1, 2, 4, 8, 11, 13
_KINDS = (IN, OUT, FLUSH, GET_ID, SCSI, DISCARD, WRITE_ZEROES, 77, OUT | 1 << 31)
_WEIGHTS = (12, 12, 3, 2, 1, 1, 1, 1, 1)


class Apart:
    """Keeps requests in flight apart that the disk could not tell one from the other;
    `off` lets them be alike.
    """

    def __init__(self, *, off: bool) -> None:
        self._off = off
        self._held: dict[int, bytes] = {}

    def take(self, slot: int, request: tuple[bytes, int]) -> bool:
        """Whether the request of `slot` may go; then it is held until `free`."""
        key = _shown_to_disk(*request)
        if not self._off and key in self._held.values():
            return False
        self._held[slot] = key
        return True

    def free(self, slot: int) -> None:
        """The request of `slot` is done."""
        self._held.pop(slot, None)


def _shown_to_disk(readable: bytes, wanted: int) -> bytes:
    """What the disk sees of a request: zeros are a write like any other."""
    kind, sector = readable[0], readable[8:16]
    if kind == FLUSH:
        return readable[:1]
    count = len(readable) // SECTOR if kind != WRITE_ZEROES else readable[24]
    return bytes((OUT if kind == WRITE_ZEROES else kind,)) + sector + bytes((count, wanted // SECTOR))


class GuestQueue:
    """The driver's side of one queue. `spoilt`: what it did cannot end well, so that only a reset helps.

    Requests stay below `sectors` of the disk's `total`, or lie behind its end.
    """

    def __init__(
        self, memory: SparseMemory, number: int, size: int, sectors: tuple[int, int], apart: Apart
    ) -> None:
        self.memory = memory
        self.number = number
        self.sectors, self.total = sectors
        self.spoilt = False
        self._apart = apart
        self.ring = SplitQueue(memory, number, size)
        low = memory.allocate(SLOTS // 2 * SLOT_BYTES, 4096)
        high = HIGH + number * SLOTS * SLOT_BYTES
        self._places = [base + i * SLOT_BYTES for base in (low, high) for i in range(SLOTS // 2)]
        self._free = list(self._places)

    def start(self, rng: random.Random, *, event_idx: bool, indirect: bool) -> None:
        """Begin anew, after a reset."""
        ring = self.ring
        ring.event_idx, ring.indirect, ring.shuffle = event_idx, indirect, rng
        ring.reset()
        self._free = list(self._places)
        for place in self._places:
            self._apart.free(place)
        self.spoilt = False

    @property
    def room(self) -> bool:
        """Whether one more request can be made."""
        return bool(self._free) and self.ring.free_descriptors > 0 and not self.spoilt

    def collect(self) -> None:
        """Take back what was used."""
        try:
            for done in self.ring.collect():
                self._free.append(done.token)
                self._apart.free(done.token)
        except UsedRingError:
            self.spoilt = True

    def submit(self, rng: random.Random) -> int | None:
        """Put one request into the ring, not shown yet; its head, None when the ring has no room for it."""
        request = readable, writable = self._request(rng)
        slot = self._free.pop(rng.randrange(len(self._free)))
        if not self._apart.take(slot, request):
            self._free.append(slot)
            return None
        place = slot + rng.randrange(64)
        most = rng.choice((1, 2, 3, 6))
        pieces = self._place(rng, place, readable, most)
        answer = self._place(rng, place + 0x2000, bytes(writable), most)
        if len(pieces) + len(answer) > 14:
            pieces, answer = [(place, len(readable))], [(place + 0x2000, writable)] if writable else []
        needed = len(pieces) + len(answer)
        indirect = self.ring.indirect and rng.random() < 0.4
        if not self.ring.has_room(needed, indirect=indirect):
            self._free.append(slot)
            self._apart.free(slot)
            return None
        return self.ring.add(pieces, answer, slot, indirect=indirect or needed > self.ring.size)

    def _request(self, rng: random.Random) -> tuple[bytes, int]:
        """The readable bytes of a request, and how many it wants written."""
        kind = rng.choices(_KINDS, _WEIGHTS)[0]
        count = rng.choice((0, 1, 1, 1, 2, 4))
        sector = rng.randrange(self.sectors - 4) if rng.random() < 0.9 else self._beyond(rng)
        header = _HEADER.pack(kind, 0, sector)
        odd = rng.randrange(1, SECTOR) if rng.random() < 0.05 else 0
        if kind & 0x7FFFFFFF == OUT:
            return header + rng.randbytes(count * SECTOR + odd), 1
        if kind in (DISCARD, WRITE_ZEROES):
            return header + _RANGE.pack(sector, count, rng.choice((0, 0, 1, 2))), 1
        sizes = {IN: count * SECTOR + odd, GET_ID: rng.choice((20, 20, 8, 30)), SCSI: 112}
        return header, sizes.get(kind, 0) + 1

    def _beyond(self, rng: random.Random) -> int:
        """A sector near, at or behind the end of the disk."""
        if self.sectors < self.total:
            return self.total + rng.randrange(8)
        return self.total - 5 + rng.randrange(8)

    def _place(self, rng: random.Random, place: int, content: bytes, most: int) -> list[Piece]:
        """Cut `content` into up to `most` buffers, and put them down with gaps between."""
        if not content:
            return []
        inner = range(1, len(content))
        cuts = sorted(rng.sample(inner, min(rng.randrange(most), len(inner))))
        pieces = []
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            self.memory.write(place, content[start:end])
            pieces.append((place, end - start))
            place += end - start + rng.choice((0, 0, 1, 60))
        return pieces

    def publish(self) -> bool:
        """Show what was submitted; whether the function wants a kick."""
        return self.ring.publish()

    # --- suppression

    def suppress(self, rng: random.Random) -> None:
        """Change what the guest says about interrupts."""
        ring = self.ring
        match rng.randrange(5):
            case 0:
                ring.disable_interrupts()
            case 1:
                ring.enable_interrupts(rng.choice((1, 2, 5)))
            case 2:
                ring.set_used_event(ring.last_used + rng.randrange(-2, 6))
            case 3:
                ring.set_used_event(rng.randrange(1 << 16))
            case _:
                flags = rng.choice((0, 0, 1, 0xFFFE, 0xFFFF))
                self.memory.write(ring.ring.available, _U16.pack(flags))

    # --- chains that no driver makes

    def submit_malformed(self, rng: random.Random) -> None:
        """Put a chain into the ring that a correct driver never makes. A reset is due afterwards."""
        slot = self._free[0] if self._free else self._places[0]
        self.spoilt = True
        if self.ring.free_descriptors < 4:
            return
        size, where = self.ring.size, self.ring.ring
        self.memory.write(slot, _HEADER.pack(IN, 0, 1))
        head = self.ring.add(
            [(slot, 16), (slot + 0x100, 8)], [(slot + 0x200, SECTOR), (slot + 0x800, 1)], slot
        )
        entries = self.ring.in_flight[head].descriptors
        spot = where.descriptor(entries[rng.randrange(4)])
        following = entries[1]
        flags = int(DescriptorFlag.NEXT)
        match rng.randrange(9):
            case 0:
                raw = pack_descriptor(slot, 16, flags, entries[0])
                spot = where.descriptor(entries[1])
            case 1:
                raw = pack_descriptor(slot, 16, flags, size + rng.randrange(5))
            case 2:
                raw = pack_descriptor(slot, 0, flags, following)
                spot = where.descriptor(head)
            case 3:
                raw = pack_descriptor(slot + 0x900, 4, flags | DescriptorFlag.WRITE, following)
                spot = where.descriptor(head)
            case 4:
                raw = pack_descriptor(slot + 0x1000, rng.choice((0, 8, 24)), DescriptorFlag.INDIRECT)
                spot = where.descriptor(head)
            case 5:
                raw = self._nested(slot)
                spot = where.descriptor(head)
            case 6:
                raw = pack_descriptor(slot, 8, flags, entries[2])
                spot = where.descriptor(head)
            case 7:
                raw = pack_descriptor(slot, 16, 0)
                spot = where.descriptor(head)
            case _:
                position = self.ring.available_index - 1
                self.memory.write(where.available_slot(position), _U16.pack(size + rng.randrange(9)))
                return
        self.memory.write(spot, raw)

    def _nested(self, slot: int) -> bytes:
        """An indirect table whose first entry is INDIRECT itself."""
        table = slot + 0x1000
        self.memory.write(table, pack_descriptor(table + 0x100, DESCRIPTOR_BYTES, DescriptorFlag.INDIRECT))
        return pack_descriptor(table, 2 * DESCRIPTOR_BYTES, DescriptorFlag.INDIRECT)

    def jump(self, rng: random.Random) -> None:
        """Show an available index further ahead than the ring is long."""
        self.spoilt = True
        where = self.ring.ring
        index = int.from_bytes(self.memory.read(where.available_index, 2), "little")
        ahead = self.ring.size + 1 + rng.randrange(100)
        self.memory.write(where.available_index, _U16.pack((index + ahead) & 0xFFFF))
