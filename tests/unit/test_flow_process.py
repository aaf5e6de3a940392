"""Programs end with the command that started them."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from tb.flow.process import run_program, run_until_complete

ENVIRONMENT = dict(os.environ)


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_program_reports_its_status_and_output(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('said'); raise SystemExit(3)"]
    ended = run_until_complete(run_program(command, folder=tmp_path, environment=ENVIRONMENT, log=log))
    assert (ended.status, ended.timed_out) == (3, False)
    assert log.read_text() == "said\n"


def test_a_program_over_its_limit_is_killed(tmp_path: Path) -> None:
    work = run_program(
        ["sleep", "60"], folder=tmp_path, environment=ENVIRONMENT, log=tmp_path / "log", limit_s=0.1
    )
    ended = run_until_complete(work)
    assert ended.timed_out
    assert ended.wall_s < 10


def test_a_cancelled_program_takes_its_children_along(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def work() -> None:
        # The shell starts a child of its own and tells its number.
        command = ["sh", "-c", "sleep 60 & echo $!; wait"]
        program = asyncio.ensure_future(
            run_program(command, folder=tmp_path, environment=ENVIRONMENT, log=log)
        )
        while not (log.is_file() and log.read_text().strip()):
            await asyncio.sleep(0.01)
        program.cancel()
        with pytest.raises(asyncio.CancelledError):
            await program

    run_until_complete(work())
    child = int(log.read_text())
    deadline = time.monotonic() + 5
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_alive(child)
