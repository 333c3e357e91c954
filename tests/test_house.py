"""The rules of the house: floors, file sizes, names, flags, what an instruction set's object may export."""

from __future__ import annotations

import ast
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import conv2d_native as cn
from conv2d_native import _core, activations

ROOT = Path(__file__).resolve().parent.parent
CPP = ROOT / "cpp"
PACKAGE = ROOT / "python" / "conv2d_native"

CPP_FLOORS = ["base", "kernels", "runtime", "ops", "graph", "bindings"]
PYTHON_FLOORS = [
    {"errors", "_core", "core_loading", "locks", "scopes"},
    {"shapes", "structure", "newest"},
    {"arguments", "resampling"},
    {"named_objects"},
    {"activations", "initializers", "regularizers", "constraints", "machine"},
    {"graph"},
    {"functional"},
    {"formats"},
    {"layers"},
    {"models"},
    {"applications", "backend", "demo", "ops", "picture_files", "random", "saving"},
    {"data_preparation", "utils", "config", "dtype_policies", "mixed_precision"},
    {"cli", "preprocessing"},
    {"__init__", "__main__"},
]
SOURCES = sorted(p for p in CPP.rglob("*") if p.suffix in {".cpp", ".h", ".inl"})
MODULES = sorted(PACKAGE.rglob("*.py"))
KERNEL_SETS = {
    "x86_64": {
        "scalar": [],
        "sse2": [],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mfma"],
    },
    "aarch64": {"scalar": [], "neon": []},
}.get(platform.machine(), {"scalar": []})


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)


def python_floor(name: str) -> int:
    for level, names in enumerate(PYTHON_FLOORS):
        if name in names:
            return level
    raise AssertionError(f"{name} stands on no floor: add it to PYTHON_FLOORS and docs/architecture.md")


def local_imports(path: Path) -> set[str]:
    """First names inside the package that `path` imports, at any depth of its code."""
    package = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = list(package[: len(package) - node.level + 1])
            target = base + (node.module.split(".") if node.module else [])
            found |= {target[0]} if target else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conv2d_native."):
            found.add(str(node.module).split(".")[1])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_cpp_includes_only_lower_floors(path):
    floor = CPP_FLOORS.index(path.relative_to(CPP).parts[0])
    for include in includes(path):
        folder = include.split("/")[0]
        assert folder in CPP_FLOORS, f"{include}: give the path from cpp/"
        assert CPP_FLOORS.index(folder) <= floor, f"floor {floor} must not include {include}"


