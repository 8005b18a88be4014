# SPDX-License-Identifier: GPL-2.0-or-later
"""The formats' own libraries, or their specifications read once more in Python: a damaged file that these refuse could
have been found, whatever expect.py says of its format. Each takes a path and raises where it refuses."""
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess

SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
         "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}


class Refused(Exception):
    """The file is none of its format."""


def unique(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Refused("a key twice")
    return out


def safetensors(path):
    """As its README says: the tensors lie one behind the other without a gap, to the end of the file."""
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        text = f.read(n)
    if len(text) < n or text[:1] != b"{":
        raise Refused("header")
    entries = json.loads(text.decode(), object_pairs_hook=unique)
    if any(not isinstance(v, str) for v in entries.pop("__metadata__", {}).values()):
        raise Refused("metadata")
    at = 0
    for e in sorted(entries.values(), key=lambda e: e["data_offsets"]):
        begin, end = e["data_offsets"]
        count = SIZES[e["dtype"]]
        for d in e["shape"]:
            count *= d
        if begin != at or end - begin != count:
            raise Refused("offsets")
        at = end
    if 8 + n + at != size:
        raise Refused("size")


def index(path):
    """The map of tensors to shards, and each shard with just its tensors."""
    with open(path, encoding="utf-8") as f:
        where = json.load(f)["weight_map"]
    folder = os.path.dirname(path)
    for name in set(where.values()):
        safetensors(os.path.join(folder, name))
        with open(os.path.join(folder, name), "rb") as f:
            entries = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        if any(t not in entries for t, n in where.items() if n == name):
            raise Refused("a tensor is not in its shard")


def npy(path):
    import numpy
    with open(path, "rb") as f:
        array = numpy.load(f, allow_pickle=False)
        if f.read(1) and array.size:
            raise Refused("bytes behind the array")


def hdf5(path):
    import h5py
    with h5py.File(path, "r") as f:
        f.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)


def torch_file(path):
    import torch
    torch.load(path)


def flax(path):
    import msgpack
    with open(path, "rb") as f:
        msgpack.unpackb(f.read(), strict_map_key=False)


def pickled(path):
    """Of dcp: as torch.distributed.checkpoint reads it, if this torch has it."""
    import pickle
    with open(path, "rb") as f:
        pickle.load(f)


def of_json(path):
    with open(path, encoding="utf-8") as f:
        json.load(f)


def members(path):
    """Every file of a directory by its name."""
    ways = ((".json", of_json), (".safetensors", safetensors), (".metadata", pickled), ((".pt", ".pth", ".bin", ".pkl"), torch_file))
    for at, _, names in os.walk(path):
        for name in names:
            for ending, way in ways:
                if name.endswith(ending):
                    way(os.path.join(at, name))


def program(*command):
    """A program of the format's own that reads the file named last."""
    def read(path):
        if not shutil.which(command[0]):
            return
        done = subprocess.run([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=20, env=dict(os.environ, OMP_NUM_THREADS="1"), check=False)
        if done.returncode:
            raise Refused(command[0])
    return read


gromacs = program("gmx", "-quiet", "dump", "-cp")


def lammps(path):
    if not shutil.which("lmp"):
        return
    # MPI's processes do not go with the first one: a session of their own, ended as a whole
    with subprocess.Popen(["lmp", "-log", "none", "-screen", "none"], stdin=subprocess.PIPE, text=True, cwd="/",
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as lmp:
        try:
            lmp.communicate("read_restart %s\n" % path, timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(lmp.pid, signal.SIGKILL)
    if lmp.returncode:
        raise Refused("lmp")


def criu(path):
    decode = program("crit", "decode", "-i")
    for name in sorted(os.listdir(path)):
        if name.endswith(".img") and not name.startswith(("pages-", "iptables")):
            decode(os.path.join(path, name))


OF = {"safetensors": safetensors, "safetensors-index": index, "npy": npy, "hdf5-v0": hdf5, "hdf5-latest": hdf5,
      "torch-legacy": torch_file, "torch-tar": torch_file, "torch-zip-unsummed": torch_file, "flax": flax, "dcp": members,
      "deepspeed": members, "megatron": members, "hf-trainer": members, "accelerate": members, "determined": members,
      "gromacs": gromacs, "lammps": lammps, "criu": criu}

# Started anew for each file: asked about so many a row only.
SLOW = {"gromacs": 3, "lammps": 3, "criu": 1}
