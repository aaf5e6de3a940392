"""The sequencer of the media agent."""

from __future__ import annotations

from pyuvm import uvm_sequencer


class MediaSequencer(uvm_sequencer):
    """Takes `MediaFaultItem`s and `CapacityItem`s. Good service needs no sequence."""
