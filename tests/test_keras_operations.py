"""Operations of keras.ops as nodes, against NumPy and against the layers that compute the same."""

import math

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.layers.operations import Operation, from_tensorflow
from oracle import conv2d, conv2d_transpose, depthwise_conv2d

RNG = np.random.default_rng(8)
X = RNG.standard_normal((3, 6, 5, 4)).astype(np.float32)
KERNEL = RNG.standard_normal((3, 3, 4, 2)).astype(np.float32)
TABLE = RNG.standard_normal((5, 4, 6)).astype(np.float32)
POINTS = RNG.standard_normal((1, 1, 8, 5)).astype(np.float32)

CASES = [
    ("Argmax", {"axis": -1}, [], lambda x: x.argmax(-1)),
    ("Argmin", {"axis": 1, "keepdims": True}, [], lambda x: x.argmin(1, keepdims=True)),
    ("Any", {"axis": -1}, [], lambda x: (x != 0).any(-1)),
    ("All", {"axis": [1, 2]}, [], lambda x: (x != 0).all((1, 2))),
    ("LogicalNot", {}, [], lambda x: x == 0),
    ("Isnan", {}, [], np.isnan),
    ("Arctan", {}, [], np.arctan),
    ("Round", {"decimals": 1}, [], lambda x: np.round(x, 1)),
    ("Round", {}, [], np.round),
    ("ZerosLike", {"dtype": None}, [], np.zeros_like),
    ("OnesLike", {}, [], np.ones_like),
    ("Logsumexp", {"axis": -1}, [], lambda x: np.log(np.exp(x.astype(np.float64)).sum(-1))),
    ("Logsumexp", {"axis": 1, "keepdims": True}, [], lambda x: np.log(np.exp(x).sum(1, keepdims=True))),
    ("Roll", {"shift": 2, "axis": 1}, [], lambda x: np.roll(x, 2, 1)),
    ("Roll", {"shift": [1, -1], "axis": [1, 2]}, [], lambda x: np.roll(x, (1, -1), (1, 2))),
    ("Take", {"axis": -1}, [[2, 0, 3]], lambda x: x[..., [2, 0, 3]]),
    ("Unstack", {"axis": 2}, [], lambda x: x[:, :, 0]),
    ("Slice", {"shape": [3, 2, 3, 4]}, [[0, 1, 2, 0]], lambda x: x[:, 1:3, 2:5]),
    ("CropImages", {"top_cropping": 1, "left_cropping": 2, "target_height": 3, "target_width": 2}, [],
     lambda x: x[:, 1:4, 2:4]),
    ("CropImages", {"bottom_cropping": 1, "right_cropping": 2, "top_cropping": 0, "left_cropping": 0}, [],
     lambda x: x[:, :5, :3]),
    ("PadImages", {"top_padding": 1, "right_padding": 2, "target_height": 9, "target_width": 8}, [],
     lambda x: np.pad(x, [(0, 0), (1, 2), (1, 2), (0, 0)])),
    ("Conv", {"padding": "same"}, [KERNEL], lambda x: conv2d(x, KERNEL, padding="same")),
    ("DepthwiseConv", {"strides": 2}, [KERNEL], lambda x: depthwise_conv2d(x, KERNEL, strides=(2, 2))),
    ("SeparableConv", {}, [KERNEL, POINTS], lambda x: conv2d(depthwise_conv2d(x, KERNEL), POINTS)),
    ("AdaptiveMaxPool", {"output_size": [3, 2]}, [], lambda x: L.AdaptiveMaxPooling2D((3, 2))(x)),
    ("AdaptiveAveragePool", {"output_size": 2}, [], lambda x: L.AdaptiveAveragePooling2D(2)(x)),
    ("BroadcastTo", {"shape": [None, 6, 5, 4]}, [], lambda x: x),
    ("Dot", {}, [TABLE], lambda x: np.tensordot(x, TABLE, [[3], [1]])),
    ("Dot", {}, [TABLE[0, :, 0]], lambda x: x @ TABLE[0, :, 0]),
    ("Dot", {}, [2], lambda x: 2 * x),
    ("Inner", {}, [TABLE[..., 0]], lambda x: np.inner(x, TABLE[..., 0])),
    ("Tensordot", {"axes": 2}, [TABLE], lambda x: np.tensordot(x, TABLE)),
    ("Tensordot", {"axes": [[3, 1], [1, 2]]}, [TABLE], lambda x: np.tensordot(x, TABLE, [[3, 1], [1, 2]])),
    ("Tensordot", {"axes": 0}, [TABLE], lambda x: np.tensordot(x, TABLE, 0)),
    ("Norm", {"axis": -1}, [], lambda x: np.linalg.norm(x, axis=-1)),
    ("Norm", {"axis": [2, 1], "ord": 1, "keepdims": True}, [], lambda x: np.linalg.norm(x, 1, (2, 1), True)),
    ("Norm", {"axis": 2, "ord": 3}, [], lambda x: np.linalg.norm(x, 3, 2)),
    ("Norm", {"axis": [1, 2], "ord": "nuc"}, [], lambda x: np.linalg.norm(x, "nuc", (1, 2))),
    ("Normalize", {"axis": -1, "order": 1}, [], lambda x: x / np.abs(x).sum(-1, keepdims=True)),
    ("Normalize", {"axis": -1, "epsilon": 10}, [], lambda x: x / 10),
    ("Moments", {"axes": [1, 2]}, [], lambda x: x.mean((1, 2))),
    ("TopK", {"k": 2, "sorted": True}, [], lambda x: np.sort(x)[..., :1:-1]),
    ("OneHot", {"num_classes": 3, "axis": 1}, [], lambda x: np.moveaxis(np.trunc(x)[..., None] == range(3), -1, 1)),
    ("ExtractPatches", {"size": [2, 3], "strides": 1}, [],
     lambda x: conv2d(x, np.eye(24).reshape(2, 3, 4, 24).astype(np.float32))),
    ("ExtractPatches", {"size": 2, "strides": 2, "padding": "same"}, [],
     lambda x: conv2d(x, np.eye(16).reshape(2, 2, 4, 16).astype(np.float32), strides=(2, 2), padding="same")),
    ("Unfold", {"kernel_size": [5, 2], "padding": [0, 1], "stride": [1, 2]}, [],
     lambda x: np.stack([np.pad(x, [(0, 0)] * 3 + [(1, 1)])[..., n : n + 2].reshape(3, -1) for n in (0, 2, 4)], -1)),
    ("LayerNorm", {"axis": [2, 3], "epsilon": 0.1}, [TABLE[..., 0], TABLE[..., 1]],
     lambda x: (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 0.1) * TABLE[..., 0]
     + TABLE[..., 1]),
    ("RMSNorm", {"axis": -1}, [TABLE[0, :, 0]],
     lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-7) * TABLE[0, :, 0]),
    ("BatchNorm", {"axis": 2}, [TABLE[:, 0, 0], TABLE[:, 1, 0] ** 2, TABLE[:, 2, 0], None],
     lambda x: (x - TABLE[:, :1, 0]) / np.sqrt(TABLE[:, 1:2, 0] ** 2 + 1e-3) + TABLE[:, 2:3, 0]),
    ("ConvTranspose", {"strides": 2}, [KERNEL.transpose(0, 1, 3, 2)],
     lambda x: conv2d_transpose(x, KERNEL.transpose(0, 1, 3, 2), strides=(2, 2))),
    ("Cumsum", {"axis": 1, "dtype": None}, [], lambda x: x.cumsum(1)),
    ("Cumprod", {"axis": -1}, [], lambda x: x.cumprod(-1)),
    ("Sort", {"axis": 2}, [], lambda x: np.sort(x, 2)),
    ("Argsort", {"axis": -1}, [], lambda x: np.argsort(x, -1, kind="stable")),
    ("TakeAlongAxis", {"axis": -1}, [[[[[3, 0]]]]], lambda x: x[..., [3, 0]]),
    ("Diff", {"n": 2, "axis": 1}, [], lambda x: np.diff(x, 2, 1)),
    ("Digitize", {}, [[-1.0, 0.0, 0.5]], lambda x: np.digitize(x, [-1, 0, 0.5])),
    ("NanToNum", {"nan": 1.0, "posinf": 2.0}, [], lambda x: x),
    ("Tile", {"repeats": 2}, [], lambda x: np.tile(x, 2)),
    ("Tile", {"repeats": [2, 1]}, [], lambda x: np.tile(x, (2, 1))),
    ("ArraySplit", {"indices_or_sections": 4, "axis": 2}, [], lambda x: np.array_split(x, 4, 2)[0]),
    ("Hsplit", {"indices_or_sections": 3}, [], lambda x: x[:, :2]),
    ("Quantile", {"axis": -1}, [0.3], lambda x: np.quantile(x, 0.3, -1)),
    ("Percentile", {"axis": [1, 2], "keepdims": True}, [30], lambda x: np.percentile(x, 30, (1, 2), keepdims=True)),
    ("Ptp", {"axis": [1, 2]}, [], lambda x: np.ptp(x, (1, 2))),
    ("CountNonzero", {"axis": 1}, [], lambda x: (x != 0).sum(1)),
    ("Max", {"axis": 1, "initial": 1.5}, [], lambda x: x.max(1, initial=1.5)),
    ("FullLike", {"dtype": None}, [2.5], lambda x: np.full_like(x, 2.5)),
    ("IsIn", {"invert": True}, [[float(X[0, 0, 0, 0])]], lambda x: x != X[0, 0, 0, 0]),
    ("SaturateCast", {"dtype": "uint8"}, [], lambda x: np.trunc(np.clip(x, 0, 255))),
    ("SaturateCast", {"dtype": "bool"}, [], lambda x: x > 0),
    ("Softmax", {"axis": [1, -1]}, [], lambda x: L.Softmax((1, 3))(x)),
    ("Moveaxis", {"source": [1, -1], "destination": [-2, 1]}, [], lambda x: np.moveaxis(x, (1, -1), (-2, 1))),
    ("Swapaxes", {"axis1": 1, "axis2": -1}, [], lambda x: x.swapaxes(1, -1)),
    ("Flip", {"axis": [1, 2]}, [], lambda x: x[:, ::-1, ::-1]),
    ("Fliplr", {}, [], lambda x: x[:, ::-1]),
    ("DepthToSpace", {"block_size": 2}, [],
     lambda x: x.reshape(3, 6, 5, 2, 2).transpose(0, 1, 3, 2, 4).reshape(3, 12, 10, 1)),
    ("Negative", {}, [], np.negative),
    ("Absolute", {}, [], np.abs),
    ("Nanmean", {"axis": 1}, [], lambda x: np.nanmean(x, 1)),
    ("Nanvar", {"axis": [1, 2], "keepdims": True}, [], lambda x: np.nanvar(x, (1, 2), keepdims=True)),
    ("Nanstd", {"axis": -1}, [], lambda x: np.nanstd(x, -1)),
    ("Nanmax", {"axis": 2}, [], lambda x: np.nanmax(x, 2)),
    ("Nanmin", {"axis": [1, 3]}, [], lambda x: np.nanmin(x, (1, 3))),
    ("LayerNorm", {"axis": [2, 3], "epsilon": 0.1, "rms_scaling": True}, [TABLE[..., 0]],
     lambda x: x / np.sqrt(x.var((2, 3), keepdims=True) + 0.1) * TABLE[..., 0]),
    ("DivideNoNan", {}, [[0, 1, 2, 4]], lambda x: x * np.array([0, 1, 0.5, 0.25])),
    ("Erf", {}, [], np.vectorize(math.erf)),
    ("Erfc", {}, [], np.vectorize(math.erfc)),
    ("Rot90", {"k": 3, "axes": [1, 2]}, [], lambda x: np.rot90(x, 3, (1, 2))),
    ("Tril", {"k": -1}, [], lambda x: np.tril(x, -1)),
    ("Resize", {"size": [3, 4], "antialias": True}, [], lambda x: L.Resizing(3, 4, antialias=True)(x)),
    ("Resize", {"size": [4, 9], "crop_to_aspect_ratio": True}, [],
     lambda x: L.Resizing(4, 9, crop_to_aspect_ratio=True)(x)),
    ("Resize", {"size": [4, 9], "pad_to_aspect_ratio": True, "fill_value": 0.5, "interpolation": "bicubic"}, [],
     lambda x: L.Resizing(4, 9, "bicubic", pad_to_aspect_ratio=True, fill_value=0.5)(x)),
]  # fmt: skip


