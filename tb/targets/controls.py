"""The host's and the disk's bad sides in simulation, for scenarios that provoke them."""

from __future__ import annotations

from dataclasses import dataclass

import cocotb
from pyuvm import uvm_sequence, uvm_sequence_item, uvm_sequencer

from tb.agents.completer.item import FaultItem, ReadFault
from tb.agents.media.item import CapacityItem, MediaFaultItem
from tb.config import PACES
from tb.function_env import FunctionEnv
from tb.sequences.scene import ReadFault as ScenarioFault

_FAULTS = {
    ScenarioFault.UNSUPPORTED: ReadFault.UNSUPPORTED_REQUEST,
    ScenarioFault.ABORT: ReadFault.ABORT,
    ScenarioFault.POISON: ReadFault.POISONED,
    ScenarioFault.NO_ANSWER: ReadFault.NO_ANSWER,
    ScenarioFault.SHORT: ReadFault.SHORT,
}


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
    """Implements `HostControls`. What is asked for holds from the same time step on."""

    env: FunctionEnv

    def fail_read(self, first: int, last: int, fault: ScenarioFault) -> None:
        """The next DMA read that touches a byte of [first, last] fails that way, once."""
        self._do(self.env.completer.sequencer, FaultItem(_FAULTS[fault], addresses=range(first, last + 1)))

    def pace(self, name: str) -> None:
        """Choose how the host answers: one of `PACES`. KeyError for another name."""
        self.env.config.traffic = PACES[name]
        self.env.set_traffic()

    def fail_media(self, requests: int) -> None:
        """The next so many requests to the disk end in an error."""
        self._do(self.env.media.sequencer, MediaFaultItem(count=requests))

    def set_capacity(self, sectors: int) -> None:
        """The disk has another size from now on."""
        self._do(self.env.media.sequencer, CapacityItem(sectors))

    def _do(self, sequencer: uvm_sequencer, item: uvm_sequence_item) -> None:
        cocotb.start_soon(_OneItem(item).start(sequencer))
