"""What guest software says when a function breaks a rule: one typed error per kind, each a sentence.

`rule` names the requirement (or the row of the bad-device table) that the function broke.
"""

from __future__ import annotations


class GuestError(Exception):
    """Base of every error the guest raises about the function it drives."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"{rule}: {sentence}")
        self.rule = rule
        self.sentence = sentence


class ProbeError(GuestError):
    """The function is not a legacy virtio-pci function this guest can drive."""


class ConfigurationError(GuestError):
    """Configuration space does not behave as the PCI specification says."""


class ReadBackError(GuestError):
    """A register does not hold what was just written to it."""


class VectorRefusedError(GuestError):
    """The function has no resources for the vector: the ladder goes one step down."""


class UsedRingError(GuestError):
    """The used ring holds something no correct device writes."""


class DeviceTimeoutError(GuestError):
    """The function did not do within the time limit what it owes."""


class InterruptError(GuestError):
    """An interrupt arrived that nothing explains."""


class RequestError(GuestError):
    """A device request came back with a status or content it must not have."""


class GuestUsageError(ValueError):
    """The caller broke a precondition of a guest verb: a mistake in the test, not in the function."""
