"""The rule for arrays, at its one place: what is used as it is, what is converted, what is refused how."""

from __future__ import annotations

import re

import numpy as np
import pytest

from conv2d_native import arguments

PLAIN = np.arange(6, dtype=np.float32).reshape(2, 3)


def unaligned(values: np.ndarray) -> np.ndarray:
    memory = np.zeros(values.nbytes + 1, np.uint8)
    made = memory[1:].view(values.dtype).reshape(values.shape)
    made[...] = values
    assert not made.flags.aligned
    return made


class Subclass(np.ndarray):
    pass


OTHERS = {
    "float64": PLAIN.astype(np.float64),
    "integers": PLAIN.astype(np.int16),
    "fortran order": np.asfortranarray(PLAIN),
    "strided": np.repeat(PLAIN, 2, axis=1)[:, ::2],
    "byte-swapped": PLAIN.astype(">f4"),
    "unaligned": unaligned(PLAIN),
    "subclass": PLAIN.view(Subclass),
    "masked without a masked entry": np.ma.array(PLAIN),
    "lists": PLAIN.tolist(),
}


def test_a_plain_array_is_used_in_place():
    assert arguments.is_plain(PLAIN)
    assert arguments.array("x", PLAIN) is PLAIN
    assert arguments.array("x", PLAIN, 2) is PLAIN


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_converted(name):
    other = OTHERS[name]
    assert not arguments.is_plain(other)
    made = arguments.array("x", other, 2)
    assert arguments.is_plain(made)
    np.testing.assert_array_equal(made, PLAIN)


def test_a_scalar_stays_one():
    made = arguments.array("x", np.float64(3))
    assert made.shape == () and made.dtype == np.float32 and made == 3


def test_another_rank():
    text = "`x` must have 4 dimensions, expected ndim=4, found ndim=2. Received: x of shape (2, 3)."
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        arguments.array("x", PLAIN, 4)


@pytest.mark.parametrize(
    "x",
    [
        np.array([True]),
        np.array([1j]),
        np.array(["1"]),
        np.array([None]),
        np.array(["2020"], "M8[Y]"),
        None,
        "x",
        {},
    ],
)
def test_what_holds_no_real_numbers(x):
    with pytest.raises(TypeError, match=r"^`x` must be an array of real numbers .*Received: x=") as caught:
        arguments.array("x", x)
    shown = x if not isinstance(x, np.ndarray) else f"<array of dtype {x.dtype} and shape (1,)>"
    assert str(caught.value).endswith(f"Received: x={shown!r}." if shown is x else f"Received: x={shown}.")


def test_a_masked_entry():
    text = "`x` must not have masked entries: fill them first. Received: <array of dtype float64 and shape (2,)>."
    with pytest.raises(TypeError, match="^" + re.escape(text) + "$"):
        arguments.array("x", np.ma.array([1.0, 2.0], mask=[False, True]))


def test_a_ragged_sequence():
    text = "`x` must be an array, or a nested sequence whose items have one shape. Received: [[1], [2, 3]]."
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        arguments.array("x", [[1], [2, 3]])


def test_an_error_of_the_object_itself_passes_through():
    class Failing:
        def __array__(self, dtype=None, copy=None):
            raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        arguments.array("x", Failing())


class Elsewhere:
    """An array in the memory of a device."""

    @property
    def __cuda_array_interface__(self):
        return {}

    def __repr__(self):
        return "<elsewhere>"


class Both(Elsewhere):
    def __array__(self, dtype=None, copy=None):
        return PLAIN


def test_an_array_of_a_device():
    text = "`x` must be in the memory of the CPU: copy it to a NumPy array first. Received: <elsewhere>."
    with pytest.raises(TypeError, match="^" + re.escape(text) + "$"):
        arguments.array("x", Elsewhere())
    np.testing.assert_array_equal(arguments.array("x", Both()), PLAIN)


class Capsule:
    """A DLPack object on a device of this kind."""

    def __init__(self, device, error=None):
        self.device, self.error = device, error

    def __dlpack_device__(self):
        return (self.device, 0)

    def __dlpack__(self, **words):
        if self.error is not None:
            raise self.error
        return PLAIN.__dlpack__()

    def __repr__(self):
        return "<capsule>"


def test_dlpack():
    np.testing.assert_array_equal(arguments.array("x", Capsule(1)), PLAIN)
    text = (
        "`x` could not be taken over through DLPack (its memory is not the CPU's): copy it to a NumPy array "
        "first. Received: <capsule>."
    )
    with pytest.raises(TypeError, match="^" + re.escape(text) + "$"):
        arguments.array("x", Capsule(2))
    for error in (BufferError, RuntimeError, TypeError, AttributeError):
        with pytest.raises(TypeError, match=re.escape("through DLPack (no): copy it")):
            arguments.array("x", Capsule(1, error("no")))


def test_pinned_memory_of_a_device_is_the_cpus():
    for device in (3, 11):
        with pytest.raises(TypeError, match="through DLPack") as caught:
            arguments.array("x", Capsule(device, BufferError("asked")))
        assert "asked" in str(caught.value)


def test_out():
    out = np.empty((2, 3), np.float32)
    assert arguments.out_array(out, [2, 3]) is out
    with pytest.raises(TypeError, match="^" + re.escape("`out` must be a numpy.ndarray. Received: out=[1].")):
        arguments.out_array([1], (1,))
    text = "`out` must have shape (3, 2). Received: out of shape (2, 3)."
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        arguments.out_array(out, (3, 2))


def test_out_that_cannot_take_results():
    read_only = np.empty((2, 3), np.float32)
    read_only.flags.writeable = False
    bad = [np.empty((2, 3)), np.asfortranarray(PLAIN), unaligned(PLAIN), read_only, PLAIN.astype(">f4")]
    for out in bad:
        text = (
            "`out` must be a writeable, C-contiguous, aligned float32 array. Received: out of dtype "
            f"{out.dtype}, strides {out.strides}, writeable={out.flags.writeable}."
        )
        with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
            arguments.out_array(out, (2, 3))


def test_empty_axes():
    arguments.no_empty_axes("x", (0, 2, 3))
    arguments.no_empty_kernel((1, 2))
    for shape in ((1, 0), (0, 0), (2, 3, 0)):
        text = f"`x` must not have axes of size 0 besides the batch. Received: x of shape {shape}."
        with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
            arguments.no_empty_axes("x", list(shape))
    text = "`kernel` must not have axes of size 0. Received: kernel of shape (0, 2)."
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        arguments.no_empty_kernel([0, 2])
