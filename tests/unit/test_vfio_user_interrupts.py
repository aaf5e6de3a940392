"""Interrupts over vfio-user: the function's own table, the client's table, INTx."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb.vfio_user.interrupts import VECTOR_ADDRESS, InterruptMode
from tb.vfio_user.protocol import Command, HeaderFlag, Irq, IrqSet, Region
from tests.unit.vfio_user_client import Bench

EVENT = IrqSet.DATA_EVENTFD | IrqSet.TRIGGER
OFF = IrqSet.DATA_NONE | IrqSet.TRIGGER


def made(mode: InterruptMode) -> Iterator[Bench]:
    bench = Bench(mode)
    yield bench
    bench.close()


@pytest.fixture
def own() -> Iterator[Bench]:
    yield from made(InterruptMode.FUNCTION)


@pytest.fixture
def client_table() -> Iterator[Bench]:
    yield from made(InterruptMode.CLIENT)


@pytest.fixture
def intx() -> Iterator[Bench]:
    yield from made(InterruptMode.INTX)


def event() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def count(fd: int) -> int:
    """How often the event has fired since the last look."""
    try:
        return int.from_bytes(os.read(fd, 8), "little")
    except BlockingIOError:
        return 0


@pytest.mark.parametrize(("kind", "flags", "number"), [(0, 7, 1), (1, 0, 0), (2, 1, 3), (3, 0, 0), (4, 0, 0)])
def test_irq_info_says_how_many_and_how(own: Bench, kind: int, flags: int, number: int) -> None:
    reply = own.ask(Command.DEVICE_GET_IRQ_INFO, struct.pack("<IIII", 16, 0, kind, 0))
    assert struct.unpack("<IIII", reply.body) == (16, flags, kind, number)


def test_an_interrupt_kind_that_does_not_exist_is_refused(own: Bench) -> None:
    reply = own.ask(Command.DEVICE_GET_IRQ_INFO, struct.pack("<IIII", 16, 0, 5, 0))
    assert reply.header.error == errno.EINVAL


def test_a_message_of_the_functions_own_table_becomes_a_posted_write(own: Bench) -> None:
    own.session.interrupt_message(0xFEE0_1000, 0x4021)
    sent = own.reply()
    assert (sent.header.command, sent.header.flags) == (Command.DMA_WRITE, HeaderFlag.NO_REPLY)
    assert struct.unpack_from("<Q", sent.body) == (0xFEE0_1000,)
    assert (0x4021).to_bytes(4, "little") in sent.body[8:]


def test_the_clients_table_fires_the_event_of_the_vector(client_table: Bench) -> None:
    fds = (event(), event())
    assert client_table.set_irqs(EVENT, Irq.MSIX, 1, 2, fds).header.error == 0
    client_table.session.interrupt_message(VECTOR_ADDRESS, 2)
    assert [count(fd) for fd in fds] == [0, 1]
    client_table.session.interrupt_message(VECTOR_ADDRESS, 0)
    client_table.session.interrupt_message(0xFEE0_1000, 1)
    assert [count(fd) for fd in fds] == [0, 0]
    assert client_table.session.counts.interrupts.dropped == 2


def test_the_clients_table_programs_the_functions_entries_and_masks_them_again(client_table: Bench) -> None:
    table = client_table.function.regions[Region.BAR1]
    client_table.set_irqs(EVENT, Irq.MSIX, 1, 1, (event(),))
    assert struct.unpack_from("<IIII", table, 16) == (VECTOR_ADDRESS, 0, 1, 0)
    client_table.set_irqs(EVENT, Irq.MSIX, 1, 1)
    assert struct.unpack_from("<IIII", table, 16) == (VECTOR_ADDRESS, 0, 1, 1)
    client_table.set_irqs(EVENT, Irq.MSIX, 0, 1, (event(),))
    client_table.set_irqs(OFF, Irq.MSIX, 0, 0)
    assert struct.unpack_from("<IIII", table, 0) == (VECTOR_ADDRESS, 0, 0, 1)


def test_an_event_can_be_triggered_by_the_client_itself(client_table: Bench) -> None:
    fds = (event(), event())
    client_table.set_irqs(EVENT, Irq.MSIX, 0, 2, fds)
    client_table.set_irqs(IrqSet.DATA_BOOL | IrqSet.TRIGGER, Irq.MSIX, 0, 2, data=b"\0\1")
    assert [count(fd) for fd in fds] == [0, 1]


def test_intx_fires_once_and_again_after_unmask_while_it_is_asserted(intx: Bench) -> None:
    fd = event()
    intx.set_irqs(EVENT, Irq.INTX, 0, 1, (fd,))
    for level in (True, False, True):
        intx.session.interrupt_line(level)
    assert count(fd) == 1
    intx.set_irqs(IrqSet.DATA_NONE | IrqSet.UNMASK, Irq.INTX, 0, 1)
    assert count(fd) == 1
    intx.session.interrupt_line(False)
    intx.set_irqs(IrqSet.DATA_NONE | IrqSet.UNMASK, Irq.INTX, 0, 1)
    assert count(fd) == 0
    intx.session.interrupt_line(True)
    assert count(fd) == 1


def test_a_masked_intx_waits_for_unmask(intx: Bench) -> None:
    fd = event()
    intx.set_irqs(EVENT, Irq.INTX, 0, 1, (fd,))
    intx.set_irqs(IrqSet.DATA_NONE | IrqSet.MASK, Irq.INTX, 0, 1)
    intx.session.interrupt_line(True)
    assert count(fd) == 0
    intx.set_irqs(IrqSet.DATA_BOOL | IrqSet.UNMASK, Irq.INTX, 0, 1, data=b"\1")
    assert count(fd) == 1


def test_a_line_asserted_before_its_event_exists_fires_when_it_comes(intx: Bench) -> None:
    intx.session.interrupt_line(True)
    fd = event()
    intx.set_irqs(EVENT, Irq.INTX, 0, 1, (fd,))
    assert count(fd) == 1


def test_intx_mode_has_no_msix_vectors(intx: Bench) -> None:
    assert intx.set_irqs(EVENT, Irq.MSIX, 0, 1, (event(),)).header.error == errno.EINVAL


def test_descriptors_are_taken_away_by_a_request_without_any(intx: Bench) -> None:
    fd = event()
    intx.set_irqs(EVENT, Irq.INTX, 0, 1, (fd,))
    intx.set_irqs(EVENT, Irq.INTX, 0, 1)
    intx.session.interrupt_line(True)
    assert count(fd) == 0


@pytest.mark.parametrize(
    ("flags", "kind", "start", "number"),
    [
        (0, Irq.INTX, 0, 1),
        (IrqSet.DATA_NONE | IrqSet.DATA_BOOL | IrqSet.MASK, Irq.INTX, 0, 1),
        (IrqSet.DATA_NONE, Irq.INTX, 0, 1),
        (IrqSet.DATA_NONE | IrqSet.MASK | IrqSet.UNMASK, Irq.INTX, 0, 1),
        (IrqSet.DATA_NONE | IrqSet.MASK | 0x40, Irq.INTX, 0, 1),
        (OFF, 5, 0, 1),
        (OFF, Irq.MSIX, 3, 1),
        (OFF, Irq.MSIX, 0xFFFF_FFFF, 2),
        (IrqSet.DATA_BOOL | IrqSet.TRIGGER, Irq.MSIX, 0, 2),
        (EVENT, Irq.MSI, 0, 1),
    ],
)
def test_a_request_that_means_nothing_is_refused(
    own: Bench, flags: int, kind: int, start: int, number: int
) -> None:
    assert own.set_irqs(flags, kind, start, number).header.error == errno.EINVAL


def test_masking_a_vector_is_not_supported(own: Bench) -> None:
    reply = own.set_irqs(IrqSet.DATA_NONE | IrqSet.MASK, Irq.MSIX, 0, 1)
    assert reply.header.error == errno.ENOTSUP


def test_the_wrong_number_of_descriptors_is_refused_and_none_is_kept(client_table: Bench) -> None:
    before = open_descriptors()
    fds = (event(), event())
    assert client_table.set_irqs(EVENT, Irq.MSIX, 0, 3, fds).header.error == errno.EINVAL
    assert client_table.set_irqs(OFF, Irq.MSIX, 0, 1, fds[:1]).header.error == errno.EINVAL
    for fd in fds:
        os.close(fd)
    assert open_descriptors() == before
