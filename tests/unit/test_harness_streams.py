"""The C++ half of the harness on streams that never end: what is told, when, and what it does to the others.

The pins are played by hand: the harness is compiled into a library, one copy of it for each test.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from tb.flow.build import HARNESS
from tb.harness.faults import pin_fault
from tb.harness.shared_memory import FAULT, MEDIA, PACKET, RecordKind, SharedMemory, Stream

SOURCES = ("shared_memory.cpp", "packet_source.cpp", "packet_tap.cpp", "block_media.cpp", "coverage.cpp")
SVDPI = "#include <cstdint>\ntypedef uint32_t svBitVecVal;\n"
BEAT_BYTES = 32
PATIENCE = 100_000 + 4096
HELD_BACK = 2048
WRITE = 1

Event = tuple[str, Stream, str]
"""What was told: "packet", "fault" or "media"; of which stream; more of it."""


class Harness:
    """The library, with one method for each thing that happens on the pins."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.harness_open.restype = ctypes.c_longlong
        self.memory = SharedMemory(self._library.harness_open(BEAT_BYTES))
        self.clocks(1)

    def clocks(self, count: int) -> None:
        clock, time_ns = self._library.harness_clock, ctypes.c_longlong(8)
        for _ in range(count):
            clock(time_ns)

    def beat(self, stream: Stream, words: int, *, last: bool, first: int = 0x40000000) -> None:
        """A beat of a packet of so many DWs; `first` is its first DW without the length."""
        header = (ctypes.c_uint32 * 4)(0, 0x1000, 0xF, first | words)
        self._library.harness_tap_beat(stream, header, (ctypes.c_uint32 * 16)(), last)

    def completion(self) -> None:
        self.beat(Stream.TX_CPL, 1, last=True, first=0x4A000000)

    def request(self, operation: int, sectors: int) -> None:
        self._library.harness_block_request(operation, ctypes.c_longlong(0), sectors)

    def data(self, *, last: bool, value: int = 0) -> None:
        self._library.harness_block_write_beat((ctypes.c_uint32 * 16)(*[value] * 16), last)

    def told(self) -> list[Event]:
        """Everything that Python would see now."""
        buffer, found = self.memory.buffer, []
        for kind, time_ns, offset in self.memory.records():
            if kind == RecordKind.PACKET:
                found.append(("packet", Stream(PACKET.unpack_from(buffer, offset)[3]), ""))
            elif kind == RecordKind.FAULT:
                _, _, _, stream, code, expected, seen = FAULT.unpack_from(buffer, offset)
                fault = pin_fault(time_ns, stream, code, expected, seen)
                found.append(("fault", fault.stream, f"{fault.rule} {fault.sentence}"))
            elif kind == RecordKind.MEDIA_WRITE:
                fields = MEDIA.unpack_from(buffer, offset)
                found.append(("media", Stream.BLK_WDATA, f"{fields[7]} bytes"))
        return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    (folder / "svdpi.h").write_text(SVDPI, encoding="utf-8")
    made = folder / "harness.so"
    sources = [str(HARNESS / name) for name in SOURCES]
    flags = ["-std=c++20", "-O1", "-shared", "-fPIC", "-DVM_COVERAGE=0", f"-I{folder}", f"-I{HARNESS}"]
    subprocess.run(["g++", *flags, *sources, "-o", str(made)], check=True)
    return made


@pytest.fixture
def harness(library: Path, tmp_path: Path) -> Harness:
    return Harness(Path(shutil.copy(library, tmp_path / "own.so")))


def test_packets_pass_in_the_order_of_their_first_beats(harness: Harness) -> None:
    harness.beat(Stream.TX_REQ, 16, last=False)
    harness.completion()
    assert harness.told() == []
    harness.beat(Stream.TX_REQ, 16, last=True)
    assert [event[:2] for event in harness.told()] == [("packet", Stream.TX_REQ), ("packet", Stream.TX_CPL)]


def test_a_packet_that_goes_on_is_told_at_once_and_holds_nothing_back(harness: Harness) -> None:
    for _ in range(10_000):
        harness.beat(Stream.TX_REQ, 16, last=False)
    harness.completion()
    told = harness.told()
    assert [event[:2] for event in told] == [
        ("fault", Stream.TX_REQ),
        ("packet", Stream.TX_REQ),
        ("packet", Stream.TX_CPL),
    ]
    assert told[0][2].startswith("PIN-LAST tx_req: a packet goes on behind beat 2")
    assert harness.memory.unfinished == 0
    harness.beat(Stream.TX_REQ, 16, last=True)  # of the packet that went on
    harness.beat(Stream.TX_REQ, 1, last=True)
    assert [event[0] for event in harness.told()] == ["packet"]


def test_a_packet_that_stops_half_way_is_given_up_after_a_while(harness: Harness) -> None:
    harness.beat(Stream.TX_REQ, 16, last=False)
    harness.completion()
    harness.clocks(90_000)
    assert harness.told() == []
    harness.clocks(PATIENCE - 90_000)
    told = harness.told()
    assert [event[:2] for event in told] == [("fault", Stream.TX_REQ), ("packet", Stream.TX_CPL)]
    assert "a packet of 2 beats stands still after beat 1" in told[0][2]
    harness.beat(Stream.TX_REQ, 16, last=True)  # its end, far too late
    assert harness.told() == []


def test_a_slow_packet_is_left_alone(harness: Harness) -> None:
    for number in range(4):
        harness.beat(Stream.TX_REQ, 32, last=number == 3)
        harness.clocks(90_000)
    assert [event[0] for event in harness.told()] == ["packet"]


def test_what_waits_behind_a_packet_is_bounded(harness: Harness) -> None:
    harness.beat(Stream.TX_REQ, 16, last=False)
    for _ in range(HELD_BACK):
        harness.completion()
    told = harness.told()
    assert told[0][:2] == ("fault", Stream.TX_REQ)
    assert len(told) == HELD_BACK + 1


def test_write_data_pass_as_announced(harness: Harness) -> None:
    harness.request(WRITE, 2)
    for number in range(32):
        harness.data(last=number == 31)
    assert [event for event in harness.told() if event[0] != "packet"] == [
        ("media", Stream.BLK_WDATA, "1024 bytes")
    ]


def test_write_data_without_end_are_told_once_and_kept_no_longer(harness: Harness) -> None:
    harness.request(WRITE, 1)
    for _ in range(10_000):
        harness.data(last=False)
    told = harness.told()
    assert [event[0] for event in told] == ["fault", "media"]
    assert told[0][2].startswith("PIN-LAST blk_wdata: a packet goes on behind beat 16")
    assert told[1][2] == "512 bytes"


def test_write_data_that_nobody_asked_for_are_told(harness: Harness) -> None:
    harness.data(last=False)
    harness.data(last=True)
    told = harness.told()
    assert [event[0] for event in told] == ["fault"]
    assert told[0][2].startswith("PIN-DATA blk_wdata")


def test_a_write_that_is_given_up_ends_early(harness: Harness) -> None:
    harness.request(WRITE, 4)
    harness.data(last=True)
    assert harness.told() == [("media", Stream.BLK_WDATA, "32 bytes")]
