"""Rows C1-C17, C39, C44 and C45 of the list of faults: paths, archives and JSON of model files."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conv2d_native.errors import ModelFormatError, UnsafeModelError
from conv2d_native.formats import read_model, read_weights, write_keras
from hostile_files import (
    BIAS,
    CONFIG,
    HDF5,
    KERNEL,
    Member,
    Watch,
    h5,
    keras,
    load,
    parts,
    read,
    zip_bytes,
)
from subprocess_case import PACKAGE_FOLDER
from written import bytes_of

ROOT = Path(__file__).resolve().parent.parent
SOUND = keras()


def in_a_process(code: str, data: bytes, tmp_path: Path, seconds: float = 2.0, mebibytes: int = 256) -> str:
    """Run `code` with `path` naming a file of `data`; it must end within the limits. Returns what it printed."""
    path = tmp_path / "model"
    path.write_bytes(data)
    script = f"""
        import resource, sys, time
        sys.path[:0] = {[str(PACKAGE_FOLDER), str(ROOT / "tests")]!r}
        from hostile_files import keras, load, read
        read(keras())
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        path = {str(path)!r}
        try:
            {code}
            print("loaded")
        except Exception as error:
            print(type(error).__name__, str(error)[:300])
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        elapsed = time.process_time() - start  # other work on the machine does not count
        assert elapsed < {seconds}, f"took {{elapsed:.1f}} s"
        assert peak < {mebibytes}, f"took {{peak:.0f}} MiB"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def test_the_sound_file_loads_and_does_nothing_else():
    np.testing.assert_array_equal(read(SOUND)[0], KERNEL)
    np.testing.assert_array_equal(read(h5(CONFIG))[0], KERNEL)
    with Watch() as watch:
        read(SOUND)
        read(h5(CONFIG))
    assert watch.events == []


def test_c1_paths(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.keras")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ModelFormatError, match="empty"):
        load(tmp_path / "empty")
    os.mkfifo(tmp_path / "fifo")
    for special in (tmp_path / "fifo", "/dev/zero", "/dev/null"):
        with pytest.raises(ModelFormatError, match="not a regular file"):
            load(special)
    with open("/dev/zero", "rb") as endless, pytest.raises(ModelFormatError, match="not a Keras model"):
        read(endless, max_bytes=1 << 20)
    if os.geteuid():
        (tmp_path / "closed").touch(mode=0)
        with pytest.raises(PermissionError):
            load(tmp_path / "closed")


def test_c1_no_descriptor_is_left_open(tmp_path):
    (tmp_path / "m").write_bytes(SOUND)
    (tmp_path / "bad").write_bytes(SOUND[:-30])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        read(tmp_path / "m")
        with pytest.raises(ModelFormatError):
            read(tmp_path / "bad")
    assert len(os.listdir("/proc/self/fd")) == before


def test_c2_content_decides(tmp_path):
    for ending, data in ((".h5", SOUND), (".keras", h5(CONFIG))):
        (tmp_path / f"m{ending}").write_bytes(data)
        np.testing.assert_array_equal(read(tmp_path / f"m{ending}")[1], BIAS)


@pytest.mark.parametrize("data", [SOUND, h5(CONFIG)], ids=["keras", "h5"])
def test_c3_cut_short(data):
    for size in [*range(1, len(data), 64), len(data) - 1]:
        with pytest.raises(ModelFormatError):
            read(data[:size])


@pytest.mark.parametrize("data", [SOUND, h5(CONFIG)], ids=["keras", "h5"])
@pytest.mark.parametrize("flip", [0xFF, 1])
def test_c3_a_byte_changed(data, flip):
    spoiled = bytearray(data)
    wrong = 0
    for at in range(0, len(data), 1 if data is SOUND else 3):
        spoiled[at] ^= flip
        try:
            made = read(bytes(spoiled))
            assert [a.shape for a in made] == [(4, 3), (3,)] and all(a.dtype == np.float32 for a in made)
        except ModelFormatError:
            wrong += 1
        spoiled[at] ^= flip
    assert wrong > (len(data) // 4 if data is SOUND else 20)


def test_c4_missing_and_extra_members():
    for missing in ("config.json", "model.weights.h5"):
        with pytest.raises(ModelFormatError, match=missing):
            load(zip_bytes(m for m in parts() if m.name != missing.encode()))
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        load(zip_bytes([Member("a", b"a")]))
    extra = [*parts(), Member("assets/", b""), Member("assets/layer/x", b"x")]
    np.testing.assert_array_equal(read(zip_bytes(extra))[1], BIAS)


def test_c5_two_members_of_one_name():
    with pytest.raises(ModelFormatError, match=r"two members.*config\.json"):
        load(zip_bytes([*parts(), Member("config.json", b"{}")]))


def test_c6_overlapping_members():
    first = parts()[0]
    with pytest.raises(UnsafeModelError, match="overlaps"):
        load(zip_bytes([*parts(), Member("copy", first.data, offset=0, local_name=first.name)]))
    longer = parts()
    longer[0].facts["packed"] = longer[0].facts["size"] = len(longer[0].data) + 500
    with pytest.raises(UnsafeModelError, match="overlaps"):
        load(zip_bytes(longer))
    nested = Member("outer", zip_bytes(parts()))
    inner = Member("inner", b"", offset=35, packed=10, size=10)
    with pytest.raises(UnsafeModelError, match="overlaps"):
        load(zip_bytes([nested, inner]))


def test_c7_bombs(tmp_path):
    bomb = Member("", bytes(300 << 20), method=8)
    for name in ("config.json", "model.weights.h5", "metadata.json"):
        members = [m for m in parts() if m.name != name.encode()] + [bomb.named(name)]
        assert "ModelFormatError" in in_a_process("read(path)", zip_bytes(members), tmp_path)
    liar = [*parts()[:2], bomb.named("model.weights.h5", size=4096)]
    assert "ModelFormatError" in in_a_process("read(path)", zip_bytes(liar), tmp_path)
    inside = zip_bytes([bomb.named("model.weights.h5")])
    np.testing.assert_array_equal(
        read(zip_bytes([*parts(), Member("nested.zip", inside, method=8)]))[1], BIAS
    )


def test_c8_sizes_and_checksums():
    for lie in ({"size": 100}, {"packed": 100}, {"crc": 1}, {"local": {"size": 5}}, {"local": {"crc": 5}}):
        with pytest.raises(ModelFormatError):
            load(zip_bytes(parts(**lie)))
    packed = [
        Member(m.name, m.data, method=8, crc=7 if m.name == b"config.json" else m.facts["crc"])
        for m in parts()
    ]
    with pytest.raises(ModelFormatError, match="checksum"):
        load(zip_bytes(packed))
    np.testing.assert_array_equal(
        read(zip_bytes(Member(m.name, m.data, method=8) for m in parts()))[0], KERNEL
    )


@pytest.mark.parametrize(
    "lie", [{"flags": 1}, {"method": 12}, {"method": 14}, {"method": 93}, {"method": 1}], ids=str
)
def test_c9_encryption_and_methods(lie):
    with pytest.raises(ModelFormatError, match=r"encrypted|method"):
        load(zip_bytes(parts(**lie)))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "C:\\x", "a/../../x", "..\\x", "\\x", "a\0b", ""])
