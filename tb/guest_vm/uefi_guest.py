"""UEFI firmware (EDK II) as a guest: its shell copies and compares files of a FAT disk by its own driver."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.disk import run_tool
from tb.guest_vm.kernel import Kernel
from tb.guest_vm.linux_script import MARK, GuestLog
from tb.guest_vm.provision import Provision
from tb.guest_vm.qemu import Guest

SECTOR = 512
SECTORS = 32768
SIZES = (1, 511, 4096, 70_001, 300_000)
COPY = "COPIED"
_SCRIPT = "STARTUP.NSH"  # the shell runs it without being asked
# All files get the same time, in seconds since 1970: the same seed gives the same disk.
_SETTINGS = {"MTOOLS_SKIP_CHECK": "1", "SOURCE_DATE_EPOCH": "1700000000"}


@dataclass(slots=True, frozen=True)
class UefiGuest:
    """One guest on one fresh disk. `files` by name, as the guest finds them."""

    provision: Provision
    guest: Guest
    image: Path
    files: dict[str, bytes]

    @classmethod
    def prepare(cls, provision: Provision, folder: Path, seed: int, _kernel: Kernel) -> UefiGuest:
        """Make the disk and the firmware's variables in `folder`."""
        chance = random.Random(seed)
        files = {f"FILE{number}.BIN": chance.randbytes(size) for number, size in enumerate(SIZES)}
        image, variables = folder / "disk.img", folder / "variables.fd"
        code, fresh = provision.uefi
        shutil.copyfile(fresh, variables)
        made = cls(provision, Guest(flash=(code, variables)), image, files)
        made._make_disk(folder / "files")
        return made

    def complaints(self, log: GuestLog) -> list[str]:
        """What is wrong with the disk the guest left; what the guest found itself ended its script."""
        wrong = []
        for name, data in self.files.items():
            for place in (name, f"{COPY}/{name}"):
                out = self.image.with_suffix(".out")
                out.unlink(missing_ok=True)
                self._mtools("mcopy", f"::{place}", str(out))
                if out.read_bytes() != data:
                    wrong.append(f"{place} on the disk does not hold what it should")
        return wrong

    def _make_disk(self, files: Path) -> None:
        """A FAT file system over the whole disk, with the script and the files."""
        files.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(SECTORS * SECTOR)
        contents = {_SCRIPT: uefi_script(list(self.files)).encode(), **self.files}
        for name, data in contents.items():
            (files / name).write_bytes(data)
        self._mtools("mformat", "-N", "00000001", "-T", str(SECTORS), "-h", "16", "-s", "63", "::")
        self._mtools("mcopy", *(str(files / name) for name in contents), "::")

    def _mtools(self, program: str, *arguments: str) -> None:
        """Run one of the mtools on the disk. GuestVmError with its last words when it complains."""
        run_tool(self.provision, program, "-i", str(self.image), *arguments, settings=_SETTINGS)


def uefi_script(names: list[str]) -> str:
    """What the shell does: copy each file to a folder, compare, copy it back, compare; power off."""
    lines = ["@echo -off", f"echo {MARK} step start 0", "FS0:", f"mkdir {COPY}"]
    for name in names:
        there = f"{COPY}\\{name}"
        for what, where in ((name, there), (there, name)):
            lines += [f"cp -q {what} {where}", *_unless_fine(f"{what} cannot be copied to {where}")]
            lines += [f"comp {name} {there}", *_unless_fine(f"{name} and {there} differ")]
    return "\r\n".join([*lines, f"echo {MARK} done", "reset -s", ""])


def _unless_fine(sentence: str) -> list[str]:
    return ["if not %lasterror% == 0 then", f"  echo {MARK} failed {sentence}", "  reset -s", "endif"]
