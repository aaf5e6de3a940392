"""Replays a trace on the golden model and compares every observation.

A trace speaks of addresses relative to where its machine had mapped the BARs; the model decodes what its BAR
registers hold now, so an access to a BAR that was moved away misses, as it did on the recorded machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.models.access import ONES
from tb.models.config_space import BAR0, CAPABILITY_PCIE, COMMAND_IO, COMMAND_MEMORY
from tb.models.places import Place
from tb.models.profile import Profile
from tb.oracle.decode import describe
from tb.oracle.devices import unmodelled
from tb.oracle.machine import HostCommandError, Machine
from tb.oracle.trace import Row, TraceError, load

_TERMINAL_READ = 100  # the recorder reads at most so many bytes at a time
_CONNECTED = "host connected"
VALUE_KEYS = {"net_tx_seen": "frame", "serial_out": "data"}
TABLE_BAR = 1  # of every recorded device
BARS_END = BAR0 + 24
_DEVICE_STATUS = 0x0A  # offset in the PCI Express capability


def recorded(row: Row) -> Any:
    """What the recorded machine answered to an observation."""
    return row[VALUE_KEYS.get(row["op"], "value")]


@dataclass(slots=True)
class Difference:
    """One observation that the model answers otherwise.

    ``row`` of ``line`` holds what was recorded, ``saw`` what the model gives; ``place`` and ``rule`` say in
    words what was looked at.
    """

    line: int
    row: Row
    saw: Any
    place: str
    rule: str

    @property
    def expected(self) -> Any:
        return recorded(self.row)


@dataclass(slots=True)
class Result:
    """What replaying one trace gave.

    ``skipped``: host commands that have no model; ``unmodelled``: options of the device that have none.
    """

    path: Path
    observations: int = 0
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unmodelled: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    fault: str = ""


class Replay:
    """One trace on one fresh machine."""

    def __init__(self, profile: Profile, header: Row, result: Result, *, bounced: bool = True) -> None:
        self.machine = Machine(profile, header, bounced=bounced)
        self.result = result
        self._actor = self.machine.actor
        self._ram = self.machine.ram
        self._bars = (header["bar0"], header["bar1"])
        self._config = self._actor.function.config
        self._express = self._config.capabilities.get(CAPABILITY_PCIE)
        self._error_bits = profile.device_status_bits
        self._nobody = int.from_bytes(bytes((profile.undecoded_memory_read,)) * 8, "little")
        self._locate_bars()
        self._observe: dict[str, Callable[[Row], Any]] = {
            "cfg_r": self._config_read,
            "io_r": self._io_read,
            "mem_r": self._mem_read,
            "ram_r": lambda row: self._ram.read(row["addr"], row["size"]).hex(),
            "poll": lambda row: int.from_bytes(self._ram.read(row["addr"], 2), "little"),
            "intx": lambda row: int(self._actor.intx_line),
            "used_set": lambda row: sorted(self._ram.read(each, 8).hex() for each in row["addrs"]),
            "net_tx_seen": self._frame_seen,
            "serial_out": self._terminal_seen,
        }
        self._act: dict[str, Callable[[Row], None]] = {
            "cfg_w": self._config_write,
            "io_w": self._io_write,
            "mem_w": self._mem_write,
            "ram_w": lambda row: self._ram.write(row["addr"], bytes.fromhex(row["value"])),
            "ram_fill": lambda row: self._ram.fill(row["addr"], row["size"], row["value"]),
            "net_rx_inject": lambda row: self.machine.inject_frame(bytes.fromhex(row["frame"])),
            "serial_in": lambda row: self.machine.type_in(bytes.fromhex(row["data"])),
            "host_close": lambda row: self.machine.disconnect(),
            "host": self._host,
            "note": self._note,
            "settle": lambda row: None,
        }

    def run(self, rows: list[Row]) -> None:
        """Replay all ``rows``; the first is line 2."""
        observe, act = self._observe, self._act
        for line, row in enumerate(rows, 2):
            look = observe.get(row["op"])
            if look is None:
                try:
                    act[row["op"]](row)
                except HostCommandError as error:
                    raise TraceError(line, str(error)) from error
                continue
            self.result.observations += 1
            saw = look(row)
            if saw != recorded(row):
                self.result.differences.append(self.difference(line, row, saw))
        self.result.stops = self._actor.stops

    def observes(self, row: Row) -> bool:
        """Whether ``row`` is an observation."""
        return row["op"] in self._observe

    def answer(self, row: Row) -> Any:
        """Do one row; for an observation what the model sees. It needs no recorded value."""
        look = self._observe.get(row["op"])
        if look is not None:
            return look(row)
        self._act[row["op"]](row)
        return None

    def place(self, row: Row) -> Place:
        """What the observation ``row`` looks at, and the requirement it belongs to."""
        function = self._actor.function
        base = function.registers.config_base
        return describe(row, self.machine.device, function.config, base, self._actor.rings)

    def difference(self, line: int, row: Row, saw: Any) -> Difference:
        """An answer that is not the recorded one."""
        return Difference(line, row, saw, *self.place(row))

    # --- accesses

    def _locate_bars(self) -> None:
        """Offsets to add to a trace's relative addresses; None while the BAR is not mapped."""
        config = self._config
        bases = (config.bar_base(0), config.bar_base(TABLE_BAR))
        self._io_shift = self._bars[0] - bases[0] if bases[0] else None
        self._mem_shift = self._bars[1] - bases[1] if bases[1] else None
        self._io_size = config.bar0_size

    def _config_read(self, row: Row) -> int:
        """One DW at most is reached through the configuration data port; past it there is nothing."""
        offset: int = row["addr"]
        size: int = row["size"]
        inside = 4 - (offset & 3)
        if size <= inside:
            return self._actor.config_read(offset, size)
        value = self._actor.config_read(offset, inside)
        return value | ONES[size] & ~((1 << 8 * inside) - 1)

    def _config_write(self, row: Row) -> None:
        offset, size, value = row["addr"], row["size"], row["value"]
        inside = min(size, 4 - (offset & 3))
        self._actor.config_write(offset, inside, value & (1 << 8 * inside) - 1)
        if offset + inside > BAR0 and offset < BARS_END:
            self._locate_bars()

    def _io_read(self, row: Row) -> int:
        offset = self._io_offset(row)
        size = row["size"]
        return ONES[size] if offset is None else self._actor.io_read(offset, size)

    def _io_write(self, row: Row) -> None:
        offset = self._io_offset(row)
        if offset is not None:
            size = row["size"]
            self._actor.io_write(offset, size, row["value"] & ONES[size])

    def _io_offset(self, row: Row) -> int | None:
        """Where in BAR0 an access lands; None when nobody decodes it."""
        if self._io_shift is not None and self._config.command & COMMAND_IO:
            offset: int = row["addr"] + self._io_shift
            if 0 <= offset < self._io_size:
                return offset
        self._undecoded(posted=False)
        return None

    def _mem_read(self, row: Row) -> int:
        offset = self._mem_offset(row)
        size = row["size"]
        return self._nobody & ONES[size] if offset is None else self._actor.mem_read(offset, size)

    def _mem_write(self, row: Row) -> None:
        offset = self._mem_offset(row)
        if offset is not None:
            size = row["size"]
            self._actor.mem_write(offset, size, row["value"] & ONES[size])

    def _mem_offset(self, row: Row) -> int | None:
        """Where in BAR1 an access lands; None when nobody decodes it."""
        if self._mem_shift is not None and self._config.command & COMMAND_MEMORY:
            offset: int = row["addr"] + self._mem_shift
            if 0 <= offset < self._config.bars[TABLE_BAR].size:
                return offset
        self._undecoded(posted=row["op"] == "mem_w")
        return None

    def _undecoded(self, *, posted: bool) -> None:
        """On PCI Express, the function notes that it was sent a request it does not support (PCI-CFG-16)."""
        if self._express is not None:
            kind = "unsupported_posted" if posted else "unsupported_non_posted"
            self._config.set_bits(self._express + _DEVICE_STATUS, self._error_bits[kind])

    # --- media and host

    def _frame_seen(self, row: Row) -> str | None:
        wire = self.machine.wire
        return wire.popleft().hex() if wire else None

    def _terminal_seen(self, row: Row) -> str:
        terminal = self.machine.terminal
        seen = bytes(terminal[:_TERMINAL_READ])
        del terminal[:_TERMINAL_READ]
        return seen.hex()

    def _host(self, row: Row) -> None:
        if not self.machine.host_command(row["cmd"], row["args"]):
            self.result.skipped.append(row["cmd"])
        self._locate_bars()

    def _note(self, row: Row) -> None:
        if _CONNECTED in row["text"]:
            self.machine.connect()


def replay(path: Path, profile: Profile) -> Result:
    """Replay one file. A file that cannot be replayed has its ``fault`` set."""
    result = Result(path)
    try:
        header, rows = load(path)
        result.unmodelled = unmodelled(header)
        Replay(profile, header, result).run(rows)
    except TraceError as error:
        result.fault = str(error)
    return result
