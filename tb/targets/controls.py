"""The host's and the disk's bad sides in simulation, for scenarios that provoke them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyuvm import uvm_sequence, uvm_sequence_item, uvm_sequencer

from tb.agents.completer.item import FaultItem, ReadFault
from tb.agents.media.item import CapacityItem, MediaFaultItem
from tb.config import PACES
from tb.function_env import FunctionEnv
from tb.sequences.scene import Pace
from tb.sequences.scene import ReadFault as ScenarioFault

LATE_CLOCKS = 3000
"""Well below the function's completion timeout of 125,000 clocks."""


class _OneItem(uvm_sequence):
    """Sends one item and ends."""

    def __init__(self, item: uvm_sequence_item) -> None:
        super().__init__("one_item")
        self._item = item

    async def body(self) -> None:
        await self.start_item(self._item)
        await self.finish_item(self._item)


@dataclass(slots=True)
class SimulationControls:
    """Implements `HostControls` on the agents of an environment."""

    env: FunctionEnv

    async def fail_read(
        self, addresses: range, fault: ScenarioFault, *, skip: int = 0, good_bytes: int = 0
    ) -> None:
        """One DMA read that touches `addresses` goes wrong, after `skip` others and `good_bytes` of its own."""
        delay = LATE_CLOCKS if fault is ScenarioFault.LATE else 0
        kind = ReadFault[fault.name]
        item = FaultItem(kind, addresses=addresses, skip=skip, good_bytes=good_bytes, delay=delay)
        await _send(self.env.completer.sequencer, item)

    async def pace(self, pace: Pace) -> None:
        """Choose how the host answers and takes packets. The payload limit stays as it is."""
        most = self.env.config.traffic.max_payload
        self.env.config.traffic = replace(PACES[pace.name.lower()], max_payload=most)
        self.env.set_traffic()

    async def completion_payload(self, most: int) -> None:
        """Completions carry at most `most` bytes."""
        self.env.config.traffic = replace(self.env.config.traffic, max_payload=most)
        self.env.set_traffic()

    async def fail_media(self, requests: int = 1) -> None:
        """The next so many requests to the disk end in an error."""
        await _send(self.env.media.sequencer, MediaFaultItem(count=requests))

    async def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        await _send(self.env.media.sequencer, CapacityItem(sectors))


async def _send(sequencer: uvm_sequencer, item: uvm_sequence_item) -> None:
    await _OneItem(item).start(sequencer)
