#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes real PyTorch checkpoints, whole and interrupted ones, into the directory given as argument.

The file names are what tests/unit/test_torch_*.c look for.
"""
import os
import pickle
import struct
import sys
import zipfile
import zlib

try:
    import torch
except ImportError:
    sys.exit(77)


class Raises:
    """An object whose pickling fails, as a signal handler that raises makes it fail."""

    def __reduce__(self):
        raise KeyboardInterrupt


def model_and_optimizer():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 32)).sum().backward()
    optimizer.step()
    return model, optimizer


def training_state():
    model, optimizer = model_and_optimizer()
    return {
        "epoch": 3,
        "global_step": 1200,
        "loss": 0.5,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "config": {"step": 9, "epoch": 77},
    }


def interrupted_after(path, obj, records):
    """A save that ends by an exception after that many storages were written."""
    zip_writer = torch.serialization._open_zipfile_writer
    left = records

    with zip_writer(path) as real:

        class Failing:
            def write_record(self, name, data, size):
                nonlocal left
                if name.startswith("data/"):
                    left -= 1
                    if left < 0:
                        raise KeyboardInterrupt
                real.write_record(name, data, size)

        try:
            torch.serialization._save(obj, Failing(), pickle, 2)
        except KeyboardInterrupt:
            pass


def rewritten(path, source, change):
    """The records of source as change() leaves them, in a new archive of PyTorch's own form."""
    with zipfile.ZipFile(source) as old:
        records = [[i.filename.split("/", 1)[1], old.read(i)] for i in old.infolist()]
    raw_zip(path, change(records) or records)


def raw_zip(path, records, crc=lambda name, data: zlib.crc32(data)):
    """A zip as PyTorchStreamWriter makes it: descriptors, 64 byte alignment, zip64 end. Record
    names with "//" before them are absolute, others get a prefix."""
    out, directory = bytearray(), bytearray()
    for name, data in records:
        full = (name[2:] if name.startswith("//") else "p/" + name).encode()
        check, offset = crc(name, data), len(out)
        flags = 0x0808
        pad = -(offset + 30 + len(full) + 4) % 64
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, flags, 0, 0, 0, 0, 0, 0, len(full),
                           pad + 4)
        out += full + b"FB" + struct.pack("<H", pad) + b"Z" * pad + data
        out += struct.pack("<IIII", 0x08074B50, check, len(data), len(data))
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, flags, 0, 0, 0, check,
                                 len(data), len(data), len(full), 0, 0, 0, 0, 0, offset) + full
    n, at, size = len(records), len(out), len(directory)
    end64 = at + size
    out += directory
    out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0x31E, 45, 0, 0, n, n, size, at)
    out += struct.pack("<IIQI", 0x07064B50, 0, end64, 1)
    out += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, size, at, 0)
    with open(path, "wb") as f:
        f.write(out)


def serialization_id(records):
    """The 40 digits of torch 2.1 and later; the first 20 are a hash of names."""
    fold = 0
    for _, data in records:
        if data:
            fold ^= (zlib.crc32(data) + 0x9E3779B9 + (fold << 6) + (fold >> 2)) % 2**64
    return b"%020d%020d" % (12345678901234567890, fold)


def replace(records, name, data):
    for record in records:
        if record[0] == name:
            record[1] = data
    return records


def synthetic(source):
    with zipfile.ZipFile(source) as old:
        whole = [(i.filename.split("/", 1)[1], old.read(i)) for i in old.infolist()]
    at = [name for name, _ in whole].index("data/2")
    raw_zip("nocrc.pt", whole, lambda name, data: 0)
    raw_zip("onecrc.pt", whole,
            lambda name, data: zlib.crc32(data) if name != "data/3" else 0)
    raw_zip("emptyfirst.pt", [(".note", b"")] + whole,
            lambda name, data: zlib.crc32(data) ^ (name == "data/3"))
    rewritten("extra.pt", source, lambda r: r + [["data/99", b"1234"]])
    rewritten("short.pt", source, lambda r: replace(r, "data/2", whole[at][1][:-4]))
    rewritten("long.pt", source, lambda r: replace(r, "data/2", whole[at][1] + b"more"))
    rewritten("twice.pt", source, lambda r: r + [["data/2", whole[at][1]]])
    rewritten("prefix.pt", source, lambda r: r[:at] + [["//other/data/2", r[at][1]]] + r[at + 1:])
    rewritten("noversion.pt", source, lambda r: [x for x in r if x[0] != "version"])
    rewritten("version99.pt", source, lambda r: replace(r, "version", b"99\n"))
    rewritten("torn.pt", source, lambda r: replace(r, "data.pkl", whole[0][1][:-1]))
    rewritten("id.pt", source, lambda r: r + [[".data/serialization_id", serialization_id(r)]])
    rewritten("badid.pt", source,
              lambda r: r + [[".data/serialization_id", serialization_id(r[1:])]])
    # 70,000 marks: nothing that a program makes, but a proper pickle.
    rewritten("deep.pt", source, lambda r: replace(
        r, "data.pkl", b"\x80\x02" + b"(" * 70000 + b"1" * 69999 + b"t."))


