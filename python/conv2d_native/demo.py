"""The demo: a digit network that Keras trained, opened and run here, beside Keras's answers and plain NumPy.

    python -m conv2d_native demo

Files, licence and training are described in data/README.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .models import load_model
from .models.profiling import call_times

DATA = Path(__file__).resolve().parent / "data"
_SHADES = " .:-=+*#%@"


def run(shown: int = 12) -> None:
    """Classify the held-back images and print `shown` of them, the accuracies and the times per image."""
    held_back = np.load(DATA / "digits.npz", allow_pickle=False)
    images, labels, keras_answer = held_back["images"], held_back["labels"], held_back["predictions"]
    model = load_model(DATA / "digits.keras")
    x = images.astype(np.float32)
    answer = model.predict(x, batch_size=len(x), verbose=0)
    predicted = answer.argmax(axis=1)

    print(
        f"A CNN of {len(model.layers)} layers, trained by Keras, reads {len(x)} digits it has never seen.\n"
    )
    wrong = np.flatnonzero(predicted != labels)[: max(shown // 4, 1)]
    right = np.flatnonzero(predicted == labels)[: max(shown - len(wrong), 0)]
    picks = [*right, *wrong]
    per_row = max((shutil.get_terminal_size().columns - 2) // (2 * images.shape[2] + 2), 1)
    for start in range(0, len(picks), per_row):
        row = picks[start : start + per_row]
        print_images(images[row, :, :, 0], [_caption(answer[i], int(labels[i])) for i in row])

    baseline = numpy_network(model.layers)
    seconds = seconds_per_call(lambda: model.predict(x, batch_size=len(x), verbose=0))
    numpy_seconds = seconds_per_call(lambda: baseline(x))
    rows = [
        ("conv2d_native", accuracy(answer, labels), seconds),
        ("NumPy, one matrix product per layer", accuracy(baseline(x), labels), numpy_seconds),
        ("Keras, as recorded after training", float(held_back["accuracy"]), None),
    ]
    print(f"{'':36s}{'accuracy':>10s}{'time per image':>18s}")
    for name, share, took in rows:
        print(f"{name:36s}{share:>10.2%}" + (f"{took / len(x) * 1e6:>15.2f} us" if took else f"{'-':>15s}"))
    print(
        f"\nconv2d_native is {numpy_seconds / seconds:.1f} times as fast as NumPy here; its probabilities are"
    )
    print(f"within {np.abs(answer - keras_answer).max():.1e} of Keras's.")


def accuracy(answer: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows of `answer` (n, classes) whose largest entry is at its label."""
    return float((answer.argmax(axis=1) == labels).mean())


def print_images(images: np.ndarray, captions: Sequence[str]) -> None:
    """Print images (n, h, w) with values from 0 to 16 side by side, a caption under each."""
    levels = np.minimum(images.astype(int) * len(_SHADES) // 17, len(_SHADES) - 1)
    width = 2 * images.shape[2]
    for line in range(images.shape[1]):
        print("  " + "  ".join("".join(2 * _SHADES[v] for v in image[line]) for image in levels).rstrip())
    print("  " + "  ".join(caption.center(width) for caption in captions).rstrip() + "\n")


def _caption(answer: np.ndarray, label: int) -> str:
    best = int(answer.argmax())
    return f"{best} ({answer[best]:.0%})" + ("" if best == label else f", not {label}")


def seconds_per_call(call: Callable[[], Any]) -> float:
    """Median time of one call over 0.3 seconds, after a call that warms up."""
    call()
    return float(np.median(call_times(call, 0.3)))


def numpy_network(layers: Sequence[Any]) -> Callable[[np.ndarray], np.ndarray]:
    """The same network in float32 NumPy: for each layer a function, convolutions as windows times one matrix."""
    steps = [_STEPS[type(layer).__name__](layer) for layer in layers if type(layer).__name__ in _STEPS]

    def forward(x: np.ndarray) -> np.ndarray:
        for step in steps:
            x = step(x)
        return x

    return forward


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


Step = Callable[[np.ndarray], np.ndarray]
_ACTIVATIONS: dict[str, Step] = {"relu": _relu, "softmax": _softmax}


def _rescaling(layer: Any) -> Step:
    scale, offset = np.float32(layer.scale), np.float32(layer.offset)
    return lambda x: x * scale + offset


def _conv2d(layer: Any) -> Step:
    kernel, bias = layer.get_weights()
    kh, kw, _, filters = kernel.shape
    matrix = kernel.reshape(-1, filters)
    activation = _ACTIVATIONS[layer.get_config()["activation"]]

    def step(x: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((0, 0), ((kh - 1) // 2, kh // 2), ((kw - 1) // 2, kw // 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(1, 2))
        rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(matrix))
        return activation(rows @ matrix + bias).reshape(*x.shape[:3], filters)

    return step


def _batch_normalization(layer: Any) -> Step:
    gamma, beta, mean, variance = layer.get_weights()
    scale = gamma / np.sqrt(variance + np.float32(layer.epsilon))
    shift = beta - mean * scale
    return lambda x: x * scale + shift


def _max_pooling2d(layer: Any) -> Step:
    def step(x: np.ndarray) -> np.ndarray:
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))

    return step


def _dense(layer: Any) -> Step:
    kernel, bias = layer.get_weights()
    activation = _ACTIVATIONS[layer.get_config()["activation"]]
    return lambda x: activation(x @ kernel + bias)


_STEPS: dict[str, Callable[[Any], Step]] = {
    "Rescaling": _rescaling,
    "Conv2D": _conv2d,
    "BatchNormalization": _batch_normalization,
    "MaxPooling2D": _max_pooling2d,
    "Flatten": lambda layer: lambda x: x.reshape(len(x), -1),
    "Dense": _dense,
}
