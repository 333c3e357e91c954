"""Rows D of the fault list: variables, CPUs, libraries and interpreters around the process."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from conv2d_native import _core
from subprocess_case import PACKAGE_FOLDER, run_case

ANSWER = """
e, x = compiled(), data()
got = e.run([x])
np.testing.assert_allclose(got[0].sum(1), 1, atol=1e-5)
"""
NUMBERS = "import hashlib; print(hashlib.sha256(b''.join(y.tobytes() for y in got)).hexdigest())\n"


def digest(**options) -> str:
    return run_case(ANSWER + NUMBERS, **options).split()[-1]


@pytest.fixture(scope="module")
def usual():
    return digest()


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "abc", "1.5", "2,3", " 3 ", "1000000000", "100000000000000000000"]
)
def test_d1_omp_num_threads(value, usual):
    # OpenMP itself may say a word about a value that it cannot read.
    assert digest(env={"OMP_NUM_THREADS": value}, stderr=None) == usual


@pytest.mark.parametrize(
    "name, value",
    [
        ("OMP_STACKSIZE", "1k"),
        ("OMP_STACKSIZE", "64k"),
        ("OMP_STACKSIZE", "100G"),
        ("OMP_STACKSIZE", "99999999999999999999G"),
        ("OMP_WAIT_POLICY", "active"),
        ("OMP_WAIT_POLICY", "passive"),
        ("GOMP_SPINCOUNT", "0"),
        ("GOMP_SPINCOUNT", "-3"),
        ("OMP_DYNAMIC", "true"),
        ("OMP_PROC_BIND", "true"),
        ("OMP_PROC_BIND", "spread"),
        ("OMP_THREAD_LIMIT", "1"),
        ("OMP_PLACES", "nonsense"),
        ("OMP_SCHEDULE", "nonsense"),
    ],
)
def test_d2_other_openmp_variables(name, value, usual):
    assert digest(env={name: value}, stderr=None) == usual


@pytest.mark.parametrize("value", ["nonsense", "avx1024", "AVX2 ", "x" * 10000, "neon"])
def test_d3_isa_variable(value):
    program = "print(_core.isa_warning()[:200])\nprint(', '.join(_core.isa_names()))\n" + ANSWER + NUMBERS
    out = run_case(program, env={"CONV2D_NATIVE_ISA": value}).splitlines()
    assert f"is not an instruction set that is built and supported here ({out[1]})" in out[0]
    assert out[2] == digest(env={"CONV2D_NATIVE_ISA": None})


@pytest.mark.parametrize(
    "use", ["cn.show_config()", "cn.layers.Dense(2)", "from conv2d_native import machine"]
)
def test_d3_isa_warning_names_the_line_of_the_program(use, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(f"import conv2d_native as cn\n\n{use}\n")
    env = {**os.environ, "CONV2D_NATIVE_ISA": "nonsense"}
    done = subprocess.run([sys.executable, str(path)], env=env, capture_output=True, text=True, check=True)
    assert done.stderr.startswith(f"{path}:3: RuntimeWarning: CONV2D_NATIVE_ISA='nonsense' is not")
    assert done.stderr.count("Warning") == 1


@pytest.mark.parametrize("name", _core.isa_names())
def test_d3_isa_variable_is_followed(name):
    assert run_case("print(_core.active_isa())", env={"CONV2D_NATIVE_ISA": name}).split() == [name]


CPUS = {
    "Nehalem": "sse2",
    "SandyBridge": "sse2",
    "Haswell": "avx2",
    "Haswell,-xsave": "sse2",
    "Haswell,-fma": "sse2",
}
QEMU = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")


@pytest.mark.skipif(QEMU is None, reason="qemu-user is not installed")
@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("wanted", [None, "avx512"])
def test_d4_d5_d6_other_cpus(cpu, wanted):
    """The network on an emulated CPU; asked for an instruction set that is not there, too: never SIGILL."""
    # Rows D4 (forced set missing), D5 (old CPUs), D6 (AVX without the system's support).
    if subprocess.run(
        [QEMU, "-cpu", cpu, sys.executable, "-c", "import numpy"], capture_output=True
    ).returncode:
        pytest.skip("NumPy itself does not run on this CPU; .ci/deep runs the kernels there without it")
    program = "print(_core.active_isa())\n" + ANSWER
    out = run_case(
        program, command=[QEMU, "-cpu", cpu], env={"CONV2D_NATIVE_ISA": wanted}, seconds=110, stderr=None
    )
    assert out.split() == [CPUS[cpu]]


def test_d7_affinity():
    program = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(_core.get_num_threads())"
    assert run_case(program).split() == ["1"]


GROUPS = [
    ("0::/\n", {"cpu.max": "50000 100000"}, 1),
    ("0::/\n", {"cpu.max": "max 100000"}, 0),
    ("0::/\n", {"cpu.max": "250000 100000"}, 3),
    ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2),
    ("0::/host/only\n", {"cpu.max": "400000 100000"}, 4),
    (
        "4:cpu,cpuacct:/\n",
        {"cpu,cpuacct/cpu.cfs_quota_us": "150000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        2,
    ),
    ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "50000", "cpu/x/cpu.cfs_period_us": "100000"}, 1),
    ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 0),
    ("3:memory:/\n0::/\n", {"unified/cpu.max": "100000 100000"}, 1),
    ("nonsense\n:\n3:cpuset:/\n", {"cpu.max": "1 1"}, 0),
    ("0::/\n", {"cpu.max": "nonsense"}, 0),
    ("", {}, 0),
    ("0::" + "/x" * 500 + "\n", {"cpu.max": "300000 100000"}, 3),
]


def write_files(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("memberships, files, cpus", GROUPS)
def test_d7_cpu_quota(memberships, files, cpus, tmp_path):
    write_files(tmp_path, files)
    assert _core.quota_cpus(memberships, str(tmp_path)) == cpus


@pytest.mark.parametrize(
    "memberships, files, limit",
    [
        ("0::/a\n", {"a/memory.max": "1000000", "memory.max": "max"}, 1e6),
        ("9:memory:/\n", {"memory/memory.limit_in_bytes": "2000000"}, 2e6),
        ("0::/\n", {"memory.max": "max"}, 0),
    ],
)
def test_d7_memory_quota(memberships, files, limit, tmp_path):
    write_files(tmp_path, files)
    assert _core.quota_memory(memberships, str(tmp_path)) == limit


@pytest.mark.parametrize(
    "options",
    [["-O"], ["-OO"], ["-W", "error"], ["-X", "dev"], ["-I"], ["-B"], ["-X", "utf8"]],
    ids=" ".join,
)
def test_d12_interpreter_options(options, usual):
    if "-I" in options:  # isolated: the path comes from the program
        program = ANSWER + NUMBERS
        header = f"import sys; sys.path.insert(0, {str(PACKAGE_FOLDER)!r})\n"
        assert run_case(program, options=options, before=header).split()[-1] == usual
    else:
        assert digest(options=options) == usual


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONMALLOC": "debug"},
        {"PYTHONMALLOC": "malloc"},
        {"LC_ALL": "C"},
        {"LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"},
        {"MALLOC_PERTURB_": "165"},
        {"MALLOC_CHECK_": "3"},
        {"LANG": "tr_TR.UTF-8"},
    ],
    ids=lambda env: " ".join(env),
)
def test_d12_environment(env, usual):
    assert digest(env=env) == usual


def test_d12_comma_as_decimal_point(usual, tmp_path):
    made = shutil.which("localedef") and subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("the locale de_DE is not to be had here")
    program = """
