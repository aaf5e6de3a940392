"""The monitor of the interrupt agent: finds interrupts among the function's requests."""

from __future__ import annotations

from pyuvm import uvm_analysis_port, uvm_monitor

from tb.agents.interrupt.item import InterruptSeen
from tb.guest.host_bus import MSI_WINDOW, Msi
from tb.harness.link import Observation, PinLink
from tb.pcie.tlp import Channel, MessageCode, TlpType

_LEVELS = {MessageCode.ASSERT_INTA: True, MessageCode.DEASSERT_INTA: False}


class InterruptMonitor(uvm_monitor):
    """Publishes an `InterruptSeen` on `ap` per message write into the window and per INTA message."""

    link: PinLink

    def build_phase(self) -> None:
        self.ap = uvm_analysis_port("ap", self)

    def connect_phase(self) -> None:
        self.link.observe(Channel.TX_REQ, self._request)

    def _request(self, seen: Observation) -> None:
        tlp = seen.tlp
        if tlp is None or seen.error is not None:
            return
        if tlp.type is TlpType.MEMORY_WRITE:
            if tlp.address in MSI_WINDOW and tlp.length == 1 and tlp.first_be == 0xF and not tlp.poisoned:
                message = Msi(tlp.address, int.from_bytes(tlp.data, "little"))
                self.ap.write(InterruptSeen(seen.time_ns, message))
        elif tlp.type is TlpType.MESSAGE and tlp.message_code in _LEVELS:
            self.ap.write(InterruptSeen(seen.time_ns, asserted=_LEVELS[MessageCode(tlp.message_code)]))
