"""The vfio-user server bears a client that speaks badly: an error reply where one can be given, no crash."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb.guest.host_bus import run
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import Command, Header, HeaderFlag, ProtocolError, Region
from tb.vfio_user.server import serve
from tb.vfio_user.transport import Connection, DisconnectedError
from tests.unit.vfio_user_client import PAGE, Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_bytes_that_come_one_at_a_time_make_one_request(bench: Bench) -> None:
    body = struct.pack("<QII", 0, Region.CONFIG, 4)
    for byte in Header(7, Command.REGION_READ, 16 + len(body)).pack() + body:
        assert bench.session.receive() is None
        bench.send_bytes(bytes((byte,)))
    bench.serve()
    assert bench.reply().header.message_id == 7


def test_two_requests_in_one_send_are_two_requests(bench: Bench) -> None:
    bench.send_bytes(b"".join(Header(n, Command.DEVICE_RESET, 16).pack() for n in (1, 2)))
    bench.serve()
    assert [bench.reply().header.message_id for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("command", [0, 6, 13 + 1, 15, 99, 0xFFFF, Command.DMA_READ])
def test_an_unknown_command_is_refused(bench: Bench, command: int) -> None:
    reply = bench.ask(command, b"anything")
    assert reply.header.flags & HeaderFlag.ERROR
    assert (reply.header.error, reply.body) == (errno.ENOSYS, b"")


@pytest.mark.parametrize(
    "command",
    [
        Command.VERSION,
        Command.DMA_MAP,
        Command.DMA_UNMAP,
        Command.DEVICE_GET_INFO,
        Command.DEVICE_GET_REGION_INFO,
        Command.DEVICE_GET_IRQ_INFO,
        Command.DEVICE_SET_IRQS,
        Command.REGION_READ,
        Command.REGION_WRITE,
    ],
)
def test_a_body_too_short_for_its_command_is_refused(bench: Bench, command: int) -> None:
    for length in (0, 1, 3):
        assert bench.ask(command, b"\1" * length).header.error == errno.EINVAL
    assert "at least" in bench.session.errors[-1]


@pytest.mark.parametrize("size", [0, 15, 1 << 24, 0xFFFF_FFFF])
def test_a_header_with_an_impossible_size_ends_the_stream(bench: Bench, size: int) -> None:
    bench.send_bytes(Header(1, Command.VERSION, size).pack())
    with pytest.raises(ProtocolError, match="bytes is not between"):
        bench.serve()


def test_another_major_version_is_refused(bench: Bench) -> None:
    assert bench.ask(Command.VERSION, struct.pack("<HH", 1, 0)).header.error == errno.EINVAL


def test_small_argsz_is_refused(bench: Bench) -> None:
    for command, size in (
        (Command.DEVICE_GET_INFO, 16),
        (Command.DEVICE_GET_REGION_INFO, 32),
        (Command.DEVICE_GET_IRQ_INFO, 16),
    ):
        body = struct.pack("<I", size - 1) + bytes(size - 4)
        assert bench.ask(command, body).header.error == errno.EINVAL


@pytest.mark.parametrize(
    ("region", "offset", "count"),
    [
        (7, 254, 4),
        (0, 64, 1),
        (1, PAGE, 4),
        (1, (1 << 64) - 4, 4),
        (2, 0, 4),
        (9, 0, 4),
        (7, 0, 0),
        (1, 0, 1 << 31),
    ],
)
def test_an_access_outside_its_region_is_refused(bench: Bench, region: int, offset: int, count: int) -> None:
    assert bench.read(region, offset, count).header.error == errno.EINVAL
    body = struct.pack("<QII", offset, region, count) + bytes(min(count, 64))
    assert bench.ask(Command.REGION_WRITE, body).header.error == errno.EINVAL
    assert bench.function.log == []


@pytest.mark.parametrize("carried", [b"", b"abc", b"abcde"])
def test_a_write_whose_count_is_not_what_it_carries_is_refused(bench: Bench, carried: bytes) -> None:
    body = struct.pack("<QII", 0, Region.BAR1, 4) + carried
    assert bench.ask(Command.REGION_WRITE, body).header.error == errno.EINVAL


def test_a_bad_posted_write_is_dropped_without_a_reply(bench: Bench) -> None:
    body = struct.pack("<QII", PAGE, Region.BAR1, 4) + b"abcd"
    bench.send(Command.REGION_WRITE, body, flags=HeaderFlag.NO_REPLY)
    bench.serve()
    assert bench.silent()
    assert bench.session.counts.errors == 1


def test_a_reply_nobody_waits_for_is_not_answered(bench: Bench) -> None:
    bench.send(Command.DMA_READ, flags=HeaderFlag.REPLY)
    bench.serve()
    assert bench.silent()


def test_descriptors_that_belong_to_no_command_are_closed(bench: Bench) -> None:
    before = open_descriptors()
    fds = tuple(os.memfd_create("x") for _ in range(3))
    reply = bench.ask(Command.REGION_READ, struct.pack("<QII", 0, Region.CONFIG, 4), fds)
    assert reply.header.error == 0
    for fd in fds:
        os.close(fd)
    assert open_descriptors() == before


def test_too_many_descriptors_end_the_stream_and_leak_nothing(bench: Bench) -> None:
    before = open_descriptors()
    fds = tuple(os.memfd_create("x") for _ in range(40))
    bench.send(Command.DEVICE_RESET, fds=fds)
    with pytest.raises(DisconnectedError, match="more than"):
        bench.serve()
    for fd in fds:
        os.close(fd)
    bench.session.close()
    bench.client.close()
    assert open_descriptors() <= before


@pytest.mark.parametrize("sent", [b"", b"\1\0", Header(1, Command.REGION_READ, 32).pack() + b"half"])
def test_a_client_that_leaves_ends_the_session_and_gives_everything_back(sent: bytes) -> None:
    before = open_descriptors()
    made = Bench()
    made.client.send(sent)
    made.client.close()
    server = Connection(socket.socket(fileno=os.dup(made.session._client._connection.fileno())))
    made.session.close()
    session, ending = run(serve(server, made.function, InterruptMode.FUNCTION, lambda: None))
    assert ending.client_left
    assert ending.sentence.endswith("between messages" if sent == b"" else "in the middle of a message")
    assert made.function.host is None
    assert session.memory.ranges == ()
    assert open_descriptors() == before


def test_a_client_that_leaves_before_its_reply_ends_the_session(bench: Bench) -> None:
    bench.send(Command.REGION_READ, struct.pack("<QII", 0, Region.CONFIG, 4))
    request = bench.session.receive()
    assert request is not None
    bench.client.close()
    with pytest.raises(DisconnectedError):
        run(bench.session.handle(request))


def test_a_stop_is_heard_while_the_function_works() -> None:
    made = Bench()
    made.function.work = 1000
    sentences = iter([None] * 3)
    server = Connection(socket.socket(fileno=os.dup(made.session._client._connection.fileno())))
    made.session.close()
    made.client.settimeout(5)
    _, ending = run(
        serve(server, made.function, InterruptMode.FUNCTION, lambda: next(sentences, "time is over"))
    )
    assert ending.sentence == "time is over"
    assert made.function.work == 997
    made.client.close()