import locale
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
import conv2d_native as cn
x = np.array([-2.0, 0.25, 2.0], np.float32)
assert cn.leaky_relu(x, negative_slope=0.25).tolist() == [-0.5, 0.25, 2.0]
assert cn.relu(x, negative_slope=0.5, max_value=1.5, threshold=0.5).tolist() == [-1.25, -0.125, 1.5]
assert cn.explain("n1h8w8c4_k3x3s1d1p1_oc4g1_relu(0.5,inf,0)").title.endswith("_relu(0.5,inf,0)")
"""
    assert run_case(program + ANSWER + NUMBERS, env={"LOCPATH": str(tmp_path)}).split()[-1] == usual


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("other", ["torch", "scipy.linalg", "sklearn.cluster"])
def test_d13_other_openmp_runtimes(other, first, usual):
    pytest.importorskip(other.split(".")[0])
    program = ANSWER + NUMBERS if first else f"import {other}\n" + ANSWER + NUMBERS
    after = f"import {other}\nsame(e.run([x]), got)\n" if first else ""
    assert run_case(program + after, stderr=None).split()[-1] == usual


FENV = "import ctypes, ctypes.util; libm = ctypes.CDLL(ctypes.util.find_library('m'))\n"
MXCSR = """
import ctypes, mmap
# Reads MXCSR: stmxcsr [rdi]; ret
page = mmap.mmap(-1, 4096, prot=7); page.write(b"\\x0f\\xae\\x1f\\xc3")
read = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
# Writes MXCSR: ldmxcsr [rdi]; ret
other = mmap.mmap(-1, 4096, prot=7); other.write(b"\\x0f\\xae\\x17\\xc3")
write = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(other)))
def mxcsr():
    word = ctypes.c_uint32(); read(ctypes.byref(word)); return word.value & ~0x3F   # without the sticky flags
