"""A function with a notebook: every access passes, is counted by register name and written to a log."""

from __future__ import annotations

import time
from collections import Counter
from typing import TextIO

from tb.guest_vm.register_names import register_name, space_name
from tb.vfio_user.function import Function, FunctionShape, HostSide
from tb.vfio_user.protocol import Region

_MSIX_ID = 0x11
_CAPABILITIES = 0x34


class WatchedFunction:
    """Implements `Function` around another one. `accesses` counts by (space, register, "read" or "write")."""

    def __init__(self, inner: Function, log: TextIO | None = None) -> None:
        self._inner = inner
        self._log = log
        self._started = time.monotonic()
        self._msix_control: int | None = None
        self._msix = False
        self.accesses: Counter[tuple[str, str, str]] = Counter()

    @property
    def shape(self) -> FunctionShape:
        return self._inner.shape

    def attach(self, host: HostSide | None) -> None:
        self._inner.attach(host)

    async def read(self, region: int, offset: int, size: int) -> int:
        value = await self._inner.read(region, offset, size)
        self._note("read", region, offset, size, value)
        return value

    async def write(self, region: int, offset: int, size: int, value: int) -> None:
        await self._inner.write(region, offset, size, value)
        self._note("write", region, offset, size, value)
        if region == Region.CONFIG:
            await self._follow_msix(offset, size, value)

    async def reset(self) -> None:
        if self._log is not None:
            self._log.write(f"{self._now():10.6f} reset\n")
        await self._inner.reset()
        self._msix = False

    def busy(self) -> bool:
        return self._inner.busy()

    async def advance(self) -> None:
        await self._inner.advance()

    def _note(self, verb: str, region: int, offset: int, size: int, value: int) -> None:
        name = register_name(region, offset, msix=self._msix)
        self.accesses[space_name(region), name, verb] += 1
        if self._log is not None:
            where = f"{space_name(region):6} {offset:#05x}"
            self._log.write(f"{self._now():10.6f} {verb:5} {where} {value:#0{2 * size + 2}x} {name}\n")

    async def _follow_msix(self, offset: int, size: int, value: int) -> None:
        """Know whether MSI-X is enabled, as device config moves with it."""
        if self._msix_control is None:
            self._msix_control = await self._find_msix()
        at = self._msix_control + 3  # the byte with the enable bit
        if offset <= at < offset + size:
            self._msix = bool(value >> 8 * (at - offset) & 0x80)

    async def _find_msix(self) -> int:
        """Where the MSI-X capability lies; far away when there is none."""
        place = await self._inner.read(Region.CONFIG, _CAPABILITIES, 1)
        for _ in range(48):
            if place == 0:
                break
            if await self._inner.read(Region.CONFIG, place, 1) == _MSIX_ID:
                return place
            place = await self._inner.read(Region.CONFIG, place + 1, 1)
        return 1 << 20

    def _now(self) -> float:
        return time.monotonic() - self._started
