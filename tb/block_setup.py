"""A block function for a test.

Its configuration, its device model and its judge, after the command's options.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tb.agents.disk import Disk
from tb.config import EnvConfig
from tb.dut.description import read_description
from tb.flow.options import SimOptions
from tb.flow.paths import SIM_BUILD
from tb.guest.memory import SparseMemory
from tb.models.devices.block import BlockDevice
from tb.models.judge.judge import Judge
from tb.models.profile import choose
from tb.models.verdict import Verdict
from tb.run_guard import RunLimits
from tb.sequences.disk_image import unpack_image

IMAGES = SIM_BUILD / "images"


def image_path(options: SimOptions) -> Path:
    """The disk image of a run: the user's, or the packaged one, unpacked once."""
    return Path(options.disk) if options.disk else unpack_image(IMAGES)


def block_config(options: SimOptions, disk: Disk | None = None) -> EnvConfig:
    """The configuration of an environment around a block function.

    `disk` replaces the image of the options.
    """
    disk = disk or Disk.open(image_path(options))
    facts = read_description(Path(options.dut)).facts(options.parameters)
    profile = choose(facts.profile, options.choices, name=facts.profile.name)
    device = BlockDevice(
        profile,
        capacity=disk.sectors,
        serial=disk.serial.rstrip(b"\0"),
        read_only=facts.read_only,
        queues=facts.queues,
        queue_size=facts.queue_size,
        vectors=facts.vectors,
    )
    return EnvConfig(
        device,
        profile,
        SparseMemory(),
        disk,
        seed=options.seed,
        results_dir=options.results_dir,
        limits=RunLimits(verdicts=options.verdicts, stop_at=options.stop_at, time_ns=options.limit_ns),
    )


def judge_for(config: EnvConfig, report: Callable[[Verdict], None]) -> Judge:
    """The judge of a function so configured."""
    return Judge(config.profile, config.device, on_verdict=report)
