"""Row F14 for the readers: files of at most 1 MiB whose structures repeat; each is dealt with in 2 s and 256 MiB."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native.errors import UnsafeModelError
from conv2d_native.formats.extent import Budget
from conv2d_native.formats.hdf5_write import ATTRIBUTES, _attribute, _message, _Writer, write_hdf5
from hostile_files import CONFIG, KERNEL, SOUND_WEIGHTS, Member, functional, load, parts, tensor, zip_bytes
from test_faults_files import in_a_process
from written import bytes_of

LIMIT = 1 << 20
LAYERS = 9_000
CODE = "from hostile_files import read_each; read_each(path)"


def dense_layers(count: int, **config) -> dict:
    entries = [
        {"class_name": "Dense", "config": {"name": f"d{i}", "units": 3} | config} for i in range(count)
    ]
    return CONFIG | {"config": CONFIG["config"] | {"layers": [CONFIG["config"]["layers"][0], *entries]}}


def packed(config: dict | bytes, weights: bytes) -> bytes:
    made = zip_bytes(Member(m.name, m.data, method=8) for m in parts(config, weights))
    return made if len(made) <= LIMIT else zip_bytes(parts(config, weights))


def written(build: Callable[[_Writer], tuple[int, int, int]]) -> bytes:
    """An HDF5 file whose root group is what `build` places."""
    target = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Writer, "group", lambda writer, tree: build(writer))
        write_hdf5(target, {})
    return target.getvalue()


def linking(writer: _Writer, targets: dict[str, int], attributes: bytes = b"") -> tuple[int, int, int]:
    """A group whose names lead to headers that are already placed."""
    names = sorted(targets, key=str.encode)
    heap_data, offsets = b"\0" * 8, []
    for name in names:
        offsets.append(len(heap_data))
        heap_data += name.encode() + b"\0" * (8 - len(name.encode()) % 8)
    data = writer.place(heap_data)
    heap = writer.place(struct.pack("<4sB3x3Q", b"HEAP", 0, len(heap_data), 1, data))
    root = writer.tree([(targets[name], bytes(24)) for name in names], offsets)
    messages = [_message(17, struct.pack("<QQ", root, heap))]
    return writer.header([*messages, attributes] if attributes else messages), root, heap


def snake(i: int) -> str:
    return f"dense_{i}" if i else "dense"


def one_group_for_all(writer: _Writer) -> tuple[int, int, int]:
    """Every layer's `vars` is the same group of thousands of links."""
    array = writer.array(KERNEL)
    crowd, _, _ = linking(writer, {str(i): array for i in range(8000)}, _attribute("name", "x" * 60_000))
    layer, _, _ = linking(writer, {"vars": crowd})
    layers, _, _ = linking(writer, {snake(i): layer for i in range(LAYERS)})
    return linking(writer, {"layers": layers})


def one_table_for_all(writer: _Writer) -> tuple[int, int, int]:
    """Thousands of group headers that share one table of thousands of links."""
    array = writer.array(KERNEL)
    _, root, heap = linking(writer, {str(i): array for i in range(5000)})
    shared = _message(17, struct.pack("<QQ", root, heap))
    layer, _, _ = linking(writer, {"vars": writer.header([shared])})
    other = {snake(i): linking(writer, {"vars": writer.header([shared])})[0] for i in range(300)}
    layers, _, _ = linking(writer, {snake(i): layer for i in range(LAYERS)} | other)
    return linking(writer, {"layers": layers})


def many_attributes(writer: _Writer) -> tuple[int, int, int]:
    """Headers of thousands of attributes, asked for again and again."""
    bodies = b"".join(_attribute(f"weight_names{i}", "a") for i in range(6000))
    names, _, _ = linking(writer, {})
    crowd = writer.header([_message(17, struct.pack("<QQ", *linking(writer, {})[1:])), *([bodies])])
    count = 6001
    head = writer.pieces[-2]
    assert isinstance(head, bytes)
    writer.pieces[-2] = head[:2] + struct.pack("<H", count) + head[4:]
    layers, _, _ = linking(writer, {f"d{i}": crowd for i in range(LAYERS)} | {"x": names})
    return linking(writer, {"model_weights": layers})


