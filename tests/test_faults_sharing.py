"""Rows E of the fault list on models: forks, threads, pickles, shared arrays, interrupts, servers."""

import concurrent.futures
import copy
import pickle
import threading

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import _core
from subprocess_case import run_case
from threads import meanwhile

MODEL = """
import conv2d_native as cn
def make(seed=0):
    model = cn.Sequential([
        cn.layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=(24, 24, 8)),
        cn.layers.DepthwiseConv2D(3, padding="same"),
        cn.layers.BatchNormalization(),
        cn.layers.MaxPooling2D(2),
        cn.layers.GlobalAveragePooling2D(),
        cn.layers.Dense(10, activation="softmax"),
    ])
    rng = np.random.default_rng(seed)
    model.set_weights([(rng.random(w.shape) / 4).astype(np.float32) for w in model.get_weights()])
    return model
model, x = make(), data(4)
"""
namespace: dict = {}
exec("import numpy as np\n" + MODEL.split("model, x =")[0], namespace)
make = namespace["make"]
X = np.random.default_rng(1).standard_normal((4, 24, 24, 8)).astype(np.float32)


@pytest.mark.parametrize("warm", [True, False], ids=["preloaded and warm", "preloaded"])
def test_e1_servers_fork_their_workers(warm):
    """The way of gunicorn with preload: load in the parent, fork, predict in every worker and in the parent."""
    run_case(
        MODEL
        + f"""
import signal
want = make().predict(x, verbose=0)
if {warm}: model.predict(x, verbose=0)
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        for _ in range(20): assert np.array_equal(model.predict(x, verbose=0), want)
        os._exit(0)
    children.append(child)
assert np.array_equal(model.predict(x, verbose=0), want)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""
    )


def test_e2_fork_while_models_are_built_and_called():
    run_case(
        MODEL
        + """
import signal
want = model.predict(x, verbose=0)
def work(): assert np.array_equal(make().predict(x, verbose=0), want)
with meanwhile(3, work):
    for i in range(60):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            assert np.array_equal(make().predict(x, verbose=0), want)
            assert np.array_equal(model.predict(x[:2], verbose=0), want[:2])
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status == 0, (i, status)
""",
        seconds=110,
    )


def test_e8_set_weights_while_others_predict():
    """Old or new weights, never a mix."""
    model, other = make(0), make(1)
    old, new = model.get_weights(), other.get_weights()
    allowed = [model.predict(X, verbose=0), other.predict(X, verbose=0)]

    def work():
        got = model(X)
        assert any(np.array_equal(got, answer) for answer in allowed)

    with meanwhile(4, work):
        for i in range(40):
            model.set_weights(old if i % 2 else new)
            model(X)


@pytest.mark.parametrize("alone", [False, True], ids=["model", "layer"])
def test_e8_weights_that_change_while_a_program_is_made(alone):
    """A function in a model replaces the weights during the first call: that call has the old ones throughout."""
    armed = []

    def function(x):
        if armed:
            armed.pop()
            model.set_weights([np.full((1, 1), 2.0)] * 2)
        return x

    stack = [
        cn.layers.Dense(1, use_bias=False),
        cn.layers.Lambda(function),
        cn.layers.Dense(1, use_bias=False),
    ]
    if alone:
        model = cn.layers.Pipeline(stack)
        model.build((None, 1))
    else:
        model = cn.Sequential([cn.Input((1,)), *stack])
    model.set_weights([np.ones((1, 1))] * 2)
    armed.append(True)
    x = np.ones((1, 1), np.float32)
    assert [float(model(x)[0, 0]) for _ in range(3)] == [1.0, 4.0, 4.0]


def test_e8_readers_never_see_a_mix():
    """get_weights, save and pickle while another thread replaces all weights again and again."""
    model = cn.Sequential([cn.Input((2,)), *(cn.layers.Dense(2) for _ in range(100))])
    sets = [[np.full(w.shape, value, np.float32) for w in model.get_weights()] for value in (1, 2)]
    model.set_weights(sets[0])

    def work():
        for values in sets:
            model.set_weights(values)

    with meanwhile(1, work):
        for _ in range(30):
            stored = [array for arrays in model._stored_weights().values() for array in arrays]
            for arrays in (model.get_weights(), stored):
                assert len({float(value) for array in arrays for value in array.flat}) == 1


def test_e8_threads_that_read_a_new_weight_see_the_same_values():
    start = threading.Barrier(8)

    def slow(shape, dtype=None):
        start.wait(10)  # all of them make values: the first to end gives the weight's
        return np.random.default_rng().random(shape, np.float32)

    layer = cn.layers.Dense(3, kernel_initializer=slow, use_bias=False)
    layer.build((None, 3))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: np.array(layer.kernel.value), range(8)))
    assert all(np.array_equal(values, layer.get_weights()[0]) for values in seen)


def test_e15_interrupted_set_weights():
    """Ctrl-C leaves the old weights or has come too late: never some of both, and answers agree with them."""
    run_case("""
import conv2d_native as cn
import signal
layers = cn.layers
model = cn.Sequential([cn.Input((1,)), *(layers.Dense(1, use_bias=False) for _ in range(50))])
x, sets = np.ones((1, 1), np.float32), [[np.full((1, 1), v, np.float32)] * 50 for v in (1.0, -1.0)]
sets[1] = [-np.ones((1, 1), np.float32), *sets[0][1:-1], 2 * np.ones((1, 1), np.float32)]
model.set_weights(sets[0])
rng, cut = np.random.default_rng(0), 0
signal.signal(signal.SIGALRM, signal.default_int_handler)
for i in range(400):
    model(x)
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.random() * 1e-3)
        for _ in range(20): model.set_weights(sets[i % 2])
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        cut += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    now = [float(w[0, 0]) for w in model.get_weights()]
    assert now in [[float(w[0, 0]) for w in s] for s in sets], now
    assert float(model(x)[0, 0]) == now[0] * now[-1]
