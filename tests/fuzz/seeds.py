# SPDX-License-Identifier: GPL-2.0-or-later
"""Small genuine inputs for every fuzz target: seeds.py FOLDER. The files of tests/damage's checkpoints go to the target
of their format and to those that take any file; the rest is written here."""
import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../damage"))

import registry

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 65536
# of a tree's file where all are too much for one input: a larger one becomes a small one of its kind
LARGEST_MEMBER = 6500
# targets that are not named like the format whose files they read, nor like its first words
ALSO = {
    "bz2": ["bzip2"],
    "gz": ["gzip"],
    "zst": ["zstd"],
    "zip": ["zip_plain"],
    "torchscript": ["torch_zip"],
    "orbax": ["ocdbt"],
    "adios-bp3": ["adios2"],
    "scr": ["kvtree"],
    "torch-legacy": ["pickle_file"],
    "safetensors-index": ["jstream"],
    "hf-trainer": ["jstream"],
    "deepspeed": ["deepspeed_universal"],
}


def put_pickles(folder, name, data):
    """The pickles of a PyTorch archive, for the targets that read them alone."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                if member.endswith("/data.pkl"):
                    for target in "pickle", "torch_pickle":
                        put(folder, target, name, archive.read(member))


def targets_of(name):
    """The targets of a format's files: that of its whole name or, "hdf5-v0", of the words it begins with."""
    words = name.split("-")
    tried = ("_".join(words[:n]) for n in range(len(words), 0, -1))
    return [t for t in tried if os.path.exists("%s/fuzz_%s.c" % (HERE, t))][:1] + ["format"] + ALSO.get(name, [])


def varint(data, at):
    """The number there, and where the next one is."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def put_ocdbt(folder, name, data):
    """The bodies of OCDBT's objects, for the target that reads them alone: a byte, then what was not compressed."""
    for match in re.finditer(rb"\x0c\xdb(\x3a\x2a|\x20\xde)", data, re.S):
        length, at = struct.unpack("<Q", data[match.end():match.end() + 8].ljust(8, b"\xff"))[0], match.start()
        body = data[at + 14:at + length - 4]
        if length > len(data) - at or length < 18 or data[at + 12] != 0 or data[at + 13] > 1:
            continue
        if data[at + 13] == 1:
            body = subprocess.run(["zstd", "-dcq"], input=body, stdout=subprocess.PIPE, check=True).stdout
        put(folder, "ocdbt_node", "%s-%d" % (name, at), (b"\0" if match[1] == b"\x3a\x2a" else b"\1") + body)


def tf_index(data):
    """Inputs of fuzz_tf_bundle.c from the index of a bundle: as it is, and its first block alone."""
    if data[-8:] != struct.pack("<Q", 0xdb4775248b80fb57):
        return []
    footer = data[-48:]
    at = varint(footer, varint(footer, 0)[1])[1]
    off, at = varint(footer, at)
    entry = data[off:off + varint(footer, at)[0]]
    unshared, at = varint(entry, 1)
    at = varint(entry, at)[1] + unshared
    off, at = varint(entry, at)
    end = off + varint(entry, at)[0] + 1
    return [b"\1" + data, b"\0" + data[off:end]]


# what a target takes of a format's file, where it makes the rest of it
PARTS = {
    "safetensors": lambda data: [data[8:8 + struct.unpack("<Q", data[:8])[0]]],
    "tf_bundle": tf_index,
}