def set_mxcsr(value):
    word = ctypes.c_uint32(value); write(ctypes.byref(word))
"""
on_x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="MXCSR is of x86")


@on_x86
@pytest.mark.parametrize(
    "word", [0x8040 | 0x1F80, 0x8000 | 0x1F80, 0x0040 | 0x1F80], ids=["both", "ftz", "daz"]
)
def test_d14_flush_to_zero_set_by_the_caller(word):
    """Normal numbers come out the same; the caller's setting stays."""
    run_case(MXCSR + ANSWER + f"set_mxcsr({word})\nsame(e.run([x]), got); assert mxcsr() == {word}")


@pytest.mark.parametrize("mode", [0x400, 0x800, 0xC00], ids=["down", "up", "zero"])
def test_d15_rounding_mode(mode):
    run_case(
        FENV
        + ANSWER
        + f"libm.fesetround({mode}); other = e.run([x]); assert libm.fegetround() == {mode}; libm.fesetround(0)\n"
        "for a, b in zip(got, other): assert np.abs(a - b).max() < 1e-5"
    )


def test_d16_no_home_and_no_working_folder(tmp_path, usual):
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"os.rmdir({str(gone)!r})\n" + ANSWER + NUMBERS
    out = run_case(program, cwd=str(gone), env={"HOME": None, "TMPDIR": "/nowhere", "USER": None})
    assert out.split()[-1] == usual


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0,
    reason="no right to make a mount namespace",
)
def test_d16_no_proc_no_sys_read_only(usual):
    hide = (
        "mount --make-rprivate / && mount -t tmpfs -o ro none /proc && mount -t tmpfs -o ro none /sys"
        ' && (mount -o remount,bind,ro / 2>/dev/null || true) && exec "$@"'
    )
    assert digest(command=["unshare", "-m", "sh", "-c", hide, "sh"]) == usual


def test_d17_reload_and_second_import(usual):
    program = ANSWER + NUMBERS + "import importlib, conv2d_native; importlib.reload(conv2d_native)\n"
    assert run_case(program + "same(compiled().run([x]), got)").split()[-1] == usual


