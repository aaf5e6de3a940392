"""What the runner asks of a kind of guest."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from tb.guest_vm.kernel import Kernel
from tb.guest_vm.linux_script import GuestLog
from tb.guest_vm.provision import Provision
from tb.guest_vm.qemu import Guest


class GuestKind(Protocol):
    """One guest on one fresh disk."""

    @classmethod
    def prepare(cls, provision: Provision, folder: Path, seed: int, kernel: Kernel) -> Self:
        """Make what it boots from and its disk in `folder`; the same seed gives the same disk."""
        ...

    @property
    def guest(self) -> Guest:
        """What boots."""
        ...

    @property
    def image(self) -> Path:
        """The disk's image file."""
        ...

    def complaints(self, log: GuestLog) -> list[str]:
        """What is wrong with the guest's reports and with the disk it left, each a sentence."""
        ...
