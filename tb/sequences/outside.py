"""The events of the walk over moments: what comes from outside, and what it leaves of the work under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tb.pcie.moment import Port
from tb.sequences import acts
from tb.sequences.scene import ReadFault
from tb.sequences.shot import Shot

Act = Callable[[Shot], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class Outside:
    """One event.

    `ends`: what the rings hold is owed no more. `fault`: how a read of the stage goes wrong. `slow`: it lasts
    longer than anything the function does by itself.
    """

    name: str
    act: Act
    ends: bool = False
    fault: ReadFault | None = None
    slow: bool = False


def quick_faults() -> list[Outside]:
    """Answers that go wrong at once."""
    waited = (ReadFault.NO_ANSWER, ReadFault.SHORT, ReadFault.TOO_LATE)
    return [
        Outside(
            f"answered by {one.value}",
            acts.kick_again if one.harmless else acts.nothing,
            not one.harmless,
            one,
        )
        for one in ReadFault
        if one not in waited
    ]


def silent_faults() -> list[Outside]:
    """Answers that never come in time. For builds with a short completion timeout."""
    kinds = (ReadFault.NO_ANSWER, ReadFault.SHORT, ReadFault.TOO_LATE)
    return [Outside(one.value, acts.nothing, True, one) for one in kinds]


EVENTS: tuple[Outside, ...] = (
    Outside("kick", acts.kick_again),
    Outside("kick of another queue", acts.kick_another),
    Outside("kicks back to back", acts.kick_often),
    Outside("more chains", acts.add_chains),
    Outside("other wishes about interrupts", acts.change_wishes),
    Outside("registers rewritten", acts.rewrite_registers),
    Outside("the index jumps", acts.index_jumps, True),
    Outside("reset", acts.reset, True),
    Outside("reset by PFN", acts.reset_by_address, True),
    Outside("reset among accesses", acts.reset_among_accesses, True),
    Outside("reset and start", acts.reset_and_start),
    Outside("power cycle", acts.power_cycle, True),
    Outside("bus master off", acts.bus_master_off),
    Outside("bus master flicks", acts.bus_master_flicks),
    Outside("reset without bus master", acts.reset_without_bus_master, True),
    Outside("decoding off", acts.decoding_off),
    Outside("BARs move", acts.bars_move),
    Outside("ISR read", acts.read_isr),
    Outside("Interrupt Disable", acts.line_disabled),
    Outside("MSI-X switched", acts.messages_switched),
    Outside("MSI-X flicks", acts.messages_flick),
    Outside("Function Mask", acts.function_masked),
    Outside("vector masked", acts.vector_masked),
    Outside("vector mask flicks", acts.vector_flicks),
    Outside("vector moves", acts.vector_moves),
    Outside("disk resized", acts.disk_resized),
    Outside("disk fails", acts.media_fails),
    Outside("read size changes", acts.sizes_change),
    Outside("errors cleared", acts.errors_cleared),
    Outside("host crowds", acts.host_crowds),
    *(Outside(f"{port.value} held for long", acts.held(port, acts.LONG_HOLD), slow=True) for port in Port),
    *(Outside(f"{port.value} held shortly", acts.held(port, acts.SHORT_HOLD)) for port in Port),
    *quick_faults(),
)
