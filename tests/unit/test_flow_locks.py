"""Two commands in one folder: one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tb.flow.locks import alone_in


def test_the_second_command_waits_for_the_first(tmp_path: Path) -> None:
    seen: list[str] = []

    async def work(name: str, seconds: float) -> None:
        async with alone_in(tmp_path / "run"):
            seen.append(f"{name} in")
            await asyncio.sleep(seconds)
            seen.append(f"{name} out")

    async def both() -> None:
        await asyncio.gather(work("first", 0.05), work("second", 0))

    asyncio.run(both())
    assert seen == ["first in", "first out", "second in", "second out"]


def test_other_folders_are_free(tmp_path: Path) -> None:
    async def both() -> None:
        async with alone_in(tmp_path / "one"), alone_in(tmp_path / "two"):
            pass

    asyncio.run(asyncio.wait_for(both(), 1))
