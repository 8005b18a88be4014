# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes TensorFlow checkpoints of version 1 as TensorSliceWriter lays them out: protocol buffers by
hand, blocks of a leveldb table, masked CRC-32C. Imported by tests: write(path, tensors, ...)."""
import struct

TABLE = []
for i in range(256):
    c = i
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    TABLE.append(c)


def crc32c(data):
    c = 0xFFFFFFFF
    for byte in data:
        c = TABLE[(c ^ byte) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


def masked(data):
    c = crc32c(data)
    return ((c >> 15 | c << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def varint(v):
    out = b""
    v &= (1 << 64) - 1
    while v > 0x7F:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def number(field, v):
    return varint(field << 3) + varint(v)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def slice_proto(extents):
    out = b""
    for extent in extents:
        out += message(1, b"" if extent is None else
                       (number(1, extent[0]) if extent[0] else b"") + number(2, extent[1]))
    return out


def key_of(name, extents):
    """Order-preserving: any key that sorts by name will do for a reader that never decodes it."""
    out = b"\0" + name.encode() + b"\0\1" + bytes([len(extents)])
    for extent in extents:
        out += struct.pack(">qq", *(extent or (0, -1)))
    return out


FIELD = {1: 5, 2: 6, 3: 7, 4: 7, 9: 10, 10: 11, 7: 8, 8: 9, 18: 12, 19: 13}


def data_proto(dtype, values):
    if dtype == 7:
        return b"".join(message(8, v) for v in values)
    form = {1: "f", 2: "d", 8: "f", 18: "d"}.get(dtype)
    packed = b"".join(struct.pack("<" + form, v) if form else varint(v) for v in values)
    return message(FIELD[dtype], packed) if packed else b""


class Table:
    def __init__(self, per_block):
        self.out, self.index, self.per_block = b"", [], per_block
        self.entries = []

    def block(self, entries):
        body, last = b"", b""
        for key, value in entries:
            shared = 0
            while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                shared += 1
            body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            last = key
        body += struct.pack("<II", 0, 1) + b"\0"
        handle = varint(len(self.out)) + varint(len(body) - 1)
        self.out += body + struct.pack("<I", masked(body))
        return handle

    def flush(self):
        if self.entries:
            self.index.append((self.entries[-1][0], self.block(self.entries)))
        self.entries = []

    def add(self, key, value):
        self.entries.append((key, value))
        if len(self.entries) == self.per_block:
            self.flush()

    def end(self):
        self.flush()
        handles = self.block([]) + self.block(self.index)
        self.out += handles + bytes(40 - len(handles)) + struct.pack("<Q", 0xDB4775248B80FB57)
        return self.out


def write(path, tensors, per_block=3, leave_out=(), twice=False):
    """tensors: (name, dtype, shape, [(extents, values)])."""
    listed, rows = b"", []
    for name, dtype, shape, slices in tensors:
        tensor = message(1, name.encode())
        tensor += message(2, b"".join(message(2, number(1, d)) for d in shape)) + number(3, dtype)
        for extents, values in slices:
            tensor += message(4, slice_proto(extents))
            saved = message(1, name.encode()) + message(2, slice_proto(extents))
            saved += message(3, data_proto(dtype, values))
            if name not in leave_out:
                rows.append((key_of(name, extents), message(2, saved)))
        listed += message(1, tensor)
    listed += message(2, number(1, 1))
    table = Table(per_block)
    table.add(b"", message(1, listed))
    rows.sort()
    if twice:
        rows.insert(1, rows[0])
    for key, value in rows:
        table.add(key, value)
    data = table.end()
    open(path, "wb").write(data)
    return data


def sample(step=4711):
    return [
        ("global_step", 9, (), [((), [step])]),
        ("dense/kernel", 1, (20, 30), [((None, None), [0.5 * i for i in range(600)])]),
        ("dense/kernel/Adam", 1, (20, 30), [(((0, 10), None), [1.5] * 300),
                                            (((10, 10), None), [2.5] * 300)]),
        ("table", 3, (4, 2), [((None, (0, 1)), [1, -2, 3, -4]), ((None, (1, 1)), [5, 6, 7, 300])]),
        ("words", 7, (2,), [((None,), [b"one", b"longer text"])]),
        ("flag", 10, (), [((), [1])]),
        ("complex", 8, (3,), [((None,), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]),
        ("wide", 2, (0, 7), [((None, None), [])]),
        ("half", 19, (2,), [((None,), [0x3C00, 0xBC00])]),
    ]
