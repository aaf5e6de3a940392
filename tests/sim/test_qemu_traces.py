"""The function against a real QEMU: what was recorded of QEMU's block device, played on the RTL.

Where the two answer differently, the profile of the RTL must predict it, and the fields of the profile that
decide it are counted. The table is `qemu_differences.md` in the run's results.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyuvm

from tb.agents.disk import Disk
from tb.block_setup import block_config
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.models.devices.block import BlockDevice
from tb.models.profile import QEMU_7_2
from tb.oracle.__main__ import RECORDED
from tb.oracle.comparison import Comparison
from tb.oracle.devices import build_device
from tb.oracle.machine import DISK
from tb.oracle.natural import NaturalTrace, natural_part
from tb.oracle.trace import find, load
from tb.sequences.recorded import DISK_SECTORS, RecordedGuest, RecordedMemory
from tb.sequences.scene import Scene
from tests.sim.scenario import ScenarioTest

SERIAL = b"ORACLE0123"
QUIET_NS = 1_600
"""A function that says nothing on its pins for so long has nothing to do."""
SHOWN = 20
TABLE = "qemu_differences.md"


class UnexplainedError(AssertionError):
    """The function answered neither as QEMU did nor as its profile says."""


def recorded_disk() -> Disk:
    """The disk of the recorded machines."""
    return Disk(DISK_SECTORS, DISK, SERIAL)


class RecordedTest(ScenarioTest):
    """Plays the recordings of block devices of this shape whose names fit `names`."""

    names: tuple[str, ...] = ()

    def configure(self, options: SimOptions) -> EnvConfig:
        config = block_config(options, recorded_disk())
        self.memory = RecordedMemory()
        config.memory = self.memory
        return config

    async def play(self, scene: Scene) -> None:
        comparison = Comparison(self.config.profile)
        traces = list(self._traces())
        for done, path in enumerate(traces):
            self.progress.advance(done, len(traces), path.name)
            trace = natural_part(path)
            comparison.add(trace, await self._answers(scene, trace))
        (Path(self.options.results_dir) / TABLE).write_text(comparison.table(), encoding="utf-8")
        self.figures["qemu"] = {
            "traces": comparison.traces,
            "observations": comparison.observations,
            "differences": {" + ".join(names): n for names, n in comparison.explained.most_common()},
            "unexplained": comparison.unexplained,
        }
        if not comparison.traces:
            raise UnexplainedError(f"No recording fits {self.names} and the shape of this function.")
        if comparison.unexplained:
            raise UnexplainedError(_told(comparison.unexplained))

    def _traces(self) -> Iterator[Path]:
        """Recordings of a block device with as many queues and vectors, writable or not as this one."""
        device = self.config.device
        assert isinstance(device, BlockDevice)
        shape = _shape(device)
        for path in find(RECORDED):
            if any(path.match(f"{pattern}.jsonl*") for pattern in self.names):
                recorded = build_device(QEMU_7_2, load(path)[0])
                if isinstance(recorded, BlockDevice) and _shape(recorded) == shape:
                    yield path

    async def _answers(self, scene: Scene, trace: NaturalTrace) -> list[object]:
        """Everything observed of a function, a memory and a disk that are as new."""
        await scene.host.set_capacity(DISK_SECTORS)
        self.env.media.config.disk = recorded_disk()
        self.memory.clear()
        await scene.host.cold_reset()
        pins = self.env.link.memory

        async def rest() -> None:
            """Wait until nothing passes the pins."""
            before = -1
            while pins.observed_bytes != before:
                before = pins.observed_bytes
                await scene.bus.delay(QUIET_NS)

        guest = RecordedGuest(scene, self.memory, trace.header, rest)
        answers = [await guest.answer(row) for row in trace.rows]
        await rest()
        return answers


def _shape(device: BlockDevice) -> tuple[tuple[int, ...], int, bool]:
    return tuple(device.queue_sizes), device.vectors, device.read_only


def _told(sentences: list[str]) -> str:
    more = len(sentences) - SHOWN
    tail = [f"and {more} more"] if more > 0 else []
    first = f"{len(sentences)} answers have no explanation; the first: {sentences[0]}"
    return "\n".join([first, *sentences[1:SHOWN], *tail])


@pyuvm.test()
class QemuRegisters(RecordedTest):
    """Configuration space, registers, MSI-X and the life of a function, as recorded of QEMU."""

    names = ("[!rv]*", "reg*", "vectors")


@pyuvm.test()
class QemuRings(RecordedTest):
    """Rings, requests and everything malformed, as recorded of QEMU."""

    names = ("vq_*",)


@pyuvm.test()
class QemuRandomRegisters(RecordedTest):
    """Random accesses, as recorded of QEMU."""

    names = ("random_regs_*",)


@pyuvm.test()
class QemuRandomRequests(RecordedTest):
    """Random requests in random chains, as recorded of QEMU."""

    names = ("random_io_*",)


@pyuvm.test()
class QemuShapes(RecordedTest):
    """A function of another shape (read-only, several queues), as recorded of QEMU."""

    names = ("*",)
