# SPDX-License-Identifier: GPL-2.0-or-later
"""What a job's own machinery leaves: DMTCP, SCR, FTI and Determined by generators; GROMACS' checkpoint with its output
files; tars; PyTorch's oldest and its unsummed archives."""
import hashlib
import io
import json
import os
import pickle
import random
import runpy
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile

import boundaries
from base_hpc import HERE, simulation
from base_torch import state
from registry import Absent, fmt, need, sample


def generator(name):
    if not os.path.exists("%s/../data/%s" % (HERE, name)):
        raise Absent("no " + name)
    return runpy.run_path("%s/../data/%s" % (HERE, name), run_name="bases")


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def dmtcp_area(address, size, data=b"", flags=0x22, properties=0, name=b""):
    """procmapsarea.h: where, where it ends, its size; a page in all."""
    head = struct.pack("<11Q", address, address + size, size, 0, 3, flags, 0, 0, 0, 0, properties) + name
    return head.ljust(4096, b"\0") + data


def dmtcp_image(variant, seed, areas):
    rng = random.Random("%s %d" % (variant, seed))
    head = b"DMTCP_CHECKPOINT_IMAGE_v4.0\n".ljust(100, b"\0") + rng.randbytes(900)
    out = 2 * head.ljust(4096, b"\0")
    for i in range(areas):
        size = 4096 * (1 + i % 3)
        zeros = i % 4 == 3
        out += dmtcp_area(0x400000 + i * 0x10000, size, b"" if zeros else rng.randbytes(size), properties=1 if zeros else 0)
    return out + dmtcp_area(0, 0)[:8] + struct.pack("<QQ", 7, 2**64 - 1) + bytes(4096 - 24)


def of_pages(path):
    return range(0, os.path.getsize(path), 4096)


@fmt("dmtcp", bases=("3", "5", "9"), boundaries=of_pages)
def dmtcp(folder, variant, seed):
    put(folder + "/ckpt_prog_1234-40000-5678.dmtcp", dmtcp_image(variant, seed, int(variant)))
    return "ckpt_prog_1234-40000-5678.dmtcp"


@fmt("dmtcp-script", bases=("1", "2", "3"), boundaries=lambda path: of_pages(path) if path.endswith(".dmtcp") else [])
def dmtcp_script(folder, variant, seed):
    names = ["ckpt_prog_%d-40000-5678.dmtcp" % i for i in range(int(variant))]
    for i, name in enumerate(names):
        put("%s/run/%s" % (folder, name), dmtcp_image("%s %d" % (variant, i), seed, 2 + i))
    text = ("#!/bin/bash\n\nset -m # turn on job control\n\n#This script launches all the restarts in the background.\n"
            "#Suggestions for editing:\n\n" + "usage_str='USAGE: dmtcp_restart_script.sh [OPTIONS]'\n" * 12 +
            "\ngiven_ckpt_files=\" " + " ".join(names) + " \"\n\n" + "# checks of the coordinator\n" * 20 +
            "if [ ! -z \"$given_ckpt_files\" ]; then\n\texec dmtcp_restart $given_ckpt_files\nfi\n")
    put(folder + "/run/dmtcp_restart_script.sh", text.encode())
    return "run", "run/dmtcp_restart_script.sh"


@fmt("scr", bases=("plain", "crc", "levels"), sealed=lambda member: "/ckpt.6/" in member)
def scr(folder, variant, seed):
    made = generator("make_scr.py")
    os.mkdir(folder + "/run")
    os.chdir(folder + "/run")
    # the bytes follow from the number of the dataset alone
    made["data_of"].__globals__["data_of"] = lambda number, rank, length=1000: \
        random.Random("%d %d %d" % (number, rank, seed)).randbytes(length + 900 * rank)
    made["index"](made["dataset"](6, ranks=4 if variant == "levels" else 3, crc=variant != "plain",
                                  levels=2 if variant == "levels" else 1))
    return "run", "run/ckpt.6"


def scr_books(folder, seed, ranks):
    """What SCR keeps of two datasets; their names and sizes are one length, whatever the seed."""
    made = generator("make_scr.py")
    os.mkdir(folder + "/run")
    os.chdir(folder + "/run")
    made["index"](made["dataset"](10 + seed, ranks=ranks), made["dataset"](20 + seed, ranks=ranks))


