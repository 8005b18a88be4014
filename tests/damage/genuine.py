# SPDX-License-Identifier: GPL-2.0-or-later
"""No false alarm: what the real libraries of this machine write, in every shape that they have, is valid in full; as
is every sample that is meant to be good. One protocol line for each writer."""
import bz2
import glob
import gzip
import contextlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import base_hpc
import genuine_more as rare
import registry
from registry import each, refuse

CTL = os.environ.get("CKPTCTL") or HERE + "/../../build/ckptctl"


class Opaque:
    """An object of a class that nobody else has."""

    def __init__(self):
        self.a, self.b = 1, [2]


def torch_values(torch):
    """Names and values that torch.save() takes."""
    dtypes = [d for d in vars(torch).values() if isinstance(d, torch.dtype)]
    for d in dtypes:
        name = str(d).split(".")[1]
        if not name.startswith(("q", "bits")):
            yield "dtype_" + name, {"w": torch.zeros(17, 3).to(d), "e": torch.empty(0).to(d), "s": torch.tensor(1).to(d)}
    yield "quint8", {"w": torch.quantize_per_tensor(torch.randn(9, 5), 0.1, 3, torch.quint8)}
    yield "qint8_channel", torch.quantize_per_channel(torch.randn(4, 5), torch.ones(4), torch.zeros(4), 0, torch.qint8)
    yield "qint32", torch.quantize_per_tensor(torch.randn(50), 0.1, 0, torch.qint32)
    yield "sparse_coo", torch.randn(6, 7).relu().to_sparse()
    yield "sparse_csr", torch.randn(6, 7).relu().to_sparse_csr()
    yield "empty_dict", {}
    yield "empty_list", []
    yield "none", None
    yield "number", 7
    yield "text", "only text"
    yield "long_text", "x" * 300000
    yield "bytes", b"\0\1" * 70000
    yield "numpy", {"a": __import__("numpy").arange(12).reshape(3, 4), "o": __import__("numpy").array([None, 1], object)}
    yield "unicode", {"\u03bb\u00e9 \U0001f600 / \\ \" \n": torch.ones(3), "": torch.ones(1)}
    yield "huge_name", {"layer." * 20000: torch.ones(2)}
    deep = torch.ones(2)
    for _ in range(200):
        deep = {"n": [deep]}
    yield "deep", deep
    base = torch.arange(1000.0)
    yield "views", {"a": base[10:20], "b": base[::7], "c": base.view(10, 100).t(), "d": base.expand(3, 1000), "e": base}
    yield "negative_view", {"a": torch.randn(5, dtype=torch.complex64).conj(), "b": torch.randn(5, dtype=torch.complex64).conj().imag}
    yield "parameter", {"p": torch.nn.Parameter(torch.randn(3)), "b": torch.nn.parameter.Parameter(torch.ones(2), False)}
    yield "subclass_parameter", torch.nn.utils.weight_norm(torch.nn.Linear(3, 4)).state_dict()
    yield "module", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 5))
    yield "many", {"t%d" % i: torch.full((2,), i) for i in range(5000)}
    yield "many_numbers", {i: i * 1.5 for i in range(40000)}
    yield "sets", {"s": {1, 2, 3}, "f": frozenset([1]), "t": (1, (2, (3,))), "c": 1 + 2j, "r": range(3), "e": Ellipsis}
    yield "device", {"d": torch.device("cpu"), "g": torch.Generator().get_state(), "t": torch.float16, "z": torch.Size([1, 2])}
    yield "opaque", {"o": Opaque(), "step": 7}
    yield "big_int", {"n": 2 ** 200, "m": -2 ** 31, "step": 2 ** 40}
    yield "recursive", recursive(torch)
    yield "untyped", {"s": torch.ones(4).storage(), "x": torch.ones(3)}
    model = torch.nn.Linear(20, 20)
    for kind in (torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS, torch.optim.Adagrad, torch.optim.RMSprop):
        optimizer = kind(model.parameters(), lr=0.1)
        optimizer.zero_grad()
        yield "optim_" + kind.__name__, {"optimizer": optimizer.state_dict(), "model": model.state_dict(), "epoch": 3}


def recursive(torch):
    out = {"x": torch.ones(1)}
    out["self"] = [out]
    return out


