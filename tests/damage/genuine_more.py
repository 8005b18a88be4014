# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of genuine.py: the same writers with options that few use."""
import contextlib
import io
import os
import shutil
import subprocess
import zlib

import base_more
import registry
from registry import each, refuse


def fill_chunks(f, np, _):
    """Each index of chunks: one, implicit, fixed and extensible arrays with and without pages, both B-trees."""
    rand = np.random.RandomState(4)
    packed = {"compression": "gzip", "fletcher32": True}
    for name, more in (("plain", {}), ("packed", packed)):
        f.create_dataset("fixed_" + name, data=rand.rand(3000), chunks=(1,), **more)
        f.create_dataset("grows_" + name, data=rand.rand(9000), chunks=(1,), maxshape=(None,), **more)
        f.create_dataset("both_" + name, data=rand.rand(100, 90), chunks=(2, 3), maxshape=(None, None), **more)
        f.create_dataset("one_" + name, data=rand.rand(20, 15), chunks=(20, 15), **more)
        f.create_dataset("six_" + name, data=rand.rand(3, 3, 3, 3, 3, 3), chunks=(1, 2, 1, 2, 1, 2), **more)
        f.create_dataset("edges_" + name, data=rand.rand(17, 19), chunks=(5, 6), maxshape=(40, 50), **more)
        for limit in (None, 100000):
            f.create_dataset("far_%s_%s" % (name, limit), (100000,), chunks=(10,), maxshape=(limit,), **more)[77777] = 4
            f.create_dataset("none_%s_%s" % (name, limit), (100000,), chunks=(10,), maxshape=(limit,), **more)
    f.create_dataset("none_both", (100, 100), chunks=(10, 10), maxshape=(None, None))
    f.create_dataset("empty", (0,), chunks=(10,), maxshape=(None,))


def fill_sums(f, np, _):
    """Odd lengths of Fletcher's sum, whole blocks of it, and chunks that were written without their filters."""
    rand = np.random.RandomState(5)
    for n in (1, 2, 3, 7, 719, 720, 721, 1441, 65536, 99999):
        f.create_dataset("some%d" % n, data=rand.randint(0, 255, n).astype("u1"), chunks=(n,), fletcher32=True)
        f.create_dataset("zeros%d" % n, data=np.zeros(n, "u1"), chunks=(n,), fletcher32=True)
        f.create_dataset("ones%d" % n, data=np.full(n, 255, "u1"), chunks=(n,), fletcher32=True, compression="gzip")
    f.create_dataset("big", data=rand.rand(500).astype(">f8"), chunks=(51,), fletcher32=True)
    bare = f.create_dataset("bare", (40,), "u1", chunks=(10,), fletcher32=True)
    bare[:10] = 3
    bare.id.write_direct_chunk((10,), bytes(range(10)), filter_mask=1)
    bare = f.create_dataset("bare_all", (40,), "u1", chunks=(10,), compression="gzip", fletcher32=True, shuffle=True)
    bare.id.write_direct_chunk((10,), bytes(range(10)), filter_mask=7)
    direct = f.create_dataset("direct", (40,), "u1", chunks=(10,), compression="gzip")
    direct.id.write_direct_chunk((0,), zlib.compress(bytes(10)))


def fill_groups(f, _, h5py):
    """Links in headers and in heaps, long ones, many, and those that were taken out."""
    ordered = f.create_group("ordered", track_order=True)
    for i in range(1500):
        ordered.create_group("s%d" % i)
    for i in range(1499):
        del ordered["s%d" % i]
    for i in range(30):
        f["long/" + "n" * (1000 + i * 100)] = i
        f["soft%d" % i] = h5py.SoftLink("/ordered/s%d" % i)
        f["far%d" % i] = h5py.ExternalLink("f%d.h5" % i, "/x" * 50)
    f["L" * 60000] = 1
    at = f
    for _ in range(200):
        at = at.create_group("deeper")


