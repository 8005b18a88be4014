#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The job of bench/steps: trains on all its processors and measures its own steps, in pairs of turns.

In one turn of a pair the job's companion is stopped (SIGSTOP), in the other it runs; which comes first is drawn. A
checkpoint is saved at the beginning of each: those of stopped turns are left for the others, which so have twice the
work. A pair's figure is the mean step with the companion to the mean step without; said is the median of all pairs,
with the interval that resampling the pairs gives it in 95 of 100 cases.
"""
import argparse
import os
import random
import signal
import statistics
import time

import torch

AIM = 1.01


def companions():
    """The pids of this job's."""
    mark = ("CKPT_REQUEST_JOB_ID=" + os.environ["SLURM_JOB_ID"]).encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid) as comm, open("/proc/%s/environ" % pid, "rb") as environ:
                if comm.read().strip() == "ckpt-companion" and mark in environ.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass  # it ended, or is another user's
    return found


def ticks(pids):
    """Processor time of those processes and their children that ended, in seconds."""
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


class Training:
    def __init__(self, mib):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        side = int((mib * 2 ** 20 / 4 / 3) ** 0.5)  # Adam keeps two more of each parameter
        self.model = torch.nn.Linear(side, side)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.data = torch.randn(64, side)
        self.saved = 0

    def step(self):
        self.optimizer.zero_grad()
        self.model(self.data).square().mean().backward()
        self.optimizer.step()

    def save(self):
        self.saved += 1
        torch.save({"model_state_dict": self.model.state_dict(), "optimizer_state_dict": self.optimizer.state_dict(),
                    "global_step": self.saved}, "checkpoints/next.tmp")
        os.rename("checkpoints/next.tmp", "checkpoints/ckpt-%d.pt" % self.saved)
        if self.saved > 8:
            os.unlink("checkpoints/ckpt-%d.pt" % (self.saved - 8))

    def turn(self, seconds):
        """The mean step of a turn."""
        self.save()
        steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            self.step()
            steps += 1
        return (time.perf_counter() - began) / steps


def interval(ratios):
    draws = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return draws[50], draws[1949]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pairs", type=int, default=150)
    p.add_argument("--seconds", type=float, default=1.5)
    p.add_argument("--mib", type=int, default=4)
    args = p.parse_args()
    os.makedirs("checkpoints", exist_ok=True)
    training = Training(args.mib)
    training.turn(5 * args.seconds)
    pids = companions()
    if not pids:
        raise SystemExit("the job has no companion")
    ratios, steps, used = [], [], ticks(pids)
    for _ in range(args.pairs):
        means = {}
        for runs in random.sample((False, True), 2):
            for pid in pids:
                os.kill(pid, signal.SIGCONT if runs else signal.SIGSTOP)
            means[runs] = training.turn(args.seconds)
        ratios.append(means[True] / means[False])
        steps.append(means[False])
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    used = ticks(pids) - used
    low, high = interval(ratios)
    middle = statistics.median(ratios)
    print("%d pairs of %.1f s, steps of %.2f ms, %d checkpoints of %d MiB; the companion took %.2f s of processor time"
          % (args.pairs, args.seconds, statistics.median(steps) * 1e3, training.saved, args.mib, used))
    print("%s  a step with the companion : without  %.4f  (%.4f to %.4f)"
          % ("pass" if middle <= AIM else "FAIL", middle, low, high))


main()
