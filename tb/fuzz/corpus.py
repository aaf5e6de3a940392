"""The corpus: genomes that reached something new, one file each in a folder that many processes may share.

A file is written whole under the hash of its steps, so two processes that find the same write the same,
nobody waits for anybody, and a folder that was copied or killed half-way is still a corpus.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tb.flow.paths import write_atomically
from tb.fuzz.grammar import GenomeError, Step, checked

NEWEST = 24
NEWEST_SHARE = 0.5
"""How often a parent comes from the newest genomes: what was just reached leads further soonest."""


def name_of(steps: Sequence[Step]) -> str:
    """A genome's name: a hash of its steps."""
    return hashlib.sha256(as_text(steps).encode()).hexdigest()[:16]


def as_text(steps: Sequence[Step]) -> str:
    """A genome as JSON, one step a line."""
    return "[\n" + ",\n".join("  " + json.dumps(list(step)) for step in steps) + "\n]"


def read_genome(path: Path) -> list[Step]:
    """The steps of a genome's file, alone or under `steps`. GenomeError, naming it, for any other."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        steps = content["steps"] if isinstance(content, dict) else content
        return checked([tuple(step) for step in steps])
    except OSError as error:
        raise GenomeError(f"{path.name} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError) as error:
        raise GenomeError(f"{path.name} holds no genome: {error}") from None


def _by_size(path: Path) -> tuple[int, str]:
    """Short files first, equals by name; one that has just gone comes last."""
    try:
        return path.stat().st_size, path.name
    except OSError:
        return 1 << 62, path.name


@dataclass(slots=True)
class Corpus:
    """The genomes of one folder as this process knows them."""

    folder: Path
    genomes: list[list[Step]] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)

    def add(self, steps: Sequence[Step]) -> bool:
        """Keep a genome; False where it is there already."""
        name = name_of(steps)
        if name in self._known:
            return False
        self._known.add(name)
        self.genomes.append(list(steps))
        write_atomically(self.folder / f"{name}.json", as_text(steps) + "\n")
        return True

    def news(self) -> list[list[Step]]:
        """Genomes that others have put into the folder since the last look, the shortest first.

        They are not yet taken over: `take_over` does that, after they were played. What is no genome, or not
        of this version of the grammar, is left alone.
        """
        found = []
        for path in sorted(self.folder.glob("*.json"), key=_by_size):
            if path.stem not in self._known:
                self._known.add(path.stem)
                with contextlib.suppress(GenomeError):
                    found.append(read_genome(path))
        return found

    def take_over(self, steps: Sequence[Step]) -> None:
        """Use a genome of the folder as a parent."""
        self.genomes.append(list(steps))

    def drop(self, steps: Sequence[Step]) -> None:
        """Take a genome out of the folder: all that it reaches, those before it in the order of `news` reach.

        All processes know the same order, so whatever several of them drop at once, what is first stays.
        """
        (self.folder / f"{name_of(steps)}.json").unlink(missing_ok=True)

    def parent(self, rng: random.Random) -> list[Step]:
        """A genome to change, the newest more often."""
        newest = self.genomes[-NEWEST:] if rng.random() < NEWEST_SHARE else self.genomes
        return rng.choice(newest)
