"""Running other programs so that none of them outlives the command.

Every program gets a session of its own. When the command is cancelled (Ctrl-C, SIGTERM, a time limit) the
whole session is killed; when the command itself is killed, the kernel kills the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

PR_SET_PDEATHSIG = 1
POLL_S = 0.1
GRACE_S = 5.0

T = TypeVar("T")
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `status` is negative for a signal; `peak_rss_mb` in 10^6 bytes.

    `cpu_s` is processor time, up to the last look before the end.
    """

    status: int
    timed_out: bool
    wall_s: float
    peak_rss_mb: float
    cpu_s: float = 0.0


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent ends (Linux; elsewhere nothing)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal_number))


async def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    limit_s: float | None = None,
    on_poll: Callable[[], None] | None = None,
) -> Ended:
    """Run a program to its end, its output going to `log`; `on_poll` is called about ten times a second."""
    started = time.monotonic()
    with open(log, "wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    peak_kb = 0
    cpu_s = 0.0
    timed_out = False
    try:
        ended = asyncio.ensure_future(process.wait())
        while not ended.done():
            await asyncio.wait((ended,), timeout=POLL_S)
            peak_kb = max(peak_kb, _peak_rss_kb(process.pid))
            cpu_s = max(cpu_s, _cpu_s(process.pid))
            if on_poll is not None:
                on_poll()
            if limit_s is not None and time.monotonic() - started > limit_s and not ended.done():
                timed_out = True
                _kill_session(process.pid)
    finally:
        if process.returncode is None:
            _kill_session(process.pid)
            await asyncio.shield(process.wait())
    assert process.returncode is not None
    return Ended(process.returncode, timed_out, time.monotonic() - started, peak_kb * 1024 / 1e6, cpu_s)


async def run_attached(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> int:
    """Run a program that writes to the command's own output; its exit status.

    It is in a session of its own like all others: Ctrl-C reaches the command, which then asks the program to
    end as Ctrl-C would, so that it can stop its own programs, and kills it when it has not ended in time.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE_S)
    _kill_session(process.pid)
    await process.wait()


def _kill_session(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _peak_rss_kb(pid: int) -> int:
    """The process's largest resident size so far, 0 where the kernel does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _cpu_s(pid: int) -> float:
    """Processor time that the process has used so far, 0 where the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_until_complete(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; Ctrl-C, SIGTERM and a closed terminal cancel it and raise KeyboardInterrupt.

    Cancelled work has killed and reaped its programs before this returns.
    """

    async def main() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
