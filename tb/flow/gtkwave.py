"""A GTKWave save file for a dump of `tb_top`: the signals a person wants first, in groups.

The names are those of the harness's pins (`tb/harness/tb_top.sv`) and packet views. Where the dump is a VCD,
names that it does not hold are left out; an FST cannot be read here, and GTKWave leaves them out itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHANNELS = ("rx_req", "tx_cpl", "tx_req", "rx_cpl")
CHANNEL_TITLES = {
    "rx_req": "rx_req: host to function, requests",
    "tx_cpl": "tx_cpl: function to host, completions",
    "tx_req": "tx_req: function to host, DMA and interrupts",
    "rx_cpl": "rx_cpl: host to function, completions",
}
PINS = ("valid", "ready", "last", "hdr", "data")
VIEW = ("name", "address", "requester", "tag", "length", "first_be", "last_be", "status", "byte_count")
MEDIA = (
    *("blk_req_valid", "blk_req_ready", "blk_req_op", "blk_req_sector", "blk_req_count"),
    *("blk_rdata_valid", "blk_rdata_ready", "blk_wdata_valid", "blk_wdata_ready"),
    *("blk_rsp_valid", "blk_rsp_ready", "blk_rsp_error"),
)
HEADER_LINES = 200_000  # a VCD's definitions end long before

# GTKWave's display flags.
HEX, ASCII, GROUP_OPEN, GROUP_CLOSE = "@22", "@820", "@800200", "@1000200"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal of a dump: its name with its range, as GTKWave writes it."""

    path: str
    width: int


@dataclass(frozen=True, slots=True)
class Group:
    """A titled group of signals, named from the top of the dump by their last parts."""

    title: str
    names: tuple[str, ...]


def groups() -> list[Group]:
    """What the save file shows, in order."""
    shown = [Group("clock and reset", ("clk", "rst_n"))]
    for channel in CHANNELS:
        pins = tuple(f"{channel}_{pin}" for pin in PINS)
        view = tuple(f"u_{channel}_watch.u_view.{field}" for field in VIEW)
        shown.append(Group(CHANNEL_TITLES[channel], (*view[:1], *pins[:3], *view[1:], *pins[3:])))
    shown.append(Group("media of the block device", MEDIA))
    return shown


def vcd_signals(dump: Path) -> dict[str, Signal]:
    """The signals a VCD defines, by their name below `tb_top` (`u_tap.clk_i`)."""
    found: dict[str, Signal] = {}
    scopes: list[str] = []
    with open(dump, encoding="utf-8", errors="replace") as file:
        for _, line in zip(range(HEADER_LINES), file, strict=False):
            words = line.split()
            match words:
                case ["$scope", _, name, *_]:
                    scopes.append(name)
                case ["$upscope", *_]:
                    scopes.pop()
                case ["$var", _, width, _, name, *rest]:
                    path = ".".join((*scopes, name)) + ("".join(rest[:-1]))
                    found[_below_top(scopes, name)] = Signal(path, int(width))
                case ["$enddefinitions", *_]:
                    break
    return found


def _below_top(scopes: list[str], name: str) -> str:
    inner = scopes[scopes.index("tb_top") + 1 :] if "tb_top" in scopes else scopes
    return ".".join((*inner, name))


def save_file(dump: Path, view: Path) -> str:
    """The content of the save file `view` for a dump."""
    known = vcd_signals(dump) if dump.suffix == ".vcd" else None
    lines = [
        "[*] Groups of the signals at the function's pins",
        f'[dumpfile] "{dump}"',
        f'[savefile] "{view}"',
    ]
    lines += ["[timestart] 0", "[sst_expanded] 1"]
    for group in groups():
        lines += _group_lines(group, known)
    return "\n".join(lines) + "\n"


def _group_lines(group: Group, known: Mapping[str, Signal] | None) -> Iterable[str]:
    paths = [(name, _path(name, known)) for name in group.names]
    signals = [line for name, path in paths if path for line in (_format(name), path)]
    return [GROUP_OPEN, f"-{group.title}", *signals, GROUP_CLOSE, f"-{group.title}"] if signals else []


def _path(name: str, known: Mapping[str, Signal] | None) -> str:
    if known is None:
        return f"TOP.tb_top.{name}"
    return known[name].path if name in known else ""


def _format(name: str) -> str:
    return ASCII if name.endswith(".name") else HEX
