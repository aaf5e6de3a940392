"""The sequencer of the requester agent."""

from __future__ import annotations

from pyuvm import uvm_sequence_item, uvm_sequencer


class RequesterSequencer(uvm_sequencer):
    """Arbitrates `AccessItem`s of any number of sequences in the order of their `start_item`."""

    async def start_item(self, item: uvm_sequence_item) -> None:
        """Queue the item at the driver's export.

        One task switch less than the base class, with the same order.
        """
        await self.seq_item_export.put_req(item)
        await item.start_condition.wait()
