"""Runs a guest, and the function it drives, to an end in bounded time; says in a sentence what went wrong.

Two programs at most: the virtual machine, and the server that offers the function. Whichever stops, hangs or
panics, both are gone afterwards and their logs are kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.linux_script import GuestLog, read_log
from tb.guest_vm.processes import Child, Deadline, Program

POLL_S = 0.02
SERVER_START_LIMIT_S = 60.0
SERVER_END_LIMIT_S = 30.0
PANIC_GRACE_S = 3.0


@dataclass(slots=True, frozen=True)
class Limits:
    """Seconds: for the guest from its start to power-off, and without a word on its console."""

    run_s: float = 300.0
    silence_s: float = 120.0


@dataclass(slots=True, frozen=True)
class GuestRun:
    """How a guest's run ended. `trouble` is "" or a sentence; times are wall seconds from the guest's start.

    `first_word_s` is when its script started (or the boot sector), None if it never did.
    """

    trouble: str
    log: GuestLog
    wall_s: float
    first_word_s: float | None


class Console:
    """The guest's console, read from the file it goes to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = -1

    def grown(self) -> bool:
        """Whether the guest has said anything since the last look."""
        size = self._path.stat().st_size if self._path.exists() else 0
        changed = size != self._size
        self._size = size
        return changed

    def read(self) -> GuestLog:
        try:
            return read_log(self._path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return read_log("")


def run_guest(
    guest: Program, limits: Limits, server: Program | None = None, socket: Path | None = None
) -> GuestRun:
    """Run `guest` to its end; with a `server`, wait for its `socket` first and for its end afterwards."""
    if server is None:
        with Child(guest) as machine:
            return _follow(machine, None, limits)
    assert socket is not None
    with Child(server) as function:
        trouble = _wait_for_socket(function, socket)
        if trouble:
            return GuestRun(trouble, read_log(""), 0.0, None)
        with Child(guest) as machine:
            run = _follow(machine, function, limits)
        if run.trouble:
            function.stop() if function.wait(2.0) is None else None
            return run
        return _with_server_end(run, function)


def _follow(machine: Child, function: Child | None, limits: Limits) -> GuestRun:
    console = Console(machine.program.log)
    whole, silence = Deadline(limits.run_s), Deadline(limits.silence_s)
    first_word: float | None = None
    trouble = ""
    while machine.status is None and not trouble:
        time.sleep(POLL_S)
        if console.grown():
            silence.restart()
            if first_word is None and console.read().steps:
                first_word = whole.elapsed
        trouble = _trouble(machine, function, console, whole, silence)
    wall = whole.elapsed
    log = console.read()
    if first_word is None and log.steps:
        first_word = wall
    return GuestRun(trouble or _end_of(machine, log), log, wall, first_word)


def _trouble(
    machine: Child, function: Child | None, console: Console, whole: Deadline, silence: Deadline
) -> str:
    """Why to stop a guest that still runs, or ""."""
    if function is not None and function.status is not None:
        return f"while the guest was running, {function.end_sentence()}"
    if whole.passed:
        return f"the guest was still running after {whole.limit_s:g} s, {_whereabouts(console)}"
    if silence.passed:
        return f"the guest has said nothing for {silence.limit_s:g} s, {_whereabouts(console)}"
    if silence.elapsed > PANIC_GRACE_S and (panic := console.read().panic):
        return f"the guest's kernel panicked: {panic}"
    return ""


def _end_of(machine: Child, log: GuestLog) -> str:
    """What a guest's own end means."""
    status = machine.wait(0) or 0
    if log.failure:
        return f"the guest's script failed: {log.failure}"
    if log.panic:
        return f"the guest's kernel panicked: {log.panic}"
    if status != 0:
        return machine.end_sentence()
    if not log.done:
        step = f"in step {list(log.steps)[-1]}" if log.steps else "before its script began"
        return f"the guest went off {step}: {machine.last_words()}"
    return ""


def _with_server_end(run: GuestRun, function: Child) -> GuestRun:
    name = function.program.name
    status = function.wait(SERVER_END_LIMIT_S)
    if status is None:
        trouble = f"{name} did not end within {SERVER_END_LIMIT_S:g} s of the guest"
    elif status != 0:
        trouble = function.end_sentence()
    elif failure := function.failure():
        trouble = f"{name} failed: {failure}"
    else:
        return run
    return GuestRun(trouble, run.log, run.wall_s, run.first_word_s)


def _wait_for_socket(function: Child, socket: Path) -> str:
    limit = Deadline(SERVER_START_LIMIT_S)
    while not socket.exists():
        if function.status is not None:
            return f"before it listened, {function.end_sentence()}"
        if limit.passed:
            return f"{function.program.name} did not listen within {limit.limit_s:g} s"
        time.sleep(POLL_S)
    return ""


def _whereabouts(console: Console) -> str:
    steps = list(console.read().steps)
    return f"in step {steps[-1]}" if steps else "before its script began"
