"""What a sequence can ask of the disk: to fail, and to change its size."""

from __future__ import annotations

from pyuvm import uvm_sequence_item

READ, WRITE, FLUSH = 0, 1, 2


class MediaFaultItem(uvm_sequence_item):
    """After `skip` that go well, `count` requests of one of `ops` that touch `sectors` fail."""

    def __init__(
        self,
        *,
        ops: tuple[int, ...] = (READ, WRITE, FLUSH),
        sectors: range = range(1 << 63),
        count: int = 1,
        skip: int = 0,
    ) -> None:
        super().__init__("media_fault")
        self.ops = ops
        self.sectors = sectors
        self.count = count
        self.skip = skip
        self.hits = 0

    @property
    def spent(self) -> bool:
        """True when it spoils no more requests."""
        return self.hits >= self.count

    def takes(self, op: int, sector: int, count: int) -> bool:
        """Whether this request fails; counts it."""
        outside = sector >= self.sectors.stop or sector + max(count, 1) <= self.sectors.start
        if self.spent or op not in self.ops or outside:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class CapacityItem(uvm_sequence_item):
    """The disk gets another size, in sectors of 512 bytes."""

    def __init__(self, sectors: int) -> None:
        super().__init__("capacity")
        self.sectors = sectors
