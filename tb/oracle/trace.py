"""Recorded traces: JSON lines, a header and then one operation a line, plain or compressed.

``load`` checks everything that a replay relies on, so that what is wrong with a file is told with its line.
"""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.xz")

_ADDRESS = 1 << 64


class TraceError(Exception):
    """A trace that cannot be replayed: which line (1-based; 0 for the file as a whole) and what is wrong."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"line {line}: {sentence}" if line else sentence)


def _is_number(limit: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and 0 <= value < limit


def _is_hex(value: object) -> bool:
    if type(value) is not str:
        return False
    try:
        bytes.fromhex(value)
    except ValueError:
        return False
    return True


_Check = tuple[Callable[[Any], bool], str]
_COUNT: _Check = (_is_number(_ADDRESS), "a number from 0 to 2^64 - 1")
_OFFSET: _Check = (_is_number(1 << 32), "a number from 0 to 2^32 - 1")
_CONFIG: _Check = (_is_number(256), "a number from 0 to 255")
_LENGTH: _Check = (_is_number((1 << 26) + 1), "a number from 0 to 2^26")
_SIZE: _Check = (lambda value: type(value) is int and value in (1, 2, 4), "1, 2 or 4")
_MEM_SIZE: _Check = (lambda value: type(value) is int and value in (1, 2, 4, 8), "1, 2, 4 or 8")
_HEX: _Check = (_is_hex, "bytes in hexadecimal")
_FRAME: _Check = (lambda value: value is None or _is_hex(value), "bytes in hexadecimal, or null")
_TEXT: _Check = (lambda value: type(value) is str, "a text")
_TABLE: _Check = (lambda value: type(value) is dict, "a table")
_ADDRESSES: _Check = (
    lambda value: type(value) is list and all(map(_COUNT[0], value)),
    "a list of addresses",
)
_ELEMENTS: _Check = (lambda value: type(value) is list and all(map(_is_hex, value)), "a list of elements")

_Checks = dict[str, _Check]
_Verify = Callable[[Row], bool]

OPERATIONS: dict[str, _Checks] = {
    "cfg_r": {"addr": _CONFIG, "size": _SIZE, "value": _COUNT},
    "cfg_w": {"addr": _CONFIG, "size": _SIZE, "value": _COUNT},
    "io_r": {"addr": _OFFSET, "size": _SIZE, "value": _COUNT},
    "io_w": {"addr": _OFFSET, "size": _SIZE, "value": _COUNT},
    "mem_r": {"addr": _OFFSET, "size": _MEM_SIZE, "value": _COUNT},
    "mem_w": {"addr": _OFFSET, "size": _MEM_SIZE, "value": _COUNT},
    "ram_r": {"addr": _COUNT, "size": _LENGTH, "value": _HEX},
    "ram_w": {"addr": _COUNT, "value": _HEX},
    "ram_fill": {"addr": _COUNT, "size": _LENGTH, "value": _CONFIG},
    "poll": {"addr": _COUNT, "value": _COUNT},
    "used_set": {"addrs": _ADDRESSES, "value": _ELEMENTS},
    "intx": {"value": _COUNT},
    "settle": {},
    "note": {"text": _TEXT},
    "host": {"cmd": _TEXT, "args": _TABLE},
    "host_close": {},
    "net_rx_inject": {"frame": _HEX},
    "net_tx_seen": {"frame": _FRAME},
    "serial_in": {"data": _HEX},
    "serial_out": {"data": _HEX},
}
_HEADER: _Checks = {"device": _TEXT, "device_args": _TEXT, "bar0": _COUNT, "bar1": _COUNT}


def _verifier(checks: _Checks) -> _Verify:
    """One function that says whether a row has every key with a right value (KeyError: it lacks one)."""
    access = {"addr", "size", "value"}
    if checks.keys() == access and checks["value"] is _COUNT:
        limit = 256 if checks["addr"] is _CONFIG else 1 << 32
        return _access_verifier(limit, (1, 2, 4) if checks["size"] is _SIZE else (1, 2, 4, 8))
    pairs = tuple((key, check) for key, (check, _) in checks.items())
    return lambda row: all(check(row[key]) for key, check in pairs)


def _access_verifier(limit: int, sizes: tuple[int, ...]) -> _Verify:
    """The same for the rows that most of a trace consists of, in one expression."""
    return lambda row: (
        type(row["addr"]) is type(row["size"]) is type(row["value"]) is int
        and 0 <= row["addr"] < limit
        and row["size"] in sizes
        and 0 <= row["value"] < _ADDRESS
    )


_VERIFIERS = {operation: _verifier(checks) for operation, checks in OPERATIONS.items()}


def find(directory: Path) -> list[Path]:
    """All traces below ``directory``, sorted, or it alone. Raises ``TraceError`` when there is none."""
    if not directory.exists():
        raise TraceError(0, f"{directory} does not exist")
    candidates = directory.rglob("*.jsonl*") if directory.is_dir() else (directory,)
    paths = sorted(path for path in candidates if path.name.endswith(SUFFIXES))
    if not paths:
        what = "holds" if directory.is_dir() else "is"
        raise TraceError(0, f"{directory} {what} no trace (*.jsonl, *.jsonl.gz, *.jsonl.xz)")
    return paths


def load(path: Path) -> tuple[Row, list[Row]]:
    """Header and operations of a trace; the operation at index i is line i + 2. Raises ``TraceError``."""
    rows = _parsed(_text(path))
    header = rows[0]
    fault = _fault(header, _HEADER)
    if fault:
        raise TraceError(1, f"the header's {fault}")
    operations = rows[1:]
    for index, row in enumerate(operations):
        try:
            if _VERIFIERS[row["op"]](row):
                continue
        except (KeyError, TypeError):
            pass
        raise TraceError(index + 2, _row_fault(row))
    promised = header.get("ops")
    if type(promised) is int and promised != len(operations):
        raise TraceError(
            len(rows),
            f"the trace ends here: the header says {promised} operations, there are {len(rows) - 1}",
        )
    return header, operations


def _row_fault(row: Row) -> str:
    operation = row.get("op")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        return f"{operation!r} is no operation of a trace"
    return f"{operation}: {_fault(row, OPERATIONS[operation])}"


def _fault(row: Row, checks: _Checks) -> str:
    for key, (check, what) in checks.items():
        if key not in row:
            return f"{key} is missing"
        if not check(row[key]):
            return f"{key} must be {what}, not {row[key]!r}"
    return ""


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        elif path.suffix == ".xz":
            raw = lzma.decompress(raw)
        return raw.decode()
    except UnicodeDecodeError as error:
        raise TraceError(raw.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    except OSError as error:
        raise TraceError(0, f"cannot be read: {error.strerror or error}") from error
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise TraceError(0, f"cannot be decompressed: {error}") from error


def _parsed(text: str) -> list[Row]:
    """All lines as JSON objects. One parse for the whole text; line by line only to find what is wrong."""
    lines = text.splitlines()
    if not lines:
        raise TraceError(0, "the file is empty")
    try:
        rows = json.loads("[" + ",".join(lines) + "]")
    except (ValueError, RecursionError):
        rows = []
    if len(rows) == len(lines) and all(type(row) is dict for row in rows):
        return rows  # type: ignore[no-any-return]
    return list(_line_by_line(lines))


def _line_by_line(lines: list[str]) -> Iterator[Row]:
    for line, content in enumerate(lines, 1):
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            cut = ", the file is cut off here" if line == len(lines) else ""
            raise TraceError(line, f"no JSON ({error}){cut}") from error
        if type(row) is not dict:
            raise TraceError(line, "no JSON object")
        yield row
