"""Completions of a memory read: right ones in legal parts, and spoilt ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tb.agents.completer.config import CompleterConfig
from tb.agents.completer.item import FaultItem, ReadFault
from tb.pcie.tlp import CompletionStatus, Tlp, completion_for, requested_bytes

TAG_FLIP = 0x80
FUNCTION_FLIP = 0x8
"""Another device on the same bus."""


def read_completions(request: Tlp, config: CompleterConfig) -> list[Tlp]:
    """The completions of a read of host memory, in address order."""
    address, length = requested_bytes(request)
    if length == 0:
        return [completion_for(request, bytes(4), completer_id=config.completer_id)]
    end = request.address + 4 * request.length
    data = config.memory.read(request.address, end - request.address)
    parts = []
    for start, stop in _parts(address, address + length, config):
        first = (start & ~3) - request.address
        last = min(-(-stop // 4) * 4, end) - request.address
        part = completion_for(
            request, data[first:last], start=start - address, completer_id=config.completer_id
        )
        parts.append(part)
    return parts


def _parts(start: int, stop: int, config: CompleterConfig) -> Iterator[tuple[int, int]]:
    """Byte ranges of the completions: inner ends on boundaries, none longer than the payload allows."""
    boundary = config.boundary
    while start < stop:
        end = ((start & ~3) + config.max_payload) // boundary * boundary
        if config.split_chance:
            end = _early_end(start, min(end, stop), config)
        end = min(end, stop)
        yield start, end
        start = end


def _early_end(start: int, end: int, config: CompleterConfig) -> int:
    """The first boundary after `start` at which chance ends the part, else `end`."""
    cut = (start // config.boundary + 1) * config.boundary
    while cut < end:
        if config.random.random() < config.split_chance:
            return cut
        cut += config.boundary
    return end


def spoilt_completions(request: Tlp, config: CompleterConfig, item: FaultItem) -> list[Tlp]:
    """The completions of a read that goes wrong: some right ones first, when the item wants them."""
    right = read_completions(request, config)
    kept: list[Tlp] = []
    while len(right) > 1 and sum(4 * part.length for part in kept) + 4 * right[0].length <= item.good_bytes:
        kept.append(right.pop(0))
    return kept + _SPOIL[item.fault](request, right, config)


def _with_status(status: CompletionStatus) -> Callable[[Tlp, list[Tlp], CompleterConfig], list[Tlp]]:
    def spoil(request: Tlp, right: list[Tlp], config: CompleterConfig) -> list[Tlp]:
        answer = completion_for(request, status=status, completer_id=config.completer_id)
        return [replace(answer, byte_count=right[0].byte_count, lower_address=right[0].lower_address)]

    return spoil


def _poisoned(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [replace(right[0], poisoned=True), *right[1:]]


def _nothing(_request: Tlp, _right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return []


def _unchanged(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return right


def _short(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return right[:-1]


def _wrong_tag(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [replace(right[0], tag=right[0].tag ^ TAG_FLIP), *right]


def _foreign(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [replace(right[0], requester_id=right[0].requester_id ^ FUNCTION_FLIP), *right]


def _twice(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [*right, right[-1]]


def _wrong_count(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [replace(right[0], byte_count=right[0].byte_count + 4), *right[1:]]


def _wrong_place(_request: Tlp, right: list[Tlp], _config: CompleterConfig) -> list[Tlp]:
    return [replace(right[0], lower_address=right[0].lower_address ^ 4), *right[1:]]


_SPOIL = {
    ReadFault.UNSUPPORTED_REQUEST: _with_status(CompletionStatus.UNSUPPORTED_REQUEST),
    ReadFault.ABORT: _with_status(CompletionStatus.ABORT),
    ReadFault.RETRY: _with_status(CompletionStatus.RETRY),
    ReadFault.POISONED: _poisoned,
    ReadFault.NO_ANSWER: _nothing,
    ReadFault.LATE: _unchanged,
    ReadFault.TOO_LATE: _unchanged,
    ReadFault.SHORT: _short,
    ReadFault.WRONG_TAG: _wrong_tag,
    ReadFault.FOREIGN: _foreign,
    ReadFault.TWICE: _twice,
    ReadFault.WRONG_COUNT: _wrong_count,
    ReadFault.WRONG_PLACE: _wrong_place,
}
