"""What is written to a binary file object, as bytes: bytes_of(model.save), bytes_of(write_hdf5, tree)."""

import io


def bytes_of(write, *args, **words):
    target = io.BytesIO()
    write(target, *args, **words)
    return target.getvalue()