def shared_names(writer: _Writer) -> tuple[int, int, int]:
    """Every layer of a legacy file has the same attribute of thousands of weight names."""
    array = writer.array(KERNEL)
    strings = b"".join(f"d/{i:05}".encode() for i in range(8000))
    label = b"weight_names\0"
    kind, space = struct.pack("<4BI", 0x13, 0, 0, 0, 7), struct.pack("<BBB5xQ", 1, 1, 0, 8000)
    head = struct.pack("<BxHHH", 1, len(label), len(kind), len(space))
    body = _message(12, head + label + b"\0\0\0" + kind + space + strings)
    layer, _, _ = linking(writer, {"kernel": array}, body)
    layers, _, _ = linking(writer, {f"d{i}": layer for i in range(LAYERS)})
    return linking(writer, {"model_weights": layers})


def deep_continuations(writer: _Writer) -> tuple[int, int, int]:
    """A header that continues in itself."""
    here = writer.end
    block = struct.pack("<HHB3xQQ", 16, 16, 0, here, 24 * 200)
    return writer.header([block * 200]), 0, 0


@pytest.mark.parametrize(
    "build", [one_group_for_all, one_table_for_all, many_attributes, shared_names, deep_continuations]
)
def test_f14_structures_that_are_shared(build, tmp_path):
    data = packed(dense_layers(LAYERS), written(build))
    assert len(data) <= LIMIT
    assert "ModelFormatError" in in_a_process(CODE, data, tmp_path)


def test_f14_one_array_for_all(tmp_path):
    """Thousands of layers whose kernels are one and the same 400 kB."""

    def build(writer: _Writer) -> tuple[int, int, int]:
        layer, _, _ = linking(
            writer, {"vars": linking(writer, {"0": writer.array(np.ones((4, 25_000), "f4"))})[0]}
        )
        layers, _, _ = linking(writer, {snake(i): layer for i in range(LAYERS)})
        return linking(writer, {"layers": layers})

    code = CODE.replace("read_each(path)", "read_each(path, ['kernel'], [(4, 25_000)])")
    data = packed(dense_layers(LAYERS), written(build))
    assert "ModelFormatError" in in_a_process(code, data, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * 690_000 + "{}]",
        "[" + '{"a":{}},' * 230_000 + "{}]",
        "{" + ",".join(f'"{i}":0' for i in range(220_000)) + "}",
        '"' + "\\u00e9" * 340_000 + '"',
        "[" + "1e1," * 500_000 + "0]",
        "[" * 390 + "0," * 900_000 + "0" + "]" * 390,
    ],
    ids=["objects", "nested objects", "keys", "escapes", "numbers", "depth"],
)
def test_f14_json(text, tmp_path):
    for key in ("x", "kernel_initializer", "layer", "function"):
        config = json.dumps(CONFIG).replace('"units": 3', f'"units": 3, "{key}": {text}')
        data = packed(config.encode(), b"")
        assert len(data) <= LIMIT
        in_a_process(CODE, data, tmp_path)


def test_f14_wrappers_in_wrappers(tmp_path):
    inner = json.dumps({"class_name": "Dense", "config": {"name": "i", "x": [0] * 400_000}})
    for _ in range(60):
        inner = '{"class_name": "TimeDistributed", "config": {"name": "t", "layer": ' + inner + "}}"
    config = json.dumps(dense_layers(1)).replace('"units": 3', f'"units": 3, "layer": {inner}')
    in_a_process(CODE, packed(config.encode(), b""), tmp_path)


def test_f14_long_names(tmp_path):
    nested = dense_layers(LAYERS)["config"] | {"name": "n" * 600_000}
    config = CONFIG | {
        "config": CONFIG["config"] | {"layers": [{"class_name": "Sequential", "config": nested}]}
    }
    target = bytes_of(
        write_hdf5,
        {"layers": {"sequential": {"layers": {snake(i): {} for i in range(10)}}}, ATTRIBUTES: {"a": "b"}},
    )
    in_a_process(CODE, packed(config, target), tmp_path)


def relu(name: str, *places: tuple) -> dict:
    nodes = [{"args": [tensor(*place)], "kwargs": {}} for place in places]
    config = {"name": name, "trainable": True, "dtype": "float32"}
    return {"class_name": "ReLU", "name": name, "config": config, "inbound_nodes": nodes}


def graph(layers: list[dict], *end, shape=(None, 4)) -> dict:
    source = {"name": "x", "batch_shape": shape, "dtype": "float32"}
    first = {"class_name": "InputLayer", "name": "x", "config": source, "inbound_nodes": []}
    return functional([first, *layers], end)


