"""Makes a genome that shows something short and plain, by playing parts of it. Knows no simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tb.fuzz.grammar import Step, plainer

Shows = Callable[[Sequence[Step]], Awaitable[bool]]
"""Plays a genome and tells whether it still shows the same."""


class _Budget:
    """How many more plays there may be."""

    def __init__(self, shows: Shows, plays: int) -> None:
        self._shows = shows
        self.left = plays

    async def shows(self, steps: Sequence[Step]) -> bool:
        """Play if that is still allowed."""
        if self.left <= 0:
            return False
        self.left -= 1
        return await self._shows(steps)


async def shrink(steps: Sequence[Step], shows: Shows, *, plays: int) -> list[Step]:
    """The shortest and plainest genome found in so many plays that still shows what `steps` show.

    With plays enough, no step of the result can be spared, and no value be made plainer.
    """
    budget = _Budget(shows, plays)
    kept = await _without_runs(list(steps), budget)
    return await _with_plain_values(kept, budget)


async def _without_runs(steps: list[Step], budget: _Budget) -> list[Step]:
    size = max(len(steps) // 2, 1)
    while budget.left:
        spared = False
        start = len(steps)
        while start > 0 and budget.left:
            start = max(start - size, 0)
            fewer = steps[:start] + steps[start + size :]
            if len(fewer) < len(steps) and await budget.shows(fewer):
                steps, spared = fewer, True
        if size == 1 and not spared:
            break
        size = max(size // 2, 1)
    return steps


async def _with_plain_values(steps: list[Step], budget: _Budget) -> list[Step]:
    for at in range(len(steps)):
        for field in range(1, len(steps[at])):
            simple = next((one for one in plainer(steps[at]) if one[field] != steps[at][field]), None)
            if simple is None:
                continue
            tried = [*steps[:at], simple, *steps[at + 1 :]]
            if await budget.shows(tried):
                steps = tried
    return steps
