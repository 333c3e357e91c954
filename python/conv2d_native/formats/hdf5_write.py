"""Writes the HDF5 that Keras reads back: groups, contiguous arrays, attributes of one string.

After the HDF5 File Format Specification 3.0, in the oldest form (superblock 0, version 1 headers) so that every libhdf5
opens it. A tree of groups is a dict from names to dicts (groups) and arrays (float32 or int32); a group's string
attributes are under the key ATTRIBUTES. Arrays are written from where they stand, without another copy.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from .hdf5 import SIGNATURE
from .hdf5_data import UNDEFINED

ATTRIBUTES = object()  # the key under which a group holds {name: text}
_LEAF_ENTRIES, _TREE_ENTRIES = 8, 32  # twice the K of the superblock
_TYPES = {
    "<f4": struct.pack("<4BIHHBBBBI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127),
    "<i4": struct.pack("<4BIHH", 0x10, 0x08, 0, 0, 4, 0, 32),
}


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


def _message(kind: int, body: bytes) -> bytes:
    body = _padded(body)
    return struct.pack("<HHB3x", kind, len(body), 0) + body


def _dataspace(shape: Sequence[int]) -> bytes:
    return struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)


def _attribute(name: str, text: str) -> bytes:
    label, value = name.encode() + b"\0", text.encode() or b"\0"
    kind = struct.pack("<4BI", 0x13, 0x10, 0, 0, len(value))  # a string of fixed length, UTF-8
    head = struct.pack("<BxHHH", 1, len(label), len(kind), 8)
    return _message(12, head + _padded(label) + kind + _dataspace(()) + value)


class _Writer:
    """Pieces of the file in order; every piece starts at a multiple of 8."""

    def __init__(self) -> None:
        self.pieces: list[bytes | np.ndarray] = [b"\0" * 96]
        self.end = 96

    def place(self, piece: bytes | np.ndarray) -> int:
        address = self.end
        size = piece.nbytes if isinstance(piece, np.ndarray) else len(piece)
        self.pieces += [piece, b"\0" * (-size % 8)]
        self.end += size + (-size % 8)
        return address

    def header(self, messages: list[bytes]) -> int:
        body = b"".join(messages)
        return self.place(struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body)

    def array(self, values: np.ndarray) -> int:
        kind = "<i4" if values.dtype.kind == "i" else "<f4"
        values = np.ascontiguousarray(values, kind).reshape(values.shape)
        address = self.place(values) if values.nbytes else UNDEFINED
        layout = struct.pack("<BBQQ", 3, 1, address, values.nbytes)
        fill = struct.pack("<4B", 2, 2, 2, 0)
        messages = [(1, _dataspace(values.shape)), (3, _TYPES[kind]), (5, fill), (8, layout)]
        return self.header([_message(kind, body) for kind, body in messages])

    def group(self, tree: dict[Any, Any]) -> tuple[int, int, int]:
        """Address of the group's header, of its tree of names and of its heap."""
        names = sorted((name for name in tree if name is not ATTRIBUTES), key=str.encode)
        entries = []
        for name in names:
            child = tree[name]
            if isinstance(child, dict):
                header, *cache = self.group(child)
                entries.append((header, struct.pack("<II2Q", 1, 0, *cache)))
            else:
                entries.append((self.array(np.asarray(child)), bytes(24)))
        heap_data, offsets = b"\0" * 8, []
        for name in names:
            offsets.append(len(heap_data))
            heap_data += _padded(name.encode() + b"\0")
        heap_data += struct.pack("<QQ", 1, 16)  # the rest is free: no further block, 16 bytes
        free, data = len(heap_data) - 16, self.place(heap_data)
        heap = self.place(struct.pack("<4sB3x3Q", b"HEAP", 0, len(heap_data), free, data))
        root = self.tree(entries, offsets)
        attributes = [_attribute(name, text) for name, text in tree.get(ATTRIBUTES, {}).items()]
        header = self.header([_message(17, struct.pack("<QQ", root, heap)), *attributes])
        return header, root, heap

    def tree(self, entries: list[tuple[int, bytes]], offsets: list[int]) -> int:
        """The balanced tree over a group's entries, from its leaves up; returns the root's address."""
        level: list[tuple[int, int]] = []  # (address, heap offset of the last name below)
        for start in range(0, len(entries), _LEAF_ENTRIES):
            part = range(start, min(start + _LEAF_ENTRIES, len(entries)))
            body = b"".join(struct.pack("<QQ", offsets[i], entries[i][0]) + entries[i][1] for i in part)
            head = struct.pack("<4sBxH", b"SNOD", 1, len(part))
            level.append((self.place(head + body.ljust(40 * _LEAF_ENTRIES, b"\0")), offsets[part[-1]]))
        depth = 0
        while True:
            above: list[tuple[int, int]] = []
            count = max(1, -(-len(level) // _TREE_ENTRIES))
            start = self.end
            size = 24 + 8 * (2 * _TREE_ENTRIES + 1)
            for number in range(count):
                below = level[number * _TREE_ENTRIES : (number + 1) * _TREE_ENTRIES]
                first = level[number * _TREE_ENTRIES - 1][1] if number else 0
                left = start + (number - 1) * size if number else UNDEFINED
                right = start + (number + 1) * size if number + 1 < count else UNDEFINED
                head = struct.pack("<4sBBHQQ", b"TREE", 0, depth, len(below), left, right)
                keys = struct.pack("<Q", first) + b"".join(struct.pack("<QQ", *child) for child in below)
                above.append((self.place((head + keys).ljust(size, b"\0")), below[-1][1] if below else 0))
            level, depth = above, depth + 1
            if len(level) == 1:
                return level[0][0]


def write_hdf5(target: BinaryIO, tree: dict[Any, Any]) -> None:
    """Write the groups and arrays of `tree` to a binary file object."""
    writer = _Writer()
    header, root, heap = writer.group(tree)
    block = struct.pack("<8s4xBBBxHHI", SIGNATURE, 0, 8, 8, _LEAF_ENTRIES // 2, _TREE_ENTRIES // 2, 0)
    block += struct.pack("<4Q", 0, UNDEFINED, writer.end, UNDEFINED)
    writer.pieces[0] = block + struct.pack("<QQII2Q", 0, header, 1, 0, root, heap)
    for piece in writer.pieces:
        target.write(piece.reshape(-1).view(np.uint8).data if isinstance(piece, np.ndarray) else piece)