def answer(class_name, config, arguments, x):
    source = cn.Input(x.shape[1:])
    made = Operation(class_name, config)(source, *arguments)
    return cn.Model(source, made[0] if isinstance(made, list) else made)(x)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{'-'.join(map(str, case[1]))}")
def test_operation(case):
    class_name, config, arguments, expected = case
    x = X
    if class_name in ("LogicalNot", "Any", "All", "Isnan"):
        x = np.where(X > 1, X, np.float32(np.nan if class_name == "Isnan" else 0))
    if class_name.startswith("Nan") and class_name != "NanToNum":
        x = np.where(X > 1, np.float32(np.nan), X)
    got, wanted = answer(class_name, config, arguments, x), np.asarray(expected(x))
    assert got.shape == wanted.shape and got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)


def test_symbols_for_one_tensor():
    source = cn.Input(X.shape[1:])
    np.testing.assert_array_equal(cn.Model(source, abs(-source))(X), np.abs(X))


def test_stacks_and_constants_side_by_side():
    source, mean = cn.Input(X.shape[1:]), X[:1]
    stacked = cn.Model(source, cn.ops.stack([source, 2 * source], axis=-1))(X)
    np.testing.assert_array_equal(stacked, np.stack([X, 2 * X], -1))
    joined = cn.Model(source, cn.ops.concatenate([mean, source], axis=2))(X)
    np.testing.assert_array_equal(joined, np.concatenate([np.repeat(mean, 3, 0), X], 2))
    with pytest.raises(ValueError, match="`xs` must agree in all sizes but that of axis 2"):
        cn.ops.concatenate([X, source], axis=2)


