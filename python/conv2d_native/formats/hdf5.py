"""Reads the part of HDF5 that Keras and h5py write: groups, string attributes, arrays of floating point numbers.

After the HDF5 File Format Specification 3.0 (superblocks 0 to 3, object headers 1 and 2, symbol tables, compact
links, compact, contiguous and chunked data with deflate and shuffle). Written for files of unknown origin: every
read is bounds checked and charged to a budget, so that cycles and overlaps end in an error; only names that the
caller asks for are looked up. Refuses soft and external links, external and virtual storage, shared messages, dense
groups, other filters and types.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from ..errors import ModelFormatError, UnsafeModelError
from .extent import Budget, Extent
from .hdf5_data import UNDEFINED, Dataset, parse_dataspace, parse_type, told_as

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SPACE, _LINK_INFO, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 1, 2, 3, 6, 7, 8, 11, 12
_CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE_INFO = 16, 17, 21
_READ_KINDS = {_SPACE, _LINK_INFO, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE}
_READ_KINDS |= {_CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE_INFO}
_MAX_BLOCKS = 256
Messages = list[tuple[int, bytes]]


class Hdf5:
    """An HDF5 file. Paths are tuples of link names from the root, ("layers", "conv2d", "vars")."""

    def __init__(self, extent: Extent, budget: Budget) -> None:
        self.extent, self.budget, self.name = extent, budget, extent.name
        self._headers: dict[int, Messages] = {}
        self._tables: dict[tuple[int, int], dict[str, int | str]] = {}
        self._groups: dict[int, dict[str, int | str]] = {}
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._attributes: dict[int, dict[bytes, bytes]] = {}
        self._strings: dict[tuple[int, str], list[str] | None] = {}
        with told_as(self.name):
            self._root = self._read_superblock()

    # What a reader of models may ask.

    def names(self, path: tuple[str, ...]) -> list[str] | None:
        """Names of the links in the group at `path`; None where there is no such group."""
        with told_as(self._where(path)):
            address = self._find(path)
            return None if address is None else list(self._links(address))

    def exists(self, path: tuple[str, ...]) -> bool:
        """Whether links lead from the root to `path`."""
        with told_as(self._where(path)):
            return self._find(path) is not None

    def strings(self, path: tuple[str, ...], attribute: str) -> list[str] | None:
        """An attribute of the object at `path` as a list of strings, a scalar as a list of one."""
        with told_as(f"{self._where(path)}, attribute {attribute!r}"):
            address = self._find(path)
            if address is None:
                return None
            if (address, attribute) not in self._strings:
                self._strings[address, attribute] = self._attribute(address, attribute)
            return self._strings[address, attribute]

    def dataset(self, path: tuple[str, ...]) -> Dataset | None:
        """The array at `path`, described but not yet read; None where there is no such link."""
        where = self._where(path)
        with told_as(where):
            address = self._find(path)
            if address is None:
                return None
            messages = self._messages(address)
            kinds = {kind: body for kind, body in messages if kind not in {_LINK, _ATTRIBUTE}}
            if _EXTERNAL in kinds:
                raise UnsafeModelError(f"{where}: its data is stored in another file; it was not opened.")
            if not {_SPACE, _TYPE, _LAYOUT} <= kinds.keys():
                raise ModelFormatError(f"{where}: expected an array, found a group or another object.")
            shape = parse_dataspace(kinds[_SPACE])
            if shape is None:
                raise ModelFormatError(f"{where}: expected an array, found an empty dataspace.")
            dtype = parse_type(kinds[_TYPE], where, opaque=lambda: self._attribute(address, "dtype"))
            layout, filters = kinds[_LAYOUT], kinds.get(_FILTERS)
            return Dataset(self.extent, self.budget, where, shape, dtype, layout, filters)

    # Structure of the file.

    def _where(self, path: tuple[str, ...]) -> str:
        return f"{self.name}: '{shown_path(path) or '/'}'"

    def _read(self, address: int, length: int) -> bytes:
        self.budget.spend("structure", length, self.name)
        return self.extent.read(address, length)

    def _read_superblock(self) -> int:
        head = self._read(0, min(96, self.extent.size))
        if head[:8] != SIGNATURE:
            raise ModelFormatError(f"{self.name}: not an HDF5 file.")
        version = head[8]
        if version in (0, 1):
            sizes, at = head[13:15], 24 if version == 0 else 28
            base, _, end, _, _, root = struct.unpack_from("<6Q", head, at)
        elif version in (2, 3):
            sizes = head[9:11]
            base, _, end, root = struct.unpack_from("<4Q", head, 12)
        else:
            raise ModelFormatError(f"{self.name}: HDF5 superblock version {version} is not supported.")
        if sizes != b"\x08\x08" or base != 0:
            raise ModelFormatError(f"{self.name}: HDF5 files with odd address sizes are not supported.")
        if end > self.extent.size:
            raise ModelFormatError(
                f"{self.name}: says that it has {end} bytes, but {self.extent.size} are there; it is cut short."
            )
        return root

    def _find(self, path: tuple[str, ...]) -> int | None:
        address = self._root
        for depth, name in enumerate(path):
            target = self._links(address).get(name)
            if target is None:
                return None
            if isinstance(target, str):
                raise UnsafeModelError(
                    f"{self._where(path[: depth + 1])} is {target[:200]}; such links are not followed."
                )
            address = target
        return address

    def _messages(self, address: int) -> Messages:
        if address not in self._headers:
            self._headers[address] = list(self._parse_header(address))
        return self._headers[address]

    def _parse_header(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Kind and body of the messages of an object header."""
        head = self._read(address, 16)
        if head[:4] == b"OHDR":
            first, form, skip = self._first_block_of_version_2(address, head[5])
            left = -1
        elif head[0] == 1:
            left, size = struct.unpack_from("<2xH4xI", head)
            first, form, skip = (address + 16, size), "<HHB", 8
        else:
            raise ModelFormatError(f"{self.name}: no object header at byte {address}.")
        blocks = [first]
        for number, (start, size) in enumerate(blocks):
            data, at = self._read(start, size), 0
            if number and head[:4] == b"OHDR":
                if data[:4] != b"OCHK":
                    raise ModelFormatError(f"{self.name}: damaged object header at byte {address}.")
                data, at = data[:-4], 4
            while at + skip <= len(data) and left != 0:
                kind, length, flags = struct.unpack_from(form, data, at)
                body = data[at + skip : at + skip + length]
                at += skip + length
                left -= 1
                if len(body) < length:
                    raise ModelFormatError(f"{self.name}: damaged object header at byte {address}.")
                if flags & 2 and kind in _READ_KINDS - {_EXTERNAL}:
                    raise ModelFormatError(f"{self.name}: shared HDF5 header messages are not supported.")
                if kind == _CONTINUATION:
                    blocks.append(struct.unpack_from("<QQ", body))
                    if len(blocks) > _MAX_BLOCKS:
                        raise ModelFormatError(f"{self.name}: endless object header at byte {address}.")
                elif kind in _READ_KINDS:
                    yield kind, body

    def _first_block_of_version_2(self, address: int, flags: int) -> tuple[tuple[int, int], str, int]:
        """Place and size of the block, form of a message's head, bytes of it."""
        at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self._read(at, width), "little")
        return (at + width, size), "<BHB", 4 + (2 if flags & 4 else 0)

    def _links(self, address: int) -> dict[str, int | str]:
        """name -> address of the object, or the words for a link that is not followed."""
        if address not in self._groups:
            messages = self._messages(address)
            tables = [body for kind, body in messages if kind == _SYMBOL_TABLE]
            single = [_parse_link(body) for kind, body in messages if kind == _LINK]
            dense = [body for kind, body in messages if kind == _LINK_INFO and _is_dense(body, 10)]
            if len(tables) + bool(single) > 1 or len(dict(single)) != len(single):
                raise ModelFormatError(f"{self.name}: a group lists its links twice.")
            if dense:
                raise ModelFormatError(
                    f"{self.name}: groups in HDF5's dense storage are not read; "
                    "write the file with h5py's default, libver='earliest'."
                )
            table = self._symbol_table(*struct.unpack_from("<QQ", tables[0])) if tables else None
            self._groups[address] = dict(single) if table is None else table
        return self._groups[address]

    def _symbol_table(self, tree: int, heap: int) -> dict[str, int | str]:
        if (tree, heap) not in self._tables:
            head = self._read(heap, 32)
            if head[:4] != b"HEAP":
                raise ModelFormatError(f"{self.name}: no local heap at byte {heap}.")
            size, _, start = struct.unpack_from("<3Q", head, 8)
            names = self._read(start, size)
            links: dict[str, int | str] = {}
            nodes = [tree]
            while nodes:
                self._read_node(nodes.pop(), nodes, names, links)
            self._tables[tree, heap] = links
        return self._tables[tree, heap]

    def _read_node(self, at: int, nodes: list[int], names: bytes, links: dict[str, int | str]) -> None:
        """Take one node of a group's tree: children go to `nodes`, entries to `links`."""
        head = self._read(at, 8)
        count = struct.unpack_from("<H", head, 6)[0]
        if head[:5] == b"TREE\x00":
            body = self._read(at + 24, 16 * count + 8)
            nodes.extend(struct.unpack_from("<Q", body, 16 * i + 8)[0] for i in range(count))
            return
        if head[:4] != b"SNOD":
            raise ModelFormatError(f"{self.name}: no group node at byte {at}.")
        body = self._read(at + 8, 40 * count)
        for i in range(count):
            offset, address, cache, soft = struct.unpack_from("<QQI4xI", body, 40 * i)
            name = _text(names, offset)
            if name in links:
                raise ModelFormatError(f"{self.name}: two links are called {name[:200]!r}.")
            self.budget.spend("structure", len(name), self.name)
            links[name] = f"a soft link to {_text(names, soft)!r}" if cache == 2 else address

    # Attributes.

    def _attribute(self, address: int, wanted: str) -> list[str] | None:
        if address not in self._attributes:
            bodies = [body for kind, body in self._messages(address) if kind == _ATTRIBUTE]
            self._attributes[address] = {_attribute_parts(body)[0]: body for body in bodies}
        body = self._attributes[address].get(wanted.encode())
        if body is not None:
            return self._parse_strings(*_attribute_parts(body)[1:])
        if any(kind == _ATTRIBUTE_INFO and _is_dense(body, 4) for kind, body in self._messages(address)):
            raise ModelFormatError(f"{self.name}: attributes in HDF5's dense storage are not read.")
        return None

    def _parse_strings(self, kind: bytes, space: bytes, data: bytes) -> list[str]:
        shape = parse_dataspace(space)
        count = 0 if shape is None else math.prod(shape)
        if count == 0:
            return []
        width = struct.unpack_from("<I", kind, 4)[0]
        type_class = kind[0] & 15
        if count * width > len(data) or width == 0:
            raise ModelFormatError(f"{self.name}: an attribute is larger than its place.")
        pieces = [data[i * width : (i + 1) * width] for i in range(count)]
        if type_class == 9 and kind[1] & 15 == 1 and width == 16:
            pieces = [self._heap_string(*struct.unpack("<IQI", piece)) for piece in pieces]
        elif type_class != 3:
            raise ModelFormatError(f"{self.name}: expected strings in an attribute.")
        return [piece.split(b"\0")[0].decode("utf-8") for piece in pieces]

    def _heap_string(self, length: int, collection: int, index: int) -> bytes:
        if length == 0:
            return b""
        if collection not in self._heaps:
            head = self._read(collection, 16)
            if head[:4] != b"GCOL":
                raise ModelFormatError(f"{self.name}: no global heap at byte {collection}.")
            size = struct.unpack_from("<Q", head, 8)[0]
            data, at, objects = self._read(collection + 16, size - 16), 0, {}
            while at + 16 <= len(data):
                number, stored = struct.unpack_from("<H6xQ", data, at)
                if number == 0:
                    break
                objects[number] = data[at + 16 : at + 16 + stored]
                at += 16 + (stored + 7) // 8 * 8
            self._heaps[collection] = objects
        self.budget.spend("structure", length, self.name)
        text = self._heaps[collection][index][:length]
        if len(text) < length:
            raise ModelFormatError(f"{self.name}: a string in the global heap is cut short.")
        return text


