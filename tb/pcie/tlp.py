"""TLPs as data: the front of this room. Types, `encode`, `decode`, constructors and byte enables.

Standard library only; no clock, no simulator.
"""

from __future__ import annotations

from collections.abc import Iterator

from tb.pcie.header import encode, header_is_wide, parse, reserved_bits
from tb.pcie.rules import PAGE, broken_rule
from tb.pcie.types import (
    Channel,
    CompletionStatus,
    MessageCode,
    MessageRouting,
    Tlp,
    TlpError,
    TlpType,
)

__all__ = [
    "PAGE",
    "Channel",
    "CompletionStatus",
    "MessageCode",
    "MessageRouting",
    "Tlp",
    "TlpError",
    "TlpType",
    "broken_rule",
    "byte_count",
    "completion_for",
    "config_read",
    "config_write",
    "decode",
    "enabled_bytes",
    "encode",
    "first_address",
    "has_holes",
    "intx_message",
    "io_read",
    "io_write",
    "memory_read",
    "memory_write",
    "merge_enabled",
    "parse",
    "requested_bytes",
]

_FIRST_ENABLED = tuple((be & -be).bit_length() - 1 if be else 0 for be in range(16))
_LAST_ENABLED = tuple(be.bit_length() - 1 if be else 0 for be in range(16))
_BROKEN_RUNS = frozenset({0b0101, 0b1001, 0b1010, 0b1011, 0b1101})
_UP_TO_THE_END = frozenset({0b1000, 0b1100, 0b1110, 0b1111})
_FROM_THE_START = frozenset({0b0001, 0b0011, 0b0111, 0b1111})
_MEMORY_READS = frozenset({TlpType.MEMORY_READ, TlpType.MEMORY_READ_LOCKED})


def decode(header: int, payload: bytes) -> Tlp:
    """The packet of a 128-bit header and its payload; `TlpError` with a sentence for anything malformed."""
    tlp = parse(header, payload)
    sentence = broken_rule(tlp) or _broken_header(header, tlp)
    if sentence:
        raise TlpError(sentence, tlp)
    return tlp


def _broken_header(header: int, tlp: Tlp) -> str | None:
    """Rules on header bits that no field of `Tlp` keeps."""
    if header_is_wide(header):
        if tlp.address < 1 << 32 and (tlp.type & 0x30) == 0:
            return f"A 4-DW header carries the address {tlp.address:#x}, which lies below 4 GiB."
    elif header & 0xFFFF_FFFF:
        return "A 3-DW header leaves bits set in the fourth DW."
    if reserved_bits(header):
        return f"Reserved bits of DW0 are set: 0x{header >> 96:08x}."
    return None


def config_read(
    offset: int, size: int = 4, *, tag: int = 0, target_id: int = 0, requester_id: int = 0
) -> Tlp:
    """CfgRd0 of `size` bytes at register `offset`, within one DW."""
    return _one_dw(TlpType.CONFIG_READ, offset, size, tag=tag, target_id=target_id, requester_id=requester_id)


def config_write(
    offset: int, size: int, value: int, *, tag: int = 0, target_id: int = 0, requester_id: int = 0
) -> Tlp:
    """CfgWr0 of the low `size` bytes of `value` at register `offset`, within one DW."""
    tlp = _one_dw(TlpType.CONFIG_WRITE, offset, size, tag=tag, target_id=target_id, requester_id=requester_id)
    tlp.data = _placed(offset, size, value)
    return tlp


def io_read(address: int, size: int = 4, *, tag: int = 0, requester_id: int = 0) -> Tlp:
    """IORd of `size` bytes at byte `address`, within one DW."""
    return _one_dw(TlpType.IO_READ, address, size, tag=tag, requester_id=requester_id)


def io_write(address: int, size: int, value: int, *, tag: int = 0, requester_id: int = 0) -> Tlp:
    """IOWr of the low `size` bytes of `value` at byte `address`, within one DW."""
    tlp = _one_dw(TlpType.IO_WRITE, address, size, tag=tag, requester_id=requester_id)
    tlp.data = _placed(address, size, value)
    return tlp


def memory_read(address: int, n_bytes: int, tag: int = 0, *, requester_id: int = 0) -> Tlp:
    """MRd of `n_bytes` from byte `address`.

    0 bytes give a zero-length read. One packet: the caller splits.
    """
    first_be, last_be, length = _span(address, n_bytes)
    return Tlp(
        TlpType.MEMORY_READ,
        requester_id=requester_id,
        tag=tag,
        address=address & ~3,
        first_be=first_be,
        last_be=last_be,
        length=length,
    )


def memory_write(address: int, data: bytes, *, tag: int = 0, requester_id: int = 0) -> Tlp:
    """MWr of `data` to byte `address`, padded to DWs. One packet: the caller splits."""
    first_be, last_be, length = _span(address, len(data))
    lead = address & 3
    return Tlp(
        TlpType.MEMORY_WRITE,
        requester_id=requester_id,
        tag=tag,
        address=address & ~3,
        first_be=first_be,
        last_be=last_be,
        length=length,
        data=bytes(lead) + data + bytes(4 * length - lead - len(data)),
    )


