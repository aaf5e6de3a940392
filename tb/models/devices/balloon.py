"""The virtio memory balloon: the guest gives pages to the host and takes them back (VBAL)."""

from __future__ import annotations

from struct import Struct, iter_unpack

from tb.models.devices.base import DeviceModel, DeviceType, Effects, Gather, MediaRelease, Serve
from tb.models.profile import Profile
from tb.models.virtqueue import Chain

INFLATE, DEFLATE, STATS = range(3)

F_PAGE_POISON = 4

# num_pages, actual, free page hint command, page poison value
_CONFIG = Struct("<IIII")


class BalloonDevice(DeviceModel):
    """A balloon whose target size the host sets with ``set_target``."""

    type = DeviceType.BALLOON

    def __init__(self, profile: Profile, *, queue_size: int = 128, vectors: int = 0) -> None:
        self.queue_sizes = (queue_size,) * 3
        self.vectors = vectors
        self.host_features = profile.ring_features | profile.balloon_features
        self.config_length = profile.balloon_config_length
        self.num_pages = 0
        self.actual = 0
        self.poison = 0
        self._stats: Chain | None = None
        self._stats_kicked = False
        super().__init__(profile)

    def set_target(self, pages: int) -> None:
        """The host wants ``pages`` pages of 4 KiB in the balloon (VBAL-07)."""
        self.num_pages = pages
        self.config_changed()

    def build_config(self) -> bytes:
        return _CONFIG.pack(self.num_pages, self.actual, 0, self.poison)

    def take_config(self, content: bytes) -> None:
        """``actual`` is the driver's, and the poison value when it was negotiated."""
        _, self.actual, _, poison = _CONFIG.unpack(content.ljust(_CONFIG.size, b"\0"))
        self.poison = poison if self.features >> F_PAGE_POISON & 1 else 0

    def reset(self) -> None:
        super().reset()
        self._stats = None
        self._stats_kicked = False
        self.poison = 0

    def notified(self, queue: int) -> None:
        if queue == STATS:
            self._stats_kicked = True

    def wants(self, queue: int) -> bool:
        """One statistics buffer a notification; of pages, all."""
        return queue != STATS or self._stats_kicked

    def serve(self, queue: int, chain: Chain) -> Serve:
        if queue == STATS:
            return self._hold(chain)
        content = yield Gather(0, chain.readable_length)
        assert isinstance(content, bytes)
        if queue == INFLATE:
            for (page,) in iter_unpack("<I", content[: len(content) & ~3]):
                yield MediaRelease(page)
        return Effects((), 0)

    def _hold(self, chain: Chain) -> Effects:
        """Keep this statistics buffer until the host asks; an earlier one goes back (VBAL-08, VBAL-13)."""
        self._stats_kicked = False
        earlier, self._stats = self._stats, chain
        also = () if earlier is None else ((earlier, Effects((), 0)),)
        return Effects((), 0, also, "held")
