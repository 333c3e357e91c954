"""The command line on small models: what is printed, what is written, what goes wrong."""

import csv
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.applications import preprocess
from conv2d_native.cli import main
from written import bytes_of

RNG = np.random.default_rng(4)


@pytest.fixture
def classifier(tmp_path):
    model = cn.Sequential(
        [
            L.Conv2D(4, 3, input_shape=(16, 16, 3)),
            L.GlobalAveragePooling2D(),
            L.Dense(6, activation="softmax"),
        ],
        name="classifier",
    )
    path = tmp_path / "classifier.keras"
    model.save(path)
    return model, str(path)


@pytest.fixture
def two_inputs(tmp_path):
    a, b = cn.Input((3,), name="a"), cn.Input((3,), name="b")
    model = cn.Model([a, b], [a + b, a * b])
    path = tmp_path / "two.keras"
    model.save(path)
    return model, str(path)


def test_info(classifier, tmp_path, capsys):
    assert main(["info", classifier[1], "--picture", str(tmp_path / "model.dot")]) == 0
    out = capsys.readouterr().out
    assert "GlobalAveragePooling2D" in out and "Total params: 142" in out
    assert (tmp_path / "model.dot").read_text().startswith("digraph")


def test_check(classifier, tmp_path, capsys):
    assert main(["check", classifier[1]]) == 0
    assert "ok: every layer is computed here" in capsys.readouterr().out
    config = json.loads(classifier[0].to_json())
    config["config"]["layers"][2]["class_name"] = "Mystery"
    config["config"]["layers"][3]["config"]["units"] = "many"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(config))
    assert main(["check", str(other)]) == 1
    out = capsys.readouterr().out
    assert "2 problems" in out and "Mystery" in out and "custom_objects" in out and "`units`" in out
    (tmp_path / "noise.keras").write_bytes(b"nothing")
    assert main(["check", str(tmp_path / "noise.keras")]) == 1
    assert "not a Keras model" in capsys.readouterr().out


