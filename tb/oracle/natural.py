"""The natural-width part of a trace: accesses that reach one register, whole, as every driver makes them.

The recorded device cut an access of another width into natural pieces, each of which reached the register
that starts there, whole. Those pieces are kept, each as the natural access it amounts to, so that the
registers go through the states that were recorded. A read of a register by less or more than its width has no
effect and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tb.models.access import ONES, pieces
from tb.models.profile import QEMU_7_2
from tb.models.registers import CONFIG_VECTOR, QUEUE_NOTIFY, QUEUE_VECTOR, WIDTHS
from tb.oracle.machine import HostCommandError
from tb.oracle.replay import Replay, Result, recorded
from tb.oracle.trace import Row, TraceError, load

LARGEST = 4
_VECTORS = (CONFIG_VECTOR, QUEUE_VECTOR)


@dataclass(slots=True)
class NaturalTrace:
    """The natural part of one trace: its ``header``, and ``rows`` that name their ``line`` in it.

    ``altered`` lines show the effect of a write that has no natural form (a status of 0x103); their value is
    what the recorded device, as its model, gives without it.
    """

    path: Path
    header: Row
    rows: list[Row] = field(default_factory=list)
    altered: list[int] = field(default_factory=list)


def natural_part(path: Path) -> NaturalTrace:
    """Load a trace and keep its natural part. Raises ``TraceError`` for a file that cannot be replayed."""
    header, rows = load(path)
    trace = NaturalTrace(path, header)
    reference = Replay(QEMU_7_2, header, Result(path), bounced=False)
    for line, row in enumerate(rows, 2):
        for one in _natural(row, reference):
            trace.rows.append(_followed(trace, reference, {**one, "line": line}))
    return trace


def _followed(trace: NaturalTrace, reference: Replay, row: Row) -> Row:
    """The row, after the reference has gone along."""
    try:
        answer = reference.answer(row)
    except HostCommandError as error:
        raise TraceError(row["line"], str(error)) from error
    if answer is not None and answer != recorded(row):
        trace.altered.append(row["line"])
        row["value"] = answer
    return row


def _natural(row: Row, reference: Replay) -> Iterator[Row]:
    match row["op"]:
        case "io_r":
            base = _config_base(reference)
            for one in _cut(row):
                if one["addr"] >= base or WIDTHS.get(one["addr"]) == one["size"]:
                    yield one
        case "io_w":
            for one in _cut(row):
                yield from _natural_write(one, _config_base(reference))
        case "mem_r" | "mem_w" if row["size"] != 2 * LARGEST or row["addr"] % row["size"]:
            yield from (one for one in _cut(row) if one["size"] == LARGEST)
        case _:
            yield row


def _config_base(reference: Replay) -> int:
    return reference.machine.actor.function.registers.config_base


def _cut(row: Row) -> Iterator[Row]:
    """The naturally aligned pieces of an access, each with its part of the value."""
    for offset, size in pieces(row["addr"], row["size"], LARGEST):
        value = row["value"] >> 8 * (offset - row["addr"]) & ONES[size]
        yield {**row, "addr": offset, "size": size, "value": value}


def _natural_write(row: Row, config_base: int) -> Iterator[Row]:
    """What an aligned write amounts to. A vector too large for its register is no vector, a queue none."""
    offset, value = row["addr"], row["value"]
    if offset >= config_base:
        yield row
        return
    width = WIDTHS.get(offset)
    if width is None or (offset == QUEUE_NOTIFY and value > ONES[width]):
        return
    refused = offset in _VECTORS and value > ONES[width]
    yield {**row, "size": width, "value": ONES[width] if refused else value & ONES[width]}
