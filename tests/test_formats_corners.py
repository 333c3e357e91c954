"""Corners of the readers that neither sound files nor the rows of faults reach: each refusal has its words, each form
its values.
"""

from __future__ import annotations

import copy
import json
import os
import struct

import numpy as np
import pytest

from conv2d_native.errors import ModelFormatError, UnsafeModelError
from conv2d_native.formats import read_model, read_weights, write_keras
from conv2d_native.formats.archive import Archive
from conv2d_native.formats.dialect import normalise
from conv2d_native.formats.extent import Budget, from_buffer
from conv2d_native.formats.hdf5 import Hdf5, _parse_link
from conv2d_native.formats.hdf5_data import parse_dataspace
from conv2d_native.formats.hdf5_write import ATTRIBUTES, _message, _Writer, write_hdf5
from conv2d_native.formats.json_tree import parse_json
from hostile_files import BIAS, CONFIG, HDF5, KERNEL, Member, functional, h5, keras, parts, read, zip_bytes
from test_faults_limits import linking, written
from written import bytes_of


def archive(*members: Member, **lies) -> Archive:
    data = zip_bytes(members, **lies)
    return Archive(from_buffer("z", data), Budget(len(data)))


def test_archives_of_64_bits():
    """Sizes in extra fields and an end of 64 bits; what is cut short or promises too many members is refused."""
    members = parts()
    for member in members:
        size, packed = member.facts["size"], member.facts["packed"]
        member.facts |= {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
        member.facts["extra"] = struct.pack("<HH2Q", 1, 16, size, packed)
    made = zip_bytes(members)
    count, size, start = struct.unpack_from("<HII", made, len(made) - 12)
    end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    end += struct.pack("<4sIQI", b"PK\6\7", 0, len(made) - 22, 1)
    np.testing.assert_array_equal(read(made[:-22] + end + made[-22:])[0], KERNEL)
    with pytest.raises(ModelFormatError, match="damaged end"):
        read(made[:-22] + end.replace(b"PK\6\6", b"PK\6\0") + made[-22:])
    head, line = b"PK\3\4" + bytes(26), b"PK\1\2" + bytes(10)
    short = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(line), len(head), 0)
    with pytest.raises(ModelFormatError, match="damaged zip directory"):
        read(head + line + short)
    with pytest.raises(ModelFormatError, match="20000 members, more than 10000"):
        read(zip_bytes(parts(), count=20_000))


def test_headers_that_share_messages_and_arrays_of_many_axes():
    words = set()
    for data in (HDF5["plain.legacy"], HDF5["latest.legacy"]):
        for at in range(0, len(data), 4):
            changed = bytearray(data)
            changed[at] |= 2
            try:
                read(bytes(changed))
            except ModelFormatError as error:
                words.add(str(error).rsplit(": ", 1)[-1])
    assert "shared HDF5 header messages are not supported." in words
    with pytest.raises(ModelFormatError, match="9 dimensions"):
        parse_dataspace(bytes([1, 9]) + bytes(78))


def test_archives_in_their_corners():
    with pytest.raises(ModelFormatError, match=r"has no member 'b'"):
        archive(Member("a", b"x")).member("b")
    with pytest.raises(ModelFormatError, match="more than 3 are not read"):
        archive(Member("a", b"xxxx")).member("a", 3)
    for method, lies, words in (
        (8, {"size": 9}, "does not have"),
        (8, {"size": 3}, "does not have"),
        (0, {"size": 3}, "two sizes"),
        (0, {"local": {"method": 8}}, "disagree"),
        (0, {"local_name": b"b"}, "another name"),
        (0, {"local": {"crc": 1}}, "disagree"),
    ):
        with pytest.raises(ModelFormatError, match=words):
            archive(Member("a", b"xxxx", method, **lies)).member("a")
    spoiled = Member("a", b"x" * 100, 8)
    spoiled.data = b"\xff" + spoiled.data[1:]
    with pytest.raises(ModelFormatError, match="damaged compressed data"):
        archive(spoiled).member("a")
    streamed = {"flags": 8, "local": {"crc": 0, "packed": 0, "size": 0}}
    assert archive(Member("a", b"xxxx", **streamed)).member("a").read(0, 4) == b"xxxx"
    stamped = Member("a", b"xxxx", extra=struct.pack("<HHQ", 0x7875, 8, 0))
    assert archive(stamped).member("a").read(0, 4) == b"xxxx"


