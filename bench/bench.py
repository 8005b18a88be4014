#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py, started by bench/run: makes the inputs, measures the rows of rows.py and prints a table.

Ours and the peer take turns, and what is told is the median of the turns' ratios: a machine that is busy for a while
is so for both. Before each turn of either the files are read once, so that both find them warm in the same way (what
runs first after a pause pays for it: plain read too); for cold rows they are dropped from memory instead.
"""
import argparse
import glob
import json
import os
import shlex
import statistics
import subprocess
import sys

import hold
import inputs
import picture
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
MOMENT = 2  # seconds
OK = {0, 1}  # of ours: 1 is an answer too (nothing to resume from)


class Run:
    def __init__(self, args):
        self.args = args
        self.words = {"d": args.work, "b": args.programs, "ctl": args.build + "/ckptctl",
                      "hook": args.build + "/ckpt-hook", "py": sys.executable, "here": HERE,
                      "t": str(len(os.sched_getaffinity(0))), "names": f"{args.names:,}"}
        self.made = {}
        self.held = None  # the group of a row whose disk is held to a rate

    def command(self, text, row):
        files = " ".join(name for word in row.get("files", "").format(**self.words).split()
                         for name in sorted(glob.glob(word)))
        words = dict(self.words, f=files, list=row.get("list", "").format(**self.words))
        return shlex.split(text.format(**words))

    def size(self, text):
        if not isinstance(text, str):
            return text
        name, _, part = text.partition("/")
        return max(1, {"MIB": self.args.mib, "NAMES": self.args.names}[name] // int(part or 1))

    def make(self, name):
        """The input, made if it is not there. False where this machine cannot."""
        if name is None or name in self.made:
            return self.made.get(name, True)
        maker, path, *arguments = rows.INPUTS[name]
        if sys.stderr.isatty():
            print(f"making {name} ...\033[K", end="\r", file=sys.stderr, flush=True)
        try:
            inputs.MAKERS[maker](path.format(**self.words), *map(self.size, arguments))
            self.made[name] = True
        except ImportError as e:
            print(f"skip: {name}: {e}", file=sys.stderr)
            self.made[name] = False
        return self.made[name]

    def once(self, row, key):
        if key in row:
            subprocess.run(self.command(row[key], row), check=True, stdout=subprocess.DEVNULL)

    def drop(self, row):
        subprocess.run(self.command("{b}/plain-read --drop 1 {f}", row), check=True)

    def measure(self, command, row, own_figure=False):
        """(wall s, CPU s, peak KiB, exit code)"""
        self.once(row, "before")
        if row.get("cold"):
            self.drop(row)
        elif "wall_ms" not in row:  # what reads little of a file would find the rest of it in the CPU's caches
            self.warm(row)
        if own_figure:
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            return int(done.stdout) / 1e6, 0, 0, 0
        command = [self.args.programs + "/measure"] + command
        done = subprocess.run(self.held.command(command) if self.held else command, check=True, capture_output=True, text=True)
        wall, cpu, peak, code = map(int, done.stdout.split())
        self.once(row, "after")
        return wall / 1e6, cpu / 1e6, peak, code

    def ours(self, row):
        result = self.measure(self.command(row["ours"], row), row)
        if result[3] not in OK:
            sys.exit(f"bench: {row['ours']}: exit {result[3]}")
        return result

    def warm(self, row):
        if row.get("files") and os.path.isfile(self.command("{f}", row)[0]):
            subprocess.run(self.command("{b}/plain-read {t} {f}", row), check=True)

    def pairs(self, row, peer):
        """One, or three of what is over in a moment: that varies most."""
        command, pairs = self.command(rows.PEERS[peer], row), []
        while len(pairs) < 3 and took(pairs) < MOMENT:
            pairs.append((self.ours(row), self.measure(command, row, peer in rows.OWN_FIGURE)))
        return pairs

    def rounds(self, row):
        """Pairs with each peer, in rounds: what the machine has to do besides for a while weighs on all of them."""
        pairs = {peer: [] for peer in row["peers"] if self.has(peer)}
        for n in range(row.get("turns", self.args.turns)):
            for peer, taken in pairs.items():
                if n < self.args.least or took(taken) < self.args.seconds:
                    taken += self.pairs(row, peer)
        return pairs

    def has(self, peer):
        return not peer.startswith("torch.load") or self.made.get("torch", have("torch"))

    def peer(self, row, peer, pairs):
        if any(theirs[3] for _, theirs in pairs):
            print(f"skip: {peer} fails on {row['id']}", file=sys.stderr)
            return None
        return dict(row=row["id"], work=row["work"].format(**self.words), peer=peer, pairs=len(pairs),
                    ours=median(ours[0] for ours, _ in pairs), theirs=median(theirs[0] for _, theirs in pairs),
                    ratio=median(ours[0] / theirs[0] for ours, theirs in pairs), aim=row["peers"][peer],
                    cpu=median(ours[1] for ours, _ in pairs), peak=max(ours[2] for ours, _ in pairs),
                    best=min(theirs[0] for _, theirs in pairs))

    def row(self, row):
        if not self.make(row["input"]):
            return []
        self.once(row, "begin")
        if not self.hold(row):
            return []
        found = [r for r in (self.peer(row, peer, pairs) for peer, pairs in self.rounds(row).items()) if r]
        self.once(row, "after_all")
        if self.held:
            self.held = self.held.close()
        return found + self.absolute(row, found)

    def hold(self, row):
        """Holds the disk to the row's rate, where it has one. False where this machine cannot."""
        if "hold" in row:
            try:
                self.held = hold.Held(self.args.work, row["hold"])
            except hold.Impossible as e:
                print(f"skip: {row['id']}: {e}", file=sys.stderr)
                return False
        return True

    def absolute(self, row, found):
        """Aims that are no ratio to a peer."""
        made = []
        for key, what, value in (("wall_ms", "milliseconds", lambda r: r["ours"] * 1e3),
                                 ("cpu_per_gb", "CPU seconds a GB", lambda r: r["cpu"] / self.gigabytes(row))):
            if key in row and found:
                r = min(found, key=lambda r: r["ours"])
                made.append(dict(r, peer=what, theirs=None, ratio=value(r), aim=row[key]))
        return made

    def gigabytes(self, row):
        return sum(os.path.getsize(name) for name in self.command("{f}", row)) / 1e9

    def linear(self, row):
        costs = []
        for name, path, units in row["sizes"]:
            if not self.make(name):
                return []
            sized = dict(row, files=path)
            walls = [self.ours(sized) for _ in range(max(self.args.turns, 5))]
            costs.append((min(w[0] for w in walls), units, max(w[2] for w in walls), min(w[1] for w in walls)))
        unit = [wall / units for wall, units, _, _ in costs]
        return [dict(row=row["id"], work=row["work"], peer="cost a unit, 4 : 1 and 2", pairs=len(costs),
                     ours=costs[-1][0], theirs=costs[0][0], ratio=unit[2] / max(unit[:2]), aim=row["aim"],
                     cpu=costs[-1][3], peak=max(c[2] for c in costs))]