def test_c10_names_that_lead_outside(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeModelError, match="leads out"), Watch() as watch:
        load(zip_bytes([*parts(), Member(name, b"x")]))
    assert watch.events == [] and os.listdir(tmp_path) == []


def test_c10_symbolic_link():
    with pytest.raises(UnsafeModelError, match="symbolic link"):
        load(zip_bytes([*parts(), Member("model", b"/etc/passwd", mode=0o120777)]))


def test_c11_sizes_of_64_bits_and_a_million_members(tmp_path):
    wide = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    lie = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "extra": wide, "local": {"size": 0, "packed": 0}}
    with pytest.raises(ModelFormatError):
        load(zip_bytes(parts(**lie)))
    many = zip_bytes([Member(f"{i}", b"") for i in range(20_000)])
    assert "20000 members" in in_a_process("read(path)", many, tmp_path)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, 46 * 10**6, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(SOUND), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with pytest.raises(ModelFormatError, match="members"):
        load(SOUND + record + locator + end)


def test_c12_data_before_and_after():
    for data in (
        zip_bytes(parts(), before=b"#!/bin/sh\n"),
        zip_bytes(parts(), after=b"x"),
        SOUND + SOUND[:100],
    ):
        with pytest.raises(ModelFormatError):
            load(data)
    with pytest.raises(ModelFormatError):
        load(b"PK\3\4" + h5(CONFIG))


def with_text(text: str | bytes) -> list[bytes]:
    """Both formats with this as the configuration."""
    raw = text if isinstance(text, bytes) else text.encode()
    return [keras(raw), h5(raw)]


TEXT = json.dumps(CONFIG)


@pytest.mark.parametrize(
    "text",
    [b'{"class_name": "\xff\xfe"}', b"\xff\xfe{\0}\0", b"{", b"[]", b"3", b"", b'{"a": 1} x', b"{'a': 1}"],
)
def test_c13_what_is_not_json(text):
    for data in with_text(text):
        with pytest.raises(ModelFormatError, match=r"config"):
            load(data)


def test_c13_a_byte_order_mark_is_skipped():
    np.testing.assert_array_equal(read(keras(b"\xef\xbb\xbf" + TEXT.encode()))[0], KERNEL)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"class_name":"Sequential","config":'])
