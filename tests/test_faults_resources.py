"""Rows F of the fault list: memory, threads, descriptors and stacks that run out, and what a call leaves behind.

Row F1 has a file and a build of its own (test_faults_allocation.py), F14 is with the files (test_faults_limits.py).
"""

import resource

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import _core
from subprocess_case import run_case

MODEL = """
import conv2d_native as cn
model = cn.Sequential([
    cn.layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=(24, 24, 8)),
    cn.layers.BatchNormalization(),
    cn.layers.MaxPooling2D(2),
    cn.layers.GlobalAveragePooling2D(),
    cn.layers.Dense(10, activation="softmax"),
])
x = data(4)
"""
STATE = """
import gc
def resident():
    gc.collect(); return int(open("/proc/self/statm").read().split()[1]) * 4096
def state():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
"""


@pytest.mark.parametrize("room_mib", [1, 8, 40, 120])
def test_f2_little_address_space(room_mib):
    """Just above what the package takes: the result, or MemoryError; then, with the limit lifted, the result."""
    run_case(
        MODEL
        + f"""
import resource
want = model.predict(x, verbose=0)
size = int(open("/proc/self/statm").read().split()[0]) * 4096
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size + ({room_mib} << 20), hard))
got = None
try:
    got = model.predict(np.ones((600, 24, 24, 8), np.float32), verbose=0, batch_size=600)
    big = compiled(64, 64, 64).run([data(64, 64)])
except MemoryError:
    pass
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
assert got is None or got.shape == (600, 10)
assert np.array_equal(model.predict(x, verbose=0), want)
"""
    )


def test_f2_little_address_space_for_a_host_step():
    """A step of Python gets copies of its inputs: where there is no room for them, MemoryError."""
    run_case("""
import resource
shape = (1, 4096, 1024)  # 16 MiB
g = _core.Graph()
e = g.compile([g.host([g.activation(g.input(shape), "relu")], lambda v: v, shape)], 1)
x = np.ones(shape, np.float32)
want = e.run([x])[0]
size = int(open("/proc/self/statm").read().split()[0]) * 4096
unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
refused = 0
for room in range(0, 48, 4):
    resource.setrlimit(resource.RLIMIT_AS, (size + (room << 20), resource.RLIM_INFINITY))
    try: got = e.run([x])[0]
    except MemoryError: got, refused = want, refused + 1
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    assert np.array_equal(got, want)
    del got
assert 0 < refused < 12
assert np.array_equal(e.run([x])[0], want)
""")


@pytest.mark.parametrize("spare", [0, 1, 2, 3, 5])
def test_f3_no_threads_to_be_had(spare):
    """The user may start `spare` more threads: right numbers on fewer, never an exit."""
    run_case(
        f"""
import resource
_core.set_num_threads(4, True)
e, x = compiled(), data()
if os.getuid() == 0: os.setgroups([]); os.setuid(64321)  # the limit does not bind root
mine = 0
for pid in os.listdir("/proc"):
    if pid.isdigit():
        try:
            if os.stat("/proc/" + pid).st_uid == os.getuid(): mine += len(os.listdir("/proc/" + pid + "/task"))
        except OSError: pass
resource.setrlimit(resource.RLIMIT_NPROC, (mine + {spare}, mine + {spare}))
got = e.run([x])
for _ in range(50): same(e.run([x]), got)
failed = 0
def work(): same(e.run([x]), got)
for _ in range(20):
    try: t = threading.Thread(target=work); t.start(); t.join()
    except RuntimeError: failed += 1
_core.set_num_threads(1)
same(e.run([x]), got)
"""
    )


def test_f3_threads_refused_for_want_of_memory():
    run_case("""
import resource
e, x = compiled(), data()
_core.set_num_threads(1); got = e.run([x])
_core.set_num_threads(8, True)
size = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (size + (6 << 20), resource.RLIM_INFINITY))
for _ in range(20): same(e.run([x]), got)
""")


