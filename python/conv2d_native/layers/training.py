"""Layers that only act in training: at inference they return their input.

A class is made of a row of words: Keras's arguments in Keras's order with their defaults.
"""

from __future__ import annotations

import inspect
from typing import Any

from .. import arguments
from ..named_objects import plain
from .base import Layer
from .registry import register_layer

_ARGUMENT, _KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY


class TrainingOnly(Layer):
    """Returns its input. Its signature's arguments are kept as data; `rates` are those that go from 0 to 1."""

    words: tuple[inspect.Parameter, ...] = ()
    rates: tuple[str, ...] = ()
    takes_trainable = True  # whether Keras's constructor has the argument

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        own = {word.name for word in self.words}
        others = {name: kwargs.pop(name) for name in set(kwargs) - own}
        super().__init__(**others)
        bound = arguments.bound(type(self).__name__, inspect.Signature(self.words), args, kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name in self.rates and not 0 <= arguments.number(name, value) <= 1:
                raise ValueError(arguments.must(name, "be a number from 0 to 1", value))
            setattr(self, name, arguments.data_format(value) if name == "data_format" else value)

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        config = super().get_config() | {word.name: plain(getattr(self, word.name)) for word in self.words}
        if not self.takes_trainable:
            del config["trainable"]
        return config


def _layer(name: str, keywords: str = "", rates: tuple[str, ...] = (), **words: Any) -> Any:
    """Register a class with the arguments `words`; `...` marks a required one. `keywords` can be given by name only."""
    parameters = [
        inspect.Parameter(word, _ARGUMENT, default=inspect.Parameter.empty if value is ... else value)
        for word, value in words.items()
    ]
    parameters += [inspect.Parameter(word, _KEYWORD, default=None) for word in keywords.split()]
    rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    facts: dict[str, Any] = {
        "__doc__": f"""Acts in training only; returns its input here.

    >>> {name}({", ".join(_EXAMPLES[word] for word, value in words.items() if value is ...)})(np.ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """,
        "__module__": __name__,
        "__signature__": inspect.Signature([*parameters, rest]),
        "words": tuple(parameters),
        "rates": rates,
    }
    return register_layer(type(name, (TrainingOnly,), facts))


_EXAMPLES = {
    "rate": "0.5", "stddev": "0.5", "drop_path_rate": "0.5", "factor": "0.5",
    "height_factor": "0.5", "width_factor": "0.5",
}  # fmt: skip
_RATE = ("rate",)
_BOXES, _BOXES_AND_FORMAT = "bounding_box_format", "bounding_box_format data_format"
_RANGE: Any = {"value_range": (0, 255)}
_LINEAR: Any = {"interpolation": "bilinear"}
_SEED_FORMAT: Any = {"seed": None, "data_format": None}
_FORMAT_SEED: Any = {"data_format": None, "seed": None}
_FILL: Any = {"fill_mode": "reflect", **_LINEAR, "seed": None, "fill_value": 0.0, "data_format": None}

Dropout = _layer("Dropout", rates=_RATE, rate=..., noise_shape=None, seed=None)
FixedDropout = _layer("FixedDropout", rates=_RATE, rate=..., noise_shape=None, seed=None)  # of efficientnet
SpatialDropout1D = _layer("SpatialDropout1D", rates=_RATE, rate=..., seed=None)
SpatialDropout2D = _layer("SpatialDropout2D", rates=_RATE, rate=..., **_FORMAT_SEED)
SpatialDropout3D = _layer("SpatialDropout3D", rates=_RATE, rate=..., **_FORMAT_SEED)
for _spatial in (SpatialDropout1D, SpatialDropout2D, SpatialDropout3D):
    _spatial.takes_trainable = False
AlphaDropout = _layer("AlphaDropout", rates=_RATE, rate=..., noise_shape=None, seed=None)
GaussianDropout = _layer("GaussianDropout", rates=_RATE, rate=..., seed=None)
GaussianNoise = _layer("GaussianNoise", rates=("stddev",), stddev=..., seed=None)
ActivityRegularization = _layer("ActivityRegularization", l1=0.0, l2=0.0)
for _keeping_masks in (
    Dropout, FixedDropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D, AlphaDropout, GaussianDropout,
    GaussianNoise, ActivityRegularization,
):  # fmt: skip
    _keeping_masks.supports_masking = True
StochasticDepth = _layer("StochasticDepth", rates=("drop_path_rate",), drop_path_rate=...)

RandomFlip = _layer("RandomFlip", _BOXES, mode="horizontal_and_vertical", **_SEED_FORMAT)
RandomRotation = _layer("RandomRotation", _BOXES, factor=..., **_FILL)
RandomTranslation = _layer("RandomTranslation", _BOXES, height_factor=..., width_factor=..., **_FILL)
RandomZoom = _layer("RandomZoom", _BOXES, height_factor=..., width_factor=None, **_FILL)
RandomHeight = _layer("RandomHeight", factor=..., **_LINEAR, seed=None)  # of Keras 2
RandomWidth = _layer("RandomWidth", factor=..., **_LINEAR, seed=None)
RandomShear = _layer(
    "RandomShear", _BOXES, x_factor=0.0, y_factor=0.0, **_LINEAR, fill_mode="reflect", fill_value=0.0, **_FORMAT_SEED
)  # fmt: skip
RandomPerspective = _layer(
    "RandomPerspective", _BOXES, factor=1.0, scale=1.0, **_LINEAR, fill_value=0.0, **_SEED_FORMAT
)
RandomElasticTransform = _layer(
    "RandomElasticTransform", _BOXES, factor=1.0, scale=1.0, **_LINEAR, fill_mode="reflect", fill_value=0.0,
    **_RANGE, **_SEED_FORMAT,
)  # fmt: skip
RandomErasing = _layer(
    "RandomErasing", _BOXES, factor=1.0, scale=(0.02, 0.33), fill_value=None, **_RANGE, **_SEED_FORMAT
)
RandomContrast = _layer("RandomContrast", _BOXES_AND_FORMAT, factor=..., **_RANGE, seed=None)
RandomBrightness = _layer("RandomBrightness", _BOXES_AND_FORMAT, factor=..., **_RANGE, seed=None)
RandomHue = _layer("RandomHue", _BOXES, factor=..., **_RANGE, **_FORMAT_SEED)
RandomSaturation = _layer("RandomSaturation", _BOXES, factor=..., **_RANGE, **_FORMAT_SEED)
RandomSharpness = _layer("RandomSharpness", _BOXES, factor=..., **_RANGE, **_FORMAT_SEED)
RandomPosterization = _layer("RandomPosterization", _BOXES, factor=..., **_RANGE, **_FORMAT_SEED)
RandomColorDegeneration = _layer("RandomColorDegeneration", _BOXES, factor=..., **_RANGE, **_FORMAT_SEED)
RandomColorJitter = _layer(
    "RandomColorJitter", _BOXES, **_RANGE, brightness_factor=None, contrast_factor=None, saturation_factor=None,
    hue_factor=None, **_SEED_FORMAT,
)  # fmt: skip
RandomGrayscale = _layer("RandomGrayscale", _BOXES, factor=0.5, **_FORMAT_SEED)
RandomInvert = _layer("RandomInvert", _BOXES, factor=1.0, **_RANGE, **_SEED_FORMAT)
RandomGaussianBlur = _layer(
    "RandomGaussianBlur", _BOXES, factor=1.0, kernel_size=3, sigma=1.0, **_RANGE, **_FORMAT_SEED
)
Solarization = _layer(
    "Solarization", _BOXES_AND_FORMAT, addition_factor=0.0, threshold_factor=0.0, **_RANGE, seed=None
)
Equalization = _layer("Equalization", _BOXES, **_RANGE, bins=256, data_format=None)
MixUp = _layer("MixUp", _BOXES, alpha=0.2, **_FORMAT_SEED)
CutMix = _layer("CutMix", _BOXES, factor=1.0, **_SEED_FORMAT)
RandAugment = _layer("RandAugment", _BOXES, **_RANGE, num_ops=2, factor=0.5, **_LINEAR, **_SEED_FORMAT)
AugMix = _layer(
    "AugMix", _BOXES, **_RANGE, num_chains=3, chain_depth=3, factor=0.3, alpha=1.0, all_ops=True, **_LINEAR,
    **_SEED_FORMAT,
)  # fmt: skip
