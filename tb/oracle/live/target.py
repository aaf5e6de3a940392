"""A QEMU device as the target of a trace's rows: the counterpart of ``replay.Replay`` for the real thing.

``answer`` performs one row and, for an observation, returns what QEMU answers. Where an answer comes in its
own time, the model's answer (``expected``) says what to wait for; QEMU's own is returned whatever it is.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from tb.oracle.live.kinds import BAR0, BAR1, SLOT, Kind
from tb.oracle.live.process import Qemu
from tb.oracle.trace import Row

PATIENCE_S = 1.0  # how long QEMU may take for what the model says it will do
QUIET_S = 0.01  # how long it is watched for doing what the model does not say
TERMINAL_READ = 100
INTX_INPUT = 11

_PORTS = {1: "b", 2: "w", 4: "l", 8: "q"}
_NOTIFY, _STATUS = 0x10, 0x12


class QemuTarget:
    """One QEMU machine with the device of ``kind``. Use as a context manager."""

    def __init__(self, program: str, kind: Kind) -> None:
        self._cleanup = contextlib.ExitStack()
        self._wire: socket.socket | None = None
        self._terminal: socket.socket | None = None
        self._disk = kind.role == "block"
        try:
            self._start(program, kind)
        except BaseException:
            self._cleanup.close()
            raise
        self._actions: dict[str, Callable[[Row, Any], Any]] = {
            "cfg_r": lambda row, _: self._config_read(row["addr"], row["size"]),
            "cfg_w": lambda row, _: self._config_write(row["addr"], row["size"], row["value"]),
            "io_r": lambda row, _: self._in(BAR0 + row["addr"], row["size"]),
            "io_w": lambda row, _: self._io_write(row["addr"], row["size"], row["value"]),
            "mem_r": lambda row, _: self._mem_read(row["addr"], row["size"]),
            "mem_w": lambda row, _: self._mem_write(row["addr"], row["size"], row["value"]),
            "ram_r": lambda row, _: self._ram_read(row["addr"], row["size"]),
            "ram_w": lambda row, _: self._ram_write(row["addr"], row["value"]),
            "ram_fill": lambda row, _: self._ram_fill(row["addr"], row["size"], row["value"]),
            "poll": lambda row, expected: self._poll(row["addr"], expected),
            "used_set": lambda row, _: sorted(self._ram_read(each, 8) for each in row["addrs"]),
            "intx": lambda row, _: self._intx(),
            "settle": lambda row, _: self._settle(),
            "note": lambda row, _: self._note(row["text"]),
            "host": lambda row, _: self._host(row["cmd"], row["args"]),
            "net_rx_inject": lambda row, _: self._inject(row["frame"]),
            "net_tx_seen": lambda row, expected: self._frame(expected),
            "serial_in": lambda row, _: self._type(row["data"]),
            "serial_out": lambda row, expected: self._output(expected),
            "host_close": lambda row, _: self._hang_up(),
        }

    def _start(self, program: str, kind: Kind) -> None:
        host = list(kind.host)
        if kind.role == "net":
            host = self._plug(host)
        self._qemu = self._cleanup.enter_context(
            Qemu(program, [*host, "-device", kind.arguments, *kind.ports])
        )
        self._qemu.command("irq_intercept_in ioapic")
        self._route()

    def _plug(self, host: list[str]) -> list[str]:
        """Two UDP ports of this host make the wire: ours, and one for QEMU."""
        self._wire = self._cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._wire.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            self._far = ("127.0.0.1", other.getsockname()[1])
        near = str(self._wire.getsockname()[1])
        return [each.replace("{near}", near).replace("{far}", str(self._far[1])) for each in host]

    def __enter__(self) -> QemuTarget:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def answer(self, row: Row, expected: Any) -> Any:
        """Perform ``row``; for an observation QEMU's answer, else None."""
        return self._actions[row["op"]](row, expected)

    # --- accesses

    def _in(self, port: int, size: int) -> int:
        return int(self._qemu.command(f"in{_PORTS[size]} {port:#x}"), 16)

    def _out(self, port: int, size: int, value: int) -> None:
        self._qemu.command(f"out{_PORTS[size]} {port:#x} {value & (1 << 8 * size) - 1:#x}")

    def _address(self, offset: int, slot: int) -> None:
        self._out(0xCF8, 4, 0x80000000 | slot << 11 | offset & 0xFC)

    def _config_read(self, offset: int, size: int) -> int:
        self._address(offset, SLOT)
        return self._in(0xCFC + (offset & 3), size)

    def _config_write(self, offset: int, size: int, value: int, slot: int = SLOT) -> None:
        self._address(offset, slot)
        self._out(0xCFC + (offset & 3), size, value)

    def _io_write(self, offset: int, size: int, value: int) -> None:
        self._out(BAR0 + offset, size, value)
        if offset + size > _NOTIFY and offset <= _STATUS:
            self._qemu.turn()

    def _mem_read(self, offset: int, size: int) -> int:
        return int(self._qemu.command(f"read{_PORTS[size]} {BAR1 + offset:#x}"), 16)

    def _mem_write(self, offset: int, size: int, value: int) -> None:
        self._qemu.command(f"write{_PORTS[size]} {BAR1 + offset:#x} {value & (1 << 8 * size) - 1:#x}")

    def _ram_read(self, address: int, length: int) -> str:
        return self._qemu.command(f"read {address:#x} {length:#x}")[2:] if length else ""

    def _ram_write(self, address: int, data: str) -> None:
        if data:
            self._qemu.command(f"write {address:#x} {len(data) // 2:#x} 0x{data}")

    def _ram_fill(self, address: int, length: int, byte: int) -> None:
        if length:
            self._qemu.command(f"memset {address:#x} {length:#x} {byte:#x}")

    # --- time

    def _settle(self) -> None:
        self._qemu.turn()
        if self._disk:
            self._qemu.finish_disk_work()
            self._qemu.turn(2)

    def _poll(self, address: int, expected: int) -> int:
        self._settle()
        deadline = time.monotonic() + PATIENCE_S
        while (value := self._word(address)) != expected and time.monotonic() < deadline:
            time.sleep(QUIET_S)
        return value

    def _word(self, address: int) -> int:
        return int.from_bytes(bytes.fromhex(self._ram_read(address, 2)), "little")

    def _intx(self) -> int:
        self._qemu.turn(1)
        return self._qemu.levels.get(INTX_INPUT, 0)

    def _route(self) -> None:
        """All four PCI interrupts of the bridge (slot 1) to one input."""
        for register in range(0x60, 0x64):
            self._config_write(register, 1, INTX_INPUT, slot=1)

    # --- host and media

    def _host(self, name: str, arguments: Row) -> None:
        self._qemu.host(name, **arguments)
        self._settle()

    def _note(self, text: str) -> None:
        if "host connected" in text:
            self._terminal = self._cleanup.enter_context(socket.socket(socket.AF_UNIX))
            self._terminal.connect(str(self._qemu.folder / "terminal"))
            self._host_has_acted()
        if "PIRQ routing redone" in text:
            self._route()

    def _host_has_acted(self) -> None:
        time.sleep(QUIET_S)
        self._qemu.turn(6)

    def _inject(self, frame: str) -> None:
        assert self._wire is not None
        self._wire.sendto(bytes.fromhex(frame), self._far)
        self._host_has_acted()

    def _frame(self, expected: str | None) -> str | None:
        assert self._wire is not None
        self._wire.settimeout(QUIET_S if expected is None else PATIENCE_S)
        try:
            return self._wire.recv(1 << 16).hex()
        except TimeoutError:
            return None

    def _type(self, data: str) -> None:
        if self._terminal is not None:
            self._terminal.sendall(bytes.fromhex(data))
        self._host_has_acted()

    def _output(self, expected: str) -> str:
        """What came out: as many bytes as expected, and what comes although it is not."""
        if self._terminal is None:
            return ""
        out = b""
        while len(out) < TERMINAL_READ:
            self._terminal.settimeout(PATIENCE_S if len(out) < len(expected) // 2 else QUIET_S)
            try:
                more = self._terminal.recv(TERMINAL_READ - len(out))
            except TimeoutError:
                break
            if not more:
                break
            out += more
        return out.hex()

    def _hang_up(self) -> None:
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None
        self._host_has_acted()
