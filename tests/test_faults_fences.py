"""Row B24 of the fault list: no operation touches memory beside its arrays, which lie flush against fenced pages."""

import mmap

import pytest

from conv2d_native import _core
from subprocess_case import run_case

GUARD = """
import ctypes, mmap
import conv2d_native as cn
_core.use_isa(ISA)
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

class Fence:
    '''A float32 array that ends, or begins, at a page that cannot be touched.'''
    def __init__(self, size, at_end):
        pages = -(-4 * size // PAGE)
        self.memory = mmap.mmap(-1, (pages + 2) * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        for page in (0, pages + 1):
            assert libc.mprotect(start + page * PAGE, PAGE, 0) == 0
        offset = PAGE + (pages * PAGE - 4 * size if at_end else 0)
        self.array = np.frombuffer(self.memory, np.float32, size, offset)
    def __call__(self, values):
        self.array[...] = values.ravel()
        return self.array.reshape(values.shape)

rng = np.random.default_rng(0)
kept = []
def fenced(*shape, at_end):
    fence = Fence(int(np.prod(shape)), at_end)
    kept.append(fence)
    return fence(rng.standard_normal(shape).astype(np.float32))

for at_end in (False, True):
    for c in list(range(1, 20)) + [31, 32, 33, 47, 63, 64, 65, 70]:
        for w in (1, 2, 3, 5, 8, 13, 17):
            x = fenced(1, 3, w, c, at_end=at_end)
            out = lambda *shape: fenced(*shape, at_end=at_end)
            weights = lambda *shape: fenced(*shape, at_end=at_end)
            cn.conv2d(x, weights(3, 3, c, 5), weights(5), padding="same", out=out(1, 3, w, 5))
            cn.conv2d(x, weights(1, 1, c, 9), weights(9), out=out(1, 3, w, 9))
            cn.depthwise_conv2d(x, weights(3, 3, c, 1), weights(c), padding="same", out=out(1, 3, w, c))
            cn.max_pool2d(x, 2, 1, "same", out=out(1, 3, w, c))
            cn.average_pool2d(x, 3, 2, "same", out=out(1, 2, -(-w // 2), c))
            cn.global_average_pool2d(x, out=out(1, c))
            cn.relu(x, out=out(1, 3, w, c))
            cn.softmax(x, out=out(1, 3, w, c))
            cn.layer_normalization(x, weights(c), weights(c), out=out(1, 3, w, c))
            cn.batch_normalization(x, weights(c), np.ones(c), out=out(1, 3, w, c))
            cn.conv2d_transpose(x, weights(2, 2, 3, c), strides=2, out=out(1, 6, 2 * w, 3))
            cn.resize(x, (5, 4), out=out(1, 5, 4, c))
            cn.dense(x, weights(c, 3), out=out(1, 3, w, 3))
            kept.clear()
"""


@pytest.mark.parametrize("isa", _core.isa_names())
def test_b24_arrays_beside_pages_that_cannot_be_touched(isa):
    assert mmap.PAGESIZE >= 4096
    run_case(GUARD.replace("ISA", repr(isa)), seconds=110)
