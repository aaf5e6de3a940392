"""The signals of `tb_top` that Python may touch, bound by name with cocotb-bus.

cocotb-bus leaves `None` where a signal is missing; `bind` turns that into an error that names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cocotb_bus.bus import Bus

CHANNEL_SIGNALS = ("valid", "ready", "hdr", "data", "last")
HANDSHAKE_SIGNALS = ("valid", "ready")
CHANNELS = ("rx_req", "tx_cpl", "tx_req", "rx_cpl")
MEDIA_STREAMS = ("blk_req", "blk_wdata", "blk_rdata", "blk_rsp")
CONTROL_SIGNALS = (
    "clk",
    "rst_n",
    "wake",
    "shared_memory_address",
    "reset_request",
    "blk_capacity",
    "blk_serial",
)


class MissingSignalError(RuntimeError):
    """A signal that the testbench needs is not in the simulation."""


def bind(entity: Any, name: str | None, signals: Iterable[str]) -> Bus:
    """A cocotb-bus `Bus` whose signals all exist."""
    wanted = list(signals)
    bus = Bus(entity, name, wanted, case_insensitive=True)
    missing = [signal for signal in wanted if getattr(bus, signal, None) is None]
    if missing:
        prefix = f"{name}_" if name else ""
        names = ", ".join(prefix + signal for signal in missing)
        raise MissingSignalError(f"The simulation's top has no public signal {names}.")
    return bus


class Pins:
    """Every bus of the top. `channels` maps a packet channel's name to its bus."""

    def __init__(self, top: Any) -> None:
        self.control = bind(top, None, CONTROL_SIGNALS)
        self.channels = {name: bind(top, name, CHANNEL_SIGNALS) for name in CHANNELS}
        self._streams = self.channels | {
            name: bind(top, name, HANDSHAKE_SIGNALS) for name in MEDIA_STREAMS
        }

    @property
    def waiting(self) -> list[str]:
        """The streams whose valid waits for ready now, as clauses."""
        return [
            f"{name}, whose valid is up, for ready"
            for name, bus in self._streams.items()
            if int(bus.valid.value) and not int(bus.ready.value)
        ]
