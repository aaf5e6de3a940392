"""`python -m tb.guest_vm`: provision, or run a real guest against the RTL or the golden model."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tb.guest_vm.boot import boot
from tb.guest_vm.errors import UNREACHABLE, GuestVmError, MirrorError
from tb.guest_vm.provision import KERNELS, provision
from tb.guest_vm.qemu import MODELS, Machine
from tb.guest_vm.runner import GUESTS, ROOT, Request
from tb.guest_vm.say import say
from tb.guest_vm.supervisor import Limits
from tb.vfio_user.interrupts import InterruptMode


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
    start = verbs.add_parser("run", help="run a guest, with knobs that make guest has not")
    start.add_argument("--guest", choices=sorted(GUESTS), default="linux")
    start.add_argument("--target", choices=("rtl", "model"), default="rtl")
    start.add_argument("--intr", choices=[mode.value for mode in InterruptMode], default="function")
    start.add_argument("--seed", type=int, default=1)
    start.add_argument("--waves", action="store_true", help="record (the RTL only)")
    start.add_argument("--no-compare", action="store_true", help="leave out the run with QEMU's own disk")
    start.add_argument("--limit", type=float, default=Limits().run_s, help="seconds the guest may take")
    start.add_argument("--rtl", type=Path, default=ROOT, help="folder with another rtl/ to run against")
    start.add_argument("--kernel", choices=KERNELS, default=KERNELS[0], help="suite of the guest's kernel")
    start.add_argument("--machine", choices=MODELS, default=MODELS[0])
    start.add_argument("--smp", type=int, default=1)
    start.add_argument("--memory", type=int, default=256, help="MiB")
    start.add_argument("--messages", action="store_true", help="share no memory: every DMA is a message")
    start.add_argument("--append", default="", help="more arguments for a Linux kernel")
    start.add_argument("--folder", type=Path, help="where images, logs and results go (emptied first)")
    start.set_defaults(verb=_run)
    return parser


def _provision(_chosen: argparse.Namespace) -> int:
    found = provision(ROOT / "sim_build" / "guest")
    say(f"QEMU {found.versions['qemu-system-x86']} is provisioned in {found.folder}")
    return 0


def _run(chosen: argparse.Namespace) -> int:
    request = Request(
        chosen.folder or ROOT / "sim_build" / "runs" / "guest" / "by-hand",
        chosen.guest,
        chosen.target,
        InterruptMode(chosen.intr),
        chosen.seed,
        not chosen.no_compare,
        chosen.waves,
        chosen.kernel,
        Machine(chosen.machine, chosen.smp, chosen.memory, not chosen.messages, chosen.append),
        rtl=chosen.rtl.absolute(),
        limits=Limits(run_s=chosen.limit),
    )
    return 0 if boot(request).passed else 1


def _serve_model(_chosen: argparse.Namespace) -> int:
    from tb.guest_vm.model_function import serve_model

    return serve_model()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
