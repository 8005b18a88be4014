# SPDX-License-Identifier: GPL-2.0-or-later
"""TensorFlow's tensor bundle, written here as its sources describe it, and samples."""
import glob
import random
import shutil
import struct

from registry import fmt, sample

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    """Of a protocol buffer: bytes or a number; numbers of 0 are left out."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value) if value else b""


def block(pairs):
    """A block of a table: keys without their shared part, a restart at the begin."""
    out, last = b"", b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def table(pairs, per_block=8):
    out, index = b"", []
    for i in range(0, len(pairs), per_block):
        part = block(pairs[i:i + per_block])
        index.append((pairs[min(i + per_block, len(pairs)) - 1][0], varint(len(out)) + varint(len(part))))
        out += part + b"\0" + struct.pack("<I", masked(part + b"\0"))
    handles = b""
    for part in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(part))
        out += part + b"\0" + struct.pack("<I", masked(part + b"\0"))
    return out + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def bundle(prefix, variant, seed, floats=100):
    rng = random.Random("%s %d" % (variant, seed))
    shards = {"a": 1, "b": 2, "c": 3}[variant]
    data = [b""] * shards
    pairs = [(b"", field(1, shards) + field(3, field(1, 1)))]
    names = ["model/layer-%02d/kernel/.ATTRIBUTES/VARIABLE_VALUE" % i for i in range(24)]
    for i, name in enumerate(names):
        shard, raw = i % shards, rng.randbytes(4 * (floats + 17 * i))
        entry = field(1, 1) + field(2, field(2, field(1, len(raw) // 4))) + field(3, shard)
        entry += field(4, len(data[shard])) + field(5, len(raw)) + b"\x35" + struct.pack("<I", masked(raw))
        data[shard] += raw
        pairs.append((name.encode(), entry))
    raw = struct.pack("<q", 100 + seed)
    pairs.append((b"save_counter/.ATTRIBUTES/VARIABLE_VALUE", field(1, 9) + field(2, b"") + field(4, len(data[0])) +
                  field(5, 8) + b"\x35" + struct.pack("<I", masked(raw))))
    data[0] += raw
    with open(prefix + ".index", "wb") as f:
        f.write(table(pairs))
    for i in range(shards):
        with open("%s.data-%05d-of-%05d" % (prefix, i, shards), "wb") as f:
            f.write(data[i])


@fmt("tf-bundle", bases=("a", "b", "c", "saved_model_half_plus_two_cpu", "saved_model_counter"))
def tf_bundle(folder, variant, seed):
    if len(variant) == 1:
        bundle(folder + "/ckpt-7", variant, seed)
        return "ckpt-7"
    source = sample("tensorflow/serving/%s/00000123/variables" % variant)
    for path in glob.glob(source + "/variables.*"):
        shutil.copyfile(path, folder + "/ckpt-7" + path[path.rindex("/variables.") + 10:])
    return "ckpt-7"
