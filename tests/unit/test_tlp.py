"""Packets: the bits of a header, the constructors, and the byte enables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb.pcie.tlp import (
    PAGE,
    CompletionStatus,
    MessageCode,
    Tlp,
    TlpError,
    TlpType,
    byte_count,
    completion_for,
    config_read,
    config_write,
    decode,
    enabled_bytes,
    encode,
    intx_message,
    io_read,
    io_write,
    memory_read,
    memory_write,
    merge_enabled,
    requested_bytes,
)

# Headers written out by hand from the drawings of the PCI Express specification.
BY_HAND = [
    (config_read(0x06, 2, tag=5, target_id=0x0100), 0x04000001_0000050C_01000004_00000000),
    (
        config_write(0x04, 2, 7, tag=1, target_id=0x0208, requester_id=0x0010),
        0x44000001_00100103_02080004_00000000,
    ),
    (io_read(0xC013, 1, tag=9), 0x02000001_00000908_0000C010_00000000),
    (io_write(0xC010, 2, 0, tag=0x21), 0x42000001_00002103_0000C010_00000000),
    (memory_read(0x1000, 64, 3, requester_id=0x0100), 0x00000010_010003FF_00001000_00000000),
    (memory_read(0x1_0000_1002, 4, 3), 0x20000002_0000033C_00000001_00001000),
    (memory_write(0xFEE0_0010, bytes(4), requester_id=0x0100), 0x40000001_0100000F_FEE00010_00000000),
    (intx_message(True, requester_id=0x0100), 0x34000000_01000020_00000000_00000000),
    (intx_message(False), 0x34000000_00000024_00000000_00000000),
]


@pytest.mark.parametrize(("tlp", "header"), BY_HAND, ids=lambda value: str(value)[:30])
def test_header_has_the_bits_of_the_specification(tlp: Tlp, header: int) -> None:
    assert encode(tlp)[0] == header
    assert decode(header, tlp.data) == tlp


def test_completion_header_has_the_bits_of_the_specification() -> None:
    request = memory_read(0x1004, 6, 7, requester_id=0x0008)
    tlp = completion_for(request, bytes(8), completer_id=0x0100)
    assert encode(tlp)[0] == 0x4A000002_01000006_00080704_00000000


def test_largest_counts_are_written_as_zero() -> None:
    request = memory_read(0x2000, PAGE)
    assert encode(request)[0] >> 96 & 0x3FF == 0
    whole = completion_for(request, bytes(PAGE))
    assert encode(whole)[0] >> 64 & 0xFFF == 0
    header, payload = encode(whole)
    assert (decode(header, payload).byte_count, decode(header, payload).length) == (4096, 1024)


_ids = st.integers(0, 0xFFFF)
_tags = st.integers(0, 0xFF)


@given(st.integers(0, (1 << 64) - PAGE - 1), st.integers(0, 600), _tags, _ids)
def test_memory_read_survives_encode_and_decode(address: int, length: int, tag: int, requester: int) -> None:
    if address % PAGE + length > PAGE:
        address -= address % PAGE
    tlp = memory_read(address, length, tag, requester_id=requester)
    assert decode(*encode(tlp)) == tlp


@given(st.integers(0, (1 << 64) - PAGE - 1), st.binary(min_size=1, max_size=300), _ids)
def test_memory_write_enables_exactly_its_bytes(address: int, data: bytes, requester: int) -> None:
    if address % PAGE + len(data) > PAGE:
        address -= address % PAGE
    tlp = decode(*encode(memory_write(address, data, requester_id=requester)))
    assert list(enabled_bytes(tlp)) == [(address + index, value) for index, value in enumerate(data)]
    assert requested_bytes(tlp) == (address, len(data))


@given(
    st.sampled_from([TlpType.COMPLETION, TlpType.COMPLETION_DATA]),
    st.sampled_from(list(CompletionStatus)),
    st.integers(0, 127),
    st.integers(1, 32),
    _tags,
    st.integers(0, 7),
    st.integers(0, 7),
)
def test_completion_survives_encode_and_decode(
    kind: TlpType, status: int, lower: int, length: int, tag: int, attributes: int, traffic_class: int
) -> None:
    with_data = kind is TlpType.COMPLETION_DATA
    tlp = Tlp(
        kind,
        status=0 if with_data else status,
        lower_address=lower,
        byte_count=4 * length - (lower & 3) if with_data else 4,
        length=length if with_data else 0,
        data=bytes(4 * length) if with_data else b"",
        tag=tag,
        attributes=attributes,
        traffic_class=traffic_class,
    )
    assert decode(*encode(tlp)) == tlp


@pytest.mark.parametrize(
    ("offset", "size", "enables", "payload"),
    [
        (0x13, 1, 0b1000, "000000aa"),
        (0x12, 2, 0b1100, "0000aa00"),
        (0x10, 4, 0b1111, "aa000000"),
        (1, 2, 0b0110, "00aa0000"),
    ],
)
def test_access_puts_its_bytes_on_their_lanes(offset: int, size: int, enables: int, payload: str) -> None:
    tlp = io_write(0xC000 + offset, size, 0xAA)
    assert (tlp.first_be, tlp.data.hex()) == (enables, payload)


def test_access_across_a_dw_is_refused() -> None:
    with pytest.raises(TlpError, match="does not lie in one DW"):
        io_read(0xC002, 4)


def test_run_across_a_page_is_refused() -> None:
    with pytest.raises(TlpError, match="4 KiB"):
        memory_read(0x1FFC, 8)


@pytest.mark.parametrize(
    ("first", "last", "length", "count"),
    [
        (0xF, 0, 1, 4),
        (0x0, 0, 1, 1),
        (0x4, 0, 1, 1),
        (0x6, 0, 1, 2),
        (0xC, 0x1, 2, 3),
        (0xF, 0xF, 8, 32),
        (0x8, 0x7, 4, 12),
    ],
)
def test_byte_count_runs_from_first_to_last_enabled_byte(
    first: int, last: int, length: int, count: int
) -> None:
    tlp = Tlp(TlpType.MEMORY_READ, first_be=first, last_be=last, length=length)
    assert byte_count(tlp) == count


def test_parts_of_a_completion_tell_what_is_still_to_come() -> None:
    request = memory_read(0x1002, 200, 3)
    first = completion_for(request, bytes(64))
    second = completion_for(request, bytes(64), start=62)
    assert (first.lower_address, first.byte_count) == (0x02, 200)
    assert (second.lower_address, second.byte_count) == (0x40, 138)


def test_field_that_overflows_is_refused_not_cut() -> None:
    with pytest.raises(TlpError, match="8 bits"):
        encode(Tlp(TlpType.MEMORY_READ, tag=256, length=1))


def test_io_address_above_4_gib_is_refused_not_cut() -> None:
    with pytest.raises(TlpError, match="32 bits"):
        encode(Tlp(TlpType.IO_READ, address=1 << 32, length=1, first_be=1))


def test_merge_keeps_disabled_bytes() -> None:
    assert merge_enabled(0x11223344, 0xAABBCCDD, 0b0101) == 0x11BB33DD


def test_message_names_its_code() -> None:
    assert MessageCode.ASSERT_INTA.name in str(intx_message(True))
