# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile files: lengths of 2^63, millions of entries, nesting of 10^5, archives whose entries overlap, structures that
point back at themselves, little that unpacks to much. Each must end in a clear verdict, within a second and another one
for each megabyte, and in 64 MiB of memory, as wait4(2) counts it."""
import gzip
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import base_hpc
import base_tf
import registry

CTL = os.environ.get("CKPTCTL") or HERE + "/../../build/ckptctl"
MEMORY = 64 << 10  # KiB
HUGE = 2 ** 63 - 1
BOMBS = {}


def bomb(name, verdicts=("incomplete", "corrupt", "unreadable")):
    """A function that returns the file's bytes, or writes it and returns its path below the folder given."""
    def register(make):
        BOMBS[name] = (make, verdicts)
        return make
    return register


ANY = ("valid", "incomplete", "corrupt", "unreadable")


def zip_of(records, count=None, size=None, offset=None, method=0):
    """PyTorch's form of archive; the end records say what they are told to."""
    out, directory = bytearray(), bytearray()
    for name, data in records:
        import zlib
        at, crc, full = len(out), zlib.crc32(data), ("archive/" + name).encode()
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, 0x0800, method, 0, 0, crc, len(data), len(data), len(full), 0) + full + data
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, 0x0800, method, 0, 0, crc, len(data), len(data), len(full),
                                 0, 0, 0, 0, 0, at) + full
    return ends(out, directory, len(records) if count is None else count, size, offset)


def ends(out, directory, n, size=None, offset=None):
    at = len(out) if offset is None else offset
    size = len(directory) if size is None else size
    end64 = len(out) + len(directory)
    out = bytes(out) + bytes(directory) + struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0x31E, 45, 0, 0, n, n, size, at)
    out += struct.pack("<IIQI", 0x07064B50, 0, end64, 1)
    return out + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def torch_of(pickle, **more):
    return zip_of([("data.pkl", pickle), ("version", b"3\n")], **more)


for n in (10 ** 7, 2 ** 63, 2 ** 64 - 1):
    bomb("ckpt-1.pt/entries_%d" % n)(lambda n=n: torch_of(b"\x80\2}.", count=n))
    bomb("ckpt-1.pt/directory_size_%d" % n)(lambda n=n: torch_of(b"\x80\2}.", size=n))
    bomb("ckpt-1.pt/directory_offset_%d" % n)(lambda n=n: torch_of(b"\x80\2}.", offset=n))
for word, body in (("marks", b"(" * 100000), ("lists", b"]" * 100000 + b"a" * 99999), ("tuples", b"N" + b"\x85" * 100000),
                   ("dicts", b"}" + b"K\1}" * 50000), ("dup", b"}" + b"2" * 100000), ("memo", b"}r\xff\xff\xff\x7f"),
                   ("long4", b"\x8b\xff\xff\xff\x7f"), ("unicode8", b"\x8d" + b"\xff" * 8), ("bytes8", b"\x8e" + b"\xff" * 7 + b"\x7f"),
                   ("frame", b"\x95" + b"\xff" * 8), ("puts", b"}" + b"".join(b"r" + struct.pack("<I", i) for i in range(200000)))):
    bomb("ckpt-1.pt/pickle_" + word, ANY)(lambda body=body: torch_of(b"\x80\4" + body + b"."))
    bomb("ckpt-1.pth/legacy_" + word, ANY)(lambda body=body: bytes.fromhex("80028a0a6cfc9c46f9206aa850192e80024de9032e") +
                                           b"\x80\2}." + b"\x80\2" + body + b"." + b"\x80\2]." * 2)


@bomb("ckpt-1.pt/overlapping")
def overlapping():
    """Ten thousand entries of the directory with the same million bytes."""
    data, name = bytes(1000000), b"archive/data/0"
    out = struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, 0x0800, 0, 0, 0, 0, len(data), len(data), len(name), 0) + name + data
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, 0x0800, 0, 0, 0, 0, len(data), len(data), len(name), 0, 0, 0, 0, 0, 0) + name
    return ends(out, entry * 10000, 10000)


@bomb("ckpt-1.pt/million_entries", ANY)
def million_entries():
    name = b"archive/data/0"
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, 0x0800, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    return ends(b"", entry * 200000, 200000)


