"""The monitor of the requester agent."""

from __future__ import annotations

from tb.agents.packet_monitor import PacketMonitor
from tb.pcie.tlp import Channel


class RequesterMonitor(PacketMonitor):
    """Requests to the function and the completions it gives."""

    channels = (Channel.RX_REQ, Channel.TX_CPL)
