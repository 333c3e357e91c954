"""Arrays of an HDF5 file: their shapes, types and stored forms (compact, contiguous, chunked with deflate and shuffle).

A dataset is described first and read only when the caller names the shape that it must have. Numbers come out as
float32; float16, bfloat16 and float64 are converted. What a chunk may hold follows from the dataset's shape, never
from the chunk.
"""

from __future__ import annotations

import contextlib
import math
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import ModelFormatError, UnsafeModelError
from .extent import Budget, Extent

UNDEFINED = 0xFFFFFFFFFFFFFFFF  # the address of what is not stored
_MAX_RANK = 8
_FLOATS = {  # bytes, precision, exponent bits, mantissa bits, bias
    (2, 16, 5, 10, 15): "f2",
    (4, 32, 8, 23, 127): "f4",
    (8, 64, 11, 52, 1023): "f8",
    (2, 16, 8, 7, 127): "bfloat16",
}
_FILTERS = {1: "deflate", 2: "shuffle"}


@contextlib.contextmanager
def told_as(where: str) -> Iterator[None]:
    """Turn what damaged bytes cause into ModelFormatError that names file and key."""
    try:
        yield
    except ModelFormatError:
        raise
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, zlib.error) as error:
        raise ModelFormatError(f"{where}: damaged HDF5 structure ({error}).") from error


def parse_dataspace(body: bytes) -> tuple[int, ...] | None:
    """The shape; None for HDF5's empty dataspace."""
    version, rank = body[0], body[1]
    if version not in (1, 2):
        raise ModelFormatError(f"dataspace version {version} is not supported")
    if version == 2 and body[3] == 2:
        return None
    if rank > _MAX_RANK:
        raise ModelFormatError(f"an array of {rank} dimensions is not a weight")
    return struct.unpack_from(f"<{rank}Q", body, 8 if version == 1 else 4)


def parse_type(body: bytes, where: str, opaque: Callable[[], list[str] | None]) -> str:
    """A NumPy type code, or "bfloat16". `opaque` gives the note that h5py leaves beside opaque bfloat16 data."""
    kind, size = body[0] & 15, struct.unpack_from("<I", body, 4)[0]
    if kind == 1 and not body[1] & 64:
        _, precision, _, exponent, _, mantissa, bias = struct.unpack_from("<HHBBBBI", body, 8)
        code = _FLOATS.get((size, precision, exponent, mantissa, bias))
        if code == "bfloat16" and not body[1] & 1:
            return code
        if code and code != "bfloat16":
            return (">" if body[1] & 1 else "<") + code
    elif kind == 0 and size in (1, 2, 4, 8):
        return (">" if body[1] & 1 else "<") + ("i" if body[1] & 8 else "u") + str(size)
    elif kind == 5 and size == 2 and opaque() == ["bfloat16"]:
        return "bfloat16"
    names = {3: "strings", 6: "records", 7: "references", 8: "enumerated values", 9: "sequences"}
    raise ModelFormatError(
        f"{where}: expected floating point numbers, found {names.get(kind, 'another type')}."
    )


