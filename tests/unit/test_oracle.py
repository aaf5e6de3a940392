"""The recorded traces of QEMU replayed on the model, and what the oracle says of files that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tb.models.profile import QEMU_7_2
from tb.oracle.__main__ import RECORDED, main
from tb.oracle.devices import build_device
from tb.oracle.replay import replay
from tb.oracle.trace import TraceError, find, load

TRACES = find(RECORDED)
HEADER = {
    "scenario": "own",
    "device": "blk",
    "device_args": "virtio-blk-pci,drive=d0,num-queues=1,vectors=3",
    "bar0": 0xC000,
    "bar1": 0xFE000000,
}
VENDOR: dict[str, Any] = {"op": "cfg_r", "addr": 0, "size": 2, "value": 0x1AF4}


def trace(tmp_path: Path, *rows: object, header: object = None, name: str = "own.jsonl") -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in (header or HEADER, *rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("path", TRACES, ids=[path.relative_to(RECORDED).as_posix() for path in TRACES])
def test_model_answers_as_recorded(path: Path) -> None:
    result = replay(path, QEMU_7_2)
    assert not result.fault
    assert [(d.line, d.place, d.expected, d.saw) for d in result.differences[:4]] == []
    assert not result.skipped


def test_recordings_are_all_there() -> None:
    assert len(TRACES) == 161


@pytest.mark.parametrize(
    ("driver", "options", "features", "length"),
    [
        ("virtio-blk-pci", "discard=off", 1 << 13, 57),
        ("virtio-blk-pci", "write-zeroes=off", 1 << 14, 48),
        ("virtio-blk-pci", "discard=off,write-zeroes=off,config-wce=off", 0x6800, 36),
        ("virtio-net-pci", "status=off,ctrl_vq=off", 1 << 16 | 1 << 17, 6),
        ("virtio-serial-pci", "max_ports=1,emergency-write=off", 6, 8),
        ("virtio-balloon-pci", "page-poison=off,event_idx=off", 1 << 4 | 1 << 29, 8),
    ],
)
def test_device_is_built_as_its_options_say(driver: str, options: str, features: int, length: int) -> None:
    """VPCI-STAT-16: an option that is off is not offered, and the configuration ends before its fields."""
    whole = build_device(QEMU_7_2, HEADER | {"device_args": driver})
    device = build_device(QEMU_7_2, HEADER | {"device_args": f"{driver},{options}"})
    assert whole.host_features & ~device.host_features == features
    assert device.config_length == length
    assert len(device.queue_sizes) == len(whole.queue_sizes) or driver == "virtio-serial-pci"


def test_options_without_a_model_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = HEADER | {"device_args": "virtio-blk-pci,drive=d0,queue-size=64,logical_block_size=4096"}
    trace(tmp_path, VENDOR, header=header)
    assert main([str(tmp_path)]) == 0
    assert (
        "note: the device option logical_block_size=4096 has no model and was left out"
        in capsys.readouterr().out
    )


def test_last_line_counts_files_observations_and_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace(tmp_path, VENDOR, VENDOR | {"value": 1}, name="a.jsonl")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((json.dumps(HEADER) + "\n").encode()))
    assert main([str(tmp_path)]) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[0] == "a.jsonl: 2 observations, 1 difference"
    assert output[1] == "  line 3: Vendor ID (cfg_r, 2 bytes): expected 0x0001, seen 0x1af4 [VPCI-DISC-01]"
    assert output[2] == "b.jsonl.gz: 0 observations, 0 differences"
    assert output[-1].startswith("oracle: 2 files, 2 observations, 1 differences, ")
    assert output[-1].endswith(" s")


def test_bad_trace_is_told_and_the_others_still_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace(tmp_path, VENDOR, '{"op": "cfg', name="a.jsonl")
    trace(tmp_path, VENDOR, name="b.jsonl")
    assert main([str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "a.jsonl: cannot be replayed: line 3: no JSON" in output
    assert "the file is cut off here" in output
    assert "b.jsonl: 1 observations, 0 differences" in output


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"op": "peek"}, "line 2: 'peek' is no operation"),
        ({}, "line 2: None is no operation"),
        ({"op": ["cfg_r"]}, "is no operation"),
        ([1, 2], "line 2: no JSON object"),
        ({"op": "cfg_r", "addr": 0, "size": 2}, "cfg_r: value is missing"),
        (VENDOR | {"size": 3}, "cfg_r: size must be 1, 2 or 4, not 3"),
        (VENDOR | {"addr": -1}, "cfg_r: addr must be a number from 0 to 255, not -1"),
        (VENDOR | {"value": "x"}, "cfg_r: value must be a number"),
        (VENDOR | {"value": True}, "cfg_r: value must be a number"),
        ({"op": "ram_w", "addr": 0, "size": 1, "value": "0"}, "ram_w: value must be bytes in hexadecimal"),
        ({"op": "used_set", "addrs": [None], "value": []}, "used_set: addrs must be a list of addresses"),
        ({"op": "net_rx_inject", "frame": "zz"}, "net_rx_inject: frame must be bytes"),
        ({"op": "host", "cmd": "block_resize", "args": {}}, "line 2: host: block_resize needs size"),
        ({"op": "host", "cmd": "block_resize", "args": {"size": 1 << 60}}, "host: block_resize needs size"),
    ],
)
def test_malformed_row_is_told_with_its_line(tmp_path: Path, row: object, complaint: str) -> None:
    assert complaint in replay(trace(tmp_path, row), QEMU_7_2).fault


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"device_args": "e1000"}, "line 1: the header's device_args names the device 'e1000'"),
        (
            {"device_args": "virtio-blk-pci,vectors=many"},
            "vectors must be a number from 0 to 128, not 'many'",
        ),
        ({"device_args": "virtio-net-pci,mac=1"}, "mac must be six bytes"),
        ({"bar0": "c000"}, "line 1: the header's bar0 must be a number"),
        ({"ops": 5}, "line 2: the trace ends here: the header says 5 operations, there are 1"),
        ({"device_args": "virtio-serial-pci", "post_args": 1}, "post_args must be a list of texts"),
    ],
)
def test_wrong_header_is_told(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    assert complaint in replay(trace(tmp_path, VENDOR, header=HEADER | change), QEMU_7_2).fault


def test_file_that_is_no_text_or_no_archive_is_told(tmp_path: Path) -> None:
    for name, content, complaint in (
        ("a.jsonl", b"", "the file is empty"),
        ("b.jsonl", b'{"a": 1}\n\xff\n', "line 2: not UTF-8 text"),
        ("c.jsonl.gz", b"nothing", "cannot be"),
        ("d.jsonl.gz", gzip.compress(b"x" * 1000)[:20], "cannot be decompressed"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TraceError, match=complaint):
            load(path)


def test_one_file_is_replayed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trace(tmp_path, VENDOR, name="a.jsonl")
    trace(tmp_path, VENDOR | {"value": 1}, name="b.jsonl")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "a.jsonl: 1 observations, 0 differences"


def test_directory_without_traces_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no trace" in capsys.readouterr().err
    assert main([str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_host_command_without_a_model_is_left_out_and_told(tmp_path: Path) -> None:
    path = trace(tmp_path, {"op": "host", "cmd": "query-status", "args": {}}, VENDOR)
    result = replay(path, QEMU_7_2)
    assert (result.fault, result.skipped, result.observations) == ("", ["query-status"], 1)


def test_moved_bar_misses(tmp_path: Path) -> None:
    """PCI-BAR-09."""
    rows = [
        {"op": "cfg_w", "addr": 4, "size": 2, "value": 7},
        {"op": "cfg_w", "addr": 0x10, "size": 4, "value": 0xC000},
        {"op": "io_r", "addr": 12, "size": 2, "value": 256},
        {"op": "cfg_w", "addr": 0x11, "size": 1, "value": 0xD0},
        {"op": "io_r", "addr": 12, "size": 2, "value": 0xFFFF},
        {"op": "cfg_w", "addr": 0x14, "size": 4, "value": 0xFE000000},
        {"op": "mem_r", "addr": 12, "size": 4, "value": 1},
        {"op": "cfg_w", "addr": 0x14, "size": 4, "value": 0xFD000000},
        {"op": "mem_r", "addr": 12, "size": 4, "value": 0},
    ]
    assert replay(trace(tmp_path, *rows), QEMU_7_2).differences == []
