"""Make the environment of all commands: `python3 tb/flow/bootstrap.py sim_build/venv`.

Runs before anything is installed, with whatever Python there is: standard library only, and nothing newer
than Python 3.6 above `main`, so that an old one can still say that it is too old. Every prerequisite that is
missing gives one line that says what to install. The file `.complete` in the environment is written last.
"""

import sys

OLDEST = (3, 11)
PREREQUISITES = (
    ("g++", "a C++ compiler", "g++"),
    ("make", "GNU make", "make"),
    ("perl", "Perl", "perl"),
)


if sys.version_info < OLDEST:
    sys.exit(
        f"This needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and {sys.executable} is "
        f"{sys.version_info[0]}.{sys.version_info[1]}: install a newer one, or name it with PYTHON=..."
    )

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
NETWORK_SIGNS = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "ConnectTimeout",
    "Network is unreach",
)


def stop(sentence: str) -> NoReturn:
    """End with one line on standard error and exit status 1."""
    sys.exit(sentence)


def check_prerequisites() -> None:
    """End with a line for the first tool that is missing."""
    for program, what, package in PREREQUISITES:
        if shutil.which(program) is None:
            stop(f"{what} ({program}) is missing: install it (Debian, Ubuntu: apt install {package}).")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"Python's venv module is missing: install it (Debian, Ubuntu: apt install python{version}-venv)."
        )


def packages(project: Path) -> tuple[list[str], list[str]]:
    """The pinned packages of a pyproject file: those asked for, and those they bring along."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))
    wanted = list(table["project"]["dependencies"])
    for group in table["project"]["optional-dependencies"].values():
        wanted += group
    return wanted, list(table["tool"]["environment"]["indirect"])


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two commands do not make the environment at once."""
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """A line for the person who waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def install(python: Path, wanted: list[str], indirect: list[str], log: Path) -> None:
    """Install with pip, showing each package's name as it comes; the whole output goes to `log`."""
    constraints = log.with_suffix(".constraints")
    constraints.write_text("\n".join(indirect) + "\n", encoding="utf-8")
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "2",
    ]
    command += ["--progress-bar", "off", "-c", str(constraints), *wanted]
    seen = 0
    with open(log, "w", encoding="utf-8") as file:
        pip = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (there are no threads)
        )
        assert pip.stdout is not None
        for line in pip.stdout:
            file.write(line)
            if line.startswith("Collecting "):
                seen += 1
                show_step(f"  package {seen}: {line.split()[1]}")
        show_step("")
        status = pip.wait()
    if status != 0:
        stop(explain(log))


def die_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it ends (Linux; elsewhere nothing)."""
    set_parent_death_signal = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def show_step(text: str) -> None:
    """Overwrite the terminal's last line; nothing where the output is no terminal."""
    if sys.stdout.isatty():
        sys.stdout.write("\r\x1b[K" + text)
        sys.stdout.flush()


def explain(log: Path) -> str:
    """One sentence on why pip failed."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if any(sign in text for sign in NETWORK_SIGNS):
        return f"The Python packages cannot be fetched: no connection to the package index (log: {log})."
    errors = [line for line in text.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1][len("ERROR: ") :] if errors else "pip failed"
    return f"The Python packages cannot be installed: {reason} (log: {log})"


def create(environment: Path, fingerprint: str) -> None:
    """Make or renew the environment and mark it complete."""
    if environment.is_symlink():
        # Making it anew would empty the environment of whoever the link points to.
        stop(f"{environment} is a link to another environment and is out of date: remove the link.")
    python = environment / "bin" / "python"
    stamp = environment / ".complete"
    stamp.unlink(missing_ok=True)
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    say(f"Making the environment in {environment} with {version}; this happens once.")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        reason = (made.stdout + made.stderr).strip().splitlines()
        stop(f"Python cannot make the environment {environment}: {reason[-1] if reason else 'venv failed'}")
    wanted, indirect = packages(ROOT / "pyproject.toml")
    install(python, wanted, indirect, environment.parent / "environment.log")
    stamp.write_text(fingerprint + "\n", encoding="utf-8")


def is_complete(environment: Path, fingerprint: str) -> bool:
    """Whether the environment was made whole from this pyproject.toml by this Python, and is still there."""
    stamp = environment / ".complete"
    if not (stamp.is_file() and (environment / "bin" / "python").exists()):
        return False
    return stamp.read_text(encoding="utf-8").strip() == fingerprint


def main(arguments: list[str]) -> None:
    """Bring the environment named by the only argument up to date."""
    environment = Path(arguments[0])
    check_prerequisites()
    project = (ROOT / "pyproject.toml").read_bytes()
    # The interpreter is part of the key: an environment made by another one is made anew.
    fingerprint = hashlib.sha256(project + sys.version.encode()).hexdigest()
    stamp = environment / ".complete"
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
        with locked(environment.parent / "environment.lock"):
            if is_complete(environment, fingerprint):
                os.utime(stamp)
                return
            create(environment, fingerprint)
    except OSError as error:
        stop(f"{environment.parent} cannot be written: {error.strerror} ({error.filename}).")


if __name__ == "__main__":
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        stop("\nInterrupted: the environment is not complete and will be made again.")
