"""The Python half of `coverage.cpp`: what a build that counts coverage has hit since the last look."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_FRESH: Final = 1 << 16
PAIRED_PAGES: Final = ("v_line", "v_branch")
"""Points that are also counted by the event before them: where control goes. The others are too many."""
_LINE = re.compile(r"C '(.*)' (\d+)")


class _Window(ctypes.Structure):
    _fields_ = (
        ("points", ctypes.c_uint64),
        ("events", ctypes.c_uint64),
        ("describe", ctypes.CFUNCTYPE(None, ctypes.c_char_p)),
        ("watch", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("take", ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)),
    )


@dataclass(slots=True, frozen=True)
class Point:
    """One thing that is counted: where it stands in the source, and of which kind (`v_line`, …)."""

    file: str
    line: int
    page: str
    what: str


class CoverageWindow:
    """What the simulation at `address` (from `SharedMemory.coverage`) counts; `folder` takes a list of it."""

    def __init__(self, address: int, folder: Path) -> None:
        self._window = _Window.from_address(address)
        listing = folder / "points.dat"
        self._window.describe(str(listing).encode())
        self.points = read_points(listing.read_text(encoding="latin-1"), int(self._window.points))
        wanted = [page_of(point) in PAIRED_PAGES for point in self.points]
        flags = (ctypes.c_uint8 * len(wanted))(*wanted)
        self._window.watch(ctypes.addressof(flags))
        self._seen = (ctypes.c_uint8 * (len(wanted) + int(self._window.events) * sum(wanted)))()
        self._fresh = (ctypes.c_uint32 * MOST_FRESH)()
        self._all = (ctypes.c_uint8 * len(self._seen))()
        ctypes.memset(self._all, 0xFF, len(self._all))

    def take(self) -> list[int]:
        """The numbers of the features that were hit since the last call and never before it.

        A feature is a point with how often it was hit (in steps: 1, 2, 3, 7, 15, 31, 127, more), or a point
        that was hit in the clocks behind a certain event from outside.
        """
        seen, fresh = ctypes.addressof(self._seen), ctypes.addressof(self._fresh)
        count = self._window.take(seen, fresh, MOST_FRESH)
        return self._fresh[:count]

    def skip(self) -> None:
        """Forget what was hit since the last call."""
        self._window.take(ctypes.addressof(self._all), ctypes.addressof(self._fresh), MOST_FRESH)

    @property
    def hit(self) -> int:
        """How many points were hit at least once."""
        return len(self.points) - self._hits().count(0)

    def _hits(self) -> bytes:
        return bytes(memoryview(self._seen)[: len(self.points)])

    def missed(self) -> list[Point]:
        """The points that were never hit."""
        hits = self._hits()
        return [point for at, point in enumerate(self.points) if not hits[at]]


def page_of(point: Point | None) -> str:
    """The kind of a point, without the module behind the slash."""
    return "" if point is None else point.page.partition("/")[0]


def read_points(listing: str, points: int) -> list[Point]:
    """The points of a listing, by their numbers: a point's count in it is its number and one."""
    found = [Point("", 0, "", "")] * points
    for line in listing.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or not 0 < int(match[2]) <= points:
            continue
        keys = dict(part.partition("\x02")[::2] for part in match[1].split("\x01") if part)
        number = int(keys.get("l", "0") or 0)
        found[int(match[2]) - 1] = Point(keys.get("f", ""), number, keys.get("page", ""), keys.get("o", ""))
    return found
