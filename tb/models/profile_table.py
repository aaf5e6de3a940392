"""Writes ``docs/profiles.md``: ``python -m tb.models.profile_table``. A test holds the page against this."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tb.models.profile import PROFILES, Profile

PAGE = Path(__file__).parents[2] / "docs" / "profiles.md"

_HEAD = """# Profiles
The specification leaves much to the implementation. Each such choice is one field of `Profile`
(`tb/models/profile.py`); nothing else in the golden model tells one implementation from another.

| profile | file | comes from |
|---|---|---|
| `VIRTIO_PCI_RTL` | `tb/models/profiles/virtio_pci_rtl.toml` | the RTL in `rtl/` |
| `QEMU_7_2` | `tb/models/profiles/qemu_7_2.toml` | QEMU 7.2, as `make oracle` proves |
| `QEMU_2011` | `tb/models/profiles/qemu_2011.toml` | QEMU's `virtio-pci.c` of 2011, by line |
| `BHYVE` | `tb/models/profiles/bhyve.toml` | illumos bhyve's `virtio.h`, by line |

**Your own device**: copy the nearest file, change it, and load it with `Profile.from_toml(path)` (or
`python -m tb.oracle --profile your.toml`). Every field must be there; one that is missing, unknown or
impossible is told by name.

This page is generated: `python -m tb.models.profile_table`.

"""

_TAIL = """
## What a recording of QEMU does not fix
QEMU serves the reads and writes of one batch by a pool of threads, so their used elements come in no fixed
order; recordings give them as a sorted list (`used_set`). Flushes with nothing to flush complete last first,
always (`idle_flushes`). Random bytes of the entropy device are compared by their number only.

Any other value of a choice of `QEMU_7_2` gives differences in the recordings, but for these, which no
recording tells apart: `reset_fence`, `msix_pending_without_bus_master`, `chain_limit_counts`,
`indirect_after_direct`, `nested_indirect`, `used_flags`, `avail_event`, `net_short_frame`; and, found by live
fuzzing, `early_notify_kicks`, `interrupts_after_drain`, `interrupts_anyway`, `block_seg_max`,
`block_unoffered`, `net_header_follows`, `net_without_link`, `net_early_frame`, `console_looks_ahead`,
`stopped_supply`, `survey_limit`. The fields from `dma_attributes` to `spurious_interrupts` tell packets
apart, of which a recording has none: there the values of a software device say the least that is true of it.

## On the bus
The fields from `dma_attributes` to `spurious_interrupts` are read by the judge of packets alone. The RTL's
own profile has the strict value of each, so that a fault which makes it do otherwise is told. A device of
another make says here what it does; `make legal` keeps examples of each, and of the faults still told then.

## What live fuzzing does about it
`make oracle LIVE=1` compares every answer. Where QEMU's own depends on time or on chance, the traffic is made
such that it does not, and nothing is left out of the comparison in silence:

- *When* a notification, a callback or a disk request is done: the main loop is turned and the disk is drained
  before the next look.
- *The order* in which the requests of a batch complete: used elements are compared as a set; no two requests
  of a batch share sectors; the elements are cleared before, as old ones came in such an order too.
- *Random bytes*: the entropy device reads `/dev/zero` there.
- *A transmit request, or a receive buffer, shorter than its header* makes QEMU abort (an assertion, a bug):
  there is none.
- *The errors of a SCSI command* are written as four bytes even where their buffer is shorter, past its end (a
  bug): in the traffic they have a buffer to themselves that is long enough, or share one.
"""


def render() -> str:
    """The whole page."""
    names = list(PROFILES)
    lines = [
        "| field | decides | requirement | values | " + " | ".join(names) + " |",
        "|---|---|---|---|" + "---|" * len(names),
    ]
    hints = get_type_hints(Profile)
    for each in fields(Profile):
        if each.name == "name":
            continue
        values = [_shown(each.name, getattr(profile, each.name)) for profile in PROFILES.values()]
        meta = each.metadata
        cells = [f"`{each.name}`", meta["decides"], meta["requirement"], _kind(hints[each.name]), *values]
        lines.append("| " + " | ".join(cells) + " |")
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if get_origin(hint) is tuple and get_origin(get_args(hint)[0]) is Literal:
        return "list of " + ", ".join(get_args(get_args(hint)[0]))
    return {bool: "true, false", int: "number"}.get(hint, "list" if get_origin(hint) is tuple else "table")


_PLAIN_NUMBERS = (
    "_length",
    "_segments",
    "_limit",
    "_minimum",
    "seg_max",
    "isr_config_change",
    "_ns",
    "_granule",
    "_flight",
)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if name.endswith(_PLAIN_NUMBERS) or value < 10 else f"{value:#x}"
    if isinstance(value, tuple):
        return ", ".join(_shown(name, each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number:06x}" for key, number in value.items())
    return str(value)


def main() -> int:
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
