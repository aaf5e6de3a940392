"""The media agent of a block function: sequencer, driver, monitor."""

from __future__ import annotations

from pyuvm import uvm_agent

from tb.agents.media.config import MediaConfig
from tb.agents.media.driver import MediaDriver
from tb.agents.media.monitor import MediaMonitor
from tb.agents.media.sequencer import MediaSequencer


class MediaAgent(uvm_agent):
    """The disk: requests and write data in, responses and read data out."""

    config: MediaConfig

    def build_phase(self) -> None:
        super().build_phase()
        self.sequencer = MediaSequencer.create("sequencer", self)
        self.driver = MediaDriver.create("driver", self)
        self.driver.config = self.config
        self.monitor = MediaMonitor.create("monitor", self)
        self.monitor.link = self.config.link

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
