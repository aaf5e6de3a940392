"""`make guest`: boot a real guest against the RTL (or, with TARGET=model, against the golden model)."""

from __future__ import annotations

from collections.abc import Iterable

from tb.flow.errors import FlowError
from tb.flow.plan import unknown
from tb.flow.variables import Variables
from tb.guest_vm.__main__ import main
from tb.guest_vm.runner import GUESTS
from tb.vfio_user.interrupts import InterruptMode

TARGETS = ("rtl", "model")


def run(variables: Variables) -> int:
    """Exit status of the guest's run: 0 passed, 1 failed, 2 cannot be run, 3 cannot be provisioned."""
    _check("GUEST", variables.guest, GUESTS)
    _check("INTR", variables.interrupts, [mode.value for mode in InterruptMode])
    _check("TARGET", variables.target, TARGETS)
    arguments = ["run", "--guest", variables.guest, "--intr", variables.interrupts]
    arguments += ["--target", variables.target, "--seed", str(variables.seed)]
    arguments += ["--waves"] if variables.waves else []
    arguments += [] if variables.compare else ["--no-compare"]
    return main(arguments)


def _check(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise FlowError(unknown(name, value, known))
