# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/bench.py measures with, each made once in a directory: make(DIR, NAME, ...) for a NAME of MAKERS.

A maker that needs a package that is not there raises ImportError: its rows are left out, and that is said.
"""
import hashlib
import json
import os
import random
import struct

MIB = 1 << 20
MEMBERS = 1200


def block(seed, size=MIB):
    return random.Random(seed).randbytes(size)


def torch_zip(path, mib, members=MEMBERS, step=100):
    """As a training script saves it: parameters, one tensor an entry."""
    import torch
    count = max(1, (mib << 18) // members)
    base = torch.randn(count)
    state = {"layer.%d.weight" % i: base + i for i in range(members)}
    torch.save({"epoch": 1, "global_step": step, "model_state_dict": state, "optimizer_state_dict": {}}, path)


def many_entries(path, entries):
    """The layout of torch.save() with that many entries of 64 bytes, by zipfile: torch itself takes minutes."""
    import torch
    import zipfile
    small = path + ".small"
    torch.save({"epoch": 1, "global_step": 100, "model_state_dict": {"w": torch.zeros(16)},
                "optimizer_state_dict": {}}, small)
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w") as out:
        for info in source.infolist():
            out.writestr(info.filename, source.read(info))
        root = source.infolist()[0].filename.split("/")[0]
        data = bytes(64)
        for i in range(entries):
            out.writestr("%s/data/%d" % (root, i + 1), data)
    os.unlink(small)


def safetensors(path, mib, seed):
    header = json.dumps({"t%d" % seed: {"dtype": "F32", "shape": [mib << 18],
                                        "data_offsets": [0, mib << 20]}}).encode()
    header += b" " * (-len(header) % 8)
    data = block(seed)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header)
        for _ in range(mib):
            f.write(data)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(MIB):
            digest.update(data)
    return digest.hexdigest()


def shards(folder, mib, n):
    """A Hugging Face directory's weights with a list of sha256sum beside them."""
    os.makedirs(folder)
    names = ["model-%05d-of-%05d.safetensors" % (i + 1, n) for i in range(n)]
    for i, name in enumerate(names):
        safetensors("%s/%s" % (folder, name), max(1, mib // n), i)
    with open(folder + "/model.safetensors.index.json", "w") as f:
        json.dump({"metadata": {"total_size": max(1, mib // n) * n << 20},
                   "weight_map": {"t%d" % i: name for i, name in enumerate(names)}}, f)
    digests = {name: sha256("%s/%s" % (folder, name)) for name in names + ["model.safetensors.index.json"]}
    with open(folder + "/SHA256SUMS", "w") as f:
        f.writelines("%s  %s\n" % (digest, name) for name, digest in digests.items())
    with open(folder + "/digests.json", "w") as f:
        json.dump({"algorithm": "sha256", "files": digests}, f)


def megatron(folder, mib, n):
    """Megatron-Core's distributed directory, its digests in integrity.json. Its small parts are those that the
    tests make; the large ones have the bulk of a rank's file."""
    import subprocess
    import sys
    import tempfile
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as made:
        subprocess.run([sys.executable, here + "/../tests/data/make_megatron.py", made], check=True)
        os.rename(made + "/iter_0000400", folder)
    torch_zip("%s/__9_0.distcp" % folder, max(1, mib // n), 4)
    for i in range(1, n):
        with open("%s/__9_0.distcp" % folder, "rb") as source, open("%s/__9_%d.distcp" % (folder, i), "wb") as out:
            while data := source.read(MIB):
                out.write(data)
    files = {name: sha256("%s/%s" % (folder, name)) for name in sorted(os.listdir(folder))
             if name != "integrity.json"}
    with open(folder + "/integrity.json", "w") as f:
        json.dump({"algorithm": "sha256", "files": files}, f)


def one_listed(folder, mib):
    os.makedirs(folder)
    safetensors(folder + "/model.safetensors", mib, 1)
    with open(folder + "/SHA256SUMS", "w") as f:
        f.write("%s  model.safetensors\n" % sha256(folder + "/model.safetensors"))


def crc32c_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ 0x82f63b78 if i & 1 else i >> 1
        table.append(i)
    return table


CRC32C = crc32c_table()


def masked(data):
    crc = 0xffffffff
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xff] ^ crc >> 8
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def table_block(entries):
    """A block of a LevelDB table: no shared prefixes, a restart at each entry."""
    body, restarts = b"", []
    for key, value in entries:
        restarts.append(len(body))
        body += varint(0) + varint(len(key)) + varint(len(value)) + key + value
    restarts = restarts or [0]
    return body + b"".join(struct.pack("<I", r) for r in restarts) + struct.pack("<I", len(restarts))


def tf_bundle(prefix, mib):
    """tensor_bundle.cc's files: a data file of 4 MiB tensors, an index that is a LevelDB table."""
    data = block(7, 4 * MIB)
    crc = masked(data)
    n = max(1, mib // 4)
    entries = [(b"", field(1, 1) + field(3, field(1, 1)))]
    for i in range(n):
        entry = field(1, 1) + field(2, field(2, field(1, MIB))) + field(4, i * 4 * MIB) if i else \
            field(1, 1) + field(2, field(2, field(1, MIB)))
        entries.append((b"t%06d" % i, entry + field(5, 4 * MIB) + varint(6 << 3 | 5) + struct.pack("<I", crc)))
    with open(prefix + ".data-00000-of-00001", "wb") as f:
        for _ in range(n):
            f.write(data)
    with open(prefix + ".index", "wb") as f:
        def put(content):
            at = f.tell()
            f.write(content + b"\0" + struct.pack("<I", masked(content + b"\0")))
            return varint(at) + varint(len(content))
        handles = []
        for i in range(0, len(entries), 64):
            handles.append((entries[min(i + 63, len(entries) - 1)][0], put(table_block(entries[i:i + 64]))))
        meta = put(table_block([]))
        footer = meta + put(table_block(handles))
        f.write(footer.ljust(40, b"\0") + struct.pack("<Q", 0xdb4775248b80fb57))


def hdf5(path, mib):
    import h5py
    import numpy
    rows = numpy.random.default_rng(1).standard_normal((256, 1024), dtype="float32")
    with h5py.File(path, "w") as f:
        d = f.create_dataset("model_weights/w", (mib * 256, 1024), "f4", chunks=(256, 1024), fletcher32=True)
        for i in range(0, mib * 256, 256):
            d[i:i + 256] = rows


def names(folder, n):
    """A long run's directory: empty files, the newest three of which are checkpoints."""
    os.makedirs(folder)
    for i in range(n - 3):
        os.close(os.open("%s/checkpoint_step_%09d.pt" % (folder, i), os.O_CREAT | os.O_WRONLY, 0o644))
    for i in range(n - 3, n):
        torch_zip("%s/checkpoint_step_%09d.pt" % (folder, i), 1, 4, i)


MAKERS = {"torch_zip": torch_zip, "many_entries": many_entries, "shards": shards, "one_listed": one_listed, "megatron": megatron,
          "tf_bundle": tf_bundle, "hdf5": hdf5, "names": names}


def crc_self_test():
    assert masked(b"123456789") == ((0xe3069283 >> 15 | 0xe3069283 << 17) + 0xa282ead8) & 0xffffffff


crc_self_test()
