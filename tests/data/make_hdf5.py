# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes HDF5 files of every structure that libhdf5 has into the current directory; see test_hdf5.c."""
import h5py
import numpy as np

rand = np.random.RandomState(1)
sums = dict(fletcher32=True)
deflated = dict(compression="gzip")


def open_(name, lib, **more):
    return h5py.File(name, "w", libver=lib, **more)


for lib in ("earliest", "latest"):
    def name(what):
        return "%s_%s.h5" % (what, lib)

    with open_(name("plain"), lib) as f:
        f["w"] = rand.rand(20, 30)
        f["g/h/b"] = np.arange(7, dtype=">i2")
        f["empty"] = h5py.Empty("f4")
        f["none"] = np.zeros((0, 4))
        f["scalar"] = 5
        f["text"] = np.array([b"abc", b"de"])
        f.create_dataset("later", (100, 100))
        f["soft"] = h5py.SoftLink("/g/h")
        f["hard"] = f["g"]
        f["g/loop"] = f["/"]
        f["ext"] = h5py.ExternalLink("x.h5", "/")
        f["type"] = np.dtype([("a", "f4"), ("b", "i8")])
        f["v"] = np.array(["a", "bc"], dtype=h5py.string_dtype())

    with open_(name("groups"), lib) as f:
        for i in range(700):
            f.create_group("group_with_a_name_%d" % i)
        for i in range(30):
            f["d/deep%d" % i] = np.arange(i)
        del f["group_with_a_name_5"], f["d/deep7"]

    with open_(name("wide"), lib, track_order=True) as f:
        for i in range(6000):
            f["x%d" % i] = h5py.SoftLink("/nowhere/%d" % i)

    with open_(name("attributes"), lib, track_order=True) as f:
        for i in range(40):
            f.attrs["a%d" % i] = np.full(i, i)
        f.attrs["epoch"] = 12
        f.attrs["global_step"] = np.uint64(3456)
        f.create_group("g").attrs["long"] = np.zeros(7000)

    with open_(name("chunks"), lib) as f:
        for kind, how in (("plain", {}), ("sums", sums), ("gzip", deflated),
                          ("both", dict(sums, shuffle=True, **deflated)), ("lzf", dict(compression="lzf"))):
            g = f.create_group(kind)
            g.create_dataset("single", data=rand.rand(6, 6), chunks=(6, 6), **how)
            g.create_dataset("fixed", data=rand.rand(30, 31), chunks=(7, 5), **how)
            g.create_dataset("paged", data=np.arange(6000), chunks=(2,), **how)
            g.create_dataset("grows", data=np.arange(900), chunks=(3,), maxshape=(None,), **how)
            g.create_dataset("both", data=rand.rand(40, 40), chunks=(3, 3), maxshape=(None, None), **how)
            g["grows"].resize((1200,))
            g["both"].resize((20, 20))
            g.create_dataset("sparse", (1000, 1000), chunks=(10, 10), **how)[500:520, 77] = 1

    with open_(name("pages"), lib) as f:
        f.create_dataset("x", (0,), "i4", chunks=(1,), maxshape=(None,), **sums).resize((40000,))
        f["x"][:] = np.arange(40000)

    with open_(name("summed"), lib) as f:
        f.create_dataset("layers/dense/w", data=rand.rand(60, 50), chunks=(20, 50), **sums)
        f.create_dataset("layers/dense/b", data=rand.rand(3001), chunks=(100,), **sums)
        f.create_dataset("odd", data=rand.randint(0, 99, 77).astype("u1"), chunks=(7,), **sums)

    with open_(name("user"), lib, userblock_size=2048) as f:
        f["x"] = np.arange(9)

    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dcpl.set_chunk((4, 4))
    dcpl.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    with open_(name("implicit"), lib) as f:
        d = h5py.h5d.create(f.id, b"x", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((10, 9)), dcpl)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(90, dtype="i4"))

with open_("keras2.h5", "earliest") as f:
    f.attrs["keras_version"] = np.bytes_("2.9.0")
    f["model_weights/dense/kernel:0"] = rand.rand(4, 4).astype("f4")
    f["optimizer_weights/Adam/iter:0"] = np.int64(1234)
with open_("keras3.weights.h5", "earliest") as f:
    f["layers/dense/vars/0"] = rand.rand(4, 4).astype("f4")
    f["optimizer/vars/0"] = np.int32(77)
    f["optimizer/vars/1"] = np.float32(0.001)
with open_("variable.h5", "latest") as f:
    f.attrs["keras_version"] = "2.15.0"
    f["v"] = np.array(["a", "bc", ""] * 900, dtype=h5py.string_dtype())
with open_("swmr.h5", "latest") as f:
    f.create_dataset("x", data=np.arange(30), chunks=(3,), maxshape=(None,))
    f.swmr_mode = True
    f.flush()
    open("killed.h5", "wb").write(open("swmr.h5", "rb").read())
for lib in ("earliest", "latest"):
    with h5py.File(f"split_{lib}", "w", driver="split", meta_ext=b"-m.h5", raw_ext=b"-r.h5", libver=lib) as f:
        f["x"] = rand.rand(100, 50)
    with h5py.File(f"family_{lib}_%d.h5", "w", driver="family", memb_size=8192, libver=lib) as f:
        f["x"] = rand.rand(100, 50)
