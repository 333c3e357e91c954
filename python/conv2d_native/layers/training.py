"""Layers that only act in training: at inference they return their input."""

from __future__ import annotations

from typing import Any

from .. import arguments
from .base import Layer
from .registry import register_layer


class TrainingOnly(Layer):
    """Returns its input. `words` are the constructor's arguments with their defaults; they are kept as data."""

    words: dict[str, Any] = {}  # noqa: RUF012
    rates: tuple[str, ...] = ()  # arguments from 0 to 1
    takes_trainable = True  # whether Keras's constructor has the argument

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = list(self.words)
        if len(args) > len(names):
            raise TypeError(
                f"{type(self).__name__}() takes {len(names)} positional arguments, {len(args)} given"
            )
        given = dict(zip(names, args, strict=False))
        for name in given:
            if name in kwargs:
                raise TypeError(f"{type(self).__name__}() got multiple values for argument {name!r}")
        given |= {name: kwargs.pop(name) for name in names if name in kwargs}
        super().__init__(**kwargs)
        missing = [name for name in names if self.words[name] is ... and name not in given]
        if missing:
            raise TypeError(f"{type(self).__name__}() missing a required argument: {missing[0]!r}")
        for name in names:
            value = given.get(name, self.words[name])
            if name in self.rates and not 0 <= arguments.number(name, value) <= 1:
                raise ValueError(
                    f"`{name}` must be a number from 0 to 1. Received: {name}={arguments.shown(value)}."
                )
            setattr(self, name, arguments.data_format(value) if name == "data_format" else value)

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        values = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in ((name, getattr(self, name)) for name in self.words)
        }
        config = super().get_config() | values
        if not self.takes_trainable:
            del config["trainable"]
        return config


def _layer(name: str, *, rates: tuple[str, ...] = (), **words: Any) -> Any:
    """Register a class; `...` marks a required argument."""
    shown = ", ".join(key if value is ... else f"{key}={value!r}" for key, value in words.items())
    doc = f"{name}({shown}): acts in training only; returns its input here."
    made = type(
        name, (TrainingOnly,), {"__doc__": doc, "__module__": __name__, "words": words, "rates": rates}
    )
    return register_layer(made)


_RATE = ("rate",)
_IMAGES: Any = {"bounding_box_format": None, "data_format": None}
_RANGE: Any = {"value_range": (0, 255)}
_FILL: Any = {"fill_mode": "reflect", "interpolation": "bilinear", "seed": None, "fill_value": 0.0}

Dropout = _layer("Dropout", rates=_RATE, rate=..., noise_shape=None, seed=None)
SpatialDropout1D = _layer("SpatialDropout1D", rates=_RATE, rate=..., seed=None)
SpatialDropout2D = _layer("SpatialDropout2D", rates=_RATE, rate=..., data_format=None, seed=None)
SpatialDropout1D.takes_trainable = SpatialDropout2D.takes_trainable = False
AlphaDropout = _layer("AlphaDropout", rates=_RATE, rate=..., noise_shape=None, seed=None)
GaussianDropout = _layer("GaussianDropout", rates=_RATE, rate=..., seed=None)
GaussianNoise = _layer("GaussianNoise", rates=("stddev",), stddev=..., seed=None)
ActivityRegularization = _layer("ActivityRegularization", l1=0.0, l2=0.0)
StochasticDepth = _layer("StochasticDepth", rates=("drop_path_rate",), drop_path_rate=...)

RandomFlip = _layer("RandomFlip", mode="horizontal_and_vertical", seed=None, **_IMAGES)
RandomRotation = _layer("RandomRotation", factor=..., **_FILL, **_IMAGES)
RandomTranslation = _layer("RandomTranslation", height_factor=..., width_factor=..., **_FILL, **_IMAGES)
RandomZoom = _layer("RandomZoom", height_factor=..., width_factor=None, **_FILL, **_IMAGES)
RandomShear = _layer(
    "RandomShear",
    x_factor=0.0,
    y_factor=0.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    **_IMAGES,
)
RandomContrast = _layer("RandomContrast", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomBrightness = _layer("RandomBrightness", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomHue = _layer("RandomHue", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomSaturation = _layer("RandomSaturation", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomSharpness = _layer("RandomSharpness", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomPosterization = _layer("RandomPosterization", factor=..., **_RANGE, seed=None, **_IMAGES)
Solarization = _layer(
    "Solarization", addition_factor=0.0, threshold_factor=0.0, **_RANGE, seed=None, **_IMAGES
)
Equalization = _layer("Equalization", **_RANGE, bins=256, **_IMAGES)
RandomColorDegeneration = _layer("RandomColorDegeneration", factor=..., **_RANGE, seed=None, **_IMAGES)
RandomGrayscale = _layer("RandomGrayscale", factor=0.5, seed=None, **_IMAGES)
RandomInvert = _layer("RandomInvert", factor=1.0, **_RANGE, seed=None, **_IMAGES)
RandomGaussianBlur = _layer(
    "RandomGaussianBlur", factor=1.0, kernel_size=3, sigma=1.0, **_RANGE, seed=None, **_IMAGES
)
RandomErasing = _layer(
    "RandomErasing", factor=1.0, scale=(0.02, 0.33), fill_value=None, **_RANGE, seed=None, **_IMAGES
)
RandomPerspective = _layer(
    "RandomPerspective",
    factor=1.0,
    scale=1.0,
    interpolation="bilinear",
    fill_value=0.0,
    seed=None,
    **_IMAGES,
)
RandomElasticTransform = _layer(
    "RandomElasticTransform",
    factor=1.0,
    scale=1.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    **_RANGE,
    seed=None,
    **_IMAGES,
)
RandomColorJitter = _layer(
    "RandomColorJitter",
    **_RANGE,
    brightness_factor=None,
    contrast_factor=None,
    saturation_factor=None,
    hue_factor=None,
    seed=None,
    **_IMAGES,
)
MixUp = _layer("MixUp", alpha=0.2, seed=None, **_IMAGES)
CutMix = _layer("CutMix", factor=1.0, seed=None, **_IMAGES)
RandAugment = _layer(
    "RandAugment", **_RANGE, num_ops=2, factor=0.5, interpolation="bilinear", seed=None, **_IMAGES
)
AugMix = _layer(
    "AugMix",
    **_RANGE,
    num_chains=3,
    chain_depth=3,
    factor=0.3,
    alpha=1.0,
    all_ops=True,
    interpolation="bilinear",
    seed=None,
    **_IMAGES,
)
