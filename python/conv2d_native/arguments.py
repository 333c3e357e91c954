"""Keras's argument words and the rule for arrays, checked in one place.

Arrays: a C-contiguous, aligned float32 numpy.ndarray of the machine's byte order is used in place. Other real
dtypes (integers, float16, float64, longdouble), strides, byte orders, unaligned memory, nested sequences,
buffers, DLPack objects and whatever else numpy.asarray takes are converted to that by one copy. bool, complex,
object, text, dates, structures and masked entries are TypeError: they are mistakes more often than images.

Messages, by must(): "`strides` must be 1 or 2 positive integers. Received: strides=(0, 1)."
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

FLOAT32 = np.dtype(np.float32)
LARGEST_SIZE = 2**31 - 1  # filters, units, kernel and pool sizes, padding
MOST_AXES = 64  # as many as NumPy's arrays have
LARGEST_STEP = 2**63 - 1  # strides and dilation
EPSILON = 1e-7  # Keras's backend.epsilon()

_SHOWN, _LONGEST = 100, 200  # items of a list, and characters of a value, that a message may show
_HOST_DEVICES = (1, 3, 11)  # DLPack's kDLCPU, kDLCUDAHost, kDLROCMHost
_DATA_FORMATS = ("channels_last", "channels_first")
_ELEMENT_TYPES = ("float16", "float32", "float64", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8",
                  "uint16", "uint32", "uint64")  # fmt: skip
_PYTHON_TYPES = {bool: "bool", int: "int64", float: "float32"}


def shown(value: Any) -> str:
    """repr(value), shortened; arrays by dtype and shape, also within lists, tuples and dicts."""
    if isinstance(value, (str, bytes)) and len(value) > _LONGEST:
        value = value[:_LONGEST]
    try:
        text = _text(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def must(name: str, words: str, value: Any) -> str:
    """The message of an error; `words` say what argument `name` must do: must("axis", "name other axes", [1, 1])."""
    return f"`{name}` must {words}. Received: {name}={shown(value)}."


def bound(
    name: str, words: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """The arguments of a call of `name`, which takes `words`. Raises TypeError in Python's words for others."""
    try:
        return words.bind(*args, **kwargs)
    except TypeError as error:
        unknown = (word for word in kwargs if word not in words.parameters and repr(word) in str(error))
        hints = [alike(word, words.parameters, ".") for word in unknown]
        raise TypeError(f"{name}() {error}{''.join(hints)}") from None


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array of dtype {value.dtype} and shape {value.shape}>"
    if type(value) in (list, tuple):
        items = ", ".join(map(_text, value[:_SHOWN]))
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' * (len(value) == 1)})"
    if type(value) is dict:
        return "{" + ", ".join(f"{key!r}: {_text(value[key])}" for key in list(value)[:_SHOWN]) + "}"
    return repr(value)


def element_type(dtype: Any) -> str:
    """Keras's name of `dtype`: a name, a NumPy dtype, its class or one of Python's numbers. ValueError for all else."""
    named = _PYTHON_TYPES.get(dtype, dtype) if isinstance(dtype, type) else dtype
    if not isinstance(named, str):
        named = getattr(named, "name", None) or getattr(named, "__name__", named)
    return choice("dtype", named, _ELEMENT_TYPES)


def choice(name: str, value: Any, words: Iterable[str], lower: bool = False, also: str = "") -> str:
    """`value` where it is one of `words`. Raises ValueError that lists them, and names the one that looks alike.

    `lower`: capitals do not matter. `also` says in words what the caller takes beside them.
    """
    words = tuple(words)
    found = value.lower() if lower and isinstance(value, str) else value
    if isinstance(found, str) and found in words:
        return found
    raise ValueError(
        must(name, f"be one of {', '.join(map(repr, words))}{also}", value) + alike(value, words)
    )