@pytest.mark.parametrize("axis", [1, -1])
def test_constants_are_stacked_with_tensors(axis):
    source = cn.Input(X.shape[1:])
    made = cn.Model(source, cn.ops.stack([X[:1], source, 2 * source], axis))(X)
    np.testing.assert_array_equal(made, np.stack([np.repeat(X[:1], len(X), 0), X, 2 * X], axis))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_lists_of_tensors_reduced_to_one(name):
    source, own = cn.Input(X.shape[1:]), getattr(cn.ops, name)
    made = cn.Model(source, own([source, 2 * source, X[:1]], axis=0))(X)
    expected = getattr(np, name)([X, 2 * X, np.repeat(X[:1], 3, 0)], axis=0)
    np.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-6)
    for wrong in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        with pytest.raises(cn.UnsupportedLayerError, match=r"list of tensors.*axis 0 alone"):
            own([source, source], **wrong)
    with pytest.raises(cn.UnsupportedLayerError, match="operation 'std'"):
        cn.ops.std([source, source], axis=0)
    with pytest.raises(ValueError, match="`x` must be tensors of one shape"):
        own([source, source[:, 1:]], axis=0)


def test_the_symbol_for_matrix_products_takes_arrays_first():
    with pytest.raises(cn.UnsupportedLayerError, match="'matmul' mixes the images"):
        np.ones((3, 3)) @ cn.Input((3,))