def nested(depth: int, inside=(None, 4)) -> dict:
    """A model that calls a model twice that calls a model twice ...; those inside take the shape `inside`."""
    inner = relu("b")
    for i in range(depth):
        nodes = [{"args": [tensor(*place)], "kwargs": {}} for place in (("x", 0, 0), ("b", 0, 0))]
        inner = inner | {"name": "b", "config": inner["config"] | {"name": "b"}, "inbound_nodes": nodes}
        last = 2 if i else 1  # outputs count the calls of models from 1
        inner = graph([inner], "b", last, 0, shape=(None, 4) if i == depth - 1 else inside)
    return inner


def concatenations(depth: int) -> dict:
    layers = []
    for i in range(depth):
        place = (f"c{i - 1}" if i else "x", 0, 0)
        config = {"name": f"c{i}", "trainable": True, "dtype": "float32", "axis": -1}
        node = {"args": [[tensor(*place), tensor(*place)]], "kwargs": {}}
        layers.append(
            {"class_name": "Concatenate", "name": f"c{i}", "config": config, "inbound_nodes": [node]}
        )
    return graph(layers, f"c{depth - 1}", 0, 0)


CHAIN = [relu(f"r{i}", (f"r{i - 1}" if i else "x", 0, 0)) for i in range(4000)]
GRAPHS = {
    "many layers": CONFIG | {"config": CONFIG["config"] | {"layers": [
        CONFIG["config"]["layers"][0], *({"class_name": "ReLU", "config": {"name": f"r{i}"}} for i in range(5900))]}},
    "one layer called often": graph([relu("r", ("x", 0, 0), *(("r", i, 0) for i in range(6000)))], "r", 6000, 0),
    "layers in reverse": graph(CHAIN[::-1], "r3999", 0, 0),
    "models that double": nested(60),
    "models that double, below the limit": nested(15),
    "models for any size that double": nested(60, (None, None)),
    "models for any size that double, below the limit": nested(15, (None, None)),
    "tensors that double": concatenations(60),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_f14_graphs(name, tmp_path):
    in_a_process("load(path)", packed(GRAPHS[name], SOUND_WEIGHTS), tmp_path)


def operation(class_name: str, number: int, *places: tuple, shape: list, **config) -> dict:
    """A model of `number` operations, each on the input of `shape`."""
    module = "keras.src.ops.core" if class_name == "Unstack" else "keras.src.ops.numpy"
    layers = [
        {"module": module, "class_name": class_name, "name": f"o{i}", "config": {"name": f"o{i}"} | config,
         "registered_name": class_name, "inbound_nodes": [{"args": [tensor("x", 0, 0) for _ in places], "kwargs": {}}]}
        for i in range(number)
    ]  # fmt: skip
    made = graph(layers, "o0", 0, 0)
    made["config"]["layers"][0]["config"]["batch_shape"] = [None, *shape]
    return made


ONE, TWO = [()], [(), ()]
HOST_STEPS = {
    "repeat": operation("Repeat", 1, *ONE, shape=[1], repeats=2**27, axis=1),
    "tile": operation("Tile", 1, *ONE, shape=[1], repeats=[1, 2**27]),
    "pad": operation("Pad", 1, *ONE, shape=[4], pad_width=[[0, 0], [0, 10**8]], mode="edge"),
    "roll": operation("Roll", 1, *ONE, shape=[10**8], shift=1, axis=1),
    "flip": operation("Flip", 1, *ONE, shape=[10**8], axis=1),
    "argmax": operation("Argmax", 1, *ONE, shape=[10**8], axis=1),
    "std": operation("Std", 1, *ONE, shape=[10**8], axis=1),
    "take": operation("Take", 1, *ONE, shape=[10**8], indices=[0], axis=1),
    "power": operation("Power", 1, *TWO, shape=[10**8]),
    "matmul": operation("Matmul", 1, *TWO, shape=[6000, 6000]),
    "einsum": operation("Einsum", 1, *TWO, shape=[3000, 3000], subscripts="bij,bjk->bik"),
}


@pytest.mark.parametrize("name", HOST_STEPS)
def test_f14_shapes_are_found_without_arrays(name, tmp_path):
    assert "loaded" in in_a_process("load(path)", packed(HOST_STEPS[name], SOUND_WEIGHTS), tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        operation("Unstack", 1, *ONE, shape=[10**7], axis=1, num=None),
        operation("Split", 1, *ONE, shape=[10**7], indices_or_sections=10**7, axis=1),
        operation("Unstack", 3400, *ONE, shape=[1000], axis=1),
        operation("Repeat", 1, *ONE, shape=[1], repeats=2**40, axis=1),
    ],
    ids=["unstack", "split", "many unstacked", "repeat"],
)
def test_f14_too_many_results(config, tmp_path):
    printed = in_a_process("load(path)", packed(config, SOUND_WEIGHTS), tmp_path)
    assert "ModelFormatError" in printed or "UnsupportedLayerError" in printed


