# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints by their own writers, and where in them each tensor lies: found by its bytes, not by any index.

make_names.py KIND: h5py (h5 and what Keras makes of it), torch (a zip), dcp, orbax. Each line of the file "oracle" in
the current directory is CHECKPOINT, FILE, OFFSET, LENGTH, NAME with tabs between.
"""
import os
import runpy
import struct
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
LINES = []


def find(checkpoint, file, data, name):
    path = os.path.join(checkpoint, file) if os.path.isdir(checkpoint) else file
    with open(path, "rb") as f:
        whole = f.read()
    assert whole.count(data) == 1, (name, whole.count(data))
    LINES.append((checkpoint, file, whole.index(data), len(data), name))


def floats(value, n):
    return struct.pack("<%df" % n, *(value + i / 1024 for i in range(n)))


def by_h5py():
    import h5py
    import numpy as np

    def array(value, n):
        return np.frombuffer(floats(value, n), "<f4")

    for lib in ("earliest", "latest"):
        name = "model_1.%s.h5" % lib
        with h5py.File(name, "w", libver=lib) as f:
            f["layers/dense/vars/0"] = array(1, 5000)
            f["layers/dense/vars/1"] = array(100, 50)
            f.create_dataset("layers/chunked", data=array(200, 4000), chunks=(1000,))
            f.create_dataset("layers/grows", data=array(300, 900), chunks=(300,), maxshape=(None,))
        for data, tensor in ((floats(1, 5000), "layers/dense/vars/0"), (floats(100, 50), "layers/dense/vars/1"),
                             (floats(200, 4000)[4000:8000], "layers/chunked"), (floats(300, 900)[2400:], "layers/grows")):
            find(name, name, data, tensor)
        LINES.append((name, name, 0, 8, "its metadata"))
    with zipfile.ZipFile("model.keras", "w") as z:
        z.writestr("metadata.json", '{"keras_version": "3.0.0", "date_saved": ""}')
        z.writestr("config.json", '{"module": "keras"}')
        z.write("model_1.latest.h5", "model.weights.h5")
    find("model.keras", "model.keras", floats(100, 50), "layers/dense/vars/1")
    find("model.keras", "model.keras", b'{"module": "keras"}', "config.json")


def by_torch():
    import torch

    def tensor(value):
        return torch.frombuffer(bytearray(floats(value, 300)), dtype=torch.float32)

    state = {"epoch": 3, "model": {"layer.%d.weight" % i: tensor(10 * i) for i in range(4)},
             "optimizer": {"state": {i: {"exp_avg": tensor(1000 + 10 * i), "step": 7} for i in range(2)},
                           "param_groups": []}}
    torch.save(state, "epoch_3.pt")
    for i in range(4):
        find("epoch_3.pt", "epoch_3.pt", floats(10 * i, 300), "model/layer.%d.weight" % i)
    for i in range(2):
        find("epoch_3.pt", "epoch_3.pt", floats(1000 + 10 * i, 300), "optimizer/state/%d/exp_avg" % i)


def by_dcp():
    made = runpy.run_path(HERE + "/make_dcp.py")
    torch = made["torch"]
    state = {"model.%d.%s" % (i, what): torch.frombuffer(bytearray(floats(value + 10 * i, 200)), dtype=torch.float32)
             for i in range(100) for value, what in ((0, "weight"), (2000, "bias"))}
    for name, single in (("step-100", True), ("step-200", False)):
        made["save"](name, state, single)
        for i in range(100):
            for value, what in ((0, "weight"), (2000, "bias")):
                data = floats(value + 10 * i, 200)
                file, = (f for f in sorted(os.listdir(name)) if data in open(os.path.join(name, f), "rb").read())
                find(name, file, data, "model.%d.%s" % (i, what))


def by_orbax():
    sys.argv = ["make_orbax.py"]
    made = runpy.run_path(HERE + "/make_orbax.py", run_name="__main__")
    os.mkdir("steps")
    os.rename("tree-raw", "steps/default")
    os.rename("dir-raw", "folders")
    os.rename("tree3-crc", "three")
    for i in range(4):
        own = "default/ocdbt.process_%d/d/" % (i % 2) + ("%x" % (i % 2 + 1)) * 32
        find("steps", own, made["pattern"](4000, i), "big")
        find("folders", "a/%d.%d" % (i // 2, i % 2), made["pattern"](4000, i), "a")
    find("three", "d/" + "1" * 32, made["plain3"](1), "w")


if __name__ == "__main__":
    {"h5py": by_h5py, "torch": by_torch, "dcp": by_dcp, "orbax": by_orbax}[sys.argv[1]]()
    with open("oracle", "w") as f:
        f.writelines("%s\t%s\t%d\t%d\t%s\n" % line for line in LINES)