def genuine_torch(folder):
    torch = registry.need("torch")
    values = list(torch_values(torch))
    paths = each(folder, "zip_%s.pt", torch.save, values)
    paths += each(folder, "legacy_%s.pt", lambda v, p: torch.save(v, p, _use_new_zipfile_serialization=False), values)
    for protocol in (3, 4, 5):
        some = [v for v in values if v[0] in ("views", "unicode", "many", "sets", "deep", "huge_name", "optim_Adam")]
        paths += each(folder, "p%d_%%s.pt" % protocol, lambda v, p: torch.save(v, p, pickle_protocol=protocol), some)
        paths += each(folder, "l%d_%%s.pt" % protocol, lambda v, p: torch.save(
            v, p, pickle_protocol=protocol, _use_new_zipfile_serialization=False), some)
    with open(folder + "/stream.pt", "wb") as f:
        torch.save({"w": torch.randn(3000)}, f)
    os.rename(folder + "/zip_views.pt", folder + "/renamed.ckpt")
    return [p for p in paths if not p.endswith("/zip_views.pt")] + [folder + "/stream.pt", folder + "/renamed.ckpt"]


def genuine_torchscript(folder):
    torch = registry.need("torch")
    nets = [("linear", torch.nn.Linear(3, 2)), ("lstm", torch.nn.LSTM(4, 5)), ("empty", torch.nn.Identity()),
            ("big", torch.nn.Sequential(*[torch.nn.Linear(50, 50) for _ in range(10)]))]
    paths = each(folder, "script_%s.pt", lambda n, p: torch.jit.script(n).save(p), nets)
    paths += each(folder, "extra_%s.pt", lambda n, p: torch.jit.save(
        torch.jit.script(n), p, _extra_files={"notes.txt": b"x" * 5000, "config.json": b"{}"}), nets)
    traced = [("conv", (torch.nn.Conv2d(3, 4, 3), torch.randn(1, 3, 8, 8)))]
    paths += each(folder, "trace_%s.pt", lambda n, p: torch.jit.trace(*n).save(p), traced)
    quantised = torch.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(9, 9)), {torch.nn.Linear})
    return paths + each(folder, "quantised_%s.pt", lambda n, p: torch.jit.script(n).save(p), [("q", quantised)])


def numpy_values(np):
    rand = np.random.RandomState(1)
    for code in "?bBhHiIlLqQefdgFDG":
        for order in "<>":
            yield "%s_%s" % ("le" if order == "<" else "be", "%d%s" % (ord(code), code if code != "?" else "q")), \
                np.arange(24).reshape(4, 6).astype(np.dtype(code).newbyteorder(order))
    yield "text", np.array(["abc", "d\u00e9"])
    yield "bytes", np.array([b"abc", b"de"])
    yield "dates", np.array(["2020-01-01", "NaT"], "M8[D]")
    yield "spans", np.arange(5).astype("m8[s]")
    yield "void", np.zeros(4, "V7")
    yield "record", np.zeros(3, [("a", "<f4"), ("b\u00e9", ">i2", (2, 3)), ("c", [("d", "S3")])])
    yield "aligned", np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    yield "wide", np.zeros(2, [("field_number_%d" % i, "f8") for i in range(1000)])
    yield "wider", np.zeros(2, [("a_field_of_number_%d" % i, "f8") for i in range(5000)])
    yield "fortran", np.asfortranarray(rand.rand(5, 6, 7))
    yield "strided", rand.rand(30, 30)[::3, ::-2]
    yield "scalar", np.float64(3.5)
    yield "empty", np.zeros((0, 5))
    yield "empty_in_between", np.zeros((3, 0, 5))
    yield "many_dims", np.zeros((1,) * 30)
    yield "zeros", np.zeros(100000)
    yield "nan", np.full(9, np.nan)
    yield "objects", np.array([{"a": 1}, None], object)


