"""A disk behind a block function: an image file that is never changed, and what was written over it.

The image is memory-mapped, so its size costs nothing; sectors that were written live in memory.
"""

from __future__ import annotations

import mmap
from pathlib import Path

SECTOR = 512
SERIAL_BYTES = 20


class DiskError(ValueError):
    """An image that cannot serve as a disk, as a sentence."""


class Disk:
    """`sectors` sectors of 512 bytes.

    Reads past the end, which only a wrong function asks for, are errors.
    """

    def __init__(
        self, sectors: int, base: mmap.mmap | bytes = b"", serial: bytes = b"virtio-pci-disk"
    ) -> None:
        self.sectors = sectors
        self.serial = serial[:SERIAL_BYTES].ljust(SERIAL_BYTES, b"\0")
        self.flushes = 0
        self._base = base
        self._overlay: dict[int, bytes] = {}

    @classmethod
    def open(cls, path: Path) -> Disk:
        """The disk of an image file.

        DiskError for one that cannot be read, is empty or is no whole sectors.
        """
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                if size == 0 or size % SECTOR:
                    raise DiskError(f"The disk image {path} has {size} bytes, not whole sectors of {SECTOR}.")
                base = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise DiskError(f"The disk image {path} cannot be read: {error.strerror}.") from None
        return cls(size // SECTOR, base)

    def read(self, sector: int, count: int) -> bytes | None:
        """`count` sectors; None when they do not all exist."""
        if sector + count > self.sectors:
            return None
        start = sector * SECTOR
        data = self._base[start : start + count * SECTOR]
        if len(data) < count * SECTOR:
            data += bytes(count * SECTOR - len(data))
        if not self._overlay:
            return data
        return self._overlaid(sector, count, data)

    def write(self, sector: int, data: bytes) -> bool:
        """Store whole sectors in the overlay; False when they do not all exist."""
        count = len(data) // SECTOR
        if sector + count > self.sectors:
            return False
        for index in range(count):
            self._overlay[sector + index] = data[index * SECTOR : (index + 1) * SECTOR]
        return True

    def flush(self) -> bool:
        """Nothing is held back here, so this only counts."""
        self.flushes += 1
        return True

    def forget(self) -> None:
        """What was written is gone: the disk is its image again."""
        self._overlay.clear()

    @property
    def written_sectors(self) -> int:
        """How many sectors differ from the image, or may."""
        return len(self._overlay)

    def _overlaid(self, sector: int, count: int, data: bytes) -> bytes:
        """`data` of the image with the written sectors put in."""
        overlay = self._overlay
        pieces = (
            overlay.get(sector + index, data[index * SECTOR : (index + 1) * SECTOR]) for index in range(count)
        )
        return b"".join(pieces)
