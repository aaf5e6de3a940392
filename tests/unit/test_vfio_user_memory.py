"""Guest memory over vfio-user: mapped ranges, their bounds, and ranges reached by messages."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections.abc import Iterator

import pytest

from tb.guest.host_bus import MemoryPendingError
from tb.vfio_user.function import DmaError
from tb.vfio_user.memory import DmaMap
from tb.vfio_user.protocol import Command, DmaFlag, HeaderFlag, ProtocolError, Region, message
from tests.unit.vfio_user_client import PAGE, Bench

RW = DmaFlag.READ | DmaFlag.WRITE


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def map_body(address: int, size: int, flags: int = 7, offset: int = 0) -> bytes:
    return struct.pack("<IIQQQ", 32, flags, offset, address, size)


def unmap_body(address: int, size: int, flags: int = 0) -> bytes:
    return struct.pack("<IIQQ", 24, flags, address, size)


def test_dma_reaches_the_clients_own_bytes(bench: Bench) -> None:
    fd = bench.map_memory(0x10_0000, 4 * PAGE, offset=PAGE)
    bench.session.memory.write(0x10_0FFE, b"abcd")
    assert os.pread(fd, 4, PAGE + 0xFFE) == b"abcd"
    os.pwrite(fd, b"guest", PAGE)
    assert bench.session.memory.read(0x10_0000, 5) == b"guest"


def test_dma_crosses_from_one_range_into_the_next(bench: Bench) -> None:
    low, high = bench.map_memory(0, PAGE), bench.map_memory(PAGE, PAGE)
    bench.session.memory.write(PAGE - 2, b"abcd")
    assert (os.pread(low, 2, PAGE - 2), os.pread(high, 2, 0)) == (b"ab", b"cd")
    assert bench.session.memory.read(PAGE - 2, 4) == b"abcd"


@pytest.mark.parametrize("address", [0, PAGE - 1, 3 * PAGE, 3 * PAGE - 2, (1 << 64) - 2])
def test_dma_outside_the_ranges_is_an_error_and_stores_nothing(bench: Bench, address: int) -> None:
    fd = bench.map_memory(PAGE, 2 * PAGE)
    with pytest.raises(DmaError, match="outside the guest's memory"):
        bench.session.memory.read(address, 4)
    with pytest.raises(DmaError, match="outside the guest's memory"):
        bench.session.memory.write(address, b"abcd")
    assert os.pread(fd, 2 * PAGE, 0) == bytes(2 * PAGE)


def test_dma_writes_to_a_read_only_range_are_an_error(bench: Bench) -> None:
    bench.map_memory(0, PAGE, flags=DmaFlag.READ | DmaFlag.MAPPABLE)
    assert bench.session.memory.read(0, 2) == b"\0\0"
    with pytest.raises(DmaError, match="not allowed"):
        bench.session.memory.write(0, b"x")


@pytest.mark.parametrize(("address", "size"), [(0, PAGE), (PAGE, 1), (0, 9 * PAGE), (2 * PAGE - 1, PAGE)])
def test_a_range_over_another_is_refused(bench: Bench, address: int, size: int) -> None:
    bench.map_memory(0, 2 * PAGE)
    assert bench.ask(Command.DMA_MAP, map_body(address, size, RW)).header.error == errno.EEXIST


def test_a_mappable_range_without_a_descriptor_is_refused(bench: Bench) -> None:
    assert bench.ask(Command.DMA_MAP, map_body(0, PAGE)).header.error == errno.EINVAL


def test_a_range_with_two_descriptors_is_refused(bench: Bench) -> None:
    fds = (os.memfd_create("a"), os.memfd_create("b"))
    assert bench.ask(Command.DMA_MAP, map_body(0, PAGE), fds).header.error == errno.EINVAL


@pytest.mark.parametrize(("address", "size"), [(0, 0), ((1 << 64) - PAGE, 2 * PAGE)])
def test_a_range_that_is_none_is_refused(bench: Bench, address: int, size: int) -> None:
    assert bench.ask(Command.DMA_MAP, map_body(address, size, RW)).header.error == errno.EINVAL


@pytest.mark.parametrize(
    ("size", "offset"), [(2 * PAGE, 0), (PAGE, PAGE), (1 << 60, 0), (PAGE, (1 << 64) - PAGE)]
)
def test_a_range_its_file_does_not_hold_is_refused(bench: Bench, size: int, offset: int) -> None:
    fd = os.memfd_create("short")
    os.ftruncate(fd, PAGE)
    assert bench.ask(Command.DMA_MAP, map_body(0, size, offset=offset), (fd,)).header.error == errno.EINVAL


def test_a_descriptor_that_cannot_be_mapped_is_refused(bench: Bench) -> None:
    reader, writer = os.pipe()
    assert bench.ask(Command.DMA_MAP, map_body(0, PAGE), (reader,)).header.error != 0
    os.close(writer)


def test_unmap_takes_whole_ranges_and_parts_and_says_how_much(bench: Bench) -> None:
    bench.map_memory(0, 4 * PAGE)
    bench.map_memory(8 * PAGE, PAGE)
    bench.session.memory.write(3 * PAGE, b"kept")
    reply = bench.ask(Command.DMA_UNMAP, unmap_body(PAGE, 2 * PAGE))
    assert struct.unpack("<IIQQ", reply.body)[3] == 2 * PAGE
    assert [(r.address, r.size) for r in bench.session.memory.ranges] == [
        (0, PAGE),
        (3 * PAGE, PAGE),
        (8 * PAGE, PAGE),
    ]
    assert bench.session.memory.read(3 * PAGE, 4) == b"kept"
    with pytest.raises(DmaError):
        bench.session.memory.read(PAGE, 1)
    assert struct.unpack("<IIQQ", bench.ask(Command.DMA_UNMAP, unmap_body(0, 1 << 63)).body)[3] == 3 * PAGE


def test_unmap_of_what_was_never_mapped_removes_nothing(bench: Bench) -> None:
    reply = bench.ask(Command.DMA_UNMAP, unmap_body(0, 1 << 63))
    assert (reply.header.error, struct.unpack("<IIQQ", reply.body)[3]) == (0, 0)


def test_unmap_all_and_dirty_bitmap_flags(bench: Bench) -> None:
    bench.map_memory(PAGE, PAGE)
    assert bench.ask(Command.DMA_UNMAP, unmap_body(0, PAGE, 1)).header.error == errno.ENOTSUP
    assert bench.ask(Command.DMA_UNMAP, unmap_body(0, 0, 2)).header.error == 0
    assert bench.session.memory.ranges == ()


def test_a_range_without_a_descriptor_needs_someone_to_ask() -> None:
    map_ = DmaMap()
    map_.map(0, PAGE, RW)
    with pytest.raises(DmaError, match="without a file descriptor"):
        map_.read(0, 4)
    with pytest.raises(ProtocolError):
        map_.map(0, 0, RW)


def answer_dma(bench: Bench, replies: list[bytes | int]) -> list[tuple[int, bytes]]:
    """As the client: answer each DMA request that comes with data, or an errno; returns what was asked."""
    asked = []
    for content in replies:
        request = bench.reply()
        if request.header.is_reply:
            asked.append((request.header.command, b"reply"))
            request = bench.reply()
        asked.append((request.header.command, request.body))
        if isinstance(content, int):
            flags, error, body = HeaderFlag.REPLY | HeaderFlag.ERROR, content, b""
        else:
            flags, error, body = HeaderFlag.REPLY, 0, request.body[:16] + content
        bench.send_bytes(message(request.header.message_id, request.header.command, body, flags, error))
    return asked


def test_a_range_without_a_descriptor_is_reached_by_messages(bench: Bench) -> None:
    bench.ask(Command.DMA_MAP, map_body(0, PAGE, RW))
    asked: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: asked.extend(answer_dma(bench, [b"wxyz", errno.EFAULT])))
    client.start()
    assert bench.session.memory.read(8, 4) == b"wxyz"
    with pytest.raises(DmaError, match="refused"):
        bench.session.memory.read(8, 4)
    client.join(5)
    assert [command for command, _ in asked] == [Command.DMA_READ, Command.DMA_READ]
    bench.session.memory.write(8, b"ab")
    written = bench.reply()
    assert (written.header.command, written.header.wants_reply) == (Command.DMA_WRITE, False)
    assert written.body.endswith(b"ab")


def test_a_write_that_waits_is_answered_before_the_client_is_asked_for_memory(bench: Bench) -> None:
    bench.ask(Command.DMA_MAP, map_body(0, PAGE, RW))
    bench.function.read_from_guest = (0, 4)
    bench.send(Command.REGION_WRITE, struct.pack("<QII", 0x10, Region.BAR0, 2) + b"\0\0")
    asked: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: asked.extend(answer_dma(bench, [b"ring"])))
    client.start()
    bench.serve()
    client.join(5)
    assert [command for command, _ in asked] == [Command.REGION_WRITE, Command.DMA_READ]
    assert bench.function.regions[Region.BAR1][:4] == b"ring"
    assert bench.silent()


def test_requests_that_come_while_memory_is_asked_for_are_served_later(bench: Bench) -> None:
    bench.ask(Command.DMA_MAP, map_body(0, PAGE, RW))
    late = bench.send(Command.DEVICE_RESET)
    with pytest.raises(MemoryPendingError, match="waits itself") as pending:
        bench.session.memory.read(8, 4)  # the client does nothing else until it has its answer
    bytes_read: list[bytes] = []
    pending.value.callbacks.append(lambda: bytes_read.append(bench.session.memory.read(8, 4)))
    bench.serve()
    request = bench.reply()
    assert request.header.command == Command.DMA_READ
    assert bench.reply().header.message_id == late
    body = request.body[:16] + b"wxyz"
    bench.send_bytes(message(request.header.message_id, Command.DMA_READ, body, HeaderFlag.REPLY))
    bench.serve()
    assert bytes_read == [b"wxyz"]


def late_answer(bench: Bench, content: bytes) -> None:
    """As the client: have the write answered before answering the read of memory that came first."""
    request, written = bench.reply(), bench.reply()
    assert (request.header.command, written.header.command) == (Command.DMA_READ, Command.REGION_WRITE)
    body = request.body[:16] + content
    bench.send_bytes(message(request.header.message_id, Command.DMA_READ, body, HeaderFlag.REPLY))


def test_a_write_that_comes_while_memory_is_asked_for_is_answered_first_and_done_later(bench: Bench) -> None:
    bench.ask(Command.DMA_MAP, map_body(0, PAGE, RW))
    bench.send(Command.REGION_WRITE, struct.pack("<QII", 0, Region.BAR0, 1) + b"\x05")
    client = threading.Thread(target=lambda: late_answer(bench, b"wxyz"))
    client.start()
    assert bench.session.memory.read(8, 4) == b"wxyz"
    client.join(5)
    assert bench.function.regions[Region.BAR0][0] == 0
    bench.serve()
    assert bench.function.regions[Region.BAR0][0] == 5
    assert bench.silent()


def test_memory_by_messages_during_a_read_is_put_off(bench: Bench) -> None:
    bench.ask(Command.DMA_MAP, map_body(0, PAGE, RW))
    bench.function.on_read = (0, 4)
    bench.send(Command.REGION_READ, struct.pack("<QII", 0x12, Region.BAR0, 1))
    with pytest.raises(MemoryPendingError):
        bench.serve()