def test_archives_whose_ends_lie():
    sound = zip_bytes(parts())
    end = len(sound) - 22
    for at, value, words in (
        (4, 1, "several parts"),
        (8, 9, "several parts"),
        (20, 5, "after the end"),
        (12, 9, "before|between|damaged"),
        (16, 9, "between"),
    ):
        with pytest.raises(ModelFormatError, match=words):
            read(sound[: end + at] + struct.pack("<H", value) + sound[end + at + 2 :])
    for count in (2, 4):
        with pytest.raises(ModelFormatError, match="damaged zip directory"):
            read(zip_bytes(parts(), count=count))
    with pytest.raises(ModelFormatError, match="no end"):
        read(b"PK\3\4" + bytes(100))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    with pytest.raises(ModelFormatError, match="damaged end"):
        read(sound[:end] + locator + sound[end:])


def test_a_local_header_that_reaches_into_the_next_member():
    first, second, third = parts()
    data = bytearray(zip_bytes([first, second, third]))
    struct.pack_into("<H", data, 28, 60)  # the first member's extra field
    with pytest.raises(UnsafeModelError, match="overlaps the member after it"):
        read(bytes(data))


def test_extents_in_their_corners(monkeypatch, tmp_path):
    with pytest.raises(ModelFormatError, match="outside its file"):
        from_buffer("x", b"abc").part("y", 2, 5)
    monkeypatch.delattr(os, "pread")
    (tmp_path / "m").write_bytes(keras())
    np.testing.assert_array_equal(read(tmp_path / "m")[0], KERNEL)


@pytest.mark.parametrize("form", ["keras3", "legacy"])
def test_rare_forms_of_hdf5(form):
    def stored(name: str, shape=(4, 3)) -> np.ndarray:
        data = HDF5[f"{name}.{form}"]
        return read(data if form == "legacy" else keras(CONFIG, data), (shape, (3,)))[0]

    for name in ("bfloat16", "bfloat16_number"):
        np.testing.assert_array_equal(stored(name), KERNEL)
    np.testing.assert_array_equal(stored("many_chunks", (16, 16)), np.arange(256).reshape(16, 16))
    for name, words in (
        ("empty", "empty dataspace"),
        ("dense_links", "dense"),
        ("dense_attributes", "dense"),
    ):
        with pytest.raises(ModelFormatError, match=words):
            stored(name)


def hdf5(data: bytes) -> Hdf5:
    return Hdf5(from_buffer("h", data), Budget(len(data)))


def patched(data: bytes, *changes: tuple[bytes, int, bytes]) -> bytes:
    """`data` with bytes written at an offset from the only place of a mark."""
    made = bytearray(data)
    for mark, at, value in changes:
        assert data.count(mark) == 1
        place = data.index(mark) + at
        made[place : place + len(value)] = value
    return bytes(made)


def test_hdf5_in_its_corners():
    with pytest.raises(ModelFormatError, match="not an HDF5 file"):
        hdf5(b"\x89HDF\r\n\x1a\t" + bytes(100))
    with pytest.raises(ModelFormatError, match="superblock version 7"):
        hdf5(b"\x89HDF\r\n\x1a\n\x07" + bytes(100))
    data = bytes_of(write_hdf5, {"a": KERNEL})
    layout = struct.pack("<HHB3xBB", 8, 24, 0, 3, 1)
    with pytest.raises(ModelFormatError, match="filters on data without chunks"):
        hdf5(patched(data, (struct.pack("<HHB3x", 5, 8, 0), 0, struct.pack("<HHB3x", 11, 8, 0)))).dataset(
            ("a",)
        ).read((4, 3))
    with pytest.raises(ModelFormatError, match="declared"):
        hdf5(patched(data, (layout, 8, struct.pack("<BBHQQ", 3, 0, 9, 0, 0)[:18]))).dataset(("a",)).read(
            (4, 3)
        )
    with pytest.raises(ModelFormatError, match="not supported"):
        hdf5(patched(data, (layout, 8, b"\1"))).dataset(("a",)).read((4, 3))
    with pytest.raises(ModelFormatError, match="dataspace version"):
        hdf5(patched(data, (struct.pack("<HHB3xBB", 1, 24, 0, 1, 2), 8, b"\5"))).dataset(("a",))
    with pytest.raises(ModelFormatError, match="another type"):
        hdf5(patched(data, (struct.pack("<4BI", 0x11, 0x20, 31, 0, 4), 0, b"\x12"))).dataset(("a",))
    with pytest.raises(ModelFormatError, match="group or another object"):
        hdf5(data).dataset(())
    with pytest.raises(ValueError, match="another version"):
        _parse_link(b"\2\0")
    assert hdf5(data).dataset(("b",)) is None and hdf5(data).strings(("b",), "x") is None


