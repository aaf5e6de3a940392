"""Lies in the form of a packet: what is done to which one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tb.pcie.tlp import PAGE, Tlp, TlpType

_READ, _WRITE = TlpType.MEMORY_READ, TlpType.MEMORY_WRITE


@dataclass(frozen=True, slots=True)
class Twist:
    """`fits`: which packets can be spoilt so; `spoil` gets the packet and the largest payload in bytes."""

    fits: Callable[[Any], bool]
    spoil: Callable[[Any, int], None]


def _set(**values: Any) -> Callable[[Tlp, int], None]:
    def spoil(tlp: Tlp, _payload: int) -> None:
        for name, value in values.items():
            setattr(tlp, name, value)

    return spoil


def _xor(name: str, bits: int) -> Callable[[Tlp, int], None]:
    def spoil(tlp: Tlp, _payload: int) -> None:
        setattr(tlp, name, getattr(tlp, name) ^ bits)

    return spoil


def _is_dma(tlp: Tlp) -> bool:
    return tlp.type in (_READ, _WRITE)


def _is_write(tlp: Tlp) -> bool:
    return tlp.type is _WRITE


def _is_long_read(tlp: Tlp) -> bool:
    return tlp.type is _READ and tlp.length > 2


def _cross_page(tlp: Tlp, _payload: int) -> None:
    tlp.length = (PAGE - tlp.address % PAGE) // 4 + 1
    tlp.first_be = tlp.last_be = 0xF


def _drop_payload(tlp: Tlp, _payload: int) -> None:
    tlp.data = tlp.data[:-4]


def _become_io(tlp: Tlp, _payload: int) -> None:
    tlp.type = TlpType.IO_WRITE
    tlp.address &= 0xFFFF_FFFF
    tlp.length, tlp.last_be, tlp.data = 1, 0, tlp.data[:4]


def _turn_byte(tlp: Tlp, _payload: int) -> None:
    lane = (tlp.first_be & -tlp.first_be).bit_length() - 1
    tlp.data = tlp.data[:lane] + bytes((tlp.data[lane] ^ 0x10,)) + tlp.data[lane + 1 :]


TWISTS: dict[str, Twist] = {
    "requester_id": Twist(_is_dma, _xor("requester_id", 0x0100)),
    "function_number": Twist(_is_dma, _xor("requester_id", 1)),
    "traffic_class": Twist(_is_dma, _set(traffic_class=3)),
    "attribute_not_allowed": Twist(_is_dma, _set(attributes=4)),
    "poisoned_write": Twist(_is_write, _set(poisoned=True)),
    "digest": Twist(_is_dma, _set(digest=True)),
    "wide_address": Twist(lambda tlp: _is_dma(tlp) and tlp.address < 1 << 32, _set(wide_address=True)),
    "enables_with_hole": Twist(_is_long_read, _set(first_be=0b0101)),
    "last_enables": Twist(lambda tlp: _is_dma(tlp) and tlp.length == 1, _set(last_be=1)),
    "no_last_enables": Twist(_is_long_read, _set(last_be=0)),
    "crosses_page": Twist(_is_long_read, _cross_page),
    "payload_short": Twist(lambda tlp: _is_write(tlp) and tlp.length > 1, _drop_payload),
    "io_write": Twist(_is_write, _become_io),
    "locked_read": Twist(lambda tlp: tlp.type is _READ, _set(type=TlpType.MEMORY_READ_LOCKED)),
}
