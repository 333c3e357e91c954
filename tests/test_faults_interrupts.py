"""Row E15: Ctrl-C in predict, in a first call and in batches of transposed convolutions."""

from subprocess_case import run_case


def test_e15_interrupted_predict():
    out = run_case(
        """
import signal
import conv2d_native as cn
signal.signal(signal.SIGINT, signal.default_int_handler)
model = cn.Sequential([cn.layers.Conv2D(64, 3, padding="same", activation="relu", input_shape=(128, 128, 32))]
    + [cn.layers.Conv2D(64, 3, padding="same", activation="relu") for _ in range(3)]
    + [cn.layers.GlobalAveragePooling2D()])
x = np.ones((800, 128, 128, 32), np.float32)
want, late = model.predict(x[:2], verbose=0), []
for batch in (32, 800):
    def press():
        time.sleep(0.4); late.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=press); thread.start()
    try:
        model.predict(x, verbose=0, batch_size=batch); print("ended")
    except KeyboardInterrupt:
        late[-1] = time.perf_counter() - late[-1]
    thread.join()
    assert np.array_equal(model.predict(x[:2], verbose=0), want)
print(max(late))
""",
        seconds=100,
    )
    assert "ended" not in out and float(out.split()[-1]) < 0.2, out


def test_e15_interrupted_first_call():
    """KeyboardInterrupt within 200 ms of Ctrl-C while the first call packs weights; the next call is right."""
    out = run_case(
        """
import signal
import conv2d_native as cn
signal.signal(signal.SIGINT, signal.default_int_handler)
model = cn.Sequential([cn.Input((8, 8, 256))] + [
    cn.layers.Conv2D(256, 3, padding="same", kernel_initializer="ones", use_bias=False) for _ in range(120)])
model.set_weights([np.full(weight.shape, 1 / 2304, np.float32) for weight in model.weights])
x, late = np.ones((1, 8, 8, 256), np.float32), []
cn.set_num_threads(1)
def press():
    time.sleep(0.2); late.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
thread = threading.Thread(target=press); thread.start()
try:
    model(x); print("ended")
except KeyboardInterrupt:
    late[-1] = time.perf_counter() - late[-1]
thread.join()
y = model(x)
with cn.exact():
    assert np.allclose(y, model(x), rtol=1e-3)
print(max(late))
"""
    )
    assert "ended" not in out and float(out.split()[-1]) < 0.2, out


def test_e15_interrupted_transposed_convolutions():
    out = run_case(
        """
import signal
from conv2d_native import _core
signal.signal(signal.SIGINT, signal.default_int_handler)
_core.set_num_threads(2)
g = _core.Graph()
kernel = np.ones((8, 8, 64, 32), np.float32)
y = g.conv2d_transpose(g.input((1, 64, 64, 32)), kernel, None, (2, 2), (3, 3), (1, 1), (128, 128))
e = g.compile([g.reduce(y, "mean", [1, 2])], 200)
x = np.ones((200, 64, 64, 32), np.float32)
def press():
    time.sleep(0.1); late.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
late = []
thread = threading.Thread(target=press); thread.start()
try:
    e.run([x]); print("ended")
except KeyboardInterrupt:
    late[-1] = time.perf_counter() - late[-1]
thread.join()
print(late[-1])
"""
    )
    assert "ended" not in out and float(out.split()[-1]) < 0.2, out