def genuine_numpy(folder):
    np = registry.need("numpy")
    values = list(numpy_values(np))
    paths = each(folder, "w_%s.npy", lambda v, p: np.save(p, v), values)
    for version in ((1, 0), (2, 0), (3, 0)):
        def save(v, p, version=version):
            with open(p, "wb") as f:
                np.lib.format.write_array(f, np.asarray(v), version=version)
        paths += each(folder, "v%d_%%s.npy" % version[0], save, [v for v in values if v[0] not in ("wide", "wider", "record")])
    paths += each(folder, "s_%s.npz", lambda v, p: np.savez(p, v, named=v), values)
    paths += each(folder, "c_%s.npz", lambda v, p: np.savez_compressed(p, v, named=v), values)
    np.savez(folder + "/names.npz", **{"a/b.c": np.ones(3), "\u03bb": np.ones(2), "x" * 3000: np.zeros(1)})
    np.savez(folder + "/many.npz", **{"k%d" % i: np.full(3, i) for i in range(2000)})
    np.savez(folder + "/none.npz")
    np.savez_compressed(folder + "/none_deflated.npz")
    return paths + [folder + "/" + n for n in ("names.npz", "many.npz", "none.npz", "none_deflated.npz")]


def fill_data(f, np, h5py):
    rand = np.random.RandomState(2)
    f.attrs["epoch"] = 4
    f.attrs["text"] = "a text of variable length"
    f.attrs["list"] = np.arange(5000)
    f["plain"] = rand.rand(30, 20)
    f["scalar"] = 3
    f["empty"] = h5py.Empty("f4")
    f["none"] = np.zeros((0, 3))
    f["text"] = np.array(["a", "bc"], dtype=h5py.string_dtype())
    f["fixed"] = np.array([b"abc", b"d"])
    f["bool"] = np.array([True, False])
    f["complex"] = np.array([1 + 2j])
    f["record"] = np.zeros(4, [("a", "f4"), ("b", "i2", (2,))])
    f["enum"] = np.zeros(3, h5py.enum_dtype({"A": 0, "B": 1}, "i1"))
    f["ragged"] = np.zeros(0)
    ragged = f.create_dataset("vlen", (3,), h5py.vlen_dtype("i4"))
    ragged[1] = [1, 2, 3]
    f["refs"] = np.array([f["plain"].ref, f["scalar"].ref], dtype=h5py.ref_dtype)
    f["regions"] = np.array([f["plain"].regionref[2:5, 3]], dtype=h5py.regionref_dtype)
    f["soft"] = h5py.SoftLink("/nowhere")
    f["outside"] = h5py.ExternalLink("other.h5", "/x")
    f["hard"] = f["plain"]
    f["g/" + "deep/" * 60 + "x"] = 1
    f["\u03bb \u00e9"] = 5


def fill_filters(f, np, _):
    rand = np.random.RandomState(3)
    for chunks in ((7, 5), (40, 30), (1, 30)):
        for name, how in (("gzip", {"compression": "gzip"}), ("lzf", {"compression": "lzf"}), ("sum", {"fletcher32": True}),
                          ("shuffle", {"shuffle": True, "compression": 9}), ("all", {"shuffle": True, "compression": "gzip", "fletcher32": True}),
                          ("szip", {"compression": "szip"})):
            try:
                f.create_dataset("%s_%d_%d" % (name, *chunks), data=rand.rand(40, 30), chunks=chunks, **how)
            except (ValueError, OSError):
                continue
    f.create_dataset("scaled", data=np.arange(900), scaleoffset=0, chunks=(100,))
    f.create_dataset("scaled_f", data=rand.rand(900), scaleoffset=4, chunks=(100,))
    f.create_dataset("filled", (90, 90), fillvalue=7, chunks=(10, 10))[30:40, 3] = 1
    f.create_dataset("grows", data=rand.rand(20, 3), maxshape=(None, 3), chunks=(4, 3)).resize((33, 3))
    f.create_dataset("both", data=rand.rand(20, 30), maxshape=(None, None), chunks=(3, 3)).resize((9, 40))
    f.create_dataset("shrunk", data=np.arange(5000), maxshape=(None,), chunks=(10,)).resize((50,))


