"""What `decode` refuses, each with a sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb.pcie.tlp import (
    CompletionStatus,
    Tlp,
    TlpError,
    TlpType,
    completion_for,
    config_read,
    decode,
    encode,
    intx_message,
    io_read,
    memory_read,
    memory_write,
)

_READ = memory_read(0x1000, 64)
_WRITE = memory_write(0x1000, bytes(16))
_CPL = completion_for(_READ, bytes(64))

BROKEN = [
    (replace(_READ, last_be=0), "neither may be 0000"),
    (replace(_READ, first_be=0), "neither may be 0000"),
    (replace(_READ, first_be=0b0111), "leave a hole"),
    (replace(_READ, last_be=0b1000), "leave a hole"),
    (replace(_READ, address=0x1FF0), "cross a 4 KiB boundary"),
    (replace(_READ, address=0x1001), "low two bits"),
    (replace(_READ, wide_address=True), "below 4 GiB"),
    (replace(memory_read(0x1000, 4), last_be=1), "one-DW request"),
    (replace(_WRITE, data=bytes(12)), "announces 16 payload bytes and 12 came"),
    (replace(memory_write(0x1004, bytes(8)), first_be=0b0101), "leave a hole"),
    (replace(io_read(0xC000), length=2), "2 DWs long, not one"),
    (replace(io_read(0xC000), last_be=3), "last byte enables 0011"),
    (replace(config_read(0), traffic_class=1), "traffic class"),
    (replace(config_read(0), attributes=2), "attributes"),
    (replace(_CPL, status=CompletionStatus.ABORT), "carries data"),
    (replace(_CPL, type=TlpType.COMPLETION, data=b""), "without data has length"),
    (replace(_CPL, byte_count=32), "where 32 bytes are still to come"),
    (completion_for(_READ, status=3), "status 3 is reserved"),
    (replace(intx_message(True), message_routing=0), "routed 0"),
    (replace(intx_message(True), requester_id=0x0101), "function number 1"),
    (replace(intx_message(True), traffic_class=1), "traffic class"),
]


@pytest.mark.parametrize(("tlp", "sentence"), BROKEN, ids=lambda value: str(value)[:40])
def test_broken_packet_is_refused_with_a_sentence(tlp: Tlp, sentence: str) -> None:
    with pytest.raises(TlpError, match=sentence) as caught:
        decode(*encode(tlp))
    assert str(caught.value).endswith(".")
    assert caught.value.tlp is not None


def test_two_dw_with_a_hole_are_legal_on_a_quad_word() -> None:
    tlp = replace(memory_write(0x1000, bytes(8)), first_be=0b0101, last_be=0b1010)
    assert decode(*encode(tlp)) == tlp


@pytest.mark.parametrize("code", [0x03, 0x22, 0x24, 0x4A | 0x20, 0x38, 0x80, 0xFF, 0x10])
def test_unknown_format_and_type_is_refused(code: int) -> None:
    with pytest.raises(TlpError, match="no known packet"):
        decode(code << 120 | 1 << 96, b"")


def test_fourth_dw_of_a_short_header_must_be_zero() -> None:
    header, payload = encode(_READ)
    with pytest.raises(TlpError, match="fourth DW"):
        decode(header | 1, payload)


@pytest.mark.parametrize("bit", [119, 113, 112, 107, 106])
def test_reserved_bits_of_dw0_must_be_zero(bit: int) -> None:
    header, payload = encode(_READ)
    with pytest.raises(TlpError, match="Reserved bits"):
        decode(header | 1 << bit, payload)
