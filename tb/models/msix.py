"""The MSI-X table and its pending bits (PCI-MSIX).

The table knows no bus: what has to be sent comes back as ``Message`` from the call that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tb.models.profile import Profile

NO_VECTOR = 0xFFFF
ENTRY_BYTES = 16
_MASKED = 1


@dataclass(slots=True, frozen=True)
class Message:
    """An MSI-X message of table entry ``vector``: ``data``, written as one DW at the 64-bit ``address``."""

    vector: int
    address: int
    data: int


class MsixTable:
    """Table entries, pending bits and use counts of the vectors.

    Attributes:
        enabled: MSI-X Enable; nothing is sent or made pending without it (PCI-MSIX-10).
        function_masked: Function Mask.
        blocked: the function may not send (bus master off); treated like masked.
    """

    __slots__ = (
        "_dwords",
        "_profile",
        "_used",
        "blocked",
        "enabled",
        "entries",
        "function_masked",
        "pending",
    )

    def __init__(self, profile: Profile, entries: int) -> None:
        self._profile = profile
        self.entries = entries
        self.enabled = False
        self.function_masked = False
        self.blocked = False
        self.pending = 0
        self._used = [0] * entries
        self._dwords = [0, 0, 0, _MASKED] * entries

    def copy(self) -> MsixTable:
        """An independent copy of the state."""
        twin = object.__new__(MsixTable)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin._used = self._used[:]
        twin._dwords = self._dwords[:]
        return twin

    def reset(self) -> None:
        """Conventional reset: entries zero and masked, nothing pending, no vector in use."""
        self._dwords = [0, 0, 0, _MASKED] * self.entries
        self.release_all()

    def release_all(self) -> None:
        """Virtio reset: no vector is in use, nothing pends; the table stays (VPCI-STAT-07/-08)."""
        self._used = [0] * self.entries
        self.pending = 0

    def use(self, vector: int) -> None:
        """A vector register now names ``vector``."""
        self._used[vector] += 1

    def release(self, vector: int) -> None:
        """A vector register names ``vector`` no longer (VPCI-INT-18)."""
        self._used[vector] -= 1
        if self._used[vector] == 0 and self._profile.vector_release_clears_pending:
            self.pending &= ~(1 << vector)

    def entry(self, vector: int) -> tuple[int, int, int, int]:
        """Address low, address high, data, vector control of an entry."""
        low, high, data, control = self._dwords[4 * vector : 4 * vector + 4]
        return low, high, data, control

    def is_masked(self, vector: int) -> bool:
        return self.function_masked or bool(self._dwords[4 * vector + 3] & _MASKED)

    def notify(self, vector: int) -> Message | None:
        """An event for ``vector``: the message to send now, or None (masked: it pends; disabled: nothing)."""
        if not self.enabled or vector >= self.entries:
            return None
        if self.is_masked(vector) or self.blocked:
            self.pending |= 1 << vector
            return None
        return self._message(vector)

    def _message(self, vector: int) -> Message:
        low, high, data, _ = self.entry(vector)
        return Message(vector, high << 32 | low, data)

    def release_pending(self) -> list[Message]:
        """Messages of every pending entry that may be sent now; each is sent once (PCI-MSIX-08)."""
        if not self.pending or not self.enabled or self.function_masked or self.blocked:
            return []
        ready = [v for v in range(self.entries) if self.pending >> v & 1 and not self.is_masked(v)]
        for vector in ready:
            self.pending &= ~(1 << vector)
        return [self._message(vector) for vector in ready]

    @property
    def table_bytes(self) -> int:
        """Size of the table."""
        return 4 * len(self._dwords)

    @property
    def pending_bytes(self) -> int:
        """Size of the array of pending bits: whole QWs (PCI-MSIX-21)."""
        return 8 * -(-self.entries // 64)

    def read_dw(self, offset: int) -> int:
        """The DW at ``offset`` of the table, a multiple of 4."""
        return self._dwords[offset >> 2]

    def read_pending_dw(self, offset: int) -> int:
        """The DW at ``offset`` of the pending bits, a multiple of 4."""
        return self.pending >> 8 * offset & 0xFFFFFFFF

    def write_dw(self, offset: int, value: int) -> list[Message]:
        """Write the whole DW at ``offset`` of the table; returns the messages an unmasking releases."""
        index = offset >> 2
        mask = self._profile.msix_entry_writable[index & 3]
        was_masked = self._dwords[index] & _MASKED
        self._dwords[index] = value & mask
        if index & 3 == 3 and was_masked and self.pending:
            return self.release_pending()
        return []
