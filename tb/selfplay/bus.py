"""The guest's accesses as packets on the wire, waited for or not."""

from __future__ import annotations

import random

from tb.pcie.tlp import (
    CompletionStatus,
    Tlp,
    config_read,
    config_write,
    io_read,
    io_write,
    memory_read,
    memory_write,
)
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Signal, Steps
from tb.selfplay.host import Host
from tb.selfplay.wire import Wire

TAGS = 64
_MOST_OPEN = 6
ONES = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}


class Bus:
    """Accesses to the function; `bars` are where the guest has put them,
    `table` and `pending` where MSI-X lies in memory.

    `target_id` is how the guest calls the function.
    """

    def __init__(self, wire: Wire, host: Host, settings: Settings) -> None:
        self._wire = wire
        self._host = host
        self._settings = settings
        self.rng = random.Random(0)
        self.target_id = 0x0100
        self.bars = {0: 0xC000}
        self.table = self.pending = 0

    def send(self, tlp: Tlp) -> Steps[Signal | None]:
        """Put a request on the wire; what happens with its completion, None for a posted one."""
        if tlp.posted:
            self._wire.request(tlp)
            return None
        waiting = self._host.waiting
        while len(waiting) >= _MOST_OPEN:
            yield next(iter(waiting.values()))
        tag = self.rng.randrange(TAGS)
        while tag in waiting:
            tag = (tag + 1) % TAGS
        tlp.tag = tag
        signal = waiting[tag] = Signal()
        self._wire.request(tlp)
        return signal

    def access(self, tlp: Tlp) -> Steps[Tlp | None]:
        """A request and its completion."""
        signal = yield from self.send(tlp)
        if signal is None:
            return None
        answer: Tlp = signal.value if signal.done else (yield signal)
        return answer

    def _value(self, tlp: Tlp, lane: int, size: int) -> Steps[int]:
        answer = yield from self.access(tlp)
        if answer is None or answer.status != CompletionStatus.SUCCESS or not answer.data:
            return ONES[size]
        return int.from_bytes(answer.data[:4], "little") >> 8 * lane & ONES[size]

    def _put(self, tlp: Tlp) -> Steps[None]:
        """A write, waited for unless accesses overlap."""
        if self._settings.takes("accesses_overlap"):
            yield from self.send(tlp)
        else:
            yield from self.access(tlp)

    def config_read(self, offset: int, size: int = 4) -> Steps[int]:
        return (yield from self._value(config_read(offset, size, target_id=self.target_id), offset & 3, size))

    def config_write(self, offset: int, size: int, value: int) -> Steps[None]:
        yield from self._put(config_write(offset, size, value, target_id=self.target_id))

    def io_read(self, offset: int, size: int) -> Steps[int]:
        return (yield from self._value(io_read(self.bars[0] + offset, size), offset & 3, size))

    def io_write(self, offset: int, size: int, value: int) -> Steps[None]:
        yield from self._put(io_write(self.bars[0] + offset, size, value))

    def table_read(self, offset: int, size: int) -> Steps[None]:
        yield from self.access(memory_read(self.table + offset, size))

    def table_write(self, offset: int, data: bytes) -> Steps[None]:
        yield from self.access(memory_write(self.table + offset, data))

    def pending_read(self, size: int) -> Steps[None]:
        yield from self.access(memory_read(self.pending, size))
