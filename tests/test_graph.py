"""The compiled graph against float64 NumPy: fusion, slices, padding, shared weights, batches, host steps."""

import numpy as np
import pytest

import oracle
from conv2d_native import _core
from graph_values import array, close, ops


def network():
    """conv + affine + relu, a residual, a concatenation of both, pooling, dense, softmax."""
    k1, b1, k2, w = array(3, 3, 16, 32) / 12, array(32), array(1, 1, 32, 16) / 6, array(48, 10) / 7
    scale, shift = array(32), array(32)
    g = _core.Graph()
    x = g.input((1, 14, 14, 16))
    a = g.activation(g.scale_shift(g.conv2d(x, k1, b1, padding=((1, 1), (1, 1))), scale, shift), "relu")
    s = g.activation(g.binary("add", g.conv2d(a, k2, None), x), "relu")
    p = g.pool(g.concat([s, a], 3), "max", (2, 2), (2, 2))
    q = g.reduce(p, "mean", [1, 2])
    outputs = [g.softmax(g.dense(q, w, None)), q, s]

    def reference(v):
        va = np.maximum(oracle.conv2d(v, k1, b1, padding="same") * scale + shift, 0)
        vs = np.maximum(oracle.conv2d(va, k2) + v, 0)
        vq = oracle.max_pool2d(np.concatenate([vs, va], 3)).mean((1, 2))
        return [oracle.softmax(vq @ w), vq, vs]

    return g, outputs, reference


@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_a_network(n, optimize):
    g, outputs, reference = network()
    executable = g.compile(outputs, n, optimize=optimize)
    x = array(n, 14, 14, 16)
    for got, expected in zip(executable.run([x]), reference(x), strict=True):
        close(got, expected)
    assert ("affine" in ops(executable)) is not optimize


def test_any_batch_gives_the_same_bits():
    g, outputs, _ = network()
    x = array(5, 14, 14, 16)
    whole = g.compile(outputs, 5).run([x])
    one = g.compile(outputs, 1)
    for i in range(5):
        for many, single in zip(whole, one.run([x[i : i + 1]]), strict=True):
            np.testing.assert_array_equal(many[i : i + 1], single)


def test_the_work_of_a_batch_that_runs_in_parts():
    """Steps are planned for a part; what they report is the work of the whole call."""
    g = _core.Graph()
    y = g.conv2d(g.input((1, 112, 112, 64)), array(5, 5, 64, 64), padding=((2, 2), (2, 2)))
    _core.set_num_threads(1)  # how many images make a part depends on the threads
    executables = {n: g.compile([y], n) for n in (1, 16, 21)}
    for n, executable in executables.items():
        (step,) = executable.nodes
        assert step["flops"] == pytest.approx(n * 2 * 112 * 112 * 64 * 64 * 25, rel=1e-12)
        assert step["flops"] == pytest.approx(executable.flops, rel=1e-12)
        assert step["bytes"] >= n * 2 * 4 * 112 * 112 * 64
        assert (f"n{n}h" in step["problem"]) is (n == 1)


def test_concatenations_are_written_in_place():
    kernel = array(1, 1, 8, 8)
    g = _core.Graph()
    x = g.input((1, 6, 5, 8))
    first = g.concat([g.conv2d(x, kernel), g.conv2d(x, kernel, activation="relu")], 3)
    second = g.concat([first, g.pool(x, "max", (1, 1), (1, 1))], 3)
    executable = g.compile([g.activation(second, "sigmoid")], 2)
    assert ops(executable) == ["conv", "conv", "pool", "affine"]
    v = array(2, 6, 5, 8)
    y = oracle.conv2d(v, kernel)
    close(executable.run([v])[0], oracle.sigmoid(np.concatenate([y, np.maximum(y, 0), v], 3)))


def test_zero_padding_moves_into_the_convolution():
    kernel = array(3, 3, 4, 6)
    g = _core.Graph()
    x = g.input((1, 7, 8, 4))
    y = g.conv2d(g.pad(x, [(0, 0), (2, 1), (0, 3), (0, 0)]), kernel)
    executable = g.compile([y], 1)
    assert ops(executable) == ["conv"]
    v = array(1, 7, 8, 4)
    close(executable.run([v])[0], oracle.conv2d(v, kernel, padding=((2, 1), (0, 3))))


