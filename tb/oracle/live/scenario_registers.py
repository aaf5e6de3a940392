"""Registers of any device: random accesses of every kind, with resets of both kinds in between."""

from __future__ import annotations

from tb.oracle.live.noise import harsh
from tb.oracle.live.plan import Plan


def registers(plan: Plan) -> None:
    """A few hundred random accesses."""
    plan.enable()
    plan.device_config()
    for _ in range(plan.number(120, 250)):
        harsh(plan)
        if plan.chance(0.01):
            plan.cold_reset()
        if plan.chance(0.02):
            plan.reset()
            plan.registers()
    plan.look()
    plan.device_config()
