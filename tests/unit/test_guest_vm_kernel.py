"""Which modules of a kernel package the guest gets, and in which order it loads them."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from tb.guest_vm.errors import GuestVmError
from tb.guest_vm.kernel import pick_kernel

VERSION = "usr/lib/modules/6.0"


def module(tree: Path, name: str, depends: str = "", *, packed: bool = False) -> None:
    """A module that is nothing but its list of dependencies."""
    data = b"elf\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
    path = tree / VERSION / "kernel" / f"{name}.ko{'.xz' if packed else ''}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(data) if packed else data)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A kernel with nothing built in but ext4."""
    made = tmp_path / "tree"
    module(made, "virtio_blk", "virtio", packed=True)
    module(made, "virtio")
    module(made, "virtio-ring", packed=True)
    module(made, "virtio_pci", "virtio,virtio-ring")
    (made / VERSION / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    (made / "boot").mkdir()
    (made / "boot/vmlinuz-6.0").write_bytes(b"kernel")
    return made


def test_every_module_comes_after_what_it_needs(tree: Path, tmp_path: Path) -> None:
    kernel = pick_kernel(tree, tmp_path / "kernel")
    assert [path.name for path in kernel.first_modules] == [
        "00-virtio.ko",
        "01-virtio_ring.ko",
        "02-virtio_pci.ko",
    ]
    assert kernel.image.read_bytes() == b"kernel"
    assert kernel.driver.read_bytes().startswith(b"elf")


def test_what_is_built_in_is_not_loaded(tree: Path, tmp_path: Path) -> None:
    names = ("fs/ext4/ext4", "virtio", "virtio_ring", "virtio_pci")
    (tree / VERSION / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in names))
    assert pick_kernel(tree, tmp_path / "kernel").first_modules == []


def test_a_kernel_without_the_driver_is_a_sentence(tree: Path, tmp_path: Path) -> None:
    (tree / VERSION / "kernel/virtio_blk.ko.xz").unlink()
    with pytest.raises(GuestVmError, match="no module virtio_blk"):
        pick_kernel(tree, tmp_path / "kernel")
