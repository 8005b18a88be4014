# SPDX-License-Identifier: GPL-2.0-or-later
"""Directories of several files: Hugging Face Trainer, accelerate, Orbax' samples."""
import json
import os
import shutil

import boundaries
from base_arrays import safetensors_bytes, sharded, some_tensors
from base_torch import state
from registry import fmt, need, sample


def of_files(path):
    if path.endswith(".safetensors"):
        return boundaries.of_safetensors(path)
    return boundaries.of_zip(path) if path.endswith((".pt", ".pth", ".bin", ".pkl")) else []


def weights(folder, variant, seed):
    if variant == "a":
        with open(folder + "/model.safetensors", "wb") as f:
            f.write(safetensors_bytes(some_tensors(variant, seed), {"format": "pt"}))
    elif variant == "b":
        sharded(folder, variant, seed)
    else:
        need("torch").save(state(variant, seed)["model_state_dict"], folder + "/pytorch_model.bin")


@fmt("hf-trainer", boundaries=of_files, same=boundaries.same_member)
def hf_trainer(folder, variant, seed):
    torch = need("torch")
    folder += "/checkpoint-500"
    os.mkdir(folder)
    weights(folder, variant, seed)
    whole = state(variant, seed)
    torch.save(whole["optimizer_state_dict"], folder + "/optimizer.pt")
    torch.save({"last_epoch": 500, "_step_count": 501, "base_lrs": [0.1]}, folder + "/scheduler.pt")
    torch.save({"python": (3, (1, 2, 3), None), "cpu": whole["rng"]}, folder + "/rng_state.pth")
    torch.save({"output_dir": "out", "seed": seed}, folder + "/training_args.bin")
    log = [{"epoch": i / 10, "learning_rate": 5e-5, "loss": 2.0 / (i + seed), "step": i * 50} for i in range(1, 11)]
    with open(folder + "/trainer_state.json", "w") as f:
        json.dump({"best_metric": None, "best_model_checkpoint": None, "epoch": 1.0, "global_step": 500,
                   "is_world_process_zero": True, "log_history": log, "max_steps": 1000}, f, indent=2)
    return "checkpoint-500"


@fmt("accelerate", boundaries=of_files, same=boundaries.same_member)
def accelerate(folder, variant, seed):
    torch = need("torch")
    folder += "/checkpoint_2"
    os.mkdir(folder)
    weights(folder, variant, seed)
    whole = state(variant, seed)
    torch.save(whole["optimizer_state_dict"], folder + "/optimizer.bin")
    torch.save({"last_epoch": 500, "base_lrs": [0.1]}, folder + "/scheduler.bin")
    for rank in range(2):
        torch.save({"step": 7, "random_state": (3, (1, 2), None), "torch_manual_seed": whole["rng"]},
                   folder + "/random_states_%d.pkl" % rank)
    return "checkpoint_2"


KEPT = "orbax/v0_checkpoints/direct_checkpoint/non_critical_metadata_alterations/"


@fmt("orbax", bases=("missing_custom_metadata_metadata", "missing_metrics_metadata", "missing_init_timestamp_nsecs_metadata"))
def orbax(folder, variant, _):
    shutil.copytree(sample(KEPT + variant), folder + "/100", copy_function=shutil.copyfile)
    return "100"