def of_keys(path):
    """The header, the ends of keys, the sum."""
    with open(path, "rb") as f:
        data = f.read()
    return [4, 6, 8, 16, 20, 24, len(data) - 4] + [i + 1 for i in range(20, len(data) - 4) if data[i] == 0]


@fmt("kvtree", bases=("index", "summary", "ranks", "sample"), boundaries=of_keys)
def kvtree(folder, variant, seed):
    name = folder + "/flush.scr"
    if variant == "sample":
        shutil.copyfile(sample("scr/flush.scr"), name)
        return "flush.scr"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        scr_books(work, seed, 30 if variant == "ranks" else 3)
        base = ".scr/scr.dataset.%d/" % (20 + seed)
        shutil.copyfile({"index": ".scr/index.scr", "summary": base + "summary.scr", "ranks": base + "rank2file.0.0"}[variant], name)
        os.chdir(folder)
    return "flush.scr"


@fmt("determined", bases=("a", "b", "c"), same=boundaries.same_member,
     boundaries=lambda path: boundaries.of_zip(path) if path.endswith(".pth") else [])
def determined(folder, variant, seed):
    torch = need("torch")
    whole = state(variant, seed)
    uuid = "1b1a8c10-8a0d-4f4e-9a51-5c6d7e8f9a0b"
    os.mkdir("%s/%s" % (folder, uuid))
    torch.save({"models_state_dict": [whole["model_state_dict"]], "optimizers_state_dict": [whole["optimizer_state_dict"]],
                "rng_state": {"cpu_rng_state": whole["rng"]}}, "%s/%s/state_dict.pth" % (folder, uuid))
    put("%s/%s/load_data.json" % (folder, uuid), json.dumps({"trial_type": "PyTorchTrial", "trial_id": 1, "seed": seed}).encode())
    put("%s/%s/metadata.json" % (folder, uuid), json.dumps({"steps_completed": 100 + seed, "trial_id": 1, "framework": "torch"}).encode())
    return uuid


@fmt("folder", bases=("a", "b", "c"), members=lambda name: "mine_7/" in name, same=boundaries.same_member,
     boundaries=lambda path: boundaries.of_zip(path) if path.endswith((".pth", ".npz")) else [])
def of_no_known_layout(folder, variant, seed):
    """As LitGPT and torchtune have them, and the one before."""
    torch, numpy = need("torch"), need("numpy")
    for name, own in (("mine_6", 100 + seed), ("mine_7", seed)):
        whole, at = state(variant, own), "%s/run/%s" % (folder, name)
        os.makedirs(at + "/recipe")
        torch.save(whole["model_state_dict"], at + "/lit_model.pth")
        torch.save(whole["optimizer_state_dict"], at + "/recipe/recipe_state.pth")
        numpy.savez(at + "/history.npz", loss=numpy.random.default_rng(own).random(700))
        put(at + "/model_config.yaml", b"name: pythia-14m\nseed: %d\n" % own * 40)
    return "run", "run/mine_7"


def saved_part(checkpoint, data):
    """As much of an output file as the checkpoint has the sum of, which mdrun cuts it to: MD5, a number each byte."""
    at, run = None, hashlib.md5()
    for i in range(len(data) + 1):
        if struct.pack(">16I", *run.copy().digest()) in checkpoint:
            at = i
        run.update(data[i:i + 1])
    if at is None:
        raise Absent("no sum of an output file")
    return data[:at]


def begins_with(a, b):
    """What lies behind the saved place, mdrun cuts off."""
    with open(a, "rb") as x, open(b, "rb") as y:
        return y.read().startswith(x.read())


@fmt("gromacs-outputs", bases=("1", "2", "3"), members=lambda name: not name.endswith(".cpt"), sealed=lambda member: False,
     same=begins_with)
def gromacs_outputs(folder, variant, seed):
    run = simulation("gromacs", seed * 3 + int(variant))
    with open(run + "/run.cpt", "rb") as f:
        checkpoint = f.read()
    put(folder + "/run/run.cpt", checkpoint)
    for name in ("run.log", "run.edr", "run.xtc"):
        with open("%s/%s" % (run, name), "rb") as f:
            put("%s/run/%s" % (folder, name), saved_part(checkpoint, f.read()))
    return "run", "run/run.cpt"


def of_tar(path):
    at = []
    with tarfile.open(path) as t:
        for m in t:
            at += [m.offset, m.offset_data, m.offset_data + m.size]
    return at


