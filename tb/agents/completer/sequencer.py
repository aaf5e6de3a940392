"""The sequencer of the completer agent."""

from __future__ import annotations

from pyuvm import uvm_sequencer


class CompleterSequencer(uvm_sequencer):
    """Takes `FaultItem`s. Right answers need no sequence: the driver gives them on its own."""
