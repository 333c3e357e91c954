"""The public functions against the float64 references, `out=`, and their agreement with the graph builder."""

import inspect

import numpy as np
import pytest

import conv2d_native as cn
import oracle
from conv2d_native import activations, functional
from conv2d_native.graph import GraphBuilder
from error_measure import relative_l2

RNG = np.random.default_rng(7)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


IMAGE = array(2, 9, 11, 6)
FIRST = np.ascontiguousarray(IMAGE.transpose(0, 3, 1, 2))
CONVOLUTIONS = [
    {},
    {"padding": "same", "strides": 2},
    {"padding": "SAME", "strides": (2, 3), "activation": "relu"},
    {"padding": ((2, 0), (1, 3)), "dilation_rate": (2, 1)},
    {"padding": "same", "strides": 2, "dilation_rate": 2, "activation": "tanh"},
    {"activation": "softmax"},
]


def agree(got, expected):
    assert got.dtype == np.float32 and got.shape == expected.shape and got.flags.c_contiguous
    assert relative_l2(got, expected) <= 1e-6


@pytest.mark.parametrize("words", CONVOLUTIONS, ids=str)
def test_convolutions(words, isa):
    kernel, bias = array(3, 3, 6, 4), array(4)
    known = words | {"padding": words.get("padding", "valid")}
    if isinstance(known["padding"], str):
        known["padding"] = known["padding"].lower()
    agree(cn.conv2d(IMAGE, kernel, bias, **words), oracle.conv2d(IMAGE, kernel, bias, **known))
    grouped = array(3, 3, 2, 9)
    agree(cn.conv2d(IMAGE, grouped, groups=3, **words), oracle.conv2d(IMAGE, grouped, groups=3, **known))
    deep, bias = array(3, 2, 6, 2), array(12)
    agree(
        cn.depthwise_conv2d(IMAGE, deep, bias, **words), oracle.depthwise_conv2d(IMAGE, deep, bias, **known)
    )
    point, bias = array(1, 1, 12, 5), array(5)
    expected = oracle.separable_conv2d(IMAGE, deep, point, bias, **known)
    agree(cn.separable_conv2d(IMAGE, deep, point, bias, **words), expected)
    if words.get("activation") != "softmax":  # along the last axis: rows there, channels here
        first = cn.conv2d(FIRST, kernel, data_format="channels_first", **words)
        agree(first, oracle.conv2d(FIRST, kernel, data_format="channels_first", **known))


