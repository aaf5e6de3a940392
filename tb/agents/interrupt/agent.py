"""The interrupt agent: passive, a monitor and the controller that keeps what it finds."""

from __future__ import annotations

from pyuvm import uvm_agent

from tb.agents.interrupt.controller import InterruptController
from tb.agents.interrupt.monitor import InterruptMonitor
from tb.harness.link import PinLink


class InterruptAgent(uvm_agent):
    """Interrupts of the function, as the guest takes them."""

    link: PinLink

    def build_phase(self) -> None:
        super().build_phase()
        self.monitor = InterruptMonitor.create("monitor", self)
        self.monitor.link = self.link
        self.controller = InterruptController.create("controller", self)

    def connect_phase(self) -> None:
        self.monitor.ap.connect(self.controller.analysis_export)
