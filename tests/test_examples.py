"""The article's programs run as they stand, and differ from the Keras programs in one import line only."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SHAPES = {"article_1": (50, 62, 62, 2), "article_2": (50, 64, 64, 2), "article_3": (50, 10)}


@pytest.mark.parametrize("name", SHAPES)
def test_program(name, capsys):
    made = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert str(SHAPES[name]) in capsys.readouterr().out
    result = made["probabilities"] if name == "article_3" else made["y"]
    assert result.shape == SHAPES[name] and result.dtype == np.float32 and (result >= 0).all()
    if name == "article_3":
        np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_one_line_names_the_package(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(re.findall(r"^.*conv2d_native.*import.*$|^import conv2d_native.*$", text, re.MULTILINE)) == 1
    assert text.count("conv2d_native") == 1


def test_the_demo_prints_what_it_promises(capsys):
    from conv2d_native.cli import main

    assert main(["demo", "--images", "3"]) == 0
    out = capsys.readouterr().out
    assert "98.61%" in out and " us" in out and "Keras" in out and "@@" in out


def test_the_command_line_explains_itself(capsys):
    from conv2d_native.cli import COMMANDS, main

    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(command.name in out and command.help in out for command in COMMANDS)
    with pytest.raises(SystemExit) as stop:
        main(["nonsense"])
    assert stop.value.code == 2
