"""An end for loops that wait for the function: a wrong one may keep them going for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tb.guest.errors import GuestError


def turns(most: int, error: Callable[[], GuestError]) -> Iterator[int]:
    """Counts turns from 0 on for a loop that leaves when it is served; after `most` of them raises `error()`.

    The error names the rule that a function breaks which lets the loop go on for so long.
    """
    yield from range(most)
    raise error()
