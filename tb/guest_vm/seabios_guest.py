"""The BIOS as a guest: it boots a boot sector, which does the rest through int 13h."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.boot_disk import BootDisk, make_boot_disk
from tb.guest_vm.kernel import Kernel
from tb.guest_vm.linux_script import GuestLog
from tb.guest_vm.provision import Provision
from tb.guest_vm.qemu import Guest


@dataclass(slots=True, frozen=True)
class SeabiosGuest:
    """One guest on one fresh disk."""

    guest: Guest
    disk: BootDisk

    @classmethod
    def prepare(cls, _provision: Provision, folder: Path, seed: int, _kernel: Kernel) -> SeabiosGuest:
        """Make the disk in `folder`."""
        return cls(Guest(), make_boot_disk(folder / "disk.img", seed))

    @property
    def image(self) -> Path:
        return self.disk.path

    def complaints(self, log: GuestLog) -> list[str]:
        """What is wrong with the boot sector's report and with the disk it left, each a sentence."""
        said = []
        expected = f"{self.disk.sum:08X}"
        if log.reports.get("sum") != expected:
            said.append(
                f"the boot sector read a sum of {log.reports.get('sum', 'nothing')}, expected {expected}"
            )
        complaint = self.disk.complaint()
        return [*said, complaint] if complaint else said
