"""However a guest or its function ends, the supervisor ends too, says which, and leaves nothing behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tb.guest_vm.processes import Child, Program
from tb.guest_vm.supervisor import GuestRun, Limits, run_guest

FAST = Limits(run_s=3.0, silence_s=2.0)
GOOD = "print('VPCI step bind 1.0', flush=True); print('VPCI done', flush=True)"
LISTEN = "import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.bind('{socket}'); s.listen(); "


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


class Pair:
    """Two small programs in place of a virtual machine and a simulation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "s"

    def program(self, name: str, code: str, explain: str = "") -> Program:
        command = [sys.executable, "-c", code.replace("{socket}", str(self._socket))]
        return Program(name, command, self._folder / f"{name}.log", explain=lambda: explain)

    def run(
        self, guest: str, server: str | None = None, limits: Limits = FAST, explain: str = ""
    ) -> GuestRun:
        if server is None:
            return run_guest(self.program("QEMU", guest), limits)
        return run_guest(
            self.program("QEMU", guest), limits, self.program("the function", server, explain), self._socket
        )


def test_a_good_run_has_no_trouble(pair: Pair) -> None:
    run = pair.run(GOOD, LISTEN + "s.accept() if 0 else time.sleep(0.3)")
    assert run.trouble == ""
    assert run.first_word_s is not None


@pytest.mark.parametrize(
    ("guest", "sentence"),
    [
        ("import sys; sys.exit('no such machine')", "QEMU ended with status 1: no such machine (QEMU.log)"),
        ("import os; os.kill(os.getpid(), 9)", "QEMU ended by signal SIGKILL (QEMU.log)"),
        ("print('VPCI failed no disk')", "the guest's script failed: no disk"),
        (
            "print('Kernel panic - not syncing: x')",
            "the guest's kernel panicked: Kernel panic - not sync",
        ),
        ("print('VPCI step mount 2.0')", "the guest went off in step mount"),
        ("pass", "the guest went off before its script began"),
    ],
)
def test_a_guest_that_ends_badly(pair: Pair, guest: str, sentence: str) -> None:
    assert pair.run(guest).trouble.startswith(sentence)


def test_a_guest_that_says_nothing_more(pair: Pair) -> None:
    code = "import time; print('VPCI step read 1.0', flush=True); time.sleep(60)"
    run = pair.run(code, limits=Limits(run_s=30.0, silence_s=0.5))
    assert run.trouble == "the guest has said nothing for 0.5 s, in step read"


def test_a_guest_that_never_ends(pair: Pair) -> None:
    code = "import time\nwhile True: print('x', flush=True); time.sleep(0.05)"
    run = pair.run(code, limits=Limits(run_s=0.5, silence_s=30.0))
    assert run.trouble.startswith("the guest was still running after 0.5 s")
    assert run.wall_s < 5


def test_a_function_that_ends_under_the_guest(pair: Pair) -> None:
    run = pair.run("import time; time.sleep(60)", LISTEN + "time.sleep(0.2); sys.exit('lost a clock')")
    assert "while the guest was running, the function ended with status 1: lost a clock" in run.trouble


def test_a_function_that_explains_itself(pair: Pair) -> None:
    run = pair.run(GOOD, LISTEN + "time.sleep(0.5)", explain="AssertionError: 1 is 2")
    assert run.trouble == "the function failed: AssertionError: 1 is 2"


def test_a_function_that_never_listens(pair: Pair) -> None:
    run = pair.run(GOOD, "import sys; sys.exit('no licence')")
    assert (
        run.trouble == "before it listened, the function ended with status 1: no licence (the function.log)"
    )


def test_nothing_outlives_its_child(tmp_path: Path) -> None:
    code = "import os,time; pid=os.fork(); print(pid if pid else '', flush=True); time.sleep(60)"
    with Child(Program("x", [sys.executable, "-c", code], tmp_path / "log")) as child:
        while not (tmp_path / "log").read_text().split():
            time.sleep(0.01)
        assert child.status is None
    grandchild = int((tmp_path / "log").read_text().split()[0])
    for _ in range(100):
        if not alive(grandchild):
            break
        time.sleep(0.02)
    assert not alive(grandchild)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
