"""The virtio entropy device: fills the guest's buffers with random bytes (VRNG)."""

from __future__ import annotations

from tb.models.devices.base import DeviceModel, DeviceType, Effects, MediaResult, MediaTake, Serve
from tb.models.profile import Profile
from tb.models.virtqueue import Chain

_NO_LIMIT = (1 << 32) - 1


class EntropyDevice(DeviceModel):
    """An entropy source with one queue and no configuration."""

    type = DeviceType.ENTROPY

    def __init__(self, profile: Profile, *, queue_size: int = 8, vectors: int = 2) -> None:
        self.queue_sizes = (queue_size,)
        self.vectors = vectors
        self.host_features = profile.ring_features
        self._budget = 0
        super().__init__(profile)

    def reset(self) -> None:
        super().reset()
        self._budget = 0

    def is_supply(self, queue: int) -> bool:
        return True

    def wants(self, queue: int) -> bool:
        return not self.must_wait()

    def room(self, queue: int) -> int:
        return 0 if self._budget else _NO_LIMIT

    def offered(self, queue: int, available: int) -> bool:
        """Begin when any byte is wanted; a chain without writable bytes waits for one that has some."""
        if not self._budget:
            self._budget = available
        elif not available:
            self._budget = 0
        return self._budget > 0

    def least(self, queue: int) -> int:
        return 1

    def unfinished(self, queue: int) -> bool:
        return self._budget > 0

    def serve(self, queue: int, chain: Chain) -> Serve:
        """One buffer; readable-only chains on the way come back with length 0 (VRNG-05)."""
        length = min(self._budget, chain.writable_length)
        self._budget -= length
        if not length:
            return Effects((), 0)
        result = yield MediaTake(length)
        data = result.data if isinstance(result, MediaResult) else b""
        return Effects(((0, data),), len(data))
