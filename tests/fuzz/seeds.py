# SPDX-License-Identifier: GPL-2.0-or-later
"""Small genuine inputs for every fuzz target: seeds.py FOLDER. The files of tests/damage's checkpoints go to the target
of their format and to those that take any file; the rest is written here."""
import json
import os
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../damage"))

import registry

LARGEST = 65536
# targets that are not named like the format whose files they read
ALSO = {
    "orbax": ["ocdbt"],
    "scr": ["kvtree"],
    "torch-zip": ["pickle"],
    "safetensors-index": ["jstream"],
    "hf-trainer": ["jstream"],
}


def put(folder, target, name, data):
    if len(data) > LARGEST:
        return
    os.makedirs("%s/fuzz_%s" % (folder, target), exist_ok=True)
    with open("%s/fuzz_%s/%s" % (folder, target, name), "wb") as f:
        f.write(data)


def files_of(form, variant):
    """The contents of a checkpoint's files."""
    with tempfile.TemporaryDirectory() as work:
        form.write(work, variant, 1)
        for at, _, names in os.walk(work):
            for name in sorted(names):
                path = os.path.join(at, name)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        yield f.read(LARGEST + 1)


def main(folder):
    absent = []
    for name, form in sorted(registry.load_all().items()):
        try:
            for variant in form.bases[:2]:
                for i, data in enumerate(list(files_of(form, variant))[:12]):
                    for target in [name.replace("-", "_"), "format"] + ALSO.get(name, []):
                        put(folder, target, "%s-%s-%d" % (name, variant, i), data)
        except registry.Absent as e:
            absent.append("%s: %s" % (name, e))
    put(folder, "wire", "decision", b"mode=resume\npath=/a/ckpt-1\nroot=/a\ntag=ckpt-1\nevidence=checksum\nattempt=1\n")
    put(folder, "wire", "request", b"mode=step:5\ndirs=a:%j\njob_id=7\nattempt=1\n")
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    put(folder, "safetensors", "small", struct.pack("<Q", len(head)) + head + bytes(8))
    print("\n".join(absent))


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    main(sys.argv[1])