def test_cpp_includes_have_no_cycle():
    graph = {str(p.relative_to(CPP)): includes(p) for p in SOURCES}
    done: set[str] = set()

    def visit(node: str, trail: tuple[str, ...]) -> None:
        assert node not in trail, " -> ".join([*trail, node])
        if node not in done:
            for target in graph.get(node, []):
                visit(target, (*trail, node))
            done.add(node)

    for node in graph:
        visit(node, ())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_python_imports_only_lower_floors(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for target in local_imports(path):
        assert target == own or python_floor(target) < python_floor(own), f"{own} must not import {target}"


@pytest.mark.parametrize("path", [*SOURCES, *MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=name_of)
def test_no_file_is_long_or_vague(path):
    assert len(path.read_text().splitlines()) <= 400
    for name in (*path.relative_to(ROOT).parent.parts, path.stem):
        assert not re.fullmatch(r"(utils?|helpers?|common|misc)", name)


def lines_of_code(paths) -> int:
    lines = [line.strip() for path in paths for line in path.read_text().splitlines()]
    return sum(1 for line in lines if line and not line.startswith("//"))


def test_the_core_is_small():
    numeric = [p for p in SOURCES if p.relative_to(CPP).parts[0] in {"base", "kernels", "runtime", "ops"}]
    assert lines_of_code(numeric) < 5000
    assert lines_of_code(SOURCES) < 7000


def test_one_file_says_openmp_and_one_folder_says_pybind11():
    openmp = {name_of(p) for p in SOURCES if re.search(r"#pragma omp|omp\.h|\bomp_", p.read_text())}
    pybind = {name_of(p) for p in SOURCES if re.search(r"#\s*include\s+<pybind11", p.read_text())}
    assert openmp == {"cpp/runtime/parallel.cpp"}
    assert {name.rpartition("/")[0] for name in pybind} == {"cpp/bindings"}


@pytest.mark.parametrize("path", sorted((CPP / "kernels").iterdir()), ids=name_of)
def test_kernels_are_plain(path):
    code = re.sub(r"//[^\n]*", "", path.read_text())
    allowed = {"cstdint", "cmath", "cstddef", "immintrin.h", "emmintrin.h", "arm_neon.h"}
    assert set(re.findall(r"#\s*include\s+<([^>]+)>", code)) <= allowed
    assert not re.search(r"\b(std::|new|throw|try|catch)\b", code)


def test_no_flag_changes_the_process_or_the_cpu():
    forbidden = re.compile(r"-Ofast|-ffast-math|-funsafe-math|-march=native|ldmxcsr")
    for path in [ROOT / "CMakeLists.txt", ROOT / "pyproject.toml", *SOURCES]:
        assert not forbidden.search(path.read_text()), path


@pytest.fixture(scope="module")
def compiled_sets(tmp_path_factory):
    """The object of every instruction set, by its name; all are compiled at once."""
    compiler = shutil.which("c++")
    assert compiler, "the package is built from source: a C++ compiler is expected"
    folder = tmp_path_factory.mktemp("kernels")
    flags = [
        "-std=c++17",
        "-O1",
        "-w",
        "-fPIC",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-math-errno",
        f"-I{CPP}",
    ]
    objects, runs = {}, []
    for isa, own in KERNEL_SETS.items():
        objects[isa] = folder / f"{isa}.o"
        names = [f'-DCONV2D_SIMD="kernels/simd_{isa}.h"', f"-DCONV2D_TABLE=kKernels{isa.capitalize()}"]
        files = ["-c", str(CPP / "kernels" / "kernels_isa.cpp"), "-o", str(objects[isa])]
        runs.append(subprocess.Popen([compiler, *flags, *own, *names, *files]))
    assert [run.wait() for run in runs] == [0] * len(runs)
    return objects


@pytest.mark.timeout(600)
@pytest.mark.parametrize("isa", KERNEL_SETS)
def test_an_instruction_set_exports_its_table_only(isa, compiled_sets):
    made = str(compiled_sets[isa])
    lines = subprocess.run(["nm", "-C", made], capture_output=True, text=True, check=True).stdout
    shown = [match.groups() for match in re.finditer(r"^[0-9a-f ]*(\w) (.*)$", lines, re.MULTILINE)]
    table = f"kKernels{isa.capitalize()}"
    assert {name for kind, name in shown if kind.isupper() and kind not in "UWV"} == {f"conv2d::{table}"}
    assert not {name for kind, name in shown if kind in "WwVvu"}
    allowed = {"memcpy", "memset", "memmove", "ldexpf", "rintf", "_GLOBAL_OFFSET_TABLE_"}
    assert {name for kind, name in shown if kind == "U"} <= allowed


def test_the_stub_names_what_the_core_has():
    """_core.pyi and the native module: the same functions and classes, with the same members."""
    stub = {
        node.name: {inner.name for inner in getattr(node, "body", []) if isinstance(inner, ast.FunctionDef)}
        for node in ast.parse((PACKAGE / "_core.pyi").read_text()).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }
    core = {name: value for name, value in vars(_core).items() if not name.startswith("_")}
    assert set(stub) == set(core)
    for name, members in stub.items():
        if isinstance(core[name], type):
            public = {member for member in vars(core[name]) if not member.startswith("_")}
            assert {member for member in members if not member.startswith("_")} == public


def test_type_checkers_see_every_public_name():
    """What __init__ imports for them is __all__ but for activations, which a table makes."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.asname for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(seen) == sorted(set(cn.__all__) - set(activations.PUBLIC))
