# SPDX-License-Identifier: GPL-2.0-or-later
"""Distributed checkpoints written by PyTorch's own writer, into the directory argv[1]:

many: one file an item. step-100: one file a rank, one rank. step-200: the same state as two ranks leave it (two
saves whose metadata are put together, as the coordinator does). raw: BYTE items beside tensors.
"""
import dataclasses
import os
import pickle
import sys

_dataclass = dataclasses.dataclass


def _hashable(cls=None, **kw):
    """PyTorch before 2.1 has defaults that Python 3.11's dataclasses refuse for want of a hash."""
    def wrap(c):
        if c.__dict__.get("__hash__") is None and not kw.get("frozen"):
            return _dataclass(c, **{**kw, "unsafe_hash": True})
        return _dataclass(c, **kw)
    return wrap if cls is None else wrap(cls)


dataclasses.dataclass = _hashable
try:
    import torch
except ImportError:
    sys.exit(77)
try:
    import torch.distributed.checkpoint as dcp
except ImportError:
    import torch.distributed._shard.checkpoint as dcp


def state(seed):
    torch.manual_seed(seed)
    return {"model.w": torch.randn(100, 30), "model.b": torch.randn(30), "optim.w.exp_avg": torch.randn(100, 30),
            "step": torch.tensor(seed), "extra": {"epoch": 3}}


def save(path, what, single):
    os.makedirs(path)
    dcp.save_state_dict(what, dcp.FileSystemWriter(path, single_file_per_rank=single), no_dist=True)


def load(path):
    with open(path + "/.metadata", "rb") as f:
        return pickle.load(f)


def two_ranks(path, seed):
    save(path, {"rank0." + k: v for k, v in state(seed).items()}, True)
    save(path + ".1", {"rank1." + k: v for k, v in state(seed + 1).items()}, True)
    a, b = load(path), load(path + ".1")
    for info in b.storage_data.values():
        os.path.exists(path + "/__1_0.distcp") or os.rename(path + ".1/" + info.relative_path, path + "/__1_0.distcp")
        info.relative_path = "__1_0.distcp"
    a.state_dict_metadata.update(b.state_dict_metadata)
    a.storage_data.update(b.storage_data)
    with open(path + "/.metadata", "wb") as f:
        pickle.dump(a, f)
    os.remove(path + ".1/.metadata")
    os.rmdir(path + ".1")


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    save("many", state(1), False)
    save("step-100", state(2), True)
    two_ranks("step-200", 3)
