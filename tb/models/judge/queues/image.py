"""Bytes as somebody has written them to some places of a memory."""

from __future__ import annotations

_BITS = 12
_PAGE = 1 << _BITS


class Image:
    """What was written where, the last write counting; nothing is known of the rest.

    Each page touched holds its bytes, and a mask with 1 for each byte written.
    """

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, tuple[bytearray, bytearray]] = {}

    def write(self, address: int, data: bytes | memoryview) -> None:
        """`data` was written to `address`."""
        done = 0
        while done < len(data):
            place = address + done
            into = place & (_PAGE - 1)
            count = min(len(data) - done, _PAGE - into)
            content, mask = self._page(place >> _BITS)
            content[into : into + count] = data[done : done + count]
            mask[into : into + count] = b"\1" * count
            done += count

    def _page(self, number: int) -> tuple[bytearray, bytearray]:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(_PAGE), bytearray(_PAGE)
        return page

    def forget(self, address: int, count: int) -> None:
        """`count` bytes from `address` on, in one page, are unknown again."""
        into = address & (_PAGE - 1)
        self._page(address >> _BITS)[1][into : into + count] = bytes(count)

    def read(self, address: int, count: int) -> bytes | None:
        """The bytes there, None when not all of them were written."""
        out = bytearray()
        while len(out) < count:
            place = address + len(out)
            into = place & (_PAGE - 1)
            part = min(count - len(out), _PAGE - into)
            content, mask = self._pages.get(place >> _BITS, _NOTHING)
            if 0 in mask[into : into + part]:
                return None
            out += content[into : into + part]
        return bytes(out)

    def missing(self, wanted: Image) -> int | None:
        """The first address that `wanted` has and this has not, None when there is none."""
        for number, (_, mask) in sorted(wanted._pages.items()):
            have = self._pages.get(number, _NOTHING)[1]
            if not int.from_bytes(mask, "little") & ~int.from_bytes(have, "little"):
                continue
            for place, bit in enumerate(mask):
                if bit and not have[place]:
                    return (number << _BITS) + place
        return None

    def difference(self, wanted: Image) -> tuple[int, bytes, bytes] | None:
        """The first address where both have a byte and not the same, and 16 bytes of each from there on."""
        for number, (content, mask) in sorted(wanted._pages.items()):
            have = self._pages.get(number, _NOTHING)
            if content == have[0]:
                continue
            for place, bit in enumerate(mask):
                if bit and have[1][place] and content[place] != have[0][place]:
                    cut = slice(place, place + 16)
                    return (number << _BITS) + place, bytes(content[cut]), bytes(have[0][cut])
        return None


_NOTHING = (bytearray(_PAGE), bytearray(_PAGE))
