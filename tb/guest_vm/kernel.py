"""A Linux kernel for the guest: its image, and the modules of it that are needed, in the order to load them.

Kernels differ in what is built in: what a wanted driver still needs is read out of the modules themselves.
"""

from __future__ import annotations

import lzma
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.errors import GuestVmError

WANTED = ("virtio_pci", "ext4", "virtio_blk")
"""Drivers that the guest cannot do without; the last one is loaded and unloaded by its script."""
DRIVER = "virtio_blk.ko"
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


@dataclass(slots=True, frozen=True)
class Kernel:
    """A kernel picked into `folder`."""

    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def driver(self) -> Path:
        """The block driver, uncompressed."""
        return self.folder / DRIVER

    @property
    def first_modules(self) -> list[Path]:
        """What has to be loaded before the driver, in this order; uncompressed."""
        return sorted((self.folder / "first").glob("*.ko"))


def pick_kernel(tree: Path, folder: Path) -> Kernel:
    """Copy image and modules from an unpacked kernel package. GuestVmError when something is not in it."""
    kernel = Kernel(folder)
    (folder / "first").mkdir(parents=True)
    shutil.copy(only(tree, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"), kernel.image)
    modules = Modules(only(tree, "usr/lib/modules/*", "lib/modules/*"))
    *first, driver = modules.in_order(WANTED)
    for number, name in enumerate(first):
        (folder / "first" / f"{number:02}-{name}.ko").write_bytes(modules.read(name))
    kernel.driver.write_bytes(modules.read(driver))
    return kernel


class Modules:
    """The modules of one kernel version in `folder`, by name with underscores."""

    def __init__(self, folder: Path) -> None:
        builtin = (folder / "modules.builtin").read_text(encoding="utf-8").split()
        self._builtin = {_name(Path(line)) for line in builtin}
        self._files = {_name(path): path for pattern in ("*.ko", "*.ko.xz") for path in folder.rglob(pattern)}

    def read(self, name: str) -> bytes:
        """The module's content, uncompressed."""
        path = self._files[name]
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data

    def in_order(self, names: tuple[str, ...]) -> list[str]:
        """These modules and all they depend on, each after what it needs; none that is built in."""
        order: list[str] = []
        for name in names:
            self._add(name, order)
        return order

    def _add(self, name: str, order: list[str]) -> None:
        if name in self._builtin or name in order:
            return
        if name not in self._files:
            raise GuestVmError(f"the guest's kernel has no module {name}")
        found = _DEPENDS.search(self.read(name))
        for needed in (found[1].decode() if found else "").split(","):
            if needed:
                self._add(needed.replace("-", "_"), order)
        order.append(name)


def _name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def only(tree: Path, *patterns: str) -> Path:
    """The one file or folder that fits one of the patterns; GuestVmError for none, or several."""
    found = sorted({path for pattern in patterns for path in tree.glob(pattern)})
    if len(found) != 1:
        raise GuestVmError(f"the guest's packages hold {len(found)} files like {patterns[0]}, not one")
    return found[0]