def to_float32(values: np.ndarray, code: str) -> np.ndarray:
    """float32 values of what is stored as `code`; `values` itself where nothing needs to change."""
    if code == "bfloat16":
        return (values.view("<u2").astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


class Dataset:
    """An array in the file: `shape`, and `read` for its values."""

    def __init__(
        self,
        extent: Extent,
        budget: Budget,
        where: str,
        shape: tuple[int, ...],
        code: str,
        layout: bytes,
        filters: bytes | None,
    ) -> None:
        self.shape, self.where, self.code = shape, where, code
        self._extent, self._budget, self._layout, self._filters = extent, budget, layout, filters
        self._stored = np.dtype("<u2" if code == "bfloat16" else code)

    @property
    def is_float(self) -> bool:
        """Whether the values are floating point numbers."""
        return self._stored.kind == "f" or self.code == "bfloat16"

    def read(self, shape: tuple[int, ...], integers: bool = False, what: str = "") -> np.ndarray:
        """The values as float32, read-only. Another shape than the configuration implies is an error before reading.

        `what` follows the array's place in messages about its shape and type.
        """
        if self.shape != tuple(shape):
            raise ModelFormatError(f"{self.where}{what}: expected shape {tuple(shape)}, got {self.shape}.")
        if not self.is_float and not integers:
            raise ModelFormatError(f"{self.where}{what}: expected floating point numbers, found integers.")
        count = math.prod(self.shape)
        self._budget.spend("weights", 4 * count, self.where)
        with told_as(self.where):
            values = self._read(count)
        if self._stored != np.dtype("<f4"):
            self._budget.spend("expanded", 4 * count, self.where)
        made = to_float32(values, self.code).reshape(self.shape)
        made.flags.writeable = False
        return made

    def _read(self, count: int) -> np.ndarray:
        layout = self._layout
        version, kind = layout[0], layout[1]
        if kind == 3 and version == 4:
            raise UnsafeModelError(f"{self.where}: a virtual array refers to other data; it is not read.")
        if version not in (3, 4) or kind > 2 or (kind == 2 and version == 4):
            raise ModelFormatError(f"{self.where}: this form of HDF5 storage is not supported.")
        need = count * self._stored.itemsize
        if kind == 2:
            return self._read_chunks(count)
        if self._filters is not None:
            raise ModelFormatError(f"{self.where}: filters on data without chunks.")
        if kind == 0:
            size = struct.unpack_from("<H", layout, 2)[0]
            return self._values(layout[4 : 4 + size], need)
        address, size = struct.unpack_from("<QQ", layout, 2)
        if need == 0:
            return np.empty(0, self._stored)
        if address == UNDEFINED or size < need:
            raise ModelFormatError(f"{self.where}: {need} bytes are declared, {size} are stored.")
        self._budget.spend("stored", need, self.where)
        return self._extent.array(address, self._stored, count)

    def _values(self, data: bytes, need: int) -> np.ndarray:
        if len(data) < need:
            raise ModelFormatError(f"{self.where}: {need} bytes are declared, {len(data)} are stored.")
        return np.frombuffer(data, self._stored, need // self._stored.itemsize)

    # Chunks: a tree of (stored size, filter mask, position) -> address.

    def _read_chunks(self, count: int) -> np.ndarray:
        rank = self._layout[2] - 1
        root, *sides = struct.unpack_from(f"<Q{rank + 1}I", self._layout, 3)
        item = self._stored.itemsize
        if rank != len(self.shape) or rank == 0 or sides.pop() != item or 0 in sides:
            raise ModelFormatError(f"{self.where}: its chunks do not fit its shape.")
        chunk_bytes = math.prod(sides) * item
        if chunk_bytes > 4 * count * item + 65536:
            raise ModelFormatError(f"{self.where}: its chunks are larger than the array.")
        filters = self._parse_filters()
        missing = math.prod(-(-n // side) for n, side in zip(self.shape, sides, strict=True))
        self._budget.spend("expanded", count * item, self.where)
        made = np.empty(self.shape, self._stored)
        seen = set()
        for size, mask, position, address in self._chunks(root, rank):
            axes = list(zip(position, sides, self.shape, strict=True))
            if position in seen or mask or any(p % side or p >= n for p, side, n in axes):
                raise ModelFormatError(f"{self.where}: a chunk is out of place.")
            seen.add(position)
            self._budget.spend("stored", size, self.where)
            self._budget.spend("expanded", chunk_bytes, self.where)
            data = _unfilter(self._extent.read(address, size), filters, chunk_bytes, item)
            if len(data) != chunk_bytes:
                raise ModelFormatError(f"{self.where}: a chunk holds {len(data)} bytes, not {chunk_bytes}.")
            place = tuple(slice(p, min(p + side, n)) for p, side, n in axes)
            inside = tuple(slice(0, part.stop - part.start) for part in place)
            made[place] = np.frombuffer(data, self._stored).reshape(sides)[inside]
        if len(seen) != missing:
            raise ModelFormatError(f"{self.where}: {missing - len(seen)} of {missing} chunks are not stored.")
        return made.ravel()

    def _chunks(self, root: int, rank: int) -> Iterator[tuple[int, int, tuple[int, ...], int]]:
        key = 16 + 8 * rank
        nodes = [] if root == UNDEFINED else [root]
        while nodes:
            at = nodes.pop()
            head = self._read_structure(at, 24)
            if head[:5] != b"TREE\x01":
                raise ModelFormatError(f"{self.where}: no chunk index at byte {at}.")
            level, entries = struct.unpack_from("<BH", head, 5)
            body = self._read_structure(at + 24, entries * (key + 8))
            for i in range(entries):
                size, mask, *position, _, address = struct.unpack_from(
                    f"<II{rank + 1}QQ", body, i * (key + 8)
                )
                if level:
                    nodes.append(address)
                else:
                    yield size, mask, tuple(position), address

    def _read_structure(self, address: int, length: int) -> bytes:
        self._budget.spend("structure", length, self.where)
        return self._extent.read(address, length)

    def _parse_filters(self) -> list[int]:
        if self._filters is None:
            return []
        version, count = self._filters[0], self._filters[1]
        if version not in (1, 2):
            raise ModelFormatError(f"{self.where}: filters of version {version} are not supported.")
        at, found = (8 if version == 1 else 2), []
        for _ in range(count):
            number = struct.unpack_from("<H", self._filters, at)[0]
            if number not in _FILTERS:
                raise ModelFormatError(
                    f"{self.where}: HDF5 filter {number} is not supported, only {_FILTERS}."
                )
            if number in found:  # each pass takes time that no budget is charged with
                raise ModelFormatError(f"{self.where}: HDF5 filter {number} is listed twice.")
            found.append(number)
            if version == 1:  # with the length of a name, and both name and values padded to 8 bytes
                name, _, values = struct.unpack_from("<3H", self._filters, at + 2)
                at += 8 + (name + 7) // 8 * 8 + 4 * (values + values % 2)
            else:
                values = struct.unpack_from("<H", self._filters, at + 4)[0]
                at += 6 + 4 * values
        return found


def _unfilter(data: bytes, filters: list[int], size: int, item: int) -> bytes:
    for number in reversed(filters):
        if number == 1:
            data = zlib.decompressobj().decompress(data, size + 1)
        else:
            data = np.frombuffer(data, np.uint8).reshape(item, -1).T.tobytes()
    return data
