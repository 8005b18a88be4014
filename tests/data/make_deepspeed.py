# SPDX-License-Identifier: GPL-2.0-or-later
"""Tag directories as DeepSpeed's engine leaves them (runtime/engine.py), each file by torch.save(), in argv[1]:

global_step500: ZeRO-1 of 2 x 2 ranks. global_step600: ZeRO-3 of 3 ranks. global_step700: no ZeRO, legacy files.
global_step800: a pipeline with layer files.
"""
import os
import sys

try:
    import torch
except ImportError:
    sys.exit(77)


def model(step, dp, mp, optimizer=None):
    return {"module": {"w": torch.randn(40, 30)}, "optimizer": optimizer, "lr_scheduler": {"last_epoch": step},
            "skipped_steps": 0, "global_steps": step, "global_samples": step * 8, "dp_world_size": dp,
            "mp_world_size": mp, "ds_config": {"train_batch_size": 8}, "ds_version": "0.14.4"}


def optim(rank):
    return {"optimizer_state_dict": {"fp32": torch.randn(300), "partition": rank}, "ds_version": "0.14.4"}


def put(tag, name, what, **kw):
    os.makedirs(tag, exist_ok=True)
    torch.save(what, "%s/%s" % (tag, name), **kw)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    torch.manual_seed(5)
    for m in range(2):
        put("global_step500", "mp_rank_%02d_model_states.pt" % m, model(500, 2, 2))
        for d in range(2):
            put("global_step500", "bf16_zero_pp_rank_%d_mp_rank_%02d_optim_states.pt" % (d, m), optim(d))
    for d in range(3):
        put("global_step600", "zero_pp_rank_%d_mp_rank_00_model_states.pt" % d, model(600, 3, 1))
        put("global_step600", "zero_pp_rank_%d_mp_rank_00_optim_states.pt" % d, optim(d))
    put("global_step700", "mp_rank_00_model_states.pt", model(700, 1, 1, {"state": {}}),
        _use_new_zipfile_serialization=False)
    put("global_step800", "mp_rank_00_model_states.pt", model(800, 1, 1))
    put("global_step800", "zero_pp_rank_0_mp_rank_00_optim_states.pt", optim(0))
    for layer in (0, 2, 3):
        put("global_step800", "layer_%02d-model_00-model_states.pt" % layer, {"w": torch.randn(20)})
