"""autotune: time the algorithms on this machine, and keep the fastest of each convolution with the model.

The planner chooses by a cost model of nominal cycles; here every algorithm that can compute a convolution runs in its
place in the compiled model, with what is fused into it, on the images that the user gives. As without tuning, the
choice holds for every batch and number of threads.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

from .. import _core, arguments
from ..functional import Explanation
from .network import Model
from .profiling import timed_nodes

Times = dict[tuple[str, str], float]  # milliseconds of one node by (problem of one image, algorithm)
_PASSES = 3
_WORTHWHILE = 0.97  # a choice must take less than this share of the planner's time


def autotune(model: Any, x: Any, repeats: int = 5) -> Explanation:
    """Choose the algorithms of `model` by timing them on the batch `x`. Returns a table of what was found.

    repeats: runs of each of three passes; the fastest pass counts. The choices belong to the model's image size,
    replace those of an earlier tuning, and are kept by pickle and deepcopy, not in model files: another machine may be
    served better by others. Results keep to the accuracy that docs/accuracy.md states; within `with exact():` only
    direct algorithms are used, tuned or not.
    Raises TypeError where `model` is no Model, ValueError for images that do not fit and empty batches.

        >>> model = Sequential([layers.Conv2D(8, 3, input_shape=(12, 12, 8))])
        >>> len(autotune(model, np.zeros((1, 12, 12, 8)), repeats=1))
        1
    """
    if not isinstance(model, Model):
        raise TypeError(arguments.must("model", "be a Model or Sequential", model))
    repeats = arguments.integer("repeats", repeats)
    arrays = [arguments.array("x", array) for array in model._arrays(x)]
    if not len(arrays[0]):
        raise ValueError(f"`x` must hold at least one image. Received: x of shape {arrays[0].shape}.")
    program = model._new_program(tuple(array.shape[1:] for array in arrays), {}).of(len(arrays[0]))

    def timed(choices: dict[str, str]) -> Times:
        executable = program.builder.compile(program.outputs, len(arrays[0]), choices=choices)
        return _timed(executable, arrays, repeats)

    planned = timed({})
    able: dict[str, list[str]] = {problem: _algorithms(problem) for problem, _ in planned}
    found = dict(planned)
    for name in dict.fromkeys(name for names in able.values() for name in names):
        for key, ms in timed({problem: name for problem, names in able.items() if name in names}).items():
            found[key] = min(found.get(key, ms), ms)
    rows: list[dict[str, Any]] = []
    for problem, algorithm in planned:
        times = {name: ms for (other, name), ms in found.items() if other == problem}
        fastest = min(times, key=times.__getitem__)
        chosen = fastest if times[fastest] < _WORTHWHILE * times[algorithm] else algorithm
        row = {"problem": problem, "planned": algorithm, "planned_ms": times[algorithm]}
        rows.append({**row, "chosen": chosen, "chosen_ms": times[chosen]})
    choices = {row["problem"]: row["chosen"] for row in rows if row["chosen"] != row["planned"]}
    model._choices = choices
    model._forget()
    return Explanation(f"{model.name}: {len(choices)} of {len(rows)} convolutions changed", rows)


def _timed(executable: Any, arrays: list[np.ndarray], repeats: int) -> Times:
    """The fastest pass of each convolution; the mean over nodes of one problem."""
    best: Times = {}
    for _ in range(_PASSES):
        times = defaultdict(list)
        for node in timed_nodes(executable, arrays, repeats):
            if node["op"] == "conv":
                times[_of_one_image(node["problem"]), node["algorithm"]].append(node["ms"])
        for key, ms in times.items():
            mean = sum(ms) / len(ms)
            best[key] = min(best.get(key, mean), mean)
    return best


def _of_one_image(problem: str) -> str:
    return re.sub(r"^n\d+", "n1", problem)


def _algorithms(problem: str) -> list[str]:
    rows = _core.explain(_core.ConvProblem.parse(problem))
    return [row["name"] for row in rows if row["reason"] is None and row["name"] != "reference"]
