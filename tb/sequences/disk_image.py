"""The disk image behind a block function, as a file: the packaged one, and what a part of it must hash to."""

from __future__ import annotations

import hashlib
import lzma
import os
import tempfile
from pathlib import Path

PACKED_IMAGE = Path(__file__).resolve().parents[2] / "tests" / "data" / "small.ext4.xz"
SECTOR = 512
_CHUNK = 1 << 20


def unpack_image(folder: Path, packed: Path = PACKED_IMAGE) -> Path:
    """The packaged image as a plain file in `folder`, unpacked there if it is not yet.

    Several processes may call this at once: the file appears whole or not at all.
    """
    image = folder / packed.stem
    if image.exists():
        return image
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=image.name)
    with os.fdopen(handle, "wb") as file:
        file.write(lzma.decompress(packed.read_bytes()))
    Path(temporary).replace(image)
    return image


def image_sha256(image: Path, length: int) -> str:
    """SHA-256 of the first `length` bytes, in hex, read piece by piece. ValueError if there are fewer."""
    digest = hashlib.sha256()
    left = length
    with open(image, "rb") as file:
        while left > 0:
            piece = file.read(min(left, _CHUNK))
            if not piece:
                raise ValueError(f"{image.name} ends {left} bytes before {length}")
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()