@pytest.mark.parametrize(("channels", "k", "dilation"), [(8, 1, 1), (24, 3, 1), (160, 3, 1), (160, 3, 4)])
def test_a_transformation_of_the_input_moves_into_the_convolution(channels, k, dilation):
    scale, shift, gate = array(channels), array(channels), array(2, 1, 1, channels)
    kernel, padding = array(k, k, channels, 6) / channels**0.5, ((k // 2 * dilation,) * 2,) * 2
    g = _core.Graph()
    x, z = g.input((1, 5, 4, channels)), g.input((1, 1, 1, channels))
    transformed = g.activation(g.scale_shift(x, scale, shift), "relu"), g.binary("multiply", x, z)
    outputs = [g.conv2d(t, kernel, padding=padding, dilation=(dilation,) * 2) for t in transformed]
    executable = g.compile(outputs, 2)
    assert ops(executable) == ["conv", "conv"]
    v = array(2, 5, 4, channels)
    expected = np.maximum(v * scale.astype(np.float64) + shift, 0), v * gate.astype(np.float64)
    for got, e in zip(executable.run([v, gate]), expected, strict=True):
        close(got, oracle.conv2d(e, kernel, padding=padding, dilation_rate=dilation))


def test_shapes_move_without_a_copy_or_with_one():
    g = _core.Graph()
    x = g.input((1, 4, 5, 6))
    y = g.transpose(g.reshape(g.pad(x, [(0, 0), (-1, 0), (0, -2), (1, 2)], 0.5), (1, 9, 9)), (0, 2, 1))
    v = array(3, 4, 5, 6)
    expected = np.pad(v[:, 1:, :-2], ((0, 0), (0, 0), (0, 0), (1, 2)), constant_values=0.5)
    executable = g.compile([y, x, g.reshape(x, (1, 120))], 3)
    got = executable.run([v])
    np.testing.assert_array_equal(got[0], expected.reshape(3, 9, 9).transpose(0, 2, 1))
    np.testing.assert_array_equal(got[1], v)
    np.testing.assert_array_equal(got[2], v.reshape(3, 120))


@pytest.mark.parametrize("kind", ["add", "subtract", "multiply", "divide", "maximum", "minimum", "prelu"])
@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (1, 1, 1, 6), (1, 4, 1, 1), (1, 1, 5, 6)])
def test_binary_operations_broadcast(kind, shape):
    g = _core.Graph()
    x, z = g.input((1, 4, 5, 6)), g.input(shape)
    constant = g.constant(array(6))
    outputs = [g.binary(kind, x, z), g.binary(kind, z, x), g.binary(kind, x, constant)]
    a, b = array(2, 4, 5, 6), array(2, *shape[1:])
    got = g.compile(outputs, 2).run([a, b])
    ufunc = getattr(np, kind, oracle.prelu)
    close(got[0], ufunc(a, b))
    close(got[1], ufunc(b, a))


def test_shapes_may_have_many_axes():
    """Copies count neighbouring axes as one: those of a concatenation, and of an output that is an input."""
    shape = (1, *(2,) * 11)
    g = _core.Graph()
    x, y = g.input(shape), g.input((1, 2048))
    a, b = array(3, *shape[1:]), array(3, 2048)
    got = g.compile([g.concat([x, x], 4), g.reshape(y, shape)], 3).run([a, b])
    np.testing.assert_array_equal(got[0], np.concatenate([a, a], 4))
    np.testing.assert_array_equal(got[1], b.reshape(a.shape))


def test_a_constant_has_no_batch():
    """Operations on constants alone are computed once, and a constant image times a gate is no image of the batch."""
    image, kernel, point = array(1, 6, 6, 16), array(3, 3, 16, 16), array(1, 1, 16, 16)
    g = _core.Graph()
    x = g.input((1, 1, 1, 16))
    c = g.constant(image)
    pooled = g.pool(g.conv2d(c, kernel), "max", (2, 2), (2, 2))
    upwards = g.conv2d_transpose(c, kernel, None, (1, 1), (0, 0), (1, 1), (8, 8))
    mean = g.reduce(c, "mean", [1, 2], keepdims=True)
    gated = g.conv2d(g.binary("multiply", c, x), point)
    outputs = [g.binary("add", x, value) for value in (pooled, upwards, mean)]
    v = array(5, 1, 1, 16)
    got = g.compile([*outputs, gated], 5).run([v])
    scattered = np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    close(got[0], v + oracle.max_pool2d(oracle.conv2d(image, kernel)))
    close(got[1], v + oracle.conv2d(np.pad(image, ((0, 0), (2, 2), (2, 2), (0, 0))), scattered))
    close(got[2], v + image.mean((1, 2), keepdims=True, dtype=np.float64))
    close(got[3], oracle.conv2d(image * v, point))


