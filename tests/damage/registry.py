# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of formats that the campaign damages. A format is one function that writes a checkpoint:

    @fmt("name", bases=("small", "large"), ...)
    def write(folder, variant, seed): ...; return "NAME"

NAME may be a pair: the directory that is copied, and the file in it that `validate` is asked about.
It writes the checkpoint NAME into the empty folder, in one of its variants; another seed is another save of the same
shape. It raises Absent where this machine has no such writer or sample. base_*.py are imported by themselves.
"""
import glob
import importlib
import os
import shutil
import subprocess

FORMATS = {}
SAMPLES = os.environ.get("CKPT_SAMPLES") or os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                         "../../../shared/samples")


class Absent(Exception):
    """The writer or the sample is not there."""


class Format:
    def __init__(self, name, write, bases, **more):
        self.name, self.write, self.bases = name, write, bases
        # files that are damaged; None: every file of the checkpoint
        self.members = more.get("members")
        # offsets where something of the format begins or ends, found without our parsers
        self.boundaries = more.get("boundaries", lambda path: [])
        # whether the format's own library reads the same from both of a file: asked where damage was not found; a
        # text where it does not, and why that cannot be known
        self.same = more.get("same")
        # whether a seal made before covers that file
        self.sealed = more.get("sealed", lambda member: True)
        self.skip = set(more.get("skip", ()))


def fmt(name, bases=("a", "b", "c"), **more):
    def register(write):
        FORMATS[name] = Format(name, write, bases, **more)
        return write
    return register


def load_all():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(here + "/base_*.py")):
        importlib.import_module(os.path.basename(path)[:-3])
    return FORMATS


def need(name):
    """The module NAME, or Absent."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise Absent("python3-%s is not installed" % name) from e


REFUSED = []  # what genuine.py's parts wanted written, and the real writer did not


def each(folder, name, save, cases):
    """Saves every case, as NAME of its own; a case that this version of the library refuses is told."""
    paths = []
    for key, value in cases:
        path = "%s/%s" % (folder, name % key)
        try:
            save(value, path)
            paths.append(path)
        except Exception as e:  # a refusal of the library is no matter of ours
            refuse("%s: %s: %s" % (path, type(e).__name__, str(e)[:100]))
            if os.path.isfile(path):
                os.remove(path)
    return paths


def run_gromacs(folder, *swaps):
    """Runs tests/data/make_md.sh, in which each pair's first text is swapped for its second, in a new FOLDER. As
    run_lammps()."""
    if not shutil.which("gmx"):
        raise Absent("gmx is not installed")
    os.mkdir(folder)
    with open(os.path.dirname(os.path.abspath(__file__)) + "/../data/make_md.sh") as f:
        text = f.read()
    for old, new in swaps:
        text = text.replace(old, new)
    return subprocess.run(["bash", "-s", "gromacs"], input=text, text=True, cwd=folder, check=False).returncode == 0


def run_lammps(folder, text):
    """Runs the input in a new FOLDER. Whether LAMMPS was through with it; Absent where it is not installed."""
    if not shutil.which("lmp"):
        raise Absent("lmp is not installed")
    os.mkdir(folder)
    with open(folder + "/in", "w") as f:
        f.write(text)
    env = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(["lmp", "-in", "in"], cwd=folder, stdout=subprocess.DEVNULL, env=env, check=False)
    return done.returncode == 0


def refuse(what):
    REFUSED.append(what)
    print("# refused: %s" % what)


def sample(path):
    full = os.path.join(SAMPLES, path)
    if not os.path.exists(full):
        raise Absent("no sample %s" % path)
    return full
