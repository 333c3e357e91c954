"""Write hdf5.zip: HDF5 files with one fault each, made with h5py, which the tests do not need. Run: python
make_hostile.py

Every file holds the two weights of the model of hostile_files.py. NAME.keras3 has the groups of model.weights.h5,
NAME.legacy those of a whole-model .h5 without its model_config; the fault is in the kernel or in what leads to it.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

HERE = Path(__file__).resolve().parent
KERNEL, BIAS = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones(3, np.float32)
PLACES = {"keras3": ("layers/dense", "vars", "0", "1"), "legacy": ("model_weights/d", "d", "kernel", "bias")}
CONFIG = (HERE / "config.json").read_text().strip()


def plain(group, kernel: str) -> None:
    group[kernel] = KERNEL


def stored_elsewhere(group, kernel: str) -> None:
    group.create_dataset(kernel, (4, 3), "f4", external=[("/etc/passwd", 0, 48)])


def virtual(group, kernel: str) -> None:
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 3))
    group.create_virtual_dataset(kernel, layout)


def huge(group, kernel: str) -> None:
    group.create_dataset(kernel, (10**6, 10**6, 10**6), "f4")


def bomb(group, kernel: str) -> None:
    group.create_dataset(kernel, data=np.zeros((8192, 8192), "f4"), chunks=(8192, 512), compression=9)


def large_chunks(group, kernel: str) -> None:
    made = group.create_dataset(
        kernel, (4, 3), "f4", chunks=(4096, 4096), maxshape=(None, None), compression="gzip"
    )
    made[:] = KERNEL


def linked(target):
    def fault(group, kernel: str) -> None:
        group["real"] = KERNEL
        group[kernel] = target

    return fault


def typed(values, dtype=None):
    def fault(group, kernel: str) -> None:
        group.create_dataset(kernel, data=np.asarray(values, dtype) if dtype is None else values, dtype=dtype)

    return fault


def reference(group, kernel: str) -> None:
    group.create_dataset(kernel, (4, 3), h5py.ref_dtype)


def filtered(**arguments):
    def fault(group, kernel: str) -> None:
        group.create_dataset(kernel, data=KERNEL, chunks=(3, 2), **arguments)

    return fault


def bfloat16(group, kernel: str) -> None:
    """As Keras writes it: what h5py makes of the type, with a note beside it."""
    group.create_dataset(kernel, data=KERNEL.astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"


def bfloat16_number(group, kernel: str) -> None:
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_precision(16)
    kind.set_ebias(127)
    space = h5py.h5s.create_simple((4, 3))
    made = h5py.h5d.create(group.id, kernel.encode(), kind, space)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, KERNEL)


def many_chunks(group, kernel: str) -> None:
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    group.create_dataset(kernel, data=values, chunks=(1, 1))


def crowded(group, kernel: str) -> None:
    group[kernel] = KERNEL
    for i in range(20):
        group[f"other {i}"] = BIAS


def annotated(group, kernel: str) -> None:
    group[kernel] = KERNEL
    for i in range(20):
        group.attrs[f"note {i}"] = group.parent.attrs[f"note {i}"] = "x"


def empty(group, kernel: str) -> None:
    group[kernel] = h5py.Empty("f4")


FAULTS = {
    "plain": plain,
    "bfloat16": bfloat16,
    "bfloat16_number": bfloat16_number,
    "many_chunks": many_chunks,
    "empty": empty,
    "external_storage": stored_elsewhere,
    "virtual": virtual,
    "huge": huge,
    "bomb": bomb,
    "large_chunks": large_chunks,
    "soft_link": linked(h5py.SoftLink("real")),
    "external_link": linked(h5py.ExternalLink("/etc/passwd", "/x")),
    "transposed": typed(KERNEL.T.copy()),
    "float16": typed(KERNEL.astype("f2")),
    "float64": typed(KERNEL.astype(">f8")),
    "integers": typed(KERNEL.astype("i4")),
    "strings": typed(np.full((4, 3), b"abc", "S3")),
    "sequences": typed(np.full((4, 3), "x", object), h5py.string_dtype()),
    "records": typed(np.zeros((4, 3), [("a", "f4"), ("b", "f4")])),
    "enumerated": typed(np.zeros((4, 3), bool)),
    "references": reference,
    "lzf": filtered(compression="lzf"),
    "scaled": filtered(scaleoffset=3),
    "fletcher32": filtered(fletcher32=True),
    "gzip": filtered(compression="gzip", shuffle=True),
    "chunks": filtered(),
}


def write(fault, layout: str, libver=None, links: str | None = None) -> bytes:
    top, middle, kernel, bias = PLACES[layout]
    target = io.BytesIO()
    with h5py.File(target, "w", libver=libver) as file:
        if layout == "legacy":
            file.attrs["model_config"], file.attrs["keras_version"] = CONFIG, "3.15.1"
            file.create_group("model_weights").attrs["layer_names"] = [b"d"]
        if links == "cycle":
            file.create_group(top)[middle] = file
        elif links:
            real = file.create_group("real")
            real[kernel], real[bias] = KERNEL, BIAS
            file.create_group(top)[middle] = (
                h5py.SoftLink("/real") if links == "soft" else h5py.ExternalLink("/etc/passwd", "/real")
            )
        else:
            group = file.create_group(f"{top}/{middle}")
            fault(group, kernel)
            group[bias] = BIAS
        if layout == "legacy":
            file[top].attrs["weight_names"] = [b"d/kernel", b"d/bias"]
    return target.getvalue()


def main() -> None:
    json.loads(CONFIG)
    with zipfile.ZipFile(HERE / "hdf5.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for layout in PLACES:
            for name, fault in FAULTS.items():
                archive.writestr(f"{name}.{layout}", write(fault, layout))
            archive.writestr(f"latest.{layout}", write(plain, layout, libver="latest"))
            archive.writestr(f"dense_links.{layout}", write(crowded, layout, libver="latest"))
            archive.writestr(f"dense_attributes.{layout}", write(annotated, layout, libver="latest"))
            for links in ("soft", "external", "cycle"):
                archive.writestr(f"{links}_group.{layout}", write(plain, layout, links=links))
    print(f"hdf5.zip: {(HERE / 'hdf5.zip').stat().st_size} bytes")


if __name__ == "__main__":
    main()
