"""What fuzzing has found: one file a finding, equal ones counted, none written twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.flow.paths import write_atomically
from tb.fuzz.corpus import as_text
from tb.fuzz.grammar import Step

_NUMBER = re.compile(r"\b(?:0x[0-9a-fA-F]+|[0-9a-fA-F]{2}(?: [0-9a-fA-F]{2})+|\d+)\b")


@dataclass(slots=True, frozen=True)
class Fault:
    """What went wrong in one play: the rule and the sentence of a verdict, or of an error.

    `verdict` is the whole of it as it would be shown, with its time, values and packet.
    """

    rule: str
    sentence: str
    verdict: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.verdict or f"0 ns {self.rule}: {self.sentence}"

    @property
    def shape(self) -> str:
        """The same for faults that differ in numbers only."""
        return f"{self.rule}: {_NUMBER.sub('N', self.sentence)}"

    @property
    def name(self) -> str:
        """A file's name for it: rule and a hash of the shape."""
        digest = hashlib.sha256(self.shape.encode()).hexdigest()[:8]
        return f"{re.sub(r'[^a-z0-9]+', '-', self.rule.lower()).strip('-')}-{digest}"


@dataclass(slots=True)
class Finding:
    """One kind of fault, the shortest genome that shows it, and how often it was met.

    `alone` is false where it only shows after other genomes; `before` are the last of these.
    """

    fault: Fault
    steps: list[Step]
    genome: int
    count: int = 1
    alone: bool = True
    before: list[list[Step]] = field(default_factory=list)

    def as_json(self, configuration: str, seed: int) -> dict[str, Any]:
        """What its file holds."""
        return {
            "rule": self.fault.rule,
            "sentence": self.fault.sentence,
            "verdict": str(self.fault),
            "configuration": configuration,
            "seed": seed,
            "genome": self.genome,
            "alone": self.alone,
            "steps": [list(step) for step in self.steps],
            "before": [[list(step) for step in steps] for steps in self.before],
        }


@dataclass(slots=True)
class Findings:
    """All findings of one process, written into `folder` as they come."""

    folder: Path
    configuration: str
    seed: int
    by_shape: dict[str, Finding] = field(default_factory=dict)

    def known(self, fault: Fault) -> bool:
        """Whether such a fault was found before, here, by another process or in an earlier run; counts it."""
        finding = self.by_shape.get(fault.shape)
        if finding is not None:
            finding.count += 1
            return True
        path = self.folder / f"{fault.name}.json"
        if not path.exists():
            return False
        self.by_shape[fault.shape] = Finding(fault, [], 0, alone=_shows_alone(path))
        return True

    def keep(self, finding: Finding) -> Path:
        """Write a finding down; its file."""
        self.by_shape[finding.fault.shape] = finding
        path = self.folder / f"{finding.fault.name}.json"
        table = finding.as_json(self.configuration, self.seed)
        steps = as_text(finding.steps)
        text = json.dumps({**table, "steps": "@"}, indent=1).replace('"@"', steps)
        write_atomically(path, text + "\n")
        return path


def _shows_alone(path: Path) -> bool:
    """What a finding's file says about that; false for a file that says nothing."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("alone"))
    except (OSError, ValueError, AttributeError):
        return False


def first_fault(faults: Sequence[Fault]) -> Fault | None:
    """What a play is remembered for: what went wrong first; all that follows may be its consequence."""
    return faults[0] if faults else None
