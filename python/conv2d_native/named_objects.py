"""Small configurable objects (initializers, regularizers, constraints) and the tables that find them by name.

A table answers to class names and snake_case names, to Keras 3's serialized form {"module", "class_name",
"config", "registered_name"}, to the older {"class_name", "config"}, and to classes and objects. Nothing is
imported by name: what is not in the table is refused.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import arguments
from .errors import UnsupportedLayerError

OPERATION_MODULES = ("keras.src.ops", "keras.ops")  # as configurations begin the modules of operations


class Configurable:
    """An object made of its configuration alone: `type(obj).from_config(obj.get_config())` is its equal."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, which attributes of the same names hold."""
        words = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {word: getattr(self, word) for word in words if hasattr(self, word)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Configurable:
        """Make an object from what get_config() returned."""
        return cls(**config)

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({words})"


def to_snake_case(name: str) -> str:
    """Keras's rule for class names: Conv2DTranspose -> conv2d_transpose, PReLU -> p_re_lu, L1L2 -> l1l2."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def numbered(counts: dict[str, int], word: str) -> str:
    """Keras's names for several of one `word`, counted in `counts`: conv2d, conv2d_1, conv2d_2, ..."""
    number = counts[word] = counts.get(word, -1) + 1
    return f"{word}_{number}" if number else word


def plain(value: Any) -> Any:
    """Turn NumPy scalars, arrays and tuples into JSON data."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def keras_form(
    module: str | None, class_name: str, config: Any, registered_name: str | None = None
) -> dict[str, Any]:
    """Keras 3's serialized form of an object; of its own classes there is no registered name."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


class StoredObject:
    """What a file names and no table holds: its description, and the user's class or function for it, if given.

    It is kept for the next file and computed by the user's. Without one, computing it is an error: of a file with
    weights, inference asks no initializer, regularizer or constraint for values.
    """

    def __init__(self, kind: str, name: str, stored: Any, given: Any) -> None:
        self.kind, self.name, self.stored, self.given = kind, name, stored, given
        self.made = given
        if inspect.isclass(given):
            config = stored.get("config") if isinstance(stored, Mapping) else None
            self.made = getattr(given, "from_config", lambda words: given(**words))(dict(config or {}))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.made is None:
            raise UnsupportedLayerError(
                f"The {self.kind} {self.name[:100]!r}, which a file names, is not known here, and its values are asked "
                f"for. Load weights, or give it: load_model(..., custom_objects={{{self.name[:100]!r}: ...}})."
            )
        return self.made(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.name}, of a file" if self.made is None else repr(self.made)


class Table:
    """The classes of one kind by name; `kind` is Keras's module: "initializers", "regularizers" and so on."""

    def __init__(
        self, kind: str, classes: tuple[type[Configurable], ...], aliases: Mapping[str, type[Configurable]]
    ) -> None:
        self.kind = kind
        self.singular = kind.removesuffix("s")
        self.classes = {cls.__name__: cls for cls in classes}
        self.by_name = self.classes | {to_snake_case(cls.__name__): cls for cls in classes} | dict(aliases)

    def find(self, name: Any, word: str | None = None) -> type[Configurable]:
        """The class of that name, which the argument `word` has given. Raises ValueError that lists them all."""
        if not isinstance(name, str) or name not in self.by_name:
            names = map(to_snake_case, self.classes)
            arguments.choice(word or self.singular, name, names)  # refuses the name
        return self.by_name[name]

    def deserialize(self, config: Mapping[str, Any], word: str | None = None) -> Any:
        """Return the object that serialize() (or Keras) described. Raises ValueError for unknown ones."""
        if not isinstance(config, Mapping) or "class_name" not in config:
            raise ValueError(
                f"A serialized {word or self.singular} is a dict with 'class_name' and 'config'. "
                f"Received: {arguments.shown(config)}"
            )
        cls, words = self.find(config["class_name"], word), config.get("config") or {}
        if not isinstance(words, Mapping):
            raise ValueError(
                f"'config' of {word or self.singular} {cls.__name__} must be a dict. "
                f"Received: {arguments.shown(words)}"
            )
        try:
            return cls.from_config(words)
        except TypeError as error:
            raise ValueError(f"Wrong 'config' of {word or self.singular} {cls.__name__}: {error}") from None

    def of_file(self, given: Any, custom: Mapping[str, Any]) -> Any:
        """`given`, a name or description in a file, or a StoredObject for it where this table does not hold it.

        custom: the user's classes and functions by name, which come first, as in Keras.
        """
        stored = given if isinstance(given, Mapping) else {"class_name": given}
        registered, name = stored.get("registered_name"), stored.get("class_name")
        if name == "function":  # Keras's description of one: its name is the configuration
            name = stored.get("config")
            registered = name if registered == "function" else registered
        if not isinstance(name, str):
            return given
        names = [word for word in (registered, name) if isinstance(word, str)]
        names += [word.rpartition(">")[2] for word in names]
        chosen = next((custom[word] for word in names if callable(custom.get(word))), None)
        of_keras = registered is None or str(stored.get("module")).startswith("keras")
        if chosen is None and of_keras and name in self.by_name:
            return given
        return StoredObject(self.singular, names[-1], given, chosen)

    def serialize(self, value: Any) -> dict[str, Any] | None:
        """Return Keras 3's serialized form of an object of the table; None for None. Raises ValueError for others."""
        if value is None:
            return None
        if self.classes.get(type(value).__name__) is not type(value):
            raise ValueError(f"Only the {self.kind} of this package can be serialized. Received: {value!r}")
        config = {name: plain(item) for name, item in value.get_config().items()}
        return keras_form(f"keras.{self.kind}", type(value).__name__, config)

    def get(self, identifier: Any, word: str | None = None) -> Callable[..., Any] | None:
        """Return an object for a name, a serialized dict, a class or a callable; None for None.

        word: the argument that holds it, for messages. Raises ValueError for anything else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            return self.find(identifier, word)()  # type: ignore[return-value]
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, word)
        if inspect.isclass(identifier) and issubclass(identifier, Configurable):
            return identifier()  # type: ignore[return-value]
        if callable(identifier) and not inspect.isclass(identifier):
            return identifier
        raise ValueError(
            arguments.must(word or self.singular, "be a name, a dict, a class or a function", identifier)
        )
