"""A recorded trace played on a target: the same accesses to the same addresses, the same memory and disk.

A recording speaks of a machine that finishes everything an access causes before the next; so the guest here
waits, after an access that may stir the function, until it is at rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tb.guest.enumeration import Header
from tb.guest.registers import Register
from tb.models.devices.block import SECTOR
from tb.models.memory import Ram
from tb.oracle.machine import DISK, recorded_ram
from tb.oracle.trace import Row
from tb.pcie.tlp import Tlp, io_read, io_write, memory_read, memory_write
from tb.sequences.scene import Scene

DISK_SECTORS = len(DISK) // SECTOR
MSIX_CONTROL = 0x42
ENTRY_BYTES, ENTRY_CONTROL = 16, 12
POLL_BYTES = 2
USED_BYTES = 8
PAUSE_NS = 4_000

STIRRING_REGISTERS = (Register.QUEUE_PFN, Register.QUEUE_NOTIFY, Register.DEVICE_STATUS)
STIRRING_CONFIG = (Header.COMMAND, MSIX_CONTROL)


class NoAllocationError(NotImplementedError):
    """A recorded guest chose its addresses long ago: nobody may ask for memory."""


class RecordedMemory:
    """Implements `HostMemory` as recorded machines had it: outside RAM reads give zeros, writes are lost."""

    def __init__(self) -> None:
        self._ram: Ram = recorded_ram()

    def clear(self) -> None:
        """All zeros again."""
        self._ram = recorded_ram()

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address` on."""
        return self._ram.read(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Store `data` from `address` on."""
        self._ram.write(address, data)

    def fill(self, address: int, length: int, byte: int) -> None:
        """Set `length` bytes to `byte`."""
        self._ram.fill(address, length, byte)

    def allocate(self, length: int, align: int = 16) -> int:
        """Never called by a recorded guest."""
        raise NoAllocationError(f"a recorded guest asks for {length} bytes of memory")


class RecordedGuest:
    """Plays the rows of one trace. `rest` returns once the function has nothing to do any more."""

    def __init__(
        self, scene: Scene, memory: RecordedMemory, header: Row, rest: Callable[[], Awaitable[None]]
    ) -> None:
        self._scene = scene
        self._bus = scene.bus
        self._memory = memory
        self._bar0, self._bar1 = header["bar0"], header["bar1"]
        self._rest = rest
        self._verbs: dict[str, Callable[[Row], Awaitable[Any]]] = {
            "cfg_r": self._config_read,
            "cfg_w": self._config_write,
            "io_r": self._io_read,
            "io_w": self._io_write,
            "mem_r": self._memory_read,
            "mem_w": self._memory_write,
            "host": self._host,
            "settle": self._settle,
        }
        self._looks: dict[str, Callable[[Row], Any]] = {
            "ram_r": lambda row: memory.read(row["addr"], row["size"]).hex(),
            "ram_w": lambda row: memory.write(row["addr"], bytes.fromhex(row["value"])),
            "ram_fill": lambda row: memory.fill(row["addr"], row["size"], row["value"]),
            "poll": lambda row: int.from_bytes(memory.read(row["addr"], POLL_BYTES), "little"),
            "used_set": lambda row: sorted(memory.read(each, USED_BYTES).hex() for each in row["addrs"]),
            "intx": lambda row: int(self._bus.intx_asserted),
            "note": lambda row: None,
        }

    async def answer(self, row: Row) -> Any:
        """Do what a row says; what was observed, None when it observes nothing."""
        verb = self._verbs.get(row["op"])
        return self._looks[row["op"]](row) if verb is None else await verb(row)

    # --- accesses

    async def _config_read(self, row: Row) -> int:
        """Through the recorded machine's data port: one DW at most, past it there is nothing."""
        inside = _inside_dw(row)
        value = await self._bus.config_read(row["addr"], inside)
        return value | _ones(row["size"]) & ~_ones(inside)

    async def _config_write(self, row: Row) -> None:
        inside = _inside_dw(row)
        await self._bus.config_write(row["addr"], inside, row["value"] & _ones(inside))
        reached = range(row["addr"], row["addr"] + inside)
        if any(place in reached or place + 1 in reached for place in STIRRING_CONFIG):
            await self._rest()

    async def _io_read(self, row: Row) -> int:
        return await self._value(io_read(self._bar0 + row["addr"], row["size"]), row)

    async def _io_write(self, row: Row) -> None:
        await self._scene.send(io_write(self._bar0 + row["addr"], row["size"], row["value"]))
        if row["addr"] in STIRRING_REGISTERS:
            await self._rest()

    async def _memory_read(self, row: Row) -> int:
        return await self._value(memory_read(self._bar1 + row["addr"], row["size"]), row)

    async def _memory_write(self, row: Row) -> None:
        data = row["value"].to_bytes(row["size"], "little")
        await self._scene.send(memory_write(self._bar1 + row["addr"], data))
        if (row["addr"] + row["size"]) % ENTRY_BYTES == 0:
            await self._rest()

    async def _value(self, request: Tlp, row: Row) -> int:
        """What a read gives; ones when nobody claims it."""
        size: int = row["size"]
        answer = await self._scene.send(request)
        if answer is None or answer.status:
            return _ones(size)
        lane = row["addr"] & 3
        return int.from_bytes(answer.data[lane : lane + size], "little")

    # --- host

    async def _host(self, row: Row) -> None:
        """The host's side of the machine: it grows or shrinks the disk, or resets everything."""
        match row["cmd"]:
            case "block_resize":
                await self._scene.host.set_capacity(row["args"]["size"] // SECTOR)
            case "system_reset":
                await self._scene.host.cold_reset()
            case command:
                raise NotImplementedError(f"the recorded host command {command} has no meaning here")
        await self._rest()

    async def _settle(self, row: Row) -> None:
        await self._bus.delay(PAUSE_NS)
        await self._rest()


def _inside_dw(row: Row) -> int:
    """How many bytes of an access lie in the DW it starts in."""
    inside: int = min(row["size"], 4 - (row["addr"] & 3))
    return inside


def _ones(size: int) -> int:
    return int.from_bytes(b"\xff" * size, "little")
