"""Rows B of the fault list: arrays. B24 is in test_faults_fences.py; B25 needs
more memory than a test may take (docs/reliability.md).
"""

import array as standard_array
import warnings

import numpy as np
import pytest

import conv2d_native as cn
import oracle
from conv2d_native import _core, layers
from error_measure import relative_l2
from subprocess_case import run_case

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 9, 8, 4)).astype(np.float32)
KERNEL, BIAS = RNG.standard_normal((3, 3, 4, 6)).astype(np.float32), RNG.standard_normal(6).astype(np.float32)
LAYER = layers.Conv2D(6, 3, activation="relu")
LAYER.build(X.shape)
LAYER.set_weights([KERNEL, BIAS])
MODEL = cn.Sequential([layers.Conv2D(6, 3, activation="relu", input_shape=X.shape[1:])])
MODEL.set_weights([KERNEL, BIAS])
MOST_AXES = 64 if int(np.__version__.split(".")[0]) >= 2 else 32  # that an array may have
CALLS = {
    "function": lambda x: cn.conv2d(x, KERNEL, BIAS, activation="relu"),
    "layer": LAYER,
    "model": MODEL,
    "predict": lambda x: MODEL.predict(x, verbose=0),
}
each = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
EXPECTED = CALLS["function"](X)


def test_the_ways_to_call_agree():
    for call in CALLS.values():
        np.testing.assert_array_equal(call(X), EXPECTED)
    assert relative_l2(EXPECTED, oracle.conv2d(X, KERNEL, BIAS, activation="relu")) < 1e-6


@each
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 5, MOST_AXES])
def test_b1_ranks(call, rank):
    x = np.zeros((1,) * rank, np.float32)
    with pytest.raises(ValueError, match=r"batch axis|ndim|shape"):
        call(x)


def test_b1_ranks_in_keras_s_words():
    with pytest.raises(ValueError, match=r"expected ndim=4, found ndim=3.*\(9, 8, 4\)"):
        cn.conv2d(X[0], KERNEL)
    with pytest.raises(ValueError, match=r"expected ndim=4, found ndim=3. Full shape received: \(9, 8, 4\)"):
        LAYER(X[0])


@each
def test_b2_empty_batch(call):
    y = call(X[:0])
    assert y.shape == (0, 7, 6, 6) and y.dtype == np.float32


@pytest.mark.parametrize("shape", [(1, 0, 8, 4), (1, 9, 0, 4), (1, 9, 8, 0), (0, 0, 0, 0)])
def test_b3_b4_empty_images(shape):
    for call in CALLS.values():
        with pytest.raises(ValueError):
            call(np.zeros(shape, np.float32))
    for function in (cn.max_pool2d, cn.global_average_pool2d, cn.average_pool2d):
        with pytest.raises(ValueError, match="size 0"):
            function(np.zeros(shape, np.float32))


def test_b4_empty_weights():
    for shape in ((3, 3, 4, 0), (0, 3, 4, 6), (3, 3, 0, 6)):
        with pytest.raises(ValueError):
            cn.conv2d(X, np.zeros(shape, np.float32))
    with pytest.raises(ValueError):
        cn.dense(np.zeros((1, 3)), np.zeros((3, 0)))


def test_b5_one_cell():
    assert cn.conv2d([[[[2.0]]]], [[[[3.0]]]]).tolist() == [[[[6.0]]]]


def strided():
    wide = np.repeat(np.repeat(X, 2, axis=1), 3, axis=3)
    yield "fortran", np.asfortranarray(X)
    yield "transposed", np.ascontiguousarray(X.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0)
    yield "steps", wide[:, ::2, :, ::3]
    yield "reversed", np.ascontiguousarray(X[:, ::-1, :, ::-1])[:, ::-1, :, ::-1]
    for offset in (1, 2, 3, 4, 12, 60):  # B7, B8
        memory = np.zeros(X.nbytes + 64, np.uint8)
        view = memory[offset : offset + X.nbytes].view(np.float32).reshape(X.shape)
        view[...] = X
        yield f"offset {offset}", view
    yield "swapped", X.astype(">f4")  # B9


@each
def test_b6_b7_b8_b9_memory_of_every_kind(call):
    for name, x in strided():
        assert np.array_equal(x, X)
        np.testing.assert_array_equal(call(x), EXPECTED, err_msg=name)
    flat = np.broadcast_to(X[:1, :1, :1, :1], X.shape)
    np.testing.assert_array_equal(call(flat), call(np.ascontiguousarray(flat)))


@each
def test_b10_read_only(call, tmp_path):
    x = X.copy()
    x.flags.writeable = False
    np.testing.assert_array_equal(call(x), EXPECTED)
    X.tofile(tmp_path / "x.bin")
    mapped = np.memmap(tmp_path / "x.bin", np.float32, "r", shape=X.shape)
    np.testing.assert_array_equal(call(mapped), EXPECTED)
    np.testing.assert_array_equal(mapped, X)


