"""The article's programs run as they stand, and differ from the Keras programs in one import line only."""

import ast
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import conv2d_native as cn

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


def test_the_readme_s_program_runs(capsys):
    """The block that makes its own arrays; the shapes that its comments promise are those that come out."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (program,) = (block for block in blocks if "np.random" in block)
    names, shapes = {}, {}
    for statement in ast.parse(program).body:
        line = program.splitlines()[statement.end_lineno - 1]
        exec(ast.unparse(statement), names)
        if promised := re.search(r"# (\([\d, ]+\))$", line):
            shapes[line] = promised[1]
            assert str(names["y"].shape) == promised[1], line
    assert len(shapes) == 2 and names["probabilities"].shape == (8, 10)
    assert "Total params" in capsys.readouterr().out


@pytest.fixture
def files_of_the_docs(tmp_path, monkeypatch):
    """The files that docs/models.md speaks of."""
    layers = cn.layers
    image = cn.Input((224, 224, 3))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, strides=4)(image))
    model = cn.Model(image, layers.Dense(10, activation="softmax")(y))
    monkeypatch.chdir(tmp_path)
    for name in ("model.keras", "resnet50.keras"):
        model.save(name)
    model.save_weights("model.weights.h5")
    program = next(text for text in blocks("docs/models.md", "python") if "class Net" in text)
    own: dict = {}
    exec(program.partition("model = ")[0], own)
    net = own["Net"]()
    net(np.zeros((1, 32, 32, 3)))
    net.save("net.keras")
    Path("photos").mkdir()
    for name in ("cat.jpg", "photos/one.png", "photos/two.jpg"):
        cn.utils.save_img(name, np.random.default_rng(0).random((40, 30, 3)))
    Path("labels.txt").write_text("".join(f"class {i}\n" for i in range(10)))
    return model


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (EXAMPLES.parent / name).read_text(), re.DOTALL)


def test_the_blocks_of_the_docs_run(files_of_the_docs, capsys):
    """Those of docs/models.md one after the other, as a reader would, and the README's first."""
    model, images = files_of_the_docs, np.random.default_rng(1).random((3, 224, 224, 3))
    names = {"cn": cn, "images": images, "keras_model": model, "text": model.to_json(), "my_swish": np.tanh}
    programs = [blocks("README.md", "python")[0], *blocks("docs/models.md", "python")]
    assert len(programs) == 9
    for program in programs:
        made = dict(names)
        exec(program, made)
        if "x = cn.Input" not in program:  # models of any size stay apart
            names = made
    out = capsys.readouterr().out
    assert names["y"].shape == (3, 10) and names["scores"].shape == (1, 10) and names["report"].ok
    assert "Total params" in out and "GFLOP/s" in out
    for file in ("trace.json", "model.dot", "small.keras", "small.weights.h5"):
        assert Path(file).stat().st_size > 0


def test_the_commands_of_the_docs_run(files_of_the_docs, capsys):
    from conv2d_native.cli import COMMANDS, main

    (commands,) = blocks("docs/models.md", "sh")
    ran = set()
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == ["python", "-m", "conv2d_native"]
        seconds = ["--seconds", "0.05"] if words[3] == "bench" else []
        assert main(words[3:] + seconds) == 0, capsys.readouterr().err
        ran.add(words[3])
    assert ran == {command.name for command in COMMANDS} - {"demo"}
    rows = Path("classes.csv").read_text().splitlines()
    assert len(rows) == 3 and rows[1].startswith("photos/one.png,class ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["faces.py", "missing"],
            "missing does not hold the networks: python examples/convert_mtcnn.py missing",
        ),
        (["edges.py", "none.png"], "none.png"),
        (["convert_mtcnn.py", "taken"], "taken"),
        (["unet.py"], "no package here"),
    ],
)
def test_programs_without_what_they_need_say_it_in_a_line(words, said, tmp_path):
    """A file that is not there, a package that is not installed: no traceback."""
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "skimage.py").write_text("raise ImportError('no package here')")
    for name in ("joblib", "mtcnn"):
        (tmp_path / f"{name}.py").touch()
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(EXAMPLES / words[0]), *words[1:]]
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(words[0]) and said in done.stderr and done.stderr.count("\n") == 1


HEADS = {
    "from conv2d_native import layers": "layers.",
    "import conv2d_native as keras": "keras.layers.",
    "import conv2d_native as keras; from conv2d_native.models import Sequential": "keras.layers.",
    "from conv2d_native.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D": "",
    "from conv2d_native.models import Sequential; from conv2d_native.layers import *": "",
    "from conv2d_native import *; from conv2d_native.layers import *": "",
    "import conv2d_native.layers as L": "L.",
    "from conv2d_native import layers as L, models": "L.",
}
STACKS = {
    "a list": "model = {models}([{p}Conv2D(4, (3, 3), activation='relu', input_shape=x.shape[1:]), {rest}])",
    "add": "model = {models}(); model.add({p}Conv2D(4, 3, input_shape=(8, 8, 3), activation='relu'))\n"
    "for layer in [{rest}]: model.add(layer)",
    "an input": "model = {models}([{p}Input(shape=(8, 8, 3)), "
    "{p}Conv2D(filters=4, kernel_size=3, activation='relu'), {rest}])",
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("head", HEADS)
def test_spellings(head, stack):
    """The same network in the words of Keras programs: what is imported, and how the layers are put together."""
    names, x = {}, np.random.default_rng(0).random((2, 8, 8, 3))
    exec(head, names)
    if "Sequential" not in names and "keras" not in names and "models" not in names:
        exec("from conv2d_native import Sequential", names)
    p = HEADS[head]
    models = next(
        n for n in ("Sequential", "models.Sequential", "keras.Sequential") if n.split(".")[0] in names
    )
    rest = f"{p}MaxPooling2D((2, 2), strides=2), {p}Flatten(), {p}Dense(units=10, activation='softmax')"
    exec(STACKS[stack].format(p=p, rest=rest, models=models), names | {"x": x}, names)
    model = names["model"]
    assert [type(layer).__name__ for layer in model.layers] == ["Conv2D", "MaxPooling2D", "Flatten", "Dense"]
    assert model.predict(x, verbose=0).shape == (2, 10) and model.output_shape == (None, 10)


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
    assert main([]) == 2 and "demo" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and cn.__version__ in capsys.readouterr().out
