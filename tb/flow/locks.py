"""One command at a time: several commands may run in one clone, but never in one folder of it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

POLL_S = 0.2


@contextlib.asynccontextmanager
async def alone_in(folder: Path) -> AsyncIterator[None]:
    """Wait until no other command works in `folder`. Asks again and again, so that Ctrl-C ends the wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w", encoding="utf-8") as file:
        while not _try_lock(file):
            await asyncio.sleep(POLL_S)
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
