"""Makes a failing sequence short: delta debugging, with a limit on time. Knows neither QEMU nor the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

Fails = Callable[[Sequence[T]], bool]


def shrink(
    items: Sequence[T],
    fails: Fails[T],
    *,
    limit_s: float,
    droppable: Callable[[T], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[T]:
    """The shortest part of ``items`` found in ``limit_s`` seconds that still fails.

    ``items`` itself must fail. ``droppable`` names items that are tried without all at once before anything
    else (observations, which seldom matter). With time enough no single item of the result can be spared.
    """
    end = clock() + limit_s
    kept = list(items)
    if droppable is not None:
        fewer = [item for item in kept if not droppable(item)]
        if len(fewer) < len(kept) and fails(fewer):
            kept = fewer
    size = max(len(kept) // 2, 1)
    while kept:
        kept, spared = _without_chunks(kept, size, fails, lambda: clock() >= end)
        if clock() >= end or (size == 1 and not spared):
            break
        size = max(size // 2, 1)
    return kept


def _without_chunks(
    items: list[T], size: int, fails: Fails[T], late: Callable[[], bool]
) -> tuple[list[T], bool]:
    """Drop each run of ``size`` items that can be spared, last first; and whether there was any."""
    spared = False
    start = len(items)
    while start > 0 and not late():
        start = max(start - size, 0)
        fewer = items[:start] + items[start + size :]
        if len(fewer) < len(items) and fails(fewer):
            items, spared = fewer, True
    return items, spared
