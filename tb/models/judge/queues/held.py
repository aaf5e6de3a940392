"""Used elements that may be written in any order, and again, until the used index publishes them."""

from __future__ import annotations

from struct import Struct

from tb.models.judge.queues.chains import Chains
from tb.models.judge.queues.image import Image
from tb.models.judge.queues.state import QueueState
from tb.models.virtqueue import USED_ELEMENT_BYTES

_RING = 4
_ELEMENT = Struct("<II")


class HeldElements:
    """The elements written and not published; `chains` judges each when the index shows it to the guest."""

    __slots__ = ("_chains", "_image", "_queue", "_slots")

    def __init__(self, queue: QueueState, chains: Chains) -> None:
        self._queue = queue
        self._chains = chains
        self._image = Image()
        self._slots: set[int] = set()

    def write(self, first: int, data: bytes) -> None:
        """Bytes of elements, from ring byte `first` on: of slots that the guest has no business with yet."""
        queue = self._queue
        size = queue.layout.size
        slots = range(
            (first - _RING) // USED_ELEMENT_BYTES, -(-(first + len(data) - _RING) // USED_ELEMENT_BYTES)
        )
        for slot in slots:
            ahead = (slot - queue.published) % size
            if ahead >= len(queue.chains):
                queue.verdict(
                    "VRING-US-03",
                    f"used slot {slot} is written, which no chain in flight can fill next",
                    f"from slot {queue.published % size} on, {len(queue.chains)} slots",
                )
        self._slots.update(slots)
        self._image.write(first, data)
        queue.elements = len(self._slots)

    def publish(self, value: int) -> None:
        """The used index becomes `value`: the elements up to it are the guest's."""
        queue = self._queue
        while queue.published != value:
            raw = self._take(queue.published % queue.layout.size)
            if raw is None:
                queue.verdict(
                    "VRING-US-03",
                    "the used index is written before the used elements it covers",
                    f"at most {queue.published}",
                    value,
                )
                break
            self._chains.use(*_ELEMENT.unpack(raw))
            queue.published = (queue.published + 1) & 0xFFFF
        queue.published = value
        queue.publishes += 1
        queue.elements = len(self._slots)

    def _take(self, slot: int) -> bytes | None:
        place = _RING + USED_ELEMENT_BYTES * slot
        raw = self._image.read(place, USED_ELEMENT_BYTES)
        for byte in range(place, place + USED_ELEMENT_BYTES):
            self._image.forget(byte, 1)
        self._slots.discard(slot)
        return raw