def test_pooling_of_tensorflow_over_channels_is_refused():
    pool = from_tensorflow("nn.max_pool2d", "pool")
    with pytest.raises(cn.UnsupportedLayerError, match="over the batch or the channels"):
        pool(cn.Input((4, 4, 3)), ksize=[1, 2, 2, 3], strides=1, padding="VALID")


def test_a_bias_of_tensorflow_along_another_axis_is_refused():
    add = from_tensorflow("nn.bias_add", "bias")
    with pytest.raises(cn.UnsupportedLayerError, match="data_format='channels_first'"):
        add(cn.Input((2, 4, 4)), bias=[1.0, 2.0], data_format="NCHW")


def test_the_batch_of_arrays_is_an_axis_like_any_other():
    ops = cn.ops
    np.testing.assert_array_equal(ops.slice(X, (1, 0, 2, 0), (2, 6, 3, 4)), X[1:, :, 2:5])
    np.testing.assert_array_equal(ops.unstack(X)[1], X[1])
    np.testing.assert_allclose(ops.softmax(X, axis=0), ops.softmax(X.T).T, rtol=1e-6)
    np.testing.assert_allclose(ops.softmax(X, axis=(0, 1)).sum((0, 1)), 1, rtol=1e-5)
    np.testing.assert_allclose(ops.normalize(X, axis=0), ops.normalize(X.T).T, rtol=1e-6)


