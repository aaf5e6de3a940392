"""The vfio-user server answers a well-behaved client: identity, accesses, reset, capabilities."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import pytest

from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import Command, HeaderFlag, Region
from tb.vfio_user.session import pieces
from tests.unit.vfio_user_client import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def with_capabilities(made: Bench) -> Bench:
    """Give the function MSI-X at 0x40 and PCI Express at 0x50."""
    config = made.function.regions[Region.CONFIG]
    config[0x06] = 0x10
    config[0x34] = 0x40
    config[0x40:0x42] = bytes((0x11, 0x50))
    config[0x50:0x52] = bytes((0x10, 0x00))
    return made


def test_version_answers_the_offered_major_and_a_short_text(bench: Bench) -> None:
    offer = json.dumps({"capabilities": {"max_msg_fds": 8, "max_data_xfer_size": 4096}}).encode() + b"\0"
    reply = bench.ask(Command.VERSION, struct.pack("<HH", 0, 1) + offer)
    assert struct.unpack_from("<HH", reply.body) == (0, 1)
    assert reply.body.endswith(b"\0")
    assert json.loads(reply.body[4:-1])["capabilities"]["max_msg_fds"] >= 8


@pytest.mark.parametrize(
    "text", [b"", b"\0", b"{}\0", b"not json\0", b"[1]\0", b'{"capabilities": 3}\0', b"\xff\0"]
)
def test_version_bears_any_text(bench: Bench, text: bytes) -> None:
    assert bench.ask(Command.VERSION, struct.pack("<HH", 0, 0) + text).header.error == 0


def test_device_info_says_pci_with_reset_and_counts_regions_and_interrupts(bench: Bench) -> None:
    reply = bench.ask(Command.DEVICE_GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))
    assert struct.unpack("<IIII", reply.body) == (16, 3, 9, 5)


@pytest.mark.parametrize(("region", "size"), [(0, 64), (1, 4096), (2, 0), (6, 0), (7, 256), (8, 0)])
def test_region_info_gives_the_size_of_every_region(bench: Bench, region: int, size: int) -> None:
    reply = bench.ask(Command.DEVICE_GET_REGION_INFO, struct.pack("<IIIIQQ", 32, 0, region, 0, 0, 0))
    assert struct.unpack("<IIIIQQ", reply.body) == (32, 3 if size else 0, region, 0, size, 0)


def test_what_is_written_to_a_region_is_read_back(bench: Bench) -> None:
    reply = bench.write(Region.BAR1, 0x20, b"\x11\x22\x33\x44")
    assert struct.unpack("<QII", reply.body) == (0x20, Region.BAR1, 0)
    reply = bench.read(Region.BAR1, 0x20, 4)
    assert reply.body == struct.pack("<QII", 0x20, Region.BAR1, 4) + b"\x11\x22\x33\x44"


def test_a_256_byte_configuration_read_becomes_aligned_accesses(bench: Bench) -> None:
    assert len(bench.read(Region.CONFIG, 0, 256).body) == 16 + 256
    assert bench.function.log == [("read", Region.CONFIG, offset, 4) for offset in range(0, 256, 4)]


def test_pieces_are_aligned_and_cover_the_access() -> None:
    assert pieces(1, 7, 4) == [(1, 1), (2, 2), (4, 4)]
    assert pieces(8, 8, 8) == [(8, 8)]
    assert pieces(4, 8, 8) == [(4, 4), (8, 4)]
    assert pieces(0x14, 3, 4) == [(0x14, 2), (0x16, 1)]


def test_a_posted_write_is_made_and_not_answered(bench: Bench) -> None:
    body = struct.pack("<QII", 0, Region.BAR1, 4) + b"abcd"
    bench.send(Command.REGION_WRITE, body, flags=HeaderFlag.NO_REPLY)
    bench.serve()
    assert bench.silent()
    assert bench.function.regions[Region.BAR1][:4] == b"abcd"


def test_pipelined_requests_are_answered_in_order(bench: Bench) -> None:
    ids = [bench.send(Command.REGION_READ, struct.pack("<QII", 4 * n, Region.CONFIG, 4)) for n in range(5)]
    bench.serve()
    assert [bench.reply().header.message_id for _ in ids] == ids


def test_reset_resets_the_function(bench: Bench) -> None:
    assert bench.ask(Command.DEVICE_RESET).body == b""
    assert bench.function.resets == 1


def test_capabilities_are_hidden_until_the_first_reset_with_the_functions_own_table(bench: Bench) -> None:
    with_capabilities(bench)
    before = bench.read(Region.CONFIG, 0, 256).body[16:]
    assert (before[0x06] & 0x10, before[0x34]) == (0, 0)
    bench.ask(Command.DEVICE_RESET)
    after = bench.read(Region.CONFIG, 0, 256).body[16:]
    assert (after[0x06] & 0x10, after[0x34]) == (0x10, 0x40)
    bench.ask(Command.DEVICE_RESET)
    assert bench.read(Region.CONFIG, 0x34, 1).body[16:] == b"\x40"


def test_the_clients_own_table_sees_every_capability_from_the_start() -> None:
    made = with_capabilities(Bench(InterruptMode.CLIENT))
    made.ask(Command.VERSION, struct.pack("<HH", 0, 0))
    assert made.read(Region.CONFIG, 0x34, 1).body[16:] == b"\x40"
    made.close()


@pytest.mark.parametrize("first", [0x40, 0x50])
def test_intx_takes_only_msix_out_of_the_list(first: int) -> None:
    made = with_capabilities(Bench(InterruptMode.INTX))
    config = made.function.regions[Region.CONFIG]
    config[0x34], config[0x41], config[0x51] = (0x40, 0x50, 0) if first == 0x40 else (0x50, 0, 0x40)
    made.ask(Command.VERSION, struct.pack("<HH", 0, 0))
    made.ask(Command.DEVICE_RESET)
    seen = made.read(Region.CONFIG, 0, 256).body[16:]
    assert (seen[0x34], seen[0x51]) == (0x50, 0)
    made.close()
