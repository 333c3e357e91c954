"""The command line on small models: what is printed, what is written, what goes wrong."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.applications import preprocess
from conv2d_native.cli import main

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


def test_predict_several_inputs(two_inputs, tmp_path):
    _, path = two_inputs
    a, b = RNG.random((2, 4, 3), np.float32)
    np.savez(tmp_path / "x.npz", a=a, b=b)
    assert main(["predict", path, str(tmp_path / "x.npz"), "-o", str(tmp_path / "y.npz")]) == 0
    with np.load(tmp_path / "y.npz") as y:
        np.testing.assert_array_equal(y["output"], a + b)
        np.testing.assert_array_equal(y["output_1"], a * b)


def test_bench_and_profile(classifier, tmp_path, capsys):
    threads = cn.get_num_threads()
    assert main(["bench", classifier[1], "--seconds", "0.05", "--batch", "2", "--threads", "1"]) == 0
    assert "images/s" in capsys.readouterr().out
    assert main(["profile", classifier[1], "--trace", str(tmp_path / "trace.json")]) == 0
    assert "GFLOP/s" in capsys.readouterr().out
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    cn.set_num_threads(threads)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["info", "nowhere.keras"], "nowhere.keras"),
        (["predict", "{model}", "nowhere.png"], "nowhere.png"),
        (["predict", "{model}", "{model}", "-o", "y.txt"], "must end in"),
        (["bench", "{model}", "--batch", "-1"], "batch"),
        (["bench", "{model}", "--size", "16x16"], "leave --size out"),
        (["info", "{model}", "--picture", "x.txt"], ".svg"),
    ],
)
def test_mistakes_end_with_a_message(arguments, text, classifier, capsys):
    code = main([word.replace("{model}", classifier[1]) for word in arguments])
    assert code == 1 and text in capsys.readouterr().err


def npz(**arrays):
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


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
