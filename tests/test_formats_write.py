"""What write_keras writes: read back by this package; by Keras itself in with_keras."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile

import numpy as np
import pytest

import conv2d_native as cn
from answers import MODEL_ANSWERS, MODELS
from conv2d_native import layers as L
from conv2d_native.formats import layer_paths, read_model, write_keras
from conv2d_native.formats.extent import Budget, from_buffer
from conv2d_native.formats.hdf5 import Hdf5
from conv2d_native.formats.hdf5_write import ATTRIBUTES, write_hdf5
from hostile_files import BIAS, CONFIG, KERNEL, read
from threads import in_threads
from written import bytes_of


def all_weights(spec):
    """Layer path -> arrays, of a .keras file. Layers of which the configuration does not tell go by their groups."""
    file, made = spec.weights._file, {}
    untold = {"class_name": "", "config": {}}

    def collect(entry, path):
        group, _ = spec.weights._finder.find(path)
        stored = [name for name in file.names((*group, "vars")) or [] if name.isdecimal()]
        names = [str(i) for i in range(len(stored))]
        shapes = [file.dataset((*group, "vars", name)).shape for name in names]
        if names:
            labels = ["mean", "variance", "count"] if entry["class_name"] == "Normalization" else names
            made[path] = spec.weights.get(path, labels, shapes)
        inside = layer_paths.children(entry)
        told = {spec.weights._finder.find((*path, name))[0][-1] for name in inside}
        if not layer_paths.is_model(entry):
            others = {*(file.names(group) or [])} - {*told, "vars", "seed_generator"}
            inside = inside | dict.fromkeys(sorted(others), untold)
        for name, child in inside.items():
            collect(child, (*path, name))

    collect(spec.config, ())
    return made


@pytest.mark.parametrize("name", MODELS)
def test_a_model_survives_a_round_trip(name, tmp_path):
    spec = read_model(MODEL_ANSWERS[name + ".keras"].tobytes())
    weights = all_weights(spec)
    write_keras(tmp_path / "model.keras", spec.config, weights)
    again = read_model(tmp_path / "model.keras")
    assert again.config == spec.config and [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    found = all_weights(again)
    assert found.keys() == weights.keys()
    for path, arrays in weights.items():
        for mine, theirs in zip(found[path], arrays, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_the_parts_are_what_keras_names_them():
    spec = read_model(MODEL_ANSWERS["sequential.keras"].tobytes())
    target = io.BytesIO()
    write_keras(target, spec.config, all_weights(spec))
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert archive.testzip() is None
        assert json.loads(archive.read("config.json")) == spec.config


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")
    spec = read_model(MODEL_ANSWERS["sequential.keras"].tobytes())
    with pytest.raises(ValueError, match="does not have"):
        write_keras(path, spec.config, {("nobody",): [np.ones(3)]})
    with pytest.raises(ValueError, match="hard_sigmoid"):
        write_keras(path, {"config": {"name": "x", "layers": []}, "activation": "hard_sigmoid_keras2"}, {})
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(FileNotFoundError):
        write_keras(tmp_path / "no" / "model.keras", spec.config, {})


def hdf5(tree) -> Hdf5:
    data = bytes_of(write_hdf5, tree)
    return Hdf5(from_buffer("made", data), Budget(len(data)))


@pytest.mark.parametrize("count", [0, 1, 8, 9, 256, 257, 8192, 8193])
def test_groups_of_any_size(count):
    tree = {f"layer_{i}": {ATTRIBUTES: {"name": f"lä{i}"}} for i in range(count)}
    file = hdf5({"layers": tree})
    assert sorted(file.names(("layers",))) == sorted(tree)
    assert all(
        file.strings(("layers", name), "name") == [part[ATTRIBUTES]["name"]] for name, part in tree.items()
    )


def test_arrays_of_any_shape():
    tree = {
        str(i): np.arange(np.prod(s), dtype=np.float32).reshape(s)
        for i, s in enumerate([(), (0, 3), (5,), (2, 3, 4)])
    }
    file = hdf5(tree | {"strided": np.arange(12.0).reshape(3, 4).T, "count": np.int32(7)})
    for name, values in tree.items():
        np.testing.assert_array_equal(file.dataset((name,)).read(values.shape), values)
    np.testing.assert_array_equal(file.dataset(("strided",)).read((4, 3)), np.arange(12.0).reshape(3, 4).T)
    assert file.dataset(("count",)).read((), integers=True) == 7


def test_a_folder_is_not_overwritten(tmp_path):
    spec = read_model(MODEL_ANSWERS["sequential.keras"].tobytes())
    with pytest.raises(IsADirectoryError):
        write_keras(tmp_path, spec.config, all_weights(spec))
    assert list(tmp_path.iterdir()) == []


def test_saves_at_once_leave_whole_files(tmp_path, monkeypatch):
    """While one save is about to end, another of the same path fails and a third one is made."""
    path, flush, calls = tmp_path / "m.keras", os.fsync, []

    def between(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            with pytest.raises(ValueError, match="does not have"):
                write_keras(path, CONFIG, {("nobody",): [BIAS]})
            write_keras(path, CONFIG, {("d",): [KERNEL + 1, BIAS]})
            np.testing.assert_array_equal(read(path)[0], KERNEL + 1)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", between)
    write_keras(path, CONFIG, {("d",): [KERNEL, BIAS]})
    np.testing.assert_array_equal(read(path)[0], KERNEL)
    assert len(calls) == 2 and os.listdir(tmp_path) == ["m.keras"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(links, tmp_path, monkeypatch):
    """overwrite=False, and another save of the same path ends first; on a file system without links too."""
    path, flush, calls = tmp_path / "m.keras", os.fsync, []

    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    def between(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            write_keras(path, CONFIG, {("d",): [KERNEL + 1, BIAS]}, overwrite=False)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", between)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(FileExistsError) as caught:
        write_keras(path, CONFIG, {("d",): [KERNEL, BIAS]}, overwrite=False)
    assert caught.value.filename == str(path) and caught.value.filename2 is None
    np.testing.assert_array_equal(read(path)[0], KERNEL + 1)
    assert len(calls) == 2 and os.listdir(tmp_path) == ["m.keras"]


def test_of_many_saves_that_keep_files_one_succeeds(tmp_path):
    path, made = tmp_path / "m.keras", []

    def save(number):
        try:
            write_keras(path, CONFIG, {("d",): [KERNEL + number, BIAS]}, overwrite=False)
            made.append(number)
        except FileExistsError:
            pass

    in_threads(8, save)
    assert len(made) == 1 and os.listdir(tmp_path) == ["m.keras"]
    np.testing.assert_array_equal(read(path)[0], KERNEL + made[0])


def test_a_saved_file_has_the_permissions_of_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        write_keras(tmp_path / "m.keras", CONFIG, {("d",): [KERNEL, BIAS]})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.keras").stat().st_mode) == 0o640


def test_paths_of_any_kind_and_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = {("d",): [KERNEL, BIAS]}
    for path in (os.fsencode(tmp_path / "bytes.keras"), "relative.keras", "x" * 249 + ".keras"):
        write_keras(path, CONFIG, weights)
        np.testing.assert_array_equal(read(os.fsdecode(path))[0], KERNEL)
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize("layer", [L.ThresholdedReLU(0.5), L.RandomHeight(0.1), L.RandomWidth(0.1)])
def test_layers_of_keras_2_are_written_under_the_module_in_which_keras_3_has_them(layer):
    made = L.serialize(layer)
    assert (made["module"], made["class_name"]) == ("keras._legacy.layers", type(layer).__name__)
    model = cn.Sequential([cn.Input((4, 5, 3)), layer])
    opened = cn.load_model(bytes_of(model.save))
    assert opened.layers[0].get_config() == layer.get_config()


def padded(edge):
    x = cn.Input((2, 2, 1))
    return cn.Model(x, cn.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=edge))


@pytest.mark.parametrize("edge", [-np.inf, np.inf, np.float32(-np.inf)])
def test_an_infinite_edge_is_written_as_keras_writes_it(edge):
    """The edge of a padding that a maximum follows."""
    again = cn.load_model(bytes_of(padded(edge).save))
    assert (again.predict(np.ones((1, 2, 2, 1)))[0, 0] == edge).all()


@pytest.mark.parametrize("edge", [np.nan, np.float32(np.nan)])
def test_nan_in_a_configuration_is_not_written(edge):
    """Keras writes it, and nothing here reads it."""
    with pytest.raises(ValueError, match="NaN is no value of an argument"):
        bytes_of(padded(edge).save)
