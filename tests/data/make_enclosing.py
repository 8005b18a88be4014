# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints with the distributed one in a folder of theirs, the files by PyTorch, into the directory argv[1]:

m--val_loss=2.50-step=99 and m--val_loss=2.10-step=199-last: NeMo 2. step9, step10: OLMo-core with two ranks.
"""
import json
import os
import runpy
import sys

try:
    import torch
except ImportError:
    sys.exit(77)

DCP = runpy.run_path(os.path.dirname(os.path.abspath(__file__)) + "/make_dcp.py")


def put(name, what):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    torch.save(what, name)


def text(name, what):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "w") as f:
        f.write(what)


def nemo(name, step):
    DCP["two_ranks"](name + "/weights", step)
    put(name + "/weights/common.pt", {"epoch": 0, "global_step": step, "pytorch-lightning_version": "2.4.0",
                                      "loops": {}, "callbacks": {}, "lr_schedulers": []})
    text(name + "/weights/metadata.json", json.dumps({"sharded_backend": "torch_dist", "sharded_backend_version": 1}))
    text(name + "/context/io.json", "{}")


def olmo(name, step):
    for rank in range(2):
        put("%s/train/rank%d.pt" % (name, rank), {"global_step": step, "epoch": 1, "world_size": 2,
                                                  "rng": torch.get_rng_state()})
    DCP["two_ranks"](name + "/model_and_optim", step)
    text(name + "/config.json", "{}")
    text(name + "/.metadata.json", json.dumps({"ephemeral": False, "version": "2.0.0"}))


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    nemo("m--val_loss=2.50-step=99", 100)
    nemo("m--val_loss=2.10-step=199-last", 200)
    olmo("step9", 9)
    olmo("step10", 10)