def packages():
    """What torch.package writes: whole, of nothing, with a module named as TorchScript's folder, and failed."""
    from torch.package import PackageExporter
    with PackageExporter("package.pt") as out:
        out.extern(["torch.**", "collections", "collections.**"])
        out.save_pickle("model", "model.pkl", torch.nn.Linear(3, 2))
        out.save_text("text", "b.txt", "held by a package")
    with PackageExporter("package_empty.pt"):
        pass
    with PackageExporter("package_code.pt") as out:
        out.save_source_string("code.m", "x = 1\n")
        out.save_pickle("m", "archive_format", {"epoch": 3})
    try:
        with PackageExporter("package_failed.pt") as out:
            out.save_text("text", "b.txt", "held by a package")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass


def main(out):
    os.makedirs(out, exist_ok=True)
    os.chdir(out)
    state = training_state()
    torch.save(state, "state.pt")
    torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(state, "protocol4.pt", pickle_protocol=4)
    torch.save(state, "legacy4.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
    torch.save(state["model_state_dict"], "weights.pt")
    torch.save(state["model_state_dict"], "weights_legacy.pt",
               _use_new_zipfile_serialization=False)
    # A repeated 'step' comes back from the memo, after a nested one.
    torch.save({"config": {"step": 9}, "step": 41, "epoch": 1.5, "net": state["model_state_dict"]},
               "memo.pt")
    torch.save({"epoch": 2, "global_step": 640, "pytorch-lightning_version": "2.1.0",
                "state_dict": state["model_state_dict"],
                "optimizer_states": [state["optimizer_state_dict"]]}, "lightning.pt")
    torch.save({"optimizer": None, "model": state["model_state_dict"], "epoch": -1}, "stripped.pt")
    shared = torch.arange(100.0)
    torch.save({"a": shared[:10], "b": shared[50:], "e": torch.empty(0)}, "views.pt")
    torch.save({"big": torch.randn(3 << 20), "zeros": torch.zeros(1 << 20),
                "last": torch.ones(5)}, "big.pt")
    torch.save({"n%d" % i: torch.full((3,), float(i)) for i in range(3000)}, "many.pt")
    scripted = torch.jit.script(torch.nn.Linear(3, 2))
    scripted.save("script.pt")
    scripted.save("script_extra.pt", _extra_files={"epoch": b"3", "notes.txt": b"x" * 10000})
    scripted._save_for_lite_interpreter("lite.pt")
    torch.jit.trace(torch.nn.Linear(3, 2), torch.ones(3)).save("traced.pt")
    torch.jit.freeze(scripted.eval()).save("frozen.pt")
    records = zipfile.ZipFile("script.pt")
    for i, gone in enumerate(("data.pkl", "data/1", "constants.pkl")):
        left = [n for n in records.namelist() if n != "script/" + gone]
        raw_zip("script_without_%d.pt" % i,
                [(n.split("/", 1)[1], records.read(n)) for n in left])
    # In PyTorch 1.0 to 1.2 model.json, written last, was what data.pkl and constants.pkl are now.
    raw_zip("script_1_1.pt", [("version", b"1\n"), ("code/m.py", b"op_version_set = 0\n"),
                              ("tensors/0", b"1234"), ("attributes.pkl", b"\x80\x02]q\x00."),
                              ("model.json", b"{}")])

    packages()
    synthetic("state.pt")
    # One pair at a time (SETITEM): a nested name must not pass for a top-level one.
    torch.save({"trainer": {"optim_g": {"step": 3}}, "one": {"epoch": 5}, "step": 7,
                "optim_d": {}, "net": state["model_state_dict"]}, "pairs.pt")

    try:
        torch.save(dict(state, bad=Raises()), "interrupted_pickle.pt")
    except KeyboardInterrupt:
        pass
    for records in (0, 1, 7):
        interrupted_after("interrupted_%d.pt" % records, state, records)


main(sys.argv[1])
