#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hash_loop.py LIST: verifies a list of SHA-256 digests (JSON: files, each name's digest) as Megatron-Core does
with its integrity.json (megatron/core/dist_checkpointing/integrity.py): one file after the other, a MiB at a time."""
import hashlib
import json
import os
import sys

folder = os.path.dirname(sys.argv[1])
with open(sys.argv[1]) as f:
    digests = json.load(f)["files"]
for name, expected in digests.items():
    digest = hashlib.sha256()
    with open(os.path.join(folder, name), "rb") as f:
        while data := f.read(1 << 20):
            digest.update(data)
    if digest.hexdigest() != expected:
        sys.exit("%s differs" % name)
