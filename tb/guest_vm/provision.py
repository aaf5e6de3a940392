"""What a real guest is made of: QEMU, a kernel, a shell, file system tools. Fetched once, then kept.

Everything lies in one folder: `tools/` is a small Debian tree (QEMU and the file system tools with their
libraries, run by the tree's own loader, never installed), `busybox` the guest's shell, `kernels/` one folder
for each kernel, by the suite of Debian it comes from.
"""

from __future__ import annotations

import fcntl
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.apt import BACKPORTS, RELEASE, PrivateApt, machine_mirrors
from tb.guest_vm.errors import GuestVmError
from tb.guest_vm.kernel import Kernel, only, pick_kernel
from tb.guest_vm.say import say

FORMAT = 3
"""Counts up when the folder's content changes in kind: an older folder is made anew."""
TOOL_PACKAGES = ("qemu-system-x86", "seabios", "ovmf", "e2fsprogs", "mtools")
KERNEL_PACKAGE = "linux-image-cloud-amd64"
KERNELS = (RELEASE, BACKPORTS, "bookworm")
"""Suites of Debian whose kernel can be the guest's, the first by default: other suites, other versions."""
OLDEST_QEMU = (10, 1)
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var")
_LOADER = "usr/lib64/ld-linux-x86-64.so.2"
_LIBRARIES = ("usr/lib/x86_64-linux-gnu",)


@dataclass(slots=True, frozen=True)
class Provision:
    """The provisioned pieces in `folder`."""

    folder: Path

    def kernel(self, suite: str = KERNELS[0]) -> Kernel:
        """The kernel of a suite; another than the first is there after `provision_kernel`."""
        return Kernel(self.folder / "kernels" / suite)

    @property
    def busybox(self) -> Path:
        return self.folder / "busybox"

    @property
    def versions(self) -> dict[str, str]:
        """Version of every package that was used."""
        manifest: dict[str, dict[str, str]] = json.loads(self._manifest.read_text(encoding="utf-8"))
        return manifest["versions"]

    @property
    def complete(self) -> bool:
        """All of it is there, and of this version of the project."""
        try:
            return bool(json.loads(self._manifest.read_text(encoding="utf-8"))["format"] == FORMAT)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def tool(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs a program of the tree."""
        tree = self.folder / "tools"
        libraries = ":".join(str(tree / path) for path in _LIBRARIES)
        found = [path for place in ("usr/bin", "usr/sbin") if (path := tree / place / program).exists()]
        if not found:
            raise GuestVmError(
                f"the provisioned tools in {self.folder} have no {program}: remove that folder"
            )
        return [str(tree / _LOADER), "--library-path", libraries, str(found[0]), *arguments]

    @property
    def firmware(self) -> list[Path]:
        """Folders with the BIOS and the option ROMs."""
        return [self.folder / "tools" / "usr/share" / name for name in ("seabios", "qemu")]

    @property
    def uefi(self) -> tuple[Path, Path]:
        """UEFI firmware: its code, and its variables as they are at first."""
        folder = self.folder / "tools" / "usr/share/OVMF"
        return folder / "OVMF_CODE_4M.fd", folder / "OVMF_VARS_4M.fd"

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.json"


def provision(folder: Path) -> Provision:
    """The pieces, fetched if they are not there yet. MirrorError when they must be and cannot be fetched."""
    result = Provision(folder.absolute())
    if result.complete:
        return result
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        raise GuestVmError("real guests need an x86-64 Linux machine")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder.with_suffix(".lock")):
        if not result.complete:
            _make(result)
    return result


def _make(result: Provision) -> None:
    """Make the folder whole or not at all."""
    new = result.folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        _fill(new)
        shutil.rmtree(result.folder, ignore_errors=True)
        new.rename(result.folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    size = sum(path.lstat().st_size for path in result.folder.rglob("*") if not path.is_dir())
    say(f"provisioned QEMU {result.versions['qemu-system-x86']} ({size / 1e6:.0f} MB in {result.folder})")


def _fill(new: Path) -> None:
    apt = PrivateApt(new / "apt")
    say("fetching package lists, once")
    mirror = apt.update(machine_mirrors())
    say(f"fetching QEMU and file system tools from {mirror}")
    apt.fetch_with_dependencies(*TOOL_PACKAGES)
    tools = sorted(apt.archives.glob("*.deb"))
    _fetch_kernel(apt)
    apt.fetch("busybox-static")
    guest = sorted(set(apt.archives.glob("*.deb")) - set(tools))
    versions = apt.versions()
    _check_qemu(versions.get("qemu-system-x86", ""))
    say(f"unpacking {len(tools) + len(guest)} packages")
    _unpack(tools, new / "tools")
    _unpack(guest, new / "guest")
    pick_kernel(new / "guest", new / "kernels" / KERNELS[0])
    shutil.copy(only(new / "guest", "usr/bin/busybox"), new / "busybox")
    for rest in ("guest", "apt"):
        shutil.rmtree(new / rest)
    manifest = {"format": FORMAT, "versions": versions}
    (new / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")


def provision_kernel(result: Provision, suite: str) -> Kernel:
    """The kernel of one of `KERNELS`, fetched if it is not there yet. Raises what `provision` raises."""
    kernel = result.kernel(suite)
    with _one_at_a_time(result.folder.with_suffix(".lock")):
        if kernel.image.exists():
            return kernel
        new = result.folder / "kernels" / f"{suite}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            apt = PrivateApt(new / "apt", (suite,))
            apt.update(machine_mirrors())
            _fetch_kernel(apt)
            _unpack(sorted(apt.archives.glob("*.deb")), new / "guest")
            pick_kernel(new / "guest", new / "kernel").folder.rename(kernel.folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return kernel


def _fetch_kernel(apt: PrivateApt) -> None:
    """Download the suite's kernel; newer ones keep image and modules in packages beside it."""
    found = apt.dependencies(KERNEL_PACKAGE, r"linux-image-\S+")
    if not found:
        raise GuestVmError(f"the package {KERNEL_PACKAGE} depends on no kernel")
    say(f"fetching the guest's kernel ({found[0]})")
    apt.fetch(found[0], *apt.dependencies(found[0], r"linux-(?:base|binary|modules)-\S+"))


def _check_qemu(version: str) -> None:
    found = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_QEMU:
        needed = ".".join(map(str, OLDEST_QEMU))
        raise GuestVmError(f"the mirror has QEMU {version or 'of no version'}: {needed} or newer is needed")


def _unpack(packages: Sequence[Path], folder: Path) -> None:
    folder.mkdir()
    for package in packages:
        ended = subprocess.run(
            ["dpkg-deb", "--extract", str(package), str(folder)], capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise GuestVmError(f"the package {package.name} cannot be unpacked: {ended.stderr.strip()}")
    for path in _UNNEEDED:
        shutil.rmtree(folder / path, ignore_errors=True)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let two commands that start at once provision once."""
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
