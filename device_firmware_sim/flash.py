"""Flash memory as files: byte limits, two model slots, records that survive a cut at any write.

One device owns one folder. A `Supply` stands for its power: tests give it a number of writes, after
which it fails in the middle of the next one. What is promised under that: a `Record` reads as its
old or its new value, never as a mix, because the page that holds the newest value is never touched.
Files are opened per access, so that a thousand devices hold no descriptors.
"""

from __future__ import annotations

import zlib
from pathlib import Path

ERASED = b"\xff"
_MAGIC = b"TFR1"
_HEADER_BYTES = 12
_CRC_BYTES = 4
RECORD_OVERHEAD_BYTES = _HEADER_BYTES + _CRC_BYTES


class FlashError(Exception):
    """An access outside a region: the data is too large for it."""


class PowerCut(Exception):
    """Power failed during a write; whatever ran is gone, only flash remains."""


class Supply:
    """The device's power. Without `writes` it never fails.

    After `writes` erasures and programmings the next one is torn: the fraction `torn` of it takes
    effect, then PowerCut is raised. Every write after that is refused: the device is off.
    """

    def __init__(self, writes: int | None = None, torn: float = 0.0) -> None:
        self.writes_left = writes
        self.torn = torn
        self.used = 0

    def draw(self, size: int) -> int:
        """How many of `size` bytes this write completes; fewer than `size` is a cut."""
        self.used += 1
        if self.writes_left is None:
            return size
        self.writes_left -= 1
        if self.writes_left >= 0:
            return size
        return int(size * self.torn) if self.writes_left == -1 else 0

    def is_cut(self) -> bool:
        """Whether power has failed."""
        return self.writes_left is not None and self.writes_left < 0


class Region:
    """A part of flash with its own limit, in one file. What was never written reads as 0xff."""

    def __init__(self, path: Path, limit_bytes: int, supply: Supply) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self._supply = supply

    def erase(self) -> None:
        """All bytes back to 0xff. A torn erasure leaves the region erased from its start on."""
        present = self.path.stat().st_size if self.path.exists() else 0
        done = self._supply.draw(present)
        if self._supply.is_cut():
            if done:
                self._put(0, ERASED * done)
            raise PowerCut(f"while {self.path.name} was being erased")
        with self.path.open("wb"):
            pass

    def program(self, offset: int, data: bytes) -> None:
        """Write `data` at `offset`, or FlashError where it does not fit."""
        if offset < 0 or offset + len(data) > self.limit_bytes:
            raise FlashError(
                f"{self.path.name}: {len(data)} bytes at {offset} exceed {self.limit_bytes}"
            )
        done = self._supply.draw(len(data))
        self._put(offset, data[:done])
        if self._supply.is_cut():
            raise PowerCut(f"while {self.path.name} was being written")

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `offset`; without a size, what has been written."""
        if not self.path.exists():
            return ERASED * (size or 0)
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(self.limit_bytes if size is None else size)
        return data if size is None else data.ljust(size, ERASED)

    def _put(self, offset: int, data: bytes) -> None:
        mode = "r+b" if self.path.exists() else "w+b"
        with self.path.open(mode) as file:
            end = file.seek(0, 2)
            if offset > end:
                file.write(ERASED * (offset - end))
            file.seek(offset)
            file.write(data)


class Record:
    """A value that is replaced as a whole: two pages, written in turn, each with counter and CRC.

    A page is magic, counter and length (4 bytes each, big-endian), the value, and the CRC-32 of all
    of that. The newest whole page counts.
    """

    def __init__(self, folder: Path, name: str, page_bytes: int, supply: Supply) -> None:
        self.limit_bytes = page_bytes - RECORD_OVERHEAD_BYTES
        self._pages = tuple(
            Region(folder / f"{name}-{index}", page_bytes, supply) for index in (0, 1)
        )

    def load(self) -> bytes | None:
        """The newest whole value; None where none was ever completed."""
        newest = max(self._read_pages(), default=None)
        return None if newest is None else newest[2]

    def store(self, value: bytes) -> None:
        """Replace the value, or FlashError before anything is touched."""
        if len(value) > self.limit_bytes:
            raise FlashError(f"a record of {len(value)} bytes exceeds {self.limit_bytes}")
        counter, index, _ = max(self._read_pages(), default=(0, 1, b""))
        head = _MAGIC + (counter + 1).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body = head + value
        page = self._pages[1 - index]
        page.erase()
        page.program(0, body + zlib.crc32(body).to_bytes(_CRC_BYTES, "big"))

    def _read_pages(self) -> list[tuple[int, int, bytes]]:
        found = []
        for index, page in enumerate(self._pages):
            whole = _read_page(page.read())
            if whole is not None:
                found.append((whole[0], index, whole[1]))
        return found


class Flash:
    """A device's flash: slots "slot-0" and "slot-1", a block journal, and three records."""

    def __init__(
        self, folder: Path, slot_bytes: int, record_bytes: int, supply: Supply | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        supply = supply or Supply()
        self.slots = tuple(Region(folder / f"slot-{i}", slot_bytes, supply) for i in (0, 1))
        self.journal = Region(folder / "journal", 64 + slot_bytes // 1024 + 1, supply)
        self.boot = Record(folder, "boot", 2048, supply)
        self.identity = Record(folder, "identity", 2048, supply)
        self.adapted = Record(folder, "adapted", record_bytes, supply)
        # Made from the identity whenever it is needed, for a library that reads files: no state.
        self.credential = folder / "credential.pem"


def _read_page(page: bytes) -> tuple[int, bytes] | None:
    if len(page) < RECORD_OVERHEAD_BYTES or page[:4] != _MAGIC:
        return None
    end = _HEADER_BYTES + int.from_bytes(page[8:12], "big")
    if end + _CRC_BYTES > len(page):
        return None
    if zlib.crc32(page[:end]) != int.from_bytes(page[end : end + _CRC_BYTES], "big"):
        return None
    return int.from_bytes(page[4:8], "big"), page[_HEADER_BYTES:end]
