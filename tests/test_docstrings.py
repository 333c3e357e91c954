"""Public names have docstrings, and the examples in them run."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import conv2d_native as cn

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(cn.__path__, "conv2d_native.")
    if not info.name.endswith(("_core", "__main__"))
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def names():
    """What an example may use without an import: the package's names, layers, and NumPy."""
    found = {name: getattr(cn.layers, name) for name in cn.layers.__all__}
    return found | {name: getattr(cn, name) for name in cn.__all__} | {"cn": cn, "np": np}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    threads = cn.get_num_threads()
    for test in finder.find(module, name, globs=names() | dict(vars(module))):
        runner.run(test, out=said.append)
    cn.set_num_threads(threads)
    assert not runner.summarize(verbose=False).failed, "".join(said)


FUNCTIONS = [name for name in cn.__all__ if inspect.isroutine(getattr(cn, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_are_described(name):
    text = inspect.getdoc(getattr(cn, name))
    assert text and len(text) > 40