def test_values_beyond_half_precision_are_its_largest():
    got = answer("SaturateCast", {"dtype": "float16"}, [], np.array([[1e6, -1e6, 2.0]]))
    assert got.tolist() == [[65504, -65504, 2]]


PICTURE = np.array(
    [[[[0.2, 0.4, 0.6], [0.9, 0.3, 0.3], [0.1, 0.5, 0.9]], [[0, 0, 0], [0.5, 0.75, 0.25], [1, 0.5, 0]]]]
)
HSV = [[[[0.5833333, 0.6666667, 0.6], [0, 0.6666666, 0.9], [0.5833333, 0.8888889, 0.9]],
        [[0, 0, 0], [0.25, 0.6666667, 0.75], [0.0833333, 1, 1]]]]  # fmt: skip
BLURRED = [[[[0.1290309, 0.1785745, 0.2351013], [0.471521, 0.3263581, 0.2327947], [0.3091581, 0.3219795, 0.3417842]],
            [[0.0934721, 0.1311272, 0.1502016], [0.4288078, 0.3817482, 0.1973942],
             [0.4275129, 0.3305009, 0.2149081]]]]  # fmt: skip


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_pictures(order):
    """Against what Keras 3.15 answers."""

    def ordered(a):
        a = np.asarray(a, np.float32)
        return np.ascontiguousarray(np.moveaxis(a, 3, 1)) if order == "channels_first" else a

    def check(class_name, x, wanted, **settings):
        got = answer(class_name, {"data_format": order, **settings}, [], ordered(x))
        np.testing.assert_allclose(got, ordered(wanted), atol=1e-6)

    check("RGBToHSV", PICTURE, HSV)
    check("HSVToRGB", HSV, PICTURE)
    check("GaussianBlur", PICTURE, BLURRED, kernel_size=[3, 3], sigma=[0.5, 1.0])
    slopes = np.zeros((1, 2, 3, 3, 2))
    slopes[:, :, 1, :, 1] = [1.8, 1.2, 0.6]
    check("SobelEdges", PICTURE, slopes)
    patches = answer("ExtractPatches", {"size": 2, "data_format": order}, [], ordered(PICTURE))
    np.testing.assert_allclose(patches, ordered(PICTURE[:, :, :2].reshape(1, 1, 1, 12)), atol=1e-7)