@each
@pytest.mark.parametrize("dtype", "f8 f2 i1 i2 i4 i8 u1 u2 u4 u8 g".split())  # noqa: SIM905
def test_b11_b29_real_dtypes(call, dtype):
    x = (np.abs(X) * 20).astype(dtype)
    y = call(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, call(x.astype(np.float32)))


@each
def test_b11_b14_b15_other_dtypes(call):
    for dtype in ("?", "c8", "c16", "O", "U4", "S4", "M8[s]", "m8[s]", "V4", [("a", "f4")]):
        with pytest.raises(TypeError, match="real numbers"):
            call(np.zeros(X.shape, dtype))


@each
def test_b12_beyond_float32(call):
    x = X.astype(np.float64)
    x[0, 0, 0, 0] = 1e300
    with pytest.warns(RuntimeWarning, match="overflow"):
        y = call(x)
    assert not np.isfinite(y[0, 0, 0]).all()


def test_b13_large_integers():
    assert cn.relu(np.array([2**53 + 1])).tolist() == [2.0**53]


@each
def test_b16_nested_lists(call):
    np.testing.assert_array_equal(call(X.tolist()), EXPECTED)
    with pytest.raises((ValueError, TypeError), match="x"):
        call([[[[1.0, 2.0]], [[1.0]]]])


def test_b17_subclasses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.asmatrix(np.ones((2, 2)))
    with pytest.raises(ValueError, match="ndim=2"):
        cn.conv2d(matrix, KERNEL)
    masked = np.ma.masked_array(X, mask=np.zeros(X.shape, bool))
    np.testing.assert_array_equal(CALLS["function"](masked), EXPECTED)
    masked[0, 0, 0, 0] = np.ma.masked
    for call in (CALLS["function"], LAYER):
        with pytest.raises(TypeError, match="masked"):
            call(masked)

    class Odd(np.ndarray):
        def __array_finalize__(self, other):
            self.note = "odd"

    np.testing.assert_array_equal(LAYER(X.view(Odd)), EXPECTED)
    assert type(LAYER(X.view(Odd))) is np.ndarray

    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise ZeroDivisionError("mine")

    for call in (CALLS["function"], LAYER):
        with pytest.raises(ZeroDivisionError, match="mine"):
            call(Broken())


class Lying:
    """An __array_interface__ of somebody else's making."""

    def __init__(self, **words):
        shape = (1, 4, 4, 1)
        self.__array_interface__ = {
            "shape": shape,
            "typestr": "<f4",
            "data": (0, False),
            "version": 3,
        } | words


def test_b18_other_containers():
    flat = standard_array.array("f", X.ravel().tolist())
    np.testing.assert_array_equal(
        CALLS["function"](np.frombuffer(flat, np.float32).reshape(X.shape)), EXPECTED
    )
    np.testing.assert_array_equal(LAYER(memoryview(X)), EXPECTED)
    truth = X.copy()
    good = Lying(shape=X.shape, data=(truth.ctypes.data, False))
    np.testing.assert_array_equal(LAYER(good), EXPECTED)
    for bad in (Lying(data=b"\0" * 8), Lying(shape=(-1, 4, 4, 1), data=b"\0" * 64), Lying(typestr="<z9")):
        with pytest.raises((ValueError, TypeError)):
            LAYER(bad)


def test_b18_dlpack():
    class Capsule:
        def __init__(self, array, device=(1, 0)):
            self.array, self.device = array, device

        def __dlpack__(self, **words):
            return self.array.__dlpack__()

        def __dlpack_device__(self):
            return self.device

    np.testing.assert_array_equal(LAYER(Capsule(X)), EXPECTED)
    with pytest.raises(TypeError, match="NumPy array first"):
        LAYER(Capsule(X, (2, 0)))


def test_b18_torch():
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(LAYER(torch.from_numpy(X)), EXPECTED)


def test_b19_input_and_weights_share_memory():
    memory = RNG.standard_normal((1, 6, 6, 4)).astype(np.float32)
    kernel = memory.reshape(-1)[:36].reshape(3, 3, 4, 1)
    before = memory.copy()
    assert relative_l2(cn.conv2d(memory, kernel), oracle.conv2d(memory, kernel)) < 1e-6
    np.testing.assert_array_equal(memory, before)


