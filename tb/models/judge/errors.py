"""The error bits of configuration space, which the function sets behind the guest's back."""

from __future__ import annotations

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