def test_headers_that_never_end():
    data = bytearray(HDF5["latest.keras3"])
    at = data.index(b"OHDR", 100)
    here = struct.pack("<QQ", at, 200)
    for size in (1, 2, 4):
        spoiled = bytearray(data)
        start = at + 6 + size
        spoiled[start : start + 20] = struct.pack("<BHB", 16, 16, 0) + here
        with pytest.raises(ModelFormatError):
            read(keras(CONFIG, bytes(spoiled)))


def test_json_in_its_corners():
    for text, words in (
        (f'{{"x": "{"y" * (1 << 20)}"}}', "bytes of JSON"),
        ('{"x": [' + "{}," * 300_000 + "{}]}", "more than 300000 objects"),
        ('{"x": ' + "[" * 420 + "]" * 420 + "}", "more than 400 deep"),
        ('{"x": 1' + "0" * 30 + "}", "too long"),
    ):
        with pytest.raises(ModelFormatError, match=words):
            parse_json(text, "j", 100)


def sequential(*entries) -> dict:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(entries)}}


def entry(name="x", nodes=(), **more) -> dict:
    return {
        "class_name": "ReLU",
        "config": {"name": name, "trainable": True},
        "inbound_nodes": list(nodes),
    } | more


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (sequential(7), "class_name"),
        (sequential({"class_name": "A", "config": 3}), "'A'.*config object"),
        (sequential(*[entry(str(i)) for i in range(6_000)]), "more than 6000 layers"),
        (functional([{"class_name": "A", "config": {"name": ""}}]), "no name"),
        (functional([entry()], ["nobody", 0, 0]), "nobody"),
        (
            functional([entry()], output_layers=7),
            "must list tensors",
        ),
        (functional([entry(inbound_nodes=7)]), "must be a list"),
        (functional([entry(nodes=[{"args": {}, "kwargs": {}}])]), "args must be a list"),
        (functional([entry(nodes=[7])]), "cannot be understood"),
        (functional([entry(nodes=[["a", -1, 0]])]), "cannot be understood"),
    ],
)
def test_configurations_in_their_corners(tree, words):
    with pytest.raises(ModelFormatError, match=words):
        normalise(tree, "3.0.0", "f")


def test_old_nodes_with_dicts_and_constants():
    nodes = (
        [{"a": ["x", 0, 0, {}], "b": ["x", 0, 0]}],
        [[["x", 0, 0, {"k": [["x", 0, 0], 2], "d": {"e": 1}}]]],
    )
    constant = [["_CONSTANT_VALUE", -1, 2.5, {}]]
    made = normalise(
        functional([entry(), entry("r", [*nodes[0], *nodes[1], constant])], dtype="float32"), "2.9.0", "f"
    )
    x = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    first, second, third = made["config"]["layers"][1]["inbound_nodes"]
    assert first["args"] == [{"a": x, "b": x}] and third["args"] == [2.5]
    assert second == {"args": [x], "kwargs": {"k": [x, 2], "d": {"e": 1}}}


def test_a_deep_caller_is_told_apart_from_a_deep_file():
    deep = sequential({"class_name": "A", "config": {"name": "a", "x": json.loads("[" * 350 + "]" * 350)}})

    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        else:
            normalise(deep, "3.0.0", "f")

    dive(100)
    with pytest.raises(ModelFormatError, match="nested"):
        dive(700)


def test_wrappers_and_nested_names_in_both_formats():
    inner = copy.deepcopy(CONFIG["config"]["layers"][1])
    wrapped = {
        "class_name": "TimeDistributed",
        "config": {"name": "t", "layer": inner},
        "module": "keras.layers",
    }
    config = sequential(wrapped)
    spec = read_model(bytes_of(write_keras, config, {("t", "d"): [KERNEL, BIAS]}))
    np.testing.assert_array_equal(spec.weights.get(("t", "d"), ["kernel", "bias"], [(4, 3), (3,)])[0], KERNEL)
    with pytest.raises(ModelFormatError, match=r"'t/d'.*holds more"):
        spec.weights.get(("t", "d"), ["kernel"], [(4, 3)])
    config["config"]["layers"][0]["config"]["name"] = "other"
    assert read_model(h5(config)).weights.stored("t").entries == []


def test_legacy_weights_of_one_name_below_each_other():
    from conv2d_native.formats.weights import NamedWeights, _LayerNames

    source = NamedWeights(hdf5(HDF5["plain.legacy"]), None)
    names = _LayerNames(("g",), ["a/d/kernel", "b/d/kernel", "c/kernel"])
    assert source._pick(("m", "b", "d"), "kernel", names, "d") == "b/d/kernel"
    with pytest.raises(ModelFormatError, match="ambiguous"):
        source._pick(("m", "x", "d"), "kernel", names, "d")


