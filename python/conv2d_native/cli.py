"""The command line: `python -m conv2d_native COMMAND` or `conv2d-native COMMAND`.

Every command is one row of COMMANDS: its name, a line of help, its arguments and what it runs.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import demo
from .applications import MODES, preprocess
from .machine import get_num_threads, set_num_threads, version
from .models import check_model, load_model
from .models.picture import kind_of_picture
from .models.profiling import call_times
from .picture_files import ImageBatches, damage_named, find_images


@dataclass(frozen=True)
class Command:
    """A subcommand. `run` gets the parsed arguments; it prints the result and returns the exit code, None for 0."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images", type=_count, default=12, metavar="N", help="how many images to draw (default 12)"
    )


def _demo(arguments: argparse.Namespace) -> None:
    demo.run(shown=arguments.images)


def _model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a .keras or .h5 file")


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    _model_argument(parser)
    parser.add_argument("--nested", action="store_true", help="list the layers of nested models too")
    parser.add_argument("--picture", metavar="FILE", help="also write the graph: .dot, .svg, .png or .pdf")


def _info(arguments: argparse.Namespace) -> None:
    if arguments.picture:
        kind_of_picture(arguments.picture)
        _check_target(arguments.picture)
    model = load_model(arguments.model)
    model.summary(expand_nested=arguments.nested)
    if arguments.picture:
        model.save_picture(arguments.picture)
        print(f"wrote {arguments.picture}")


def _check(arguments: argparse.Namespace) -> int:
    report = check_model(arguments.model)
    print(report)
    return 0 if report else 1


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _model_argument(parser)
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="a .npy or .npz file, or image files and folders"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write .npy, .npz or, with the top classes, .csv"
    )
    parser.add_argument(
        "--mode", choices=MODES, default="none", help="how images are scaled (default: 0 to 255)"
    )
    parser.add_argument("--labels", metavar="FILE", help="names of the classes, one per line")
    parser.add_argument("--top", type=_count, default=5, metavar="K", help="classes per image (default 5)")
    parser.add_argument(
        "--batch-size", type=_count, default=32, metavar="N", help="images per batch (default 32)"
    )


def _predict(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output) if arguments.output else None
    model = load_model(arguments.model)
    shapes = {name: tensor.shape for name, tensor in _named_outputs(model.output).items()}
    _check_output(output, shapes)
    labels = _read_labels(arguments.labels, shapes) if arguments.labels else []
    x, names = _read_inputs(model, arguments)
    outputs = _named_outputs(model.predict(x, batch_size=arguments.batch_size))
    if output is None:
        for name, scores in outputs.items():
            _print_rows(_rows(scores, names, labels, arguments.top), name if len(outputs) > 1 else "")
        return
    if output.suffix == ".npz":
        np.savez(output, **outputs)
    elif output.suffix == ".csv":
        scores = next(iter(outputs.values()))
        width = min(arguments.top, scores.shape[1])
        _write_rows(output, width, _rows(scores, names, labels, arguments.top))
    else:
        np.save(output, next(iter(outputs.values())))
    written = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
    print(f"wrote {output}: {written}")


def _check_target(path: str | Path) -> None:
    """Raise OSError where no file `path` can be written, before anything is computed for it."""
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r} to write {target.name} in.")
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder, not a file to write.")
    if not os.access(target if target.exists() else folder, os.W_OK):
        raise PermissionError(f"{str(target)!r} may not be written.")


def _check_output(output: Path | None, shapes: dict[str, Any]) -> None:
    """Raise ValueError or OSError where outputs of `shapes` cannot go to the file, or to the terminal for None."""
    if output is not None:
        if output.suffix not in (".npy", ".npz", ".csv"):
            raise ValueError(f"The output must end in .npy, .npz or .csv. Received: {str(output)!r}.")
        _check_target(output)
        if output.suffix != ".npz" and len(shapes) > 1:
            raise ValueError(f"The model has several outputs ({', '.join(shapes)}): write an .npz file.")
    if output is None or output.suffix == ".csv":
        ending = ".npz" if len(shapes) > 1 else ".npy"
        for name, shape in shapes.items():
            if len(shape) != 2:
                raise ValueError(
                    f"`{name}` has shape {shape}: only scores per class can be listed. Write {ending} with -o."
                )


