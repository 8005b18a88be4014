#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""HDF5 whose parts lie elsewhere, written by h5py and libhdf5.

make_hdf5_apart.py        in the current directory: filters, external files, virtual data sets, shared messages
"""
import ctypes

import h5py
import numpy as np

A = np.arange(40000, dtype="f4").reshape(200, 200)
LIBRARY = ctypes.CDLL("libhdf5_serial.so.103")


def nbit(f):
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(17)
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((50, 50))
    how.set_filter(h5py.h5z.FILTER_NBIT, 0, ())
    d = h5py.h5d.create(f.id, b"nbit", kind, h5py.h5s.create_simple((200, 200)), how)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, A.astype("i4"))


for lib in ("earliest", "latest"):
    with h5py.File("filters-%s.h5" % lib, "w", libver=lib) as f:
        f.create_dataset("lzf", data=A, chunks=(50, 50), compression="lzf", shuffle=True, fletcher32=True)
        f.create_dataset("szip", data=A, chunks=(50, 50), compression="szip", fletcher32=True)
        f.create_dataset("scale", data=A.astype("i4"), chunks=(50, 50), scaleoffset=0)
        f.create_dataset("lossy", data=A, chunks=(50, 50), scaleoffset=2)
        nbit(f)
        f["type"] = np.dtype([("x", "f4"), ("s", h5py.string_dtype())])
        f.create_dataset("committed", (3,), dtype=f["type"])[0] = (1.0, "abc")
    with h5py.File("external-%s.h5" % lib, "w", libver=lib) as f:
        f.create_dataset("x", data=A, external=[("x-%s.raw" % lib, 0, 100000), ("y-%s.raw" % lib, 16, 60000)])
        f.create_dataset("u", (10,), "f8", external=[("u-%s.raw" % lib, 0, h5py.h5f.UNLIMITED)])[:] = 1

with h5py.File("source.h5", "w") as f:
    f["d"] = A[0]
with h5py.File("virtual.h5", "w", libver="latest") as f:
    layout = h5py.VirtualLayout((2, 200), "f4")
    layout[0] = h5py.VirtualSource("source.h5", "d", (200,))
    layout[1] = h5py.VirtualSource("absent.h5", "d", (200,))
    f.create_virtual_dataset("v", layout, fillvalue=-1)

for name, most in (("list", 50), ("tree", 0)):
    for n in (3, 60):
        plist = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        number = ctypes.c_int64(plist.id)
        assert LIBRARY.H5Pset_shared_mesg_nindexes(number, 2) >= 0
        assert LIBRARY.H5Pset_shared_mesg_index(number, 0, 1 << 1 | 1 << 3 | 1 << 5 | 1 << 11, 8) >= 0
        assert LIBRARY.H5Pset_shared_mesg_index(number, 1, 1 << 12, 8) >= 0
        assert LIBRARY.H5Pset_shared_mesg_phase_change(number, most, max(most - 10, 0)) >= 0
        with h5py.File(h5py.h5f.create(("shared-%s-%d.h5" % (name, n)).encode(), fcpl=plist)) as f:
            for i in range(n):
                d = f.create_dataset("d%d" % i, data=np.arange(100 + i % 7, dtype="f4"), chunks=(10,), fletcher32=True)
                d.attrs["units"] = "metres per second %d" % (i % 5)
                d.attrs["common"] = np.arange(40)
            f["texts"] = ["a", "b"]
