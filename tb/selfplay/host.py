"""The host: memory that answers DMA reads, a disk, and the wire's other end for the guest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from tb.guest.memory import SparseMemory
from tb.models.devices.base import MediaResult
from tb.models.judge.media import BlockRequest, BlockResponse, CapacityChanged, MediaOperation
from tb.pcie.tlp import CompletionStatus, Tlp, TlpType, completion_for, enabled_bytes, requested_bytes
from tb.selfplay.choices import Settings
from tb.selfplay.clock import Clock, Signal
from tb.selfplay.wire import Wire

SECTOR = 512
MESSAGES = range(0xFEE0_0000, 0xFEF0_0000)
_STATUSES = (CompletionStatus.UNSUPPORTED_REQUEST, CompletionStatus.ABORT, CompletionStatus.RETRY)
_LATE_NS = 180_000
_PART_NS = 40


class Device(Protocol):
    """The function, as far as the host reaches it beside the wire."""

    def disk_answered(self, result: MediaResult) -> None: ...

    def disk_resized(self, sectors: int) -> None: ...

    def never_answered(self, tag: int) -> None: ...


class Host:
    """Answers what the function asks. `on_interrupt` is told of every message."""

    device: Device

    def __init__(self, wire: Wire, clock: Clock, settings: Settings, sectors: int) -> None:
        self._wire = wire
        self._clock = clock
        self._settings = settings
        self.memory = SparseMemory()
        self.disk = bytearray(settings.rng.randbytes(SECTOR * sectors))
        self.on_interrupt: Callable[[], None] = lambda: None
        self.waiting: dict[int, Signal] = {}
        self.faults = 0
        self.disk_faults = 0
        self._asked: dict[int, int] = {}
        self._due = 0
        self._life = 0

    # --- accesses

    def completed(self, tlp: Tlp) -> None:
        """A completion came for the guest."""
        signal = self.waiting.get(tlp.tag)
        if signal is not None:
            last = 4 * tlp.length - (tlp.lower_address & 3) >= tlp.byte_count
            if tlp.type is not TlpType.COMPLETION_DATA or last:
                del self.waiting[tlp.tag]
                self._clock.fire(signal, tlp)

    # --- DMA

    def requested(self, tlp: Tlp) -> None:
        """The function has sent a read, a write or a message."""
        if tlp.type is TlpType.MEMORY_WRITE:
            self._write(tlp)
        elif tlp.type is TlpType.MEMORY_READ:
            self._read(tlp)
        elif tlp.type is TlpType.MESSAGE:
            self.on_interrupt()

    def _write(self, tlp: Tlp) -> None:
        if tlp.address in MESSAGES:
            self.on_interrupt()
        elif tlp.first_be == 0xF and tlp.last_be in (0, 0xF):
            self.memory.write(tlp.address, tlp.data)
        else:
            for address, value in enabled_bytes(tlp):
                self.memory.write(address, bytes((value,)))

    def _read(self, tlp: Tlp) -> None:
        settings = self._settings
        parts = list(self._parts(tlp))
        self._asked[tlp.tag] = self._asked.get(tlp.tag, 0) + 1
        if self.faults and settings.takes("dma_faults"):
            self.faults -= 1
            parts = self._spoilt(tlp, parts)
        if settings.takes("stray_answers") and settings.rng.random() < 0.02:
            self._later(0, lambda: self._wire.answer(self._stray(tlp)))
        delay = int(settings.rng.random() * settings.answer_ns)
        if not settings.takes("answers_overtake"):
            delay = max(delay, self._due - self._clock.now)
        for part in parts:
            self._answer(delay, tlp, part)
            delay += int(settings.rng.random() * _PART_NS) if len(parts) > 1 else 0
        self._due = max(self._due, self._clock.now + delay)
        if parts:
            self._later(delay, lambda: self._forget(tlp.tag))

    def _forget(self, tag: int) -> None:
        self._asked[tag] -= 1
        if not self._asked[tag]:
            del self._asked[tag]

    def _answer(self, delay: int, tlp: Tlp, part: tuple[int, int, int]) -> None:
        start, size, status = part

        def answer() -> None:
            first = tlp.address + (start + (tlp.first_be & -tlp.first_be).bit_length() - 1 if start else 0)
            data = self.memory.read(first & ~3, size) if size else b""
            answer = completion_for(tlp, data, start=start, status=max(status, 0))
            self._wire.answer(replace(answer, poisoned=True) if status < 0 else answer)

        self._later(delay, answer)

    def _stray(self, tlp: Tlp) -> Tlp:
        """A completion that nobody has asked for."""
        tag = self._settings.rng.randrange(256)
        while tag in self._asked:
            tag = (tag + 1) % 256
        return replace(completion_for(tlp, bytes(4 * tlp.length)), tag=tag)

    def _later(self, delay: int, what: Callable[[], None]) -> None:
        life = self._life

        def run() -> None:
            if life == self._life:
                what()

        self._clock.call(delay, run)

    def _parts(self, tlp: Tlp) -> Iterator[tuple[int, int, int]]:
        """(bytes done before, payload bytes, status) of the completions of a read; -1 for poisoned data."""
        settings = self._settings
        address, _ = requested_bytes(tlp)
        end = tlp.address + 4 * tlp.length
        boundary = 128 if settings.has("answers_of_128") else 64
        place = tlp.address
        while place < end:
            stop = min(end, (place & -boundary) + boundary * (1 if settings.takes("answer_parts") else 99))
            yield max(0, place - address), stop - place, 0
            place = stop

    def _spoilt(self, tlp: Tlp, parts: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        rng = self._settings.rng
        kept = rng.randrange(len(parts))
        start, size, _ = parts[kept]
        kind = rng.randrange(5 if self._settings.has("late_answers") else 4)
        if kind < 2:
            return [*parts[:kept], (start, 0, int(rng.choice(_STATUSES)))]
        if kind == 2:
            return [*parts[:kept], (start, size, -1), *parts[kept + 1 :]]
        self._wire.unanswered(tlp.tag)
        self.device.never_answered(tlp.tag)
        if kind == 4:
            self._answer(_LATE_NS, tlp, parts[kept])
        return parts[:kept]

    # --- the disk

    def ask_disk(self, request: BlockRequest, data: bytes) -> None:
        """The function has put a request, and the data of a write, before the disk."""
        settings = self._settings
        ok = True
        if self.disk_faults and settings.takes("disk_faults"):
            self.disk_faults -= 1
            ok = False
        first, size = request.sector * SECTOR, request.count * SECTOR
        answer = b""
        if ok and request.op == MediaOperation.WRITE:
            whole = len(data) // SECTOR * SECTOR
            self.disk[first : first + whole] = data[:whole]

        def respond() -> None:
            nonlocal answer
            if ok and request.op == MediaOperation.READ:
                answer = bytes(self.disk[first : first + size]).ljust(size, b"\0")
            self._wire.media(BlockResponse(ok, answer))
            self.device.disk_answered(MediaResult(ok, answer))

        self._later(int(settings.rng.random() * settings.disk_ns), respond)

    def resize(self, sectors: int) -> None:
        """The disk has another size from now on."""
        self._wire.media(CapacityChanged(sectors))
        self.device.disk_resized(sectors)

    def power_cycle(self) -> None:
        """What was under way is lost."""
        self._life += 1
        self._due = 0
        self._asked.clear()
        self.waiting.clear()