@pytest.mark.parametrize(
    "words", [{}, {"strides": 2}, {"strides": (3, 2), "padding": "same"}, {"dilation_rate": 2}]
)
def test_transposed(words, isa):
    kernel, bias = array(3, 4, 5, 6), array(5)
    agree(
        cn.conv2d_transpose(IMAGE, kernel, bias, **words),
        oracle.conv2d_transpose(IMAGE, kernel, bias, **words),
    )


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    "words", [{}, {"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (2, 5), "strides": 1}]
)
def test_pooling(words, data_format, isa):
    x = IMAGE if data_format == "channels_last" else FIRST
    words = words | {"data_format": data_format}
    agree(cn.max_pool2d(x, **words), oracle.max_pool2d(x, **words))
    agree(cn.average_pool2d(x, **words), oracle.average_pool2d(x, **words))
    for keepdims in (False, True):
        words = {"keepdims": keepdims, "data_format": data_format}
        agree(cn.global_max_pool2d(x, **words), oracle.global_max_pool2d(x, **words))
        agree(cn.global_average_pool2d(x, **words), oracle.global_average_pool2d(x, **words))


def test_any_rank(isa):
    for shape in ((3, 6), (2, 5, 6), (2, 3, 4, 6)):
        x, kernel, bias = array(*shape), array(6, 7), array(7)
        agree(cn.dense(x, kernel, bias, "relu"), oracle.dense(x, kernel, bias, "relu"))
        mean, variance, offset, scale = array(6), np.abs(array(6)) + 0.1, array(6), array(6)
        expected = oracle.batch_normalization(x, mean, variance, offset, scale)
        agree(cn.batch_normalization(x, mean, variance, offset, scale), expected)
        agree(cn.layer_normalization(x, scale, offset), oracle.layer_normalization(x, scale, offset))
        agree(cn.prelu(x, scale), oracle.prelu(x, scale))
    agree(
        cn.batch_normalization(FIRST, mean, variance, axis=1),
        oracle.batch_normalization(FIRST, mean, variance, axis=1),
    )


@pytest.mark.parametrize("name", sorted(set(oracle.ACTIVATIONS) - {"gelu_tanh"}))
def test_activations(name, isa):
    x = (
        np.concatenate([np.linspace(-4, 4, 90), [0.0, -0.0, 1.0, -1.0, 20.0, -20.0]])
        .astype(np.float32)
        .reshape(2, 48)
    )
    function = getattr(cn.activations, name)
    agree(function(x), oracle.activate(x, name))
    out = np.empty_like(function(x))
    assert function(x, out=out) is out and np.array_equal(out, function(x))


def test_activations_with_parameters():
    x = array(4, 6)
    agree(cn.relu(x, negative_slope=0.1, max_value=0.5, threshold=0.2), oracle.relu(x, 0.1, 0.5, 0.2))
    agree(cn.elu(x, alpha=0.5), oracle.elu(x, 0.5))
    agree(cn.gelu(x, approximate=True), oracle.gelu(x, True))
    agree(cn.softmax(x, axis=0), oracle.softmax(x, 0))
    agree(cn.softmax(x[0]), oracle.softmax(x[0]))
    assert cn.relu(np.float32(-2)).shape == () and cn.relu(np.zeros((0, 3))).shape == (0, 3)
    assert cn.glu(np.zeros((0, 4))).shape == (0, 2) and cn.glu(np.zeros((4, 3)), axis=0).shape == (2, 3)
    with pytest.raises(ValueError, match="axis"):
        cn.softmax(x, axis=2)


def test_forms_of_an_activation():
    relu6 = {
        "module": "keras.layers",
        "class_name": "ReLU",
        "config": {"max_value": 6.0},
        "registered_name": None,
    }
    x = np.array([[-1.0, 9.0]], np.float32)
    for form in ("relu6", relu6, cn.relu6, cn.layers.ReLU(6), {"class_name": "function", "config": "relu6"}):
        assert functional.activate(x, form).tolist() == [[0.0, 6.0]]
    for name in activations.PUBLIC:
        made = activations.get(name)
        assert activations.get(activations.serialize(made)) == made
    leaky = activations.make("leaky_relu", negative_slope=0.3)
    assert activations.serialize(leaky)["class_name"] == "LeakyReLU"
    assert activations.get(activations.serialize(leaky)) == leaky


OPERATIONS = sorted(
    name
    for name, value in vars(functional).items()
    if callable(value) and name not in ("explain", "Explanation")
)


@pytest.mark.parametrize("name", OPERATIONS)
def test_both_interpreters_have_one_signature(name):
    def words(function, drop):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.name not in drop]

    assert words(getattr(functional, name), {"out", "exact"}) == words(getattr(GraphBuilder, name), {"self"})


def test_the_builder_has_no_operation_of_its_own():
    own = {name for name in dir(GraphBuilder) if not name.startswith("_")}
    assert own - set(OPERATIONS) == {"input", "compile"}


def test_weights_may_change_in_place_between_calls():
    kernel, bias = array(3, 3, 6, 4), array(4)
    for _ in range(3):
        agree(cn.conv2d(IMAGE, kernel, bias), oracle.conv2d(IMAGE, kernel, bias))
        kernel[0, 0, 0, 0] += 1
        bias[1] -= 1
    assert len(functional.eager._prepared) <= 16


def test_large_working_memory_is_not_kept():
    functional.eager._prepared.clear()
    x = np.zeros((1, 4, 1500, 1500), np.float32)
    assert cn.max_pool2d(x, data_format="channels_first").shape == (1, 4, 750, 750)
    assert not functional.eager._prepared
    cn.max_pool2d(x[:, :, :50, :50], data_format="channels_first")
    assert len(functional.eager._prepared) == 1


def test_what_layers_keep_has_the_name_of_keras_s_function():
    for given in ("relu", cn.activations.relu):
        assert cn.layers.Conv2D(2, 3, activation=given).activation.__name__ == "relu"
    assert cn.layers.Dense(2).activation.__name__ == "linear"


def test_activation_layers_are_told_apart_by_what_they_compute():
    x, kernel = -np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32)
    for slope in (0.1, 0.5, 0.7):
        layer = cn.layers.LeakyReLU(negative_slope=slope, name="same_name")
        assert cn.conv2d(x, kernel, activation=layer).item() == np.float32(-slope)
    layer.negative_slope = 0
    assert cn.conv2d(x, kernel, activation=layer).item() == 0