def test_a_host_step_stands_between_native_ones():
    g = _core.Graph()
    x = g.input((1, 3, 3, 2))
    y = g.activation(
        g.host([g.activation(x, "relu")], lambda v: np.cumsum(v, axis=1), (1, 3, 3, 2)), "sigmoid"
    )
    executable = g.compile([y], 2)
    v = array(2, 3, 3, 2)
    close(executable.run([v])[0], oracle.sigmoid(np.cumsum(np.maximum(v, 0), axis=1)))


def test_an_error_of_a_host_step_leaves_the_executable_well():
    def fail_once(v, calls=[]):  # noqa: B006
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("once")
        return v

    g = _core.Graph()
    executable = g.compile([g.host([g.input((1, 4))], fail_once, (1, 4))], 1)
    x = array(1, 4)
    with pytest.raises(RuntimeError, match="once"):
        executable.run([x])
    np.testing.assert_array_equal(executable.run([x])[0], x)


def test_a_host_step_may_keep_its_arrays_and_returns_the_shape_it_said():
    kept = []
    g = _core.Graph()
    y = g.host([g.activation(g.input((1, 512, 1024)), "relu")], lambda v: kept.append(v) or v, (1, 512, 1024))
    executable = g.compile([y], 2)
    x = array(2, 512, 1024)
    executable.run([x])
    del executable, g
    np.testing.assert_array_equal(kept[0], np.maximum(x, 0))
    for wrong in (np.ones((1, 3)), np.ones(4), [1.0, "a"], None):
        g = _core.Graph()
        executable = g.compile([g.host([g.input((1, 4))], lambda v, wrong=wrong: wrong, (1, 4))], 1)
        with pytest.raises((TypeError, ValueError), match=r"host step|result"):
            executable.run([array(1, 4)])


def test_packed_weights_are_shared_between_image_sizes():
    kernel = array(3, 3, 8, 8)

    def compiled(size, share):
        g = _core.Graph(share=share)
        executable = g.compile([g.conv2d(g.input((1, size, size, 8)), kernel)], 1)
        return g, executable

    g, _ = compiled(9, None)
    before = g.packed_bytes()
    compiled(10, g)
    assert before > 0 and g.packed_bytes() == before


def test_workers_may_be_any_number_of_rounds_apart():
    """Every input of a concatenation is a round of its own: here more than 16 bits count."""
    count = 1 << 18
    g = _core.Graph()
    executable = g.compile([g.concat([g.input((1, 1))] * count, 1)], 1)
    for value in range(1, 4):
        np.testing.assert_array_equal(executable.run([np.full((1, 1), value, np.float32)])[0], value)


def test_packed_weights_go_with_the_last_executable():
    g = _core.Graph()
    sizes = []
    for _ in range(3):
        executable = g.compile([g.conv2d(g.input((1, 5, 5, 8)), array(3, 3, 8, 8))], 1)
        sizes.append(g.packed_bytes())
    assert sizes == [sizes[0]] * 3 and sizes[0] > 0
    del executable
    assert g.packed_bytes() == 0


def test_views_of_one_array_are_kernels_of_their_own():
    kernel = array(1, 1, 36, 8)
    g = _core.Graph()
    x, y = g.input((1, 5, 5, 36)), g.input((1, 5, 5, 8))
    outputs = [g.conv2d(x, kernel), g.conv2d(y, kernel.reshape(1, 1, 8, 36))]
    a, b = array(1, 5, 5, 36), array(1, 5, 5, 8)
    got = g.compile(outputs, 1).run([a, b])
    close(got[0], oracle.conv2d(a, kernel))
    close(got[1], oracle.conv2d(b, kernel.reshape(1, 1, 8, 36)))


@pytest.mark.parametrize(("weight", "exact"), [(0.5, False), (np.inf, True), (1e30, True)])
def test_a_node_names_the_algorithm_that_runs(weight, exact):
    """Weights that transforms would spoil leave the problem to the exact algorithms."""
    kernel = array(3, 3, 32, 32)
    kernel[1, 1, 3, 5] = weight
    g = _core.Graph()
    (node,) = g.compile([g.conv2d(g.input((1, 16, 16, 32)), kernel)], 1).nodes
    assert node["algorithm"] == ("gemm" if exact else "winograd4")


