"""The variables of the command line (`make sim SEED=3`): which command takes which, and how each is read."""

from __future__ import annotations

import difflib
import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.flow.errors import FlowError

SECTOR = 512
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Variables:
    """What the user gave, read and checked; None where nothing was given."""

    dut: Path | None = None
    device: str | None = None
    test: str | None = None
    config: str | None = None
    seed: int = 1
    seeds: int = 3
    jobs: int | None = None
    waves: bool = False
    disk: Path | None = None
    bytes_limit: int | None = None
    verdicts: int = 1000
    kind: str | None = None
    hostile: str = ""
    bug: str | None = None
    count: int = 600
    file: str | None = None
    mutant: str | None = None
    pairs: bool = False
    minutes: int | None = None
    upsets: bool = False
    variant: str | None = None
    traces: Path | None = None
    profile: str | None = None
    live: bool = False
    guest: str = "linux"
    interrupts: str = "function"
    target: str = "rtl"
    compare: bool = True
    kernel: str | None = None
    machine: str = "pc"
    processors: int = 1
    hours: float | None = None
    genomes: int | None = None
    corpus: Path | None = None
    replay: Path | None = None
    events: int | None = None
    lies: bool = False
    lie: str | None = None
    choices: str | None = None
    steps: tuple[int, ...] | None = None