def test_b20_out_over_the_input_and_the_weights():
    x, kernel = X.copy(), RNG.standard_normal((3, 3, 4, 4)).astype(np.float32)
    expected = cn.conv2d(x, kernel, padding="same")
    assert cn.conv2d(x, kernel, padding="same", out=x) is x
    np.testing.assert_array_equal(x, expected)
    memory = np.zeros(2 * X.size, np.float32)
    memory[: X.size] = X.ravel()
    shifted = memory[100 : 100 + X.size].reshape(X.shape)
    cn.conv2d(memory[: X.size].reshape(X.shape), kernel, padding="same", out=shifted)
    np.testing.assert_array_equal(shifted, expected)
    square = RNG.standard_normal((4, 4)).astype(np.float32)
    wanted = cn.dense(square, square.copy())
    np.testing.assert_array_equal(cn.dense(square, square, out=square), wanted)


def test_b21_out_of_another_kind():
    read_only = np.empty_like(EXPECTED)
    read_only.flags.writeable = False
    bad = [
        np.empty(EXPECTED.shape[:3], np.float32),
        np.empty(EXPECTED.shape, np.float64),
        np.empty(EXPECTED.shape, ">f4"),
        read_only,
        np.empty((*EXPECTED.shape[:3], 12), np.float32)[..., ::2],
        np.asfortranarray(EXPECTED),
    ]
    for out in bad:
        with pytest.raises(ValueError, match="`out`"):
            cn.conv2d(X, KERNEL, BIAS, out=out)
    for out in ([], "out", 3):
        with pytest.raises(TypeError, match="`out`"):
            cn.conv2d(X, KERNEL, BIAS, out=out)


def test_b22_b23_input_written_or_dropped_during_the_call():
    run_case(
        """
import conv2d_native as cn
from conv2d_native import _core
x = np.ones((8, 64, 64, 8), np.float32)
layer = cn.layers.Conv2D(16, 3, padding="same")
def write():
    x[...] = np.nan
    x[...] = 1
with meanwhile(1, write):
    for _ in range(20):
        assert layer(x).shape == (8, 64, 64, 16)
        layer(np.ones((8, 64, 64, 8), np.float32))
assert np.array_equal(layer(np.ones_like(x)), layer(np.ones_like(x)))
"""
    )


def test_b26_more_entries_than_an_address():
    tiny = np.zeros(1, np.float32)
    with pytest.raises((ValueError, MemoryError)):
        huge = np.lib.stride_tricks.as_strided(tiny, (2**20, 2**20, 2**18, 8), (0, 0, 0, 0))
        LAYER(huge[..., :4])


def test_b26_a_batch_whose_input_has_no_size():
    """The native core looks by itself: the result is empty, the input would overflow 64 bits."""
    g = _core.Graph()
    x = g.input((1, 1, 3, 23))
    empty = g.pad(x, [(0, 0), (-1, 0), (0, 0), (0, 0)])
    with pytest.raises(ValueError, match="does not fit 64 bits"):
        g.compile([empty], 2**61)


def test_b27_a_result_larger_than_memory():
    run_case(
        """
import resource
import conv2d_native as cn
from conv2d_native import _core
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
x = np.zeros((1, 64, 64, 1), np.float32)
layer = cn.layers.Conv2D(10**6, 3, padding="same", kernel_initializer="zeros")
try:
    layer(x)
except MemoryError:
    pass
else:
    raise AssertionError
assert cn.layers.Conv2D(4, 3, padding="same")(x).shape == (1, 64, 64, 4)
"""
    )


def test_b28_bits_of_special_numbers():
    x = np.zeros((1, 3, 3, 4), np.float32)
    x[0, 1, 1] = [np.nan, -0.0, 1e-40, np.inf]
    kept = cn.conv2d(x, np.eye(4, dtype=np.float32).reshape(1, 1, 4, 4)[..., 2:3])
    assert np.isnan(kept[0, 1, 1, 0]) and (kept[0, 0] == 0).all()
    assert cn.relu(np.float32([1e-40, np.nan, -np.inf, np.inf])).tolist()[::3] == [
        np.float32(1e-40).item(),
        np.inf,
    ]
    assert np.isnan(cn.max_pool2d(x, 3)[0, 0, 0, 0])


def test_b30_a_shape_that_lies():
    class Liar(np.ndarray):
        @property
        def shape(self):
            return (2, 900, 800, 4)

    np.testing.assert_array_equal(LAYER(X.view(Liar)), EXPECTED)


def test_b31_arrays_of_a_gpu():
    class OnGpu:
        __cuda_array_interface__ = {"shape": (1, 9, 8, 4), "typestr": "<f4", "data": (0, True), "version": 3}  # noqa: RUF012

    for call in (CALLS["function"], LAYER):
        with pytest.raises(TypeError, match="memory of the CPU"):
            call(OnGpu())


def test_nothing_is_said_on_good_input():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in CALLS.values():
            call(X)
            call(X.astype(np.float64))