def fill_layout(f, np, h5py):
    space, plist = h5py.h5s.create_simple((40,)), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    h5py.h5d.create(f.id, b"compact", h5py.h5t.NATIVE_INT32, space, plist).write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(40, dtype="i4"))
    for early in (h5py.h5d.ALLOC_TIME_EARLY, h5py.h5d.ALLOC_TIME_LATE):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(early)
        h5py.h5d.create(f.id, b"alloc%d" % early, h5py.h5t.NATIVE_INT32, space, plist)
    f.create_dataset("external", (10,), "f4", external=[(os.path.basename(f.filename) + ".raw", 0, 40)])[:] = 1
    layout = h5py.VirtualLayout((20,), "f4")
    layout[:10] = h5py.VirtualSource("elsewhere.h5", "x", (10,))
    f.create_virtual_dataset("virtual", layout, fillvalue=-1)
    for i in range(300):
        f["group/%d" % i] = i
    for i in range(0, 300, 3):
        del f["group/%d" % i]
    for i in range(60):
        f["group"].attrs["a%d" % i] = i
    f["renamed"] = f["group/1"]
    f["copy"] = np.arange(3)
    f.copy("group", "group2")


def genuine_hdf5(folder):
    h5py, np = registry.need("h5py"), registry.need("numpy")
    paths = []
    versions = [v for v in ("earliest", "v108", "v110", "latest") if v]
    for fill in (fill_data, fill_filters, fill_layout):
        for low in versions:
            for more in ({}, {"track_order": True}, {"userblock_size": 1024}, {"fs_strategy": "page", "fs_persist": True},
                         {"fs_strategy": "aggregate", "fs_persist": True}, {"alignment_threshold": 1, "alignment_interval": 4096}):
                path = "%s/%s_%s_%s.h5" % (folder, fill.__name__, low, "_".join(more) or "plain")
                try:
                    # external files lie where the program runs
                    with contextlib.chdir(folder), \
                            h5py.File(path, "w", libver=(low, "latest") if low != "earliest" else "earliest", **more) as f:
                        fill(f, np, h5py)
                    paths.append(path)
                except Exception as e:  # an option that this libhdf5 has not
                    refuse("%s: %s: %s" % (path, type(e).__name__, str(e)[:100]))
                    continue
                with h5py.File(path, "r+") as f:
                    f["later"] = np.arange(70)
                    del f["later"]
                    f["last"] = np.arange(7)
    with h5py.File(folder + "/empty.h5", "w"):
        pass
    return paths + [folder + "/empty.h5"]


def genuine_containers(folder):
    """Whatever lies in them: a table, nothing, several parts."""
    paths = []
    for ending, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        for name, parts in (("table.csv", [b"a,b\n" * 5000]), ("parts", [b"x" * 70000, b"y"]), ("ckpt-1.pt", [os.urandom(9000)])):
            paths.append("%s/%s.%s" % (folder, name, ending))
            with open(paths[-1], "wb") as f:
                f.write(b"".join(map(pack, parts)))
    for check in (lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_SHA256):
        paths.append("%s/check%d.xz" % (folder, check))
        with open(paths[-1], "wb") as f:
            f.write(lzma.compress(b"text" * 9999, check=check))
    return paths


def genuine_gromacs(folder):
    paths = []
    for seed, change in enumerate(("", "s/integrator = md/integrator = sd\\ntc-grps = System\\ntau_t = 1\\nref_t = 100/",
                                   "s/nsteps = 200/nsteps = 40\\ntcoupl = nose-hoover\\ntc-grps = System\\ntau_t = 1\\nref_t = 100/",
                                   "s/integrator = md/integrator = md-vv\\ntcoupl = v-rescale\\ntc-grps = System\\ntau_t = 1\\nref_t = 100/")):
        target = "%s/run%d" % (folder, seed)
        swaps = [change.replace("\\n", "\n\t").split("/")[1:3]] if change else []
        if registry.run_gromacs(target, *swaps):
            paths.append(target + "/run.cpt")
        else:
            refuse("gmx: %s" % change)
    return paths


STYLES = ("atom_style atomic", "atom_style charge", "atom_style sphere", "atom_style bond\nbond_style harmonic",
          "atom_style full\nbond_style harmonic\nangle_style harmonic", "atom_style ellipsoid", "atom_style molecular\nbond_style harmonic")