def test_attention():
    """Against what Keras 3.15 answers."""
    q = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2) / 8
    x, f = cn.Input((2, 2, 2)), cn.ops.dot_product_attention
    masked = f(x, x[:, ::-1], 1 - x, bias=x[:, :1] * 2, mask=np.array([[True, False], [True, True]]))
    causal = f(x, x[:, ::-1], 1 - x, scale=3.0, is_causal=True)
    wanted = [[[[1, 0.875], [0.75, 0.625]], [[0.7684349, 0.6434349], [0.5402133, 0.4152133]]]]
    np.testing.assert_allclose(cn.Model(x, masked)(q), wanted, atol=1e-6)
    wanted = [[[[1, 0.875], [0.75, 0.625]], [[0.9219476, 0.7969476], [0.7098213, 0.5848213]]]]
    np.testing.assert_allclose(cn.Model(x, causal)(q), wanted, atol=1e-6)
    np.testing.assert_allclose(f(q, q[:, ::-1], 1 - q, scale=3.0, is_causal=True), wanted, atol=1e-6)
    two = np.concatenate([q, q * 2])
    np.testing.assert_allclose(f(two, two[::-1], two)[1:], f(q * 2, q, q * 2), atol=1e-6)
    one = f(x, x[:, :, :1], x[:, :, :1])
    np.testing.assert_allclose(cn.Model(x, one)(q), f(q, q[:, :, [0, 0]], q[:, :, [0, 0]]), atol=1e-6)


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_gray(order):
    wanted = np.tensordot(X[..., :3], [0.2989, 0.587, 0.114], 1)
    axis = 1 if order == "channels_first" else 3
    colours = np.ascontiguousarray(np.moveaxis(X[..., :3], 3, axis))
    got = answer("RGBToGrayscale", {"data_format": order}, [], colours)
    np.testing.assert_allclose(got, np.expand_dims(wanted, axis), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(answer("RGBToGrayscale", {"data_format": order}, [], got), got)


@pytest.mark.parametrize(
    "class_name, config, arguments, words",
    [
        ("Roll", {"shift": 1, "axis": None}, [], "batch axis"),
        ("Take", {"axis": None}, [[0]], "batch axis"),
        ("Argmax", {"axis": [1, 2]}, [], "one axis"),
        ("Resize", {"size": [3, 3], "interpolation": "cubic"}, [], "interpolation='cubic'"),
    ],
)
def test_what_is_not_computed_is_said(class_name, config, arguments, words):
    with pytest.raises(cn.UnsupportedLayerError, match=words):
        answer(class_name, config, arguments, X)


def test_kernels_must_be_constants():
    x, kernel = cn.Input((6, 5, 4)), cn.Input((3, 4, 2))
    with pytest.raises(cn.UnsupportedLayerError, match="constant kernels"):
        Operation("Conv", {})(x, kernel)
    with pytest.raises(cn.UnsupportedLayerError, match="4 dimensions"):
        Operation("Resize", {"size": [3, 3]})(cn.Input((6, 5)))
    with pytest.raises(ValueError, match="cannot be brought"):
        Operation(
            "CropImages", {"top_cropping": 0, "target_height": 99, "left_cropping": 0, "target_width": 2}
        )(x)


def test_operands_and_settings_are_recorded_as_keras_has_them():
    x, ops = cn.Input((6, 5, 4)), cn.ops
    recorded = {
        ops.slice(x, (0, 1, 1, 0), (3, 3, 4, 2)): ({"shape"}, 2),
        ops.image.resize(x, (4, 9), pad_to_aspect_ratio=True, fill_value=0.5):
            ({"size", "pad_to_aspect_ratio", "fill_value"}, 1),
        ops.full_like(x, 2.5): (set(), 2),
        ops.rms_normalization(x, axis=1): ({"axis"}, 2),
        ops.isclose(x, x, atol=0.3): (set(), 4),
        ops.batch_normalization(x, np.ones(4), np.ones(4), -1): ({"axis", "epsilon"}, 5),
    }  # fmt: skip
    for made, (settings, operands) in recorded.items():
        assert set(made.node.layer.config) == settings and len(made.node.args) == operands
    padded = ops.pad_images(ops.crop_images(x, 1, 2, 1, 0), 3, None, 0, 1, None, 9)
    np.testing.assert_array_equal(
        cn.Model(x, padded)(X), np.pad(X[:, 1:5, 2:], [(0, 0), (3, 0), (5, 1), (0, 0)])
    )


def test_small_vectors_are_not_made_unit_vectors():
    """Below Keras's `epsilon`; TensorFlow's is one of squares."""
    x = cn.Input((3,))
    tiny = np.full((1, 3), 1e-8, np.float32)
    for operation, least in (
        (Operation("Normalize", {"axis": -1})(x), 1e-7),
        (from_tensorflow("math.l2_normalize", "unit")(x=x, axis=-1), 1e-6),
        (from_tensorflow("math.l2_normalize", "unit")(x=x, axis=-1, epsilon=1e-8), 1e-4),
    ):
        np.testing.assert_allclose(cn.Model(x, operation)(tiny), tiny / least, rtol=1e-5)


@pytest.mark.parametrize("name", cn.activations.PUBLIC)
def test_activations_of_symbolic_tensors(name, tmp_path):
    source = cn.Input((6, 5, 4))
    outputs = [getattr(cn.activations, name)(source), cn.activations.get(name)(source)]
    model = cn.Model(source, [*outputs, L.Activation(name)(source)])
    model.save(tmp_path / "m.keras")
    for made in (*model(X)[:2], *cn.load_model(tmp_path / "m.keras")(X)):
        np.testing.assert_allclose(made, getattr(cn.activations, name)(X), rtol=1e-5, atol=1e-6)


def test_parameters_of_activations_of_symbolic_tensors(tmp_path):
    class Squash(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.act = cn.activations.get("gelu")

        def call(self, x):
            return cn.activations.softmax(self.act(x), axis=1)

    source = cn.Input((6, 5, 4))
    a = cn.activations
    outputs = [
        a.relu(source, max_value=0.5, threshold=0.1), a.leaky_relu(source, 0.3), a.softmax(source, axis=1),
        a.glu(source), Squash()(source),
    ]  # fmt: skip
    model = cn.Model(source, outputs)
    expected = [
        a.relu(X, max_value=0.5, threshold=0.1), a.leaky_relu(X, 0.3), a.softmax(X, axis=1), a.glu(X),
        a.softmax(a.gelu(X), axis=1),
    ]  # fmt: skip
    model.save(tmp_path / "m.keras")
    for each in (model, cn.load_model(tmp_path / "m.keras", custom_objects={"Squash": Squash})):
        for made, right in zip(each(X), expected, strict=True):
            np.testing.assert_allclose(made, right, rtol=1e-5, atol=1e-6)


OPERATORS = {
    "greater": lambda x: x * (x > 0.1),
    "the other way round": lambda x: (0.1 >= x) * 2.0 + (0.2 < x),  # noqa: SIM300
    "less": lambda x: (x < 0) * 2.0 + (x <= 0.1) + (x >= 0.3),
    "not equal": lambda x: (x != X[0, 0, 0, 0]) + 0,
    "logic": lambda x: ((x > 0.5) | (x < -0.5)) * 2.0 + (~(x > 0) & (x > -1)),
    "exclusive or": lambda x: ((x > 0) ^ (x < 0.5)) + (True ^ (x > 1)) * 2.0,
    "remainder": lambda x: x % 0.5 + (2 % (x * x) < 1),
    "floor": lambda x: x // 0.3 + 30 // (x * x),
    "matmul": lambda x: x @ POINTS[0, 0, :4],
    "matmul of two": lambda x: x @ (x * 2).reshape((-1, 6, 4, 5)),
    "reshape": lambda x: x.reshape((-1, 30, 4)),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "round": lambda x: round(x) if isinstance(x, cn.layers.symbolic.KerasTensor) else np.round(x),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.filterwarnings("error")  # 30 // 0 when the shape is found by a trial on zeros
def test_operators_of_symbolic_tensors(name, tmp_path):
    source = cn.Input((6, 5, 4))
    model = cn.Model(source, OPERATORS[name](source))
    np.testing.assert_allclose(model(X), OPERATORS[name](X), rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(cn.load_model(tmp_path / "m.keras")(X), model(X))
    assert (source == 0) is False and source in [source] and {source: 1}[source] == 1
