# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading that goes wrong, over every format: ckpt-faults (faults.c) judges a genuine checkpoint of each, small ones of
registry.py and larger ones of this file, as it is, with a seal and with a list of digests beside it. One protocol line
for each."""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import base_arrays
import base_tf
import registry

BUILD = os.environ.get("TEST_BUILD") or HERE + "/../../build"
LARGE = {}


def large(write):
    LARGE["large_" + write.__name__] = write
    return write


def floats(count):
    return registry.need("numpy").random.RandomState(5).rand(count).astype("f4")


@large
def torch_zip(folder):
    torch = registry.need("torch")
    torch.save({"epoch": 1, "model": {"w%d" % i: torch.randn(300000 + i) for i in range(6)}}, folder + "/ckpt_1.pt")
    return "ckpt_1.pt"


@large
def torch_legacy(folder):
    torch = registry.need("torch")
    torch.save({"epoch": 1, "w": torch.randn(1200000)}, folder + "/ckpt_1.pt", _use_new_zipfile_serialization=False)
    return "ckpt_1.pt"


@large
def torch_gzip(folder):
    name = torch_zip(folder)
    with open(os.path.join(folder, name), "rb") as f, gzip.open(folder + "/ckpt_1.pt.gz", "wb", 1) as out:
        shutil.copyfileobj(f, out)
    os.unlink(os.path.join(folder, name))
    return "ckpt_1.pt.gz"


@large
def safetensors(folder):
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(base_arrays.safetensors_bytes([("w%d" % i, "F32", [400001], floats(400001).tobytes()) for i in range(4)]))
    return "model.safetensors"


@large
def shards(folder):
    base_arrays.sharded(folder, "c", 1)
    for name in os.listdir(folder):
        if name.endswith(".safetensors"):
            path = os.path.join(folder, name)
            names = [t[0] for t in base_arrays.some_tensors("c", 10, "blocks.%d." % (int(name[6:11]) - 1))]
            with open(path, "wb") as f:
                f.write(base_arrays.safetensors_bytes([(n, "F32", [70000], floats(70000).tobytes()) for n in names]))
    return "model.safetensors.index.json"


@large
def npy(folder):
    registry.need("numpy").save(folder + "/weights_10.npy", floats(1500000))
    return "weights_10.npy"


@large
def npz_stored(folder):
    registry.need("numpy").savez(folder + "/state_10.npz", a=floats(900000), b=floats(700000))
    return "state_10.npz"


@large
def npz_deflated(folder):
    registry.need("numpy").savez_compressed(folder + "/state_10.npz", a=floats(900000), b=floats(700000))
    return "state_10.npz"


@large
def hdf5(folder):
    h5py = registry.need("h5py")
    with h5py.File(folder + "/model_10.h5", "w") as f:
        f.create_dataset("plain", data=floats(900000))
        f.create_dataset("summed", data=floats(900000), fletcher32=True, chunks=(100000,))
        f.create_dataset("packed", data=floats(900000), fletcher32=True, compression="gzip", compression_opts=1,
                         chunks=(65537,))
    return "model_10.h5"


@large
def tf_bundle(folder):
    base_tf.bundle(folder + "/ckpt-7", "b", 1, 60000)
    return "ckpt-7"


def files(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)


def ask(path, folder, what, protocol):
    """Runs ckpt-faults; True if the checkpoint was valid to begin with."""
    done = subprocess.run([BUILD + "/tests/ckpt-faults", path] + files(folder), capture_output=True, text=True, timeout=600)
    if done.returncode == 77:
        print("skip %s: not valid here: %s" % (protocol, (done.stdout + done.stderr).strip()[:200].replace("\n", " ")))
        return False
    lines = done.stdout.strip().split("\n")
    for line in lines[:-1][:12]:
        print(line)
    print("%s %s%s # %s%s" % ("not ok" if done.returncode else "ok", protocol, what, lines[-1],
                              done.stderr.strip()[:200]))
    return True


def list_digests(folder):
    with open(folder + "/SHA256SUMS", "w") as out:
        for path in files(folder):
            if not path.endswith("SHA256SUMS"):
                with open(path, "rb") as f:
                    out.write("%s  %s\n" % (hashlib.sha256(f.read()).hexdigest(), os.path.relpath(path, folder)))


def try_format(name, write):
    folder = tempfile.mkdtemp(prefix="ckpt-faults.")
    try:
        made = write(folder)
        entry = made[1] if isinstance(made, tuple) else made
        path = os.path.join(folder, entry)
        if not ask(path, folder, "", "faults_" + name):
            return
        list_digests(os.path.dirname(path))
        ask(path, folder, "", "faults_%s_listed" % name)
        os.unlink(os.path.join(os.path.dirname(path), "SHA256SUMS"))
        if subprocess.run([BUILD + "/ckptctl", "seal", "-q", path], capture_output=True).returncode == 0:
            ask(path, folder, "", "faults_%s_sealed" % name)
    except registry.Absent as e:
        print("skip faults_%s: %s" % (name, e))
    finally:
        shutil.rmtree(folder)


def main():
    only = sys.argv[1:]
    for name, write in sorted(LARGE.items()):
        if not only or name in only:
            try_format(name, write)
    for name, form in sorted(registry.load_all().items()):
        if not only or name in only:
            try_format(name, lambda folder, form=form: form.write(folder, form.bases[0], 1))


with tempfile.TemporaryDirectory(prefix="ckpt-faults.") as runs:
    os.environ["DAMAGE_WORK"] = runs  # of the simulations
    main()