def alike(value: Any, words: Iterable[str], end: str = "") -> str:
    """`end` and " Did you mean 'relu'?" where `value` is nearly one of `words`, capitals apart; "" elsewhere."""
    if not isinstance(value, str):
        return ""
    import difflib  # only a mistake needs it

    by_letters = {word.lower(): word for word in words}
    found = difflib.get_close_matches(value[:100].lower(), by_letters, 1)
    return f"{end} Did you mean {by_letters[found[0]]!r}?" if found else ""


def integer(name: str, value: Any, low: int | None = 1, high: int = LARGEST_SIZE) -> int:
    """An int from `low` to `high`. Raises TypeError for bool, float and text, ValueError out of range."""
    kind = _integer_from(low)
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(must(name, f"be {kind}", value)) from None
    if low is not None and number < low:
        raise ValueError(must(name, f"be {kind}", number))
    if number > high:
        raise ValueError(must(name, f"be at most {high}", number))
    return number


def _integer_from(low: int | None) -> str:
    if low is None:
        return "an integer"
    return {0: "a non-negative integer", 1: "a positive integer"}.get(low, f"an integer of at least {low}")


def integers(name: str, value: Any, length: int, low: int = 1, high: int = LARGEST_SIZE) -> tuple[int, ...]:
    """`length` ints out of one int or a sequence of them."""
    one = _integer_from(low)
    several = one.partition(" ")[2].replace("integer", "integers")
    words = f"be 1 or {length} {several}" if length > 1 else f"be {one} or a tuple of one"
    given = value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist() if value.dtype.kind in "iu" else list(value)
    single = not isinstance(value, (tuple, list))
    items = [value] * length if single else value
    try:
        if single and isinstance(value, (str, bytes, Mapping, Set)):
            raise TypeError
        if any(isinstance(item, (bool, np.bool_)) for item in items):
            raise TypeError
        numbers = tuple(operator.index(item) for item in items)
    except TypeError:
        raise TypeError(must(name, words, given)) from None
    if len(numbers) != length or min(numbers) < low:
        raise ValueError(must(name, words, given))
    if max(numbers) > high:
        raise ValueError(must(name, f"be at most {high}", value))
    return numbers


def is_listed(value: Any) -> bool:
    """Whether `value` is several: a list, a tuple or an array of one axis."""
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def integer_list(name: str, value: Any, low: int | None = None, high: int = LARGEST_SIZE) -> list[int]:
    """A list of ints out of one int, a list, a tuple or an array of them."""
    return [integer(name, item, low, high) for item in (value if is_listed(value) else [value])]


def path(name: str, value: Any, also: str = "") -> str:
    """A str, bytes or PathLike as text. Raises TypeError for what is no path, ValueError for what no file is called.

    `also` says in words what the caller takes beside it.
    """
    try:
        made = os.fsdecode(value)
    except TypeError:
        raise TypeError(must(name, f"be a path{also}", value)) from None
    try:
        encoded = os.fsencode(made)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ValueError(must(name, "be a path without NUL characters or lone surrogates", made))
    return made


def steps(name: str, value: Any, length: int = 2) -> tuple[int, ...]:
    """Strides or dilation: any positive 64-bit integers."""
    return integers(name, value, length, high=LARGEST_STEP)


def pairs(name: str, value: Any) -> tuple[tuple[int, int], ...]:
    """(before, after) for height and width out of an int, one int per axis, or one pair per axis."""
    try:
        if isinstance(value, (tuple, list)) and any(isinstance(item, (tuple, list)) for item in value):
            made = tuple(integers(name, item, 2, 0) for item in value)
            if len(made) != 2 or any(not isinstance(item, (tuple, list)) for item in value):
                raise ValueError
            return tuple((item[0], item[1]) for item in made)
        return tuple((item, item) for item in integers(name, value, 2, 0))
    except (TypeError, ValueError) as error:
        words = (
            "be a non-negative integer, a tuple of 2 of them, or a tuple of 2 pairs (before, after), "
            f"each at most {LARGEST_SIZE}"
        )
        raise type(error)(must(name, words, value)) from None


