"""check_model: says before deployment what of a model file would fail, and why, without stopping at the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModelFormatError
from ..formats import read_model
from ..formats.layer_paths import CLASSES_WITH_LAYERS
from ..layers.deserialization import deserialize
from ..layers.weights import count_parameters
from .loading import model_of


@dataclass(frozen=True)
class Problem:
    """What is wrong with a layer, or with the file where `layer` is empty.

    >>> print(Problem("top", "LSTM", "is not computed here"))
    top (LSTM): is not computed here
    """

    layer: str
    class_name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.layer or 'file'} ({self.class_name or 'model'}): {self.reason}"


@dataclass
class Report:
    """What check_model found. True where the model will run; `print` it for words.

    >>> bool(Report("model.keras", problems=[Problem("top", "LSTM", "is not computed here")]))
    False
    """

    source: str
    keras_version: str = ""
    layers: dict[str, int] = field(default_factory=dict)  # class name -> how many
    parameters: int = 0
    has_weights: bool = True  # False for a configuration alone
    problems: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def ok(self) -> bool:
        """Whether the model will run."""
        return not self.problems

    def __str__(self) -> str:
        written = f", written by Keras {self.keras_version}" if self.keras_version else ""
        counts = ", ".join(
            f"{n} {name}" for name, n in sorted(self.layers.items(), key=lambda item: -item[1])
        )
        described = f"{sum(self.layers.values())} layers ({counts or 'none'})"
        if not self.ok and not self.layers:
            described = "its layers cannot be read"
        lines = [f"{self.source}{written}: {described}"]
        if self.ok:
            where = "are there" if self.has_weights else "are not in the file: load_weights brings them"
            return "\n".join(
                [*lines, f"ok: every layer is computed here; {self.parameters:,} parameters {where}"]
            )
        lines.append(f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}:")
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])


def check_model(filepath: Any, custom_objects: Mapping[str, Any] | None = None) -> Report:
    """Open a model file as load_model does and report every layer that would fail, and missing weights.

    Faults of the file are in the report. Raises OSError where it cannot be read, TypeError and ValueError for what is
    no path.

        >>> from conv2d_native.demo import DATA
        >>> report = check_model(DATA / "digits.keras")
        >>> report.ok, report.keras_version[:2], report.layers["Conv2D"]
        (True, '3.', 2)
    """
    if isinstance(filepath, bytes):
        report = Report(f"{len(filepath)} bytes")
    else:
        report = Report(filepath[:200] if isinstance(filepath, str) else type(filepath).__name__)
    try:
        spec = read_model(filepath)
    except ModelFormatError as error:
        report.problems.append(Problem("", "", str(error)))
        return report
    report.source, report.keras_version = spec.source, spec.keras_version
    report.has_weights = spec.weights is not None
    for entry in _layers(spec.config):
        class_name = str(entry.get("class_name"))
        report.layers[class_name] = report.layers.get(class_name, 0) + 1
        if class_name not in CLASSES_WITH_LAYERS:  # what is inside these is checked by itself
            try:
                deserialize(entry, custom_objects)
            except ModelFormatError as error:
                name = str((entry.get("config") or {}).get("name") or entry.get("name") or "")
                report.problems.append(Problem(name, class_name, str(error)))
    if report.ok:
        _check_whole(spec, custom_objects, report)
    return report


def _check_whole(spec: Any, custom_objects: Mapping[str, Any] | None, report: Report) -> None:
    try:
        report.parameters = count_parameters(model_of(spec, custom_objects).weights)
    except (ModelFormatError, RecursionError) as error:
        report.problems.append(Problem("", "", str(error)))


def _layers(entry: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The layers of a configuration, those of nested models too."""
    inner = (entry.get("config") or {}).get("layers")
    for child in inner if isinstance(inner, list) and depth < 100 else ():
        if isinstance(child, Mapping) and isinstance(child.get("config"), Mapping):
            yield child
            yield from _layers(child, depth + 1)