def _read_labels(path: str, shapes: dict[str, Any]) -> list[str]:
    """The names of the classes. Raises ValueError where no output has as many classes."""
    try:
        labels = Path(path).read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}.") from None
    classes = [shape[-1] for shape in shapes.values()]
    if len(labels) not in classes:
        counts = " or ".join(map(str, classes))
        raise ValueError(f"{path} must have a line for each of {counts} classes. It has {len(labels)}.")
    return labels


def _read_inputs(model: Any, arguments: argparse.Namespace) -> tuple[Any, Sequence[Any]]:
    """What predict takes, and the names of image files."""
    name, shape = model.input_names[0], model.inputs[0].shape
    first = Path(arguments.inputs[0])
    if len(model.input_names) > 1 and first.suffix != ".npz":
        raise ValueError(f"The model has several inputs ({', '.join(model.input_names)}): give an .npz file.")
    if len(arguments.inputs) > 1 and any(path.endswith((".npy", ".npz")) for path in arguments.inputs):
        raise ValueError(f"Give one .npy or .npz file alone. Received: {', '.join(arguments.inputs)[:200]}.")
    if first.suffix in (".npy", ".npz"):
        return _read_arrays(first, model.input_names), ()
    names = find_images(arguments.inputs)
    batches = ImageBatches(
        names, shape[1:], arguments.batch_size, lambda images: {name: preprocess(images, arguments.mode)}
    )
    if batches.sizes > 1 and any(None in tensor.shape[1:] for tensor in model.outputs):
        raise ValueError(
            f"The outputs have the sizes of the images, which must be one in a call. There are {batches.sizes}."
        )
    return batches, names


