"""A block function for a test.

Its configuration, its device model and its judge, after the command's options.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tb.agents.disk import Disk
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.flow.paths import SIM_BUILD
from tb.guest.memory import SparseMemory
from tb.models.devices.block import BlockDevice
from tb.models.judge.judge import Judge
from tb.models.profile import VIRTIO_PCI_RTL, Profile
from tb.models.verdict import Verdict
from tb.sequences.disk_image import unpack_image

DEFAULTS = {"NumQueues": 1, "QueueSize": 256, "NumVectors": 3, "MaxSegments": 256, "ReadOnly": 0}
"""The parameters of `tb_top` that the golden model has to know."""
IMAGES = SIM_BUILD / "images"


def image_path(options: SimOptions) -> Path:
    """The disk image of a run: the user's, or the packaged one, unpacked once."""
    return Path(options.disk) if options.disk else unpack_image(IMAGES)


def block_config(options: SimOptions, disk: Disk | None = None) -> EnvConfig:
    """The configuration of an environment around a block function.

    `disk` replaces the image of the options.
    """
    disk = disk or Disk.open(image_path(options))
    parameters = {**DEFAULTS, **options.parameters}
    profile = profile_for(parameters)
    device = BlockDevice(
        profile,
        capacity=disk.sectors,
        serial=disk.serial.rstrip(b"\0"),
        read_only=bool(parameters["ReadOnly"]),
        queues=parameters["NumQueues"],
        queue_size=parameters["QueueSize"],
        vectors=parameters["NumVectors"],
    )
    return EnvConfig(
        device, profile, SparseMemory(), disk, seed=options.seed, results_dir=options.results_dir
    )


def profile_for(parameters: dict[str, int]) -> Profile:
    """The choices of this project's RTL, with those that its parameters decide."""
    segments = parameters["MaxSegments"]
    return replace(VIRTIO_PCI_RTL, max_segments=segments, block_seg_max=segments - 2)


def judge_for(config: EnvConfig, report: Callable[[Verdict], None]) -> Judge:
    """The judge of a function so configured."""
    return Judge(config.profile, config.device, on_verdict=report)
