"""These tests build networks with Keras and compare with its answers. Without Keras they are not collected."""

import os
from importlib.util import find_spec

import pytest

INSTALLED = find_spec("keras") is not None and find_spec("tensorflow") is not None
collect_ignore_glob = [] if INSTALLED else ["test_*.py"]
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow convolves channels-first images with it only


def pytest_collection_modifyitems(config, items):
    given = config.getoption("timeout")
    for item in items:
        if "with_keras" in item.path.parts:
            item.add_marker(pytest.mark.keras)
            item.add_marker(pytest.mark.timeout(600 if given is None else given))
