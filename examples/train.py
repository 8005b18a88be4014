#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary PyTorch training: a small classifier, a checkpoint after every epoch.

All it knows of preemption are two environment variables: CKPT_RESUME_PATH, the checkpoint to go on
from, and CKPT_START_EPOCH. Without them it starts anew. It is deterministic: the same seed gives
the same model to the last bit, however often it was interrupted, provided that it was resumed right.
"""
import argparse
import json
import os
import re
import time

import torch
from torch import nn


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds that a step takes at least")
    parser.add_argument("--out", default="checkpoints", help="directory of the checkpoints")
    parser.add_argument("--newest", action="store_true",
                        help="resume from the newest checkpoint by name, as scripts do by themselves")
    return parser.parse_args()


def make_data(args):
    """Points of ten noisy clusters, the same for the same seed."""
    generator = torch.Generator().manual_seed(args.seed)
    labels = torch.randint(0, 10, (args.steps * args.batch,), generator=generator)
    centres = torch.randn(10, 64, generator=generator)
    return centres[labels] + 2.0 * torch.randn(len(labels), 64, generator=generator), labels


class Training:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        self.args = args
        self.data, self.labels = make_data(args)
        self.model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.2),
                                   nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.5)
        self.loss = nn.CrossEntropyLoss()
        self.step = 0
        self.best = (float("inf"), 0)

    def state(self, epoch):
        return {
            "model_state_dict": self.model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
            "scheduler_state_dict": self.scheduler.state_dict(),
            "rng_state": torch.get_rng_state(),
            "epoch": epoch,
            "global_step": self.step,
            "best": self.best,
        }

    def load(self, path):
        """Goes on from the checkpoint and returns the last epoch that it completed."""
        state = torch.load(path, map_location="cpu")
        self.model.load_state_dict(state["model_state_dict"])
        self.optimizer.load_state_dict(state["optimizer_state_dict"])
        self.scheduler.load_state_dict(state["scheduler_state_dict"])
        torch.set_rng_state(state["rng_state"])
        self.step = state["global_step"]
        self.best = state["best"]
        return state["epoch"]

    def train_epoch(self, log):
        order = torch.randperm(len(self.data))
        total = 0.0
        for batch in order.split(self.args.batch):
            began = time.monotonic()
            self.optimizer.zero_grad()
            loss = self.loss(self.model(self.data[batch]), self.labels[batch])
            loss.backward()
            self.optimizer.step()
            self.step += 1
            total += loss.item()
            print(self.step, file=log, flush=True)
            time.sleep(max(0.0, self.args.pace - (time.monotonic() - began)))
        self.scheduler.step()
        return total / self.args.steps

    def save(self, epoch, loss):
        if loss < self.best[0]:
            self.best = (loss, epoch)
        torch.save(self.state(epoch), os.path.join(self.args.out, f"ckpt-{epoch}.pt"))
        info = {"last_completed_epoch": epoch, "best_epoch": self.best[1],
                "best_score": self.best[0], "timestamp": time.time()}
        with open(os.path.join(self.args.out, "epoch_info.json"), "w", encoding="utf-8") as file:
            json.dump(info, file)


def newest_by_name(directory):
    """What is often written by hand, and believes every file."""
    found = [(int(match.group(1)), match.group(0)) for match in
             (re.fullmatch(r"ckpt-(\d+)\.pt", name) for name in os.listdir(directory)) if match]
    return os.path.join(directory, max(found)[1]) if found else ""


def main():
    args = parse_arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    os.makedirs(args.out, exist_ok=True)
    training = Training(args)
    start = 0

    path = newest_by_name(args.out) if args.newest else os.environ.get("CKPT_RESUME_PATH", "")
    if path:
        start = training.load(path) + 1
        start = int(os.environ.get("CKPT_START_EPOCH") or start)
    print(f"starting at epoch {start}, step {training.step}"
          + (f", from {path}" if path else ""), flush=True)

    with open("steps.log", "a", encoding="ascii") as log:
        print("start", training.step, file=log, flush=True)
        for epoch in range(start, args.epochs):
            loss = training.train_epoch(log)
            training.save(epoch, loss)
            print(f"epoch {epoch} step {training.step} loss {loss:.6f}", flush=True)
    torch.save(training.state(args.epochs - 1), "final.pt")
    print("done", flush=True)


if __name__ == "__main__":
    main()
