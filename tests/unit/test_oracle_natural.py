"""The natural-width part of a trace: what is kept of it, and that it shows what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tb.models.profile import QEMU_7_2
from tb.oracle.__main__ import RECORDED
from tb.oracle.attribution import replay_answers
from tb.oracle.natural import natural_part
from tb.oracle.replay import recorded
from tb.oracle.trace import TraceError, find

HEADER = {
    "device": "blk",
    "device_args": "virtio-blk-pci,num-queues=1,vectors=3",
    "bar0": 0xC000,
    "bar1": 0xFE000000,
}
DECODE: tuple[dict[str, Any], ...] = (
    {"op": "cfg_w", "addr": 4, "size": 2, "value": 7},
    {"op": "cfg_w", "addr": 0x10, "size": 4, "value": 0xC000},
    {"op": "cfg_w", "addr": 0x14, "size": 4, "value": 0xFE000000},
)
WITHOUT_NATURAL_FORM = {"status_wide_writes.jsonl.gz": [20, 24]}
BLOCK = [path for path in find(RECORDED) if path.parent.name.startswith("blk")]


def kept(
    tmp_path: Path,
    operation: str,
    offset: int,
    size: int,
    value: int = 0,
    before: tuple[dict[str, Any], ...] = DECODE,
) -> list[tuple[int, int, int]]:
    """(offset, size, value) of the accesses that one access comes to."""
    row = {"op": operation, "addr": offset, "size": size, "value": value}
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (HEADER, *before, row)))
    rows = natural_part(path).rows[len(before) :]
    assert all(each["op"] == operation and each["line"] == len(before) + 2 for each in rows)
    return [(each["addr"], each["size"], each["value"]) for each in rows]


@pytest.mark.parametrize(
    ("offset", "size", "value", "natural"),
    [
        (18, 1, 7, [(18, 1, 7)]),
        (18, 2, 0x0907, [(18, 1, 7)]),
        (8, 1, 0x12, [(8, 4, 0x12)]),
        (8, 2, 0x1234, [(8, 4, 0x1234)]),
        (9, 1, 0x12, []),
        (14, 4, 0x0001_0002, [(14, 2, 2), (16, 2, 1)]),
        (16, 4, 0x0001_0000, []),
        (12, 2, 5, [(12, 2, 5)]),
        (17, 4, 0x44332211, [(18, 1, 0x22), (20, 1, 0x44)]),
        (20, 4, 9, [(20, 4, 9)]),
    ],
)
def test_write_comes_to_whole_registers(
    tmp_path: Path, offset: int, size: int, value: int, natural: list[tuple[int, int, int]]
) -> None:
    assert kept(tmp_path, "io_w", offset, size, value) == natural


def test_vector_too_large_for_its_register_is_none(tmp_path: Path) -> None:
    enabled = (*DECODE, {"op": "cfg_w", "addr": 0x42, "size": 2, "value": 0x8000})
    assert kept(tmp_path, "io_w", 20, 4, 0x0001_0001, enabled) == [(20, 2, 0xFFFF)]
    assert kept(tmp_path, "io_w", 22, 1, 1, enabled) == [(22, 2, 1)]


@pytest.mark.parametrize(
    ("operation", "offset", "size", "natural"),
    [
        ("io_r", 0, 4, [(0, 4)]),
        ("io_r", 0, 2, []),
        ("io_r", 19, 4, [(19, 1), (20, 2), (22, 1)]),
        ("io_r", 1, 1, []),
        ("io_r", 20, 4, [(20, 4)]),
        ("mem_r", 0, 8, [(0, 8)]),
        ("mem_r", 4, 8, [(4, 4), (8, 4)]),
        ("mem_r", 2, 4, []),
        ("mem_r", 2, 8, [(4, 4)]),
        ("mem_w", 12, 1, []),
        ("mem_w", 12, 4, [(12, 4)]),
    ],
)
def test_other_widths_are_cut_or_left_out(
    tmp_path: Path, operation: str, offset: int, size: int, natural: list[tuple[int, int]]
) -> None:
    assert [access[:2] for access in kept(tmp_path, operation, offset, size)] == natural


@pytest.mark.parametrize("path", BLOCK, ids=[f"{path.parent.name}/{path.name}" for path in BLOCK])
def test_natural_part_shows_what_was_recorded(path: Path) -> None:
    """The model of QEMU goes through the same states; the only exceptions are status writes of 0x103."""
    trace = natural_part(path)
    assert trace.altered == WITHOUT_NATURAL_FORM.get(path.name, [])
    for row, answer in zip(trace.rows, replay_answers(trace, QEMU_7_2), strict=True):
        assert answer is None or answer == recorded(row), row


def test_row_that_no_machine_can_follow_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    row = {"op": "host", "cmd": "block_resize", "args": {}}
    path.write_text("\n".join(json.dumps(each) for each in (HEADER, row)))
    with pytest.raises(TraceError, match="line 2: host: block_resize needs size"):
        natural_part(path)
