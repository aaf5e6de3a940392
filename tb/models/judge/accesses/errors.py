"""The error bits of configuration space, which the function sets behind the guest's back."""

from __future__ import annotations

from tb.models.judge.facts import Facts
from tb.pcie.tlp import CompletionStatus, Tlp

STATUS_ERRORS = 0xF900_0000
DEVICE_STATUS_ERRORS = 0x000F_0000
_POISONED = 1 << 31
_RECEIVED_MASTER_ABORT = 1 << 29
_RECEIVED_TARGET_ABORT = 1 << 28
_DATA_PARITY = 1 << 24
_PARITY_RESPONSE = 1 << 6
_UNSUPPORTED_BIT = 1 << 19
# An error shows in its bit within this time of the packet that carries it.
LATENCY_NS = 1_000


class ErrorBits:
    """The write-one-to-clear bits of one DW: those certainly set, those possibly set, those on their way."""

    __slots__ = ("_certain", "_coming", "_mask", "_maybe")

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._certain = 0
        self._maybe = 0
        self._coming: list[tuple[int, int]] = []

    def happened(self, now_ns: int, bits: int) -> None:
        """An error that sets `bits` has happened beside the stream of requests."""
        self._coming.append((now_ns + LATENCY_NS, bits & self._mask))

    def set(self, bits: int) -> None:
        """A request in the stream has set `bits`."""
        self._certain |= bits & self._mask

    def suspect(self, bits: int) -> None:
        """`bits` may have become set."""
        self._maybe |= bits & self._mask

    def clear(self, bits: int) -> None:
        """The guest has written ones to `bits`."""
        self._certain &= ~bits
        for _, coming in self._coming:
            self._maybe |= coming & bits
        self._coming = [(due, coming & ~bits) for due, coming in self._coming if coming & ~bits]

    def observe(self, now_ns: int, seen: int) -> tuple[int, int] | None:
        """Hold the bits read against what they may be; (must, may) when they do not fit."""
        for due, bits in self._coming:
            if due <= now_ns:
                self._certain |= bits
        self._coming = [(due, bits) for due, bits in self._coming if due > now_ns]
        may = self._certain | self._maybe
        for _, bits in self._coming:
            may |= bits
        must = self._certain
        seen &= self._mask
        fits = must & ~seen == 0 and seen & ~may == 0
        self._maybe = 0
        self._certain = seen
        return None if fits else (must, may)


class Errors:
    """The error bits of Status and of Device Status, and what sets them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.status = ErrorBits(STATUS_ERRORS)
        self.device = ErrorBits(DEVICE_STATUS_ERRORS)

    def unsupported(self, tlp: Tlp) -> None:
        """A request that no register answers."""
        if not tlp.poisoned:
            self.device.set(_UNSUPPORTED_BIT)
        self.device_possible()

    def poisoned(self) -> None:
        """A request with data came poisoned."""
        self.status.set(_POISONED)
        self.device_possible()

    def completion(self, tlp: Tlp, *, expected: bool) -> None:
        """A completion from the host went wrong, or was not `expected` by anybody."""
        bits = 0
        if tlp.poisoned:
            parity = self._facts.model.config.command & _PARITY_RESPONSE
            bits = _POISONED | (_DATA_PARITY if parity else 0)
        elif tlp.status == CompletionStatus.UNSUPPORTED_REQUEST:
            bits = _RECEIVED_MASTER_ABORT
        elif tlp.status == CompletionStatus.ABORT:
            bits = _RECEIVED_TARGET_ABORT
        if expected:
            self.status.happened(self._facts.record.time_ns, bits)
        else:
            self.status.suspect(bits)
        self.device_possible()

    def device_possible(self) -> None:
        """Something happened that may set a bit of the Device Status register."""
        self.device.suspect(DEVICE_STATUS_ERRORS)

    def check(self, bits: ErrorBits, seen: int, lanes: int) -> set[int] | None:
        """Hold the upper half of a DW against `bits`: the values it may have if `seen` does not fit."""
        if lanes & 0xFFFF_0000 != 0xFFFF_0000:
            return None
        wrong = bits.observe(self._facts.record.time_ns, seen)
        return None if wrong is None else set(wrong)
