"""Reads zip archives, strictly: PKWARE APPNOTE 6.3.9, one disk, members stored or deflated. Nothing goes to the disk.

The archive must start with its first member and end with its directory; names must be plain relative paths, unique,
and the members must not overlap. The directory and each member's own header must agree. Refuses encryption and other
methods.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ..errors import ModelFormatError, UnsafeModelError
from .extent import Budget, Extent, from_buffer

SIGNATURE = b"PK\x03\x04"
_MAX_MEMBERS = 10_000
_PIECE = 1 << 20
_WIDE, _WIDER = 0xFFFFFFFF, 0xFFFF


@dataclass
class _Member:
    """One line of the directory."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    limit: int = 0  # where the next member or the directory begins


class Archive:
    """A zip archive; `names` are its members in the order of the directory."""

    def __init__(self, extent: Extent, budget: Budget) -> None:
        self.extent, self.budget, self.name = extent, budget, extent.name
        try:
            self._members = self._read_directory()
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ModelFormatError(f"{self.name}: damaged zip directory ({error}).") from error

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def member(self, name: str, max_bytes: int | None = None) -> Extent:
        """The contents of a member, checksum verified. A stored member is a part of the file."""
        if name not in self._members:
            raise ModelFormatError(f"{self.name}: has no member {name!r}; members: {self.names[:20]}.")
        line, where = self._members[name], f"{self.name}: {name}"
        if max_bytes is not None and line.size > max_bytes:
            raise ModelFormatError(f"{where}: has {line.size} bytes, more than {max_bytes} are not read.")
        if line.flags & 1:
            raise ModelFormatError(f"{where}: is encrypted.")
        if line.method not in (0, 8):
            raise ModelFormatError(
                f"{where}: zip method {line.method} is not supported, only stored and deflate."
            )
        start = self._data_start(line)
        if start + line.packed > line.limit:
            raise UnsafeModelError(f"{where}: overlaps the member after it.")
        member = self.extent.part(where, start, line.packed)
        if line.method == 8:
            self.budget.spend("expanded", line.size, where)
            member = from_buffer(where, _inflated(member, line.size))
        elif line.packed != line.size:
            raise ModelFormatError(f"{where}: a stored member with two sizes.")
        else:
            self.budget.spend("stored", line.size, where)
        crc = 0
        for at in range(0, member.size, _PIECE):
            crc = zlib.crc32(member.read(at, min(_PIECE, member.size - at)), crc)
        if crc != line.crc:
            raise ModelFormatError(f"{where}: its checksum is wrong; the file is damaged.")
        return member

    def _data_start(self, line: _Member) -> int:
        head = self.extent.read(line.header, 30)
        flags, method, crc, packed, size, name_size, extra_size = struct.unpack_from("<2H4x3I2H", head, 6)
        name = self.extent.read(line.header + 30, name_size)
        agrees = head[:4] == SIGNATURE and not (flags ^ line.flags) & 1 and method == line.method
        if agrees and not flags & 8:  # else its checksum and sizes follow its data
            agrees = crc == line.crc and packed in (line.packed, _WIDE) and size in (line.size, _WIDE)
        if not agrees:
            raise ModelFormatError(
                f"{self.name}: {line.name}: the archive's directory and the member disagree."
            )
        if _decode(name, flags) != line.name:
            raise ModelFormatError(f"{self.name}: {line.name}: the member itself has another name.")
        return line.header + 30 + name_size + extra_size

    # The directory at the end of the archive.

    def _read_directory(self) -> dict[str, _Member]:
        if self.extent.size < 22 or self.extent.read(0, 4) != SIGNATURE:
            raise ModelFormatError(f"{self.name}: not a zip archive, or with other data before it.")
        count, size, start, end = self._read_end()
        if count > _MAX_MEMBERS:
            raise ModelFormatError(f"{self.name}: {count} members, more than {_MAX_MEMBERS} are not read.")
        if start + size != end:
            raise ModelFormatError(f"{self.name}: data between the zip directory and its end.")
        self.budget.spend("structure", size, self.name)
        directory, at = self.extent.read(start, size), 0
        members: dict[str, _Member] = {}
        for _ in range(count):
            line, at = self._read_line(directory, at)
            if line.name in members:
                raise ModelFormatError(f"{self.name}: two members are called {line.name[:200]!r}.")
            members[line.name] = line
        if at != size:
            raise ModelFormatError(f"{self.name}: damaged zip directory.")
        self._check_places(members, start)
        return members

    def _read_end(self) -> tuple[int, int, int, int]:
        """Number of members, size and start of the directory, and where the records of its end begin."""
        tail_size = min(self.extent.size, 22 + _WIDER)
        tail = self.extent.read(self.extent.size - tail_size, tail_size)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0:
            raise ModelFormatError(f"{self.name}: the zip archive has no end; it is cut short.")
        disk, first, here, count, size, start, comment = struct.unpack_from("<4H2IH", tail, at + 4)
        if at + 22 + comment != tail_size:
            raise ModelFormatError(f"{self.name}: data after the end of the zip archive.")
        end = self.extent.size - tail_size + at
        if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            end = struct.unpack_from("<Q", tail, at - 12)[0]
            record = self.extent.read(end, 56)
            disk, first, here, count, size, start = struct.unpack_from("<2I4Q", record, 16)
            if record[:4] != b"PK\x06\x06":
                raise ModelFormatError(f"{self.name}: damaged end of the zip archive.")
        if disk or first or here != count:
            raise ModelFormatError(f"{self.name}: zip archives in several parts are not read.")
        return count, size, start, end

    def _read_line(self, directory: bytes, at: int) -> tuple[_Member, int]:
        if directory[at : at + 4] != b"PK\x01\x02":
            raise ModelFormatError(f"{self.name}: damaged zip directory.")
        flags, method = struct.unpack_from("<2H", directory, at + 8)
        crc, packed, size, name_size, extra_size, comment = struct.unpack_from("<3I3H", directory, at + 16)
        mode, header = struct.unpack_from("<2I", directory, at + 38)
        at += 46
        name = _decode(directory[at : at + name_size], flags)
        extra = directory[at + name_size : at + name_size + extra_size]
        while len(extra) >= 4:
            kind, length = struct.unpack_from("<HH", extra)
            if kind == 1:
                wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, 4))
                size = next(wide, -1) if size == _WIDE else size
                packed = next(wide, -1) if packed == _WIDE else packed
                header = next(wide, -1) if header == _WIDE else header
            extra = extra[4 + length :]
        parts = name.rstrip("/").replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0] or not name:
            raise UnsafeModelError(f"{self.name}: a member's name leads out of the archive: {name[:200]!r}.")
        if (mode >> 16) & 0o170000 == 0o120000:
            raise UnsafeModelError(f"{self.name}: member {name[:200]!r} is a symbolic link.")
        return _Member(name, flags, method, crc, packed, size, header), at + name_size + extra_size + comment

    def _check_places(self, members: dict[str, _Member], directory: int) -> None:
        """Members lie one after the other before the directory."""
        limit = directory
        for line in sorted(members.values(), key=lambda line: -line.header):
            line.limit = limit
            if min(line.header, line.packed, line.size) < 0 or line.header + 30 + line.packed > limit:
                raise UnsafeModelError(
                    f"{self.name}: member {line.name[:200]!r} overlaps what comes after it."
                )
            limit = line.header


def _inflated(stored: Extent, size: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        made = inflater.decompress(stored.read(0, stored.size), size + 1)
    except zlib.error as error:
        raise ModelFormatError(f"{stored.name}: damaged compressed data ({error}).") from error
    if len(made) != size or not inflater.eof:
        raise ModelFormatError(f"{stored.name}: does not have the {size} bytes that it says.")
    return made


def _decode(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & 0x800 else "cp437")