def _number(name: str, text: str, low: int, high: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise FlowError(f"{name}={text} is not a number.") from None
    if not low <= value <= high:
        raise FlowError(f"{name}={text} is out of range: it must be {low} to {high}.")
    return value


def _seed(text: str) -> int:
    return secrets.randbelow(2**31) if text == "random" else _number("SEED", text, 0, LARGEST_SEED)


def _flag(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise FlowError(f"{name}={text}: it must be 0 or 1.")
    return text == "1"


def _hours(text: str) -> float:
    """A length of time; `forever` has no end."""
    if text == "forever":
        return float("inf")
    try:
        hours = float(text)
    except ValueError:
        raise FlowError(f"HOURS={text} is neither a number nor `forever`.") from None
    if not hours > 0:
        raise FlowError(f"HOURS={text} is out of range: it must be more than 0.")
    return hours


def _existing(name: str, text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise FlowError(f"{name}={text} does not exist.")
    return path


def _disk(text: str) -> Path:
    """A user's disk image: a readable file of whole sectors, at least one."""
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_file():
        raise FlowError(f"DISK={text} is no regular file.")
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
    except OSError as error:
        raise FlowError(f"DISK={text} cannot be read: {error.strerror}.") from None
    if size == 0 or size % SECTOR:
        raise FlowError(
            f"DISK={text} has {size} bytes: a disk is a whole number of {SECTOR}-byte sectors, at least one."
        )
    return path


def _steps(text: str) -> tuple[int, ...]:
    """Numbers and ranges of numbers: 0-3,7; `none` for none."""
    numbers: list[int] = []
    for part in [] if text == "none" else text.split(","):
        first, _, last = part.partition("-")
        low = _number("STEPS", first, 0, 10**6)
        numbers += range(low, _number("STEPS", last or first, low, 10**6) + 1)
    return tuple(numbers)


UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _bytes(text: str) -> int:
    unit = UNITS.get(text[-1:].lower(), 1)
    digits = text if unit == 1 else text[:-1]
    value = _number("BYTES", digits, 1, 2**50) * unit
    if value % SECTOR:
        raise FlowError(f"BYTES={text} is no whole number of {SECTOR}-byte sectors.")
    return value


def _dut(text: str) -> Path:
    """The description of a function, or the folder that holds its `dut.toml`."""
    path = _existing("DUT", text)
    return path / "dut.toml" if path.is_dir() else path


@dataclass(frozen=True, slots=True)
class Reader:
    """How one variable is read: the field of `Variables` it fills and the function that checks its text."""

    field: str
    read: Callable[[str], Any]


READERS: dict[str, Reader] = {
    "DUT": Reader("dut", _dut),
    "DEVICE": Reader("device", str),
    "TEST": Reader("test", str),
    "CONFIG": Reader("config", str),
    "SEED": Reader("seed", _seed),
    "SEEDS": Reader("seeds", lambda text: _number("SEEDS", text, 1, 100_000)),
    "JOBS": Reader("jobs", lambda text: _number("JOBS", text, 1, 1024)),
    "WAVES": Reader("waves", lambda text: _flag("WAVES", text)),
    "DISK": Reader("disk", _disk),
    "BYTES": Reader("bytes_limit", _bytes),
    "VERDICTS": Reader("verdicts", lambda text: _number("VERDICTS", text, 0, 2**31)),
    "KIND": Reader("kind", str),
    "HOSTILE": Reader("hostile", str),
    "BUG": Reader("bug", str),
    "N": Reader("count", lambda text: _number("N", text, 1, 100_000)),
    "FILE": Reader("file", str),
    "MUTANT": Reader("mutant", str),
    "MINUTES": Reader("minutes", lambda text: _number("MINUTES", text, 1, 100_000)),
    "SEU": Reader("upsets", lambda text: _flag("SEU", text)),
    "PAIRS": Reader("pairs", lambda text: _flag("PAIRS", text)),
    "VARIANT": Reader("variant", str),
    "TRACES": Reader("traces", lambda text: _existing("TRACES", text)),
    "PROFILE": Reader("profile", str),
    "LIVE": Reader("live", lambda text: _flag("LIVE", text)),
    "GUEST": Reader("guest", str),
    "INTR": Reader("interrupts", str),
    "TARGET": Reader("target", str),
    "KERNEL": Reader("kernel", str),
    "MACHINE": Reader("machine", str),
    "SMP": Reader("processors", lambda text: _number("SMP", text, 1, 8)),
    "HOURS": Reader("hours", _hours),
    "GENOMES": Reader("genomes", lambda text: _number("GENOMES", text, 1, 10**12)),
    "CORPUS": Reader("corpus", lambda text: Path(text).expanduser().absolute()),
    "EVENTS": Reader("events", lambda text: _number("EVENTS", text, 1, 10**12)),
    "LIES": Reader("lies", lambda text: _flag("LIES", text)),
    "LIE": Reader("lie", str),
    "CHOICES": Reader("choices", str),
    "STEPS": Reader("steps", _steps),
    "REPLAY": Reader("replay", lambda text: _existing("REPLAY", text)),
    "COMPARE": Reader("compare", lambda text: _flag("COMPARE", text)),
}

# What each command takes; a name that it does not take is an error, not something it silently ignores.
TAKEN: dict[str, tuple[str, ...]] = {
    "sim": (
        *("DUT", "DEVICE", "TEST", "CONFIG", "SEED", "WAVES", "DISK", "BYTES"),
        *("VERDICTS", "HOSTILE", "JOBS"),
    ),
    "test": ("DUT", "SEED", "JOBS"),
    "regress": ("DUT", "DEVICE", "TEST", "CONFIG", "SEED", "SEEDS", "JOBS"),
    "waves": ("DUT", "DEVICE", "TEST", "CONFIG", "SEED", "DISK", "BYTES", "VERDICTS", "HOSTILE"),
    "oracle": ("TRACES", "PROFILE", "LIVE", "DEVICE", "SEED", "SEEDS"),
    "guest": (
        *("GUEST", "INTR", "TARGET", "SEED", "WAVES", "COMPARE"),
        *("KERNEL", "MACHINE", "SMP", "BUG"),
    ),
    "selfplay": ("EVENTS", "SEED", "LIES", "LIE", "CHOICES", "STEPS", "JOBS"),
    "bench": ("DUT",),
    "bugs": ("BUG", "JOBS", "SEED"),
    "legal": ("VARIANT", "JOBS", "SEED"),
    "fuzz": ("DUT", "HOURS", "GENOMES", "SEED", "CONFIG", "JOBS", "CORPUS", "BUG", "REPLAY", "WAVES"),
    "hostile": ("KIND", "JOBS", "SEED"),
    "mutants": ("N", "SEED", "TEST", "FILE", "MUTANT", "PAIRS", "SEU", "MINUTES", "CONFIG", "JOBS"),
    "lint": (),
}
# Names that make itself understands in this project, beside those of a command.
EVERYWHERE = {"PYTHON", "VERILATOR"}


def given_on_command_line(makeflags: str) -> dict[str, str]:
    """The `NAME=value` words of a make command line, from the MAKEFLAGS that make hands down."""
    words = shlex.split(makeflags)
    if "--" in words:
        words = words[words.index("--") + 1 :]
    pairs = (word.partition("=") for word in words if not word.startswith("-"))
    return {name: value for name, equals, value in pairs if equals and name.isidentifier()}


def read_variables(command: str, environment: Mapping[str, str]) -> Variables:
    """The variables of `command` from its environment.

    Raises FlowError, one sentence, for a value that is wrong and for a name on the command line that the
    command does not take.
    """
    taken = TAKEN[command]
    for name in given_on_command_line(environment.get("MAKEFLAGS", "")):
        if name not in taken and name not in EVERYWHERE:
            raise FlowError(_not_taken(command, name, taken))
    values = {}
    for name in taken:
        text = environment.get(name, "").strip()
        if text:
            values[READERS[name].field] = READERS[name].read(text)
    return Variables(**values)


def _not_taken(command: str, name: str, taken: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, taken, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    known = f"It takes {', '.join(taken)}." if taken else "It takes no variables."
    return f"there is no {name}=.{hint} {known}"
