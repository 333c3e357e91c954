"""Rows E of the fault list: forks, threads, signals, exits, many models. Models have a file of theirs."""

import pytest

from subprocess_case import run_case

READY = """
_core.set_num_threads(4, True)
e, x = compiled(), data()
want = e.run([x])
"""
BUSY = (
    READY
    + """
def work():
    while True: e.run([x])
for _ in range(4): threading.Thread(target=work, daemon=True).start()
"""
)


@pytest.mark.parametrize("warm", [True, False], ids=["after a call", "before any"])
def test_e1_fork(warm):
    """The child computes with threads, bit-equal, a hundred times."""
    setup = READY if warm else "_core.set_num_threads(4, True)\ne, x = compiled(), data()\nwant = None\n"
    run_case(
        setup
        + """
import signal
for i in range(100):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        got = e.run([x])
        if want: same(got, want)
        same(got, compiled().run([x]))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, i
if want is None: want = e.run([x])
same(e.run([x]), want)
""",
        seconds=100,
    )


def test_e2_fork_while_others_compute():
    run_case(
        READY
        + """
import signal
def work():
    same(e.run([x]), want)
    compiled(3, seed=7)
with meanwhile(3, work):
    for i in range(200):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            same(e.run([x]), want)
            same(compiled().run([x]), want)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status == 0, (i, status)
""",
        seconds=110,
    )


def test_e2_fork_amid_short_calls():
    """No child is born while another thread holds the core's mutex, which every call takes for a moment."""
    run_case(
        """
import signal
g = _core.Graph()
e, x = g.compile([g.activation(g.input((4,)), "relu")], 1), np.ones(4, np.float32)
with meanwhile(3, lambda: e.run([x])):
    for i in range(400):
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            e.run([x])
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, i
""",
        seconds=100,
    )


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_e3_multiprocessing(method, tmp_path):
    program = tmp_path / "pools.py"
    program.write_text(f"""
import multiprocessing, sys
from subprocess_case import HEADER
exec(HEADER)

def work(seed):
    return [y.tobytes() for y in compiled().run([data(seed=seed)])]

if __name__ == "__main__":
    want = [work(seed) for seed in range(8)]
    for workers in (2, 8):
        with multiprocessing.get_context({method!r}).Pool(workers) as pool:
            assert pool.map(work, range(8)) == want
""")
    run_case(
        "import runpy, sys; sys.argv = [sys.argv[0]]\n"
        f"import subprocess; sys.path[:0] = [{str(tmp_path)!r}]\n"
        f"done = subprocess.run([sys.executable, {str(program)!r}], env=dict(os.environ, PYTHONPATH="
        f"os.pathsep.join([os.environ['PYTHONPATH'], {__file__.rpartition('/')[0]!r}])))\n"
        "assert done.returncode == 0",
        seconds=100,
    )


def test_e4_fork_of_fork():
    run_case(
        READY
        + """
import subprocess
child = os.fork()
if child == 0:
    same(e.run([x]), want)
    grandchild = os.fork()
    if grandchild == 0:
        os.setsid()
        same(e.run([x]), want)
        last = os.fork()
        if last == 0:
            same(e.run([x]), want)
            os._exit(0)
        os._exit(os.waitpid(last, 0)[1] != 0)
    os._exit(os.waitpid(grandchild, 0)[1] != 0)
assert os.waitpid(child, 0)[1] == 0
assert subprocess.run(["true"]).returncode == 0
child = os.posix_spawn("/bin/true", ["true"], os.environ)
assert os.waitpid(child, 0)[1] == 0
same(e.run([x]), want)
"""
    )


