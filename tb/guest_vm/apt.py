"""Debian packages without touching the machine's package manager.

apt runs with a configuration, state, cache and status of its own in one folder, so it needs no root, changes
nothing outside the folder, and takes the machine for an empty one: it fetches a package with all it depends
on. Which mirror is asked comes from the machine's own apt sources.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tb.guest_vm.errors import GuestVmError, MirrorError

MIRROR_VARIABLE = "DEBIAN_MIRROR"
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
RELEASE = "trixie"
BACKPORTS = f"{RELEASE}-backports"
ARCHITECTURE = "amd64"
TIMEOUT_S = 300
_INDEX = re.compile(r"'(?P<base>[^']+?)/?dists/[^']+/InRelease'")


def machine_mirrors() -> list[str]:
    """Base addresses of the archives that this machine's apt knows, the likeliest Debian mirror first.

    `DEBIAN_MIRROR` in the environment comes before all of them. Raises MirrorError when there is none.
    """
    named = os.environ.get(MIRROR_VARIABLE, "").strip()
    if named:
        return [named]
    if shutil.which("apt-get") is None:
        raise GuestVmError("apt-get is missing: real guests need a machine with Debian's package tools")
    with tempfile.TemporaryDirectory() as lists:
        asked = [
            "apt-get",
            "update",
            "--print-uris",
            "-o",
            "Debug::NoLocking=1",
            "-o",
            f"Dir::State::Lists={lists}",
        ]
        listed = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    bases = dict.fromkeys(match["base"] for match in _INDEX.finditer(listed.stdout))
    if not bases:
        raise MirrorError(
            f"this machine's apt sources name no archive: set {MIRROR_VARIABLE} to a Debian mirror's address"
        )
    return sorted(bases, key=lambda base: ("security" in base, not base.rstrip("/").endswith("debian")))


class PrivateApt:
    """apt with everything it keeps under `folder`, asked for packages of some suites of Debian."""

    def __init__(self, folder: Path, suites: Sequence[str] = (RELEASE, BACKPORTS)) -> None:
        self._folder = folder.absolute()
        self._suites = suites
        self.archives = self._folder / "cache" / "archives"

    def update(self, mirrors: Sequence[str]) -> str:
        """Fetch the package lists from the first mirror that has them; returns its address.

        Raises MirrorError with apt's own last words when none has.
        """
        reasons = []
        for mirror in mirrors:
            self._configure(mirror)
            ended = self._run("apt-get", "update", "--error-on=any")
            if ended.returncode == 0:
                return mirror
            reasons.append(f"{mirror}: {_last_words(ended.stderr)}")
        raise MirrorError(
            f"no Debian mirror can be reached for {self._suites[0]} packages ({'; '.join(reasons)})"
        )

    def fetch_with_dependencies(self, *packages: str) -> None:
        """Download packages and all they depend on, backports preferred, into `archives`."""
        options = ("--download-only", "--yes", "--no-install-recommends", "--target-release", BACKPORTS)
        self._fetch("apt-get", "install", *options, *packages)

    def fetch(self, *packages: str) -> None:
        """Download just these packages into `archives`."""
        self._fetch("apt-get", "download", *packages)

    def dependencies(self, package: str, pattern: str) -> list[str]:
        """The packages that a package depends on and whose whole names match."""
        ended = self._run("apt-cache", "depends", package)
        return re.findall(rf"Depends: ({pattern})$", ended.stdout, re.MULTILINE)

    def versions(self) -> dict[str, str]:
        """Name and version of every downloaded package."""
        names = (path.name.split("_") for path in self.archives.glob("*.deb"))
        return {name: version.replace("%3a", ":") for name, version, *_ in names}

    def _fetch(self, *command: str) -> None:
        ended = self._run(*command)
        if ended.returncode != 0:
            raise MirrorError(f"the packages cannot be downloaded: {_last_words(ended.stderr)}")

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        try:
            return subprocess.run(
                command,
                cwd=self.archives,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as late:
            raise MirrorError(f"the Debian mirror did not answer within {TIMEOUT_S} s") from late

    def _configure(self, mirror: str) -> None:
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("state/lists/partial", "cache/archives/partial", "empty"):
            (folder / part).mkdir(parents=True)
        (folder / "state" / "status").touch()
        signed = _keyring_option()
        (folder / "sources.list").write_text(
            "".join(f"deb {signed}{mirror} {suite} main\n" for suite in self._suites),
            encoding="utf-8",
        )
        (folder / "apt.conf").write_text(_configuration(folder), encoding="utf-8")


def _keyring_option() -> str:
    found = [path for name in KEYRINGS if (path := Path("/usr/share/keyrings") / name).exists()]
    return f"[arch={ARCHITECTURE} signed-by={found[0]}] " if found else f"[arch={ARCHITECTURE}] "


def _configuration(folder: Path) -> str:
    """apt's configuration: read after the machine's own, so that its proxies hold and its hooks do not."""
    places = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "empty",
        "Dir::Etc::preferences": folder / "none",
        "Dir::Etc::preferencesparts": folder / "empty",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "state" / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Log": folder,
    }
    values = {
        "APT::Architecture": ARCHITECTURE,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "30",
        "Debug::NoLocking": "true",
    }
    hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    lines = [f"#clear APT::Update::{hook};" for hook in hooks]
    lines += ["#clear APT::Architectures;"]
    lines += [f'{name} "{value}";' for name, value in (places | values).items()]
    return "\n".join(lines) + "\n"


def _last_words(text: str) -> str:
    """apt's reason: its first error (the last one only sums up), else the last thing it said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors[:1] or lines[-1:] or ["apt said nothing"])[0]
