# SPDX-License-Identifier: GPL-2.0-or-later
"""Damages copies of genuine checkpoints and asks `ckptctl validate` about each: by structure, in full, and with a
seal made before; about some, several processes together too. Prints protocol lines and a table; --write puts it into
README.md beside this file."""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import damages
import expect
import readers
import registry

CTL = os.environ.get("CKPTCTL") or HERE + "/../../build/ckptctl"
# found by names and sizes alone, without reading data
BY_STRUCTURE = ("truncate", "boundary", "missing-member", "rename")
BATCH = 400
SHARES = 3
SHARED = 2  # of a row's cases, those that several processes check together as well


def is_seal(name):
    return name.endswith(".metadata.json") and name != ".metadata.json"  # which is OLMo-core's own


def files_below(folder):
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if not name.endswith(".damage-copy") and not is_seal(name):
                out[os.path.relpath(path, folder)] = path
    return out


def contents(folder):
    out = {}
    for name, path in files_below(folder).items():
        with open(path, "rb") as f:
            out[name] = f.read()
    return out


# a layout that no row knows, which its user calls a checkpoint (base_jobs.py)
ASKED = "--glob=mine_*"


def validate(paths, *options):
    """The verdicts of checkpoints, in their order."""
    out = []
    for i in range(0, len(paths), BATCH):
        part = paths[i:i + BATCH]
        done = subprocess.run([CTL, "validate", "--json", ASKED, *options] + part, capture_output=True, timeout=300)
        answer = json.loads(done.stdout)
        out += answer if isinstance(answer, list) else [answer]
    if len(out) != len(paths):
        raise RuntimeError("%d answers about %d checkpoints" % (len(out), len(paths)))
    return out


def validate_shared(paths):
    """What the parts of a check by several processes say together, and leave nothing."""
    for i in range(SHARES):
        validate(paths, "--level=full", "--shard=%d/%d" % (i, SHARES))
    told = validate(paths, "--merge=%d" % SHARES)
    for path in paths:
        shutil.rmtree(os.path.join(os.path.dirname(path), ".ckpt-resume"), ignore_errors=True)
    return told


class Base:
    """A genuine checkpoint in a folder of its own, another save of its shape, and its seal."""

    def __init__(self, form, variant, work):
        self.form, self.variant = form, variant
        self.folder, self.older, self.seal = (os.path.join(work, x) for x in ("base", "older", "seal"))
        for folder, seed in ((self.folder, 1), (self.older, 2)):
            os.makedirs(folder)
            name = form.write(folder, variant, seed)
        self.top, self.name = name if isinstance(name, tuple) else (name, name)
        self.path = os.path.join(self.folder, self.name)
        self.contents = contents(self.folder)
        self.is_set = len(self.contents) > 1
        self.boundaries = lambda path: form.boundaries(os.path.join(self.folder, self.relative(path)))
        self.names = sorted(n for n in self.contents if self.contents[n])
        if form.members:
            self.names = [n for n in self.names if form.members(n)]
        self.contents_told = validate([self.path], "--level=full")[0]["contents"]
        self.make_seal()

    def make_seal(self):
        done = subprocess.run([CTL, "seal", "-q", ASKED, self.path], capture_output=True, text=True)
        if done.returncode == 0:
            made, = [os.path.join(at, n) for at, _, names in os.walk(self.folder) for n in names if is_seal(n)]
            self.seal_name = os.path.relpath(made, self.folder)
            os.rename(made, self.seal)
        elif "needs files whose names" in done.stderr and self.form.name in expect.UNSEALED:
            self.seal = None
        else:
            raise RuntimeError(done.stderr)

    def enter(self, case):
        self.case = case
        return self

    def relative(self, path):
        return os.path.relpath(path, self.case)

    def other(self, path):
        return os.path.join(self.older, self.relative(path))

    def key(self, member):
        """The member as `ckptctl damage --member` names it."""
        if os.path.isdir(os.path.join(self.folder, self.top)):
            return os.path.relpath(member, self.top)
        return member[len(self.top.split("%")[0]):]


def pick(base, rng):
    return rng.choice(base.names)