def squares(count: int) -> dict:
    """Four layers, called again and again, that square the number of entries."""
    places = [("f", i - 1, 0) if i else ("x", 0, 0) for i in range(count)]
    settings = {
        "a": ("Reshape", {"target_shape": [-1, 1]}, [[tensor(*place)] for place in places]),
        "b": ("Reshape", {"target_shape": [1, -1]}, [[tensor(*place)] for place in places]),
        "m": ("Multiply", {}, [[[tensor("a", i, 0), tensor("b", i, 0)]] for i in range(count)]),
        "f": ("Flatten", {}, [[tensor("m", i, 0)] for i in range(count)]),
    }
    layers = [
        {"class_name": cls, "name": name, "config": {"name": name, "trainable": True, "dtype": "float32"} | config,
         "inbound_nodes": [{"args": args, "kwargs": {}} for args in calls]}
        for name, (cls, config, calls) in settings.items()
    ]  # fmt: skip
    return graph(layers, "f", count - 1, 0)


def ranks(batch_shape: list, *layers: dict) -> dict:
    source = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": batch_shape}}
    entries = [{"class_name": "ReLU", "config": {"name": f"r{i}"}} for i in range(3000)]
    return CONFIG | {"config": CONFIG["config"] | {"layers": [source, *layers, *entries]}}


@pytest.mark.parametrize(
    "config",
    [
        squares(24),
        ranks([None] + [1] * 200_000),
        ranks([None, 1], {"class_name": "Reshape", "config": {"name": "q", "target_shape": [1] * 200_000}}),
    ],
    ids=["squares", "input of many axes", "reshaped to many axes"],
)
def test_f14_shapes_are_bounded(config, tmp_path):
    printed = in_a_process("load(path)", packed(config, SOUND_WEIGHTS), tmp_path)
    assert "ModelFormatError" in printed and "at most 64 axes" in printed


@pytest.mark.parametrize("inside", [(None, 4), (None, None)])
def test_f14_models_that_double_are_counted(inside):
    """Each is called twice: 16 levels are 65,536 calls, which are refused before any is computed."""
    x = np.array([[-1.0, 2.0, -3.0, 4.0]], np.float32)
    model = cn.model_from_json(json.dumps(nested(6, inside)))
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.maximum(x, 0))
    assert len(model.explain(optimize=False)) == 64
    text = []
    model.summary(print_fn=text.append, expand_nested=True)
    assert text[0].count("(ReLU)") == 1 and text[0].count("(Functional)") == 5
    with pytest.raises(cn.ModelFormatError, match=r"at most 50,000 calls of layers.* Received: 65,536 calls"):
        cn.model_from_json(json.dumps(nested(16, inside)))


@pytest.mark.parametrize("stored", [0, 1, 1 << 20])
def test_what_a_file_may_cost_follows_its_size(stored):
    """C7, C11, C33, F14: the figures of docs/formats.md and of Budget, each to the byte; of small files a MiB more."""
    most = 2 << 30
    limits = {
        "structure": 3 * stored + (1 << 20),
        "stored": 4 * stored + (1 << 20),
        "expanded": 100 * stored + (64 << 20),
        "weights": most,
    }
    for kind, limit in limits.items():
        budget = Budget(stored)
        budget.spend(kind, limit - 5, "m.keras")
        budget.spend(kind, 5, "m.keras")
        with pytest.raises(cn.ModelFormatError, match=r"^m\.keras: "):
            budget.spend(kind, 1, "m.keras")
    with pytest.raises(cn.ModelFormatError, match="max_bytes"):
        Budget(stored, max_bytes=7).spend("weights", 8, "m.keras")
    Budget(1 << 30, max_bytes=1 << 20).spend("expanded", 8 << 20, "m.keras")
    with pytest.raises(cn.ModelFormatError, match="expands"):
        Budget(1 << 30, max_bytes=1 << 20).spend("expanded", (8 << 20) + 1, "m.keras")


def test_a_member_that_its_own_header_moves_into_the_next_is_refused():
    """C6: the directory tells of places that do not overlap; the first member's own header has a longer extra field."""
    made = bytearray(zip_bytes(parts()))
    load(bytes(made))
    struct.pack_into("<H", made, 28, 40)
    with pytest.raises(UnsafeModelError, match="overlaps the member after it"):
        load(bytes(made))