def test_e4_threads_of_a_forked_child():
    run_case(
        READY
        + """
child = os.fork()
if child == 0:
    def work(_):
        for _ in range(20): same(e.run([x]), want)
    in_threads(8, work)
    same(e.run([x]), want)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    )


def test_e5_many_threads_on_one_executable():
    run_case(
        READY
        + """
def work(_):
    for _ in range(300): same(e.run([x]), want)
in_threads(16, work)
""",
        seconds=110,
    )


def test_e6_built_in_one_thread_called_in_another():
    run_case(
        READY
        + """
made, wanted = [None] * 16, [compiled(seed=i).run([x]) for i in range(16)]
def build(i): made[i] = compiled(seed=i)
def call(i):
    for _ in range(40): same(made[i - 1].run([x]), wanted[i - 1])
in_threads(16, build)
in_threads(16, call)
same(made[0].run([x]), want)
"""
    )


def test_e7_set_num_threads_while_others_compute():
    run_case(
        READY
        + """
with meanwhile(4, lambda: same(e.run([x]), want)):
    for i in range(300): _core.set_num_threads(1 + i % 5, True); time.sleep(0.002)
"""
    )


def test_e9_thread_made_by_c():
    """A thread that C starts calls back into Python and computes."""
    run_case(
        READY
        + """
import ctypes
libc = ctypes.CDLL(None)
ok = []
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def body(_):
    same(e.run([x]), want); ok.append(1)
for _ in range(5):
    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, body, None) == 0
    libc.pthread_join(thread, None)
assert len(ok) == 5
"""
    )


def test_e9_finalizers_exit_handlers_and_signal_handlers():
    out = run_case(
        READY
        + """
import atexit, signal
class Last:
    def __del__(self): same(e.run([x]), want); print("del", flush=True)
def handler(*_): same(e.run([x]), want); print("signal", flush=True)
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
kept = Last(); kept.itself = kept; del kept
import gc; gc.collect()
atexit.register(lambda: (same(e.run([x]), want), print("atexit", flush=True)))
"""
    )
    assert out.split() == ["signal", "del", "atexit"]


def test_e9_call_inside_a_host_step():
    run_case(
        READY
        + """
g = _core.Graph()
def inner(v): same(e.run([x]), want); same(e.run([x]), want); return v * 2
outer = g.compile([g.activation(g.host([g.input((1, 64))], inner, (1, 64)), "relu")], 1)
np.testing.assert_array_equal(outer.run([np.ones((1, 64), np.float32)])[0], 2)
"""
    )


def test_e10_the_gil_is_free_while_computing():
    """A Python thread keeps counting while another computes for long."""
    run_case("""
_core.set_num_threads(1)
g, outputs = network(128, 64)
e, x = g.compile(outputs, 32), data(32, 128)
e.run([x])
ticks = []
def tick(): ticks.append(time.perf_counter()); time.sleep(0.001)
with meanwhile(1, tick):
    start = time.perf_counter(); e.run([x]); spent = time.perf_counter() - start
inside = [t for t in ticks if start < t < start + spent]
assert len(inside) > spent * 1000 / 20, (len(inside), spent)
""")


@pytest.mark.parametrize("sign", ["SIGTERM", "SIGKILL"])
def test_e16_killed_while_computing(sign):
    code = {"SIGTERM": -15, "SIGKILL": -9}[sign]
    run_case(
        BUSY
        + f"""
import signal
time.sleep(0.2)
os.kill(os.getpid(), signal.{sign})
time.sleep(2); os._exit(7)
""",
        code=code,
        seconds=15,
    )


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "raise SystemExit(0)", "pass"])
def test_e16_exit_while_a_thread_computes(end):
    run_case(
        BUSY
        + f"""
time.sleep(0.1)
{end}
""",
        seconds=10,
    )


def test_e17_storm_of_signals():
    run_case(
        READY
        + """
import signal
hits = []
signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(300): same(e.run([x]), want)
same(compiled().run([x]), want)
signal.setitimer(signal.ITIMER_REAL, 0)
assert hits
"""
    )


def test_e18_many_graphs_come_and_go():
    """Memory, descriptors and threads do not grow; a graph is freed by its count, in a cycle by the collector."""
    run_case(
        READY
        + """
import gc
def state():
    words = open("/proc/self/statm").read().split()
    return int(words[1]) * 4096, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
def after_many():  # the least of four times: where freed memory lies changes by chance
    states = []
    for _ in range(4):
        for i in range(2000): made = compiled(seed=i); made.run([x])
        gc.collect(); states.append(state())
    return min(states)
after_many(); before = after_many(); after = after_many()
assert after[1:] == before[1:], (before, after)
assert after[0] - before[0] < 2 << 20, (before, after)
""",
        seconds=100,
    )


def test_e19_small_stacks():
    run_case(
        "threading.stack_size(64 << 10)\n"
        + READY
        + """
for _ in range(5): in_threads(1, lambda _: same(compiled().run([x]), want))
""",
        env={"OMP_STACKSIZE": "64k"},
    )