def fill_types(f, np, h5py):
    f["named"], f["record"] = np.dtype("f8"), np.dtype([("a", "f4", (3, 2)), ("b", h5py.string_dtype()), ("c", [("d", "i2")])])
    f.create_dataset("of_named", (10,), dtype=f["named"])
    f.create_dataset("of_record", (10,), dtype=f["record"])
    f["of_named"].attrs.create("t", 1.0, dtype=f["named"])
    f.create_dataset("opaque", data=np.zeros(3, "V10"))
    f.create_dataset("huge", data=np.array([b"x" * 200000], object), dtype=h5py.string_dtype("ascii"))
    f.create_dataset("texts", data=np.array([b"x" * i for i in range(900)], object), dtype=h5py.string_dtype("ascii"))
    for kind in ("f2", "g", "F", "D", "i1", "u8"):
        f.create_dataset("of_" + kind, data=np.zeros(3, kind))
    f["scale"] = np.arange(10)
    f["scale"].make_scale("x")
    f["of_named"].dims[0].attach_scale(f["scale"])
    f.create_dataset("times", data=np.arange(4), track_times=True)
    for i in range(200):
        f["scale"].attrs["a%d" % i] = np.arange(i)
    with contextlib.suppress(Exception):  # in old versions at most 64 KB
        f["scale"].attrs["large"] = np.zeros(100000)


def fill_alloc(f, _, h5py):
    """What was allocated and never written, as each of the options has it."""
    space = h5py.h5s.create_simple((40,))
    for fill in (h5py.h5d.FILL_TIME_ALLOC, h5py.h5d.FILL_TIME_NEVER, h5py.h5d.FILL_TIME_IFSET):
        for alloc in (h5py.h5d.ALLOC_TIME_EARLY, h5py.h5d.ALLOC_TIME_LATE, h5py.h5d.ALLOC_TIME_INCR):
            for how in ("whole", "chunked", "summed"):
                plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plist.set_fill_time(fill)
                plist.set_alloc_time(alloc)
                if how != "whole":
                    plist.set_chunk((7,))
                if how == "summed":
                    plist.set_fletcher32()
                with contextlib.suppress(ValueError):  # early and compact, and the like
                    h5py.h5d.create(f.id, b"%s%d%d" % (how.encode(), fill, alloc), h5py.h5t.NATIVE_INT32, space, plist)


def fill_swmr(f, np, _):
    grows = f.create_dataset("x", (0, 3), maxshape=(None, 3), chunks=(2, 3))
    f.swmr_mode = True
    for i in range(300):
        grows.resize((2 * i + 2, 3))
        grows[2 * i:] = i
        grows.flush()


def fill_virtual(f, np, h5py):
    layout = h5py.VirtualLayout((4, 100), "i4")
    for i in range(4):
        layout[i] = h5py.VirtualSource("part%d.h5" % i, "d", (100,))
    f.create_virtual_dataset("parts", layout, fillvalue=-5)
    f["own"] = np.arange(100)
    layout = h5py.VirtualLayout((100,), "i8")
    layout[::2] = h5py.VirtualSource(f["own"])[::2]
    f.create_virtual_dataset("of_itself", layout)
    f.create_virtual_dataset("of_nothing", h5py.VirtualLayout((100,), "i8"))


def genuine_hdf5_fills(folder):
    h5py, np = registry.need("h5py"), registry.need("numpy")
    paths = []
    for low in ("earliest", "v108", "v110", "latest"):
        for fill in (fill_chunks, fill_sums, fill_groups, fill_types, fill_alloc, fill_swmr, fill_virtual):
            if fill is fill_swmr and low in ("earliest", "v108") or fill is fill_virtual and low == "v108":
                continue  # not of these versions

            def save(value, path, low=low):
                with h5py.File(path, "w", libver=(low, low) if low.startswith("v") else low) as f:
                    value(f, np, h5py)
            paths += each(folder, "%%s_%s.h5" % low, save, [(fill.__name__, fill)])
    return paths


def some_of_all(f, np):
    rand = np.random.RandomState(6)
    f.create_dataset("packed", data=rand.rand(300, 3), chunks=(10, 3), compression="gzip", fletcher32=True)
    f.create_dataset("grows", data=np.arange(60), chunks=(3,), maxshape=(None,))
    f.attrs["list"], f["text"] = np.arange(300), ["abc"] * 9
    for i in range(30):
        f["g/%d" % i] = i
        f["g"].attrs["a%d" % i] = i