def intx_message(asserted: bool, *, requester_id: int = 0) -> Tlp:
    """Assert_INTA or Deassert_INTA, routed to the local receiver."""
    code = MessageCode.ASSERT_INTA if asserted else MessageCode.DEASSERT_INTA
    return Tlp(
        TlpType.MESSAGE, requester_id=requester_id, message_code=code, message_routing=MessageRouting.LOCAL
    )


def completion_for(
    request: Tlp,
    data: bytes = b"",
    *,
    status: int = CompletionStatus.SUCCESS,
    completer_id: int = 0,
    start: int = 0,
) -> Tlp:
    """The completion of `request`, or one part of it.

    `data` holds whole DWs as they lie on the wire. `start` counts the bytes of the request that earlier
    completions have delivered (0 for the first or only one). An unsuccessful completion tells the bytes
    still to come, too.
    """
    if request.type in _MEMORY_READS:
        remaining = byte_count(request) - start
        lower_address = (first_address(request) + start) & 0x7F
    else:
        remaining, lower_address = 4, 0
    return Tlp(
        TlpType.COMPLETION_DATA if data else TlpType.COMPLETION,
        requester_id=request.requester_id,
        tag=request.tag,
        length=len(data) // 4,
        data=data,
        completer_id=completer_id,
        status=status,
        byte_count=remaining,
        lower_address=lower_address,
        traffic_class=request.traffic_class,
        attributes=request.attributes,
    )


def first_address(request: Tlp) -> int:
    """Byte address of the first enabled byte (the DW's own address when none is)."""
    return request.address + _FIRST_ENABLED[request.first_be]


def byte_count(request: Tlp) -> int:
    """Bytes from the first to the last enabled one of a memory request; 1 for a zero-length one."""
    if request.length == 1:
        return _LAST_ENABLED[request.first_be] - _FIRST_ENABLED[request.first_be] + 1
    return 4 * request.length - _FIRST_ENABLED[request.first_be] - 3 + _LAST_ENABLED[request.last_be]


def has_holes(request: Tlp) -> bool:
    """Whether the byte enables of a request of one or two DWs leave bytes out between others."""
    first, last = request.first_be, request.last_be
    if request.length == 1:
        return first in _BROKEN_RUNS
    return request.length == 2 and (first not in _UP_TO_THE_END or last not in _FROM_THE_START)


def requested_bytes(request: Tlp) -> tuple[int, int]:
    """Address and count of the bytes from the first to the last enabled one.

    The count is 0 when none is enabled.
    """
    if not request.first_be:
        return request.address, 0
    return first_address(request), byte_count(request)


def enabled_bytes(tlp: Tlp) -> Iterator[tuple[int, int]]:
    """(byte address, value) of every enabled byte of a write, in address order."""
    last_dw = tlp.length - 1
    for index, value in enumerate(tlp.data):
        dw, lane = divmod(index, 4)
        enables = tlp.first_be if dw == 0 else tlp.last_be if dw == last_dw else 0xF
        if enables >> lane & 1:
            yield tlp.address + index, value


def merge_enabled(old: int, new: int, enables: int) -> int:
    """One DW where the enabled bytes of `new` replace those of `old`."""
    mask = _BYTE_MASKS[enables]
    return (old & ~mask) | (new & mask)


_BYTE_MASKS = tuple(sum(0xFF << 8 * lane for lane in range(4) if be >> lane & 1) for be in range(16))


def _one_dw(kind: TlpType, offset: int, size: int, *, tag: int, requester_id: int, target_id: int = 0) -> Tlp:
    """A request for `size` bytes inside one DW."""
    lane = offset & 3
    if size < 1 or lane + size > 4:
        raise TlpError(f"An access of {size} bytes at {offset:#x} does not lie in one DW.")
    return Tlp(
        kind,
        requester_id=requester_id,
        tag=tag,
        address=offset & ~3,
        target_id=target_id,
        first_be=((1 << size) - 1) << lane,
        length=1,
    )


def _placed(offset: int, size: int, value: int) -> bytes:
    """The payload DW with `value` on the lanes of `offset`."""
    lane = offset & 3
    masked = value & ((1 << 8 * size) - 1)
    return (masked << 8 * lane).to_bytes(4, "little")


def _span(address: int, n_bytes: int) -> tuple[int, int, int]:
    """First and last byte enables and length in DWs of a run of bytes."""
    lead = address & 3
    length = max(1, (lead + n_bytes + 3) // 4)
    if (address & (PAGE - 1) & ~3) + 4 * length > PAGE:
        raise TlpError(
            f"{n_bytes} bytes from {address:#x} cross a 4 KiB boundary and need more than one packet."
        )
    if length == 1:
        return ((1 << n_bytes) - 1) << lead, 0, 1
    tail = (address + n_bytes) & 3
    return 0xF << lead & 0xF, (1 << tail) - 1 if tail else 0xF, length
