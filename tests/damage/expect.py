# SPDX-License-Identifier: GPL-2.0-or-later
"""What a format cannot show, fixed before the campaign: any other miss is a failure.

A row: format, kinds of damage, the files of a set that it is about (a pattern, None: all), why. With a seal there is
no such row: nothing may be missed. Without one, what a row names is counted apart, with its rate.
"""
import re
import struct

FLIPS = ("bit", "zero-page", "hole", "swap-pages", "duplicate-block")
OVER = FLIPS + ("zero-tail", "mixed")
SWAPPED = ("stale-member", "mixed")
GONE = ("missing-member", "rename")
NO_SUM = "the format stores no checksum of it"

CANNOT = (
    ("torch-legacy", OVER, None, NO_SUM),
    ("safetensors", OVER, None, NO_SUM),
    ("safetensors-index", OVER + ("stale-member",), None, NO_SUM),
    ("npy", OVER, None, NO_SUM),
    ("pickle", OVER + ("insert-block",), None, NO_SUM),
    ("hdf5-v0", OVER + ("insert-block",), None, "version 0 has checksums of neither metadata nor data"),
    ("hdf5-latest", OVER + ("insert-block",), None, "no checksum of data without the Fletcher32 filter"),
    ("hdf5-*", ("trailing",), None, "a file may be longer than its superblock says: it is read all the same"),
    ("netcdf", OVER + ("insert-block", "trailing"), None, NO_SUM + "; a file may be longer than its variables need"),
    ("gromacs", FLIPS + ("mixed", "insert-block"), None, NO_SUM),
    ("flax", OVER, None, NO_SUM),
    ("lammps-set", SWAPPED, None, "files of equal steps and sizes look alike"),
    ("lammps*", FLIPS + ("mixed", "insert-block"), None, NO_SUM),
    ("veloc", OVER, None, NO_SUM),
    ("fti", OVER + ("truncate", "boundary", "trailing", "insert-block"), r"sector", "nothing holds a digest of the books"),
    ("fti", SWAPPED, r"sector", "books of saves of equal sizes differ in digests alone, which are then found wrong"),
    ("dcp", OVER + ("insert-block",), r"\.metadata$", "a pickle without a checksum"),
    ("dcp", SWAPPED, None, "saves of equal size and names look alike"),
    ("nemo", OVER + ("insert-block",), r"\.metadata$|\.json$", "a pickle without a checksum; JSON"),
    ("nemo", GONE + ("truncate", "boundary", "trailing"), r"/context/", "what the model was made with is not its state"),
    ("nemo", GONE[:1], r"/common\.pt$", "Lightning's own state: a save of the weights alone has none"),
    ("olmo", OVER + ("insert-block",), r"\.metadata$|\.json$", "a pickle without a checksum; JSON"),
    ("olmo", GONE + ("truncate", "boundary", "trailing"), r"/config\.json$", "the run's settings are not its state"),
    ("olmo", GONE, r"/rank1\.pt$", "a rank without a file of its own takes the first one's"),
    ("nemo", SWAPPED, None, "saves of equal size and names look alike"),
    ("olmo", SWAPPED, None, "saves of equal size and names look alike"),
    ("deepspeed", GONE[:1], r"/layer_", "a layer without weights has no file"),
    ("deepspeed", SWAPPED, None, "saves of one step look alike"),
    ("megatron", GONE[:1], r"distrib_optim\.pt$", "one rank alone may keep its optimizer elsewhere"),
    ("megatron", SWAPPED, None, "saves of one iteration look alike"),
    ("megatron-integrity", FLIPS, r"integrity\.json$", "nothing holds the digest of the digests"),
    ("megatron-integrity", GONE[:1], r"integrity\.json$", "most saves are written without it"),
    ("hf-trainer", GONE[:1], r"training_args|rng_state", "the Trainer goes on without them, and so do people"),
    ("hf-trainer", OVER, r"\.(json|safetensors)$", NO_SUM),
    ("hf-trainer", ("insert-block",), r"\.json$", "text that stands there twice is JSON as well"),
    ("hf-trainer", SWAPPED, None, "a file of the same shape looks alike"),
    ("accelerate", GONE[:1], r"scheduler|random_states_[1-9]", "optional; the number of processes is stored nowhere"),
    ("accelerate", OVER, r"\.(json|safetensors)$", NO_SUM),
    ("accelerate", SWAPPED, None, "a file of the same shape looks alike"),
    ("orbax", GONE + ("truncate", "boundary", "trailing", "insert-block"), r"_METADATA$|_sharding$|process_0$",
     "Orbax restores without them"),
    ("orbax", GONE + ("truncate", "boundary", "trailing", "insert-block"), r"/d/",
     "which of a tree's files are needed, and to which byte, is known to its compressed nodes alone"),
    ("orbax", OVER, r"/d/|_METADATA$|_sharding$|process_0$", "raw chunks and JSON have no checksum"),
    ("amrex", OVER, None, "numbers inside of the range that is written beside them; text"),
    ("amrex", ("insert-block", "trailing"), r"Header$|_H$", "text: what follows the last value is nobody's"),
    ("amrex", ("truncate", "boundary"), r"Header$|Particle_H$", "text: a number that is cut is a number"),
    ("amrex", GONE, r"/tracers/", "which particles a program keeps is listed nowhere"),
    ("adios2", GONE, r"/data\.\d+$", "BP4's index does not count its data files"),
    ("adios2", ("truncate", "boundary"), r"/mmd\.0$|/md\.idx$", "cut between two steps it is the save of the step before"),
    ("adios2", OVER + ("insert-block", "trailing"), None, "no checksum; files may be longer than the index needs"),
    ("adios2", ("truncate", "boundary"), r"/data\.\d+$", "the index tells where the last block begins, not where it ends"),
    ("adios-bp3*", FLIPS + ("mixed",), None, NO_SUM),
    ("adios-bp3-parts", ("stale-member",), None, "saves of equal sizes look alike"),
    ("criu", OVER, None, NO_SUM),
    ("criu", GONE, None, "which images a dump has depends on what the processes had"),
    ("criu", ("insert-block", "trailing"), None, "zeros are entries of no bytes; images of text have no end"),
    ("criu", ("truncate", "boundary"), r"\.img$|stats-dump$", "a cut between two entries leaves whole ones; images of text have no end"),
    ("torch-tar", OVER + ("insert-block",), None, "a tar has sums of its headers alone"),
    ("torch-zip-unsummed", OVER, None, "written with its checksums off"),
    ("tar", OVER + ("insert-block",), None, "a tar has sums of its headers alone, and zeros end it"),
    ("dmtcp*", OVER, None, "memory that is not compressed has no checksum"),
    ("dmtcp*", ("insert-block",), r"\.dmtcp$", "the description of an area without memory may stand there twice"),
    ("dmtcp-script", FLIPS + ("insert-block", "trailing", "zero-tail", "truncate", "boundary"), r"\.sh$",
     "a script: what follows the names of its images is not looked into"),
    ("dmtcp-script", SWAPPED, None, "images of equal size look alike"),
    ("scr", OVER + ("insert-block", "truncate", "boundary", "rename", "missing-member"), r"/index\.scr$",
     "without its index a directory is no dataset of SCR's: unreadable, never valid"),
    ("scr", ("trailing",), r"/\.scr/", "such a file has its length in it: what follows is not read"),
    ("scr", OVER, r"/rank_", "sums of files are SCR_CRC_ON_FLUSH's, which may be off"),
    ("scr", SWAPPED, None, "a dataset of the same number and sizes looks alike"),
    ("gromacs-outputs", GONE, None, "mdrun goes on without them, with -noappend: a remark"),
    ("gromacs-outputs", ("trailing",), None, "mdrun itself cuts off what was written behind the saved place"),
    ("folder", OVER + ("insert-block", "truncate", "boundary", "trailing"), r"\.yaml$", "text: nothing tells where it ends"),
    ("folder", SWAPPED, None, "a file of the same shape looks alike"),
    ("determined", OVER + ("insert-block",), r"\.json$", NO_SUM),
    ("determined", GONE[:1], r"/(load_data|metadata)\.json$", "a trial of one's own writes neither"),
    ("determined", GONE, r"/state_dict\.pth$", "without it nothing says that it is a trial's: unreadable, never valid"),
    ("determined", SWAPPED, None, "a file of the same shape looks alike"),
    ("tf-v1", ("mixed",), None, "each block has a sum of its own: a cut between two of them leaves all whole"),
    ("hdf5-fletcher32", ("mixed",), None, "each block has a sum of its own: a cut between two of them leaves all whole"),
    ("*", ("extra-member",), None, "a further file may be somebody else's"),
)