def genuine_hdf5_files(folder):
    """Options of the file: a user block, what lies in it, strategies of space, drivers, widths of addresses."""
    h5py, np = registry.need("h5py"), registry.need("numpy")

    def save(more, path):
        with h5py.File(path, "w", **more) as f:
            some_of_all(f, np)
            for i in range(0, 30, 2):
                del f["g/%d" % i]
        if "userblock_size" in more:
            with open(path, "r+b") as f:
                f.write(b"#!/bin/sh\nsomebody else's text" * 5)

    def of_widths(widths, path):
        create, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        create.set_sizes(*widths)
        with h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, create, access)) as f:
            some_of_all(f, np)
    cases = [("user%d_%s" % (n, v), {"userblock_size": n, "libver": v}) for n in (512, 4096, 1 << 20) for v in ("earliest", "latest")]
    cases += [("%s_%d_%d_%d" % (how, keep, least, page), {"libver": "latest", "fs_strategy": how, "fs_persist": keep,
                                                         "fs_threshold": least, "fs_page_size": page})
              for how in ("fsm", "page", "aggregate", "none") for keep in (False, True) for least in (1, 100) for page in (512, 65536)]
    cases += [("core", {"driver": "core", "backing_store": True}), ("stdio", {"driver": "stdio"})]
    return each(folder, "%s.h5", save, cases) + each(folder, "widths_%s.h5", of_widths, [
        ("%d_%d" % w, w) for w in ((4, 4), (4, 8), (8, 4), (8, 8))])


class Stream(io.RawIOBase):
    """A pipe: what is written cannot be gone back to."""

    def __init__(self, path):
        super().__init__()
        self.file = open(path, "wb")

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)

    def close(self):
        self.file.close()
        super().close()


