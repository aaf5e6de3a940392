"""The monitor that the agents of packet channels share.

It publishes what the pins carried, and drives nothing.
"""

from __future__ import annotations

from pyuvm import uvm_analysis_port, uvm_monitor

from tb.harness.link import PinLink
from tb.pcie.tlp import Channel


class PacketMonitor(uvm_monitor):
    """Publishes an `Observation` per packet on `ap`, in wire order over all monitors of one link."""

    link: PinLink
    channels: tuple[Channel, ...]

    def build_phase(self) -> None:
        self.ap = uvm_analysis_port("ap", self)

    def connect_phase(self) -> None:
        for channel in self.channels:
            self.link.observe(channel, self.ap.write)
