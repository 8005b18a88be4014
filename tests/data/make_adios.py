#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ADIOS output.

make_adios.py real [METHOD [SIZE [SEED]]]     run.bp, and with the method POSIX, which it is without one, run.bp.dir/run.bp.0,
                          written by ADIOS 1 (python3-adios): three steps of SIZE numbers, others with another SEED
make_adios.py bp4 [big] [active]     out.bp/ from the format of BP4Writer.cpp: three steps, two data files
make_adios.py bp5 [big] [active] [flush]     out.bp/ from the format of BP5Writer.cpp: four processes, two data files
"""
import os
import struct
import sys

order = ">" if "big" in sys.argv else "<"


def u64(*v):
    return struct.pack("%s%dQ" % (order, len(v)), *v)


def head(kind, version, tail):
    tag = ("ADIOS-BP v2.9.1 " + kind).encode().ljust(32, b"\0")
    return (tag + b"291\0" + bytes([order == ">", version]) + tail).ljust(64, b"\0")


def put(name, data):
    os.makedirs("out.bp", exist_ok=True)
    with open("out.bp/" + name, "wb") as f:
        f.write(data)


def group(n):
    body = bytes(n)
    return b"[PGI" + u64(8 + n + 4) + body + b"PGI]"


def bp4():
    active = bytes(["active" in sys.argv])
    index, metadata = head("Index Table", 4, active), head("Metadata", 4, b"\0")
    data = [head("Data", 4, b"\0"), head("Data", 4, b"\0")]
    for step in range(1, 4):
        at = len(metadata)
        metadata += bytes(100)
        index += u64(step, 0, at, at + 30, at + 80, at + 100, 1700000000, 0)
        for i in range(2):
            data[i] += group(50 * step + i) + group(7)
    put("md.idx", index)
    put("md.0", metadata)
    for i in range(2):
        put("data.%d" % i, data[i])


def bp5():
    active = bytes([2, "active" in sys.argv])
    writers, files, flushes = 4, 2, int("flush" in sys.argv)
    index, metadata = head("Index Table", 5, active + b"n"), b""
    data = [b"", b""]
    for step in range(3):
        if step == 0:
            index += b"w" + u64(8 * (3 + writers), writers, files, files, *[w % files for w in range(writers)])
        size, places = 200 + step, []
        for w in range(writers):
            for _ in range(flushes):
                places += [len(data[w % files]), 64]
                data[w % files] += bytes(64)
            places.append(len(data[w % files]))
            data[w % files] += bytes(32)
        index += b"s" + u64(8 * (3 + len(places)), len(metadata), size, flushes, *places)
        metadata += bytes(size)
    put("md.idx", index)
    put("md.0", metadata)
    put("mmd.0", u64(12, 30) + bytes(42) + u64(12, 8) + bytes(20))
    for i in range(files):
        put("data.%d" % i, data[i])


def real():
    import types

    package = types.ModuleType("adios")
    package.__path__ = ["/usr/lib/python3/dist-packages/adios", "/usr/lib/python3/dist-packages/adios_mpich"]
    sys.modules["adios"] = package  # Debian's lacks the __init__.py
    try:
        import adios.adios as ad
        import numpy as np
    except ImportError:
        sys.exit(77)
    method, size, seed = (sys.argv[2:] + ["POSIX", 50, 0][len(sys.argv) - 2:])[:3]
    values = np.arange(float(size)) + int(seed)
    ad.init_noxml()
    ad.set_max_buffer_size(10)
    run = ad.declare_group("restart", "iter", ad.FLAG.YES)
    ad.define_var(run, "nx", "", ad.DATATYPE.integer, "", "", "")
    ad.define_var(run, "t", "", ad.DATATYPE.double, "nx", "nx", "0")
    ad.select_method(run, method, "", "")
    for step in range(3):
        fd = ad.open("restart", "run.bp", "a" if step else "w")
        ad.write_int(fd, "nx", int(size))
        ad.write(fd, "t", values + step)
        ad.close(fd)
    ad.finalize()


{"real": real, "bp4": bp4, "bp5": bp5}[sys.argv[1]]()
