# SPDX-License-Identifier: GPL-2.0-or-later
"""The same kinds of damage as `ckptctl damage` does, written a second time, with cuts where something of the format
begins or ends. Each takes the checkpoint's folder, the file chosen, a random.Random and a context, and changes
the file; returns False where it cannot."""
import os
import shutil


def _data(path):
    with open(path, "rb") as f:
        return bytearray(f.read())


def _put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def truncate(path, rng, _):
    os.truncate(path, rng.randrange(os.path.getsize(path)))


def boundary(path, rng, ctx):
    """Cut where something begins or ends, or a byte beside it."""
    size = os.path.getsize(path)
    known = [x for b in set(ctx.boundaries(path)) for x in (b - 1, b, b + 1) if 0 <= x < size]
    if not known:
        known = [x for x in (0, 1, 4, 8, 512, 1024, 4096, 8192, size // 2, size - 8, size - 4, size - 1) if 0 <= x < size]
    os.truncate(path, rng.choice(sorted(known)))


def bit(path, rng, _):
    data = _data(path)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _put(path, data)


def lengths(size):
    """Of blocks; small files are damaged in small ones."""
    return [512, 4096] if size >= 4096 else [32, 128] if size >= 256 else [16]


def _block(rng, data, size=None):
    size = size or rng.choice(lengths(len(data)))
    n = len(data) // size
    return (rng.randrange(n) * size, size) if n else (None, size)


def zero_page(path, rng, _):
    data = _data(path)
    for _ in range(50):
        at, n = _block(rng, data)
        if at is not None and any(data[at:at + n]):
            data[at:at + n] = bytes(n)
            return _put(path, data)
    return False


def hole(path, rng, _):
    """A block skipped by the writer: the rest written behind it."""
    data = _data(path)
    for _ in range(50):
        at, n = _block(rng, data)
        if at is not None and any(data[at:at + n]):
            with open(path, "wb") as f:
                f.write(data[:at])
                f.seek(at + n)
                f.write(data[at + n:])
                f.truncate(len(data))
            return None
    return False


def swap_pages(path, rng, _):
    data = _data(path)
    for _ in range(50):
        a, n = _block(rng, data)
        b, _ = _block(rng, data, n)
        if a is not None and b is not None and data[a:a + n] != data[b:b + n]:
            data[a:a + n], data[b:b + n] = data[b:b + n], data[a:a + n]
            return _put(path, data)
    return False


def duplicate_block(path, rng, _):
    data = _data(path)
    for _ in range(50):
        a, n = _block(rng, data)
        if a is not None and a + 2 * n <= len(data) and data[a:a + n] != data[a + n:a + 2 * n]:
            data[a + n:a + 2 * n] = data[a:a + n]
            return _put(path, data)
    return False


def insert_block(path, rng, _):
    data = _data(path)
    at, n = _block(rng, data)
    if at is None:
        return False
    return _put(path, data[:at + n] + data[at:])


def trailing(path, rng, _):
    with open(path, "ab") as f:
        f.write(rng.choice([bytes(rng.randrange(1, 5000)), rng.randbytes(rng.randrange(1, 5000)), b"\n"]))


def zero_tail(path, rng, ctx):
    data = _data(path)
    known = [b for b in ctx.boundaries(path) if 0 <= b < len(data)] or [rng.randrange(len(data))]
    at = rng.choice(sorted(set(known)) + [rng.randrange(len(data))])
    if not any(data[at:]):
        return False
    data[at:] = bytes(len(data) - at)
    return _put(path, data)


def missing_member(path, _, ctx):
    if not ctx.is_set:
        return False
    os.remove(path)


def rename(path, rng, _):
    os.rename(path, path + rng.choice([".tmp", ".part", ".tempstate123"]))


def stale_member(path, _, ctx):
    """The same file of an older save, whatever its size."""
    if not ctx.is_set or not os.path.exists(ctx.other(path)) or _data(path) == _data(ctx.other(path)):
        return False
    shutil.copyfile(ctx.other(path), path)


def mixed(path, rng, ctx):
    """Of equal size: a whole member of a set, or the first part of a single file."""
    if not os.path.exists(ctx.other(path)):
        return False
    mine, theirs = _data(path), _data(ctx.other(path))
    if len(mine) != len(theirs) or mine == theirs:
        return False
    at = len(mine) if ctx.is_set else rng.randrange(1, len(mine))
    _put(path, theirs[:at] + mine[at:])


def clock(path, rng, _):
    os.utime(path, ns=(1, os.stat(path).st_mtime_ns + rng.randrange(-10**16, 10**16)))


KINDS = {k.__name__.replace("_", "-"): k for k in (
    truncate, boundary, bit, zero_page, hole, swap_pages, duplicate_block, insert_block, trailing, zero_tail, mixed,
    rename, missing_member, stale_member, clock)}
HARMLESS = ("clock",)  # the bytes stay
ENGINE = set(KINDS) - {"boundary"} | {"extra-member"}
ALL = list(KINDS) + ["extra-member"]