def genuine_lammps(folder):
    paths = []
    for i, style in enumerate(STYLES):
        target = "%s/style%d" % (folder, i)
        extra = "set type 1 mass 1\n" if "sphere" in style else ""
        text = ("units lj\n%s\nlattice fcc 0.8442\nregion box block 0 3 0 3 0 3\ncreate_box 1 box %s\ncreate_atoms 1 box\n"
                "%s\n%s\nrun 0\nwrite_restart single.rst\nwrite_restart multi.%%.rst\n") % (
            style, "", "" if "sphere" in style or "ellipsoid" in style else "mass 1 1.0",
            extra + "pair_style lj/cut 2.5\npair_coeff 1 1 1.0 1.0 2.5" if "sphere" not in style and "ellipsoid" not in style else "pair_style none")
        if "bond_style" in style:
            text = text.replace("create_box 1 box ", "create_box 1 box bond/types 1 angle/types 1 extra/bond/per/atom 2 extra/angle/per/atom 2" if "full" in style
                                else "create_box 1 box bond/types 1 extra/bond/per/atom 2").replace("\nrun 0", "\nbond_coeff 1 1 1\n%srun 0" % ("angle_coeff 1 1 1\n" if "full" in style else ""))
        if registry.run_lammps(target, text):
            paths += [target + "/single.rst", target + "/multi.base.rst"]
        else:
            refuse("lmp: %s" % style.replace("\n", ", "))
    run = base_hpc.simulation("lammps", 1)
    return paths + [run + "/" + n for n in ("lj.restart.50", "lj.restart.100", "single.rst", "multi.base.rst")]


# Samples that are broken on purpose, or are no checkpoints by themselves: patterns of paths below the samples.
BAD = ("broken.pt", "bad_cdf5_begin.nc", "ref_test_corrupt_magic.nc", "bad_half_plus_two", "SOURCES.tsv", ".gitkeep", ".data-0", "orbax/")


def bundle(folder, prefix):
    """The bundle as a training run names it: an export's `variables` is no checkpoint."""
    target = tempfile.mkdtemp(dir=folder)
    for path in glob.glob(prefix + ".*"):
        shutil.copyfile(path, target + "/ckpt-1" + path[len(prefix):])
    return target + "/ckpt-1"


def genuine_samples(folder):
    if not os.path.isdir(registry.SAMPLES):
        raise registry.Absent("no samples (../shared/samples)")
    paths = []
    for at, _, names in os.walk(registry.SAMPLES):
        for name in names:
            path = os.path.join(at, name)
            if not any(b in path for b in BAD):
                paths.append(bundle(folder, path[:-6]) if name.endswith(".index") else path)
    root = registry.SAMPLES + "/orbax/v0_checkpoints/"
    for at, folders, names in os.walk(root):
        if "_CHECKPOINT_METADATA" in names and "/critical_" not in at:
            paths.append(at)
    return paths


def judge(name, paths):
    wrong = []
    for i in range(0, len(paths), 400):
        part = paths[i:i + 400]
        done = subprocess.run([CTL, "validate", "--json"] + part, capture_output=True, timeout=300)
        answers = json.loads(done.stdout)
        answers = answers if isinstance(answers, list) else [answers]
        wrong += [(p, a) for p, a in zip(part, answers) if a["verdict"] != "valid"]
        if len(answers) != len(part):
            raise RuntimeError("%d answers about %d files" % (len(answers), len(part)))
    for path, answer in wrong[:30]:
        print("# %s: %s %s" % (path, answer["verdict"], json.dumps(answer["problem"])))
    why = ""
    if wrong:
        why = "%d of %d are not valid" % (len(wrong), len(paths))
    elif not paths or len(registry.REFUSED) > len(paths):
        why = "%d files written, %d refused by their writer" % (len(paths), len(registry.REFUSED))
    print("not ok genuine_%s: %s" % (name, why) if why else "ok genuine_%s" % name)
    print("# %s: %d files" % (name, len(paths)), flush=True)
    return bool(why)


def main():
    wanted = sys.argv[1:]
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = os.environ["DAMAGE_WORK"] = tempfile.mkdtemp(prefix="ckpt-genuine-", dir=parent)
    failed = False
    try:
        for key, make in list(globals().items()) + list(vars(rare).items()):
            if not key.startswith("genuine_") or wanted and key[8:] not in wanted:
                continue
            folder = os.path.join(work, key)
            os.mkdir(folder)
            registry.REFUSED.clear()
            try:
                failed |= judge(key[8:], make(folder))
            except registry.Absent as e:
                print("skip %s: %s" % (key, e))
    finally:
        if not os.environ.get("DAMAGE_KEEP"):
            shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
