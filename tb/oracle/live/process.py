"""One QEMU process with its two sockets: qtest (accesses, one text line each) and QMP (host commands)."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb.flow.process import die_with_parent
from tb.oracle.machine import DISK, RAM_BYTES

PROGRAM = "qemu-system-x86_64"
START_S = 30.0
ANSWER_S = 30.0
END_S = 5.0

_HALT = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp back: the processor sleeps, the machine runs
_FIRMWARE = bytes(0xFFF0) + _HALT + bytes(12)


class QemuError(Exception):
    """QEMU is missing, does not start, or stops answering; a sentence."""


def find_program() -> str:
    """Path of QEMU. Raises ``QemuError`` that says what to install."""
    path = shutil.which(PROGRAM)
    if path is None:
        raise QemuError(
            f"LIVE=1 needs {PROGRAM} 7.2: install Debian 12's package qemu-system-x86 "
            "(apt-get install --no-install-recommends qemu-system-x86)."
        )
    return path


def version(program: str) -> str:
    """QEMU's version such as 7.2.22. Raises ``QemuError``."""
    try:
        done = subprocess.run(
            [program, "--version"], check=False, capture_output=True, text=True, timeout=START_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QemuError(f"{program} does not run: {error}") from error
    words = done.stdout.split()
    return words[3] if words[:3] == ["QEMU", "emulator", "version"] else "unknown"


class Qemu:
    """A running machine. Use as a context manager: process and folder are gone afterwards.

    ``options``: of QEMU's command line after those every machine has; {disk} and {socket} in them stand for
    files of this machine. ``levels``: of each interrupt input of the machine, by number.
    """

    def __init__(self, program: str, options: Sequence[str]) -> None:
        self.levels: dict[int, int] = {}
        self._lines = b""
        self._cleanup = contextlib.ExitStack()
        self.folder = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="oracle_")))
        self._errors = self.folder / "errors.log"
        try:
            self._start(program, options)
        except BaseException:
            self._cleanup.close()
            raise

    def _start(self, program: str, options: Sequence[str]) -> None:
        firmware = self.folder / "firmware.bin"
        firmware.write_bytes(_FIRMWARE)
        disk = self.folder / "disk.img"
        disk.write_bytes(DISK)
        qtest, qmp = self._listener("qtest"), self._listener("qmp")
        command = [program, "-machine", "pc", "-accel", "tcg", "-bios", str(firmware), "-display", "none"]
        command += ["-nodefaults", "-no-user-config", "-m", str(RAM_BYTES >> 20), "-qtest-log", "/dev/null"]
        command += ["-qtest", f"unix:{self.folder}/qtest", "-qmp", f"unix:{self.folder}/qmp"]
        places = {"{disk}": str(disk), "{socket}": str(self.folder / "terminal")}
        for option in options:
            for name, path in places.items():
                option = option.replace(name, path)  # noqa: PLW2901
            command.append(option)
        with open(self._errors, "wb") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 (no threads here)
            )
        self._cleanup.callback(self._end, process)
        self._qtest = self._accept(qtest)
        self._qmp = self._accept(qmp)
        self._messages = self._cleanup.enter_context(self._qmp.makefile("r", encoding="utf-8"))
        self._messages.readline()
        self.host("qmp_capabilities")

    def _listener(self, name: str) -> socket.socket:
        listener = self._cleanup.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.folder / name))
        listener.listen(1)
        listener.settimeout(START_S)
        return listener

    def _accept(self, listener: socket.socket) -> socket.socket:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            raise QemuError(f"{PROGRAM} does not start: {self.last_words()}") from None
        finally:
            listener.close()
        connection.settimeout(ANSWER_S)
        return self._cleanup.enter_context(connection)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def last_words(self) -> str:
        """What QEMU wrote last to its errors."""
        lines = self._errors.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it says nothing")

    # --- accesses

    def command(self, line: str) -> str:
        """One qtest command; what follows its OK. Interrupt lines that come before it are kept."""
        try:
            self._qtest.sendall(line.encode() + b"\n")
            while True:
                answer = self._line()
                if not answer.startswith("IRQ "):
                    break
                _, what, number = answer.split()
                self.levels[int(number)] = int(what == "raise")
        except OSError as error:
            raise QemuError(f"{PROGRAM} gave no answer to {line[:60]}: {error}") from error
        if not answer.startswith("OK"):
            raise QemuError(f"{PROGRAM} answers {line[:60]} with {answer[:60]!r}")
        return answer[3:]

    def _line(self) -> str:
        while b"\n" not in self._lines:
            more = self._qtest.recv(1 << 20)
            if not more:
                raise QemuError(f"{PROGRAM} is gone: {self.last_words()}")
            self._lines += more
        line, _, self._lines = self._lines.partition(b"\n")
        return line.decode().strip()

    def turn(self, times: int = 4) -> None:
        """Let the machine's main loop go round, so that it has done what waits (notifications, callbacks)."""
        for _ in range(times):
            self.command("inb 0x80")

    # --- host side

    def host(self, name: str, /, **arguments: Any) -> str:
        """A QMP command; its error, "" when there was none."""
        try:
            self._qmp.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
            while True:
                text = self._messages.readline()
                if not text:
                    raise QemuError(f"{PROGRAM} is gone: {self.last_words()}")
                answer = json.loads(text)
                if "return" in answer or "error" in answer:
                    return str(answer.get("error", {}).get("desc", ""))
        except OSError as error:
            raise QemuError(f"{PROGRAM} gave no answer to {name}: {error}") from error

    def finish_disk_work(self) -> None:
        """Wait until nothing of the disk is under way."""
        self.host("human-monitor-command", **{"command-line": "qemu-io d0 aio_flush"})