def test_the_calls_that_are_kept_are_bounded_together(monkeypatch):
    functional.eager._prepared.clear()
    monkeypatch.setattr(functional.eager._prepared, "most_bytes", 4 * 4 * 64 * 64)
    kernel = array(64, 64)
    for n in range(1, 9):
        cn.dense(np.ones((1, n, 64), np.float32), kernel)
    assert len(functional.eager._prepared) == 2


def test_one_and_true_are_told_apart():
    cn.conv2d(IMAGE, array(3, 3, 6, 4), strides=1)
    for bad in (True, 1.0, "1"):
        with pytest.raises(TypeError, match="strides"):
            cn.conv2d(IMAGE, array(3, 3, 6, 4), strides=bad)


def test_batches_and_threads_do_not_change_a_bit():
    kernel, x = array(3, 3, 16, 24), array(5, 13, 17, 16)
    whole = cn.conv2d(x, kernel, padding="same")
    for n in (1, 2):
        cn.set_num_threads(n)
        np.testing.assert_array_equal(cn.conv2d(x, kernel, padding="same"), whole)
        np.testing.assert_array_equal(cn.conv2d(x[2:3], kernel, padding="same"), whole[2:3])


PUBLIC = {
    "conv2d": lambda x, **k: cn.conv2d(x, np.ones((1, 1, 6, 6), np.float32), **k),
    "depthwise_conv2d": lambda x, **k: cn.depthwise_conv2d(x, np.ones((1, 1, 6, 1), np.float32), **k),
    "separable_conv2d": lambda x, **k: cn.separable_conv2d(
        x, np.ones((1, 1, 6, 1)), np.ones((1, 1, 6, 6)), **k
    ),
    "conv2d_transpose": lambda x, **k: cn.conv2d_transpose(x, np.ones((1, 1, 6, 6), np.float32), **k),
    "dense": lambda x, **k: cn.dense(x, np.eye(6), **k),
    "max_pool2d": lambda x, **k: cn.max_pool2d(x, 1, **k),
    "average_pool2d": lambda x, **k: cn.average_pool2d(x, 1, **k),
    "batch_normalization": lambda x, **k: cn.batch_normalization(x, np.zeros(6), np.ones(6), **k),
    "layer_normalization": lambda x, **k: cn.layer_normalization(x, **k),
    "prelu": lambda x, **k: cn.prelu(x, np.ones(6), **k),
    "resize": lambda x, **k: cn.resize(x, (9, 11), **k),
    "relu": lambda x, **k: cn.relu(x, **k),
    "softmax": lambda x, **k: cn.softmax(x, **k),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_out(name):
    function, x = PUBLIC[name], IMAGE.copy()
    expected = function(x)
    out = np.full_like(expected, np.nan)
    assert function(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert function(x, out=x) is x  # B20: the input itself
    np.testing.assert_array_equal(x, expected)


def test_package_names():
    assert set(cn.__all__) <= set(dir(cn))
    for name in cn.__all__:
        if name not in ("Input", "InputLayer"):
            assert getattr(cn, name) is not None
    assert cn.__version__
    with pytest.raises(AttributeError):
        cn.nothing_of_that_name  # noqa: B018


def test_the_machine(capsys):
    before = cn.get_num_threads()
    config = cn.show_config()
    assert config["isa_active"] in capsys.readouterr().out
    assert cn.set_num_threads(1) == 1 == cn.get_num_threads()
    assert cn.set_num_threads(before) == before


MOVES = {
    "add": lambda f, x: f.add(x, f.multiply(x, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
    "subtract": lambda f, x: f.subtract(1.0, x),
    "divide": lambda f, x: f.divide(x, f.add(f.multiply(x, x), 1.0)),
    "maximum": lambda f, x: f.maximum(f.minimum(x, 0.5), -0.5),
    "reduce": lambda f, x: f.reduce(x, "sum", (1, 3), True),
    "reduce mean": lambda f, x: f.reduce(x, "mean", (-1,)),
    "reduce apart": lambda f, x: f.reduce(x, "max", (1, 3)),
    "reduce max": lambda f, x: f.reduce(x, "max", (2,)),
    "concatenate": lambda f, x: f.concatenate([x, f.crop(x, [(0, 0), (1, 2), (0, 0), (0, 0)])], 1),
    "pad": lambda f, x: f.pad(x, [(0, 0), (1, -2), (0, 3), (2, 0)], 0.5),
    "reshape": lambda f, x: f.reshape(x, (-1, 11, 54)),
    "reshape rest": lambda f, x: f.reshape(x, (None, -1, 6)),
    "transpose": lambda f, x: f.transpose(f.transpose(x, (0, 3, 1, 2)), (0, 2, 1, 3)),
    "apply": lambda f, x: f.apply(lambda a: a[:, ::2] * 2, [x], (None, 5, 11, 6), "halve"),
    "prelu": lambda f, x: f.prelu(x, np.linspace(-1, 1, 11 * 6).reshape(1, 11, 6)),
    "scale_shift": lambda f, x: f.scale_shift(x, 2.0, [1, 2, 3, 4, 5, 6]),
    "layer_normalization": lambda f, x: f.layer_normalization(x, np.ones((9, 6)), None, (1, 3)),
    "resize": lambda f, x: f.resize(x, (4, 20), "nearest"),
    "resize first": lambda f, x: f.resize(
        f.transpose(x, (0, 3, 1, 2)), (4, 20), "bicubic", data_format="channels_first"
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_the_interpreters_agree(name):
    builder = GraphBuilder()
    y = MOVES[name](builder, builder.input(IMAGE.shape))
    expected = MOVES[name](functional, IMAGE)
    assert y.shape == (None, *expected.shape[1:])
    got = builder.compile([y], len(IMAGE)).run([IMAGE])[0]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x: f.reshape(x, (-1, 11, 53)),
        lambda f, x: f.reshape(x, (-1, 0)),
        lambda f, x: f.transpose(x, (1, 0, 2, 3)),
        lambda f, x: f.transpose(x, (0, 1, 2)),
        lambda f, x: f.pad(x, [(1, 0), (0, 0), (0, 0), (0, 0)]),
        lambda f, x: f.crop(x, [(0, 0), (9, 0), (0, 0), (0, 0)]),
        lambda f, x: f.pad(x, [(0, 0), (10, -10), (0, 0), (0, 0)]),
        lambda f, x: f.concatenate([x, x], 0),
        lambda f, x: f.concatenate([]),
        lambda f, x: f.reduce(x, "mean", (0,)),
        lambda f, x: f.add(x, np.ones((2, 9, 11, 6))),
        lambda f, x: f.add(x, np.ones(5)),
        lambda f, x: f.softmax(x, axis=0),
        lambda f, x: f.resize(x, (0, 3)),
        lambda f, x: f.resize(x, (3, 3), "cubic"),
        lambda f, x: f.batch_normalization(x, np.zeros(5), np.ones(6)),
        lambda f, x: f.layer_normalization(x, axis=0),
        lambda f, x: f.glu(f.pad(x, [(0, 0), (0, 0), (0, 0), (0, 1)])),
    ],
)
def test_the_builder_refuses(call):
    builder = GraphBuilder()
    with pytest.raises(ValueError):
        call(builder, builder.input(IMAGE.shape))


@pytest.mark.parametrize("widths", [(10, 0), (5, 5), (0, 10), (-1, 2)])
def test_functions_crop_no_more_than_there_is(widths):
    with pytest.raises(ValueError, match="`widths` must be pairs of sizes within"):
        functional.crop(IMAGE, [(0, 0), widths, (0, 0), (0, 0)])


def test_functions_pad_what_is_wholly_cropped():
    padded = functional.pad(IMAGE, [(0, 0), (10, -9), (0, 0), (0, 0)])
    np.testing.assert_array_equal(padded, np.zeros((2, 10, 11, 6)))


def test_resizing_by_area_takes_the_mean_of_what_a_cell_covers():
    """Cells that are covered in part count by that part; antialiasing changes nothing."""
    x = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1)
    means = x.reshape(1, 2, 3, 3, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(functional.resize(x, (2, 3), "area"), means, rtol=1e-6)
    line = np.float32([0, 1, 2]).reshape(1, 1, 3, 1)
    for out, expected in ((2, [1 / 3, 5 / 3]), (4, [0, 2 / 3, 4 / 3, 2]), (6, [0, 0, 1, 1, 2, 2])):
        for antialias in (False, True):
            made = functional.resize(line, (1, out), "area", antialias)
            np.testing.assert_allclose(made.ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(cn.layers.Resizing(2, 3, "area")(x), functional.resize(x, (2, 3), "area"))
