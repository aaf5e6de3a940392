"""`python -m tb.guest_vm`: provision, or run a real guest against the RTL or the golden model."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tb.guest_vm.errors import GuestVmError, MirrorError
from tb.guest_vm.provision import provision
from tb.guest_vm.report import table
from tb.guest_vm.runner import GUESTS, ROOT, Request, ServerMaker, model_server, run
from tb.guest_vm.say import say
from tb.guest_vm.supervisor import Limits
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
    serve = verbs.add_parser("serve-model", help="offer the golden model (started by `run`)")
    serve.set_defaults(verb=_serve_model)
    boot = verbs.add_parser("run", help="run a guest")
    boot.add_argument("--guest", choices=sorted(GUESTS), default="linux")
    boot.add_argument("--target", choices=("rtl", "model"), default="rtl")
    boot.add_argument("--intr", choices=[mode.value for mode in InterruptMode], default="function")
    boot.add_argument("--seed", type=int, default=1)
    boot.add_argument("--waves", action="store_true", help="record (the RTL only)")
    boot.add_argument("--no-compare", action="store_true", help="leave out the run with QEMU's own disk")
    boot.add_argument("--limit", type=float, default=Limits().run_s, help="seconds the guest may take")
    boot.add_argument("--rtl", type=Path, default=ROOT, help="folder with another rtl/ to run against")
    boot.add_argument("--folder", type=Path, help="where images, logs and results go (emptied first)")
    boot.set_defaults(verb=_run)
    return parser


def _provision(_chosen: argparse.Namespace) -> int:
    found = provision(ROOT / "sim_build" / "guest")
    say(f"QEMU {found.versions['qemu-system-x86']} is provisioned in {found.folder}")
    return 0


def _run(chosen: argparse.Namespace) -> int:
    name = f"{chosen.guest}-{chosen.intr}-{chosen.target}"
    request = Request(
        chosen.folder or ROOT / "sim_build" / "runs" / "guest" / name,
        chosen.guest,
        chosen.target,
        InterruptMode(chosen.intr),
        chosen.seed,
        compare=not chosen.no_compare,
        limits=Limits(run_s=chosen.limit),
    )
    provision(request.provisioned)
    outcome = run(request, _server(chosen))
    sys.stdout.write(table(outcome) + "\n")
    return 0 if outcome.passed else 1


def _server(chosen: argparse.Namespace) -> ServerMaker:
    if chosen.target == "model":
        return model_server
    from tb.guest_vm.rtl_server import rtl_server  # needs the project's environment, the model does not

    if chosen.rtl == ROOT:
        return rtl_server(seed=chosen.seed, waves=chosen.waves)
    rtl = chosen.rtl.absolute()
    return rtl_server(seed=chosen.seed, waves=chosen.waves, rtl=rtl, builds=rtl / "build")


def _serve_model(_chosen: argparse.Namespace) -> int:
    from tb.guest_vm.model_function import serve_model

    return serve_model()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
