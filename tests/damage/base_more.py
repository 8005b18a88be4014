# SPDX-License-Identifier: GPL-2.0-or-later
"""Compressed checkpoints by the real programs; formats whose writers cannot be had, by the generators of tests/data."""
import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import sys

import boundaries
from base_torch import HERE, script, state
from registry import Absent, fmt, need


def torch_bytes(variant, seed):
    import io
    out = io.BytesIO()
    need("torch").save(state(variant, seed), out)
    return out.getvalue()


def packed(ending, pack, unpack):
    """Registers the container of that ending."""
    def same(a, b):
        with open(a, "rb") as x, open(b, "rb") as y:
            return unpack(x.read()) == unpack(y.read())

    @fmt(ending, boundaries=boundaries.of_words, same=same)
    def write(folder, variant, seed):
        with open("%s/ckpt-3.pt.%s" % (folder, ending), "wb") as f:
            f.write(pack(torch_bytes(variant, seed)))
        return "ckpt-3.pt." + ending


def program(name, *more):
    def run(data):
        if not shutil.which(name):
            raise Absent(name + " is not installed")
        done = subprocess.run([name, "-q", "-c", *more], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode:
            raise ValueError(name)
        return done.stdout
    return run


packed("gz", lambda d: gzip.compress(d, 6, mtime=0), gzip.decompress)
packed("bz2", bz2.compress, bz2.decompress)
packed("xz", lzma.compress, lzma.decompress)
packed("zst", program("zstd", "--check"), program("zstd", "-d"))
packed("lz4", program("lz4", "--content-size"), program("lz4", "-d"))


def generated(folder, name, *arguments):
    done = subprocess.run([sys.executable, "%s/../data/%s" % (HERE, name), *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    if done.returncode == 77:
        raise Absent(name + " has not what it needs")
    done.check_returncode()


@fmt("amrex", bases=("dims=3", "dims=2", "particles"), same=boundaries.same_member)
def amrex(folder, variant, _):
    generated(folder, "make_amrex.py", "chk00040", variant)
    return "chk00040"


@fmt("adios2", bases=("bp4", "bp5", "flush"))
def adios2(folder, variant, _):
    generated(folder, "make_adios.py", *(("bp5", "flush") if variant == "flush" else (variant,)))
    return sorted(os.listdir(folder))[0]


def of_bp3(path):
    """Process groups, the three indices and the footer, as the last 28 bytes tell them."""
    with open(path, "rb") as f:
        data = f.read()
    indices = struct.unpack("<3Q", data[-28:-4])
    at = [indices[0] + 16]
    for _ in range(*struct.unpack_from("<Q", data, indices[0])):
        at.append(at[-1] + 2 + struct.unpack_from("<H", data, at[-1])[0])
    groups = [struct.unpack_from("<Q", data, end - 8)[0] for end in at[1:]] if indices[0] else []
    return groups + list(indices) + at + [len(data) - 56, len(data) - 28, len(data) - 4]


def bp3_saved(folder, variant, seed):
    generated(folder, "make_adios.py", "real", "POSIX", {"small": "50", "large": "900", "odd": "333"}[variant], str(seed))


@fmt("adios-bp3", bases=("small", "large", "odd"), boundaries=of_bp3)
def adios_bp3(folder, variant, seed):
    bp3_saved(folder, variant, seed)
    os.rename(folder + "/run.bp.dir/run.bp.0", folder + "/out.bp")
    os.rmdir(folder + "/run.bp.dir")
    os.remove(folder + "/run.bp")
    return "out.bp"


@fmt("adios-bp3-parts", bases=("small", "large", "odd"), boundaries=of_bp3)
def adios_bp3_parts(folder, variant, seed):
    os.mkdir(folder + "/out")
    bp3_saved(folder + "/out", variant, seed)
    return "out", "out/run.bp"


@fmt("criu", bases=("new", "old", "pages64k"))
def criu(folder, variant, _):
    generated(folder, "make_criu.py", "dump_7", *(() if variant == "new" else (variant,)))
    return "dump_7"


@fmt("tf-v1", bases=("1", "3", "50"), boundaries=boundaries.of_words)
def tf_v1(folder, variant, seed):
    os.chdir(folder)
    argv, sys.argv = sys.argv, ["make_tf_v1.py", folder]
    try:
        made = script("make_tf_v1.py")
    finally:
        sys.argv = argv
    # another save has other numbers in every array of them, not another step alone
    saved = [(name, kind, shape, [(at, [x + seed if isinstance(x, float) else x for x in values]) for at, values in slices])
             for name, kind, shape, slices in made["sample"](4711 + seed)]
    made["write"](folder + "/model.ckpt-4711", saved, int(variant))
    return "model.ckpt-4711"


@fmt("flax", bases=("small", "large", "chunked"), boundaries=boundaries.of_words)
def flax(folder, variant, seed):
    import random
    need("msgpack")
    made, rng = script("make_flax.py"), random.Random("%s %d" % (variant, seed))

    def floats(*shape):
        n = 1
        for d in shape:
            n *= d
        return made["Array"](shape, "float32", struct.pack("<%df" % n, *[rng.random() for _ in range(n)]))
    size = 40 if variant == "large" else 20
    params = {"Dense_%d" % i: {"kernel": floats(size, 60), "bias": floats(60)} for i in range(4)}
    if variant == "chunked":
        params["big"] = made["chunked"]((40, 60), floats(1300), floats(1100))
    made["write"](folder + "/checkpoint_100", {"step": 100 + seed, "params": params, "opt_state": {"0": {"mu": floats(70, 9)}}})
    return "checkpoint_100"
