"""The language of genomes: every verb that a random guest, host or disk knows, and the values each may take.

A step is a verb's name with its values, `("wait", 40)`. A genome is a list of steps. Everything the grammar
allows can be played; what the function makes of it is for the judge to say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tb.fuzz.spoils import SPOILS

Value = int | str
Step = tuple[Value, ...]
"""A verb's name, then its values."""

BORDER_SHARE = 0.75
"""How often a number is one of its borders rather than any in its range."""


class GenomeError(ValueError):
    """A step that the grammar does not know, as a sentence."""


@dataclass(slots=True, frozen=True)
class Field:
    """One value of a verb.

    `borders` are the values worth trying, the plainest first. A number may also be anything from 0 to `most`;
    a word has no range.
    """

    name: str
    borders: tuple[Value, ...]
    most: int = 0

    def draw(self, rng: random.Random) -> Value:
        """Any value, a border more often than not."""
        if not self.most or rng.random() < BORDER_SHARE:
            return rng.choice(self.borders)
        return rng.randrange((self.most >> rng.randrange(self.most.bit_length())) + 1)

    def near(self, rng: random.Random, value: Value) -> Value:
        """Another value: one beside `value`, one with a bit turned, or any."""
        if isinstance(value, str) or not self.most or rng.random() < 0.4:
            return self.draw(rng)
        if rng.random() < 0.5:
            return max(0, min(self.most, value + rng.choice((-1, 1))))
        return min(self.most, value ^ 1 << rng.randrange(self.most.bit_length()))

    def fits(self, value: Value) -> bool:
        """Whether the grammar allows the value."""
        return value in self.borders or (isinstance(value, int) and 0 <= value <= self.most)


@dataclass(slots=True, frozen=True)
class Verb:
    """One thing that can be done; `weight` says how often chance picks it."""

    name: str
    weight: int
    fields: tuple[Field, ...] = ()


WIDE = (1 << 32) - 1
_QUEUE = Field("queue", (0, 0, 0, 1))
_ENABLES = Field("enables", (15, 1, 3, 12, 8, 2, 4, 0, 5, 9), 15)
_VALUE = Field("value", (0, 1, 0xFFFF, WIDE, 0x80, 0x100, 0x8000, 0x10000), WIDE)
_CLOCKS = (0, 1, 2, 10, 50, 200, 800)
_CHANCE = Field("per_256", (0, 32, 64, 128), 128)
_LENGTHS = (512, 512, 0, 1, 20, 511, 513, 1024, 1536, 4096, 4608, 8192)
_SECTORS = (0, 1, 2, 31, 62, 63, 64, WIDE, 1 << 32, (1 << 55) - 1, 1 << 55, (1 << 64) - 1)
_FEATURES = (0x3000_0000, 0, 0x1000_0000, 0x2000_0000, 0x3100_0000, 0x0100_0000, 0x7FFF_FFFF, WIDE)
_REGISTERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 15)