def test_predict_arrays(classifier, tmp_path, capsys):
    model, path = classifier
    x = RNG.random((7, 16, 16, 3), np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    for name in ("x.npy", "x.npz"):
        assert (
            main(["predict", path, str(tmp_path / name), "-o", str(tmp_path / "y.npy"), "--batch-size", "3"])
            == 0
        )
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model(x))
    assert "y.npy: output (7, 6)" in capsys.readouterr().out
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {i}" for i in range(6)))
    target = str(tmp_path / "y.csv")
    assert (
        main(["predict", path, str(tmp_path / "x.npy"), "-o", target, "--labels", str(labels), "--top", "2"])
        == 0
    )
    rows = list(csv.reader((tmp_path / "y.csv").open()))
    assert rows[0] == ["input", "class_1", "score_1", "class_2", "score_2"] and len(rows) == 8
    assert rows[1][1] == f"class {model(x)[0].argmax()}"
    np.save(tmp_path / "none.npy", x[:0])
    assert main(["predict", path, str(tmp_path / "none.npy"), "-o", target, "--top", "99"]) == 0
    (heads,) = csv.reader((tmp_path / "y.csv").open())
    assert heads[:3] == ["input", "class_1", "score_1"] and heads[-1] == "score_6"
    capsys.readouterr()
    assert main(["predict", path, str(tmp_path / "x.npy")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_predict_image_files(classifier, tmp_path):
    model, path = classifier
    folder = tmp_path / "images"
    folder.mkdir()
    x = RNG.integers(0, 256, (3, 16, 16, 3), np.uint8)
    for i, pixels in enumerate(x):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("no image")
    assert main(["predict", path, str(folder), "--mode", "tf", "-o", str(tmp_path / "y.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(x / np.float32(127.5) - 1), atol=1e-6)


@pytest.mark.parametrize("inputs", [("photos", "x.npy"), ("x.npz", "photos"), ("x.npy", "y.npy")])
def test_predict_takes_arrays_or_images(inputs, classifier, capsys):
    assert main(["predict", classifier[1], *inputs]) == 1
    assert f"one .npy or .npz file alone. Received: {', '.join(inputs)}" in capsys.readouterr().err


def test_predict_several_inputs(two_inputs, tmp_path):
    _, path = two_inputs
    a, b = RNG.random((2, 4, 3), np.float32)
    np.savez(tmp_path / "x.npz", a=a, b=b)
    assert main(["predict", path, str(tmp_path / "x.npz"), "-o", str(tmp_path / "y.npz")]) == 0
    with np.load(tmp_path / "y.npz") as y:
        np.testing.assert_array_equal(y["output"], a + b)
        np.testing.assert_array_equal(y["output_1"], a * b)


def test_bench_and_profile(classifier, tmp_path, capsys):
    assert main(["bench", classifier[1], "--seconds", "0.05", "--batch", "2", "--threads", "1"]) == 0
    assert "images/s" in capsys.readouterr().out
    assert main(["profile", classifier[1], "--trace", str(tmp_path / "trace.json")]) == 0
    assert "GFLOP/s" in capsys.readouterr().out
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]


@pytest.mark.parametrize("command", ["bench", "profile"])
def test_random_images_for_a_dict_of_one_input(command, tmp_path):
    x = cn.Input((3,), name="a")
    path = tmp_path / "model.keras"
    cn.Model({"a": x}, L.Dense(2)(x)).save(path)
    assert main([command, str(path), *(["--seconds", "0"] if command == "bench" else [])]) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["info", "nowhere.keras"], "nowhere.keras"),
        (["predict", "{model}", "nowhere.png"], "nowhere.png"),
        (["predict", "{model}", "{model}", "-o", "y.txt"], "must end in"),
        (["predict", "{model}", "{model}", "-o", "nowhere/y.csv"], "'nowhere'"),
        (["predict", "{model}", "{model}", "--labels", "{model}"], "UTF-8"),
        (["bench", "{model}", "--size", "16x16"], "leave --size out"),
        (["info", "{model}", "--picture", "x.txt"], ".svg"),
    ],
)
def test_mistakes_end_with_a_message(arguments, text, classifier, capsys):
    code = main([word.replace("{model}", classifier[1]) for word in arguments])
    assert code == 1 and text in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "--batch", "-1"],
        ["bench", "--threads", "0"],
        ["bench", "--seconds", "nan"],
        ["bench", "--seconds", "-1"],
        ["bench", "--seconds", "soon"],
        ["profile", "--seconds", "1"],
        ["predict", "x.npy", "--batch-size", "0"],
        ["demo", "--images", "0"],
    ],
)
def test_options_out_of_range_are_named(words, classifier, capsys):
    with pytest.raises(SystemExit) as stop:
        main([words[0], *([] if words[0] == "demo" else [classifier[1]]), *words[1:]])
    assert stop.value.code == 2 and words[-2] in capsys.readouterr().err


def npz(**arrays):
    return bytes_of(np.savez_compressed, **arrays)