def same_tar(a, b):
    with tarfile.open(a) as x, tarfile.open(b) as y:
        mine, theirs = x.getmembers(), y.getmembers()
        return [m.name for m in mine] == [m.name for m in theirs] and all(
            not m.isfile() or x.extractfile(m).read() == y.extractfile(n).read() for m, n in zip(mine, theirs))


@fmt("tar", boundaries=of_tar, same=same_tar)
def tar(folder, variant, seed):
    os.mkdir(folder + "/ckpt-3")
    whole = state(variant, seed)
    need("torch").save(whole["model_state_dict"], folder + "/ckpt-3/model.pt")
    need("torch").save(whole["optimizer_state_dict"], folder + "/ckpt-3/optim.pt")
    put(folder + "/ckpt-3/notes.txt", b"step 100\n" * 40)
    how = {"a": "ustar", "b": "gnu", "c": "posix"}[variant]
    subprocess.run(["tar", "--format=" + how, "-C", folder, "--mtime=@1700000000", "-cf", folder + "/ckpt-3.tar", "ckpt-3"], check=True)
    for name in os.listdir(folder + "/ckpt-3"):
        os.remove(folder + "/ckpt-3/" + name)
    os.rmdir(folder + "/ckpt-3")
    return "ckpt-3.tar"


def oldest(tensors):
    """torch.save() before magic numbers, as _load()'s legacy_load() reads it: storages, tensors, the pickle."""
    import torch
    storages, views = [], []
    for i, (name, t) in enumerate(tensors.items()):
        storages.append((str(i), t))
        views.append((name, 1000 + i, t))

    def dump(value):
        return pickle.dumps(value, protocol=2)
    out = dump(len(storages))
    for key, t in storages:
        out += dump((key, "cpu", torch.FloatStorage)) + struct.pack("<q", t.numel()) + t.numpy().tobytes()
    out += dump([])
    heads = dump(len(views))
    for i, (_, key, t) in enumerate(views):
        heads += dump((key, str(i), torch.FloatTensor)) + struct.pack("<i4x", t.dim())
        heads += struct.pack("<%dq" % t.dim(), *t.shape) + struct.pack("<%dq" % t.dim(), *t.stride()) + struct.pack("<q", 0)

    class Ref:
        def __init__(self, key):
            self.key = key

    class Pickler(pickle._Pickler):
        def persistent_id(self, obj):
            return str(obj.key) if isinstance(obj, Ref) else None
    body = io.BytesIO()
    Pickler(body, protocol=2).dump({"epoch": 3, "model": {name: Ref(key) for name, key, _ in views}})
    return {"sys_info": dump({"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}),
            "pickle": body.getvalue(), "storages": out, "tensors": heads}


@fmt("torch-tar", boundaries=of_tar, same=same_tar)
def torch_tar(folder, variant, seed):
    torch = need("torch")
    torch.manual_seed(seed)
    n = {"a": 30, "b": 60, "c": 10}[variant]
    parts = oldest({"w": torch.randn(n, 40), "b": torch.randn(n), "m": torch.randn(7, n, 5)})
    with tarfile.open(folder + "/ckpt-3.pt", "w", format=tarfile.PAX_FORMAT) as t:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1500000000
            t.addfile(info, io.BytesIO(data))
    return "ckpt-3.pt"


def unsummed(data):
    """The archive as torch.serialization.set_crc32_options(False) leaves it: all members have one and the same sum."""
    out = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        for i in z.infolist():
            out[i.header_offset + 14:i.header_offset + 18] = bytes(4)
            n, extra = struct.unpack("<HH", data[i.header_offset + 26:i.header_offset + 30])
            end = i.header_offset + 30 + n + extra + i.compress_size
            if data[end:end + 4] == b"PK\7\10":
                out[end + 4:end + 8] = bytes(4)
        at = z.start_dir
        while data[at:at + 4] == b"PK\1\2":
            out[at + 16:at + 20] = bytes(4)
            at += 46 + sum(struct.unpack("<HHH", data[at + 28:at + 34]))
    return bytes(out)


@fmt("torch-zip-unsummed", boundaries=boundaries.of_zip)
def torch_zip_unsummed(folder, variant, seed):
    raw = io.BytesIO()
    need("torch").save(state(variant, seed), raw)
    put(folder + "/ckpt-3.pt", unsummed(raw.getvalue()))
    return "ckpt-3.pt"
