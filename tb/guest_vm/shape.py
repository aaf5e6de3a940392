"""What a client must know of a function, from its profile and its device."""

from __future__ import annotations

from tb.models.config_space import ConfigSpace
from tb.models.devices.base import DeviceModel
from tb.models.profile import Profile
from tb.vfio_user.function import FunctionShape
from tb.vfio_user.protocol import Region


def shape_of(profile: Profile, device: DeviceModel) -> FunctionShape:
    """The regions of a function: configuration space, BAR0, and its memory BARs by their numbers."""
    config = ConfigSpace(profile, device)
    regions = {int(Region.BAR0): config.bar0_size, int(Region.CONFIG): config.size}
    regions |= {number: bar.size for number, bar in config.bars.items()}
    table, offset = profile.msix_table
    return FunctionShape(regions, vectors=device.vectors, msix_table=(table, offset))