def by_engine(base, kind, member, case, rng):
    command = [CTL, "damage", os.path.join(base.folder, base.top), "--to=" + os.path.join(case, base.top), "--how=" + kind,
               "--seed=%d" % rng.randrange(2**40)]
    if base.is_set:
        command.append("--member=" + base.key(member))
    if kind in ("mixed", "stale-member"):
        command.append("--from=" + os.path.join(base.older, base.top))
    if kind in ("zero-page", "hole", "swap-pages", "duplicate-block", "insert-block"):
        command.append("--length=%d" % rng.choice(damages.lengths(len(base.contents[member]))))
    done = subprocess.run(command, capture_output=True)
    if done.returncode not in (0, 1):
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.decode()))
    return done.returncode == 0


def by_hand(base, kind, member, case, rng):
    shutil.copytree(base.folder, case, dirs_exist_ok=True)
    path = os.path.join(case, member)
    before = os.stat(path)
    if damages.KINDS[kind](path, rng, base.enter(case)) is False:
        return False
    if kind != "clock" and os.path.exists(path):
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return True


# Decided before anybody is asked about it: @excuse: why the damage cannot be shown; @headless: what was asked about does
# not begin as it did
Case = collections.namedtuple("Case", "folder path base kind members identical by excuse headless")
Bytes = collections.namedtuple("Bytes", "base now older")


def damaged(base, kind, case, rng, by):
    """One damaged copy, or None where the damage cannot be done to that checkpoint."""
    member = pick(base, rng)
    os.makedirs(case)
    if not by(base, kind, member, case, rng):
        shutil.rmtree(case)
        return None
    now = contents(case)
    members = [n for n in set(now) | set(base.contents) if now.get(n) != base.contents.get(n)]
    identical, members = not members, members or [member]
    seen = bytes_of(base, members, now)
    why = expect.cannot(base.form.name, kind, [m for m in members if m in base.contents] or members)
    return Case(case, os.path.join(case, base.name), base, kind, members, identical, by.__name__,
                why or seen and expect.by_bytes(base.form.name, kind, seen), bool(seen and expect.headless(seen)))


def bytes_of(base, members, now):
    """What is known of the file that is asked about, where that one was damaged, or None."""
    asked = base.name if base.is_set else members[0]
    if asked not in members or asked not in base.contents:
        return None
    older = os.path.join(base.older, asked)
    with open(older if os.path.isfile(older) else os.devnull, "rb") as f:
        return Bytes(base.contents[asked], now.get(asked), f.read())