@pytest.mark.parametrize("size", [(10**6, 10**6), (2**20, 2**20), (300_000, 300_000)])
def test_f4_output_beyond_memory(size):
    """Refused at once, with the size in words."""
    g = _core.Graph()
    x = g.input((1, 4, 4, 1))
    with pytest.raises(MemoryError, match=r"[\d.e+]+ GiB are needed, [\d.]+ GiB are there"):
        g.compile([g.resize(x, "nearest", size)], 1)


def test_f4_batch_beyond_memory():
    g = _core.Graph()
    e = g.input((1, 1024, 1024, 64))
    with pytest.raises(MemoryError, match="GiB are needed"):
        g.compile([g.activation(e, "relu")], 10_000)


def test_f4_function_beyond_memory():
    x = np.zeros((1, 64, 64, 1), np.float32)
    with pytest.raises(MemoryError, match=r"GiB are needed, .*results of shape \(100000, 64, 64, 5000\)"):
        cn.conv2d(np.broadcast_to(x, (100_000, 64, 64, 1)), np.zeros((1, 1, 1, 5000), np.float32))


def test_f4_a_vector_that_is_repeated_a_million_times():
    """Memory is that of the result, 4 MB, not that of a node or a reference for every copy; bits are kept."""
    run_case(
        """
import resource
import conv2d_native as cn
cn.layers.RepeatVector(2)(np.ones((1, 1)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for value in (-0.0, np.nan, np.inf, 1e-42):
    y = cn.layers.RepeatVector(10**6)(np.full((1, 1), value, np.float32))
    assert y.shape == (1, 10**6, 1) and (y.view(np.uint32) == np.float32(value).view(np.uint32)).all(), value
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
"""
    )


def test_f4_no_image_however_large():
    """A batch of none takes no memory, whatever one sample would."""
    run_case(
        """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
g = _core.Graph()
y = g.conv2d(g.input((1, 8, 8, 8)), np.ones((3, 3, 8, 8), np.float32), padding=((2**31, 2**31), (1, 1)))
assert g.compile([y], 0).run([np.ones((0, 8, 8, 8), np.float32)])[0].shape == (0, 2**32 + 6, 8, 8)
try: g.compile([y], 1)
except MemoryError as error: assert "GiB" in str(error), error
else: raise AssertionError("compiled")
"""
    )


@pytest.mark.parametrize("good", [True, False], ids=["f6 good calls", "f7 failing calls"])
def test_f6_f7_memory_stays_flat(good):
    """20,000 calls here; 100,000 are a command of .ci/longer."""
    action = (
        "model.predict(x, verbose=0) if i % 10 == 0 else layer(x)"
        if good
        else "refused(lambda: layer(wrong)); refused(lambda: cn.conv2d(x, bad)); refused(lambda: model(wrong))"
    )
    run_case(
        MODEL
        + STATE
        + f"""
layer = cn.layers.Conv2D(4, 3); layer(x)
wrong, bad = np.zeros((2, 5, 5, 3), np.float32), np.zeros((3, 3, 5, 2), np.float32)
def refused(call):
    try: call()
    except ValueError: return
    raise AssertionError("accepted")
for i in range(2000): {action}
before = resident(), state()
for i in range(int(os.environ.get("CONV2D_SOAK", "20000"))): {action}
after = resident(), state()
assert after[0] - before[0] <= 1 << 20, (before, after)
assert after[1] == before[1], (before, after)
""",
        seconds=3000,
    )


def test_f8_many_tiny_images():
    """Memory is that of the output and a part of the batch, not of every intermediate result."""
    run_case(
        """
g = _core.Graph()
v = g.input((1, 6, 6, 4))
for i in range(6):
    k = np.full((3, 3, 4 if i == 0 else 32, 32), 0.01, np.float32)
    v = g.conv2d(v, k, padding=((1, 1), (1, 1)), activation="relu")
n = 100_000
e = g.compile([g.reduce(v, "mean", [1, 2])], n)
assert e.arena_bytes < n * 6 * 6 * 32 * 4 / 2, e.arena_bytes
"""
    )


