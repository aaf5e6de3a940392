"""Child processes that never outlive the command, with their output kept in named files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tb.flow.process import die_with_parent

GRACE_S = 5.0


@dataclass(slots=True, frozen=True)
class Program:
    """What to run: `name` as the user knows it, output to `log`, errors to `errors` (or to the log too).

    `explain`, asked after its end, says in a sentence why it failed, "" if it did not: for a program whose
    exit status does not tell.
    """

    name: str
    command: Sequence[str]
    log: Path
    errors: Path | None = None
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    explain: Callable[[], str] | None = None


class Child:
    """A running program. Use as a context manager: it is gone afterwards, with all it has started."""

    def __init__(self, program: Program) -> None:
        self.program = program
        with contextlib.ExitStack() as files:
            output = files.enter_context(open(program.log, "wb"))
            errors = files.enter_context(open(program.errors, "wb")) if program.errors else subprocess.STDOUT
            self._process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=program.folder,
                env=os.environ | dict(program.environment),
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 (no threads here)
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, limit_s: float) -> int | None:
        """Wait for its end; the status, or None when it still runs after the limit."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)
        return self._process.returncode

    def stop(self) -> None:
        """End it: first asked, then killed, and whatever it has started with it."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self.wait(GRACE_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def failure(self) -> str:
        """Why it failed, where it can explain that; else ""."""
        return self.program.explain() if self.program.explain is not None else ""

    def last_words(self) -> str:
        """Its own explanation, else the last line it wrote to its errors, else to its log."""
        if explained := self.failure():
            return explained
        paths = [path for path in (self.program.errors, self.program.log) if path is not None]
        return next((words for path in paths if (words := last_line(path))), "it wrote nothing")

    def end_sentence(self) -> str:
        """How it ended and what it said last, with the name of its log; for one that has ended."""
        status = self._process.returncode
        words = f": {self.last_words()}" if status >= 0 else ""
        log = self.program.errors or self.program.log
        return f"{self.program.name} ended {ended(status)}{words} ({log.name})"

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def last_line(path: Path) -> str:
    """The last line of a file that says something."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "warning:" not in line]
    return lines[-1][:300] if lines else ""


def ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"with status {status}"
    with contextlib.suppress(ValueError):
        return f"by signal {signal.Signals(-status).name}"
    return f"by signal {-status}"


class Deadline:
    """A limit on wall time in seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def passed(self) -> bool:
        return self.elapsed > self.limit_s

    def restart(self) -> None:
        self._started = time.monotonic()
