"""An initial file system for a Linux guest: a cpio archive ("newc"), written byte by byte.

Device nodes are just entries of the archive, so no privileges are needed.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.kernel import DRIVER, Kernel

APPLETS = (
    "cat",
    "cmp",
    "cp",
    "dd",
    "dmesg",
    "echo",
    "grep",
    "head",
    "hexdump",
    "insmod",
    "ls",
    "mkdir",
    "mount",
    "poweroff",
    "readlink",
    "rmmod",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "sync",
    "tail",
    "umount",
)
_CONSOLE = (5, 1)


@dataclass(slots=True, frozen=True)
class Entry:
    """One entry of the archive. `data` is a file's content, a link's target; `device` a node's numbers."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def pack(entries: list[Entry]) -> bytes:
    """The archive of these entries, in their order."""
    trailer = Entry("TRAILER!!!", 0)
    return b"".join(_record(number, entry) for number, entry in enumerate([*entries, trailer], start=1))


def _record(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # owner
        0,  # group
        1,  # links
        0,  # time: none, so that the same content is the same archive
        len(entry.data),
        0,  # device of the file system
        0,
        *entry.device,
        len(name),
        0,  # check sum: none in this format
    )
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def linux_initramfs(busybox: Path, kernel: Kernel, script: str, files: dict[str, bytes]) -> bytes:
    """The guest's whole user space: busybox, the modules, `script` as /init, `files` by their path."""
    folders = ["bin", "dev", "proc", "sys", "mnt", "lib", "lib/first", "tmp"]
    entries = [Entry(name, stat.S_IFDIR | 0o755) for name in folders]
    entries.append(Entry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE))
    entries.append(_file("bin/busybox", busybox, 0o755))
    entries += [Entry(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox") for applet in APPLETS]
    entries += [_file(f"lib/first/{module.name}", module, 0o644) for module in kernel.first_modules]
    entries.append(_file(f"lib/{DRIVER}", kernel.driver, 0o644))
    entries += [Entry(name, stat.S_IFREG | 0o644, data) for name, data in files.items()]
    entries.append(Entry("init", stat.S_IFREG | 0o755, script.encode()))
    return pack(entries)


def _file(name: str, source: Path, mode: int) -> Entry:
    return Entry(name, stat.S_IFREG | mode, source.read_bytes())
