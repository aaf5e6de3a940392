"""How host memory answers a read: legal parts whatever chance decides, and spoilt ones when asked."""

from __future__ import annotations

import random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb.agents.completer.answers import read_completions, spoilt_completions
from tb.agents.completer.config import CompleterConfig
from tb.agents.completer.item import FaultItem, ReadFault
from tb.guest.memory import SparseMemory
from tb.harness.link import PinLink
from tb.pcie.tlp import PAGE, CompletionStatus, Tlp, TlpType, decode, encode, memory_read, requested_bytes

_PATTERN = bytes(index * 7 & 0xFF for index in range(2 * PAGE))


def _config(**changes: object) -> CompleterConfig:
    memory = SparseMemory()
    memory.write(0x10000, _PATTERN)
    config = CompleterConfig(cast(PinLink, None), memory, random.Random(3))
    for name, value in changes.items():
        setattr(config, name, value)
    return config


def _delivered(request: Tlp, parts: list[Tlp]) -> bytes:
    """The requested bytes as a requester puts them together, checking every part's counts."""
    address, length = requested_bytes(request)
    got = b""
    for part in parts:
        decode(*encode(part))
        assert part.lower_address == (address + len(got)) & 0x7F
        assert part.byte_count == length - len(got)
        lead = part.lower_address & 3
        got += part.data[lead : lead + part.byte_count]
    return got


@given(
    st.integers(0, PAGE - 1),
    st.integers(1, PAGE),
    st.sampled_from([64, 128]),
    st.sampled_from([128, 256, 512]),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_parts_bring_the_requested_bytes_within_the_rules(
    offset: int, length: int, boundary: int, payload: int, chance: float
) -> None:
    length = min(length, PAGE - offset)
    config = _config(boundary=boundary, max_payload=payload, split_chance=chance)
    request = memory_read(0x10000 + offset, length, 5)
    parts = read_completions(request, config)
    assert _delivered(request, parts) == _PATTERN[offset : offset + length]
    assert all(len(part.data) <= payload for part in parts)
    ends = [part.lower_address + len(part.data) - (part.lower_address & 3) for part in parts[:-1]]
    assert all(end % boundary == 0 for end in ends)


def test_without_chance_the_parts_are_as_long_as_they_may_be() -> None:
    parts = read_completions(memory_read(0x10000, 512), _config(max_payload=128))
    assert [len(part.data) for part in parts] == [128] * 4


def test_zero_length_read_gets_one_dw_and_one_byte() -> None:
    (part,) = read_completions(memory_read(0x10004, 0), _config())
    assert (part.byte_count, part.length) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ReadFault.UNSUPPORTED_REQUEST, CompletionStatus.UNSUPPORTED_REQUEST),
        (ReadFault.ABORT, CompletionStatus.ABORT),
        (ReadFault.RETRY, CompletionStatus.RETRY),
    ],
)
def test_error_comes_after_the_good_bytes(fault: ReadFault, status: CompletionStatus) -> None:
    request = memory_read(0x10000, 512)
    parts = spoilt_completions(request, _config(), FaultItem(fault, good_bytes=200))
    assert [part.status for part in parts] == [CompletionStatus.SUCCESS, status]
    assert (parts[1].type, parts[1].byte_count) == (TlpType.COMPLETION, 384)


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        (ReadFault.NO_ANSWER, 0),
        (ReadFault.SHORT, 3),
        (ReadFault.LATE, 4),
        (ReadFault.WRONG_TAG, 5),
        (ReadFault.FOREIGN, 5),
        (ReadFault.TWICE, 5),
    ],
)
def test_fault_decides_how_many_parts_come(fault: ReadFault, count: int) -> None:
    assert len(spoilt_completions(memory_read(0x10000, 512), _config(), FaultItem(fault))) == count


def test_poison_marks_one_part_and_all_come() -> None:
    parts = spoilt_completions(
        memory_read(0x10000, 512), _config(), FaultItem(ReadFault.POISONED, good_bytes=128)
    )
    assert [part.poisoned for part in parts] == [False, True, False, False]


@pytest.mark.parametrize(
    ("fault", "field"), [(ReadFault.WRONG_COUNT, "byte_count"), (ReadFault.WRONG_PLACE, "lower_address")]
)
def test_wrong_field_is_that_of_the_first_part_after_the_good_ones(fault: ReadFault, field: str) -> None:
    request = memory_read(0x10000, 512)
    right = read_completions(request, _config())
    spoilt = spoilt_completions(request, _config(), FaultItem(fault, good_bytes=128))
    differing = [at for at in range(4) if getattr(right[at], field) != getattr(spoilt[at], field)]
    assert differing == [1]
    assert all(decode(*encode(part)) == part for part in spoilt)


def test_fault_waits_for_its_addresses_and_its_turn() -> None:
    item = FaultItem(ReadFault.ABORT, addresses=range(0x2000, 0x2004), skip=1, count=2)
    near, there = memory_read(0x1F00, 0x100), memory_read(0x1FF0 + 0x10, 16)
    assert [item.takes(request) for request in (near, there, there, near, there, there)] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert item.spent