def packed(size, name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z, z.open(name, "w", force_zip64=True) as f:
        f.write(b"\x93NUMPY\1\0\x76\0" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }".ljust(128) % (size - 128))
        for _ in range(size >> 20):
            f.write(bytes(1 << 20))
    return out.getvalue()


bomb("state_1.npz/inflates_to_a_gigabyte", ANY)(lambda: packed(1 << 30, "a.npy"))
bomb("state_1.npz/nested", ANY)(lambda: zip_of([("a.npy", packed(1 << 26, "b.npy"))]))


def npy(head, version=1):
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(head)) + head


for word, shape in (("2_63", "(%d,)" % 2 ** 63), ("product", "(%d, %d, %d)" % ((2 ** 32,) * 3)), ("negative", "(-1,)"), ("many", "(" + "1, " * 20000 + ")"),
                    ("nested", "(" * 30000), ("digits", "(" + "9" * 30000 + ",)")):
    bomb("weights_1.npy/shape_" + word)(lambda shape=shape: npy(("{'descr': '<f8', 'fortran_order': False, 'shape': %s, }\n" % shape).encode()))
bomb("weights_1.npy/header_4_gib")(lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff{")
bomb("weights_1.npy/nested_descr")(lambda: npy(b"{'descr': " + b"[('a'," * 9000))


def lammps():
    """A restart without its mark at the end, and many a list of MPI-IO's that never ends."""
    head = b"LammpS RestartT\0" + struct.pack("<ii", 1, 3)
    return head + struct.pack("<4i", 44, 0, 45, 1) * 80000


bomb("lmp.1.restart/lists_without_end")(lammps)


def safetensors(text, size=None, data=b""):
    return struct.pack("<Q", len(text) if size is None else size) + text + data


for n in (2 ** 63, 2 ** 64 - 1, 10 ** 8, 10 ** 8 + 1):
    bomb("model.safetensors/header_%d" % n)(lambda n=n: safetensors(b'{"a":1}', n))
bomb("model.safetensors/nested")(lambda: safetensors(b'{"a":' + b"[" * 100000))
bomb("model.safetensors/nested_objects")(lambda: safetensors(b'{"a":' * 100000))
bomb("model.safetensors/offsets")(lambda: safetensors(b'{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551615]}}'))
bomb("model.safetensors/product")(lambda: safetensors(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'))
bomb("model.safetensors/many_dims", ANY)(lambda: safetensors(b'{"a":{"dtype":"F32","shape":[' + b"1," * 500000 + b'1],"data_offsets":[0,4]}}', None, b"1234"))
bomb("model.safetensors/million_tensors", ANY)(lambda: safetensors(
    b"{" + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(300000)) + b"}"))
bomb("model.safetensors/long_key", ANY)(lambda: safetensors(b'{"' + b"k" * 5000000 + b'":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'))


def trainer(text):
    def make(folder):
        os.mkdir(folder + "/checkpoint-5")
        with open(folder + "/checkpoint-5/model.safetensors", "wb") as f:
            f.write(safetensors(b"{}"))
        with open(folder + "/checkpoint-5/trainer_state.json", "wb") as f:
            f.write(text())
        return "checkpoint-5"
    return make


bomb("hf/nested")(trainer(lambda: b'{"global_step": 5, "a": ' + b"[" * 100000))
bomb("hf/objects")(trainer(lambda: b'{"a":' * 100000))
bomb("hf/long_history", ANY)(trainer(lambda: b'{"global_step": 5, "log_history": [' + b'{"loss": 0.1, "step": 1},' * 300000 + b"{}]}"))
bomb("hf/number", ANY)(trainer(lambda: b'{"global_step": ' + b"9" * 1000000 + b"}"))
bomb("hf/exponent", ANY)(trainer(lambda: b'{"global_step": 1e999999999}'))


def netcdf(version, n, where):
    c = ">Q" if version == 5 else ">I"
    n = min(n, 2 ** 64 - 1 if version == 5 else 2 ** 32 - 1)
    data = bytearray(base_hpc.netcdf_bytes({1: "a", 2: "b", 5: "c"}[version], 1))
    struct.pack_into(c, data, where, n)
    return bytes(data)


for version in (1, 2, 5):
    for at in range(4, 120, 4):
        bomb("out_1.nc/%d_at_%d" % (version, at), ANY)(lambda v=version, at=at: netcdf(v, HUGE, at))
for at in (0, 8, 40, 44):
    bomb("ckpt-7/footer_%d" % at, ANY)(lambda folder, at=at: bundle_bomb(folder, at))


def bundle_bomb(folder, at):
    base_tf.bundle(folder + "/ckpt-7", "a", 1)
    with open(folder + "/ckpt-7.index", "r+b") as f:
        f.seek(-48 + at, 2)
        f.write(b"\xff" * 8 if at < 40 else b"\xff")
    return "ckpt-7"


@bomb("ckpt-7/shards_2_31")
def shards(folder):
    head = base_tf.field(1, 2 ** 31 - 1) + base_tf.field(3, base_tf.field(1, 1))
    with open(folder + "/ckpt-7.index", "wb") as f:
        f.write(base_tf.table([(b"", head)]))
    with open(folder + "/ckpt-7.data-00000-of-00001", "wb") as f:
        f.write(b"1")
    return "ckpt-7"


@bomb("ckpt-7/tensor_2_63")
def tensor(folder):
    entry = base_tf.field(1, 1) + base_tf.field(2, base_tf.field(2, base_tf.field(1, HUGE)) * 4) + base_tf.field(4, HUGE) + base_tf.field(5, HUGE)
    with open(folder + "/ckpt-7.index", "wb") as f:
        f.write(base_tf.table([(b"", base_tf.field(1, 1)), (b"w", entry + b"\x35abcd")]))
    with open(folder + "/ckpt-7.data-00000-of-00001", "wb") as f:
        f.write(b"1" * 100)
    return "ckpt-7"


for word, text in (("zeros", bytes(1 << 20)),):
    bomb("ckpt-1.pt.gz/" + word, ANY)(lambda text=text: b"".join(gzip.compress(text * 64, 9) for _ in range(8)))


def xz_bomb():
    import lzma
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 30}]
    return lzma.compress(bytes(1 << 22), filters=filters)


bomb("ckpt-1.pt.xz/dictionary_1_gib", ANY)(xz_bomb)
bomb("ckpt-1.pt.zst/window", ANY)(lambda: bytes.fromhex("28b52ffd00a8") + b"\x09\0\0x" * 1000)
bomb("ckpt-1.tar/size", ANY)(lambda: (b"a".ljust(124, b"\0") + b"\x80" + b"\xff" * 11).ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0"))
for word, body in (("nested", b"\x81\xa1a" * 100000), ("arrays", b"\x91" * 100000), ("map32", b"\xdf\xff\xff\xff\xff"), ("bin32", b"\x81\xa1a\xc6\xff\xff\xff\xff"),
                   ("ext32", b"\x81\xa1a\xc9\xff\xff\xff\xff\1"), ("array32", b"\x81\xa1a\xdd\xff\xff\xff\xff" + b"\xc0" * 100000)):
    bomb("checkpoint_1/msgpack_" + word, ANY)(lambda body=body: body)


def hdf5_words(lib):
    """A file of h5py with one word that is an address changed to another address, so that structures meet in loops."""
    h5py, np = registry.need("h5py"), registry.need("numpy")
    out = io.BytesIO()
    with h5py.File(out, "w", libver=lib) as f:
        for i in range(30):
            f["g%d/x" % (i % 3) + str(i)] = np.arange(20)
        f.create_dataset("c", data=np.arange(4000), chunks=(10,), maxshape=(None,))
        f["text"] = np.array(["a", "bc"], dtype=h5py.string_dtype())
        f["hard"] = f["g1"]
        for i in range(20):
            f.attrs["a%d" % i] = i
    return out.getvalue()


def hdf5_soup(folder):
    """Many of them; in one call."""
    rng = random.Random(os.environ.get("DAMAGE_SEED", "1"))
    paths = []
    for lib in ("earliest", "latest"):
        whole = hdf5_words(lib)
        places = [i for i in range(0, len(whole) - 8) if 0 < struct.unpack_from("<Q", whole, i)[0] < len(whole)
                  and whole[struct.unpack_from("<Q", whole, i)[0]:][:4] in (b"TREE", b"SNOD", b"HEAP", b"GCOL", b"OHDR", b"FRHP", b"BTHD", b"\1\0\1\0", b"EAHD")]
        places += [i for i in range(0, len(whole) - 8, 8)]
        targets = [struct.unpack_from("<Q", whole, i)[0] for i in places[:200]] + [0, 1, HUGE, 2 ** 64 - 1, 2 ** 64 - 8, len(whole), 48, 96]
        for n in range(150):
            data = bytearray(whole)
            for _ in range(rng.choice([1, 1, 4])):
                struct.pack_into("<Q", data, rng.choice(places), rng.choice(targets))
            paths.append("%s/%s_%d.h5" % (folder, lib, n))
            with open(paths[-1], "wb") as f:
                f.write(data)
    return paths


def words_soup(kind):
    """A real file with words replaced by great numbers."""
    def make(folder):
        rng = random.Random(os.environ.get("DAMAGE_SEED", "1"))
        run = base_hpc.simulation(kind, 1)
        with open(run + {"gromacs": "/run.cpt", "lammps": "/single.rst"}[kind], "rb") as f:
            whole = f.read()
        paths = []
        for n in range(200):
            data = bytearray(whole)
            at = n * 4 if n < 150 else rng.randrange(0, len(whole) - 8)
            data[at:at + 4] = rng.choice([b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 4, b"\0\0\0\x80", b"\x80\0\0\0"])
            paths.append("%s/%s_%d%s" % (folder, kind, n, ".cpt" if kind == "gromacs" else ".rst"))
            with open(paths[-1], "wb") as f:
                f.write(data)
        return paths
    return make


def size_of(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    return sum(os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder))


def measured(paths, out):
    """Runs the check: seconds, KiB at most, exit code."""
    began = time.time()
    pid = os.fork()
    if pid == 0:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(fd, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.execv(CTL, [CTL, "validate", "--json"] + paths)
    _, status, usage = os.wait4(pid, 0)
    return time.time() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status


def check(name, paths, verdicts, out):
    """Prints what is wrong. True if nothing is."""
    wall, cpu, kib, status = measured(paths, out)
    megabytes = sum(size_of(p) for p in paths) / 1e6
    why = []
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) not in (0, 1, 3):
        why.append("status %d" % status)
    else:
        with open(out) as f:
            answers = json.load(f)
        answers = answers if isinstance(answers, list) else [answers]
        why += [a["verdict"] for a in answers if a["verdict"] not in verdicts][:3]
        if len(answers) != len(paths):
            why.append("%d answers" % len(answers))
    if cpu > 1 + megabytes:
        why.append("%.1f s (%.1f of the clock) for %.2f MB" % (cpu, wall, megabytes))
    if kib > MEMORY:
        why.append("%d MiB" % (kib >> 10))
    if why:
        print("# %s: %s" % (name, "; ".join(why)))
    return not why


def write(folder, name, make):
    os.makedirs(folder)
    if make.__code__.co_varnames[:1] == ("folder",):
        return folder + "/" + make(folder)
    path = folder + "/" + name
    with open(path, "wb") as f:
        f.write(make())
    return path


def in_child(function, *args):
    """The memory that building a file takes must not count for the check: it is built by another process."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(w, json.dumps(function(*args)).encode())
        except registry.Absent:
            os._exit(77)
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    return json.loads(text) if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 else None


def main():
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = os.environ["DAMAGE_WORK"] = tempfile.mkdtemp(prefix="ckpt-bombs-", dir=parent)
    wrong, groups = {}, {}
    try:
        for n, (name, (make, verdicts)) in enumerate(BOMBS.items()):
            file, group = name.split("/")[0], name.split("/")[0]
            path = in_child(write, "%s/%d" % (work, n), file, make)
            groups[group] = groups.get(group, 0) + 1
            if path is None or not check(name, [path], verdicts, work + "/out"):
                wrong.setdefault(group, []).append(name)
            shutil.rmtree("%s/%d" % (work, n))
        for group, make in (("hdf5", hdf5_soup), ("gromacs", words_soup("gromacs")), ("lammps", words_soup("lammps"))):
            os.makedirs(work + "/" + group)
            paths = in_child(make, work + "/" + group)
            if paths is None:
                print("skip bombs_%s: nothing to make them with" % group)
                continue
            groups[group] = len(paths)
            if not check(group, paths, ANY, work + "/out"):
                wrong[group] = [group]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for group, n in groups.items():
        print("not ok bombs_%s: %s" % (group, ", ".join(wrong[group])) if group in wrong else "ok bombs_%s" % group)
    print("# %d files" % sum(groups.values()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
