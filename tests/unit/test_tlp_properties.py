"""Any bits are a packet or an error with a sentence; every packet that keeps the rules survives the pins."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tb.pcie.header import parse
from tb.pcie.tlp import (
    PAGE,
    Tlp,
    TlpError,
    TlpType,
    completion_for,
    config_read,
    decode,
    encode,
    intx_message,
    io_write,
    memory_read,
    memory_write,
)

CASES = 1000

header_bits = st.integers(0, (1 << 128) - 1)
addresses = st.one_of(st.integers(0, 0xFFFF_F000), st.integers(0, (1 << 64) - PAGE)).map(lambda at: at & ~255)
lengths = st.integers(1, 48)
right_packets: st.SearchStrategy[Tlp] = st.one_of(
    st.builds(memory_read, addresses, lengths),
    st.builds(memory_write, addresses, st.binary(min_size=1, max_size=48)),
    st.builds(io_write, st.integers(0, 0xFFFF), st.just(1), st.integers(0, 255)),
    st.builds(config_read, st.integers(0, 0xFF), st.just(1)),
    st.builds(intx_message, st.booleans()),
    st.builds(lambda at, n: completion_for(memory_read(at, 4 * n), bytes(4 * n)), addresses, lengths),
)


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[int, bytes]:
    """Header and payload of a right packet, with up to two bits of the header wrong."""
    header, payload = encode(draw(right_packets))
    for _ in range(draw(st.integers(0, 2))):
        header ^= 1 << draw(st.integers(0, 127))
    return header, payload


@settings(max_examples=CASES)
@given(st.one_of(nearly_right(), st.tuples(header_bits, st.binary(max_size=32))))
def test_any_bits_are_a_packet_or_a_sentence(bits: tuple[int, bytes]) -> None:
    header, payload = bits
    try:
        tlp = decode(header, payload)
    except TlpError as error:
        assert str(error).endswith(".")
        return
    assert decode(*encode(tlp)) == tlp
    assert str(tlp)


@given(
    st.sampled_from([TlpType.MESSAGE, TlpType.MESSAGE_DATA]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFF),
    st.integers(0, 0xFF),
    st.integers(0, 7),
    st.integers(0, (1 << 64) - 1),
    st.integers(1, 8),
)
def test_message_survives_encode_and_parse(
    kind: TlpType, requester: int, tag: int, code: int, routing: int, address: int, length: int
) -> None:
    with_data = kind is TlpType.MESSAGE_DATA
    tlp = Tlp(
        kind,
        requester_id=requester,
        tag=tag,
        message_code=code,
        message_routing=routing,
        address=address,
        length=length if with_data else 0,
        data=bytes(4 * length) if with_data else b"",
    )
    assert parse(*encode(tlp)) == tlp
