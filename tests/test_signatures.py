"""Keras's signatures, stored by golden/make_signatures.py, against this package's: names, order, defaults."""

import inspect

import pytest

import conv2d_native as cn
from answers import SIGNATURES
from conv2d_native import activations

OTHERS = {
    "Input": cn.Input,
    "load_model": cn.load_model,
    "Model.get_layer": cn.Model.get_layer,
    "Model.load_weights": cn.Model.load_weights,
    "Model.predict": cn.Model.predict,
    "Model.predict_on_batch": cn.Model.predict_on_batch,
    "Model.save": cn.Model.save,
    "Model.save_weights": cn.Model.save_weights,
    "Model.summary": cn.Model.summary,
    "Sequential": cn.Sequential,
}
for PLACE in ("saving", "utils"):
    OTHERS |= {
        name: getattr(getattr(cn, PLACE), name.removeprefix(f"{PLACE}."))
        for name in SIGNATURES
        if name.startswith(f"{PLACE}.")
    }
LAYERS = sorted((set(SIGNATURES) & set(cn.layers.layer_names())) - set(OTHERS))
# Last arguments of some signatures: every layer takes the first two by name, the others have no meaning here.
LEFT_OUT = {
    "name", "dtype", "lora_rank", "lora_alpha", "quantization_config", "gptq_unpacked_column_size", "zipped",
    "layer_range", "max_shard_size",
}  # fmt: skip


def arguments_of(target):
    found = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
    return [
        (p.name, ...) if p.default is p.empty else (p.name, p.default)
        for p in found
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]


def plain(default):
    """One number stands for one per axis, a list for a tuple, and capitals do not matter."""
    if isinstance(default, (list, tuple)):
        items = tuple(plain(item) for item in default)
        return items[0] if len(set(items)) == 1 else items
    return default.lower() if isinstance(default, str) else default


def check(name, target):
    expected = [(argument, plain(default[0]) if default else ...) for argument, *default in SIGNATURES[name]]
    ours = [(argument, plain(default)) for argument, default in arguments_of(target)]
    while len(expected) > len(ours) and expected[-1][0] in LEFT_OUT:
        expected.pop()
    assert ours[: len(expected)] == expected


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    check(name, getattr(cn.layers, name))


@pytest.mark.parametrize("name", OTHERS)
def test_others(name):
    check(name, OTHERS[name])


def test_missing_arguments_are_named_with_the_class():
    with pytest.raises(TypeError, match=r"^Conv2D\.__init__\(\) missing .*'filters' and 'kernel_size'"):
        cn.layers.Conv2D()
    with pytest.raises(TypeError, match=r"^Dropout\(\) missing a required argument: 'rate'"):
        cn.layers.Dropout()
    with pytest.raises(TypeError, match=r"^Dropout\(\) too many positional arguments"):
        cn.layers.Dropout(0.5, None, 1, 2)
    with pytest.raises(TypeError, match=r"^MaxPooling2D\(\) got an unexpected keyword argument 'stride'"):
        cn.layers.MaxPooling2D(2, stride=1)


@pytest.mark.parametrize("name", activations.LAYERS)
def test_activations_of_files_have_the_defaults_of_their_layers(name):
    """What a file leaves out of {"class_name": "LeakyReLU", "config": {}} is what the layer has."""
    words = inspect.signature(getattr(cn.layers, name)).parameters
    _, defaults = activations.LAYERS[name]
    assert defaults == {word: words[word].default for word in words if word != "kwargs"}
