"""Names of registers for verdicts."""

from __future__ import annotations

from functools import lru_cache

from tb.models import registers
from tb.models.function import FunctionModel

_CONFIG = {
    0x00: "Vendor ID and Device ID",
    0x04: "Command and Status",
    0x08: "Revision ID and Class Code",
    0x0C: "Cache Line Size, Latency Timer",
    0x10: "BAR0",
    0x14: "BAR1",
    0x2C: "Subsystem IDs",
    0x34: "Capabilities Pointer",
    0x3C: "Interrupt Line and Pin",
}
_ENTRY = ("address low", "address high", "data", "vector control")


@lru_cache(maxsize=4096)
def register_name(space: str, dw: int, enables: int) -> str:
    """What an access to the DW at `dw` with byte `enables` reaches, in words."""
    return f"{_SPACES[space](dw, enables)} (be {enables:04b})"


def _config(dw: int, _enables: int) -> str:
    return f"register {dw:#04x} {_CONFIG.get(dw, '')}".rstrip()


def _bar0(dw: int, enables: int) -> str:
    names = [
        name
        for offset, name in registers.NAMES.items()
        if dw <= offset < dw + 4
        and any(enables >> (offset + byte - dw) & 1 for byte in range(registers.WIDTHS[offset]))
    ]
    return f"BAR0 {dw:#04x} {' and '.join(names)}".rstrip()


def memory_name(model: FunctionModel, bar: int, dw: int, enables: int) -> str:
    """What an access to a memory BAR (-1: the expansion ROM) reaches, in words."""
    table, pending = model.table_offset(bar, dw), model.pending_offset(bar, dw)
    what = ""
    if table is not None:
        what = f" (vector {table >> 4}, {_ENTRY[table >> 2 & 3]})"
    elif pending is not None:
        what = " (pending bits)"
    name = "expansion ROM" if bar < 0 else f"BAR{bar}"
    return f"{name} {dw:#05x}{what} (be {enables:04b})"


_SPACES = {"config": _config, "bar0": _bar0}
