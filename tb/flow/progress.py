"""How a simulation tells the command that started it how far it is.

A test calls `Progress.advance` as often as it likes; at most ten lines a second reach the file, each one JSON
object `{"done": n, "total": n, "what": text}`. The command reads the file's tail. Units are the test's own
(bytes, requests): only the ratio and the text are shown.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

MIN_INTERVAL_S = 0.1


class Progress:
    """The writing side, in the simulation. With an empty path every call does nothing."""

    def __init__(self, path: str = "") -> None:
        self._file: TextIO | None = None
        if path:
            self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._next = 0.0
        self._last: tuple[int, int, str] | None = None

    def advance(self, done: int, total: int, what: str) -> None:
        """`done` of `total` units are through; `what` says in a few words what is going on."""
        if self._file is None:
            return
        now = time.monotonic()
        same_stage = self._last is not None and self._last[2] == what
        self._last = (done, total, what)
        if same_stage and done < total and now < self._next:
            return
        self._next = now + MIN_INTERVAL_S
        self._file.write(json.dumps({"done": done, "total": total, "what": what}) + "\n")

    def close(self) -> None:
        """Close the file; later calls of `advance` do nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a simulation is: `done` of `total` units, and in what."""

    done: int
    total: int
    what: str


class ProgressReader:
    """The reading side: follows the file a simulation writes, from its beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def latest(self) -> Position | None:
        """The newest complete line written since the last call, or None."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return None
        complete, newline, _ = text.rpartition(b"\n")
        if not newline:
            return None
        self._offset += len(complete) + 1
        values = json.loads(complete.rpartition(b"\n")[2])
        return Position(int(values["done"]), int(values["total"]), str(values["what"]))
