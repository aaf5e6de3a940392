"""Delta debugging: short results, nothing that can be spared, and an end to it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tb.oracle.live.shrink import shrink


def _needs(*wanted: int) -> tuple[list[Sequence[int]], object]:
    tried: list[Sequence[int]] = []

    def fails(part: Sequence[int]) -> bool:
        tried.append(part)
        return set(wanted) <= set(part)

    return tried, fails


@pytest.mark.parametrize("wanted", [(0,), (99,), (3, 50, 97), (10, 11, 12, 13), tuple(range(0, 100, 9))])
def test_only_what_is_needed_stays_in_its_order(wanted: tuple[int, ...]) -> None:
    _, fails = _needs(*wanted)
    assert shrink(range(100), fails, limit_s=60) == list(wanted)  # type: ignore[arg-type]


def test_order_matters_to_what_fails_and_is_kept() -> None:
    def fails(part: Sequence[str]) -> bool:
        text = "".join(part)
        return "a" in text and "z" in text[text.index("a") :]

    assert shrink("zzazbczd", fails, limit_s=60) == ["a", "z"]


def test_droppable_items_go_first_and_all_at_once() -> None:
    tried: list[int] = []

    def fails(part: Sequence[int]) -> bool:
        tried.append(len(part))
        return 64 in part

    assert shrink(range(100), fails, limit_s=60, droppable=lambda item: item % 2 == 1) == [64]
    assert tried[0] == 50


def test_droppable_items_that_matter_stay() -> None:
    _, fails = _needs(3, 64)
    kept = shrink(range(100), fails, limit_s=60, droppable=lambda item: item % 2 == 1)  # type: ignore[arg-type]
    assert kept == [3, 64]


def test_the_time_limit_ends_it_with_something_that_fails() -> None:
    now = iter(range(1000))
    _, fails = _needs(5, 80)
    kept = shrink(range(100), fails, limit_s=7, clock=lambda: float(next(now)))  # type: ignore[arg-type]
    assert {5, 80} <= set(kept) < set(range(100))


def test_an_empty_sequence_that_fails_shrinks_to_itself() -> None:
    assert shrink([], lambda part: True, limit_s=1) == []
    assert shrink([1, 2], lambda part: True, limit_s=60) == []
