"""QEMU's command line for a guest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tb.guest_vm.provision import Provision

MODELS = ("pc", "q35")
MESSAGE_TIMEOUT_MS = 600_000
"""How long QEMU waits for the function's answer: its own 5 s are too short for a simulation with waves."""
_KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 rcupdate.rcu_cpu_stall_suppress=1 nowatchdog no_timer_check"


@dataclass(slots=True, frozen=True)
class Guest:
    """What boots: a kernel with an initial file system, UEFI firmware (code, variables), or else the BIOS."""

    kernel: Path | None = None
    initramfs: Path | None = None
    flash: tuple[Path, Path] | None = None


@dataclass(slots=True, frozen=True)
class Machine:
    """What the guest runs on. Without `shared` memory the function reaches it by messages alone.

    `arguments` go to a Linux kernel.
    """

    model: str = MODELS[0]
    processors: int = 1
    memory_mib: int = 256
    shared: bool = True
    arguments: str = ""


def over_vfio_user(socket: Path) -> list[str]:
    """The device: the function behind a socket."""
    device = {
        "driver": "vfio-user-pci",
        "socket": {"type": "unix", "path": str(socket)},
        "x-msg-timeout": MESSAGE_TIMEOUT_MS,
    }
    return ["-device", json.dumps(device)]


def emulated_block(disk: Path) -> list[str]:
    """The device: QEMU's own legacy virtio-blk on the same disk."""
    return [
        "-drive",
        f"file={disk},if=none,id=disk,format=raw,cache=writeback",
        "-device",
        "virtio-blk-pci,drive=disk,disable-modern=on,disable-legacy=off",
    ]


def command(provision: Provision, guest: Guest, device: list[str], machine: Machine = Machine()) -> list[str]:
    """The whole command line. The guest's console is QEMU's standard output."""
    model = machine.model
    arguments = ["-accel", "tcg", "-cpu", "qemu64", "-smp", str(machine.processors)]
    arguments += ["-m", str(machine.memory_mib)]
    if machine.shared:
        model += ",memory-backend=ram"
        arguments += ["-object", f"memory-backend-memfd,id=ram,size={machine.memory_mib}M,share=on"]
    arguments += ["-M", model]
    arguments += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    arguments += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    for folder in provision.firmware:
        arguments += ["-L", str(folder)]
    if guest.kernel is not None:
        arguments += ["-kernel", str(guest.kernel), "-append"]
        arguments.append(f"{_KERNEL_ARGUMENTS} {machine.arguments}".strip())
    if guest.initramfs is not None:
        arguments += ["-initrd", str(guest.initramfs)]
    if guest.flash is not None:
        code, variables = guest.flash
        arguments += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
        arguments += ["-drive", f"if=pflash,format=raw,file={variables}"]
    return provision.tool("qemu-system-x86_64", *arguments, *device)
