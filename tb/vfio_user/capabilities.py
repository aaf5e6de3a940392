"""Which capabilities of the function the client sees in configuration space.

A client (QEMU) looks for capabilities once, when it takes the function over, and emulates what it finds. So
that the guest meets the function's own MSI-X table, the whole list is hidden until the first DEVICE_RESET and
shown from then on. For a guest that shall use INTx only the MSI-X entry is taken out of the list, for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tb.vfio_user.interrupts import InterruptMode

STATUS = 0x06
STATUS_LIST = 0x10
POINTER = 0x34
MSIX_ID = 0x11
_MAX_ENTRIES = 48  # what fits between 0x40 and 0xff: a longer list is a loop

ReadByte = Callable[[int], Awaitable[int]]


class CapabilityView:
    """Edits what configuration reads return. Offsets in bytes."""

    def __init__(self, mode: InterruptMode) -> None:
        self._mode = mode
        self._cleared: dict[int, int] = {}
        self._values: dict[int, int] = {}
        if mode is InterruptMode.FUNCTION:
            self._cleared = {STATUS: STATUS_LIST}
            self._values = {POINTER: 0}

    async def prepare(self, read_byte: ReadByte) -> None:
        """Look through the function's list where an entry of it has to be skipped."""
        if self._mode is InterruptMode.INTX:
            self._values = await _skipped(read_byte, MSIX_ID)

    def reset(self) -> None:
        """The client has reset the function: nothing is hidden from the guest's own scan."""
        if self._mode is InterruptMode.FUNCTION:
            self._cleared, self._values = {}, {}

    def edit(self, offset: int, data: bytes) -> bytes:
        """What the client gets for `data` read from `offset`."""
        hidden = self._values.keys() | self._cleared.keys()
        if not any(offset <= at < offset + len(data) for at in hidden):
            return data
        edited = bytearray(data)
        for index in range(len(edited)):
            at = offset + index
            edited[index] = self._values.get(at, edited[index] & ~self._cleared.get(at, 0))
        return bytes(edited)


async def _skipped(read_byte: ReadByte, unwanted: int) -> dict[int, int]:
    """The pointer bytes (offset to value) that leave one capability out of the list."""
    if not await read_byte(STATUS) & STATUS_LIST:
        return {}
    pointer_at = POINTER
    for _ in range(_MAX_ENTRIES):
        entry = await read_byte(pointer_at) & 0xFC
        if entry == 0:
            return {}
        if await read_byte(entry) == unwanted:
            return {pointer_at: await read_byte(entry + 1) & 0xFC}
        pointer_at = entry + 1
    return {}