@pytest.mark.parametrize("shape", [b"(4 3,)", b"(%s,)" % (b"9" * 5000), b"(04, 3)", b"(4, 3, 1)"])
def test_the_shape_of_an_array_is_read_as_numpy_writes_it(shape):
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape
    array = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + KERNEL.tobytes()
    source = read_weights(zip_bytes([Member("d/kernel.npy", array)]))
    with pytest.raises(ModelFormatError, match=r"d/kernel.npy: expected shape \(4, 3\), got \("):
        source.get(("d",), ["kernel"], [(4, 3)])


def test_arrays_in_their_corners():
    def npz(**arrays) -> bytes:
        return bytes_of(np.savez, **arrays)

    get = read_weights(npz(**{"d/kernel": np.asfortranarray(KERNEL), "d/bias": np.ones(3, np.int32)})).get
    np.testing.assert_array_equal(
        read_weights(npz(**{"d/kernel": KERNEL.T})).get(("d",), ["kernel"], [(3, 4)])[0], KERNEL.T
    )
    for names, shapes, words in (
        (["kernel"], [(4, 3)], r"not expected: \['bias'\]"),
        (["kernel", "gamma"], [(4, 3), (3,)], r"missing: \['gamma'\]"),
        (["kernel", "bias"], [(5, 3), (3,)], "expected shape"),
        (["kernel", "bias"], [(4, 3), (3,)], "expected floating point"),
    ):
        with pytest.raises(ModelFormatError, match=words):
            get(("d",), names, shapes)
    with pytest.raises(ModelFormatError, match="not a NumPy array"):
        read_weights(zip_bytes([Member("d/a.npy", b"nonsense")])).get(("d",), ["a"], [(3,)])
    with pytest.raises(ModelFormatError, match="holds no weights"):
        read_weights(json.dumps(CONFIG).encode())
    index = {"metadata": {"total_size": 1.0}, "weight_map": {"/layers/dense/vars": ["m_00000.weights.h5"]}}
    with pytest.raises(ModelFormatError, match="a list of files with weights, which are not read"):
        read_weights(json.dumps(index).encode())


def test_a_configuration_of_numpy_values_is_written_as_json():
    config = copy.deepcopy(CONFIG)
    config["config"]["layers"][1]["config"] |= {"units": np.int64(3), "note": np.ones(2), "pair": (1, 2)}
    target = bytes_of(write_keras, config, {("d",): [KERNEL, BIAS]})
    made = read_model(target).config["config"]["layers"][1]["config"]
    assert made["units"] == 3 and made["note"] == [1.0, 1.0] and made["pair"] == [1, 2]


def test_hdf5_headers_and_groups_that_contradict_themselves():
    endless = [_message(16, struct.pack("<QQ", 0, 8))] * 300
    with pytest.raises(ModelFormatError, match="endless"):
        hdf5(written(lambda writer: (writer.header(endless), 0, 0))).names(())
    twice = [_message(17, struct.pack("<QQ", 0, 8))] * 2
    with pytest.raises(ModelFormatError, match="twice"):
        hdf5(written(lambda writer: (writer.header(twice), 0, 0))).names(())

    def sharing(writer: _Writer) -> tuple[int, int, int]:
        _, *table = linking(writer, {"a": writer.array(KERNEL)})
        shared = [_message(17, struct.pack("<QQ", *table))]
        return linking(writer, {"b": writer.header(shared), "c": writer.header(shared)})

    file = hdf5(written(sharing))
    assert file.names(("b",)) == file.names(("c",)) == ["a"]
    data = HDF5["dense_attributes.legacy"]
    with pytest.raises(ModelFormatError, match="damaged object header"):
        hdf5(data.replace(b"OCHK", b"OCHX")).strings((), "model_config")


def test_weights_of_another_layer():
    made = h5_weights({"vars": {"0": KERNEL, "1": BIAS, ATTRIBUTES: {"name": "somebody"}}})
    with pytest.raises(ModelFormatError, match="belongs to layer 'somebody'"):
        read(keras(CONFIG, made))
    with pytest.raises(ModelFormatError, match="not a zip archive"):
        Archive(from_buffer("z", bytes(100)), Budget(100))


def h5_weights(dense: dict) -> bytes:
    return bytes_of(write_hdf5, {"layers": {"dense": dense}})
