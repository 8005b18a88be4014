#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""load.py FILE: the microseconds that torch.load of FILE takes, without Python's start and the import."""
import sys
import time

import torch

began = time.perf_counter()
torch.load(sys.argv[1], map_location="cpu")
print(int((time.perf_counter() - began) * 1e6))
