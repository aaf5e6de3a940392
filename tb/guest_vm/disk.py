"""The disk a Linux guest finds: a partition table, an ext4 file system with files, and a raw area to write.

Partition 1 is the file system, partition 2 the raw area. Everything follows from the seed, so the host knows
what the guest must read.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.errors import GuestVmError
from tb.guest_vm.provision import Provision

MIB = 1 << 20
SECTOR = 512
_UUID = "6b1d4f0e-2c55-4f0a-9d7e-1f5a3c8e7b42"


@dataclass(slots=True, frozen=True)
class DiskPlan:
    """Where things lie, in bytes; all of them multiples of 1 MiB."""

    file_system_at: int = MIB
    file_system_size: int = 4 * MIB
    raw_at: int = 5 * MIB
    raw_size: int = MIB

    @property
    def size(self) -> int:
        return self.raw_at + self.raw_size


@dataclass(slots=True, frozen=True)
class Disk:
    """A disk image file, and what is known of it."""

    path: Path
    plan: DiskPlan
    files: dict[str, bytes]
    payload: bytes

    def sha256(self) -> str:
        """The image's checksum now."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def part(self, at: int, size: int) -> bytes:
        """Bytes of the image now."""
        with open(self.path, "rb") as image:
            image.seek(at)
            return image.read(size)


def make_disk(provision: Provision, path: Path, seed: int, plan: DiskPlan | None = None) -> Disk:
    """Write a fresh image to `path`. GuestVmError when the file system cannot be made."""
    plan = plan or DiskPlan()
    chance = random.Random(seed)
    files = {
        f"file{index}.bin": chance.randbytes(size)
        for index, size in enumerate((1, 511, 4096, 70_001, 300_000))
    }
    payload = chance.randbytes(plan.raw_size // 2)
    with open(path, "wb") as image:
        image.truncate(plan.size)
        image.write(partition_table(plan))
        image.seek(plan.raw_at)
        image.write(chance.randbytes(plan.raw_size))
    _make_file_system(provision, path, plan, files)
    return Disk(path, plan, files, payload)


def partition_table(plan: DiskPlan) -> bytes:
    """The first sector: two partitions of type Linux, addressed by sector."""
    parts = ((plan.file_system_at, plan.file_system_size), (plan.raw_at, plan.raw_size))
    no_geometry = b"\xfe\xff\xff"
    entries = b"".join(
        b"\0" + no_geometry + b"\x83" + no_geometry + struct.pack("<II", at // SECTOR, size // SECTOR)
        for at, size in parts
    )
    return bytes(440) + struct.pack("<IH", 0x5650_4349, 0) + entries.ljust(64, b"\0") + b"\x55\xaa"


def _make_file_system(provision: Provision, image: Path, plan: DiskPlan, files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(dir=image.parent) as name:
        for file, data in files.items():
            (Path(name) / file).write_bytes(data)
        options = ["-q", "-F", "-t", "ext4", "-U", _UUID, "-L", "guest", "-d", name]
        where = ["-E", f"offset={plan.file_system_at},hash_seed={_UUID},root_owner=0:0"]
        run_tool(provision, "mke2fs", *options, *where, str(image), f"{plan.file_system_size // 1024}k")


def run_tool(provision: Provision, program: str, *arguments: str, settings: Mapping[str, str] = {}) -> str:
    """Run a file system tool; its output. GuestVmError with its last words when it complains.

    `settings` go into its environment.
    """
    command = provision.tool(program, *arguments)
    # Without its configuration file (it lies in the tree) mke2fs makes the same file system everywhere.
    environment = os.environ | {
        "MKE2FS_CONFIG": str(provision.folder / "tools/etc/mke2fs.conf"),
        "LC_ALL": "C",
        **settings,
    }
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if ended.returncode != 0:
        words = (ended.stdout + ended.stderr).strip().splitlines() or ["it said nothing"]
        raise GuestVmError(f"{program} ended with status {ended.returncode}: {words[-1]}")
    return ended.stdout