def test_d17_subinterpreter():
    pytest.importorskip("_xxsubinterpreters")
    run_case(
        """
import _xxsubinterpreters as sub
other = sub.create()
try:
    sub.run_string(other, "import sys; sys.path[:] = %r; import numpy; from conv2d_native import _core" % (sys.path,))
except sub.RunFailedError as error:
    assert "ImportError" in str(error) or "ModuleNotFoundError" in str(error), error
""",
        options=["-W", "ignore:NumPy was imported from a Python sub-interpreter:UserWarning"],
    )


def test_d18_import_has_no_side_effect():
    """No thread, no variable, no warning, no change of the floating-point environment, no file but the package's."""
    program = """
    import os, sys, ctypes
    import numpy as np
    libm = ctypes.CDLL("libm.so.6")
    opened, before = [], dict(os.environ)
    threads, rounding = len(os.listdir("/proc/self/task")), libm.fegetround()
    allowed = (sys.prefix, sys.base_prefix, FOLDER)
    def hook(event, args):
        if event in ("open", "socket.connect", "subprocess.Popen", "os.fork", "os.putenv"):
            opened.append((event, args[0]))
    sys.addaudithook(hook)
    import conv2d_native
    from conv2d_native import _core
    strange = [o for o in opened if o[0] != "open" or not str(o[1]).startswith(allowed)]
    assert len(os.listdir("/proc/self/task")) == threads
    assert dict(os.environ) == before and libm.fegetround() == rounding
    assert np.finfo(np.float32).smallest_subnormal > 0
    print(strange)
    """.replace("FOLDER", repr(str(PACKAGE_FOLDER)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_FOLDER)},
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    strange = [o for o in eval(done.stdout) if o[0] != "os.putenv"]
    assert strange == [], strange


@on_x86
def test_d18_import_keeps_mxcsr():
    run_case(MXCSR + "import conv2d_native\nassert mxcsr() == 0x1F80")


def test_d8_d9_core_missing_or_unloadable(tmp_path):
    """ImportError that says what is wrong and what to do, for a missing, a foreign and a damaged module."""
    source = PACKAGE_FOLDER / "conv2d_native"
    for case, content in {"missing": None, "foreign": b"\x7fELF" + bytes(100), "text": b"nonsense"}.items():
        package = tmp_path / case / "conv2d_native"
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("_core*.so", "__pycache__"))
        if content is not None:
            (package / Path(_core.__file__).name).write_bytes(content)
        program = "import conv2d_native as cn\ntry: cn.conv2d\nexcept ImportError as error: print(error)\n"
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path / case)},
        )
        assert done.returncode == 0 and "cannot be loaded" in done.stdout and "pip install" in done.stdout, (
            done
        )


def test_d11_reader_absent():
    """Without the optional packages the import works; what needs one says so."""
    run_case(
        "sys.modules['pyfive'] = sys.modules['tqdm'] = None\n"
        "import conv2d_native as cn\n"
        "layer = cn.layers.Conv2D(2, 3); layer(np.ones((1, 5, 5, 1), np.float32))\n"
    )


def test_the_core_is_loaded_with_quiet_threads():
    """The variable that lets idle threads sleep is there during the load only, and never over the user's wish."""
    run_case("assert 'GOMP_SPINCOUNT' not in os.environ")
    run_case("assert os.environ['GOMP_SPINCOUNT'] == '77'", env={"GOMP_SPINCOUNT": "77"})


def test_a_model_is_opened_and_computed_without_modules_that_it_does_not_need():
    """Each costs milliseconds at the start of every process."""
    program = (
        "before = set(sys.modules)\n"
        "import conv2d_native as cn\n"
        "model = cn.load_model(os.path.join(os.path.dirname(cn.__file__), 'data', 'digits.keras'))\n"
        "model.predict(np.zeros((2, 8, 8, 1)))\n"
        "print(*{'subprocess', 'tempfile', 'shutil', 'pathlib', 'tqdm', 'lzma', 'zipfile'} & {*sys.modules} - before)"
    )
    assert run_case(program).strip() == ""
