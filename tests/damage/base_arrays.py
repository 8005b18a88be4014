# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays: safetensors (written here as its specification says), NumPy, h5py, Keras' archive around h5py's file."""
import json
import os
import pickle
import struct
import zipfile

import boundaries
from registry import fmt, need


def safetensors_bytes(tensors, metadata=None):
    head, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, kind, shape, data in tensors:
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(t[3] for t in tensors)


def some_tensors(variant, seed, prefix=""):
    import random
    rng = random.Random("%s %d" % (variant, seed))
    kind, size = {"a": ("F32", 4), "b": ("BF16", 2), "c": ("I8", 1)}[variant]
    shapes = [[64, 40], [64], [3, 5, 7], [], [0, 4], [1200]]
    out = []
    for i, shape in enumerate(shapes):
        n = 1
        for d in shape:
            n *= d
        out.append((prefix + "layer.%d.weight" % i, kind, shape, rng.randbytes(n * size)))
    out.append((prefix + "ids", "U8", [9001], rng.randbytes(9001)))
    return out


@fmt("safetensors", boundaries=boundaries.of_safetensors)
def safetensors(folder, variant, seed):
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(safetensors_bytes(some_tensors(variant, seed), {"step": "%d" % (100 + seed)}))
    return "model.safetensors"


def of_shards(path):
    return boundaries.of_safetensors(path) if path.endswith(".safetensors") else []


def sharded(folder, variant, seed):
    count = {"a": 2, "b": 3, "c": 4}[variant]
    where, total = {}, 0
    for i in range(count):
        name = "model-%05d-of-%05d.safetensors" % (i + 1, count)
        tensors = some_tensors(variant, seed * 10 + i, "blocks.%d." % i)
        total += sum(len(t[3]) for t in tensors)
        where.update({t[0]: name for t in tensors})
        with open("%s/%s" % (folder, name), "wb") as f:
            f.write(safetensors_bytes(tensors, {"format": "pt"}))
    with open(folder + "/model.safetensors.index.json", "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, f, indent=2)


@fmt("safetensors-index", boundaries=of_shards, same=boundaries.same_member)
def safetensors_index(folder, variant, seed):
    os.mkdir(folder + "/model")
    sharded(folder + "/model", variant, seed)
    return "model", "model/model.safetensors.index.json"


def array(variant, seed):
    np = need("numpy")
    rand = np.random.RandomState(seed)
    return {"a": rand.rand(60, 50), "b": rand.randint(0, 99, 9000).astype(">i2"),
            "c": np.asfortranarray(rand.rand(40, 30, 5).astype("f4"))}[variant]


@fmt("npy", boundaries=boundaries.of_npy)
def npy(folder, variant, seed):
    need("numpy").save(folder + "/weights_10.npy", array(variant, seed))
    return "weights_10.npy"


@fmt("npz-stored", boundaries=boundaries.of_zip, same=boundaries.same_zip)
def npz(folder, variant, seed):
    need("numpy").savez(folder + "/state_10.npz", w=array(variant, seed), b=array(variant, seed + 1)[:7], step=seed)
    return "state_10.npz"


@fmt("npz-deflated", boundaries=boundaries.of_zip, same=boundaries.same_zip)
def npz_deflated(folder, variant, seed):
    np = need("numpy")
    np.savez_compressed(folder + "/state_10.npz", w=array(variant, seed), b=array(variant, seed + 1)[:7], step=seed)
    return "state_10.npz"


@fmt("pickle")
def pickled(folder, variant, seed):
    """A program's own state, by three protocols; NumPy's arrays among it."""
    values = array(variant, seed)
    state = {"step": 1000 + seed, "weights": values, "rng": ("MT19937", list(range(seed, seed + 200))),
             "raw": values.tobytes(), "log": ["epoch %d: %.3f" % (i, i / 7) for i in range(100)]}
    with open(folder + "/state_10.pkl", "wb") as f:
        pickle.dump(state, f, protocol={"a": 2, "b": 4, "c": 5}[variant])
    return "state_10.pkl"


@fmt("zip", boundaries=boundaries.of_zip, same=boundaries.same_zip)
def sb3(folder, variant, seed):
    """As Stable-Baselines3 does (save_to_zip_file() in common/save_util.py)."""
    with zipfile.ZipFile(folder + "/rl_model_1000_steps.zip", "w") as z:
        z.writestr("data", json.dumps({"num_timesteps": 1000, "seed": seed}))
        for name in ("policy.pth", "policy.optimizer.pth"):
            with z.open(name, "w", force_zip64=True) as f:
                f.write(array(variant, seed).tobytes())
        z.writestr("_stable_baselines3_version", "2.3.0")
    return "rl_model_1000_steps.zip"


def hdf5_file(path, lib, how, variant, seed):
    h5py, np = need("h5py"), need("numpy")
    rand = np.random.RandomState(seed)
    n = {"a": 30, "b": 60, "c": 45}[variant]
    with h5py.File(path, "w", libver=lib) as f:
        f.attrs["epoch"] = 3
        f.attrs["global_step"] = 1000 + seed
        for layer in range(3):
            g = f.create_group("layers/dense_%d" % layer)
            g.create_dataset("kernel", data=rand.rand(n, 20), **how((n, 20)))
            g.create_dataset("bias", data=rand.rand(200).astype("f4"), **how((200,)))
        f.create_dataset("optimizer/m", data=rand.rand(40 * n), **how((40 * n,)))


def plain(_):
    return {}


def summed(shape):
    return {"fletcher32": True, "chunks": tuple((d + 1) // 2 for d in shape)}


@fmt("hdf5-v0", boundaries=boundaries.of_hdf5)
def hdf5_v0(folder, variant, seed):
    hdf5_file(folder + "/model_10.h5", "earliest", plain, variant, seed)
    return "model_10.h5"


@fmt("hdf5-latest", boundaries=boundaries.of_hdf5)
def hdf5_latest(folder, variant, seed):
    hdf5_file(folder + "/model_10.h5", "latest", plain, variant, seed)
    return "model_10.h5"


@fmt("hdf5-fletcher32", boundaries=boundaries.of_hdf5, same=boundaries.same_hdf5)
def hdf5_fletcher32(folder, variant, seed):
    hdf5_file(folder + "/model_10.h5", "latest", summed, variant, seed)
    return "model_10.h5"


@fmt("keras", boundaries=boundaries.of_zip, same=boundaries.same_zip)
def keras(folder, variant, seed):
    inner = folder + "/inner.h5"
    hdf5_file(inner, "earliest", plain, variant, seed)
    with zipfile.ZipFile(folder + "/model_10.keras", "w") as z:
        z.writestr("metadata.json", json.dumps({"keras_version": "3.4.1", "date_saved": "2024-07-01@12:00:00"}))
        z.writestr("config.json", json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": []}}))
        z.write(inner, "model.weights.h5")
    os.remove(inner)
    return "model_10.keras"
