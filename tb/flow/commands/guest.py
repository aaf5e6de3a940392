"""`make guest`: boot a real guest against the RTL (or, with TARGET=model, against the golden model)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from tb.flow.display import complain, say
from tb.flow.errors import FlowError
from tb.flow.paths import RESULTS, ROOT, RUNS, SIM_BUILD, require_writable, shown
from tb.flow.plan import load_plan, unknown
from tb.flow.planted import plant, read_bugs
from tb.flow.results import JUNIT, SUMMARY, forget
from tb.flow.variables import Variables
from tb.guest_vm.boot import boot, write_results
from tb.guest_vm.errors import UNREACHABLE, GuestVmError, MirrorError
from tb.guest_vm.provision import KERNELS
from tb.guest_vm.qemu import MODELS, Machine
from tb.guest_vm.runner import GUESTS, Request
from tb.vfio_user.interrupts import InterruptMode

TARGETS = ("rtl", "model")


def run(variables: Variables) -> int:
    """Exit status of the guest's run: 0 passed, 1 failed, 2 cannot be run, 3 cannot be provisioned."""
    started = time.monotonic()
    request = request_of(variables)
    require_writable(RUNS)
    require_writable(RESULTS)
    forget(SUMMARY, JUNIT)
    try:
        outcome = boot(request)
    except MirrorError as error:
        complain(f"make guest: {error}")
        return UNREACHABLE
    except GuestVmError as error:
        raise FlowError(str(error)) from error
    write_results(request, outcome, time.monotonic() - started, RESULTS)
    say(f"results: {shown(RESULTS / SUMMARY)}, {shown(RESULTS / JUNIT)}")
    return 0 if outcome.passed else 1


def request_of(variables: Variables) -> Request:
    """What the variables ask for. Raises FlowError for a value that there is not, listing those that are."""
    modes = [mode.value for mode in InterruptMode]
    _check("GUEST", variables.guest, GUESTS)
    _check("INTR", variables.interrupts, modes)
    _check("TARGET", variables.target, TARGETS)
    _check("KERNEL", variables.kernel or KERNELS[0], KERNELS)
    _check("MACHINE", variables.machine, MODELS)
    return Request(
        RUNS / "guest" / "-".join((variables.guest, variables.interrupts, variables.target)),
        variables.guest,
        variables.target,
        InterruptMode(variables.interrupts),
        variables.seed,
        variables.compare,
        variables.waves,
        variables.kernel or KERNELS[0],
        Machine(variables.machine, variables.processors),
        variables.bug or "",
        planted(variables.bug) if variables.bug else ROOT,
    )


def planted(name: str) -> Path:
    """A copy of the RTL with one of the planted faults. FlowError, listing them, for an unknown one."""
    bugs = {bug.name: bug for bug in read_bugs(load_plan())}
    _check("BUG", name, bugs)
    folder = SIM_BUILD / "bugs" / f"guest-{name}"
    plant(bugs[name], folder)
    return folder


def _check(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise FlowError(unknown(name, value, known))
