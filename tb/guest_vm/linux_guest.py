"""The Linux guest as a whole: what it boots from, the disk it finds, and what must be true afterwards."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.disk import Disk, make_disk, run_tool
from tb.guest_vm.errors import GuestVmError
from tb.guest_vm.initramfs import linux_initramfs
from tb.guest_vm.kernel import Kernel
from tb.guest_vm.linux_script import COPY, PAYLOAD, SUMS, GuestLog, linux_script
from tb.guest_vm.provision import Provision
from tb.guest_vm.qemu import Guest

SECTOR = 512
MODERN_ID = "0x1af4:0x1001 0x010000"


@dataclass(slots=True, frozen=True)
class LinuxGuest:
    """One guest on one fresh disk."""

    provision: Provision
    guest: Guest
    disk: Disk
    before: str

    @classmethod
    def prepare(cls, provision: Provision, folder: Path, seed: int, kernel: Kernel) -> LinuxGuest:
        """Make disk and initial file system in `folder`."""
        disk = make_disk(provision, folder / "disk.img", seed)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in disk.files.items())
        files = {PAYLOAD: disk.payload, SUMS: sums.encode()}
        script = linux_script(len(disk.payload))
        initramfs = folder / "initramfs.cpio"
        initramfs.write_bytes(linux_initramfs(provision.busybox, kernel, script, files))
        return cls(provision, Guest(kernel.image, initramfs), disk, disk.sha256())

    @property
    def image(self) -> Path:
        return self.disk.path

    def complaints(self, log: GuestLog) -> list[str]:
        """What is wrong with the guest's reports and with the disk it left, each a sentence."""
        said = self._reports(log)
        plan = self.disk.plan
        if self.disk.part(plan.raw_at, len(self.disk.payload)) != self.disk.payload:
            said.append("the raw area on the disk does not hold what the guest wrote")
        try:
            said += self._file_system()
        except GuestVmError as error:
            said.append(f"the file system the guest left is damaged: {error}")
        return said

    def _reports(self, log: GuestLog) -> list[str]:
        expected = {
            "driver": "virtio_blk",
            "function": MODERN_ID,
            "sectors": str(self.disk.plan.size // SECTOR),
            "isr": "0",
            "disk_sha256": self.before,
        }
        return [
            f"the guest reports {name} {log.reports.get(name, 'nothing')}, expected {value}"
            for name, value in expected.items()
            if log.reports.get(name) != value
        ]

    def _file_system(self) -> list[str]:
        """Check the file system with its own tool, then read the copies out of it, all on the host."""
        plan = self.disk.plan
        with tempfile.TemporaryDirectory(dir=self.image.parent) as name:
            part = Path(name) / "file_system.img"
            part.write_bytes(self.disk.part(plan.file_system_at, plan.file_system_size))
            run_tool(self.provision, "e2fsck", "-f", "-n", str(part))
            said = []
            for file, data in self.disk.files.items():
                for path in (f"/{file}", f"/{COPY}/{file}"):
                    out = Path(name) / "out"
                    out.unlink(missing_ok=True)
                    run_tool(self.provision, "debugfs", "-R", f"dump {path} {out}", str(part))
                    if not out.exists() or out.read_bytes() != data:
                        said.append(f"{path} in the file system does not hold what the guest copied")
        return said
