# SPDX-License-Identifier: GPL-2.0-or-later
"""Megatron-LM's iteration directories (training/checkpointing.py), the files by torch.save(), in argv[1]:

iter_0000100: legacy, tensor-parallel 2. iter_0000200: legacy, 2 x 2 with the pipeline, optimizers apart.
iter_0000210: before core, the distributed optimizer in folders of its own: 2 x 2 data-parallel. iter_0000220: so, with
the pipeline. iter_0000230: so, without its optimizer.
iter_0000250: experts without a pipeline, the first one's folder with the optimizer of all.
iter_0000300: distributed, common.pt beside. iter_0000400: the same with integrity.json.
"""
import argparse
import hashlib
import json
import os
import runpy
import sys

try:
    import torch
except ImportError:
    sys.exit(77)


def rank(step, tp, pp, ep=1):
    args = argparse.Namespace(tensor_model_parallel_size=tp, pipeline_model_parallel_size=pp,
                              expert_model_parallel_size=ep, lr=1e-4)
    return {"args": args, "checkpoint_version": 3.0, "iteration": step, "model": {"w": torch.randn(40, 30)},
            "optimizer": {"state": {}}, "opt_param_scheduler": {"num_steps": step}, "rng_state": []}


def put(folder, name, what):
    os.makedirs(folder, exist_ok=True)
    torch.save(what, "%s/%s" % (folder, name))


def apart(step, tp, pp, dp, optimizer=True):
    args = argparse.Namespace(tensor_model_parallel_size=tp, pipeline_model_parallel_size=pp, data_parallel_size=dp,
                              use_distributed_optimizer=True, lr=1e-4)
    model = {"args": args, "checkpoint_version": 3.0, "iteration": step, "model": {"w": torch.randn(40, 30)}}
    for t in range(tp):
        for p in range(pp):
            folder = "iter_%07d/mp_rank_%02d" % (step, t) + ("_%03d" % p if pp > 1 else "")
            put(folder, "model_rng.pt", model)
            for d in range(dp * optimizer):
                put("%s_%03d" % (folder, d), "optim.pt", {"optimizer": {"shard": torch.randn(90)},
                                                          "opt_param_scheduler": {"num_steps": 8 * step}})


def distributed(folder, source):
    os.rename(source, folder)
    put(folder, "common.pt", {"iteration": int(folder[5:]), "args": argparse.Namespace(lr=1), "checkpoint_version": 3})
    with open(folder + "/metadata.json", "w") as f:
        json.dump({"sharded_backend": "torch_dist", "sharded_backend_version": 1, "common_backend": "torch"}, f)


def integrity(folder):
    digests = {}
    for name in sorted(os.listdir(folder)):
        with open("%s/%s" % (folder, name), "rb") as f:
            digests[name] = hashlib.sha256(f.read()).hexdigest()
    with open(folder + "/integrity.json", "w") as f:
        json.dump({"algorithm": "sha256", "files": digests}, f)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    os.chdir(sys.argv[1])
    torch.manual_seed(6)
    apart(210, 2, 1, 2)
    apart(220, 1, 2, 2)
    apart(230, 2, 1, 2, optimizer=False)
    for t in range(2):
        put("iter_0000100/mp_rank_%02d" % t, "model_optim_rng.pt", rank(100, 2, 1))
        for p in range(2):
            put("iter_0000200/mp_rank_%02d_%03d" % (t, p), "model_optim_rng.pt", rank(200, 2, 2))
            put("iter_0000200/mp_rank_%02d_%03d" % (t, p), "distrib_optim.pt", {"buffers": torch.randn(200)})
        for e in range(3):
            put("iter_0000250/mp_rank_%02d_%03d" % (t, e), "model_optim_rng.pt", rank(250, 2, 1, 3))
        put("iter_0000250/mp_rank_%02d_000" % t, "distrib_optim.pt", {"buffers": torch.randn(200)})
    sys.argv = ["make_dcp.py", "."]
    runpy.run_path(here + "/make_dcp.py", run_name="__main__")
    distributed("iter_0000300", "step-200")
    distributed("iter_0000400", "many")
    integrity("iter_0000400")