@pytest.mark.parametrize("algorithm", ["gemm", "planar"])
def test_scratch_of_all_workers_is_refused_where_its_size_passes_64_bits(algorithm):
    rows, columns = 2**27 - 449, 2**28 - 1  # gemm: 2^62 bytes for each worker
    problem = f"n1h1w1c1_k2x2s1d{rows}x{columns}p{rows}.0.{columns}.0_oc1g1_linear"
    plan = _core.ConvPlan(_core.ConvProblem.parse(problem), array(2, 2, 1, 1), algorithm=algorithm)
    _core.set_num_threads(4, beyond_cpus=True)
    with pytest.raises(MemoryError, match="GiB are needed"):
        plan(array(1, 1, 1, 1))


def test_an_image_without_channels_is_resized_to_nothing():
    """However large the size: there is nothing to write."""
    g = _core.Graph()
    resized = g.resize(g.input((1, 2, 3, 0)), "bilinear", (2**20, 2**20))
    assert g.compile([resized], 1).run([array(1, 2, 3, 0)])[0].shape == (1, 2**20, 2**20, 0)


def test_wrong_arrays_are_named():
    g = _core.Graph()
    executable = g.compile([g.activation(g.input((1, 3)), "relu")], 2)
    with pytest.raises(ValueError, match=r"`x` must be a C-contiguous float32 array of shape \(2, 3\)"):
        executable.run([array(1, 3)])
    with pytest.raises(ValueError, match="`out` must be"):
        executable.run([array(2, 3)], [np.zeros((2, 3))])
    for wrong in (lambda: g.binary("add", 0, 99), lambda: g.reshape(0, (4,)), lambda: g.concat([], 1)):
        with pytest.raises(ValueError):
            wrong()


LIES = {
    "kernel of other channels": lambda g: g.conv2d(0, array(3, 3, 5, 4)),
    "kernel without channels": lambda g: g.conv2d(0, array(3, 3, 0, 4)),
    "kernel of three axes": lambda g: g.conv2d(0, array(3, 3, 4)),
    "bias of another length": lambda g: g.conv2d(0, array(3, 3, 4, 4), array(3)),
    "kernel beyond the image": lambda g: g.conv2d(0, array(9, 9, 4, 4)),
    "strides of zero": lambda g: g.conv2d(0, array(3, 3, 4, 4), strides=(0, 1)),
    "dilation beyond 64 bits": lambda g: g.conv2d(0, array(3, 3, 4, 4), dilation=(2**62, 2**62)),
    "negative padding": lambda g: g.conv2d(0, array(3, 3, 4, 4), padding=((-1, 0), (0, 0))),
    "padding beyond 64 bits": lambda g: g.conv2d(0, array(3, 3, 4, 4), padding=((2**62, 2**62), (0, 0))),
    "no groups": lambda g: g.conv2d(0, array(3, 3, 4, 4), groups=0),
    "groups that do not divide": lambda g: g.conv2d(0, array(3, 3, 1, 4), groups=3),
    "an activation of no name": lambda g: g.conv2d(0, array(3, 3, 4, 4), activation="none"),
    "a transposed output of another size": lambda g: g.conv2d_transpose(
        0, array(3, 3, 4, 4), None, (2, 2), (0, 0), (1, 1), (2**40, 5)
    ),
    "dense of other channels": lambda g: g.dense(0, array(5, 2)),
    "a window of nothing": lambda g: g.pool(0, "max", (0, 2), (1, 1)),
    "a window without an end": lambda g: g.pool(0, "average", (2**63 - 1, 2), (1, 1)),
    "an axis that is not there": lambda g: g.reduce(0, "mean", [7]),
    "a scale of another length": lambda g: g.scale_shift(0, array(3), None),
    "a value that is not there": lambda g: g.activation(5, "relu"),
    "a value before all": lambda g: g.softmax(-1),
    "shapes that do not meet": lambda g: g.binary("add", 0, g.constant(array(1, 3, 3, 3))),
    "batches that do not meet": lambda g: g.binary("add", 0, g.reshape(0, (6, 1, 5, 4))),
    "pads of fewer axes": lambda g: g.pad(0, [(1, 1)]),
    "pads below nothing": lambda g: g.pad(0, [(0, 0), (-9, 0), (0, 0), (0, 0)]),
    "pads before, crops more than there is after": lambda g: g.pad(0, [(0, 0), (9, -9), (0, 0), (0, 0)]),
    "crops beyond 64 bits": lambda g: g.pad(0, [(0, 0), (-(2**62), -(2**63)), (0, 0), (0, 0)]),
    "another number of elements": lambda g: g.reshape(0, (1, 7)),
    "a product beyond 64 bits": lambda g: g.reshape(0, (1, 2**33, 2**33)),
    "axes that are no permutation": lambda g: g.transpose(0, (0, 1, 1, 3)),
    "an image of nothing": lambda g: g.resize(0, "nearest", (0, 3)),
    "a slope of another shape": lambda g: g.binary("prelu", 0, g.constant(array(2, 2))),
    "an output that is not there": lambda g: g.compile([9], 1),
    "a negative batch": lambda g: g.compile([0], -1),
    "a batch beyond 64 bits": lambda g: g.compile([g.activation(0, "relu")], 2**62),
}


