#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""AMReX directories as its C++ writes them, from the formats of VisMF, FArrayBox, Amr and the particle containers:

make_amrex.py NAME [format=1..4] [dims=1..3] [bytes=4|8] [big] [ghost=N] [plot] [particles] [nan] [narrow]
"""
import itertools
import os
import random
import struct
import sys

name = sys.argv[1]
option = dict((a.split("=") + ["1"])[:2] for a in sys.argv[2:])
fmt, dims, size, ghost = (int(option.get(k, d)) for k, d in (("format", 1), ("dims", 3), ("bytes", 8), ("ghost", 0)))
order = ">" if "big" in option else "<"
ncomp, step, levels = 3, 40, 2
random.seed(name)


def vector(v):
    return "(" + ",".join(map(str, v)) + ")"


def box_text(box):
    return "(" + " ".join(map(vector, (box[0], box[1], [0] * dims))) + ")"


def descriptor():
    form = "64 11 52 0 1 12 0 1023" if size == 8 else "32 8 23 0 1 9 0 127"
    way = range(1, size + 1) if order == ">" else range(size, 0, -1)
    return "((8, (%s)),(%d, (%s)))" % (form, size, " ".join(map(str, way)))


def cells(box):
    """x runs fastest"""
    return [c[::-1] for c in itertools.product(*(range(box[0][d], box[1][d] + 1) for d in reversed(range(dims))))]


def multifab(path, boxes, n_files):
    places, lows, highs, files = [], [], [], {}
    for i, box in enumerate(boxes):
        grown = ([v - ghost for v in box[0]], [v + ghost for v in box[1]])
        all_cells, inside = cells(grown), set(map(tuple, cells(box)))
        data, low, high = b"", [], []
        for _ in range(ncomp):
            values = [random.uniform(-100, 100) for _ in all_cells]
            if "narrow" not in option and size == 4:
                values = [struct.unpack("<f", struct.pack("<f", v))[0] for v in values]
            valid = [v for v, c in zip(values, all_cells) if tuple(c) in inside]
            low.append(min(valid))
            high.append(max(valid))
            if "nan" in option and i == 1:
                values[len(values) // 2] = float("nan")
            data += struct.pack("%s%d%s" % (order, len(values), "d" if size == 8 else "f"), *values)
        file = os.path.basename(path) + "_D_%05d" % (i % n_files)
        head = ("FAB %s%s %d\n" % (descriptor(), box_text(grown), ncomp)).encode() if fmt == 1 else b""
        places.append("FabOnDisk: %s %d" % (file, len(files.setdefault(file, b""))))
        files[file] += head + data
        lows.append(low)
        highs.append(high)
    for file, data in files.items():
        with open(os.path.join(os.path.dirname(path), file), "wb") as f:
            f.write(data)

    def table(rows):
        return "%d,%d\n" % (len(rows), ncomp) + "".join("".join("%.17e," % v for v in r) + "\n" for r in rows) + "\n"

    def extreme(choose, rows):
        return "".join("%.17e," % choose(r[c] for r in rows) for c in range(ncomp)) + "\n"

    text = "%d\n1\n%d\n%s\n" % (fmt, ncomp, ghost if "plot" not in option else vector([ghost] * dims))
    text += "(%d 0\n%s\n)\n%d\n%s\n\n" % (len(boxes), "\n".join(map(box_text, boxes)), len(boxes), "\n".join(places))
    text += table(lows) + table(highs) if fmt in (1, 3) else ""
    text += extreme(min, lows) + extreme(max, highs) if fmt == 4 else ""
    text += descriptor() + "\n" if fmt != 1 else ""
    with open(path + "_H", "w") as f:
        f.write(text)


def geometry():
    zeros, ones = vector([0.0] * dims), vector([0.25] * dims)
    return "(0 %s%s 1)\n(RealBox %s%s)%sP%s" % (zeros, ones, zeros, ones, box_text(([0] * dims, [7] * dims)), vector([0] * dims))


def header_of_amr(state):
    text = "CheckPointVersion_1.0\n%d\n0.125\n3\n%d\n" % (dims, levels - 1)
    text += "".join(geometry() + " " for _ in range(4)) + "\n2 2 2 \n0.1 0.1 0.1 0.1 \n0.1 0.1 0.1 0.1 \n1 2 2 2 \n"
    text += "%d %d 0 0 \n0 0 0 0 \n" % (step, 2 * step)
    for level in range(levels):
        text += "%d\n%s\n(2 0\n)\n1\n1\nLevel_%d/%s\n" % (level, geometry(), level, state)
    return text


def header_of_plot(state):
    text = "HyperCLaw-V1.1\n%d\n" % ncomp + "".join("var %d\n" % i for i in range(ncomp))
    text += "%d\n0.125\n%d\n0 0 \n1 1 \n2 \n%s \n%d %d \n" % (dims, levels - 1, box_text(([0] * dims, [7] * dims)), step, step)
    return text + "".join("0.25 0.25 \n" for _ in range(levels)) + "0\n0\n" + "".join(
        "%d 2 0.125\n%d\n0 1\nLevel_%d/%s\n" % (level, step, level, state) for level in range(levels))


def particles(path):
    reals, ints, counts = 2, 1, [[3, 0, 5], [0, 0, 0]]
    text = "Version_Two_Dot_One_%s\n%d\n%d\nux\nuy\n%d\nkind\n1\n%d\n9\n1\n3\n3\n" % (
        "double" if size == 8 else "single", dims, reals, ints, sum(map(sum, counts)))
    os.makedirs(path + "/Level_0")
    with open(path + "/Level_0/Particle_H", "w") as f:
        f.write("(3 0\n)\n")
    where = 0
    with open(path + "/Level_0/DATA_00000", "wb") as f:
        for n in counts[0]:
            text += "0 %d %d\n" % (n, where)
            data = bytes(n * ((2 + ints) * 4 + (dims + reals) * size))
            f.write(data)
            where += len(data)
    text += "0 0 0\n" * 3
    with open(path + "/Header", "w") as f:
        f.write(text)


grid = [([4 * i] + [0] * (dims - 1), [4 * i + 3] + [3] * (dims - 1)) for i in range(5)]
mf = "Cell" if "plot" in option else "SD_0_New_MF"
for lev in range(levels):
    os.makedirs("%s/Level_%d" % (name, lev))
    multifab("%s/Level_%d/%s" % (name, lev, mf), grid, 2)
with open(name + "/Header", "w") as out:
    out.write(header_of_plot(mf) if "plot" in option else header_of_amr(mf))
if "particles" in option:
    particles(name + "/tracers")