def padding(value: Any) -> Any:
    """'valid' or 'same' in lower case, or explicit ((top, bottom), (left, right)) as tuples."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return pairs("padding", value)
    return padding_word(value, also=" or 2 pairs (before, after)")


def padding_word(value: Any, words: Sequence[str] = ("valid", "same"), also: str = "") -> str:
    """A layer's padding: one of `words`, in lower case; `also` as in choice."""
    return choice("padding", value, words, True, also)


def data_format(value: Any) -> str:
    """'channels_last' (also for None) or 'channels_first'."""
    if value is None:
        return "channels_last"
    return choice("data_format", value, _DATA_FORMATS, True)


def sizes(name: str, value: Any, low: int = 1) -> tuple[int | None, ...]:
    """A shape: a tuple of ints from `low` on, and None for what varies."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(must(name, "be a tuple of sizes", value))
    try:
        return tuple(None if size is None else integer(name, size, low) for size in value)
    except (TypeError, ValueError) as error:
        kind = "non-negative" if low == 0 else "positive"
        raise type(error)(
            must(name, f"be a tuple of {kind} integers, and None for sizes that vary", value)
        ) from None


def sample_sizes(shape: Any) -> list[int]:
    """The sizes of a `shape` that starts with -1 or None, for the batch, without that; they may hold -1."""
    listed = shape.tolist() if isinstance(shape, np.ndarray) else shape
    if not isinstance(listed, (tuple, list)) or not listed or listed[0] not in (-1, None):
        raise (ValueError if isinstance(listed, (tuple, list)) else TypeError)(
            must("shape", "be a tuple that starts with -1 and goes on with sizes", shape)
        )
    return [integer("shape", size, 1 if size != -1 else None) for size in listed[1:]]


def result_shape(shape: tuple[Any, ...], name: str = "tensor") -> tuple[Any, ...]:
    """`shape` where the tensor `name` can have it. Raises ValueError for too many axes and too large sizes."""
    if len(shape) > MOST_AXES or any(n is not None and n > LARGEST_SIZE for n in shape):
        raise ValueError(
            f"A tensor must have at most {MOST_AXES} axes, each of at most {LARGEST_SIZE} entries. "
            f"Received: '{str(name)[:100]}' of {len(shape)} axes and shape {shown(shape)}."
        )
    return shape


def flag(name: str, value: Any) -> bool:
    """True or False, also as 1 or 0 and as NumPy's numbers. Raises TypeError for all else."""
    if isinstance(value, (bool, int, np.bool_, np.integer)) and value in (0, 1):
        return bool(value)
    raise TypeError(must(name, "be True or False", value))


