"""The SystemVerilog module `dut` that puts a described function behind the ports of the harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb.dut.boundary import BLOCK_SIGNALS, DMA_CHANNELS, TLP_SIGNALS
from tb.dut.description import Description

_DATA = "[DataWidth-1:0]"
_RANGES = {
    "hdr": "[127:0]",
    "data": _DATA,
    "req_op": "[1:0]",
    "req_sector": "[63:0]",
    "req_count": "[31:0]",
    "wdata": _DATA,
    "rdata": _DATA,
    "capacity": "[63:0]",
    "serial": "[159:0]",
}
# What a function without the channel or the port is: it offers nothing and takes everything.
_INPUTS = {"rx_req": ("valid", "hdr", "data", "last"), "rx_cpl": ("valid", "hdr", "data", "last")}
_MEDIA_INPUTS = frozenset({
    *("req_ready", "wdata_ready", "rdata_valid", "rdata", "rdata_last"),
    *("rsp_valid", "rsp_error", "capacity", "serial"),
})  # fmt: skip


def adapter_text(dut: Description, given: Mapping[str, Any]) -> str:
    """The module for one configuration: the same ports whatever the function has."""
    parameters = dut.with_parameters(given)
    ports = [_port("clk", "", True), _port("rst_n", "", True)]
    ports += [_port(name, name.rpartition("_")[2], _tlp_input(name)) for name in TLP_SIGNALS]
    ports += [_port(f"blk_{name}", name, name in _MEDIA_INPUTS) for name in BLOCK_SIGNALS]
    reset = "rst_n" if dut.reset.active_low else "!rst_n"
    connections = [(dut.clock.port, "clk"), (dut.reset.port, reset)]
    connections += [(port, signal) for signal, port in dut.boundary.signals.items()]
    media = {} if dut.media is None else dut.media.signals
    connections += [(port, f"blk_{signal}") for signal, port in media.items()]
    return "\n".join(
        [
            f"// {dut.name}, described by {dut.path.name}, behind the ports of the harness. Generated.",
            "module dut #(",
            "    parameter int unsigned DataWidth = 256",
            ") (",
            ",\n".join(f"    {port}" for port in ports),
            ");",
            *_absent(dut, media),
            f"  {dut.top} {_parameters(parameters)}u_function (",
            ",\n".join(f"      .{port}({signal})" for port, signal in connections),
            "  );",
            "endmodule",
            "",
        ]
    )


def _port(name: str, kind: str, is_input: bool) -> str:
    return f"{'input ' if is_input else 'output'} logic {_RANGES.get(kind, ''):16}{name}"


def _tlp_input(name: str) -> bool:
    """Whether a signal of the packet channels goes into the function."""
    channel, _, signal = name.rpartition("_")
    return (signal != "ready") is (channel in _INPUTS)


def _absent(dut: Description, media: Mapping[str, str]) -> list[str]:
    """What the outputs are that the function does not have."""
    missing = [name for name in TLP_SIGNALS if name not in dut.boundary.signals and not _tlp_input(name)]
    missing += [f"blk_{name}" for name in BLOCK_SIGNALS if name not in media and name not in _MEDIA_INPUTS]
    takes = {f"{DMA_CHANNELS[1]}_ready", "blk_rdata_ready", "blk_rsp_ready"}
    return [f"  assign {name} = {chr(39)}{int(name in takes)};" for name in missing]


def _parameters(parameters: Mapping[str, Any]) -> str:
    if not parameters:
        return ""
    values = ",\n".join(f"      .{name}({_literal(value)})" for name, value in parameters.items())
    return f"#(\n{values}\n  ) "


def _literal(value: Any) -> str:
    """A parameter's value as SystemVerilog reads it."""
    return str(int(value)) if isinstance(value, bool | int) else str(value)
