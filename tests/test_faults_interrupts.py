"""Row E15: Ctrl-C in runs, amid one operation, in predict, in a first call, in transposed convolutions."""

import pytest

from subprocess_case import run_case

# latency(seconds, call): how long after Ctrl-C, pressed `seconds` after its start, `call` ends.
PRESS = """
import signal
import conv2d_native as cn
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background may have it ignored
def latency(seconds, call):
    pressed = []
    def press():
        time.sleep(seconds); pressed.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=press); thread.start()
    try:
        call()
    except KeyboardInterrupt:
        late = time.perf_counter() - pressed[0]
    else:
        raise AssertionError("the call ended before it was interrupted")
    thread.join()
    return late
"""


def seconds_late(code: str) -> float:
    """What `code` prints."""
    return float(run_case(PRESS + code, seconds=100))


@pytest.mark.parametrize("batch", [1, 400])
def test_e15_interrupt(batch):
    """KeyboardInterrupt within 200 ms of Ctrl-C in a run of seconds; the next call is right."""
    code = """
rng = np.random.default_rng(0)
g = _core.Graph()
size = 160 if batch > 1 else 288
v = g.input((1, size, size, 64))
kernel = (rng.standard_normal((3, 3, 64, 64)) / 24).astype(np.float32)
for _ in range(3 if batch > 1 else 400): v = g.conv2d(v, kernel, padding=((1, 1), (1, 1)), activation="relu")
e = g.compile([g.reduce(v, "mean", [1, 2])], batch)
x = np.ones((batch, size, size, 64), np.float32)
small, y = compiled(), data()
want, late = small.run([y]), []
for _ in range(3):
    late.append(latency(0.4, lambda: e.run([x])))
    same(small.run([y]), want)
print(max(late))
"""
    assert seconds_late(f"batch = {batch}" + code) < 0.2


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("operation", ["conv2d", "conv2d_transpose"])
def test_e15_interrupted_amid_one_operation(operation, threads):
    """One operation of seconds on one image; the next call is right."""
    code = """
_core.set_num_threads(threads)
g = _core.Graph()
if operation == "conv2d":
    x = np.ones((1, 256, 256, 64), np.float32)
    y = g.conv2d(g.input(x.shape), np.ones((31, 31, 64, 64), np.float32))
else:
    x = np.ones((1, 6, 7, 4), np.float32)
    kernel = np.ones((300, 300, 4, 4), np.float32)
    y = g.conv2d_transpose(g.input(x.shape), kernel, None, (1, 1), (0, 0), (1, 1), (305, 306))
e = g.compile([y], 1)
small, z = compiled(), data()
want = small.run([z])
print(latency(0.3, lambda: e.run([x])))
same(small.run([z]), want)
"""
    assert seconds_late(f"operation, threads = {operation!r}, {threads}" + code) < 0.2


def test_e15_interrupted_predict():
    code = """
model = cn.Sequential([cn.layers.Conv2D(64, 3, padding="same", activation="relu", input_shape=(128, 128, 32))]
    + [cn.layers.Conv2D(64, 3, padding="same", activation="relu") for _ in range(3)]
    + [cn.layers.GlobalAveragePooling2D()])
x = np.ones((800, 128, 128, 32), np.float32)
want, late = model.predict(x[:2], verbose=0), []
for batch in (32, 800):
    late.append(latency(0.4, lambda: model.predict(x, verbose=0, batch_size=batch)))
    assert np.array_equal(model.predict(x[:2], verbose=0), want)
print(max(late))
"""
    assert seconds_late(code) < 0.2


def test_e15_interrupted_first_call():
    """While weights are packed; the next call is right."""
    code = """
model = cn.Sequential([cn.Input((8, 8, 256))] + [
    cn.layers.Conv2D(256, 3, padding="same", kernel_initializer="ones", use_bias=False) for _ in range(120)])
model.set_weights([np.full(weight.shape, 1 / 2304, np.float32) for weight in model.weights])
x = np.ones((1, 8, 8, 256), np.float32)
cn.set_num_threads(1)
late = latency(0.2, lambda: model(x))
y = model(x)
with cn.exact():
    assert np.allclose(y, model(x), rtol=1e-3)
print(late)
"""
    assert seconds_late(code) < 0.2


def test_e15_interrupted_transposed_convolutions():
    code = """
_core.set_num_threads(2)
g = _core.Graph()
kernel = np.ones((8, 8, 64, 32), np.float32)
y = g.conv2d_transpose(g.input((1, 64, 64, 32)), kernel, None, (2, 2), (3, 3), (1, 1), (128, 128))
e = g.compile([g.reduce(y, "mean", [1, 2])], 200)
x = np.ones((200, 64, 64, 32), np.float32)
print(latency(0.1, lambda: e.run([x])))
"""
    assert seconds_late(code) < 0.2


@pytest.mark.parametrize("images", [1, 4])
def test_e15_interrupted_recurrent_layer(images):
    """Amid the steps, and while outputs of 200 MB are moved after the last one; the next call is right."""
    code = """
from conv2d_native.layers import recurrence
layer = cn.layers.LSTM(128, return_sequences=True, return_state=True)
x = np.random.default_rng(0).standard_normal((images, 400_000 // images, 5)).astype(np.float32)
small = cn.layers.LSTM(4)
want, late = layer(x[:, :9])[0], [latency(0.3, lambda: small(x.reshape(1, 400_000, 5)))]
run, pressed = recurrence.Steps.run, []
def press():
    pressed.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
def few_steps(self, x, *others):
    _, *states = run(self, x[:, :9], *others)
    outputs = np.zeros((x.shape[1], len(x), 128), np.float32).swapaxes(0, 1)
    threading.Timer(seconds, press).start()
    return [outputs, *states]
recurrence.Steps.run = few_steps
for seconds in (0, 0.02, 0.04, 0.08):
    try:
        layer(x); time.sleep(1)  # for the one that comes after the call
    except KeyboardInterrupt:
        late.append(time.perf_counter() - pressed.pop())
recurrence.Steps.run = run
assert np.array_equal(layer(x[:, :9])[0], want)
print(max(late))
"""
    assert seconds_late(f"images = {images}" + code) < 0.2
