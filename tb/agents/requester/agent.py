"""The requester agent: sequencer, driver, monitor."""

from __future__ import annotations

from pyuvm import uvm_agent

from tb.agents.requester.config import RequesterConfig
from tb.agents.requester.driver import RequesterDriver
from tb.agents.requester.monitor import RequesterMonitor
from tb.agents.requester.sequencer import RequesterSequencer


class RequesterAgent(uvm_agent):
    """The host's accesses: CfgRd/CfgWr, IORd/IOWr, MRd/MWr out on rx_req, their completions in on tx_cpl."""

    config: RequesterConfig

    def build_phase(self) -> None:
        super().build_phase()
        self.sequencer = RequesterSequencer.create("sequencer", self)
        self.driver = RequesterDriver.create("driver", self)
        self.driver.config = self.config
        self.monitor = RequesterMonitor.create("monitor", self)
        self.monitor.link = self.config.link

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
