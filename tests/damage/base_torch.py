# SPDX-License-Identifier: GPL-2.0-or-later
"""PyTorch: written by torch.save(), torch.jit and torch.distributed.checkpoint of this machine."""
import json
import os
import runpy

import boundaries
from registry import fmt, need

HERE = os.path.dirname(os.path.abspath(__file__))


def state(variant, seed):
    """Three sorts of training state of 20 to 60 KB."""
    torch = need("torch")
    torch.manual_seed(seed)
    width = {"a": 24, "b": 40, "c": 12}[variant]
    model = torch.nn.Sequential(torch.nn.Linear(width, 32), torch.nn.BatchNorm1d(32), torch.nn.Linear(32, 16))
    optim = torch.optim.Adam(model.parameters()) if variant != "c" else torch.optim.SGD(model.parameters(), 0.1, 0.9)
    model(torch.randn(8, width)).sum().backward()
    optim.step()
    out = {"epoch": 3, "global_step": 1000 + seed, "model_state_dict": model.state_dict(),
           "optimizer_state_dict": optim.state_dict(), "rng": torch.get_rng_state(), "config": {"lr": 0.1}}
    if variant == "b":
        out.update({"pytorch-lightning_version": "2.1.0", "half": torch.randn(500).half(),
                    "ints": torch.randint(0, 99, (300,))})
    return out


def same_torch(a, b):
    import torch
    if not boundaries.same_zip(a, b):
        return False
    return repr(torch.load(a)) == repr(torch.load(b))


@fmt("torch-zip", boundaries=boundaries.of_zip, same=same_torch)
def torch_zip(folder, variant, seed):
    need("torch").save(state(variant, seed), folder + "/ckpt-3.pt")
    return "ckpt-3.pt"


@fmt("torch-legacy", boundaries=boundaries.of_words)
def torch_legacy(folder, variant, seed):
    need("torch").save(state(variant, seed), folder + "/ckpt-3.pt", _use_new_zipfile_serialization=False)
    return "ckpt-3.pt"


@fmt("torchscript", boundaries=boundaries.of_zip, same=boundaries.same_zip)
def torchscript(folder, variant, seed):
    torch = need("torch")
    torch.manual_seed(seed)
    n = {"a": 60, "b": 90, "c": 30}[variant]
    net = torch.nn.Sequential(torch.nn.Linear(n, 40), torch.nn.ReLU(), torch.nn.Linear(40, 30))
    torch.jit.script(net).save(folder + "/model.pt")
    return "model.pt"


def script(name):
    return runpy.run_path("%s/../data/%s" % (HERE, name), run_name="bases")


def zips(path):
    return boundaries.of_zip(path) if path.endswith((".pt", ".pth", ".bin", ".pkl")) else []


@fmt("dcp", same=boundaries.same_member)
def dcp(folder, variant, seed):
    need("torch")
    made = script("make_dcp.py")
    path = folder + "/step-100"
    if variant == "a":
        made["save"](path, made["state"](seed), True)
    elif variant == "b":
        made["save"](path, made["state"](seed), False)
    else:
        made["two_ranks"](path, seed)
    return "step-100"


def state_of(made, path, variant, seed):
    if variant == "c":
        made["two_ranks"](path, seed)
    else:
        made["save"](path, made["state"](seed), variant == "a")


@fmt("nemo", boundaries=zips, same=boundaries.same_member)
def nemo(folder, variant, seed):
    need("torch")
    made = script("make_enclosing.py")
    path = folder + "/m--val_loss=2.50-step=99"
    state_of(made["DCP"], path + "/weights", variant, seed)
    made["put"](path + "/weights/common.pt", {"epoch": 0, "global_step": 100, "pytorch-lightning_version": "2.4.0", "loops": {},
                                              "seed": seed})
    made["text"](path + "/weights/metadata.json", json.dumps({"sharded_backend": "torch_dist", "sharded_backend_version": 1}))
    made["text"](path + "/context/io.json", json.dumps({"seed": seed}))
    return "m--val_loss=2.50-step=99"


@fmt("olmo", boundaries=zips, same=boundaries.same_member)
def olmo(folder, variant, seed):
    torch = need("torch")
    made = script("make_enclosing.py")
    path = folder + "/step10"
    state_of(made["DCP"], path + "/model_and_optim", variant, seed)
    torch.manual_seed(seed)
    for rank in range(2):
        made["put"]("%s/train/rank%d.pt" % (path, rank), {"global_step": 10, "epoch": 1, "world_size": 2, "rng": torch.randn(900)})
    made["text"](path + "/config.json", json.dumps({"seed": seed}))
    made["text"](path + "/.metadata.json", json.dumps({"ephemeral": False, "version": "2.0.0"}))
    return "step10"


@fmt("deepspeed", bases=("500", "600", "800"), boundaries=zips, same=boundaries.same_member)
def deepspeed(folder, variant, seed):
    torch = need("torch")
    made = script("make_deepspeed.py")
    os.chdir(folder)
    torch.manual_seed(seed)
    tag = "global_step" + variant
    if variant == "600":
        for d in range(3):
            made["put"](tag, "zero_pp_rank_%d_mp_rank_00_model_states.pt" % d, made["model"](600, 3, 1))
            made["put"](tag, "zero_pp_rank_%d_mp_rank_00_optim_states.pt" % d, made["optim"](d))
        return tag
    ranks = 2 if variant == "500" else 1
    for m in range(ranks):
        made["put"](tag, "mp_rank_%02d_model_states.pt" % m, made["model"](int(variant), ranks, ranks))
        for d in range(ranks):
            made["put"](tag, "bf16_zero_pp_rank_%d_mp_rank_%02d_optim_states.pt" % (d, m), made["optim"](d))
    for layer in (0, 1, 2) if variant == "800" else ():
        made["put"](tag, "layer_%02d-model_00-model_states.pt" % layer, {"w": torch.randn(2000)})
    return tag


@fmt("megatron", bases=("1x1", "2x1", "2x2"), boundaries=zips, same=boundaries.same_member)
def megatron(folder, variant, seed):
    torch = need("torch")
    made = script("make_megatron.py")
    os.chdir(folder)
    torch.manual_seed(seed)
    tp, pp = int(variant[0]), int(variant[2])
    for t in range(tp):
        for p in range(pp):
            rank = "iter_0000100/mp_rank_%02d" % t + ("_%03d" % p if pp > 1 else "")
            made["put"](rank, "model_optim_rng.pt", made["rank"](100, tp, pp))
            made["put"](rank, "distrib_optim.pt", {"buffers": torch.randn(2000)})
    return "iter_0000100"


@fmt("megatron-integrity", same=boundaries.same_member)
def megatron_integrity(folder, variant, seed):
    need("torch")
    made = script("make_megatron.py")
    os.chdir(folder)
    saved = script("make_dcp.py")
    if variant == "c":
        saved["two_ranks"]("made", seed)
    else:
        saved["save"]("made", saved["state"](seed), variant == "a")
    made["distributed"]("iter_0000300", "made")
    made["integrity"]("iter_0000300")
    return "iter_0000300"
