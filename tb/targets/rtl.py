"""The RTL as a target.

A `HostBus` whose accesses are items of a UVM sequence on the requester's sequencer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cocotb.triggers import Timer
from pyuvm import uvm_sequence

from tb.agents.interrupt.controller import InterruptController
from tb.agents.requester.item import AccessItem
from tb.guest.host_bus import HostMemory, Interrupt
from tb.harness.link import PinLink
from tb.pcie.tlp import Tlp, config_read, config_write, io_read, io_write, memory_read, memory_write
from tb.pcie.types import CONFIG_TYPES
from tb.targets.bases import BarBases

SEND_TIMEOUT_NS = 2_000_000


@dataclass(slots=True)
class RtlBus:
    """Accesses through `sequence`, which must have been started on the requester's sequencer.

    BAR bases are those that the guest wrote last into configuration space; an I/O access that does not fit
    into a DW is made as several, as a root complex does.
    """

    sequence: uvm_sequence
    link: PinLink
    memory: HostMemory
    interrupts: InterruptController
    target_id: int = 0x0100
    bases: BarBases = field(default_factory=BarBases)

    async def access(self, request: Tlp) -> AccessItem:
        """Make one access and wait for its completion (a posted one: until it is on its way)."""
        item = await self.start(request)
        if not request.posted:
            await item.completed.wait()
        return item

    async def send(self, request: Tlp, *, timeout_ns: int = SEND_TIMEOUT_NS) -> Tlp | None:
        """Send any packet, a broken one too, and give its completion, with the data of all its parts.

        None for a posted packet, and when no completion comes within `timeout_ns`. Configuration requests
        without a target go to the function.
        """
        if request.type in CONFIG_TYPES:
            request.target_id = request.target_id or self.target_id
        item = await self.start(request, timeout_ns=timeout_ns)
        if request.posted:
            return None
        await item.completed.wait()
        return item.last if item.last is None else replace(item.last, data=item.data)

    async def start(self, request: Tlp, *, keep_ids: bool = False, timeout_ns: int = 0) -> AccessItem:
        """Make one access and do not wait for its completion; `item.completed` tells when it is there."""
        item = AccessItem(request, keep_ids=keep_ids, timeout_ns=timeout_ns)
        await self.sequence.start_item(item)
        await self.sequence.finish_item(item)
        return item

    async def config_read(self, offset: int, size: int) -> int:
        """CfgRd0; all ones when nobody answers."""
        item = await self.access(config_read(offset, size, target_id=self.target_id))
        value = item.value(size)
        self.bases.read(offset, size, value)
        return value

    async def config_write(self, offset: int, size: int, value: int) -> None:
        """CfgWr0. Remembers the BAR bases."""
        await self.access(config_write(offset, size, value, target_id=self.target_id))
        self.bases.write(offset, size, value)

    async def io_read(self, offset: int, size: int) -> int:
        """IORd from BAR0; all ones when nobody answers."""
        value = 0
        for at, length, shift in _dw_pieces(self.bases.io + offset, size):
            item = await self.access(io_read(at, length))
            value |= item.value(length) << shift
        return value

    async def io_write(self, offset: int, size: int, value: int) -> None:
        """IOWr to BAR0."""
        for at, length, shift in _dw_pieces(self.bases.io + offset, size):
            await self.access(io_write(at, length, value >> shift))

    async def mem_read(self, offset: int, size: int, *, bar: int = 1) -> int:
        """MRd from a memory BAR; all ones when nobody answers."""
        item = await self.access(memory_read(self.bases.memory(bar) + offset, size))
        return item.value(size)

    async def mem_write(self, offset: int, size: int, value: int, *, bar: int = 1) -> None:
        """MWr to a memory BAR, posted."""
        masked = value & ((1 << 8 * size) - 1)
        await self.access(memory_write(self.bases.memory(bar) + offset, masked.to_bytes(size, "little")))

    async def wait_for_interrupt(self, timeout_ns: int) -> Interrupt | None:
        """The oldest interrupt not yet taken; None when none comes within `timeout_ns`."""
        return await self.interrupts.wait(timeout_ns)

    @property
    def intx_asserted(self) -> bool:
        """Level of the INTx line as the messages tell it."""
        return self.interrupts.intx_asserted

    async def delay(self, ns: int) -> None:
        """Let simulated time pass; what the function wrote meanwhile is in memory afterwards."""
        if ns > 0:
            await Timer(ns, "ns")
        self.link.drain()

    @property
    def now_ns(self) -> int:
        """Simulated time of the latest clock edge."""
        return self.link.memory.time_ns

    def forget_bars(self) -> None:
        """After a cold reset: the BARs are zero until the guest writes them."""
        self.bases = BarBases()


def _dw_pieces(address: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(address, length, shift of the value) of the parts of an access, each within one DW."""
    done = 0
    while done < size:
        length = min(size - done, 4 - (address + done) % 4)
        yield address + done, length, 8 * done
        done += length