def arrays(folder):
    """Metadata of zarr and a chunk behind a NUL; a text of snappy's with a copy in it."""
    two = {"zarr_format": 2, "shape": [8], "chunks": [4], "dtype": "<f4", "order": "C", "fill_value": 0, "filters": None,
           "compressor": None}
    three = {"zarr_format": 3, "node_type": "array", "shape": [8], "data_type": "float32", "fill_value": 0,
             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
             "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
             "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}
    inner = {"chunk_shape": [2], "codecs": three["codecs"], "index_codecs": three["codecs"], "index_location": "end"}
    shard = {**three, "codecs": [{"name": "sharding_indexed", "configuration": inner}]}
    zipped = {**three, "codecs": three["codecs"] + [{"name": "gzip", "configuration": {"level": 1}}]}
    chunk = struct.pack("<4f", 1, 2, 3, 4)
    for name, meta, data in (("two", two, chunk), ("three", three, chunk), ("gzip", zipped, gzip.compress(chunk)),
                             ("zlib", {**two, "compressor": {"id": "zlib", "level": 1}}, zlib.compress(chunk)),
                             ("shard", shard, chunk + struct.pack("<4Q", 0, 8, 8, 8))):
        put(folder, "zarr", name, json.dumps(meta).encode() + b"\0" + data)
    put(folder, "snappy", "copy", b"\x0a\x10hello\x05\x05")


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


def lammps_set(folder):
    """One base and one process' file as one input, see fuzz_lammps_set.c."""
    form = registry.FORMATS["lammps-set"]
    with tempfile.TemporaryDirectory() as work:
        form.write(work, form.bases[0], 1)
        files = {name: os.path.join(at, name) for at, _, names in os.walk(work) for name in names}
        base = next(path for name, path in files.items() if "base" in name)
        one = next(path for name, path in files.items() if "0" in name and path != base)
        with open(base, "rb") as f, open(one, "rb") as g:
            head = f.read()
            put(folder, "lammps_set", "set", struct.pack("<H", len(head)) + head + g.read())


SAFETENSORS = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
SAFETENSORS = struct.pack("<Q", len(SAFETENSORS)) + SAFETENSORS + bytes(8)


def settings(folder):
    """Settings as programs leave them in a checkpoint: argparse's, and dicts in a dict."""
    torch, out = registry.need("torch"), io.BytesIO()
    args = argparse.Namespace(lr=0.1, name="x" * 99, amp=True, none=None, betas=(0.9, 0.95), optim={"lr": 0.2, 7: "lr"})
    deep = {"lr": 0.1, "k" * 60: {"lr": 1, "l" * 60: {"lr": 2, "m" * 60: {"lr": 3, "end": True}}}}
    torch.save({"epoch": 3, "args": args, "cfg": deep, "params": {"optim": deep, "w": torch.zeros(2)}}, out)
    put(folder, "torch_zip", "settings", out.getvalue())
    put_pickles(folder, "settings", out.getvalue())


def tree_rows(table):
    """The rows of a table of tree_names.h."""
    with open(HERE + "/tree_names.h", encoding="utf-8") as f:
        body = f.read().split(table + "[] = {", 1)[1].split("};\n", 1)[0]
    return re.findall(r'^\t"([^"]+)"', body, re.M)


def smaller(name, data):
    """The file, or a small one of its kind instead of a large one."""
    if len(data) <= LARGEST_MEMBER:
        return data
    if name.endswith(".safetensors"):
        return SAFETENSORS
    if data.startswith(b"PK"):
        out = io.BytesIO()
        registry.need("torch").save({"step": 1}, out)
        return out.getvalue()
    return data[:LARGEST_MEMBER]


def tree(folder, name, top, files):
    """One input of fuzz_tree.c: the checkpoint @top, and files by their names below the run directory. Names that it
    does not know are left out, and returned."""
    tops, names, lost = tree_rows("fuzz_tree_dirs"), tree_rows("fuzz_tree_names"), []
    out = bytes([tops.index(top) if top in tops else 0])
    if sum(len(data) + 4 for data in files.values()) >= LARGEST:
        files = {path: smaller(path, data) for path, data in files.items()}
    for path, data in sorted(files.items()):
        known = "@" + path[len(top):] if path.startswith(top + "/") else path
        for i, row in enumerate(names):
            match = re.fullmatch(re.escape(row).replace(r"\#", "([0-7])"), known)
            if match:
                digits = sum(int(d) << 3 * k for k, d in enumerate(match.groups()))
                out += struct.pack("<BBH", i, digits & 0xff, len(data)) + data
                break
        else:
            lost.append(path)
    put(folder, "tree", name, out)
    return ["tree %s: no name for %s" % (name, path) for path in lost]


def genuine_tree(folder, name, form, variant):
    with tempfile.TemporaryDirectory() as work:
        top = form.write(work, variant, 1)
        top, asked = top if isinstance(top, tuple) else (top, top)
        if asked.startswith(top + "/"):  # the run directory, and what is asked about in it
            work, top = os.path.join(work, top), asked[len(top) + 1:]
        files = {}
        for at, _, entries in os.walk(work):
            for entry in entries:
                with open(os.path.join(at, entry), "rb") as f:
                    files[os.path.relpath(os.path.join(at, entry), work)] = f.read(LARGEST + 1)
        return tree(folder, "%s-%s" % (name, variant), top, files) if len(files) > 1 else []


def small_trees(folder):
    """What no genuine checkpoint here has, by hand."""
    index = lambda a, b: json.dumps({"metadata": {"total_size": 16}, "weight_map": {"w": a, "v": b}}).encode()
    other = SAFETENSORS.replace(b'"w"', b'"v"')
    shards = {"model-00001-of-00002.safetensors": SAFETENSORS, "model-00002-of-00002.safetensors": other,
              "model.safetensors.index.json": index("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")}
    state = json.dumps({"global_step": 500, "epoch": 1.5, "log_history": [{"loss": 0.5, "step": 400}, {"eval_loss": 1}]})
    run = {"checkpoint-500/trainer_state.json": state.encode(), "checkpoint-500/optimizer.pt": smaller("", b"PK" + bytes(LARGEST)),
           "ckpt-1.pt": smaller("", b"PK" + bytes(LARGEST)), "ckpt-2.pt": smaller("", b"PK" + bytes(LARGEST))}
    run.update({"checkpoint-500/" + path: data for path, data in shards.items()})
    digests = "".join("%s  %s\n" % (hashlib.sha256(data).hexdigest(), path) for path, data in run.items()).encode()
    run.update({"SHA256SUMS": digests, "MANIFEST.0001": digests, "latest": b"global_step500\n", "last_checkpoint": b"ckpt-1.pt",
                "epoch_info.json": json.dumps({"last_completed_epoch": 1, "best_epoch": 1, "best_score": 0.5, "timestamp": "x"}).encode(),
                "ckpt-config.json": json.dumps({"training": {"resume_from_checkpoint": True, "no_restore": False},
                                                "checkpoints": {"max_checkpoints": 3}}).encode(),
                "checkpoint": b'model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-1"\n',
                "latest_checkpointed_iteration.txt": b"300"})
    hub = "11c5a3d5\n%s\n9000000000.5\n" % hashlib.sha256(SAFETENSORS).hexdigest()
    run[".cache/huggingface/download/ckpt-1.pt.metadata"] = hub.encode()
    pointer = ("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" %
               (hashlib.sha256(SAFETENSORS).hexdigest(), len(SAFETENSORS))).encode()
    return (tree(folder, "index", "step-100", shards) + tree(folder, "run", "checkpoint-500", run) +
            tree(folder, "hub", "checkpoint-500", {
                "checkpoint-500/model.safetensors": SAFETENSORS, "checkpoint-500/trainer_state.json": state.encode(),
                "checkpoint-500/.cache/huggingface/download/model.safetensors.metadata": hub.encode()}) +
            tree(folder, "lfs", "checkpoint-500", {
                "checkpoint-500/model.safetensors": SAFETENSORS, "checkpoint-500/trainer_state.json": state.encode(),
                "checkpoint-500/model.safetensors.pointer": pointer, "ckpt-1.pt": SAFETENSORS, "ckpt-1.pt.lfs": pointer}) +
            tree(folder, "accelerate", "checkpoint_2", {
                "checkpoint_2/model.safetensors": SAFETENSORS, "checkpoint_2/optimizer.bin": run["ckpt-1.pt"],
                "checkpoint_2/random_states_0.pkl": run["ckpt-1.pt"], "checkpoint_2/train_state.json":
                    json.dumps({"current_step": 2, "current_epoch": 1}).encode()}) +
            tree(folder, "nemo", "step-100", {
                "step-100/weights/common.pt": run["ckpt-1.pt"], "step-100/weights/metadata.json": b'{"sharded_backend": "zarr"}'}) +
            tree(folder, "olmo", "step-100", {
                "step-100/model_and_optim/.metadata": b"", "step-100/train/rank0.pt": run["ckpt-1.pt"],
                "step-100/.metadata.json": b"{}"}))


def records(folder):
    """What the programs write of a run and of a check in parts."""
    who = {"job_id": 7, "cluster": "c", "attempt": 0, "run": "r", "node": "n1", "at": "2026-01-01T10:00:00Z"}
    events = (dict(event="decision", mode="fresh", path="", reason="first-start", where="step"),
              dict(event="checkpoint", name="ckpt-1.pt", verdict="valid", step=100, size_bytes=9, at="2026-01-01T10:09:00Z"),
              dict(event="checkpoint", name="ckpt-2.pt", verdict="corrupt", step=200, size_bytes=9, at="2026-01-01T10:12:00Z"),
              dict(event="end", cause="preempted", newest_valid="ckpt-1.pt", step=100, at="2026-01-01T10:20:00Z"),
              dict(event="decision", attempt=1, mode="resume", path="/x/ckpt-1.pt", step=100, at="2026-01-01T10:30:00Z"))
    put(folder, "history", "two", "".join(json.dumps({**who, **e}) + "\n" for e in events).encode())
    problem = {"code": "none", "offset": "0", "file": "", "member": "", "detail": ""}
    piece = [str(n) for n in (77, 0, 64, 4096, 64, 2048, 123, 456)]
    put(folder, "part", "valid", json.dumps({
        "part_version": 1, "index": 1, "count": 2, "run": "7.0", "way": "seal", "files": "ab" * 32, "format": "torch-zip",
        "verdict": "valid", "evidence": "checksum", "note": "", "size_bytes": 9, "bytes_read": 9, "seconds": 0.5,
        "problem": problem, "pieces": [piece]}).encode())
    mine = {"last_completed_epoch": 5, "best_epoch": 4, "best_score": 0.5, "checkpoint": "a/b.pt", "step": 9, "recorded_by": "ckpt-resume"}
    config = {"training": {"resume_from_checkpoint": "a", "no_restore": False, "end_marker": "x"}, "checkpoints":
              {"max_checkpoints": 3, "save_best_only": True}, "model": {"custom_checkpoint": "x", "pretrained": "y", "fetch":
              ["a", "b"], "fetch_into": "z"}, "validation": {"min_size_bytes": 5, "required_keys": ["a"]}}
    pointer = (b'model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-1"\nall_model_checkpoint_paths: "ckpt-2"\n'
               b'all_model_checkpoint_timestamps: 1.5\nall_model_checkpoint_timestamps: 2.5\nlast_preserved_timestamp: 1.0\n')
    mark = {"version": 1, "run": "0" * 32, "job_id": 7, "cluster": "c", "array_task": -1, "continues": "", "continues_job": 0,
            "base": "ckpt-1.pt", "base_mode": "resume", "base_step": "5", "base_epoch": "", "candidates": ["1:2:3:ckpt-1.pt"]}
    texts = [json.dumps(mine).encode(), json.dumps(config).encode(), json.dumps(mark).encode(), pointer]
    for i, text in enumerate(texts + [b"global_step5\n", b"a/epoch_3.pth", b"release", b"100", b"../ep1-ba10-rank0.pt", b"epoch=1.ckpt"]):
        put(folder, "records", str(i), bytes([i]) + text)
    for i, text in enumerate(("90", "90s", "2h", "1-02", "1-02:03", "1-02:03:04", "05:06", "3650d", "0", "-1", "00:00")):
        put(folder, "duration", str(i), text.encode())


def main(folder):
    absent = []
    for name, form in sorted(registry.load_all().items()):
        try:
            for variant in form.bases[:2]:
                absent += genuine_tree(folder, name, form, variant)
                for i, data in enumerate(list(files_of(form, variant))[:12]):
                    for target in targets_of(name):
                        for n, part in enumerate(PARTS.get(target, lambda data: [data])(data)):
                            put(folder, target, "%s-%s-%d%s" % (name, variant, i, "-%d" % n if n else ""), part)
                    if name == "orbax":
                        put_ocdbt(folder, "%s-%s-%d" % (name, variant, i), data)
                    if name in ("torch-zip", "deepspeed", "megatron"):
                        put_pickles(folder, "%s-%s-%d" % (name, variant, i), data)
        except registry.Absent as e:
            absent.append("%s: %s" % (name, e))
    put(folder, "wire", "decision", b"mode=resume\npath=/a/ckpt-1\nroot=/a\ntag=ckpt-1\nevidence=checksum\nattempt=1\n")
    put(folder, "wire", "request", b"mode=step:5\ndirs=a:%j\njob_id=7\nattempt=1\n")
    records(folder)
    try:
        lammps_set(folder)
    except registry.Absent as e:
        absent.append("lammps-set: %s" % e)
    try:
        settings(folder)
        absent += small_trees(folder)
    except registry.Absent as e:
        absent.append("trees: %s" % e)
    put(folder, "safetensors", "small", SAFETENSORS[8:-8])
    arrays(folder)
    print("\n".join(absent))


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    with tempfile.TemporaryDirectory() as runs:
        os.environ["DAMAGE_WORK"] = runs  # of the simulations
        main(sys.argv[1])
