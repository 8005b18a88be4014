#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run directories written by PyTorch itself, and ways to damage the newest checkpoint in them.

make_runs.py write DIR FORMAT COUNT   ckpt-1.pt .. ckpt-COUNT.pt (or .safetensors, legacy), epoch N, step 100 N
make_runs.py many DIR COUNT           as many small whole checkpoints
make_runs.py big FILE MIB             one file with a tensor of that many MiB, epoch 1, step 100
make_runs.py damage FILE HOW          changes FILE in place; see `hows`
make_runs.py hows                     the names of the damages, one a line
"""
import json
import os
import struct
import sys
import zipfile

try:
    import torch
except ImportError:
    sys.exit(77)


def state(epoch):
    torch.manual_seed(epoch)
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 64)).sum().backward()
    optimizer.step()
    return {
        "epoch": epoch,
        "global_step": 100 * epoch,
        "loss": 1.0 / epoch,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
    }


def write_safetensors(path, epoch):
    """By the published layout: u64 length, JSON, tensors."""
    data = bytes(range(256)) * 64
    header = json.dumps({
        "__metadata__": {"epoch": str(epoch), "step": str(100 * epoch)},
        "weight": {"dtype": "F32", "shape": [64, 64], "data_offsets": [0, len(data)]},
    }).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + data)


def write(directory, kind, count):
    os.makedirs(directory, exist_ok=True)
    for epoch in range(1, count + 1):
        if kind == "safetensors":
            write_safetensors(f"{directory}/model-step-{100 * epoch}.safetensors", epoch)
            continue
        torch.save(state(epoch), f"{directory}/ckpt-{epoch}.pt",
                   _use_new_zipfile_serialization=kind != "legacy")


def write_many(directory, count):
    os.makedirs(directory, exist_ok=True)
    for epoch in range(1, count + 1):
        torch.save({"epoch": epoch, "global_step": 100 * epoch, "optimizer_state_dict": {},
                    "model_state_dict": {"weight": torch.full((16,), float(epoch))}},
                   f"{directory}/ckpt-{epoch}.pt")


def write_big(path, mib):
    """Zeros cost no memory before they are written."""
    torch.save({"epoch": 1, "global_step": 100, "model_state_dict":
                {"weight": torch.zeros(mib << 18)}, "optimizer_state_dict": {}}, path)


def cut(part):
    def damage(path):
        os.truncate(path, int(os.path.getsize(path) * part))
    return damage


def one_byte_short(path):
    os.truncate(path, os.path.getsize(path) - 1)


def empty(path):
    os.truncate(path, 0)


def tail_of_zeros(path):
    size = os.path.getsize(path)
    keep = size * 2 // 3
    os.truncate(path, keep)
    os.truncate(path, size)


def all_zeros(path):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)


def tensor_offset(path):
    """The middle of the largest record of a zip."""
    with zipfile.ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda e: e.file_size)
        with open(path, "rb") as f:
            f.seek(entry.header_offset + 26)
            name, extra = struct.unpack("<HH", f.read(4))
        return entry.header_offset + 30 + name + extra + entry.file_size // 2


def flip_at(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


def one_bit(path):
    flip_at(path, tensor_offset(path))


def zeroed_page(path):
    offset = tensor_offset(path) & ~511
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(bytes(4096))


def swapped_head(path):
    with open(path, "r+b") as f:
        f.write(b"\0" * 64)


def missing_record(path):
    """An exception inside torch.save: the zip closes without a record."""
    epoch = int(os.path.basename(path).split("-")[1].split(".")[0])
    obj = state(epoch)
    real_open = torch.serialization._open_zipfile_writer

    class Stop(Exception):
        pass

    class Writer:
        def __init__(self, file):
            self.file, self.left = file, 2

        def write_record(self, name, data, size):
            if name.startswith("data/"):
                self.left -= 1
                if self.left < 0:
                    raise Stop
            self.file.write_record(name, data, size)

        def __getattr__(self, name):
            return getattr(self.file, name)

    try:
        with real_open(path) as file:
            torch.serialization._save(obj, Writer(file), torch.serialization.pickle, 2)
    except Stop:
        pass


def trailing_garbage(path):
    with open(path, "ab") as f:
        f.write(b"x" * 100000)


HOWS = {
    "empty": empty,
    "one-byte-short": one_byte_short,
    "tail-of-zeros": tail_of_zeros,
    "all-zeros": all_zeros,
    "one-bit": one_bit,
    "zeroed-page": zeroed_page,
    "swapped-head": swapped_head,
    "missing-record": missing_record,
    "trailing-garbage": trailing_garbage,
}
HOWS.update({f"cut-{i}": cut(i / 20) for i in range(1, 20)})


def main(argv):
    if argv[1] == "hows":
        print("\n".join(HOWS))
    elif argv[1] == "write":
        write(argv[2], argv[3], int(argv[4]))
    elif argv[1] == "many":
        write_many(argv[2], int(argv[3]))
    elif argv[1] == "big":
        write_big(argv[2], int(argv[3]))
    else:
        HOWS[argv[3]](argv[2])


main(sys.argv)
