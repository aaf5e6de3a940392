"""How the guest gets its interrupts: the ladder of modes, and what an interrupt means.

From the most to the least wanted: one MSI-X vector per queue and one for config changes, one vector for all
queues and one for config changes, INTx. Each step down happens because the function refused (VPCI-INT-13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tb.guest.enumeration import CapabilityId, Command, change_command
from tb.guest.errors import InterruptError, ProbeError, VectorRefusedError
from tb.guest.host_bus import Interrupt, Msi
from tb.guest.msix import MessageControl, MsixTable, target_of
from tb.guest.registers import NO_VECTOR, Isr, Register
from tb.guest.transport import Transport

CONFIG_VECTOR = 0
FIRST_QUEUE_VECTOR = 1


class InterruptMode(Enum):
    """The rungs of the ladder, best first."""

    MSIX_PER_QUEUE = "MSI-X, a vector per queue"
    MSIX_SHARED = "MSI-X, one vector for all queues"
    INTX = "INTx"


LADDER = tuple(InterruptMode)


@dataclass(slots=True, frozen=True)
class Notice:
    """What an interrupt asks the driver to look at: queue indices, and whether the device config changed."""

    queues: frozenset[int] = frozenset()
    config: bool = False


class Interrupts:
    """Interrupt set-up and dispatch for one transport."""

    def __init__(self, transport: Transport, table: MsixTable | None) -> None:
        self.transport = transport
        self.table = table
        self.mode = InterruptMode.INTX
        self.taken = 0
        self._notices: dict[Msi, Notice] = {}

    @classmethod
    async def of(cls, transport: Transport) -> Interrupts:
        """Look for the MSI-X capability; without one only INTx is left."""
        offset = transport.function.capabilities.get(CapabilityId.MSIX)
        table = None if offset is None else await MsixTable.find(transport.bus, offset)
        return cls(transport, table)

    async def switch_off_messages(self) -> None:
        """MSI-X off, whatever a former owner of the function left: the PCI layer does this before a probe."""
        if self.table is not None and await self.table.control() != MessageControl.NONE:
            await self._disable_msix()

    async def set_up(self, ladder: Sequence[InterruptMode] = LADDER) -> InterruptMode:
        """Take the first rung that the function accepts. ProbeError when none is left."""
        for mode in ladder:
            try:
                await self._try(mode)
            except VectorRefusedError:
                await self.tear_down()
                continue
            self.mode = mode
            return mode
        raise ProbeError("VPCI-INT-13", "the function accepted no interrupt mode")

    async def tear_down(self) -> None:
        """Unmap every event, then switch MSI-X off, which moves the device config back."""
        if self.table is None or not self.transport.msix_enabled:
            return
        await self._map(Register.CONFIG_VECTOR, NO_VECTOR)
        for queue in self.transport.queues:
            await self.transport.select_queue(queue.index)
            await self._map(Register.QUEUE_VECTOR, NO_VECTOR)
        await self._disable_msix()
        self._notices.clear()

    async def register_vectors(self) -> None:
        """Map events to vectors and read each back; also needed after every reset (VPCI-INT-11)."""
        if self.mode is InterruptMode.INTX:
            return
        await self._register(self.mode)

    async def wait(self, timeout_ns: int) -> Notice | None:
        """The next interrupt's meaning; None when none comes in time."""
        interrupt = await self.transport.bus.wait_for_interrupt(timeout_ns)
        return None if interrupt is None else await self.meaning(interrupt)

    async def discard(self) -> None:
        """Throw away interrupts that arrived before a reset: they mean nothing after it."""
        while await self.transport.bus.wait_for_interrupt(0) is not None:
            pass

    async def meaning(self, interrupt: Interrupt) -> Notice:
        """What an interrupt asks for. InterruptError when no event is mapped to it or it has no cause."""
        self.taken += 1
        if isinstance(interrupt, Msi):
            return self._meaning_of_message(interrupt)
        if self.mode is not InterruptMode.INTX:
            raise InterruptError("PCI-INT-02", "INTx was asserted while MSI-X is enabled")
        isr = await self.transport.bus.io_read(Register.ISR_STATUS, 1)
        if isr == 0:
            raise InterruptError("BAD-DEV-10", "INTx was asserted but the ISR reads 0")
        queues = (queue.index for queue in self.transport.queues)
        return Notice(frozenset(queues) if isr & Isr.QUEUE else frozenset(), bool(isr & Isr.CONFIG))

    def _meaning_of_message(self, message: Msi) -> Notice:
        notice = self._notices.get(message)
        if notice is None:
            what = f"message {message.data:#x} to {message.address:#x} belongs to no programmed vector"
            raise InterruptError("BAD-DEV-19", what)
        return notice

    async def _try(self, mode: InterruptMode) -> None:
        bus = self.transport.bus
        if mode is InterruptMode.INTX:
            await change_command(bus, disable=Command.INTX_DISABLE)
            return
        needed = self._vectors_needed(mode)
        if self.table is None or self.table.size < needed:
            raise VectorRefusedError("VPCI-INT-12", f"{needed} vectors are needed for {mode.value}")
        masked = MessageControl.ENABLE | MessageControl.FUNCTION_MASK
        await self.table.set_control(masked)
        self.transport.msix_enabled = True
        await change_command(bus, enable=Command.INTX_DISABLE)
        for vector in range(needed):
            await self.table.program(vector, target_of(vector))
        await self._register(mode)
        await self.table.set_control(MessageControl.ENABLE)

    async def _register(self, mode: InterruptMode) -> None:
        self._notices.clear()
        await self._map(Register.CONFIG_VECTOR, CONFIG_VECTOR)
        self._expect(CONFIG_VECTOR, Notice(config=True))
        for queue in self.transport.queues:
            shared = mode is InterruptMode.MSIX_SHARED
            vector = FIRST_QUEUE_VECTOR if shared else FIRST_QUEUE_VECTOR + queue.index
            await self.transport.select_queue(queue.index)
            await self._map(Register.QUEUE_VECTOR, vector)
            self._expect(vector, Notice(queues=frozenset({queue.index})))

    def _expect(self, vector: int, notice: Notice) -> None:
        target = target_of(vector)
        message = Msi(target.address, target.data)
        before = self._notices.get(message, Notice())
        self._notices[message] = Notice(before.queues | notice.queues, before.config or notice.config)

    def _vectors_needed(self, mode: InterruptMode) -> int:
        return 2 if mode is InterruptMode.MSIX_SHARED else 1 + len(self.transport.queues)

    async def _map(self, register: Register, vector: int) -> None:
        await self.transport.bus.io_write(register, 2, vector)
        seen = await self.transport.bus.io_read(register, 2)
        if seen != vector:
            raise VectorRefusedError("VPCI-INT-10", f"vector register reads {seen:#06x} after {vector:#06x}")

    async def _disable_msix(self) -> None:
        assert self.table is not None
        await self.table.set_control(MessageControl.NONE)
        self.transport.msix_enabled = False
        await change_command(self.transport.bus, disable=Command.INTX_DISABLE)
