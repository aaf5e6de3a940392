"""The monitor of the completer agent."""

from __future__ import annotations

from tb.agents.packet_monitor import PacketMonitor
from tb.pcie.tlp import Channel


class CompleterMonitor(PacketMonitor):
    """The function's own requests (DMA, messages) and the completions it gets."""

    channels = (Channel.TX_REQ, Channel.RX_CPL)
