"""`python -m tb.guest_vm`: provision, or run a real guest against the golden model.

The RTL as the target is run by the project's own command (`make guest`), which knows how to simulate.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tb.guest_vm.errors import GuestVmError, MirrorError
from tb.guest_vm.provision import provision
from tb.guest_vm.report import table
from tb.guest_vm.runner import GUESTS, ROOT, Request, model_server, run
from tb.guest_vm.say import say
from tb.vfio_user.interrupts import InterruptMode

UNREACHABLE = 3
"""Exit status when packages are needed and no mirror gives them."""


def main(arguments: list[str]) -> int:
    """0 passed, 1 failed, 2 cannot be run, 3 cannot be provisioned."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(chosen.verb(chosen))
    except MirrorError as error:
        say(str(error))
        return UNREACHABLE
    except GuestVmError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tb.guest_vm")
    verbs = parser.add_subparsers(required=True)
    fetch = verbs.add_parser("provision", help="fetch QEMU, kernel and tools once")
    fetch.set_defaults(verb=_provision)
    serve = verbs.add_parser("serve-model", help="offer the golden model (started by `model`)")
    serve.set_defaults(verb=_serve_model)
    model = verbs.add_parser("model", help="run a guest against the golden model")
    model.add_argument("--guest", choices=sorted(GUESTS), default="linux")
    model.add_argument("--intr", choices=[mode.value for mode in InterruptMode], default="function")
    model.add_argument("--seed", type=int, default=1)
    model.add_argument("--no-compare", action="store_true")
    model.add_argument("--folder", type=Path, default=ROOT / "sim_build" / "results" / "guest-model")
    model.set_defaults(verb=_model)
    return parser


def _provision(_chosen: argparse.Namespace) -> int:
    found = provision(ROOT / "sim_build" / "guest")
    say(f"QEMU {found.versions['qemu-system-x86']} is provisioned in {found.folder}")
    return 0


def _model(chosen: argparse.Namespace) -> int:
    request = Request(
        chosen.folder,
        chosen.guest,
        "model",
        InterruptMode(chosen.intr),
        chosen.seed,
        compare=not chosen.no_compare,
    )
    outcome = run(request, model_server)
    sys.stdout.write(table(outcome) + "\n")
    return 0 if outcome.passed else 1


def _serve_model(_chosen: argparse.Namespace) -> int:
    from tb.guest_vm.model_function import serve_model

    return serve_model()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
