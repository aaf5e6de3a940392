"""The function's DMA: reads by tag, posted writes, cut at legal places, and only while bus master is on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tb.models.config_space import CAPABILITY_PCIE
from tb.models.function import FunctionModel
from tb.pcie.tlp import (
    PAGE,
    CompletionStatus,
    Tlp,
    TlpType,
    memory_read,
    memory_write,
    requested_bytes,
)
from tb.selfplay.choices import TIMEOUT_NS, Settings
from tb.selfplay.clock import Clock, Signal, Steps
from tb.selfplay.lies import Liar
from tb.selfplay.wire import Wire

_RELAXED, _NO_SNOOP = 2, 1
_EXTENDED = 1 << 8
_WELL_OFF_NS = 2_000
Sent = Callable[[], None] | None


@dataclass(slots=True)
class Read:
    """A read on its way; `signal` happens with its bytes, with None when it or one of its `siblings`
    failed.
    """

    tlp: Tlp
    address: int
    count: int
    signal: Signal
    buffer: bool = False
    siblings: list[Read] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True, frozen=True)
class Limits:
    """What Device Control says now: largest payload and read request in bytes, tags, attributes allowed."""

    payload: int = 128
    request: int = 512
    tags: int = 32
    relaxed: bool = False
    no_snoop: bool = False


class Port:
    """`on_error` is told of a completion that went wrong: the packet, None for a timeout,
    whether it was awaited.
    """

    def __init__(
        self, wire: Wire, clock: Clock, model: FunctionModel, settings: Settings, liar: Liar
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._model = model
        self._settings = settings
        self._liar = liar
        self.on_error: Callable[[Tlp | None, bool], None] = lambda _tlp, _awaited: None
        self.requester_id = 0
        self.idle_since = 0
        self.limits = Limits()
        self._open: dict[int, Read] = {}
        self._dead: set[int] = set()
        self._gate = Signal()
        self._freed = Signal()

    @property
    def busy(self) -> bool:
        """Whether a read is outstanding: Transactions Pending."""
        return bool(self._open)

    def control_changed(self) -> None:
        """Command or Device Control may have changed."""
        model, pcie = self._model, self._model.config.capabilities[CAPABILITY_PCIE]
        control = model.config.read(pcie + 8, 2)
        largest = 128 << (model.config.read(pcie + 4, 1) & 7)
        self.limits = Limits(
            min(128 << (control >> 5 & 7), largest),
            min(128 << (control >> 12 & 7), 4096),
            256 if control & _EXTENDED else 32,
            bool(control & 1 << 4),
            bool(control & 1 << 11),
        )
        if model.may_dma:
            gate, self._gate = self._gate, Signal()
            self._clock.fire(gate)

    # --- writes

    def write(
        self, address: int, data: bytes, *, whole: bool = False, buffer: bool = False, sent: Sent = None
    ) -> Steps[None]:
        """Write `data`; `whole` in one packet, `buffer` is no part of a ring.
        `sent` is called as it leaves.
        """
        while data:
            yield from self._opened()
            count = self._cut(address, len(data), self.limits.payload, "split_writes", whole=whole)
            if sent is not None:
                sent()
            self._send_write(address, data[:count], buffer=buffer)
            address, data = address + count, data[count:]
            if data:
                yield self._settings.wait()

    def _send_write(self, address: int, data: bytes, *, buffer: bool) -> None:
        tlp = memory_write(address, data, requester_id=self.requester_id)
        self._attributes(tlp, buffer=buffer)
        self.put(tlp)

    def put(self, tlp: Tlp) -> None:
        """Put a packet on the wire, or what a lie makes of it."""
        spoilt = self._liar.twist(tlp, self.limits.payload)
        self._wire.send(tlp, spoilt=spoilt)

    def _cut(self, address: int, count: int, limit: int, choice: str, *, whole: bool) -> int:
        """How many of `count` bytes go into one packet."""
        lead = address & 3
        most = min(count, limit - lead, PAGE - address % PAGE)
        if count > limit + 4 and self._liar.lies("over_the_limit"):
            return min(count, PAGE - address % PAGE, limit + 4)
        if not whole and most > 1 and self._settings.takes(choice):
            return self._settings.rng.randint(1, most)
        return most

    def _attributes(self, tlp: Tlp, *, buffer: bool) -> None:
        settings, limits = self._settings, self.limits
        if buffer and limits.relaxed and settings.takes("relaxed_ordering"):
            tlp.attributes |= _RELAXED
        if buffer and limits.no_snoop and settings.takes("no_snoop"):
            tlp.attributes |= _NO_SNOOP

    def _opened(self) -> Steps[None]:
        while not self._model.may_dma:
            if self._liar.name == "dma_without_bus_master" and not self._liar.told:
                yield _WELL_OFF_NS
                if not self._model.may_dma and self._liar.lies("dma_without_bus_master"):
                    return
            yield self._gate

    # --- reads

    def read(
        self, address: int, count: int, *, whole: bool = False, buffer: bool = False, sent: Sent = None
    ) -> Steps[bytes | None]:
        """The bytes at `address`, None when a read failed. `whole`: not cut where it need not be."""
        reads: list[Read] = []
        while count:
            part = yield from self._issue(address, count, whole=whole, buffer=buffer, sent=sent)
            reads.append(part)
            part.siblings = reads
            address, count = address + part.count, count - part.count
            if count:
                yield self._settings.wait()
            if any(read.signal.done and read.signal.value is None for read in reads):
                return None
        return (yield from self._collect(reads))

    def _collect(self, reads: list[Read]) -> Steps[bytes | None]:
        parts: list[bytes] = []
        for read in reads:
            data = read.signal.value if read.signal.done else (yield read.signal)
            if data is None:
                return None
            parts.append(data)
        return b"".join(parts)

    def _issue(self, address: int, count: int, *, whole: bool, buffer: bool, sent: Sent) -> Steps[Read]:
        tag = yield from self._tag()
        if sent is not None:
            sent()
        count = self._cut(address, count, self.limits.request, "split_reads", whole=whole)
        tlp = memory_read(address, count, tag, requester_id=self.requester_id)
        self._attributes(tlp, buffer=buffer)
        return self._sent(tlp, buffer=buffer)

    def _sent(self, tlp: Tlp, *, buffer: bool = False) -> Read:
        address, count = requested_bytes(tlp)
        read = Read(tlp, address, count, Signal(), buffer)
        self._open[tlp.tag] = read
        self.put(tlp)
        return read

    def flush(self, address: int) -> Steps[None]:
        """A read of no bytes at `address`: when it is answered, what was written before is there."""
        tag = yield from self._tag()
        tlp = memory_read(address, 0, tag, requester_id=self.requester_id)
        yield from self._collect([self._sent(tlp)])

    def _tag(self) -> Steps[int]:
        """A tag to send with at once."""
        while True:
            yield from self._opened()
            if self._open and self._liar.lies("tag_in_use"):
                return next(iter(self._open))
            if self._dead and self._liar.lies("dead_tag_used"):
                return next(iter(self._dead))
            limit = self.limits.tags
            if limit == 32 and self._liar.lies("tag_too_large"):
                return limit + 7
            tag = int(self._settings.rng.random() * limit)
            for turn in range(limit):
                candidate = (tag + turn) % limit
                if candidate not in self._open and candidate not in self._dead:
                    return candidate
            yield self._freed

    def never_answered(self, tag: int) -> None:
        """Start the clock of a read that will see no answer in time (the others need none)."""
        read = self._open.get(tag)
        if read is not None:
            self._clock.call(TIMEOUT_NS, lambda: self._time_out(tag, read))

    def _time_out(self, tag: int, read: Read) -> None:
        if self._open.get(tag) is not read:
            return
        del self._open[tag]
        self._dead.add(tag)
        self.on_error(None, True)
        self._end(read, None)

    # --- answers

    def answered(self, tlp: Tlp) -> None:
        """A completion came."""
        read = self._open.get(tlp.tag)
        if read is None or tlp.requester_id != read.tlp.requester_id:
            self.on_error(tlp, False)
            return
        if tlp.status != CompletionStatus.SUCCESS or not self._fits(read, tlp):
            del self._open[tlp.tag]
            self.on_error(tlp, True)
            used = read.buffer and self._liar.lies("bad_answer_used")
            self._end(read, bytes(read.count) if used else None)
            return
        if tlp.poisoned:  # it has failed; the tag is its own until the rest has come
            self.on_error(tlp, True)
            used = read.buffer and self._liar.lies("bad_answer_used")
            self._end(read, bytes(read.count) if used else None)
        lead = tlp.lower_address & 3
        read.data += tlp.data[lead : lead + read.count - len(read.data)]
        if len(read.data) >= read.count:
            del self._open[tlp.tag]
            self._end(read, bytes(read.data))

    @staticmethod
    def _fits(read: Read, tlp: Tlp) -> bool:
        done = len(read.data)
        return (
            tlp.type is TlpType.COMPLETION_DATA
            and tlp.byte_count == max(read.count, 1) - done
            and tlp.lower_address == (read.address + done) & 0x7F
        )

    def _end(self, read: Read, data: bytes | None) -> None:
        self.idle_since = self._clock.now
        self._clock.fire(read.signal, data)
        for sibling in read.siblings if data is None else ():
            self._clock.fire(sibling.signal, None)
        freed, self._freed = self._freed, Signal()
        self._clock.fire(freed)

    def power_cycle(self) -> None:
        """Nothing is outstanding any more."""
        self._open.clear()
        self._dead.clear()
        self.requester_id = 0
