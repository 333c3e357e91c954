"""Public names have docstrings with examples, and the examples run in what the package's own docstring assumes."""

import doctest
import importlib
import inspect
import pkgutil
import re
import sys

import pytest

import conv2d_native as cn

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(cn.__path__, "conv2d_native.")
    if not info.name.endswith(("_core", "__main__"))
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ASSUMED = "\n".join(
    re.findall(r"^    ((?:import|from) .*)$", cn.__doc__.partition("Examples in")[2], re.MULTILINE)
)


@pytest.fixture(autouse=True)
def registered_restored():
    """What examples register is not there for the tests of other files."""
    objects = cn.saving.get_custom_objects()
    before = dict(objects)
    yield
    objects.clear()
    objects.update(before)


def run_examples(found):
    runner, said = doctest.DocTestRunner(optionflags=FLAGS), []
    for test in found:
        runner.run(test, out=said.append)
    assert not runner.summarize(verbose=False).failed, "".join(said)


def names_assumed(module="conv2d_native"):
    """What examples may use: NumPy, the package's names, its layers, and the names of the module where they stand."""
    names = {}
    exec(f"{ASSUMED}\nfrom {module} import *", names)
    return names


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    run_examples(finder.find(module, name, globs=names_assumed() | dict(vars(module))))


FOR_LAYERS_OF_ONES_OWN = {
    "add_weight", "build", "call", "check_shape", "compute_output_shape", "named_sublayers",
}  # fmt: skip
PLACES = (
    cn, cn.layers, cn.functional, cn.models, cn.saving, cn.utils, cn.backend, cn.random, cn.applications,
)  # fmt: skip


def public_names():
    for module in PLACES:
        for name in module.__all__:
            if not inspect.ismodule(getattr(module, name)):
                yield f"{module.__name__}.{name}", getattr(module, name)
    for cls in (cn.layers.Layer, cn.Model, cn.Sequential):
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and name not in FOR_LAYERS_OF_ONES_OWN:
                yield f"conv2d_native.{cls.__name__}.{name}", value


PUBLIC = dict(public_names())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_examples(name, tmp_path, monkeypatch):
    """The example needs nothing but the lines that the package's docstring names."""
    monkeypatch.chdir(tmp_path)
    text, module = inspect.getdoc(PUBLIC[name]), name.rpartition(".")[0]
    assert text and len(text) > 40
    names = names_assumed(module if module in sys.modules else "conv2d_native")
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert test.examples
    run_examples([test])


def test_every_module_says_what_it_is():
    for name in MODULES:
        assert len(importlib.import_module(name).__doc__ or "") > 20, name
