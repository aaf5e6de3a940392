"""The bits of a TLP header: tables of (name, byte, top bit, width), and what encodes and parses by them.

A header is one 128-bit number: byte 0 of the specification's drawing is bits 127:120, a 3-DW header leaves
bits 31:0 at zero. Both directions remember DW0 by its fields, since traffic uses few different ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from tb.pcie.types import (
    COMPLETION_TYPES,
    CONFIG_TYPES,
    IO_TYPES,
    MEMORY_TYPES,
    MESSAGE_TYPES,
    PAYLOAD_TYPES,
    Tlp,
    TlpError,
    TlpType,
)


class Field(NamedTuple):
    """A header field: `width` bits that start at `bit` (7 = most significant) of `byte` and run on."""

    name: str
    byte: int
    bit: int
    width: int

    @property
    def shift(self) -> int:
        """Distance of the field's last bit from bit 0 of the 128-bit header."""
        return 128 - 8 * self.byte - (7 - self.bit) - self.width


class Dw0(NamedTuple):
    """What DW0 says. `wide` is a 4-DW header; `length` counts DWs with 1024 for 0."""

    type: TlpType
    wide: bool
    length: int
    traffic_class: int
    attributes: int
    poisoned: bool
    digest: bool
    message_routing: int


_TYPE = Field("type", 0, 7, 8)
_TRAFFIC_CLASS = Field("traffic_class", 1, 6, 3)
_ATTRIBUTE_HIGH = Field("attributes", 1, 2, 1)
_DIGEST = Field("digest", 2, 7, 1)
_POISONED = Field("poisoned", 2, 6, 1)
_ATTRIBUTES_LOW = Field("attributes", 2, 5, 2)
_LENGTH = Field("length", 2, 1, 10)
_RESERVED_DW0 = (1 << 119) | (1 << 115) | (1 << 113) | (1 << 112) | (3 << 106)

_REQUEST = (
    Field("requester_id", 4, 7, 16),
    Field("tag", 6, 7, 8),
    Field("last_be", 7, 7, 4),
    Field("first_be", 7, 3, 4),
)
_NARROW = (*_REQUEST, Field("address", 8, 7, 32))
_WIDE = (*_REQUEST, Field("address", 8, 7, 64))
_CONFIG = (*_REQUEST, Field("target_id", 8, 7, 16), Field("address", 10, 3, 12))
_COMPLETION = (
    Field("completer_id", 4, 7, 16),
    Field("status", 6, 7, 3),
    Field("byte_count", 6, 3, 12),
    Field("requester_id", 8, 7, 16),
    Field("tag", 10, 7, 8),
    Field("lower_address", 11, 6, 7),
)
_MESSAGE = (
    Field("requester_id", 4, 7, 16),
    Field("tag", 6, 7, 8),
    Field("message_code", 7, 7, 8),
    Field("address", 8, 7, 64),
)

_FORMATS = (
    (MEMORY_TYPES, _NARROW, _WIDE),
    (IO_TYPES, _NARROW, None),
    (CONFIG_TYPES, _CONFIG, None),
    (COMPLETION_TYPES, _COMPLETION, None),
    (MESSAGE_TYPES, None, _MESSAGE),
)
_Plan = tuple[tuple[str, int, int], ...]


def _plan(fields: tuple[Field, ...]) -> _Plan:
    """A format as (name, shift, width) steps."""
    return tuple((field.name, field.shift, field.width) for field in fields)


PLANS: dict[tuple[TlpType, bool], _Plan] = {
    (kind, wide): _plan(fields)
    for kinds, narrow_fields, wide_fields in _FORMATS
    for kind in kinds
    for wide, fields in ((False, narrow_fields), (True, wide_fields))
    if fields is not None
}
_READ_PLANS = {
    key: tuple((name, shift, (1 << width) - 1) for name, shift, width in plan) for key, plan in PLANS.items()
}
_WIDE_BIT = 0x20
_CODES = {int(kind): kind for kind in TlpType}
_ROUTING_MASK = 7
_COUNTED = frozenset({"byte_count"})


def encode(tlp: Tlp) -> tuple[int, bytes]:
    """The 128-bit header and the payload of a packet.

    The rules of `tb.pcie.rules` are not applied, so that a test can send what breaks them; a value that
    does not fit its field raises `TlpError` all the same.
    """
    kind = tlp.type
    wide = tlp.wide_address or (tlp.address > 0xFFFF_FFFF and kind in MEMORY_TYPES) or kind in MESSAGE_TYPES
    try:
        plan = PLANS[kind, wide]
    except KeyError:
        raise TlpError(f"A {kind.name} packet has no 4-DW header.", tlp) from None
    header = _encode_dw0(
        kind,
        wide,
        tlp.length,
        tlp.traffic_class,
        tlp.attributes,
        tlp.poisoned,
        tlp.digest,
        tlp.message_routing,
    )
    for name, shift, width in plan:
        value = getattr(tlp, name)
        if value >> width:
            value = _wrapped(tlp, name, value, width)
        header |= value << shift
    return header, tlp.data


