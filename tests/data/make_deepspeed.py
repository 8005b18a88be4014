# SPDX-License-Identifier: GPL-2.0-or-later
"""Tag directories as DeepSpeed's engine leaves them (runtime/engine.py), each file by torch.save(), in argv[1]:

global_step500: ZeRO-1 of 2 x 2 ranks. global_step600: ZeRO-3 of 3 ranks. global_step700: no ZeRO, legacy files.
global_step800: a pipeline with layer files. global_step810: so, two model ranks, each layer that has parameters.
global_step820: experts of two MoE layers, four and two. global_step830: MiCS, eight ranks, a state to each two.
global_step840: a pipeline whose topology has no axis "model".
last.ckpt: as Lightning's strategy keeps one, in a folder that its pointer names.
global_step500_universal: what ds_to_universal.py makes of one.
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
    for m in range(2):
        put("global_step810", "mp_rank_%02d_model_states.pt" % m, model(810, 1, 2))
        put("global_step810", "zero_pp_rank_0_mp_rank_%02d_optim_states.pt" % m, optim(0))
        for layer in (0, 2, 3):
            put("global_step810", "layer_%02d-model_%02d-model_states.pt" % (layer, m), {"w": torch.randn(20)})
        for layer, experts in enumerate((4, 2)):
            for e in range(experts):
                put("global_step820", "layer_%d_expert_%d_mp_rank_%02d_model_states.pt" % (layer, e, m),
                    {"w": torch.randn(20)})
        put("global_step820", "mp_rank_%02d_model_states.pt" % m, model(820, 1, 2, {"state": {}}))
    for d in range(2):
        mics = model(830, 8, 1)
        mics["ds_config"]["zero_optimization"] = {"stage": 3, "mics_shard_size": 2}
        put("global_step830", "zero_pp_rank_%d_mp_rank_00_model_states.pt" % d, mics)
        put("global_step830", "zero_pp_rank_%d_mp_rank_00_optim_states.pt" % d, optim(d))
    for layer in (0, 2):
        put("global_step840", "layer_%02d-model_states.pt" % layer, {"w": torch.randn(20)})
    put("global_step840", "mp_rank_00_model_states.pt", model(840, 1, 1, {"state": {}}))
    put("last.ckpt/checkpoint", "mp_rank_00_model_states.pt", model(900, 2, 1))
    for d in range(2):
        put("last.ckpt/checkpoint", "bf16_zero_pp_rank_%d_mp_rank_00_optim_states.pt" % d, optim(d))
    with open("last.ckpt/latest", "w") as f:
        f.write("checkpoint")
    put("global_step500_universal", "mp_rank_00_model_states.pt", model(500, 4, 1))
    for name in ("lm_head.weight", "wte.weight"):
        for what in ("fp32", "exp_avg", "exp_avg_sq"):
            put("global_step500_universal/zero/" + name, what + ".pt", {"param": torch.randn(30), "cat_dim": 0})
        put("global_step500_universal/zero/" + name, "step.pt", 500)
    put("global_step500_universal/zero", "optimizer_state.pt", {"param_groups": [{"lr": 0.1}]})
    for layer in (0, 2, 3):
        put("global_step800", "layer_%02d-model_00-model_states.pt" % layer, {"w": torch.randn(20)})
