#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A deterministic PyTorch training that tells every step: a checkpoint every so many steps, written straight to its
final name as torch.save does, the newest few kept. Slowed down, so that a kill can hit a save. What it does goes to
the log, one write a line: `ID start N`, `ID step N`, `ID save N`, `ID saved N`, `ID removed NAME`, `ID done DIGEST`."""
import argparse
import hashlib
import os
import re
import time

import torch
from torch import nn

SIZES = (64, 128, 8)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--keep", type=int, default=6, help="checkpoints that stay")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that a step takes at least")
    parser.add_argument("--save-pace", type=float, default=0.0, help="seconds for each write of a save")
    parser.add_argument("--run", required=True, help="directory of the checkpoints")
    parser.add_argument("--log", required=True)
    return parser.parse_args()


class Log:
    """Whole lines, in order, whatever kills the writer."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.id = os.environ.get("CHAOS_ID", "0")

    def say(self, *words):
        os.write(self.fd, (" ".join((self.id,) + tuple(str(w) for w in words)) + "\n").encode())


class Paced:
    """A file for torch.save that takes its time."""

    def __init__(self, file, pause):
        self.file, self.pause = file, pause

    def write(self, data):
        time.sleep(self.pause)
        return self.file.write(data)

    def flush(self):
        self.file.flush()


class Training:
    def __init__(self, args, log):
        torch.manual_seed(1)
        self.args, self.log, self.step = args, log, 0
        self.model = nn.Sequential(nn.Linear(SIZES[0], SIZES[1]), nn.ReLU(), nn.Dropout(0.2),
                                   nn.Linear(SIZES[1], SIZES[2]))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=97, gamma=0.9)

    def state(self):
        return {"model_state_dict": self.model.state_dict(), "optimizer_state_dict": self.optimizer.state_dict(),
                "scheduler_state_dict": self.scheduler.state_dict(), "rng_state": torch.get_rng_state(),
                "global_step": self.step}

    def load(self, path):
        state = torch.load(path, map_location="cpu")
        self.model.load_state_dict(state["model_state_dict"])
        self.optimizer.load_state_dict(state["optimizer_state_dict"])
        self.scheduler.load_state_dict(state["scheduler_state_dict"])
        torch.set_rng_state(state["rng_state"])
        self.step = state["global_step"]

    def train(self):
        began = time.monotonic()
        labels = torch.randint(0, SIZES[2], (16,))
        data = torch.randn(16, SIZES[0]) + labels.unsqueeze(1)
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.model(data), labels).backward()
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1
        self.log.say("step", self.step)
        time.sleep(max(0.0, self.args.pace - (time.monotonic() - began)))

    def save(self):
        self.log.say("save", self.step)
        with open(os.path.join(self.args.run, f"ckpt-{self.step}.pt"), "wb", buffering=0) as file:
            torch.save(self.state(), Paced(file, self.args.save_pace))
        self.log.say("saved", self.step)
        self.rotate()

    def rotate(self):
        """The newest stay, but for what an attempt left that had come further."""
        steps = sorted(int(m.group(1)) for m in (re.fullmatch(r"ckpt-(\d+)\.pt", name)
                                                 for name in os.listdir(self.args.run)) if m)
        steps = [step for step in steps if step <= self.step]
        for step in steps[:-self.args.keep]:
            self.log.say("removed", f"ckpt-{step}.pt")
            os.unlink(os.path.join(self.args.run, f"ckpt-{step}.pt"))

    def digest(self):
        """Of all that training changes, to the last bit."""
        sha = hashlib.sha256()

        def add(value):
            if isinstance(value, torch.Tensor):
                sha.update(str((value.dtype, tuple(value.shape))).encode() + value.numpy().tobytes())
            elif isinstance(value, dict):
                for key in value:
                    sha.update(str(key).encode())
                    add(value[key])
            elif isinstance(value, (list, tuple)):
                for item in value:
                    add(item)
            else:
                sha.update(repr(value).encode())

        add(self.state())
        return sha.hexdigest()


def main():
    args = parse_arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    log = Log(args.log)
    training = Training(args, log)
    path = os.environ.get("CKPT_RESUME_PATH", "")
    if path:
        training.load(path)
    log.say("start", training.step)
    while training.step < args.steps:
        training.train()
        if training.step % args.every == 0 and training.step < args.steps:
            training.save()
    log.say("done", training.digest())


if __name__ == "__main__":
    main()