HEADLESS = "what is left is less than what a format is told by"
HEAD = 16


def _left_headless(file):
    return file.now is not None and len(file.now) < HEAD


def _left_of_header(file):
    """KVTree's magic, type with version, and its length: of one of them alone it is not told."""
    return file.now is not None and sum(
        file.now[a:b] == file.base[a:b] and len(file.now) >= b for a, b in ((0, 4), (4, 8))) + (
        file.now[8:16] == struct.pack(">Q", len(file.now))) < 2


def _other_save(file):
    return file.now is not None and file.now == file.older


# The same, where the bytes alone tell it: format, kinds of damage, what is so of the file that was asked about (the base's
# bytes, those now, those of the other save), why. What is HEADLESS may be missed as `opaque` alone.
BY_BYTES = (
    ("*", ("mixed",), _other_save, "the other save as a whole"),
    ("*", ("truncate", "boundary"), _left_headless, HEADLESS),
    ("kvtree", FLIPS + ("zero-tail", "insert-block"), _left_of_header, HEADLESS),
)

# Where the format's own library reads other values than before, and the format cannot show it: format, kinds, why. Told by
# `same` of the format, which sees both files and no verdict.
ZERO_SUM = "zeros have the sum zero: a chunk of zeros with its sum proves itself"
OWN_BYTES = "without its head and its end an item looks like a program's own bytes"
BY_LIBRARY = (
    ("hdf5-fletcher32", ("zero-page", "hole", "zero-tail"), ZERO_SUM),
    ("dcp", OVER, OWN_BYTES),
    ("megatron-integrity", OVER, OWN_BYTES),
)