def odd_arrays(np):
    yield "titles", np.zeros(3, np.dtype({"names": ["a", "b"], "formats": ["f4", "i8"], "titles": ["A", "T'b\""]}))
    yield "gaps", np.zeros(3, np.dtype({"names": ["a", "b"], "formats": ["f4", "i8"], "offsets": [4, 16], "itemsize": 40}))
    yield "nested", np.zeros((2, 2), [("a", [("b", [("c", "f4", (2, 2)), ("d", "U3")]), ("e", "M8[ns]")]), ("f", "?")])
    yield "parts", np.zeros(2, [("x", "f4", (1,)), ("y", "i1", 3)])
    yield "no_fields", np.zeros(3, [])
    for kind in ("V0", "S0", "U0"):
        yield "none_" + kind, np.zeros(3, kind)
    yield "names", np.zeros(2, [("\u043a\u043b\u044e\u0447", "f4"), ("a'b", "i2"), ('q"', "i2"), ("back\\", "i1"), ("new\n", "i1"), ("(", "i1")])
    yield "long_name", np.zeros(1, [("n" * 70000, "f4")])
    yield "huge_none", np.zeros((0, 2**40))
    yield "none_huge", np.zeros((2**30, 0), "i1")
    for name, value in (("number", 3), ("text", "abc"), ("object", {"a": [1]})):
        yield "0d_" + name, np.array(value, object if name == "object" else None)
    yield "0d_record", np.array((1, 2.0), [("a", "i4"), ("b", "f8")])
    yield "object_records", np.zeros(2, [("a", "O"), ("b", "f4")])
    yield "no_objects", np.empty((3, 0), object)
    yield "spans", np.array([1, 2], "m8")
    yield "dates", np.array(["2020-01-01"], "M8[25us]")
    yield "broadcast", np.broadcast_to(np.arange(4), (5, 4))
    yield "fortran_none", np.zeros((0, 4), order="F")
    yield "matrix", np.matrix([[1, 2]])
    yield "rec", np.rec.array([(1, 2.0, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U4")])


def genuine_numpy_odd(folder):
    np = registry.need("numpy")
    values = list(odd_arrays(np))
    paths = each(folder, "%s.npy", lambda v, p: np.save(p, v), values)
    paths += each(folder, "%s.npz", lambda v, p: np.savez(p, v, x=v), values)
    paths += each(folder, "c_%s.npz", lambda v, p: np.savez_compressed(p, v, x=v), values)

    def twice(value, path):
        with open(path, "wb") as f:
            np.save(f, value)
            np.save(f, value)

    def mapped(version, path):
        array = np.lib.format.open_memmap(path, mode="w+", dtype="f4", shape=(100, 3), fortran_order=True, version=version)
        array[:] = 1

    def piped(save, path):
        with Stream(path) as f:
            save(f, a=np.arange(1000), b=np.ones(3), c=np.zeros(0))
    paths += each(folder, "%s.npy", twice, [("twice", np.arange(3))])
    paths += each(folder, "mapped%s.npy", mapped, [("1", (1, 0)), ("2", (2, 0)), ("3", None)])
    paths += each(folder, "piped%s.npz", piped, [("", np.savez), ("_deflated", np.savez_compressed)])
    # more entries than a zip counts in two bytes
    return paths + each(folder, "%s.npz", lambda v, p: np.savez(p, **v), [("many", {"k%d" % i: np.int8(i % 100) for i in range(66000)})])


def genuine_torch_odd(folder):
    torch = registry.need("torch")

    def with_old_pickles(protocol):
        def save(value, path):
            torch.save(value, path, pickle_protocol=protocol)
            torch.load(path)  # not all that is written so is read again
        return save

    def in_turn(value, path):
        with open(path, "wb") as f:
            for _ in range(3):
                torch.save(value, f, _use_new_zipfile_serialization=False)

    def package(value, path):
        with torch.package.PackageExporter(path) as e:
            e.save_pickle("model", "model.pkl", value)
            e.save_text("notes", "n.txt", "abc")
            e.save_binary("notes", "b.bin", b"x" * 5000)
    plain = [("numbers", {"epoch": 3, "loss": 0.5, "list": [1, 2**70, -1]}), ("long_line", {"text": "\u044f" * 70000}), ("long_number", 10**70000),
             ("lines", {"a\nb\\": "\n\n", "bytes": b"\n"})]
    paths = each(folder, "p0_%s.pt", with_old_pickles(0), plain) + each(folder, "p1_%s.pt", with_old_pickles(1), plain)
    some = {"epoch": 3, "w": torch.randn(30), "half": torch.ones(3).half()}
    os.makedirs(folder + "/x y")
    for name in ("\u043c\u043e\u0434\u0435\u043b\u044c 1.0 \u00e9.pt", "a.b.c.ckpt", "x y/z.pt", "archive.pt", "percent%d.pt", "q\"uote'.pt"):
        paths += each(folder, "%s", torch.save, [(name, some)])
    paths += each(folder, "%s.pt", in_turn, [("in_turn", some)])
    paths += each(folder, "%s.pt", package, [("package", {"w": torch.ones(30)})])
    many = [("many", [torch.ones(1) for _ in range(66000)])]
    paths += each(folder, "%s.pt", torch.save, many)
    paths += each(folder, "legacy_%s.pt", lambda v, p: torch.save(v, p, _use_new_zipfile_serialization=False), many)
    script = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(3, 3)))
    return paths + each(folder, "%s.ptl", lambda m, p: m._save_for_lite_interpreter(p), [("lite", script)])


COUPLED = "tc-grps = System\n\ttau_t = 1\n\tref_t = 100\n\t"
PRESSED = COUPLED + "tau_p = 5\n\tref_p = 1\n\tcompressibility = 4e-5\n\t"
LAMBDAS = "init-lambda-state = 0\n\tfep-lambdas = 0 0.5 1\n\tcouple-moltype = AR\n\tcouple-lambda1 = none\n\tnstdhdl = 10\n\t"
RUNS = (
    ("md", PRESSED + "tcoupl = nose-hoover\n\tpcoupl = Parrinello-Rahman"),
    ("md", PRESSED + "tcoupl = berendsen\n\tpcoupl = Berendsen"),
    ("md-vv", PRESSED + "tcoupl = nose-hoover\n\tpcoupl = MTTK\n\tnsttcouple = 1\n\tnstpcouple = 1"),
    ("bd", COUPLED + "bd-fric = 100"),
    ("md", COUPLED + "tcoupl = v-rescale\n\tannealing = single\n\tannealing-npoints = 2\n\tannealing-time = 0 1\n\tannealing-temp = 100 200"),
    ("md", "nstxout = 10\n\tnstvout = 10\n\tnstfout = 10\n\tnstlog = 10"),
    ("md", LAMBDAS + "free-energy = yes"),
    ("md-vv", COUPLED + LAMBDAS + "tcoupl = v-rescale\n\tfree-energy = expanded\n\tnstexpanded = 20\n\tlmc-stats = wang-landau\n\tlmc-move = metropolis"),
    ("md", "comm-mode = angular"),
)


def gmx(target, *arguments):
    """Whether gmx did it."""
    return subprocess.run(["gmx", "-quiet", *arguments], cwd=target, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, check=False).returncode == 0


def genuine_gromacs_options(folder):
    paths = []
    for i, (integrator, more) in enumerate(RUNS):
        target = "%s/run%d" % (folder, i)
        if registry.run_gromacs(target, ("integrator = md\n", "integrator = %s\n\t%s\n" % (integrator, more))):
            paths += [target + "/run.cpt"]
        else:
            refuse("gmx: %s" % more.replace("\n\t", ", "))
    # one that goes on, in its own files and in new ones
    for how in ("-append", "-noappend"):
        target = "%s/on%s" % (folder, how)
        if paths and gmx(os.path.dirname(paths[0]), "convert-tpr", "-s", "t.tpr", "-nsteps", "400", "-o", "t2.tpr"):
            shutil.copytree(os.path.dirname(paths[0]), target)
            if gmx(target, "mdrun", "-s", "t2.tpr", "-deffnm", "run", "-cpi", "run.cpt", how, "-nt", "1", "-cpt", "0"):
                paths.append(target + "/run.cpt")
    return paths


LJ = ("units lj\nlattice fcc 0.8442\nregion box block 0 3 0 3 0 3\ncreate_box 1 box\ncreate_atoms 1 box\nmass 1 1.0\n"
      "velocity all create 1.0 4928\npair_style lj/cut 2.5\npair_coeff 1 1 1.0 1.0 2.5\n")
END = "run 20\nwrite_restart single.rst\nwrite_restart multi.%.rst\n"
INPUTS = (
    LJ + "fix 1 all nvt temp 1.0 1.0 0.1\n" + END,
    LJ + "fix 1 all npt temp 1.0 1.0 0.1 iso 0 0 1\n" + END,
    LJ + "fix 1 all nve\nfix 2 all langevin 1 1 1 48279\nfix 3 all momentum 10 linear 1 1 1\n" + END,
    LJ + "group h id 1:50\nfix 1 all nve\nfix st h store/state 0 x y z\nfix p all property/atom i_mine d_other\ncompute m all msd\n" + END,
    LJ.replace("block 0 3 0 3 0 3", "prism 0 3 0 3 0 3 0.5 0 0") + "fix 1 all nve\n" + END,
    LJ + "pair_style hybrid/overlay lj/cut 2.5 morse 2.5\npair_coeff 1 1 lj/cut 1 1\npair_coeff 1 1 morse 1 1 1\nfix 1 all nve\n" + END,
    LJ + "fix 1 all nve\nrun 5\nwrite_restart single.rst noinit\nwrite_restart multi.%.rst nfile 1\n",
    LJ + "reset_timestep 5000000000\nwrite_restart single.rst\nreset_timestep 0\nwrite_restart multi.%.rst fileper 2\n",
    LJ.replace("create_atoms 1 box\n", "").replace("velocity all create 1.0 4928\n", "") + "write_restart single.rst\nwrite_restart multi.%.rst\n",
    LJ + "fix 1 all nve\nrun 5\nwrite_restart all.mpiio.5\n",
)


def genuine_lammps_options(folder):
    paths = []
    for i, text in enumerate(INPUTS):
        target = "%s/run%d" % (folder, i)
        if registry.run_lammps(target, text):
            paths += [os.path.join(target, n) for n in ("single.rst", "multi.base.rst", "all.mpiio.5") if os.path.exists(os.path.join(target, n))]
        else:
            refuse("lmp: %s" % text.replace("\n", ", ")[-80:])
    return paths


def genuine_adios(folder):
    paths = []
    for size in (1, 50, 3000, 100000):
        target = "%s/run%d" % (folder, size)
        os.mkdir(target)
        base_more.generated(target, "make_adios.py", "real", "POSIX", str(size), "1")
        paths += [target + "/run.bp", target + "/run.bp.dir/run.bp.0"]
    return paths