def parse(header: int, payload: bytes) -> Tlp:
    """The packet of a header and a payload, as it stands; `TlpError` when the format is unknown."""
    dw0 = _parse_dw0(header >> 96)
    values: dict[str, Any] = {
        name: header >> shift & mask for name, shift, mask in _READ_PLANS[dw0.type, dw0.wide]
    }
    if "byte_count" in values:
        values["byte_count"] = values["byte_count"] or 4096
    return Tlp(
        dw0.type,
        length=dw0.length,
        traffic_class=dw0.traffic_class,
        attributes=dw0.attributes,
        poisoned=dw0.poisoned,
        digest=dw0.digest,
        message_routing=dw0.message_routing,
        data=payload,
        **values,
    )


def header_is_wide(header: int) -> bool:
    """True when the header has 4 DWs."""
    return bool(header >> 125 & 1)


def reserved_bits(header: int) -> int:
    """The bits of DW0 that this project's packets leave at zero (reserved, LN, TH, AT)."""
    return header & _RESERVED_DW0


def _wrapped(tlp: Tlp, name: str, value: int, width: int) -> int:
    """A count whose largest value is written as 0; anything else that does not fit is an error."""
    if name in _COUNTED and value == 1 << width:
        return 0
    raise TlpError(
        f"The field {name} of a {tlp.type.name} packet has {width} bits and cannot hold {value:#x}.", tlp
    )


@lru_cache(maxsize=4096)
def _encode_dw0(
    kind: TlpType,
    wide: bool,
    length: int,
    traffic_class: int,
    attributes: int,
    poisoned: bool,
    digest: bool,
    message_routing: int,
) -> int:
    """DW0 in the top bits of a header."""
    if not 0 <= length <= 1024:
        raise TlpError(f"A packet cannot be {length} DWs long.")
    code = int(kind) | (_WIDE_BIT if wide else 0)
    if kind in MESSAGE_TYPES:
        code |= message_routing & _ROUTING_MASK
    return (
        code << _TYPE.shift
        | (traffic_class & 7) << _TRAFFIC_CLASS.shift
        | (attributes >> 2 & 1) << _ATTRIBUTE_HIGH.shift
        | digest << _DIGEST.shift
        | poisoned << _POISONED.shift
        | (attributes & 3) << _ATTRIBUTES_LOW.shift
        | (length & 0x3FF) << _LENGTH.shift
    )


@lru_cache(maxsize=4096)
def _parse_dw0(dw0: int) -> Dw0:
    """DW0 by its fields; a packet without payload that is no read has length 0."""
    header = dw0 << 96
    kind, wide, routing = _parse_type(_extract(header, _TYPE))
    length = _extract(header, _LENGTH)
    if kind in PAYLOAD_TYPES or kind in _LENGTH_WITHOUT_PAYLOAD:
        length = length or 1024
    return Dw0(
        type=kind,
        wide=wide,
        length=length,
        traffic_class=_extract(header, _TRAFFIC_CLASS),
        attributes=_extract(header, _ATTRIBUTE_HIGH) << 2 | _extract(header, _ATTRIBUTES_LOW),
        poisoned=bool(_extract(header, _POISONED)),
        digest=bool(_extract(header, _DIGEST)),
        message_routing=routing,
    )


_LENGTH_WITHOUT_PAYLOAD = frozenset({
    TlpType.MEMORY_READ, TlpType.MEMORY_READ_LOCKED, TlpType.IO_READ, TlpType.CONFIG_READ,
    TlpType.CONFIG_READ_1,
})  # fmt: skip


def _parse_type(code: int) -> tuple[TlpType, bool, int]:
    """Kind, header width and routing of header byte 0."""
    wide = bool(code & _WIDE_BIT)
    is_message = code & 0b1_1000 == 0b1_0000
    routing = code & _ROUTING_MASK if is_message else 0
    narrow = code & ~_ROUTING_MASK if is_message else code & ~_WIDE_BIT
    if narrow not in _CODES or (_CODES[narrow], wide) not in PLANS:
        raise TlpError(f"Format and type 0x{code:02x} name no known packet.")
    return _CODES[narrow], wide, routing


def _extract(header: int, field: Field) -> int:
    """The value of one field."""
    return header >> field.shift & ((1 << field.width) - 1)