def make_cases(form, bases, kind, count, work, seed):
    """@count damaged ones, and at most as many whose bytes are what they were."""
    rng = random.Random("%d %s %s" % (seed, form.name, kind))
    ways = [w for w, kinds in ((by_engine, damages.ENGINE), (by_hand, damages.KINDS)) if kind in kinds]
    cases, same, tries = [], [], 0
    while len(cases) < count and len(same) < count and tries < (20 * count if cases or same else count):
        base, by = bases[tries % len(bases)], ways[tries // len(bases) % len(ways)]
        one = damaged(base, kind, "%s/%d" % (work, tries), rng, by)
        tries += 1
        if one:
            (same if one.identical else cases).append(one)
    return cases + same


def in_child(ask, *arguments):
    """What ask() answers in a process of its own, which may crash: None then; "" where it was too slow to tell."""
    ours, child = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(90)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            os.write(child, json.dumps(ask(*arguments)).encode())
        finally:
            os._exit(0)
    os.close(child)
    with os.fdopen(ours) as f:
        answer = f.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return ""
    return json.loads(answer) if answer else None


def same_content(case):
    """Whether the format's own library reads the same from the damaged file, or a row of expect.BY_LIBRARY: why one cannot
    know."""
    same, member = case.base.form.same, case.members[0]
    mine, theirs = os.path.join(case.base.folder, member), os.path.join(case.folder, member)
    if not same or len(case.members) != 1 or not os.path.exists(theirs):
        return False
    return in_child(same, mine, theirs) or False


def refusal(read, path):
    """Why a reader refuses the file, or "" where it takes it."""
    try:
        read(path)
    except subprocess.TimeoutExpired:
        return ""
    except Exception as e:  # whatever a library says
        return "%s: %s" % (type(e).__name__, str(e)[:100])
    return ""


def is_found(verdict):
    """Bytes behind what was proved whole are said, and no damage to it: libraries read over them."""
    return (verdict["verdict"] in ("incomplete", "corrupt", "missing") or
            verdict["verdict"] == "valid" and (verdict["problem"] or {}).get("code") == "trailing")


def lowered(case, verdict):
    """A whole checkpoint became one of weights alone, and is told so: the loss was seen."""
    return (expect.lowers(case.base.form.name, case.kind, case.members) and case.base.contents_told == "full" and
            verdict["contents"] == "weights")


class Row:
    """A line of the table: one kind of damage to one format."""

    def __init__(self, form, kind):
        self.form, self.kind = form, kind
        # those whose bytes differ from the base's, and those where they do not
        self.n = self.none = self.bound = self.bound_structure = self.bound_full = 0
        self.free = self.free_structure = self.free_full = self.harmless = self.sealed = self.sealable = 0
        self.bases, self.codes, self.why, self.failures, self.asked = set(), collections.Counter(), "", [], 0

    def fail(self, case, what, verdict):
        self.failures.append("%s of %s (%s, base %s, %s): %s, %s" % (
            self.kind, ", ".join(case.members), self.form, case.base.variant, case.by, what,
            json.dumps({k: verdict.get(k) for k in ("verdict", "evidence", "problem")})))

    def intact(self, case, verdicts):
        """The bytes are what they were: anything but valid is a false alarm."""
        self.none += 1
        for level, verdict in verdicts.items():
            if verdict["verdict"] != "valid":
                self.fail(case, "false alarm (%s)" % level, verdict)

    def add(self, case, verdicts):
        if case.identical:
            return self.intact(case, verdicts)
        self.n += 1
        self.bases.add(case.base.variant)
        found = {level: is_found(v) or lowered(case, v) for level, v in verdicts.items()}
        full, sealed, why = verdicts["full"], verdicts["sealed"], case.excuse
        if why == expect.HEADLESS and not found["full"] and full["evidence"] != "opaque":
            self.fail(case, "missed, and more than opaque", full)
        if found["structure"] and not found["full"]:
            self.fail(case, "found by structure and not in full", full)
        if found["full"] and not is_found(full):
            self.codes["weights alone"] += 1
        elif found["full"]:
            self.codes[(full["problem"] or {}).get("code", full["verdict"])] += 1
        # what a seal is for is there as it was, whatever lies beside it
        sealable = case.base.seal is not None and self.kind != "extra-member" and any(map(case.base.form.sealed, case.members))
        self.sealable += sealable
        self.sealed += found["sealed"] and sealable
        if not found["sealed"] and sealable:
            self.fail(case, "missed with a seal", sealed)
        same = not why and not found["full"] and same_content(case)
        if same and same is not True and not expect.by_library(self.form, self.kind, same):
            self.fail(case, "missed by a rule that expect.py does not have: %s" % same, full)
        if same is True:
            self.harmless += 1
        elif why or same:
            self.count_free(why or same, found)
            self.ask_reader(case, found, verdicts)
        else:
            self.count_bound(case, found, verdicts)

    def compare_shared(self, case, whole, shared):
        """Several processes that check it together say what one says."""
        if is_found(shared) != is_found(whole) or shared["verdict"] == "unreadable" != whole["verdict"]:
            self.fail(case, "one process says %s, %d together" % (whole["verdict"], SHARES), shared)
        elif self.kind in damages.HARMLESS and whole["evidence"] == "seal":
            pass  # other times over what was sealed: a share proves nothing of the rest
        elif shared["verdict"] == "valid" and shared["evidence"] != whole["evidence"]:
            self.fail(case, "one process shows %s, %d together" % (whole["evidence"], SHARES), shared)

    def count_free(self, why, found):
        self.why = why
        self.free += 1
        self.free_structure += found["structure"]
        self.free_full += found["full"]

    def ask_reader(self, case, found, verdicts):
        """A miss that was allowed, and is none: the format's own reader sees it."""
        read = readers.OF.get(self.form)
        opaque = case.headless and verdicts["full"]["evidence"] == "opaque"
        if found["full"] or opaque or not read or self.asked >= readers.SLOW.get(self.form, self.n):
            return
        self.asked += 1
        refused = in_child(refusal, read, case.path)
        if refused != "" and not expect.refused(self.form, refused or "crash"):
            self.fail(case, "missed, and its own reader says %s" % (refused or "that it crashed"), verdicts["full"])

    def count_bound(self, case, found, verdicts):
        self.bound += 1
        self.bound_structure += found["structure"]
        self.bound_full += found["full"]
        if not found["full"]:
            self.fail(case, "missed", verdicts["full"])
        elif self.kind in BY_STRUCTURE and not found["structure"] and not expect.late(self.form, case.members):
            self.fail(case, "missed by structure", verdicts["structure"])


def put_seals(cases):
    for case in cases:
        target = os.path.join(case.folder, case.base.seal_name) if case.base.seal else ""
        if case.base.seal and not os.path.exists(target) and os.path.isdir(os.path.dirname(target)):
            shutil.copyfile(case.base.seal, target)


def judge_shared(cases, whole, row):
    shared = validate_shared([c.path for c in cases[:SHARED]])
    for case, one, together in zip(cases, whole, shared):
        row.compare_shared(case, one, together)


def judge(cases, row):
    paths = [c.path for c in cases]
    for case in cases:
        seal = case.base.seal and os.path.join(case.folder, case.base.seal_name)
        if seal and os.path.exists(seal):
            os.remove(seal)
    structure, full = validate(paths, "--level=structure"), validate(paths, "--level=full")
    judge_shared(cases, full, row)
    put_seals(cases)
    sealed = validate(paths, "--level=full")
    judge_shared([c for c in cases if c.base.seal], [v for c, v in zip(cases, sealed) if c.base.seal], row)
    for case, *verdicts in zip(cases, structure, full, sealed):
        row.add(case, dict(zip(("structure", "full", "sealed"), verdicts)))


def run_format(name, count, seed, work, kinds):
    """All rows of one format, or why there are none."""
    form = registry.FORMATS[name]
    work = os.path.join(work, name)
    os.makedirs(work)
    os.chdir(work)
    bases = []
    try:
        for variant in form.bases:
            bases.append(Base(form, variant, os.path.join(work, "bases", variant)))
    except registry.Absent as e:
        if len(bases) < 3:
            return name, str(e), []
    rows, began = [], time.time()
    for kind in kinds:
        if kind in form.skip:
            continue
        row = Row(name, kind)
        cases = make_cases(form, bases, kind, count, os.path.join(work, kind), seed)
        if cases:
            judge(cases, row)
            rows.append(row)
        shutil.rmtree(os.path.join(work, kind), ignore_errors=True)
    whole = validate([b.path for b in bases], "--level=full")
    genuine = ["%s: %s" % (b.variant, v) for b, v in zip(bases, whole) if v["verdict"] != "valid"]
    for row in rows:
        row.genuine, row.is_set, row.told = genuine, any(b.is_set for b in bases), {v["format"] for v in whole}
        row.seconds = time.time() - began
    return name, None, rows


def few(rows):
    """Kinds of damage with fewer files than a rate needs to mean much, or on too few bases."""
    return ["%s %s: %d on %d bases" % (r.form, r.kind, r.n, len(r.bases)) for r in rows
            if (r.n < 50 or len(r.bases) < 3) and r.kind not in damages.HARMLESS and not expect.unequal(r.form, r.kind)]


def never(done, wanted):
    """Kinds that no file of a format could be given, which expect.py does not name."""
    return ["%s %s" % (name, kind) for name, rows in done.items() for kind in wanted
            if rows and kind not in {r.kind for r in rows} and not expect.impossible(name, rows[0].is_set, kind)]


def uncovered(done):
    """Rows of the product's table of formats that no base was told as."""
    known = set()
    for path in glob.glob(HERE + "/../../core/format/*/*.c"):
        with open(path, encoding="utf-8") as f:
            known.update(re.findall(r'^const struct ckpt_format ckpt_format_\w+ = {\n\t\.name = "([^"]+)"', f.read(), re.M))
    if not known:
        raise RuntimeError("no row of a format was found")
    return sorted(known - {name for rows in done.values() for r in rows for name in r.told})


def rate(found, of):
    return "%d/%d" % (found, of) if of else "-"


def table(rows):
    out = ["| format | damage | n | by structure | in full | with a seal | told as | what cannot be shown: found, of |",
           "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        told = ", ".join("%s %d" % c for c in r.codes.most_common(3)) if r.n else "no damage: all %d valid" % r.none
        free = "%s: %s" % (rate(r.free_full, r.free), r.why) if r.free else ""
        out.append("| %s | %s | %d | %s | %s | %s | %s | %s |" % (
            r.form, r.kind, r.n, rate(r.bound_structure, r.bound), rate(r.bound_full, r.bound),
            rate(r.sealed, r.sealable), told, free))
    return out


def summary(rows, seed):
    total = sum(r.n for r in rows)
    bound, found = sum(r.bound for r in rows), sum(r.bound_full for r in rows)
    free, free_found = sum(r.free for r in rows), sum(r.free_full for r in rows)
    return ["%d damaged checkpoints of %d formats, seed %d." % (total, len({r.form for r in rows}), seed), "",
            "* What the format can show: %d found of %d (%d of them by structure alone)." %
            (found, bound, sum(r.bound_structure for r in rows)),
            "* What it cannot show by its rules: %d found of %d." % (free_found, free),
            "* With a seal made before: %d found of %d." % (sum(r.sealed for r in rows), sum(r.sealable for r in rows)),
            "* Bytes the same (other times, other layout that reads the same): %d, none of them called damaged; %d more that "
            "the format's own library reads the same from." % (sum(r.none for r in rows), sum(r.harmless for r in rows))]


def write_readme(rows, seed):
    with open(HERE + "/README.md", encoding="utf-8") as f:
        text = f.read()
    head = text[:text.index("<!-- result -->")]
    with open(HERE + "/README.md", "w", encoding="utf-8") as f:
        f.write(head + "<!-- result -->\n" + "\n".join(summary(rows, seed) + [""] + table(rows)) + "\n")


def report(name, absent, rows):
    """Protocol lines of a format. Its rows."""
    if absent:
        print("skip damage_%s: %s" % (name, absent))
        return []
    failures = [f for r in rows for f in r.failures] + ["genuine base %s" % g for r in rows[:1] for g in r.genuine]
    for line in failures[:20]:
        print("# " + line)
    n, bad = sum(r.n for r in rows), [r.kind for r in rows if r.failures]
    if failures:
        print("not ok damage_%s: %d wrong of %d (%s)" % (name, len(failures), n, ", ".join(bad)))
    else:
        print("ok damage_%s" % name)
    print("# %s: %d damaged, %.1f s" % (name, n, rows[0].seconds if rows else 0), flush=True)
    return rows


def report_rows(done):
    """Whether a row of the table of formats is not damaged here; where a writer is not here, that is not known."""
    absent, lacking = [name for name, rows in done.items() if not rows], uncovered(done)
    if absent:
        print("skip damage_rows: without " + ", ".join(absent))
        return False
    print("ok damage_rows" if not lacking else "not ok damage_rows: no base of " + ", ".join(lacking))
    return bool(lacking)


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--count", type=int, default=60, help="damaged files for each format and kind")
    p.add_argument("--least", type=int, default=0, help="fail below so many damaged files in all")
    p.add_argument("--write", action="store_true", help="the table into README.md")
    p.add_argument("--kind", action="append")
    p.add_argument("format", nargs="*")
    return p.parse_args()


def main():
    args = arguments()
    registry.load_all()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**31)
    print("# seed %d" % seed, flush=True)
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = os.environ["DAMAGE_WORK"] = tempfile.mkdtemp(prefix="ckpt-damage-", dir=parent)
    rows, failed, by_name = [], False, {}
    try:
        with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=None) as pool:
            jobs = [pool.submit(run_format, name, args.count, seed, work, args.kind or damages.ALL)
                    for name in args.format or registry.FORMATS]
            for job in jobs:
                name, absent, done = job.result()
                by_name[name] = report(name, absent, done)
                failed = failed or any(r.failures or r.genuine for r in done)
                rows += done
    finally:
        shutil.rmtree(work, ignore_errors=True)
    total = sum(r.n for r in rows)
    print("\n".join(table(rows) + summary(rows, seed)))
    lacking = few(rows) + never(by_name, args.kind or damages.ALL) if args.count >= 50 else []
    if args.count < 50:
        print("skip damage_each: --count=%d" % args.count)
    else:
        print("ok damage_each" if not lacking else "not ok damage_each: too few damaged files: " + ", ".join(lacking))
    failed = failed or bool(lacking)
    if not args.format:
        failed |= report_rows(by_name)
    if args.least:
        enough = total >= args.least
        print("ok damage_enough" if enough else "not ok damage_enough: %d damaged files, fewer than %d" % (total, args.least))
        failed |= not enough
    if args.write:
        write_readme(rows, seed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