assert cut > 10, cut
""")


def test_e8_weights_are_loaded_as_a_whole_or_not_at_all(tmp_path):
    def stack(last):
        return cn.Sequential([cn.Input((8,)), *(cn.layers.Dense(n) for n in (8, 8, last))])

    other, model = stack(9), stack(8)
    other.save_weights(tmp_path / "m.weights.h5")
    before = model.get_weights()
    with pytest.raises(cn.ModelFormatError):
        model.load_weights(tmp_path / "m.weights.h5")
    assert all(map(np.array_equal, before, model.get_weights()))


def test_e10_other_threads_run_while_weights_are_packed():
    run_case("""
g = _core.Graph()
kernel = np.ones((3, 3, 1024, 512), np.float32)
y = g.conv2d(g.input((1, 8, 8, 1024)), kernel, padding=((1, 1), (1, 1)))
ticks = 0
def tick():
    global ticks
    time.sleep(0.0005)
    ticks += 1
with meanwhile(1, tick):
    before = ticks
    g.compile([y], 1)
    during = ticks - before
assert during >= 5, during
""")


def test_e10_threads_that_want_the_same_executable_share_it():
    run_case("""
import conv2d_native as cn
model = cn.Sequential([cn.layers.Conv2D(256, 3, padding="same", input_shape=(8, 8, 256))])
x = np.zeros((1, 8, 8, 256), np.float32)
program = model._program([x])
made, start = [], threading.Barrier(8)
def want(_):
    start.wait()
    made.append(program.executable(1))
in_threads(8, want)
assert len(made) == 8 and len(set(map(id, made))) == 1
""")


def test_e10_thread_pools():
    model = make()
    want = model.predict(X, verbose=0)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for got in pool.map(lambda _: model.predict(X, verbose=0), range(200)):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_e11_pickle(protocol):
    model = make()
    want = model.predict(X, verbose=0)
    text = pickle.dumps(model, protocol)
    np.testing.assert_array_equal(pickle.loads(text).predict(X, verbose=0), want)
    np.testing.assert_array_equal(copy.deepcopy(model).predict(X, verbose=0), want)
    assert b"conv2d_native._core" not in text and b"Executable" not in text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_e11_native_objects_are_not_pickled(protocol):
    problem = _core.ConvProblem.parse("n1h4w4c2_k3x3s1d1p1_oc3g1")
    plan = _core.ConvPlan(problem, np.zeros(problem.kernel_shape, np.float32))
    for made in (problem, plan, _core.Graph(), _core.Graph().compile([], 1)):
        with pytest.raises(TypeError, match="cannot pickle native objects"):
            pickle.dumps(made, protocol)


@pytest.mark.parametrize("name", ["ConvProblem", "ConvPlan", "Graph", "Executable"])
def test_e11_native_objects_are_initialised(name):
    native = getattr(_core, name)
    for make in (native.__new__, object.__new__):
        with pytest.raises(TypeError, match="__new__"):
            make(native)


def test_e11_functions_are_pickled_by_name():
    """multiprocessing.Pool.map(preprocess_input, images) does it."""
    for family in ("vgg16", "mobilenet_v2", "imagenet_utils"):
        function = getattr(cn.applications, family).preprocess_input
        assert pickle.loads(pickle.dumps(function)) is function


def test_e11_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")
    model = make()
    again = cloudpickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("isa", ["scalar", "sse2", "avx2"])
def test_e12_pickle_read_on_another_instruction_set(isa, tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(make()))
    np.save(tmp_path / "want.npy", make().predict(X, verbose=0))
    np.save(tmp_path / "x.npy", X)
    run_case(
        f"""
import pickle
model = pickle.load(open({str(path)!r}, "rb"))
x, want = np.load({str(tmp_path / "x.npy")!r}), np.load({str(tmp_path / "want.npy")!r})
assert np.abs(model.predict(x, verbose=0) - want).max() < 1e-5
""",
        env={"CONV2D_NATIVE_ISA": isa},
        options=["-W", "ignore::ResourceWarning"],
        stderr=None,
    )


def test_e12_a_state_that_does_not_fit_is_a_value_error():
    function, (entry, weights, custom), _ = make().__reduce__()
    with pytest.raises(ValueError):
        function(entry, weights[:-1], custom)
    with pytest.raises(ValueError):
        function(entry, [w[..., :-1] for w in weights], custom)
    with pytest.raises(ValueError):
        function({**entry, "class_name": "NoSuchClass"}, weights, custom)


def test_e14_read_only_inputs_and_weights(tmp_path):
    """As Ray, Dask and np.memmap hand them over: accepted, and never written."""
    model = make()
    want = model.predict(X, verbose=0)
    frozen = X.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(model.predict(frozen, verbose=0), want)
    np.save(tmp_path / "x.npy", X)
    np.testing.assert_array_equal(model.predict(np.load(tmp_path / "x.npy", mmap_mode="r"), verbose=0), want)
    weights = model.get_weights()
    for weight in weights:
        weight.flags.writeable = False
    other = make(3)
    other.set_weights(weights)
    np.testing.assert_array_equal(other.predict(X, verbose=0), want)
    np.testing.assert_array_equal(frozen, X)


def test_e13_no_pickle_in_the_package():
    """Pickle runs code: the package never reads one. (R15 gates the loaders as a whole.)"""
    import ast
    from pathlib import Path

    for path in Path(cn.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not {"pickle", "marshal", "shelve", "dill"} & {n.split(".")[0] for n in names}, path
