"""The completer agent: sequencer, driver, monitor."""

from __future__ import annotations

from pyuvm import uvm_agent

from tb.agents.completer.config import CompleterConfig
from tb.agents.completer.driver import CompleterDriver
from tb.agents.completer.monitor import CompleterMonitor
from tb.agents.completer.sequencer import CompleterSequencer


class CompleterAgent(uvm_agent):
    """The host's memory: MRd and MWr in on tx_req, completions out on rx_cpl."""

    config: CompleterConfig

    def build_phase(self) -> None:
        super().build_phase()
        self.sequencer = CompleterSequencer.create("sequencer", self)
        self.driver = CompleterDriver.create("driver", self)
        self.driver.config = self.config
        self.monitor = CompleterMonitor.create("monitor", self)
        self.monitor.link = self.config.link

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
