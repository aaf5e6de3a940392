"""One real guest against one function, from provisioning to the verdict."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tb.guest_vm import qemu
from tb.guest_vm.guest_kind import GuestKind
from tb.guest_vm.kernel import Kernel
from tb.guest_vm.linux_guest import LinuxGuest
from tb.guest_vm.processes import Program
from tb.guest_vm.provision import KERNELS, Provision, provision, provision_kernel
from tb.guest_vm.report import Outcome
from tb.guest_vm.say import say
from tb.guest_vm.seabios_guest import SeabiosGuest
from tb.guest_vm.server_options import ServerOptions, ServerResults
from tb.guest_vm.supervisor import GuestRun, Limits, run_guest
from tb.guest_vm.uefi_guest import UefiGuest
from tb.vfio_user.interrupts import InterruptMode
from tb.vfio_user.server import PATH_LIMIT

ROOT = Path(__file__).resolve().parents[2]
GUESTS: dict[str, type[GuestKind]] = {"linux": LinuxGuest, "seabios": SeabiosGuest, "uefi": UefiGuest}
ServerMaker = Callable[[ServerOptions, Path], Program]
"""Makes the program that offers the function, of its options (to be put into its environment) and folder."""


@dataclass(slots=True, frozen=True)
class Request:
    """What the user wants to see run. `folder` is emptied first and keeps images, logs and results.

    `kernel` is one of `KERNELS`; `bug` names a fault planted into the RTL in the folder `rtl`.
    """

    folder: Path
    guest: str = "linux"
    target: str = "rtl"
    interrupts: InterruptMode = InterruptMode.FUNCTION
    seed: int = 1
    compare: bool = True
    waves: bool = False
    kernel: str = KERNELS[0]
    machine: qemu.Machine = field(default_factory=qemu.Machine)
    bug: str = ""
    rtl: Path = ROOT
    limits: Limits = field(default_factory=Limits)
    provisioned: Path = ROOT / "sim_build" / "guest"

    @property
    def title(self) -> str:
        """The variables of `make guest` that ask for this run; the later ones only where they matter."""
        usual, machine = qemu.Machine(), self.machine
        rest = (
            ("KERNEL", self.kernel, KERNELS[0]),
            ("MACHINE", machine.model, usual.model),
            ("SMP", machine.processors, usual.processors),
            ("WAVES", int(self.waves), 0),
            ("BUG", self.bug, ""),
        )
        words = [f"GUEST={self.guest} INTR={self.interrupts.value} TARGET={self.target} SEED={self.seed}"]
        return " ".join(words + [f"{name}={value}" for name, value, plain in rest if value != plain])


def model_server(options: ServerOptions, folder: Path) -> Program:
    """The golden model as the function."""
    command = [sys.executable, "-m", "tb.guest_vm", "serve-model"]
    environment = options.to_environment() | {"PYTHONPATH": str(ROOT)}
    return Program("the model's server", command, folder / "function.log", environment=environment)


def run(request: Request, server_maker: ServerMaker) -> Outcome:
    """Provision if needed, run, check. Raises GuestVmError for what has nothing to do with the function."""
    tools = provision(request.provisioned)
    folder = request.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kernel = provision_kernel(tools, request.kernel)
    reference = _reference(request, tools, kernel, folder / "reference") if request.compare else None
    say(f"booting {request.guest} against the {request.target}")
    guest = GUESTS[request.guest].prepare(tools, folder, request.seed, kernel)
    with _short_folder(folder) as place:
        options = ServerOptions(
            socket=str(place / "function.sock"),
            disk=str(guest.image),
            results=str(folder / "function.json"),
            accesses=str(folder / "accesses.log"),
            interrupts=request.interrupts.value,
        )
        socket = Path(options.socket)
        device = qemu.over_vfio_user(socket)
        machine = _machine(qemu.command(tools, guest.guest, device, request.machine), folder)
        ran = run_guest(machine, request.limits, server_maker(options, folder), socket)
    results = ServerResults.load(folder / "function.json")
    troubles = _troubles(ran, results, guest, request)
    return Outcome(request.title, ran, results, tuple(troubles), folder, reference)


@contextmanager
def _short_folder(folder: Path) -> Iterator[Path]:
    """Where a socket can lie: its path is short by law. Else a folder of its own, gone afterwards."""
    if len(os.fsencode(folder)) < PATH_LIMIT - len("/function.sock"):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="guest-") as place:
        yield Path(place)


def _reference(request: Request, tools: Provision, kernel: Kernel, folder: Path) -> GuestRun | None:
    """The same guest with QEMU's own disk: what it takes without us. A failure of it is said, and no more."""
    folder.mkdir()
    say(f"booting {request.guest} with QEMU's own disk, to compare")
    guest = GUESTS[request.guest].prepare(tools, folder, request.seed, kernel)
    device = qemu.emulated_block(guest.image)
    ran = run_guest(
        _machine(qemu.command(tools, guest.guest, device, request.machine), folder), request.limits
    )
    complaints = [ran.trouble] if ran.trouble else guest.complaints(ran.log)
    if complaints:
        say(f"QEMU's own disk did not pass, so there is no time to compare with: {complaints[0]}")
        return None
    return ran


def _machine(command: list[str], folder: Path) -> Program:
    return Program("QEMU", command, folder / "console.log", folder / "qemu.log")


def _troubles(ran: GuestRun, results: ServerResults | None, guest: GuestKind, request: Request) -> list[str]:
    """Everything that is not as it should be, the likeliest cause first."""
    said = [ran.trouble] if ran.trouble else guest.complaints(ran.log)
    if results is None:
        return said or ["the function's server left no results"]
    if results.ending and not results.client_left:
        said = [results.ending]  # the server ended it: what happened to the guest follows from that
    if results.mismatches:
        first = results.verdicts[0] if results.verdicts else "no verdict was kept"
        sentence = (
            f"{results.mismatches} mismatches between the function and the golden model, first: {first}"
        )
        # A guest that went away leaves requests unanswered: that is no fault of the function.
        said = [*said, sentence] if ran.trouble and results.client_left else [sentence]
    said += [f"the server refused a message of QEMU: {error}" for error in results.protocol_errors]
    if not ran.trouble and request.target == "rtl" and not results.accesses_scored:
        said.append("not one access was scored")
    if not ran.trouble and not _interrupts_as_asked(results, request):
        said.append(
            f"no interrupt came the way INTR={request.interrupts.value} asks for: {results.interrupts}"
        )
    return said


def _interrupts_as_asked(results: ServerResults, request: Request) -> bool:
    """Firmware polls; Linux must have got interrupts of the asked kind and no other."""
    if request.guest != "linux":
        return True
    kinds = {
        InterruptMode.FUNCTION: "MSI-X messages",
        InterruptMode.CLIENT: "MSI-X events",
        InterruptMode.INTX: "INTx events",
    }
    wanted = kinds[request.interrupts]
    return results.interrupts.get(wanted, 0) > 0 and not any(
        results.interrupts.get(kind, 0) for kind in kinds.values() if kind != wanted
    )