def number(name: str, value: Any, low: float | None = None) -> float:
    """A real number; with `low`, one that is finite and at least that."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(must(name, "be a number", value))
    if low is not None and not low <= value < float("inf"):
        raise ValueError(must(name, f"be a finite number >= {low:g}", value))
    try:
        return float(value)
    except OverflowError:
        raise ValueError(must(name, "be within a float's range", value)) from None


def positive_number(name: str, value: Any) -> float:
    """A finite number above 0."""
    made = number(name, value)
    if not 0 < made < float("inf"):
        raise ValueError(must(name, "be a finite number > 0", value))
    return made


def axis(name: str, value: Any, rank: int) -> int:
    """An axis of an array of `rank` axes as a number from 0."""
    made = integer(name, value, low=None)
    if not -rank <= made < rank:
        raise ValueError(must(name, f"be from {-rank} to {rank - 1}", made))
    return made % rank


def is_plain(x: Any) -> bool:
    """Whether `x` is used in place: an ndarray, float32, C-contiguous, aligned."""
    return (
        type(x) is np.ndarray
        and (x.dtype is FLOAT32 or x.dtype == FLOAT32)
        and x.flags.c_contiguous
        and x.flags.aligned
    )


def array(name: str, x: Any, ndim: int | None = None) -> np.ndarray:
    """`x` as a plain array (see is_plain) by the rule at the head of this file.

    Raises TypeError for what is no real array, ValueError for ragged sequences and, with `ndim`, other ranks.
    """
    made = x if is_plain(x) else _converted(name, x)
    if ndim is not None and made.ndim != ndim:
        raise ValueError(
            f"`{name}` must have {ndim} dimensions, expected ndim={ndim}, found ndim={made.ndim}. "
            f"Received: {name} of shape {made.shape}."
        )
    return made


def _converted(name: str, x: Any) -> np.ndarray:
    if hasattr(x, "__cuda_array_interface__") and not hasattr(x, "__array__"):
        raise TypeError(
            f"`{name}` must be in the memory of the CPU: copy it to a NumPy array first. Received: {shown(x)}."
        )
    made = _as_array(name, x)
    if isinstance(made, np.ma.MaskedArray):
        if np.ma.is_masked(made):
            raise TypeError(
                f"`{name}` must not have masked entries: fill them first. Received: {shown(made)}."
            )
        made = made.data
    if made.dtype.name == "bfloat16":  # of the package ml_dtypes: weights of Keras's layers may be such
        made = made.astype(FLOAT32)
    if made.dtype.kind not in "fiu":
        words = "be an array of real numbers (integers or floats; bool must be converted by you)"
        raise TypeError(must(name, words, x if made.ndim == 0 else np.asarray(made)))
    made = np.require(np.asarray(made), FLOAT32, ["C", "A"])
    return np.ascontiguousarray(made) if made.ndim else made


def _as_array(name: str, x: Any) -> np.ndarray:
    if isinstance(x, np.ndarray):
        return x
    try:
        if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
            return _from_dlpack(name, x)
        return np.asarray(x)
    except ValueError as error:
        if not isinstance(x, (list, tuple)):
            raise
        found = ", ".join(dict.fromkeys(str(item.shape) for item in x if hasattr(item, "shape")))
        facts = f"a {type(x).__name__} of arrays of the shapes {found[:200]}" if found else shown(x)
        raise ValueError(
            f"`{name}` must be an array, or a nested sequence whose items have one shape. Received: {facts}."
        ) from error


def _from_dlpack(name: str, x: Any) -> np.ndarray:
    try:
        if x.__dlpack_device__()[0] not in _HOST_DEVICES:
            raise BufferError("its memory is not the CPU's")
        return np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError, AttributeError) as error:
        raise TypeError(
            f"`{name}` could not be taken over through DLPack ({error}): copy it to a NumPy array first. "
            f"Received: {shown(x)}."
        ) from error


def out_array(out: Any, shape: Sequence[int]) -> np.ndarray:
    """`out` if results can be stored into it: writeable, plain, of `shape`. Raises TypeError or ValueError."""
    if not isinstance(out, np.ndarray):
        raise TypeError(must("out", "be a numpy.ndarray", out))
    if out.dtype != FLOAT32 or not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError(
            "`out` must be a writeable, C-contiguous, aligned float32 array. "
            f"Received: out of dtype {out.dtype}, strides {out.strides}, writeable={out.flags.writeable}."
        )
    if out.shape != tuple(shape):
        raise ValueError(f"`out` must have shape {tuple(shape)}. Received: out of shape {out.shape}.")
    return out


def batch(name: str, x: np.ndarray) -> np.ndarray:
    """`x` where its first axis can be the batch."""
    if x.ndim == 0:
        raise ValueError(f"`{name}` must have a batch axis. Received: {name} of shape {x.shape}.")
    no_empty_axes(name, x.shape)
    return x


def no_empty_axes(name: str, shape: Sequence[int]) -> None:
    """Refuse arrays without entries; the batch alone may be 0."""
    if 0 in shape[1:]:
        raise ValueError(
            f"`{name}` must not have axes of size 0 besides the batch. Received: {name} of shape {tuple(shape)}."
        )


def no_empty_kernel(shape: Sequence[int]) -> None:
    """Refuse kernels without entries."""
    if 0 in shape:
        raise ValueError(f"`kernel` must not have axes of size 0. Received: kernel of shape {tuple(shape)}.")
