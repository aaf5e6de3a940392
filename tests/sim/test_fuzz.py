"""Genomes on the RTL: those that were kept, and a campaign that breeds new ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyuvm

from tb.agents.disk import Disk
from tb.block_setup import block_config, judge_for
from tb.config import EnvConfig
from tb.flow.options import SimOptions
from tb.flow.paths import ROOT
from tb.fuzz.campaign import Campaign, Limits
from tb.fuzz.corpus import Corpus, read_genome
from tb.fuzz.findings import Findings
from tb.guest.memory import SparseMemory
from tb.harness.link import Observation
from tb.models.verdict import Verdict
from tb.pcie.tlp import Channel
from tb.run_guard import RunLimits
from tb.scoreboard import JudgeLike, MismatchError
from tb.sequences.scene import Scene
from tests.sim.fuzz_arena import RtlArena
from tests.sim.fuzz_judge import GuardedJudge
from tests.sim.scenario import ScenarioTest

SEEDS = ROOT / "tests" / "fuzz" / "seeds"
SECTORS = 64
ACCESS_TIMEOUT_NS = 300_000
BOUNDED_GENOMES = 300
TELL_S = 0.25
PACKETS = "packets.txt"
UNLIMITED = RunLimits(verdicts=0, repetitions=0, idle_ns=0, silence_ns=0)
"""Each genome has an end of its own."""


class FuzzTest(ScenarioTest):
    """A small disk of bytes that tell their place, and a judge whose errors are findings."""

    def configure(self, options: SimOptions) -> EnvConfig:
        content = random.Random("disk").randbytes(512 * SECTORS)
        self._disk = Disk(SECTORS, content)
        self._memory = SparseMemory()
        config = block_config(options, self._disk)
        config.memory = self._memory
        config.access_timeout_ns = ACCESS_TIMEOUT_NS
        config.limits = UNLIMITED
        return config

    def judge_of(self, report: Callable[[Verdict], None]) -> JudgeLike:
        def told(verdict: Verdict) -> None:
            self.env.scoreboard.log.add(verdict)  # that of the genome which is played

        self.judge = GuardedJudge(judge_for(self.config, told), told)
        return self.judge

    async def arena(self, scene: Scene) -> RtlArena:
        """An arena around the environment."""
        arena = RtlArena(self.env, scene, self.judge, self._wipe)
        await arena.open(Path(self.options.results_dir))
        return arena

    def _counters(self, *, ended: bool) -> dict[str, Any]:
        return {**super()._counters(ended=ended), **self.figures}

    def _wipe(self) -> None:
        self._memory.forget()
        self._disk.forget()


@pyuvm.test()
class FuzzSeeds(FuzzTest):
    """Every genome that was kept: what it once found is not there any more."""

    async def play(self, scene: Scene) -> None:
        arena = await self.arena(scene)
        wanted = self.options.extra.get("replay")
        if wanted:
            self._log_packets(Path(self.options.results_dir) / PACKETS)
        paths = [Path(wanted)] if wanted else sorted(SEEDS.glob("*.json"))
        told = []
        for number, path in enumerate(paths):
            self.progress.advance(number, len(paths), path.stem)
            played = await arena.play(read_genome(path))
            told += [(path.name, str(fault)) for fault in played.faults]
        self.figures |= {
            "genomes": len(paths),
            "verdicts": [text for _, text in told],
            "mismatches": len(told),
        }
        if told:
            name, text = told[0]
            raise MismatchError(f"{len(told)} faults in {len(paths)} genomes, first {name}: {text}")

    def _log_packets(self, path: Path) -> None:
        """Every packet from now on as a line of a file: time in ns, channel, packet or why it is none."""
        file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115

        def write(seen: Observation) -> None:
            file.write(f"{seen.time_ns:>12,} {seen.channel.name:<6} {seen.error or seen.tlp}\n")

        for channel in Channel:
            self.env.link.observe(channel, write)


@pyuvm.test()
class FuzzCampaign(FuzzTest):
    """Genomes evolve towards what was never reached; nothing they find may be wrong."""

    async def play(self, scene: Scene) -> None:
        arena = await self.arena(scene)
        self._next_tell = 0.0
        extra = self.options.extra
        folder = Path(str(extra.get("folder", self.options.results_dir)))
        limits = Limits(
            int(extra.get("genomes", BOUNDED_GENOMES)),
            float(extra.get("seconds", float("inf"))),
            int(extra.get("findings", 1 << 62)),
        )
        findings = Findings(folder / "findings", self.options.configuration, self.options.seed)
        campaign = Campaign(
            arena,
            Corpus(folder / "corpus"),
            findings,
            random.Random(f"{self.options.seed}/fuzz"),
            limits,
            lambda campaign: self._tell_sometimes(campaign, arena),
        )
        seeds = sorted(SEEDS.glob("*.json")) if extra.get("seeds", True) else []
        await campaign.run([read_genome(path) for path in seeds])
        self._tell(campaign, arena)
        if findings.by_shape and "folder" not in extra:
            first = next(iter(findings.by_shape.values())).fault
            raise MismatchError(f"{len(findings.by_shape)} findings, first {first.rule}: {first.sentence}")

    def _tell_sometimes(self, campaign: Campaign, arena: RtlArena) -> None:
        now = time.monotonic()
        if now >= self._next_tell:
            self._next_tell = now + TELL_S
            self._tell(campaign, arena)
            self.note()

    def _tell(self, campaign: Campaign, arena: RtlArena) -> None:
        """What the command reads: while it goes on, at the end, and when it has died."""
        found = campaign.findings.by_shape
        points = 0 if arena.coverage is None else arena.coverage.hit
        self.figures |= {
            "genomes": campaign.genomes,
            "replayed": campaign.replayed,
            "new": campaign.kept,
            "features": campaign.features,
            "points": points,
            "points_total": 0 if arena.coverage is None else len(arena.coverage.points),
            "seconds": round(campaign.seconds, 3),
            "findings": [
                {
                    "name": one.fault.name,
                    "rule": one.fault.rule,
                    "sentence": one.fault.sentence,
                    "genome": one.genome,
                    "count": one.count,
                    "alone": one.alone,
                }
                for one in found.values()
            ],
        }
        limits = campaign.limits
        timed = limits.seconds < float("inf")
        done, total = (
            (int(campaign.seconds), int(limits.seconds)) if timed else (campaign.genomes, limits.genomes)
        )
        what = f"{campaign.genomes} genomes, {points} points, {campaign.kept} new, {len(found)} findings"
        self.progress.advance(done, total, what)