ARRAYS = npz(x=RNG.random((2, 16, 16, 3)))
DAMAGED = {
    "empty.npy": b"",
    "empty.npz": b"",
    "header.npy": b"\x93NUMPY\x01\0",
    "two_bytes.npz": b"PK",
    "cut.npz": ARRAYS[:-40],
    "changed.npz": ARRAYS[:100] + bytes(40) + ARRAYS[140:],
    "text.npy": b"1 2 3\n",
    "no_arrays.npz": npz(),
    "objects.npy": b"\x93NUMPY\x01\0" + b"\x36\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_arrays_are_named_in_one_line(name, classifier, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(DAMAGED[name])
    assert main(["predict", classifier[1], str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and ("pickled" not in line), line


@pytest.mark.parametrize("mode", ["none", "unit", "tf", "torch", "caffe"])
def test_modes_scale_as_keras_does(mode):
    x = np.full((1, 1, 1, 3), 255, np.float32)
    expected = {
        "none": [255, 255, 255],
        "unit": [1, 1, 1],
        "tf": [1, 1, 1],
        "torch": [2.2489083, 2.42857143, 2.64],
        "caffe": [151.061, 138.221, 131.32],
    }
    np.testing.assert_allclose(preprocess(x, mode)[0, 0, 0], expected[mode], rtol=1e-5)


def test_predict_prints_every_output(two_inputs, tmp_path, capsys):
    a = RNG.random((2, 3), np.float32)
    np.savez(tmp_path / "x.npz", a=a, b=a)
    assert main(["predict", two_inputs[1], str(tmp_path / "x.npz"), "--top", "1"]) == 0
    best = a[1].argmax()
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[0], lines[3]) == (6, "output:", "output_1:")
    assert (
        lines[2] == f"  1: {best} {2 * a[1, best]:.4g}" and lines[5] == f"  1: {best} {a[1, best] ** 2:.4g}"
    )
    assert main(["predict", two_inputs[1], str(tmp_path / "x.npz"), "-o", str(tmp_path / "y.csv")]) == 1
    assert "several outputs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", two_inputs[1], str(tmp_path / "x.npz"), "--top", "0"])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, height in enumerate((20, 20, 20, 24, 20)):
        pixels = RNG.integers(0, 256, (height, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_image_files_are_read_batch_by_batch(photos, monkeypatch):
    from conv2d_native import picture_files

    opened = []
    load = picture_files.load_img
    monkeypatch.setattr(
        picture_files, "load_img", lambda path, *rest: opened.append(path) or load(path, *rest)
    )
    paths = picture_files.find_images([str(photos)])
    batches = picture_files.ImageBatches(paths, (16, 16, 3), 2, lambda images: images)
    assert (len(batches), batches.sizes) == (3, 1)
    assert next(iter(batches)).shape == (2, 16, 16, 3) and opened == paths[:2]
    own = picture_files.ImageBatches(paths, (None, None, 3), 2, lambda images: images)
    assert [x.shape[:2] for x in own] == [(2, 20), (1, 20), (1, 24), (1, 20)]
    assert (len(own), own.sizes) == (4, 2)


def test_photos_of_any_size(photos, tmp_path, capsys):
    x = cn.Input((None, None, 3))
    y = L.Conv2D(4, 3)(x)
    cn.Model(x, L.GlobalAveragePooling2D()(y)).save(tmp_path / "classes.keras")
    assert main(["predict", str(tmp_path / "classes.keras"), str(photos), "--top", "1"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(photos / f"{i}.png") for i in range(5)
    ]
    cn.Model(x, y).save(tmp_path / "masks.keras")
    command = ["predict", str(tmp_path / "masks.keras"), str(photos), "-o", str(tmp_path / "y.npy")]
    assert main(command) == 1 and "There are 2" in capsys.readouterr().err
    assert main([*command[:2], str(photos / "0.png"), *command[3:]]) == 0
    assert np.load(tmp_path / "y.npy").shape == (1, 18, 18, 4)


def test_a_damaged_image_is_named(classifier, photos, capsys):
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:500])
    assert main(["predict", classifier[1], str(photos)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(photos / "3.png") in line


def test_what_cannot_be_written_is_said_before_the_work(two_inputs, tmp_path, capsys, monkeypatch):
    a, b = cn.Input((4, 4, 3), name="a"), cn.Input((4, 4, 3), name="b")
    path = str(tmp_path / "masks.keras")
    cn.Model([a, b], {"mask": L.Conv2D(1, 1)(a + b), "sum": L.Flatten()(a + b)}).save(path)
    monkeypatch.setattr(cn.Model, "predict", lambda *_, **__: pytest.fail("predict was called"))
    for model, words, text in (
        (path, [], "Write .npz with -o"),
        (path, ["-o", "y.csv"], "several outputs"),
        (two_inputs[1], ["-o", "y.npy"], "several outputs"),
        (path, ["-o", "y.npz"], "several inputs"),
    ):
        assert main(["predict", model, "x.npy", *words]) == 1
        assert text in capsys.readouterr().err


@pytest.mark.parametrize("words", [["profile", "--trace"], ["info", "--picture"], ["predict", "x.npy", "-o"]])
def test_files_to_write_are_looked_at_before_the_work(words, tmp_path, capsys, monkeypatch):
    """No folder, a folder in the place of the file, a file that may not be written: nothing is computed for them."""
    command, *rest = words
    ending = {"profile": ".json", "info": ".dot", "predict": ".npy"}[command]
    (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / f"kept{ending}").write_bytes(b"")
    monkeypatch.setattr("os.access", lambda path, mode: "kept" not in str(path))
    monkeypatch.setattr(cn.Model, "summary", lambda *_, **__: pytest.fail("something was computed"))
    monkeypatch.setattr(cn.Model, "profile", lambda *_, **__: pytest.fail("something was computed"))
    monkeypatch.setattr(cn.Model, "predict", lambda *_, **__: pytest.fail("something was computed"))
    model = tmp_path / "m.keras"
    cn.Sequential([cn.Input((3,)), L.Dense(2)]).save(model)
    for name, text in (
        ("missing/x", "There is no folder '.*missing' to write x"),
        ("folder", "is a folder, not a file to write"),
        ("kept", "may not be written"),
    ):
        assert main([command, str(model), *rest, str(tmp_path / f"{name}{ending}")]) == 1
        assert re.search(text, capsys.readouterr().err)


def test_names_must_be_as_many_as_the_classes(classifier, tmp_path, capsys):
    np.save(tmp_path / "x.npy", RNG.random((2, 16, 16, 3), np.float32))
    labels = tmp_path / "labels.txt"
    command = ["predict", classifier[1], str(tmp_path / "x.npy"), "--labels", str(labels)]
    labels.write_text("background\n" + "\n".join(f"class {i}" for i in range(6)))
    assert main(command) == 1 and "6 classes. It has 7" in capsys.readouterr().err
    labels.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(b"%d." % i for i in range(6)) + b"\r\n\r\n")
    assert main(command) == 0
    named = {word.split()[0] for word in capsys.readouterr().out.splitlines()[0][3:].split(", ")}
    assert len(named) == 5 and named <= {f"{i}." for i in range(6)}


def test_outputs_in_lists_are_named_by_their_places(tmp_path, capsys):
    x = cn.Input((2,))
    path = str(tmp_path / "nested.keras")
    cn.Model(x, {"p": [x * 2.0, x * 3.0], "q": x * 4.0}).save(path)
    np.save(tmp_path / "x.npy", np.float32([[1, 2]]))
    assert main(["predict", path, str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npz")]) == 0
    with np.load(tmp_path / "y.npz") as y:
        assert {name: y[name].tolist() for name in y} == {"p_0": [[2, 4]], "p_1": [[3, 6]], "q": [[4, 8]]}
    assert main(["predict", path, str(tmp_path / "x.npy")]) == 0
    assert "p_1:\n  0: 1 6, 0 3\n" in capsys.readouterr().out


def test_an_input_with_a_key(tmp_path):
    x = cn.Input((3,))
    path = str(tmp_path / "keyed.keras")
    cn.Model({"values": x}, x * 2.0).save(path)
    np.save(tmp_path / "x.npy", np.float32([[1, 2, 3]]))
    assert main(["predict", path, str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]) == 0
    assert np.load(tmp_path / "y.npy").tolist() == [[2, 4, 6]]


def test_layers_without_weights(classifier, tmp_path, capsys):
    path = tmp_path / "model.json"
    path.write_text(classifier[0].to_json())
    assert main(["check", str(path)]) == 0
    assert "142 parameters are not in the file: load_weights" in capsys.readouterr().out
    assert main(["predict", str(path), "x.npy"]) == 1
    assert "model.json: holds layers without weights" in capsys.readouterr().err
    with pytest.raises(cn.ModelFormatError, match="model_from_json"):
        cn.load_model(path)


def test_output_that_nobody_reads_on(classifier):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "conv2d_native", "info", classifier[1]]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_ends_a_command_without_a_traceback(classifier, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("conv2d_native.cli.load_model", interrupted)
    assert main(["bench", classifier[1]]) == 130
