"""The disk that SeaBIOS boots: a boot sector built from its source, and sectors for it to read and write."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.errors import GuestVmError

SECTOR = 512
SOURCE = Path(__file__).with_name("boot_sector.S")
_LOAD_ADDRESS = 0x7C00


@dataclass(slots=True, frozen=True)
class BootPlan:
    """[first, first + count) is read, `step` sectors at a time, its complement written from `target` on."""

    first: int = 1
    count: int = 64
    target: int = 256
    step: int = 8
    size: int = 4096  # the BIOS takes no disk of less than a few cylinders


@dataclass(slots=True, frozen=True)
class BootDisk:
    """The image file, the plan, and the content the image had at first."""

    path: Path
    plan: BootPlan
    before: bytes

    @property
    def sum(self) -> int:
        """The 32-bit sum of the sectors read, as little-endian DWs: what the boot sector reports."""
        read = self._part(self.before, self.plan.first)
        return sum(int(word) for (word,) in struct.iter_unpack("<I", read)) & 0xFFFF_FFFF

    def complaint(self) -> str:
        """Compare the image with what the boot sector must have left; "" or a sentence."""
        after = self.path.read_bytes()
        read = self._part(self.before, self.plan.first)
        at, end = self.plan.target * SECTOR, (self.plan.target + self.plan.count) * SECTOR
        wanted = self.before[:at] + bytes(255 - byte for byte in read) + self.before[end:]
        if after == wanted:
            return ""
        wrong = next(index for index, (a, b) in enumerate(zip(after, wanted, strict=False)) if a != b)
        where = (
            "a sector it should have written" if at <= wrong < end else "a sector it should have left alone"
        )
        return f"the boot sector left the disk wrong from byte {wrong:#x} on, in {where}"

    def _part(self, image: bytes, sector: int) -> bytes:
        return image[sector * SECTOR : (sector + self.plan.count) * SECTOR]


def make_boot_disk(path: Path, seed: int, plan: BootPlan | None = None) -> BootDisk:
    """Write a fresh image to `path`."""
    plan = plan or BootPlan()
    content = boot_sector(plan) + random.Random(seed).randbytes((plan.size - 1) * SECTOR)
    path.write_bytes(content)
    return BootDisk(path, plan, content)


def boot_sector(plan: BootPlan) -> bytes:
    """Assemble the boot sector: 512 bytes. GuestVmError when the assembler is missing or refuses."""
    if shutil.which("as") is None or shutil.which("ld") is None:
        raise GuestVmError(
            "GUEST=seabios needs an assembler: install binutils (Debian, Ubuntu: apt install binutils)"
        )
    symbols = {"FIRST": plan.first, "COUNT": plan.count, "TARGET": plan.target, "STEP": plan.step}
    defined = [f"--defsym={name}={value}" for name, value in symbols.items()]
    with tempfile.TemporaryDirectory() as folder:
        object_, binary = Path(folder) / "boot.o", Path(folder) / "boot.bin"
        _run("as", "--32", *defined, "-o", str(object_), str(SOURCE))
        place = ["-m", "elf_i386", "-Ttext", hex(_LOAD_ADDRESS), "--oformat", "binary"]
        _run("ld", *place, "-o", str(binary), str(object_))
        data = binary.read_bytes()
    if len(data) != SECTOR:
        raise GuestVmError(f"the boot sector came out as {len(data)} bytes, not {SECTOR}")
    return data


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise GuestVmError(f"{command[0]} refused the boot sector: {ended.stderr.strip()}")
