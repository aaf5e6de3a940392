"""The host's interrupt controller: keeps what arrived until the guest takes it."""

from __future__ import annotations

from collections import deque

from cocotb.triggers import Event, SimTimeoutError, with_timeout
from pyuvm import uvm_subscriber

from tb.agents.interrupt.item import InterruptSeen
from tb.guest.host_bus import Interrupt, IntxAsserted

MOST_PENDING = 1 << 16
"""Interrupts kept for a guest that takes none; of more than that the oldest are lost."""


class InterruptController(uvm_subscriber):
    """A queue of interrupts not yet taken, and the level of the INTx line."""

    def build_phase(self) -> None:
        self._pending: deque[Interrupt] = deque(maxlen=MOST_PENDING)
        self._arrived = Event()
        self.intx_asserted = False

    def write(self, seen: InterruptSeen) -> None:
        """An interrupt from the monitor. Only a rising line is an interrupt of its own."""
        if seen.message is None:
            rising = seen.asserted and not self.intx_asserted
            self.intx_asserted = seen.asserted
            if not rising:
                return
        self._pending.append(seen.message or IntxAsserted())
        self._arrived.set()

    def reset(self) -> None:
        """Forget everything, as after a cold reset."""
        self._pending.clear()
        self.intx_asserted = False

    async def wait(self, timeout_ns: int) -> Interrupt | None:
        """The oldest interrupt not yet taken; None when none comes in time."""
        if not self._pending:
            self._arrived.clear()
            if timeout_ns <= 0:
                return None
            try:
                await with_timeout(self._arrived.wait(), timeout_ns, "ns")
            except SimTimeoutError:
                return None
        return self._pending.popleft()