def _text(names: bytes, offset: int) -> str:
    return names[offset : names.index(b"\0", offset)].decode("utf-8")


def shown_path(path: tuple[str, ...]) -> str:
    """A path for a message: its last parts, each cut to a readable length."""
    return "/".join(part[:60] for part in path[-8:])


def _is_dense(body: bytes, after_order: int) -> bool:
    """Whether an info message refers to a fractal heap; its address stands later where a creation order does."""
    return bool(struct.unpack_from("<Q", body, after_order if body[1] & 1 else 2)[0] != UNDEFINED)


def _attribute_parts(body: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Name, type, dataspace and value of an attribute message."""
    version = body[0]
    if version not in (1, 2, 3) or (version > 1 and body[1] & 3):
        raise ValueError("an attribute of a version that is not supported")
    at, fields = (9 if version == 3 else 8), []
    for length in struct.unpack_from("<3H", body, 2):
        fields.append(body[at : at + length])
        at += (length + 7) // 8 * 8 if version == 1 else length
    return fields[0].split(b"\0")[0], fields[1], fields[2], body[at:]


def _parse_link(body: bytes) -> tuple[str, int | str]:
    version, flags = body[0], body[1]
    if version != 1:
        raise ValueError("link message of another version")
    at, kind = 2, 0
    if flags & 8:
        kind, at = body[at], at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(body[at : at + width], "little")
    at += width
    name = body[at : at + length].decode("utf-8")
    if kind == 0:
        return name, struct.unpack_from("<Q", body, at + length)[0]
    words = {1: "a soft link", 64: "a link to another file"}.get(kind, "a link of an unknown kind")
    return name, f"{words} ({body[at + length + 2 :].decode('utf-8', 'replace')!r})"
