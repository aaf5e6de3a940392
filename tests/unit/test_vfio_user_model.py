"""The golden model behind the vfio-user server: a driver's work over the protocol, request to interrupt."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb.guest_vm.file_disk import FileDisk
from tb.guest_vm.model_function import ModelFunction, block_function
from tb.models.virtqueue import RingLayout
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.protocol import Command, Irq, IrqSet, Region
from tests.unit.vfio_user_client import PAGE, Bench

RAM = 1 << 20
PFN, SIZE = 1, 256
HEADER, DATA, STATUS = 0x10000, 0x11000, 0x12000
MESSAGE = (0xFEE0_1000, 0x4022)
NEXT, WRITE = 1, 2


class Driver:
    """Just enough of a guest: one request at a time on queue 0."""

    def __init__(self, folder: Path, mode: InterruptMode) -> None:
        image = folder / "disk"
        image.write_bytes(bytes(range(256)) * 2 * 16)
        self.disk = FileDisk(image)
        self.function: ModelFunction = block_function(self.disk)
        self.bench = Bench(mode, self.function)
        self.layout = RingLayout.of(PFN, SIZE)
        self.fd = self.bench.map_memory(0, RAM)
        self.events: list[int] = []
        self._requests = 0
        self.config(4, 2, 7)

    def close(self) -> None:
        self.bench.close()
        self.disk.close()
        for fd in (self.fd, *self.events):
            os.close(fd)

    def config(self, offset: int, size: int, value: int) -> None:
        self.bench.write(Region.CONFIG, offset, value.to_bytes(size, "little"))

    def io(self, offset: int, size: int, value: int) -> None:
        self.bench.write(Region.BAR0, offset, value.to_bytes(size, "little"))

    def event(self) -> int:
        """A descriptor to hand over; the returned duplicate stays with the client."""
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.events.append(os.dup(fd))
        return fd

    def start(self) -> None:
        for status in (0, 1, 3):
            self.io(0x12, 1, status)
        self.io(0x08, 4, PFN)
        self.io(0x12, 1, 7)

    def prepare_read(self, sector: int, data_at: int = DATA) -> None:
        """Put a request to read one sector on the available ring."""
        os.pwrite(self.fd, struct.pack("<IIQ", 0, 0, sector), HEADER)
        os.pwrite(self.fd, b"\xff", STATUS)
        table = ((HEADER, 16, NEXT, 1), (data_at, 512, NEXT | WRITE, 2), (STATUS, 1, WRITE, 0))
        for index, fields in enumerate(table):
            os.pwrite(self.fd, struct.pack("<QIHH", *fields), self.layout.descriptor(index))
        os.pwrite(self.fd, struct.pack("<H", 0), self.layout.available_slot(self._requests))
        self._requests += 1
        os.pwrite(self.fd, struct.pack("<H", self._requests), self.layout.available_index)

    def used_index(self) -> int:
        return int.from_bytes(os.pread(self.fd, 2, self.layout.used_index), "little")


@pytest.fixture
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    made = Driver(tmp_path, request.param)
    yield made
    made.close()


def with_mode(mode: InterruptMode) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("driver", [mode], indirect=True, ids=[mode.value])


@with_mode(InterruptMode.FUNCTION)
def test_a_read_request_ends_with_the_functions_own_message(driver: Driver) -> None:
    driver.bench.ask(Command.DEVICE_RESET)
    driver.config(4, 2, 7)
    driver.config(0x42, 2, 0x8000)
    for offset, value in enumerate((MESSAGE[0], 0, MESSAGE[1], 0)):
        driver.bench.write(Region.BAR1, 16 + 4 * offset, struct.pack("<I", value))
    for status in (0, 1, 3):
        driver.io(0x12, 1, status)
    driver.io(0x08, 4, PFN)
    driver.io(0x16, 2, 1)
    driver.io(0x12, 1, 7)
    driver.prepare_read(3)
    driver.bench.send(Command.REGION_WRITE, struct.pack("<QIIH", 0x10, Region.BAR0, 2, 0))
    driver.bench.serve()
    sent = driver.bench.reply()
    assert sent.header.command == Command.DMA_WRITE
    assert struct.unpack("<QQI", sent.body) == (MESSAGE[0], 4, MESSAGE[1])
    assert driver.bench.reply().header.command == Command.REGION_WRITE
    assert os.pread(driver.fd, 512, DATA) == bytes(range(256)) * 2
    assert os.pread(driver.fd, 1, STATUS) == b"\0"
    assert driver.used_index() == 1


@with_mode(InterruptMode.CLIENT)
def test_a_read_request_fires_the_clients_event(driver: Driver) -> None:
    driver.config(0x42, 2, 0x8000)
    driver.bench.set_irqs(IrqSet.DATA_EVENTFD | IrqSet.TRIGGER, Irq.MSIX, 1, 1, (driver.event(),))
    driver.start()
    driver.io(0x16, 2, 1)
    driver.prepare_read(0)
    driver.io(0x10, 2, 0)
    assert os.read(driver.events[0], 8) == (1).to_bytes(8, "little")
    assert driver.used_index() == 1


@with_mode(InterruptMode.INTX)
def test_a_read_request_asserts_the_line_until_the_isr_is_read(driver: Driver) -> None:
    driver.bench.set_irqs(IrqSet.DATA_EVENTFD | IrqSet.TRIGGER, Irq.INTX, 0, 1, (driver.event(),))
    driver.start()
    driver.prepare_read(0)
    driver.io(0x10, 2, 0)
    assert os.read(driver.events[0], 8) == (1).to_bytes(8, "little")
    assert driver.bench.read(Region.BAR0, 0x13, 1).body[-1] == 1
    driver.bench.set_irqs(IrqSet.DATA_NONE | IrqSet.UNMASK, Irq.INTX, 0, 1)
    with pytest.raises(BlockingIOError):
        os.read(driver.events[0], 8)


@with_mode(InterruptMode.INTX)
def test_dma_outside_the_guests_memory_stops_the_queue_and_not_the_server(driver: Driver) -> None:
    driver.start()
    driver.prepare_read(0, data_at=RAM - 256)
    driver.io(0x10, 2, 0)
    assert "outside the guest's memory" in driver.function.stops[0]
    assert driver.used_index() == 0
    assert driver.bench.read(Region.BAR0, 0x12, 1).body[-1] == 7


@with_mode(InterruptMode.INTX)
def test_memory_taken_away_under_the_queue_stops_it(driver: Driver) -> None:
    driver.start()
    driver.prepare_read(0)
    driver.bench.ask(Command.DMA_UNMAP, struct.pack("<IIQQ", 24, 0, 0, PAGE * 8))
    driver.io(0x10, 2, 0)
    assert len(driver.function.stops) == 1
    assert driver.used_index() == 0
