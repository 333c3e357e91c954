"""Initializers, regularizers and constraints as data: each is made again of its configuration."""

import pytest

from conv2d_native import constraints, initializers, regularizers

OBJECTS = [
    (module, name) for module in (constraints, initializers, regularizers) for name in module.TABLE.classes
]


@pytest.mark.parametrize(("module", "name"), OBJECTS, ids=lambda value: getattr(value, "__name__", value))
def test_round_trip(module, name):
    one = module.TABLE.classes[name]()
    serialized = module.serialize(one)
    assert serialized == {
        "module": f"keras.{module.TABLE.kind}",
        "class_name": name,
        "config": one.get_config(),
        "registered_name": None,
    }
    for form in (serialized, {"class_name": name, "config": one.get_config()}, {"class_name": name}):
        again = module.deserialize(form)
        assert type(again) is type(one) and again.get_config() == one.get_config()
    assert type(module.get(name)) is type(module.get(type(one))) is type(one)
    assert module.get(one) is one
