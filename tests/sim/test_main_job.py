"""The main job: enumerate, attach, read the disk image, write, provoke errors; under MSI-X and under INTx."""

from __future__ import annotations

import pyuvm

from tb.block_setup import image_path
from tb.env import FunctionTest
from tb.sequences.main_job import MainJob
from tb.targets.rtl import RtlBus

PAYLOAD = 512
"""Bytes: what host and function both take; a real host sets the largest size that its path allows."""


@pyuvm.test()
class MainJobTest(FunctionTest):
    """What a real machine does with a block function, on a real disk image."""

    async def scenario(self, bus: RtlBus) -> None:
        """Do the job and leave its figures for the table at the end."""
        self.env.completer.config.max_payload = PAYLOAD
        job = MainJob(
            bus,
            image_path(self.options),
            bytes_limit=self.options.bytes_limit,
            progress=self.progress.advance,
            payload=PAYLOAD,
        )
        figures = await job.run()
        self.figures["main_job"] = figures.as_json()
