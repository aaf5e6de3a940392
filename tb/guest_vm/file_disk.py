"""A disk that lives in a file: what the guest writes is in the file, where the host can look at it later."""

from __future__ import annotations

import os
from pathlib import Path

SECTOR = 512


class FileDisk:
    """Sectors of 512 bytes in an image file. Reads and writes outside it fail. Counts what it serves."""

    def __init__(self, path: Path, serial: bytes = b"virtio-pci-disk") -> None:
        self._fd = os.open(path, os.O_RDWR)
        self.sectors = os.fstat(self._fd).st_size // SECTOR
        self.serial = serial
        self.requests = {"read": 0, "write": 0, "flush": 0}
        self.bytes = {"read": 0, "write": 0}

    def read(self, sector: int, count: int) -> bytes | None:
        """`count` sectors, None when they are not all on the disk."""
        self.requests["read"] += 1
        if sector + count > self.sectors:
            return None
        data = os.pread(self._fd, count * SECTOR, sector * SECTOR)
        self.bytes["read"] += len(data)
        return data

    def write(self, sector: int, data: bytes) -> bool:
        """Store whole sectors; False when they are not all on the disk."""
        self.requests["write"] += 1
        if sector + len(data) // SECTOR > self.sectors:
            return False
        os.pwrite(self._fd, data, sector * SECTOR)
        self.bytes["write"] += len(data)
        return True

    def flush(self) -> bool:
        """Everything written is in the file already."""
        self.requests["flush"] += 1
        return True

    def close(self) -> None:
        os.close(self._fd)