def test_c14_deep_json(opening, tmp_path):
    for data in with_text(opening * 100_000):
        assert "ModelFormatError" in in_a_process("load(path)", data, tmp_path)
    closing = {"[": "]"}.get(opening, "}")
    for depth in (300, 900):
        text = (
            TEXT[:-1] + ', "x": ' + opening * depth + ("1" if opening != "[" else "") + closing * depth + "}"
        )
        for data in with_text(text):
            assert in_a_process("load(path)", data, tmp_path).startswith(("ModelFormatError", "loaded"))


@pytest.mark.parametrize(
    "number", ["9" * 100_000, "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" * 30]
)
def test_c15_numbers_without_end(number):
    for data in with_text(TEXT.replace('"units": 3', f'"units": {number}')):
        with pytest.raises(ModelFormatError, match="`units`" if "Infinity" in number else "JSON"):
            load(data)


def test_c16_large_json(tmp_path):
    text = TEXT[:-1] + ', "x": "' + "x" * (17 << 20) + '"}'
    for data in with_text(text):
        assert "more than" in in_a_process("read(path)", data, tmp_path, mebibytes=400)
    small = TEXT[:-1] + ', "x": [' + "[]," * 690_000 + "[]]}"
    packed = zip_bytes(Member(m.name, m.data, method=8) for m in parts(small.encode()))
    in_a_process("read(path)", packed, tmp_path)
    layers = json.loads(TEXT)
    layers["config"]["layers"] = [{"class_name": "A", "config": {}}] * 60_000
    assert "layers" in in_a_process("read(path)", keras(layers), tmp_path, seconds=4)


def test_c17_a_key_given_twice():
    for data in with_text(TEXT[:-1] + ', "class_name": "Lambda"}'):
        with pytest.raises(ModelFormatError, match="'class_name' is given twice"):
            load(data)


def test_c39_a_file_that_changes_while_it_is_read(tmp_path):
    path, other = tmp_path / "m.keras", tmp_path / "other"
    wanted = ("d",), ["kernel", "bias"], [(4, 3), (3,)]
    path.write_bytes(SOUND)
    weights = read_model(path).weights
    other.write_bytes(b"x")
    os.replace(other, path)
    np.testing.assert_array_equal(weights.get(*wanted)[0], KERNEL)
    path.write_bytes(SOUND)
    weights = read_model(path).weights
    os.truncate(path, 100)
    with pytest.raises(ModelFormatError, match="shorter"):
        weights.get(*wanted)


class Executed:
    def __reduce__(self):
        return (os.system, ("touch /tmp/conv2d_native_canary",))


def test_c44_pickles_and_arrays_of_objects(tmp_path):
    canary = Path("/tmp/conv2d_native_canary")
    canary.unlink(missing_ok=True)
    pickled = pickle.dumps(Executed())
    torch = io.BytesIO()
    with zipfile.ZipFile(torch, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    objects = bytes_of(np.savez, **{"layers/dense": np.array({"0": Executed()}, object)})
    with Watch() as watch:
        for data in (
            pickled,
            torch.getvalue(),
            b"\x80\x04" + pickled,
            b"\x93NUMPY" + pickled,
            objects,
        ):
            with pytest.raises(ModelFormatError):
                load(data)
        with pytest.raises(UnsafeModelError, match="pickle"):
            read_weights(objects).get(("layers",), ["dense"], [(3,)])
        with pytest.raises(UnsafeModelError, match="pickled"):
            load(zip_bytes([*parts()[:2], Member("model.weights.npz", objects)]))
    assert watch.events == [] and not canary.exists()


def test_c45_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    path.write_bytes(SOUND)
    weights = {("d",): [KERNEL, BIAS]}
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OSError, match="No space"):
        write_keras(path, CONFIG, weights)
    assert path.read_bytes() == SOUND and os.listdir(tmp_path) == ["m.keras"]
    monkeypatch.undo()
    write_keras(path, CONFIG, weights)
    np.testing.assert_array_equal(read(path)[0], KERNEL)


def test_c45_killed_while_saving(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(SOUND)
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(PACKAGE_FOLDER), str(ROOT / "tests")]!r}
from conv2d_native.formats import write_keras
from hostile_files import CONFIG, KERNEL, BIAS
from written import bytes_of
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write_keras({str(path)!r}, CONFIG, {{("d",): [KERNEL, BIAS]}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert path.read_bytes() == SOUND


def test_c7_the_whole_hostile_set_stays_within_time():
    start = time.perf_counter()
    for data in HDF5.values():
        for made in (data, keras(CONFIG, data)):
            try:
                read(made)
            except ModelFormatError:
                continue
    assert time.perf_counter() - start < 2 * len(HDF5)
