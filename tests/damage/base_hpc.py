# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulations: GROMACS and LAMMPS run for real; NetCDF classic written here as its specification says, and samples."""
import functools
import glob
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import boundaries
from registry import Absent, fmt, sample

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../data")
import make_fti  # noqa: E402
import make_veloc  # noqa: E402


@functools.lru_cache(None)
def simulation(program, seed):
    """A folder with what a small run of the program left; once for all of its checkpoints."""
    if not shutil.which({"gromacs": "gmx", "lammps": "lmp"}[program]):
        raise Absent(program + " is not installed")
    folder = tempfile.mkdtemp(prefix="md-", dir=os.environ.get("DAMAGE_WORK"))
    with open(HERE + "/../data/make_md.sh") as f:
        text = f.read()
    text = text.replace("gen_temp = 100", "gen_temp = %d" % (100 + seed)).replace("87287", "%d" % (87287 + seed))
    if subprocess.run(["bash", "-s", program], input=text, text=True, cwd=folder).returncode != 0:
        raise RuntimeError(program + " is installed, and its run failed")
    return folder


@fmt("gromacs", bases=("1", "2", "3"), boundaries=boundaries.of_words)
def gromacs(folder, variant, seed):
    shutil.copyfile(simulation("gromacs", seed * 3 + int(variant)) + "/run.cpt", folder + "/state.cpt")
    return "state.cpt"


@fmt("lammps", bases=("lj.restart.50", "lj.restart.100", "single.rst"), boundaries=boundaries.of_words)
def lammps(folder, variant, seed):
    shutil.copyfile(simulation("lammps", seed) + "/" + variant, folder + "/lj.restart.100")
    return "lj.restart.100"


@fmt("lammps-set", bases=("1", "2", "3"), boundaries=boundaries.of_words)
def lammps_set(folder, variant, seed):
    run = simulation("lammps", 10 * seed + int(variant))
    for path in glob.glob(run + "/multi.*.rst"):
        shutil.copyfile(path, folder + "/lj.restart.%s.100" % path.split(".")[-2])
    return "lj.restart.%.100", "lj.restart.base.100"


def netcdf_bytes(variant, seed):
    """CDF-1, -2, -5 with a fixed and two record variables."""
    import random
    rng = random.Random("%s %d" % (variant, seed))
    version = {"a": 1, "b": 2, "c": 5}[variant]
    count, begin = (">Q" if version == 5 else ">I"), (">I" if version == 1 else ">Q")

    def num(n):
        return struct.pack(count, n)

    def name(s):
        return num(len(s)) + s.encode() + b"\0" * (-len(s) % 4)

    dims = [("time", 0), ("x", 30), ("y", 21)]
    variables = [("fixed", [1, 2], 6, 8 * 630), ("u", [0, 1], 5, 4 * 30), ("v", [0, 2], 6, 8 * 21)]
    records = 40

    def head(begins):
        out = b"CDF" + bytes([version]) + num(records)
        out += struct.pack(">I", 10) + num(len(dims)) + b"".join(name(n) + num(s) for n, s in dims)
        out += struct.pack(">I", 12) + num(1) + name("title") + struct.pack(">I", 2) + num(7) + b"a title\0"
        out += struct.pack(">I", 11) + num(len(variables))
        for (n, shape, kind, size), at in zip(variables, begins):
            out += name(n) + num(len(shape)) + b"".join(num(d) for d in shape) + struct.pack(">I", 0) + num(0)
            out += struct.pack(">I", kind) + num(size) + struct.pack(begin, at)
        return out
    at = len(head([0, 0, 0]))
    begins = [at, at + variables[0][3], at + variables[0][3] + variables[1][3]]
    data = rng.randbytes(variables[0][3] + records * (variables[1][3] + variables[2][3]))
    return head(begins) + data


@fmt("netcdf", bases=("a", "b", "c", "classic", "64bit_offset"), boundaries=boundaries.of_words)
def netcdf(folder, variant, seed):
    if len(variant) > 1:
        shutil.copyfile(sample("netcdf/ref_nctest_%s.nc" % variant), folder + "/out_10.nc")
        return "out_10.nc"
    with open(folder + "/out_10.nc", "wb") as f:
        f.write(netcdf_bytes(variant, seed))
    return "out_10.nc"


def of_veloc(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        sizes = [struct.unpack("<iQ", f.read(12))[1] for _ in range(n)]
    at = [8 + 12 * i for i in range(n + 1)]
    for size in sizes:
        at.append(at[-1] + size)
    return [0] + at


@fmt("veloc", bases=("a", "b", "c"), boundaries=of_veloc)
def veloc(folder, variant, seed):
    regions = {"a": make_veloc.REGIONS, "b": ((0, 3000),), "c": [(i, i * 7 % 50) for i in range(60)]}[variant]
    with open(folder + "/heat-0-6.dat", "wb") as f:
        f.write(make_veloc.rank_bytes(0, seed, regions))
    return "heat-0-6.dat"


@fmt("fti", bases=("a", "b", "c"))
def fti(folder, variant, seed):
    more = {"a": {}, "b": {"heads": 1, "per_node": 3}, "c": {"nodes": 2, "per_node": 1}}[variant]
    make_fti.save(7, top=folder + "/", meta="Global", seed=seed, **more)
    os.rename("%s/Global/%s/l4" % (folder, make_fti.ID), folder + "/l4")
    shutil.rmtree(folder + "/Global")
    return "l4"
