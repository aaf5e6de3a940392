"""A GTKWave save file for a dump of `tb_top`: the signals a person wants first, in groups.

The names are those of the harness's pins (`tb/harness/tb_top.sv`) and packet views. Where the dump is a VCD,
names that it does not hold are left out; an FST cannot be read here, and GTKWave leaves them out itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

CHANNELS = ("rx_req", "tx_cpl", "tx_req", "rx_cpl")
CHANNEL_TITLES = {
    "rx_req": "rx_req: host to function, requests",
    "tx_cpl": "tx_cpl: function to host, completions",
    "tx_req": "tx_req: function to host, DMA and interrupts",
    "rx_cpl": "rx_cpl: host to function, completions",
}
# Names with their widths in bits; 0 is the data path's.
HANDSHAKE = {"valid": 1, "ready": 1, "last": 1}
CONTENT = {"hdr": 128, "data": 0}
VIEW_NAME = {"name": 64}
VIEW = {
    **{"address": 64, "requester": 16, "tag": 8, "length": 10},
    **{"first_be": 4, "last_be": 4, "status": 3, "byte_count": 12},
}
MEDIA = {
    **{"blk_req_valid": 1, "blk_req_ready": 1, "blk_req_op": 2, "blk_req_sector": 64, "blk_req_count": 32},
    **{"blk_rdata_valid": 1, "blk_rdata_ready": 1, "blk_wdata_valid": 1, "blk_wdata_ready": 1},
    **{"blk_rsp_valid": 1, "blk_rsp_ready": 1, "blk_rsp_error": 1},
}

# The window; its zoom is minus the power of two of time units a pixel, then markers. A few accesses fill it.
WINDOW = (
    *("[timestart] 0", "[size] 1600 1000", "[pos] -1 -1", "*-8.0 0" + 27 * " -1"),
    *("[sst_width] 180", "[signals_width] 330"),
)
# GTKWave's display flags.
HEX, ASCII, GROUP_OPEN, GROUP_CLOSE = "@22", "@820", "@800200", "@1000200"


@dataclass(frozen=True, slots=True)
class Group:
    """A titled group of signals: their names below `tb_top`, and their widths."""

    title: str
    widths: Mapping[str, int]


def groups() -> list[Group]:
    """What the save file shows, in order."""
    shown = [Group("clock and reset", {"clk": 1, "rst_n": 1})]
    for channel in CHANNELS:
        pins, view = f"{channel}_", f"u_{channel}_watch.u_view."
        parts = ((view, VIEW_NAME), (pins, HANDSHAKE), (view, VIEW), (pins, CONTENT))
        widths = {prefix + name: width for prefix, part in parts for name, width in part.items()}
        shown.append(Group(CHANNEL_TITLES[channel], widths))
    return [*shown, Group("media of the block device", MEDIA)]


def vcd_names(dump: Path) -> set[str]:
    """The signals a VCD defines, as GTKWave writes them (`tb_top.clk`, `tb_top.rx_req_hdr[127:0]`)."""
    found: set[str] = set()
    scopes: list[str] = []
    with open(dump, encoding="utf-8", errors="replace") as file:
        for line in file:
            match line.split():
                case ["$scope", _, name, *_]:
                    scopes.append(name)
                case ["$upscope", *_]:
                    scopes.pop()
                case ["$var", _, _, _, name, *rest]:
                    found.add(".".join((*scopes, name)) + "".join(rest[:-1]))
                case ["$enddefinitions", *_]:
                    break
    return found


def save_file(dump: Path, view: Path, data_width: int) -> str:
    """The content of the save file `view` for a dump of a function whose data path has `data_width` bits."""
    known = vcd_names(dump) if dump.suffix == ".vcd" else None
    lines = [
        "[*] Groups of the signals at the function's pins",
        f'[dumpfile] "{dump}"',
        f'[savefile] "{view}"',
    ]
    lines += WINDOW
    for group in groups():
        lines += _group_lines(group, data_width, known)
    return "\n".join(lines) + "\n"


def _group_lines(group: Group, data_width: int, known: Collection[str] | None) -> list[str]:
    names = {name: _full_name(name, width or data_width) for name, width in group.widths.items()}
    signals = [
        line
        for name, full in names.items()
        if known is None or full in known
        for line in (ASCII if name.endswith(".name") else HEX, full)
    ]
    return [GROUP_OPEN, f"-{group.title}", *signals, GROUP_CLOSE, f"-{group.title}"] if signals else []


def _full_name(name: str, width: int) -> str:
    return f"tb_top.{name}" if width == 1 else f"tb_top.{name}[{width - 1}:0]"
