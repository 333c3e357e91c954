"""Runs of stored bytes: a whole file, a buffer, or a part of either, and what reading them may cost.

A path is opened once and read by position through that one descriptor, never mapped: a file that is cut short while
it is read gives an error, not a signal. Only regular files are opened. Everything that a reader takes from an
`Extent` is bounds checked and charged to a `Budget`, so that a small file can make neither long work nor large
memory.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments
from ..errors import ModelFormatError

DEFAULT_MAX_BYTES = 2 << 30
_SMALL = 1 << 20
Reader = Callable[[int, int], bytes]  # (position, length) -> bytes


class Budget:
    """What loading one file may cost, by its stored size: `spend` raises when a kind of cost runs out.

    structure  bytes of links, headers and names: sound files hold each of them once
    stored     bytes of weights read from the file: each weight is stored once, and a checksum reads it once more
    expanded   bytes that leave a decompressor or a conversion to float32
    weights    bytes of all weights together
    """

    def __init__(self, stored_bytes: int, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._left = {
            "structure": 3 * stored_bytes + _SMALL,
            "stored": 4 * stored_bytes + _SMALL,
            "expanded": min(100 * stored_bytes + 64 * _SMALL, 8 * max_bytes),
            "weights": max_bytes,
        }

    def spend(self, kind: str, amount: int, where: str) -> None:
        """Take `amount` bytes of `kind`; ModelFormatError when less is left."""
        if amount > self._left[kind]:
            raise ModelFormatError(f"{where}: {_OVERSPENT[kind]}")
        self._left[kind] -= amount


_OVERSPENT = {
    "structure": "the file's structures refer to the same bytes over and over, or are larger than the file.",
    "stored": "the file's weights overlap: more bytes are asked for than it holds.",
    "expanded": "the data expands to far more than the stored bytes.",
    "weights": "the weights are larger than `max_bytes`; raise it if that is intended.",
}


class Extent:
    """`size` bytes from `start` on: of a buffer, or of what `reader(position, length)` reads."""

    def __init__(
        self, name: str, start: int, size: int, reader: Reader | None = None, buffer: memoryview | None = None
    ) -> None:
        self.name, self.size = name, size
        self._start, self._reader, self._buffer = start, reader, buffer

    def read(self, offset: int, length: int) -> bytes:
        """Bytes offset .. offset + length, all of them or ModelFormatError."""
        if length < 0 or offset < 0 or offset + length > self.size:
            raise ModelFormatError(
                f"{self.name}: bytes {offset} to {offset + length} lie outside its {self.size} bytes; "
                "the file is cut short or damaged."
            )
        at = self._start + offset
        if self._reader is None:
            assert self._buffer is not None
            return self._buffer[at : at + length].tobytes()
        data = self._reader(at, length)
        if len(data) != length:
            raise ModelFormatError(f"{self.name}: the file became shorter while it was read.")
        return data

    def array(self, offset: int, dtype: np.dtype, count: int) -> np.ndarray:
        """`count` values at `offset`, read-only: a view of a buffer where it is aligned, else read now."""
        if self._buffer is not None and offset >= 0 and offset + count * dtype.itemsize <= self.size:
            values = np.frombuffer(self._buffer, dtype, count, self._start + offset)
            if values.flags.aligned:
                values.flags.writeable = False
                return values
        return np.frombuffer(self.read(offset, count * dtype.itemsize), dtype, count)

    def part(self, name: str, offset: int, size: int) -> Extent:
        """The `size` bytes at `offset` as an extent of their own."""
        if size < 0 or offset < 0 or offset + size > self.size:
            raise ModelFormatError(f"{name}: lies outside its file; the file is cut short or damaged.")
        return Extent(name, self._start + offset, size, self._reader, self._buffer)


class _OpenFile:
    """A descriptor that is closed with its last extent."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def read(self, position: int, length: int) -> bytes:
        if not hasattr(os, "pread"):
            os.lseek(self.descriptor, position, os.SEEK_SET)
            return os.read(self.descriptor, length)
        pieces = []
        while length > 0:
            piece = os.pread(self.descriptor, min(length, 1 << 30), position)
            if not piece:
                break
            pieces.append(piece)
            position += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __del__(self) -> None:
        os.close(self.descriptor)


def _open_path(path: str) -> Extent:
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    file = _OpenFile(os.open(path, flags))
    facts = os.fstat(file.descriptor)
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError(f"{path!r} is a directory, not a model file.{_advice(path)}")
    if not stat.S_ISREG(facts.st_mode):
        raise ModelFormatError(f"{path!r} is not a regular file.")
    return Extent(path, 0, facts.st_size, reader=file.read)


def _advice(folder: str) -> str:
    if os.path.exists(os.path.join(folder, "saved_model.pb")):
        return " It is a TensorFlow SavedModel: open it with TensorFlow once, and save it as a .keras file."
    if os.path.exists(os.path.join(folder, "config.json")):
        return " Save the model with zipped=True, or put its files into a zip, config.json at the top."
    return ""


def from_buffer(name: str, data: bytes | bytearray | memoryview) -> Extent:
    """An extent over bytes in memory; they are not copied and must not change while in use."""
    view = memoryview(data).cast("B")
    return Extent(name, 0, len(view), buffer=view)


def _read_to_end(name: str, source: Any, most: int, starts: tuple[bytes, ...]) -> bytearray:
    """The rest of a file object, whose read() may give less than asked; 1 MiB where it begins with none of `starts`.

    Raises ModelFormatError for more than `most` bytes.
    """
    made = bytearray()
    while True:
        piece = source.read(_SMALL)
        if not isinstance(piece, bytes):
            raise TypeError(
                "`filepath` must be opened in binary mode, 'rb'. Received: an object whose read() gave "
                f"{type(piece).__name__}."
            )
        if not piece:
            return made
        made += piece
        if len(made) > most:
            raise ModelFormatError(
                f"{name}: holds more than {most} bytes; raise `max_bytes` if that is intended."
            )
        if len(made) >= _SMALL and not made.startswith(starts):
            return made


def open_source(source: Any, max_bytes: int, starts: tuple[bytes, ...]) -> Extent:
    """Open a path, bytes, or a binary file object.

    That is read from where it stands to its end, which some devices do not have: only where it begins with one of
    `starts`, each of at most 8 bytes.
    """
    if isinstance(source, (str, os.PathLike)):
        extent = _open_path(arguments.path("filepath", source))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        extent = from_buffer("<bytes>", source)
    elif isinstance(source, io.TextIOBase):
        raise TypeError("`filepath` must be opened in binary mode, 'rb'. Received: a file opened as text.")
    elif hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "<file object>"
        extent = from_buffer(name, _read_to_end(name, source, 8 * max_bytes, starts))
    else:
        raise TypeError(
            f"`filepath` must be a path, bytes or a binary file object. Received: {arguments.shown(source)}."
        )
    if extent.size == 0:
        raise ModelFormatError(f"{extent.name}: the file is empty.")
    return extent
