"""What the requester agent is told."""

from __future__ import annotations

from dataclasses import dataclass

from tb.harness.link import PinLink


@dataclass(slots=True)
class RequesterConfig:
    """`requester_id` is the host's, `target_id` the function's bus, device and function number.

    At most `max_outstanding` non-posted requests wait for completions (1..256). One without an answer after
    `timeout_ns` ends as a completion timeout does on a host: with all ones.
    """

    link: PinLink
    requester_id: int = 0x0000
    target_id: int = 0x0100
    max_outstanding: int = 32
    timeout_ns: int = 10_000_000
