#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pool.py DIR STEP...: small genuine checkpoints, one a step: those of odd numbers by PyTorch, of even ones by NumPy."""
import sys

import numpy as np
import torch


def by_torch(path, step):
    model = torch.nn.Linear(16, 16)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 16)).sum().backward()
    optimizer.step()
    torch.save({"model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
                "epoch": step // 100, "global_step": step}, path)


torch.manual_seed(1)
for n in map(int, sys.argv[2:]):
    if n % 2:
        by_torch(f"{sys.argv[1]}/ckpt-{n}.pt", n)
    else:
        np.savez(f"{sys.argv[1]}/ckpt-{n}.npz", step=np.int64(n), w=np.arange(512, dtype=np.float32) * n)