def took(pairs):
    return sum(ours[0] + theirs[0] for ours, theirs in pairs)


def have(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode == 0


def median(values):
    return statistics.median(list(values))


def passed(r):
    return (r["aim"] is None or r["ratio"] <= r["aim"]) and r["peak"] <= rows.RSS_KIB


def seconds(value):
    if value is None:
        return "-"
    return f"{value * 1e3:.2f} ms" if value < 0.1 else f"{value:.2f} s"


def line(r):
    aim = "-" if r["aim"] is None else f"{r['aim']:.3g}"
    said = "-" if r["aim"] is None and passed(r) else "pass" if passed(r) else "FAIL"
    return (f"{r['work']:<34} {r['peer']:<24} {seconds(r['ours']):>9} {seconds(r['theirs']):>9} {r['ratio']:8.4f} "
            f"{aim:>7} {said:<4} {r['peak'] / 1024:6.1f} MiB {r['cpu']:7.3f} s {r['pairs']:3}")


HEAD = (f"{'work':<34} {'against':<24} {'ours':>9} {'theirs':>9} {'ratio':>8} {'aim':>7} {'':<4} "
        f"{'our peak':>10} {'our CPU':>9} {'n':>3}")


def machine():
    model = next((text.split(":", 1)[1].strip() for text in open("/proc/cpuinfo") if text.startswith("model name")), "")
    memory = next(int(text.split()[1]) for text in open("/proc/meminfo") if text.startswith("MemTotal")) >> 20
    return f"{len(os.sched_getaffinity(0))} CPUs ({model}), {memory} GiB, Linux {os.uname().release}"


def load():
    return "load " + " ".join(f"{x:.1f}" for x in os.getloadavg())


def options():
    p = argparse.ArgumentParser(prog="bench/run", description=__doc__.split("\n\n")[0])
    p.add_argument("--quick", action="store_true", help="smaller inputs, fewer turns")
    p.add_argument("--only", action="append", metavar="ROW", help="these rows alone: " + " ".join(
        r["id"] for r in rows.ROWS + rows.LINEAR))
    p.add_argument("--build", default="build", help="where ckptctl and ckpt-hook are")
    p.add_argument("--mib", type=int, help="size of the large inputs (4096; quick: 256)")
    p.add_argument("--names", type=int, help="names in the directory (100000; quick: 20000)")
    p.add_argument("--turns", type=int, help="pairs a row (7; quick: 3)")
    p.add_argument("--picture", help="where to draw the picture (BUILD/bench.svg)")
    p.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    p.add_argument("--work", required=True, help=argparse.SUPPRESS)
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    args.mib = args.mib or (256 if args.quick else 4096)
    args.names = args.names or (20000 if args.quick else 100000)
    args.turns = args.turns or (3 if args.quick else 7)
    args.seconds, args.least = (3, 1) if args.quick else (60, 3)
    args.picture = args.picture or args.build + "/bench.svg"
    return args


def main():
    args = options()
    run, results = Run(args), []
    title = f"{machine()}; {args.mib} MiB, {args.names:,} names; {load()}"
    print(title + "\n" + HEAD)
    for kind, measured in ((run.row, rows.ROWS), (run.linear, rows.LINEAR)):
        for row in measured:
            if args.only and row["id"] not in args.only:
                continue
            for r in kind(row):
                results.append(r)
                print(line(r), flush=True)
    failed = [r for r in results if not passed(r)]
    print(f"{len(results)} rows, {len(failed)} beyond their aim; {load()}")
    table = "\n".join([title, HEAD] + [line(r) for r in results])
    picture.draw(args.picture, title, results, table)
    print(f"picture: {args.picture}")
    with open(os.path.splitext(args.picture)[0] + ".json", "w") as f:
        json.dump({"machine": title, "results": results}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
