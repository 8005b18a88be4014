# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes files as flax.serialization does (arrays as extensions 1 and 3, complex numbers as 2, large
ones in chunks), by the msgpack package. Imported by tests."""
import msgpack
import struct


class Array:
    def __init__(self, shape, dtype, data, ext=1):
        self.inner = msgpack.packb((tuple(shape), dtype, data), use_bin_type=True)
        self.ext = ext


def scalar(dtype, form, value):
    return Array((), dtype, struct.pack("<" + form, value), 3)


def default(x):
    if isinstance(x, complex):
        return msgpack.ExtType(2, msgpack.packb((x.real, x.imag)))
    return msgpack.ExtType(x.ext, x.inner)


def write(name, tree, tail=b""):
    data = msgpack.packb(tree, default=default, strict_types=True) + tail
    open(name, "wb").write(data)
    return data


def floats(*shape):
    n = 1
    for d in shape:
        n *= d
    return Array(shape, "float32", struct.pack("<%df" % n, *([0.5] * n)))


def chunked(shape, *parts):
    return {"__msgpack_chunked_array__": True, "shape": {str(i): d for i, d in enumerate(shape)},
            "chunks": {str(i): p for i, p in enumerate(parts)}}


def state(step):
    return {
        "step": step,
        "params": {"Dense_0": {"kernel": floats(3, 40), "bias": Array((4,), "bfloat16", bytes(8))},
                   "Dense_1": {"kernel": chunked((4, 6), floats(13), floats(11))}},
        "opt_state": {"0": {"count": scalar("int32", "i", 7), "mu": {"x": floats(2, 0)},
                            "nu": None}, "1": {}},
        "misc": [1, -1, 300, -300, 1 << 40, -(1 << 40), 1.5, True, False, "text", b"bytes",
                 "x" * 300, b"y" * 70000, complex(1, 2), {"n": list(range(20))}],
    }
