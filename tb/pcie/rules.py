"""The PCI Express rules that one packet can break on its own, each as a sentence."""

from __future__ import annotations

from collections.abc import Callable

from tb.pcie.types import (
    COMPLETION_TYPES,
    CONFIG_TYPES,
    INTX_CODES,
    IO_TYPES,
    MEMORY_TYPES,
    MESSAGE_TYPES,
    PAYLOAD_TYPES,
    CompletionStatus,
    MessageRouting,
    Tlp,
    TlpType,
)

PAGE = 4096
_ENABLES_TO_THE_END = frozenset({0b1000, 0b1100, 0b1110, 0b1111})
_ENABLES_FROM_THE_START = frozenset({0b0001, 0b0011, 0b0111, 0b1111})
_SINGLE_RUN = frozenset(
    {0b0000, 0b0001, 0b0010, 0b0100, 0b1000, 0b0011, 0b0110, 0b1100, 0b0111, 0b1110, 0b1111}
)
_STATUSES = frozenset(int(status) for status in CompletionStatus)


def broken_rule(tlp: Tlp) -> str | None:
    """The first rule that the packet breaks, as a sentence; None for a correct packet."""
    carried = 4 * tlp.length if tlp.type in PAYLOAD_TYPES else 0
    if len(tlp.data) != carried:
        return f"The header announces {carried} payload bytes and {len(tlp.data)} came."
    return _CHECKS[tlp.type](tlp)


def _memory(tlp: Tlp) -> str | None:
    if tlp.address & 3:
        return f"The low two bits of the memory address {tlp.address:#x} are not zero."
    if (tlp.address & (PAGE - 1)) + 4 * tlp.length > PAGE:
        return f"{tlp.length} DWs from address {tlp.address:#x} cross a 4 KiB boundary."
    return _byte_enables(tlp)


def _byte_enables(tlp: Tlp) -> str | None:
    """First and last byte enables against the length."""
    first, last = tlp.first_be, tlp.last_be
    if tlp.length == 1:
        return f"A one-DW request has last byte enables {last:04b}, not 0000." if last else None
    if not first or not last:
        return f"A request of {tlp.length} DWs has byte enables {first:04b}/{last:04b}; neither may be 0000."
    if tlp.length == 2 and not tlp.address & 7:
        return None
    if first not in _ENABLES_TO_THE_END or last not in _ENABLES_FROM_THE_START:
        return f"The byte enables {first:04b}/{last:04b} of a request of {tlp.length} DWs leave a hole."
    return None


def _one_dw(tlp: Tlp) -> str | None:
    """I/O and configuration requests: one DW, plain."""
    if tlp.length != 1:
        return f"An I/O or configuration request is {tlp.length} DWs long, not one."
    if tlp.last_be:
        return f"An I/O or configuration request has last byte enables {tlp.last_be:04b}, not 0000."
    if tlp.address & 3:
        return f"The low two bits of the register address {tlp.address:#x} are not zero."
    if tlp.traffic_class or tlp.attributes:
        return "An I/O or configuration request has traffic class or attributes other than zero."
    return None


def _completion(tlp: Tlp) -> str | None:
    if tlp.status not in _STATUSES:
        return f"Completion status {tlp.status} is reserved."
    if tlp.type not in PAYLOAD_TYPES:
        return f"A completion without data has length {tlp.length}." if tlp.length else None
    if tlp.status != CompletionStatus.SUCCESS:
        return f"A completion with status {CompletionStatus(tlp.status).name} carries data."
    needed = ((tlp.lower_address & 3) + tlp.byte_count + 3) // 4
    if tlp.length > needed:
        return f"A completion carries {tlp.length} DWs where {tlp.byte_count} bytes are still to come."
    return None


def _message(tlp: Tlp) -> str | None:
    if tlp.message_code not in INTX_CODES:
        return None
    if tlp.type is not TlpType.MESSAGE:
        return "An INTx message carries data."
    if tlp.message_routing != MessageRouting.LOCAL:
        return f"An INTx message is routed {tlp.message_routing}, not to the local receiver (4)."
    if tlp.length or tlp.traffic_class or tlp.attributes or tlp.address:
        return "An INTx message has a length, traffic class, attributes or reserved bytes other than zero."
    if tlp.requester_id & 7:
        return f"An INTx message has function number {tlp.requester_id & 7} in its requester id, not 0."
    return None


_FAMILIES: tuple[tuple[frozenset[TlpType], Callable[[Tlp], str | None]], ...] = (
    (MEMORY_TYPES, _memory),
    (IO_TYPES, _one_dw),
    (CONFIG_TYPES, _one_dw),
    (COMPLETION_TYPES, _completion),
    (MESSAGE_TYPES, _message),
)
_CHECKS = {kind: check for kinds, check in _FAMILIES for kind in kinds}