def _read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """By the `names` of the model's inputs, the array of a .npy file or those of a .npz. Objects are never unpickled.

    A .npz for one input may call it "x", or hold nothing else. Raises OSError, and ValueError for a damaged file and
    one without these names.
    """
    with path.open("rb") as file:
        if not file.read(6).startswith((b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")):
            raise ValueError(f"{path} is no .npy or .npz file: it is empty, damaged or of another kind.")
    with damage_named(path):
        loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {names[0]: loaded}
    with loaded:
        held = ", ".join(loaded.files) or "no arrays"
        stored = {name: name for name in names}
        if len(names) == 1 and names[0] not in loaded.files:
            found = ["x"] if "x" in loaded.files else loaded.files
            if len(found) != 1:
                raise ValueError(f"{path} holds {held}: none is called 'x' or {names[0]!r}.")
            stored = {names[0]: found[0]}
        missing = [name for name in stored.values() if name not in loaded.files]
        if missing:
            raise ValueError(f"{path} has no array called {', '.join(missing)}. It holds {held}.")
        with damage_named(path):
            return {name: loaded[place] for name, place in stored.items()}


def _named_outputs(outputs: Any) -> dict[str, Any]:
    """Arrays or tensors by name: that of a dict, or output, output_1, ...; of a list inside, p_0, p_1, ..."""
    if isinstance(outputs, dict):
        named: Iterable[Any] = outputs.items()
    else:
        listed = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        named = ((f"output_{i}" if i else "output", value) for i, value in enumerate(listed))
    return {f"{name}{place}": leaf for name, value in named for place, leaf in _parts(value)}


def _parts(value: Any) -> list[tuple[str, Any]]:
    """The arrays or tensors in a structure, after their places in it: _0, _1, _key, ..."""
    if not isinstance(value, (dict, list, tuple)):
        return [("", value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [(f"_{key}{place}", leaf) for key, inner in items for place, leaf in _parts(inner)]


def _rows(scores: np.ndarray, names: Sequence[Any], labels: Sequence[str], top: int) -> Any:
    """(name of the image, [(class, score)]) of every image, best classes first; numbers where labels do not fit."""
    words = labels if len(labels) == scores.shape[1] else range(scores.shape[1])
    for i, row in enumerate(scores):
        best = np.argsort(-row, kind="stable")[:top]
        yield str(names[i]) if len(names) else str(i), [(str(words[k]), float(row[k])) for k in best]


def _print_rows(rows: Iterable[Any], output: str) -> None:
    """A line per image; below the name of the output where there are several."""
    if output:
        print(f"{output}:")
    for name, classes in rows:
        scores = ", ".join(f"{label} {score:.4g}" for label, score in classes)
        print(f"{'  ' if output else ''}{name}: {scores}")


def _write_rows(path: Path, width: int, rows: Iterable[Any]) -> None:
    """A line per image, of `width` classes each, below a line of heads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["input", *(f"{word}_{i + 1}" for i in range(width) for word in ("class", "score"))])
        for name, classes in rows:
            writer.writerow([name, *(value for pair in classes for value in pair)])


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _model_argument(parser)
    parser.add_argument("--batch", type=_count, default=1, metavar="N", help="images per call (default 1)")
    parser.add_argument("--size", type=_size, metavar="HxW", help="image size, for models that take any")
    parser.add_argument("--threads", type=_count, metavar="N", help="threads (default: all that may be used)")


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument(
        "--seconds", type=_seconds, default=2.0, metavar="S", help="how long to measure (default 2)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a positive integer. Received: {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, such as 0.5. Received: {text!r}")
    return seconds


def _size(text: str) -> list[int]:
    parts = text.lower().split("x")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected HxW, such as 224x224. Received: {text!r}")
    return [int(part) for part in parts]


def _use_threads(count: int | None) -> int:
    if count is not None:
        set_num_threads(count)
    return get_num_threads()


def _random_input(model: Any, batch: int, size: list[int] | None) -> Any:
    """Random images of the model's shape; by name where there are several inputs or a dict of them."""
    arrays: dict[str, np.ndarray] = {}
    shape: list[Any]
    for name, tensor in zip(model.input_names, model.inputs, strict=True):
        unknown = tensor.shape[1:].count(None)
        if unknown != len(size or ()):
            advice = "give --size HxW" if unknown else "leave --size out"
            raise ValueError(f"The model takes inputs of shape {tensor.shape}: {advice}.")
        given = iter(size or ())
        shape = [next(given) if n is None else n for n in tensor.shape[1:]]
        arrays[name] = np.random.default_rng(0).random((batch, *shape), np.float32)
    by_name = len(arrays) > 1 or isinstance(model.input, dict)
    return arrays if by_name else next(iter(arrays.values()))


def _bench(arguments: argparse.Namespace) -> None:
    threads = _use_threads(arguments.threads)
    start = time.perf_counter()
    model = load_model(arguments.model)
    loaded = time.perf_counter()
    x = _random_input(model, arguments.batch, arguments.size)
    predict = partial(model.predict, x, batch_size=arguments.batch, verbose=0)
    predict()
    first = time.perf_counter()
    times = np.multiply(call_times(predict, arguments.seconds), 1e3)
    median, worst = float(np.median(times)), float(np.percentile(times, 99))
    workers = f"{threads} thread{'s' if threads > 1 else ''}"
    print(f"{model.name}: batch {arguments.batch}, {workers}, {len(times)} calls")
    print(f"  load {(loaded - start) * 1e3:.0f} ms, first call {(first - loaded) * 1e3:.0f} ms")
    print(
        f"  median {median:.3f} ms, 99 % under {worst:.3f} ms, {arguments.batch / median * 1e3:.1f} images/s"
    )


def _profile_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("--trace", metavar="FILE", help="also write a Chrome trace (.json)")


def _profile(arguments: argparse.Namespace) -> None:
    if arguments.trace:
        _check_target(arguments.trace)
    _use_threads(arguments.threads)
    model = load_model(arguments.model)
    made = model.profile(_random_input(model, arguments.batch, arguments.size))
    print(made)
    if arguments.trace:
        made.save_trace(arguments.trace)
        print(f"wrote {arguments.trace}")


COMMANDS = (
    Command("demo", "classify digits with a network that Keras trained", _demo_arguments, _demo),
    Command("info", "print a model's layers, shapes and parameters", _info_arguments, _info),
    Command("check", "say what of a model would fail here, and why", _model_argument, _check),
    Command("predict", "compute a model on arrays or image files", _predict_arguments, _predict),
    Command("bench", "time a model on random images", _bench_arguments, _bench),
    Command("profile", "time every step of a model", _profile_arguments, _profile),
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser with one subparser per row of COMMANDS."""
    parser = argparse.ArgumentParser(prog="conv2d_native", description="Trained Keras CNNs on the CPU.")
    parser.add_argument("--version", action="version", version=f"conv2d_native {version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default sys.argv) and return the exit code: 0, or 1 after a message on stderr.

    Without a command it prints the help and returns 2, argparse's code for a wrong command line; 130 after Ctrl-C.
    """
    parser = make_parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(argv)
    try:
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has stopped: nothing may be written at the end either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, MemoryError, ImportError) as error:
        print(f"conv2d_native {arguments.command}: {error}", file=sys.stderr)
        return 1