@pytest.mark.parametrize("threads", [2, 4])
def test_f11_nothing_spins_after_a_call(threads):
    """Processor time of an idle process after calls: 1 ms a call at most, other processes' share left out.

    Linux's clocks of single threads are exact; that of the process leaves out what a running thread has used
    since the last tick.
    """
    out = run_case(f"""
import os
def used():
    return sum(time.clock_gettime((~int(thread) << 3) | 6) for thread in os.listdir("/proc/self/task"))
_core.set_num_threads({threads}, True)
e, x = compiled(8, 48, 64), data(8, 48)
e.run([x])
spent = []
for _ in range(15):
    e.run([x])
    start = used(); time.sleep(0.03); spent.append(used() - start)
print(sorted(spent)[3] * 1e3)
""")
    assert float(out) <= 1.0, f"{out} ms of processor time while idle"


def test_f12_small_main_stack():
    soft = 128 << 10

    def limit():
        resource.setrlimit(resource.RLIMIT_STACK, (soft, soft))

    run_case(MODEL + "model.predict(x, verbose=0)", preexec=limit, env={"OMP_STACKSIZE": "64k"})


def test_f13_huge_pages_do_not_matter():
    """Without them (prctl PR_SET_THP_DISABLE) the numbers are the same."""
    program = """
import ctypes, hashlib
if %d: assert ctypes.CDLL(None).prctl(41, 1, 0, 0, 0) == 0
print(hashlib.sha256(compiled(4, 96, 64).run([data(4, 96)])[0].tobytes()).hexdigest())
"""
    assert run_case(program % 0) == run_case(program % 1)


def test_f5_no_algorithm_needs_memory_by_the_batch():
    """Scratch memory depends on threads and tiles: the arena of one convolution holds no copy of the batch."""
    for n in (1, 64):
        g = _core.Graph()
        e = g.compile([g.conv2d(g.input((1, 56, 56, 64)), np.zeros((3, 3, 64, 64), np.float32))], n)
        assert e.arena_bytes < 1 << 20


@pytest.mark.parametrize("room", [0, 1000, 100_000])
def test_f9_files_may_not_grow(room, tmp_path):
    """The limit on the size of files is met while saving: OSError, the old file is whole, no part is left behind."""
    run_case(
        f"""
import resource, signal
import conv2d_native as cn
model = cn.Sequential([cn.layers.Dense(200, input_shape=(300,))])
other = cn.Sequential([cn.layers.Dense(2, input_shape=(3,))])
path = {str(tmp_path / "m.keras")!r}
other.save(path)
before = open(path, "rb").read()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for attempt in range(3):
    resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, hard))
    try: model.save(path, overwrite=True)
    except OSError as error: assert error.errno == 27, error
    else: raise AssertionError("saved")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert open(path, "rb").read() == before and os.listdir({str(tmp_path)!r}) == ["m.keras"]
model.save(path, overwrite=True)
same(cn.load_model(path).get_weights(), model.get_weights())
"""
    )


def test_f10_no_descriptors_to_be_had(tmp_path):
    """OSError while there are none; 2,000 loads, good and bad, in a process that may have a few leave none open.

    As many as CONV2D_SOAK says on demand.
    """
    run_case(
        f"""
import errno, resource
import conv2d_native as cn
good, bad = {str(tmp_path / "good.keras")!r}, {str(tmp_path / "bad.keras")!r}
cn.Sequential([cn.layers.Dense(2, input_shape=(3,))]).save(good)
open(bad, "wb").write(open(good, "rb").read()[:-30])
model = cn.load_model(good)
model.predict(np.ones((1, 3)), verbose=0)
count = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 4, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
try:
    while True: held.append(open(good, "rb"))
except OSError as error: assert error.errno == errno.EMFILE
for call in (lambda: cn.load_model(good), lambda: model.save(good, overwrite=True)):
    try: call()
    except OSError as error: assert error.errno == errno.EMFILE, error
    else: raise AssertionError("no descriptor was needed")
assert model.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)
while held: held.pop().close()
for attempt in range(int(os.environ.get("CONV2D_SOAK", "2000")) // 2):
    cn.load_model(good)
    try: cn.load_model(bad)
    except ValueError: continue
    raise AssertionError("the damaged file was read")
assert len(os.listdir("/proc/self/fd")) == count
""",
        seconds=20000,
    )
