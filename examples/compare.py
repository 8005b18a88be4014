#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares an interrupted training with an undisturbed one, for the demo.

compare.py UNDISTURBED INTERRUPTED EXPECTED-CHECKPOINT REJECTED-NAME JOB-OUTPUT
Every line is one claim, with what was found. Exit code 1 if one of them does not hold.
"""
import re
import sys

import torch

failed = 0


def claim(holds, text):
    global failed
    failed |= not holds
    print(f"  {'yes' if holds else 'NO '}  {text}")


def same(a, b):
    """Equal to the last bit, through all containers."""
    if torch.is_tensor(a):
        return torch.is_tensor(b) and a.dtype == b.dtype and a.shape == b.shape and \
            a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def attempts(path):
    """steps.log as a list of (step started from, steps trained) by attempt."""
    found = []
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith("start"):
                found.append((int(line.split()[1]), []))
            elif line.endswith("\n"):
                found[-1][1].append(int(line))
    return found


def main():
    undisturbed, interrupted, checkpoint, rejected, output = sys.argv[1:]
    reference = torch.load(f"{undisturbed}/final.pt")
    ours = torch.load(f"{interrupted}/final.pt")
    step = torch.load(checkpoint)["global_step"]
    one = attempts(f"{undisturbed}/steps.log")
    runs = attempts(f"{interrupted}/steps.log")
    plain = sum(len(steps) for _, steps in one)
    trained = sum(len(steps) for _, steps in runs)
    lost = runs[0][1][-1] - step

    claim(len(one) == 1 and len(runs) == 2, f"undisturbed in {len(one)} attempt, ours in {len(runs)}")
    claim(same(reference["model_state_dict"], ours["model_state_dict"]),
          "the final model is the same, bit for bit")
    claim(same(reference, ours), "so are optimizer, scheduler and random state")
    claim(len(runs) > 1 and runs[1][0] == step,
          f"the second attempt began at step {runs[-1][0]}, where the newest valid checkpoint was ({step})")
    claim(trained <= plain + lost,
          f"{trained} steps trained in all: {plain} of the undisturbed run, "
          f"{trained - plain} repeated, {lost} lost with the node and the damage")
    with open(output, encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if line.startswith("ckpt-resume:")]
    claim(any(re.search(re.escape(rejected) + r"\b", line) and "rejected" in line for line in lines),
          f"the damaged {rejected} was named as rejected")
    return failed


if __name__ == "__main__":
    sys.exit(main())