@pytest.mark.parametrize("lie", LIES)
def test_a35_the_core_believes_no_size(lie):
    """Called without the checks of Python, the core refuses in words of its own, and the graph stays as it was."""
    g = _core.Graph()
    x = g.input((1, 6, 5, 4))
    with pytest.raises(ValueError) as caught:
        LIES[lie](g)
    assert len(str(caught.value)) > 10
    v, kernel = array(2, 6, 5, 4), array(3, 3, 4, 2)
    close(g.compile([g.conv2d(x, kernel)], 2).run([v])[0], oracle.conv2d(v, kernel))


TRANSPOSED = [
    {"strides": s, "padding": p, "dilation_rate": d, "output_padding": o}
    for s, p, d, o in (
        (1, "valid", 1, None),
        (2, "same", 1, None),
        (2, "valid", 1, None),
        ((3, 2), "same", 1, None),
        (2, "same", 1, 0),
        (2, "valid", 1, 1),
        (1, "same", 2, None),
        (4, "valid", 1, None),
    )
]


@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 2), (3, 3), (4, 3), (5, 2)])
@pytest.mark.parametrize("arguments", TRANSPOSED, ids=str)
def test_transposed_convolution(arguments, kernel_size):
    x, kernel, bias = array(2, 4, 5, 6), array(*kernel_size, 7, 6), array(7)
    expected = oracle.conv2d_transpose(x, kernel, bias, **arguments)
    strides, dilation = oracle.pair(arguments["strides"]), oracle.pair(arguments["dilation_rate"])
    extents = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    full = [(n - 1) * s + e for n, s, e in zip(x.shape[1:3], strides, extents, strict=True)]
    same = arguments["padding"] == "same"
    size = expected.shape[1:3]
    cut = tuple(max(f - o, 0) // 2 if same else 0 for f, o in zip(full, size, strict=True))
    g = _core.Graph()
    y = g.conv2d_transpose(g.input((1, 4, 5, 6)), kernel, bias, strides, cut, dilation, size)
    close(g.compile([g.activation(y, "relu")], 2).run([x])[0], np.maximum(expected, 0))


def test_outputs_of_a_transposed_convolution_that_no_tap_reaches():
    x, kernel, bias = array(2, 1, 2, 6), array(1, 2, 3, 6), array(3)
    expected = oracle.conv2d_transpose(x, kernel, bias, strides=(700, 300))
    g = _core.Graph()
    size = expected.shape[1:3]
    y = g.conv2d_transpose(g.input((1, 1, 2, 6)), kernel, bias, (700, 300), (0, 0), (1, 1), size, "sigmoid")
    close(g.compile([y], 2).run([x])[0], oracle.sigmoid(expected))


def test_zeros_move_into_max_pooling_where_they_cannot_win():
    g = _core.Graph()
    x = g.input((1, 9, 8, 5))
    widths = [(0, 0), (1, 1), (1, 2), (0, 0)]
    after_relu = g.pool(g.pad(g.activation(x, "relu"), widths), "max", (3, 3), (2, 2))
    after_nothing = g.pool(g.pad(x, widths), "max", (3, 3), (2, 2))
    after_minus_one = g.pool(g.pad(g.activation(x, "relu(0,-1,0)"), widths), "max", (3, 3), (2, 2))
    executable = g.compile([after_relu, after_nothing, after_minus_one], 2)
    assert ops(executable).count("pad") == 2
    v = array(2, 9, 8, 5)
    for got, source in zip(executable.run([v]), (np.maximum(v, 0), v, np.full_like(v, -1)), strict=True):
        np.testing.assert_array_equal(got, oracle.max_pool2d(np.pad(source, widths), 3, 2).astype(np.float32))