GUEST = (
    Verb("start", 10, (Field("features", _FEATURES), Field("queues", (1, 3, 2)), Field("mode", (0, 1, 2)))),
    Verb("status", 4, (Field("value", (0, 7, 0, 3, 1, 0x87, 0x80, 0x40, 4), 255),)),
    Verb("features", 2, (Field("value", _FEATURES, WIDE),)),
    Verb("select", 2, (Field("value", (0, 1, 2, 7, 0xFFFF), 0xFFFF),)),
    Verb("ring", 3, (_QUEUE, Field("place", (0, 1, 2, 3)))),
    Verb("page", 2, (Field("value", (0, 1, 0x100, WIDE), WIDE),)),
    Verb("vector", 3, (_QUEUE, Field("vector", (1, 0, 2, 0xFFFF, 3), 0xFFFF))),
    Verb("config_vector", 2, (Field("vector", (0, 1, 2, 0xFFFF, 3), 0xFFFF),)),
    Verb("kick", 8, (Field("queue", (0, 0, 1, 2, 0xFFFF), 0xFFFF),)),
    Verb("isr", 6),
    Verb("msix", 4, (Field("control", (2, 3, 0, 1)),)),
    Verb("entry", 3, (Field("vector", (0, 1, 2)), Field("target", (0, 1, 2)), Field("control", (0, 1)))),
    Verb("mask", 5, (Field("vector", (1, 0, 2)), Field("control", (1, 0, 0, WIDE)))),
    Verb("pending", 2),
    Verb("command", 5, (Field("value", (7, 3, 0x407, 0, 6, 5, 4, 0x147), 0x7FF),)),
    Verb("bar", 1, (Field("which", (0, 1)), Field("place", (0, 1, 2, 3)))),
    Verb("io_read", 5, (Field("register", _REGISTERS, 15), _ENABLES)),
    Verb("io_write", 4, (Field("register", _REGISTERS, 15), _ENABLES, _VALUE)),
    Verb("config_read", 3, (Field("register", (0, 1, 4, 16, 17, 63), 63), _ENABLES)),
    Verb("config_write", 3, (Field("register", (1, 3, 4, 5, 15, 16, 18), 63), _ENABLES, _VALUE)),
    Verb("memory_read", 3, (Field("register", (0, 3, 12, 512, 1023), 1023), Field("words", (1, 2, 4, 12)))),
    Verb("memory_write", 3, (Field("register", (0, 2, 3, 7, 512, 1023), 1023), _ENABLES, _VALUE)),
    Verb("sizes", 1, (Field("payload", (0, 1, 2, 3, 7)), Field("read", (2, 0, 1, 5, 7)))),
    Verb(
        "odd_packet", 3, (Field("kind", ("poisoned", "foreign", "long", "two_words", "no_bytes", "locked")),)
    ),
    Verb("again", 5, (Field("times", (3, 8, 20), 24), Field("clocks", (0, 1, 2, 3, 7), 20))),
    Verb("overlap", 5, (Field("accesses", (2, 1, 4, 8), 16),)),
)
RING = (
    Verb(
        "chain",
        30,
        (
            _QUEUE,
            Field("kind", (0, 1, 0, 1, 4, 8, 11, 2, WIDE), WIDE),
            Field("sector", _SECTORS, 63),
            Field("bytes", _LENGTHS, 9000),
            Field("pieces", (1, 2, 3, 5), 12),
            Field("shift", (0, 1, 3, 4, 31, 63, 2048, 4095), 4095),
            Field("table", (0, 1, 2)),
            Field("show", (1, 1, 1, 0)),
            Field("kick", (1, 1, 1, 0)),
        ),
    ),
    Verb(
        "spoilt",
        6,
        (_QUEUE, Field("spoil", tuple(SPOILS)), Field("extra", (0, 1, 15, 49, 0xFFFF, WIDE), WIDE)),
    ),
    Verb("publish", 3, (_QUEUE, Field("delta", (0, 1, 2, 8, 9, 0x7FFF, 0x8000, 0xFFFF), 0xFFFF))),
    Verb("used_event", 5, (_QUEUE, Field("delta", (0, 1, 2, 3, 0x7FFF, 0x8000, 0xFFFF), 0xFFFF))),
    Verb("flags", 4, (_QUEUE, Field("value", (1, 0, 0, 0xFFFE, 0xFFFF), 0xFFFF))),
    Verb("age", 2, (_QUEUE, Field("used", (0, 0xFFFE, 0xFFFF, 7, 0x7FFF), 0xFFFF))),
)
HOST = (
    Verb("chance", 1, (Field("seed", (1, 2, 3), 0xFFFF),)),
    Verb("answers", 4, (Field("least", _CLOCKS, 1000), Field("most", _CLOCKS, 1000))),
    Verb("parts", 3, (Field("split", (0, 64, 255), 255), Field("gap", (0, 5, 40), 40))),
    Verb("payload", 1, (Field("bytes", (128, 64, 256, 512)), Field("boundary", (64, 128)))),
    Verb(
        "stall",
        5,
        (
            Field(
                "stream",
                ("TX_REQ", "TX_CPL", "RX_CPL", "RX_REQ", "BLK_REQ", "BLK_WDATA", "BLK_RDATA", "BLK_RSP"),
            ),
            _CHANCE,
            Field("longest", (1, 6, 40, 200), 200),
        ),
    ),
    Verb(
        "fault",
        5,
        (
            Field(
                "fault",
                (
                    "UNSUPPORTED_REQUEST",
                    "ABORT",
                    "RETRY",
                    "POISONED",
                    "NO_ANSWER",
                    "LATE",
                    "TOO_LATE",
                    "SHORT",
                    "WRONG_TAG",
                ),
            ),
            Field("skip", (0, 1, 2, 3, 4, 5, 6), 20),
            Field("good", (0, 64, 128, 256), 1024),
        ),
    ),
    Verb("power_cycle", 1),
)
DISK = (
    Verb("disk_delay", 4, (Field("least", _CLOCKS, 1000), Field("most", _CLOCKS, 1000))),
    Verb("disk_error", 3, (Field("skip", (0, 1, 2), 8),)),
    Verb("resize", 3, (Field("sectors", (128, 32, 64, 0, 1 << 32, (1 << 64) - 1), 1 << 40),)),
)
TIME = (
    Verb("wait", 20, (Field("clocks", (1, 2, 5, 10, 20, 40, 80, 150, 400, 1500), 2000),)),
    Verb("until_used", 8, (_QUEUE,)),
)
VERBS = {verb.name: verb for verb in (*GUEST, *RING, *HOST, *DISK, *TIME)}
_TABLE = tuple(VERBS.values())
_WEIGHTS = tuple(verb.weight for verb in _TABLE)


def random_step(rng: random.Random) -> Step:
    """Any step."""
    verb = rng.choices(_TABLE, _WEIGHTS)[0]
    return (verb.name, *(field.draw(rng) for field in verb.fields))


def changed(rng: random.Random, step: Step) -> Step:
    """The step with one of its values changed; another step where it has none."""
    fields = VERBS[str(step[0])].fields
    if not fields:
        return random_step(rng)
    at = rng.randrange(len(fields))
    values = list(step)
    values[at + 1] = fields[at].near(rng, step[at + 1])
    return tuple(values)


def plainer(step: Step) -> list[Step]:
    """The steps with one value made the plainest of its field."""
    fields = VERBS[str(step[0])].fields
    return [
        (*step[: at + 1], field.borders[0], *step[at + 2 :])
        for at, field in enumerate(fields)
        if step[at + 1] != field.borders[0]
    ]


def checked(steps: Sequence[Sequence[Value]]) -> list[Step]:
    """The steps of a genome that came from outside. GenomeError names the first that cannot be played."""
    return [_checked(number, tuple(step)) for number, step in enumerate(steps)]


def _checked(number: int, step: Step) -> Step:
    verb = VERBS.get(str(step[0])) if step else None
    if verb is None:
        raise GenomeError(f"Step {number} is {step!r}: no such verb. Known: {', '.join(VERBS)}.")
    if len(step) != len(verb.fields) + 1:
        raise GenomeError(f"Step {number}: {verb.name} takes {len(verb.fields)} values, not {len(step) - 1}.")
    for field, value in zip(verb.fields, step[1:], strict=True):
        if not field.fits(value):
            raise GenomeError(f"Step {number}: {verb.name} cannot have {field.name} {value!r}.")
    return step
