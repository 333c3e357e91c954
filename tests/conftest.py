"""Fixtures that several test files share."""

import pytest

from conv2d_native import _core, functional


@pytest.fixture(params=_core.isa_names())
def isa(request):
    """Runs the test on every instruction set that this CPU has."""
    before = _core.active_isa()
    _core.use_isa(request.param)
    functional.eager._prepared.clear()
    yield request.param
    _core.use_isa(before)
    functional.eager._prepared.clear()
