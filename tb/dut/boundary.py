"""The boundary of a function: which of its ports is which signal of the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tb.dut.table import DutError, Table
from tb.dut.values import Value, read_value

WIDTHS = (64, 128, 256, 512)
_PACKET = ("valid", "ready", "hdr", "data", "last")
TLP_SIGNALS = tuple(
    f"{channel}_{signal}" for channel in ("rx_req", "tx_cpl", "tx_req", "rx_cpl") for signal in _PACKET
)
"""The four channels of packets, as docs/architecture.md shows them."""
DMA_CHANNELS = ("tx_req", "rx_cpl")
BLOCK_SIGNALS = (
    *("req_valid", "req_ready", "req_op", "req_sector", "req_count"),
    *("wdata_valid", "wdata_ready", "wdata", "wdata_last"),
    *("rdata_valid", "rdata_ready", "rdata", "rdata_last"),
    *("rsp_valid", "rsp_ready", "rsp_error", "capacity", "serial"),
)
_MEDIA = {"block": BLOCK_SIGNALS}
_KINDS = ("tlp",)


@dataclass(frozen=True, slots=True)
class Boundary:
    """How packets cross the pins: `kind`, the width of their data in bits, and the ports by signal."""

    kind: str
    data_width: Value
    signals: Mapping[str, str]

    @property
    def dma(self) -> bool:
        """Whether the function can send requests of its own."""
        return all(f"{channel}_valid" in self.signals for channel in DMA_CHANNELS)


@dataclass(frozen=True, slots=True)
class Media:
    """The device's other side: its kind, and the ports by signal."""

    kind: str
    signals: Mapping[str, str]


def read_boundary(table: Table, parameters: Mapping[str, Any]) -> Boundary:
    """The table `[boundary]`."""
    kind = table.choice("kind", _KINDS, "tlp")
    width = read_value(f"{table.where} data_width", table.raw("data_width", 256), parameters)
    names = table.table("signals")
    signals = _signals(names, TLP_SIGNALS)
    _whole_channels(names.where, signals)
    table.end()
    if isinstance(width, int) and width not in WIDTHS:
        allowed = ", ".join(map(str, WIDTHS))
        raise DutError(f"{table.where}: data_width must be one of {allowed} or a parameter, not {width}.")
    return Boundary(kind, width, signals)


def read_media(table: Table, device_type: str) -> Media:
    """The table `[media]`."""
    kind = table.choice("kind", tuple(_MEDIA), device_type)
    names = table.table("signals")
    signals = _signals(names, _MEDIA[kind])
    missing = [name for name in _MEDIA[kind] if name not in signals]
    if missing:
        raise DutError(f"{names.where}: {missing[0]} is missing: the port it is.")
    table.end()
    return Media(kind, signals)


def _signals(table: Table, known: tuple[str, ...]) -> dict[str, str]:
    found = {name: str(table.take(name, str)) for name in known if table.has(name)}
    for name in known:
        table.raw(name, None)
    table.end()
    return found


def _whole_channels(where: str, signals: Mapping[str, str]) -> None:
    """A channel is there with all its signals or not at all; those of the host's requests always."""
    for channel in ("rx_req", "tx_cpl", "tx_req", "rx_cpl"):
        there = [f"{channel}_{signal}" in signals for signal in _PACKET]
        if any(there) and not all(there):
            missing = _PACKET[there.index(False)]
            raise DutError(f"{where}: {channel}_{missing} is missing: the port it is.")
        if channel not in DMA_CHANNELS and not any(there):
            raise DutError(f"{where}: {channel}_valid is missing: every function answers requests.")