# Loss that is told, but not as damage: what is left is a checkpoint of weights alone, and called that.
LOWERS = (("hf-trainer", GONE, r"/(optimizer|scheduler)\.pt$"),)

# Sets that the catalog does not know as such by their names: they have no seal.
UNSEALED = ("lammps-set", "dmtcp-script")

# What is read in full only: loss or cuts of these are not promised by structure.
LATE = (
    ("gromacs-outputs", ""),
    ("megatron-integrity", r"integrity\.json$|common\.pt$|metadata\.json$"),
    ("orbax", r"/d/"),
    ("gz", ""),
    ("bz2", ""),
)


# What a format's own reader refuses by more than the format: format, what the reader says, why.
REFUSED = (
    ("dcp", "Error",
     "pickles are followed to their end, not run: a list of classes would refuse those of the next version"),
    ("torch-*", r"^(ModuleNotFound|Attribute|UnicodeDecode|Unpickling|Type|Value|Name)Error|^KeyError: \d+|"
     r"^RuntimeError: (don't know how to restore|Trying to resize|.*(storage|size|out of bounds))",
     "pickles are followed to their end, not run: what their values mean is not looked at"),
    ("torch-tar", "^KeyError: .*'tensors' not found", "other writers' archives, see test_tar.c, have no tensors of their own"),
    ("criu", "crit", "records are counted; what lies in one, pagemaps apart, is not parsed"),
    ("gromacs", "", "state vectors have no lengths of their own: each version lays them out by its flags"),
    ("lammps", "", "its body is laid out by the styles of the program that wrote it"),
)

# Damage that nothing of a format can be given: kinds, to which formats, why.
IMPOSSIBLE = (
    (("missing-member", "stale-member", "extra-member"), lambda name, is_set: not is_set, "a single file"),
    (("mixed",), lambda name, is_set: name in ("npz-deflated", "gz", "bz2", "xz", "zst", "lz4"), "saves pack to unequal sizes"),
    (("mixed",), lambda name, is_set: name == "torch-legacy", "where no two of its saves happen to have one size, see UNEQUAL"),
    (("mixed", "stale-member"), lambda name, is_set: name in ("orbax", "amrex", "adios2", "criu"), "the sample or generator knows one save"),
)

# Fewer files than elsewhere, or on fewer bases.
UNEQUAL = (
    ("pickle", "mixed", "protocol 2 has bytes as text in UTF-8, whose length depends on them"),
    ("torch-legacy", "mixed", "one size has two saves of equal length seldom: addresses of storages are in the keys"),
)


def matches(pattern, name):
    return pattern == name or pattern.endswith("*") and name.startswith(pattern[:-1])


def cannot(form, kind, members):
    """Why the damage of these members cannot be shown, or None where it has to be found."""
    for name, kinds, pattern, why in CANNOT:
        if matches(name, form) and kind in kinds and all(not pattern or re.search(pattern, m) for m in members):
            return why
    return None


def by_bytes(form, kind, file):
    """Why the damage of @file cannot be shown, or None."""
    return next((why for name, kinds, is_so, why in BY_BYTES if matches(name, form) and kind in kinds and is_so(file)), None)


def headless(file):
    """Whether it does not begin as it did, in what formats are told by: its own reader is not asked about it then."""
    return file.now is not None and file.now[:HEAD] != file.base[:HEAD]


def by_library(form, kind, why):
    """Whether there is such a row."""
    return any(matches(name, form) and kind in kinds and why == w for name, kinds, w in BY_LIBRARY)


def lowers(form, kind, members):
    """Whether the loss of these members may be told as a checkpoint of weights alone."""
    return any(matches(name, form) and kind in kinds and all(re.search(p, m) for m in members) for name, kinds, p in LOWERS)


def late(form, members):
    """Whether these members are looked into in full only."""
    return any(matches(name, form) and all(re.search(p, m) for m in members) for name, p in LATE)


def refused(form, why):
    """Why a file that its own reader refuses may be missed all the same, or None."""
    return next((r for name, pattern, r in REFUSED if matches(name, form) and re.search(pattern, why)), None)


def impossible(form, is_set, kind):
    """Why no file of the format can be given this damage, or None."""
    return next((why for kinds, of, why in IMPOSSIBLE if kind in kinds and of(form, is_set)), None)


def unequal(form, kind):
    """Why there are fewer files of that damage, or None."""
    return next((why for name, k, why in UNEQUAL if matches(name, form) and k == kind), None)
