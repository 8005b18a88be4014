#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""CRIU images from the formats of its magic.h and .proto files: make_criu.py DIR [parent] [old] [pre] [pages64k] [many]

parent: pages of DIR/parent, a pre-dump, are needed; old: flags as before version 2; pre: only a pre-dump
"""
import os
import struct
import sys

top, options = sys.argv[1], sys.argv[2:]


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def message(*fields):
    """(number, value): ints as varints, bytes by length"""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            out += varint(number << 3) + varint(value)
    return out


def image(path, magic, *records, head=0x54564319):
    data = (struct.pack("<I", head) if head else b"") + struct.pack("<I", magic)
    with open(path, "wb") as f:
        f.write(data + b"".join(struct.pack("<I", len(r)) + r for r in records))


def entry(vaddr, pages, flags):
    if "old" in options:
        return message((1, vaddr), (2, pages), *([(3, 1)] if flags & 1 else []))
    return message((1, vaddr), (2, pages), (4, flags), *([(5, pages)] if "many" in options else []))


def dump(where, pre, parent):
    os.makedirs(where)
    page = 65536 if "pages64k" in options else 4096
    entries = [entry(0x400000, 3, 4), entry(0x7FFF12340000, 200, 4)]
    if parent:
        entries += [entry(0x500000, 5, 1)]
    if "old" not in options:
        entries += [entry(0x600000, 9, 2), entry(0x700000, 1, 6)]
    stored = 203 + ("old" not in options)
    image(where + "/pagemap-4711.img", 0x56084025, message((1, 1)), *entries)
    with open(where + "/pages-1.img", "wb") as f:
        f.write(bytes([7]) * (page * stored))
    if not pre:
        image(where + "/pstree.img", 0x50273030, message((1, 4711), (2, 0), (3, 4711)))
        image(where + "/core-4711.img", 0x55053847, message((1, 1), (2, b"x" * 500)))
        image(where + "/mm-4711.img", 0x57492820, message((1, 1), (2, b"y" * 300)))
        image(where + "/fdinfo-2.img", 0x56213732)
        image(where + "/files.img", 0x56303138, *[message((1, i), (2, b"file")) for i in range(40)])
        with open(where + "/iptables-9.img", "w") as f:
            f.write("*filter\n")
    image(where + "/inventory.img", 0x58313116, message((1, 2), (2, 1)), head=0)
    image(where + "/stats-dump", 0x57093306, message((1, message((1, 5), (7, stored)))), head=0x55105940)
    if parent:
        os.symlink("../pre", where + "/parent")


if "parent" in options:
    dump(os.path.dirname(os.path.abspath(top)) + "/pre", True, False)
dump(top, "pre" in options, "parent" in options)
