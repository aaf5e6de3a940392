"""The Python half of the memory shared with the simulation, tried on memory without a simulation."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tb.harness import shared_memory as sm
from tb.harness.shared_memory import PACKET, RING_BYTES, RecordKind, SharedMemory, SharedMemoryError, Stream


class _Simulation:
    """A block of shared memory, and the simulation's side of its rings."""

    def __init__(self) -> None:
        self.raw = sm._SharedMemory()
        self.raw.magic, self.raw.version = sm.MAGIC, sm.VERSION
        self.memory = SharedMemory(ctypes.addressof(self.raw))

    def take(self, ring: ctypes.Structure) -> list[tuple[int, int]]:
        """(header, first clock) of the packets in a ring that Python writes."""
        taken = []
        while ring.read != ring.written:
            offset = ring.read % RING_BYTES
            size, kind, when = sm.HEADER.unpack_from(ring.bytes, offset)
            if kind == RecordKind.PACKET:
                *_, low, high, _held, _waited = PACKET.unpack_from(ring.bytes, offset)
                taken.append((high << 64 | low, when))
            ring.read += size
        return taken


def test_packets_pass_in_order_round_the_ring() -> None:
    simulation = _Simulation()
    sent, got = [], []
    for number in range(900):
        header = number << 64 | 0xABCD
        simulation.memory.rx_req.put_packet(Stream.RX_REQ, header, bytes(number * 13 % 4096), number)
        sent.append((header, number))
        got += simulation.take(simulation.raw.rx_req)
    assert got == sent
    assert simulation.raw.rx_req.written > RING_BYTES


def test_full_ring_is_an_error_not_a_loss() -> None:
    memory = _Simulation().memory
    with pytest.raises(SharedMemoryError, match="full"):
        for _ in range(RING_BYTES // 4096 + 1):
            memory.rx_cpl.put_packet(Stream.RX_CPL, 0, bytes(4096), 0)


def test_no_memory_is_named() -> None:
    with pytest.raises(SharedMemoryError, match="no shared memory"):
        SharedMemory(0)


def test_other_version_is_refused() -> None:
    raw = sm._SharedMemory()
    raw.magic, raw.version = sm.MAGIC, sm.VERSION + 1
    with pytest.raises(SharedMemoryError, match="another version"):
        SharedMemory(ctypes.addressof(raw))


def test_a_throttle_stalls_at_most_always() -> None:
    memory = _Simulation().memory
    memory.set_throttle(Stream.TX_REQ, 256, 3, 0)
    with pytest.raises(ValueError, match="256"):
        memory.set_throttle(Stream.TX_REQ, 257, 3, 1)


@pytest.mark.parametrize("name", [stream.name.lower() for stream in Stream])
def test_both_halves_number_the_streams_alike(name: str) -> None:
    header = (Path(sm.__file__).parent / "shared_memory.h").read_text()
    spelled = "k" + "".join(part.capitalize() for part in name.split("_"))
    assert f"{spelled} = {Stream[name.upper()].value}," in header
