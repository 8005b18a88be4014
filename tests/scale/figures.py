#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scale run showed: figures.py judge RECORDS prints the tables and a line `ok` or `not ok` a check, and ends
with 1 if one is not; figures.py memory prints what the companions of the cluster CLUSTER_DIR take now."""
import collections
import datetime
import os
import re
import sys
from pathlib import Path

OURS = ("REQUEST_JOB_INFO_SINGLE", "REQUEST_JOB_REQUEUE", "REQUEST_UPDATE_JOB")
# What run itself asks for while it waits, and what comes by the clock.
BY_CLOCK = {"REQUEST_JOB_INFO", "REQUEST_PARTITION_INFO", "REQUEST_STATS_INFO", "REQUEST_NODE_INFO", "REQUEST_PING",
            "MESSAGE_NODE_REGISTRATION_STATUS", "REQUEST_BUILD_INFO"}
PHASES = ("start", "preemption", "resume and end")
START_MS, START_WORST_MS = 50, 500
COMPANION_KIB = 16 * 1024


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, max(0, -(-len(values) * percent // 100) - 1))] if values else float("nan")


def lines_of(path):
    return path.read_text(errors="replace").splitlines() if path.exists() else []


# --- a round's records ---

class Job:
    """One job of the plan, and what it left."""

    def __init__(self, round_dir, plan):
        number, self.kind, *steps = plan.split()
        self.number, self.steps = int(number), [int(s) for s in steps]
        self.start, self.env, self.checks, self.ended = {}, collections.defaultdict(dict), {}, set()
        for line in lines_of(round_dir / "life" / number / "life"):
            self.take(line)

    def take(self, line):
        word, attempt, *rest = line.split(" ", 2)
        if word == "start":
            self.start[int(attempt)] = float(rest[0])
        elif word == "env":
            name, value = rest[0].split("=", 1)
            self.env[int(attempt)][name] = value
        elif word == "check":
            self.checks[int(attempt)] = rest[0]
        elif word == "end":
            self.ended.add(int(attempt))

    def good_step(self):
        """The step to go on from; None where nothing is left of it."""
        return {"whole": self.steps[-1], "nothing": None}.get(self.kind, self.steps[-2])

    def why_wrong(self):
        """What is wrong with what attempt 1 was told; empty where nothing is."""
        env, step = self.env[1], self.good_step()
        want = {"CKPT_RESUME_MODE": "fresh", "CKPT_RESUME_PATH": "", "CKPT_ATTEMPT": "1"}
        if step is not None:
            name = f"/{self.number}/checkpoints/ckpt-{step}." + ("pt" if step % 2 else "npz")
            want |= {"CKPT_RESUME_MODE": "resume", "CKPT_RESUME_PATH": name, "CKPT_RESUME_STEP": str(step)}
        for key, value in want.items():
            told = env.get(key)
            if told is None or not (told.endswith(value) if value.startswith("/") else told == value):
                return f"job {self.number} ({self.kind}): {key} is {told}, not {value!r}"
        if self.checks.get(1) != "right":
            return f"job {self.number} ({self.kind}): its own check says {self.checks.get(1)}"
        return ""


def read_rpcs(path):
    """Counts by type, and by user."""
    counts, key = {"type": {}, "user": {}}, None
    for line in lines_of(path):
        if line.startswith("Remote Procedure Call statistics by"):
            key = "type" if "message type" in line else "user"
        match = re.match(r"\s+(\S+)\s*\(\s*\d+\)\s+count:(\d+)", line)
        if match and key:
            counts[key][match[1]] = int(match[2])
    return counts


def read_allocations(path):
    """Job id -> times at which slurmctld gave it nodes."""
    times = collections.defaultdict(list)
    for line in lines_of(path):
        match = re.match(r"\[([^]]+)\] sched.*(?:Allocate|Started) JobId=(?:\d+_\d+\((\d+)\)|(\d+)) ", line)
        if match:
            times[int(match[2] or match[3])].append(datetime.datetime.fromisoformat(match[1]).timestamp())
    return times


def read_freed(path):
    """Job id -> seconds from its preemption to its requeue, with which its node is free again."""
    taken, freed = {}, {}
    for line in lines_of(path):
        match = re.match(r"\[([^]]+)\] (preempted|Requeuing) JobId=(\d+)", line)
        if match:
            time = datetime.datetime.fromisoformat(match[1]).timestamp()
            if match[2] == "preempted":
                taken[int(match[3])] = time
            elif int(match[3]) in taken:
                freed[int(match[3])] = time - taken[int(match[3])]
    return freed


def read_clock(path):
    """(job id, attempt) -> {prolog, step, epilog: (wall, CPU) in ms}. The epilog's count is the next attempt's."""
    clock = collections.defaultdict(dict)
    for line in lines_of(path):
        what, job, attempt, _, wall, cpu, _ = line.split()
        clock[int(job), int(attempt)][what] = (int(wall) / 1000, int(cpu) / 1000)
    return clock


class Round:
    def __init__(self, records, name, sizes):
        path = self.path = records / name
        self.name, self.sizes = name, sizes
        self.jobs = [Job(path, line) for line in lines_of(records / "plan")]
        self.ids = {int(a): int(b) for a, b in (line.split() for line in lines_of(path / "ids"))}
        self.rpcs = [read_rpcs(path / f"sdiag.{n}") for n in range(4)]
        self.given = read_allocations(path / "slurmctld.log")
        self.freed = read_freed(path / "slurmctld.log")
        self.clock = read_clock(path / "clock")
        self.nodes = [line.split(" ", 2) for line in lines_of(path / "nodes")]
        self.high = {a: float(b) for a, b in (line.split() for line in lines_of(path / "high"))}

    def group(self, quiet):
        return [j for j in self.jobs if (j.number > self.sizes["jobs"]) == quiet]

    def rpc(self, kind, name, phase):
        return self.rpcs[phase + 1][kind].get(name, 0) - self.rpcs[phase][kind].get(name, 0)

    def starts_ms(self, quiet, attempt):
        """From slurmctld's giving of the node to the script's first line."""
        result = []
        for job in self.group(quiet):
            given = self.given.get(self.ids.get(job.number), [])
            if attempt in job.start and attempt < len(given):
                result.append(1000 * (job.start[attempt] - given[attempt]))
        return result

    def freed_ms(self, quiet):
        ids = [self.ids.get(j.number) for j in self.group(quiet)]
        return [1000 * self.freed[job] for job in ids if job in self.freed]

    def preemptors_ms(self, quiet):
        """From its submission to the preemptor's first line."""
        if quiet:
            asked = {"quiet." + a: float(b) for a, b in (x.split() for x in lines_of(self.path / "quiet_submitted"))}
        else:
            text = lines_of(self.path / "high_submitted")
            asked = {str(n): float(text[0]) for n in range(1, self.sizes["nodes"] + 1)} if text else {}
        return [1000 * (self.high[k] - t) for k, t in asked.items() if k in self.high]

    def own_ms(self, quiet, attempt, parts, cpu=False):
        """Time of our own parts together, of each of the group's jobs."""
        result = []
        for job in self.group(quiet):
            clocks = self.clock.get((self.ids.get(job.number), attempt), {})
            if all(p in clocks for p in parts):
                result.append(sum(clocks[p][1 if cpu else 0] for p in parts))
        return result


# --- the checks: each gives what is wrong, or nothing ---

def came_back(*rounds):
    for round_ in filter(None, rounds):
        missing = [j.number for j in round_.jobs if 1 not in j.ended or len(j.start) != 2]
        if missing:
            return f"{round_.name}: {len(missing)} jobs did not start twice and end, such as {missing[0]}"
        states = re.findall(r"JobId=(\d+) .*?JobState=(\S+) .*?Restarts=(\d+)", "\n".join(lines_of(round_.path / "jobs")))
        states = {int(job): rest for job, *rest in states}
        for number, job in round_.ids.items():
            if states.get(job) != ["COMPLETED", "1"]:
                return f"{round_.name}: job {number} is {states.get(job)}"
    return ""


def right_checkpoint(_, with_):
    wrong = list(filter(None, (j.why_wrong() for j in with_.jobs)))
    return f"{len(wrong)} of {len(with_.jobs)} jobs, such as {wrong[0]}" if wrong else ""


def nodes_idle(*rounds):
    for round_ in filter(None, rounds):
        bad = [n for n in round_.nodes if n[1] != "idle"]
        if bad or len(round_.nodes) != round_.sizes["nodes"]:
            return f"{round_.name}: {len(round_.nodes)} nodes, not idle: {bad[:3]}"
    return ""


def no_rpc_at_start(_, with_):
    n = {name: with_.rpc("type", name, 0) for name in OURS}
    return f"{n}" if any(n.values()) else ""


def one_rpc_at_the_end(_, with_):
    for phase in (1, 2):
        n = with_.rpc("type", OURS[0], phase)
        if n > with_.sizes["jobs"]:
            return f"{n} questions about {with_.sizes['jobs']} ends at {PHASES[phase]}"
    return ""


def allowed(sizes, name, phase, before):
    """Where an Epilog is configured, whichever, slurmd tells the end of each with a message of its own."""
    if name == "MESSAGE_EPILOG_COMPLETE" and phase:
        return sizes["jobs"] + (sizes["nodes"] if phase == 2 else 0)
    return before + max(3, before // 50)


def nothing_else_asked(without, with_):
    """Slurm requeues these jobs itself, so that there is nothing for us to change; and no other call is ours."""
    for phase in range(3):
        for name in sorted(set(with_.rpcs[3]["type"]) - BY_CLOCK - {OURS[0]}):
            n, before = with_.rpc("type", name, phase), without.rpc("type", name, phase)
            if n > allowed(with_.sizes, name, phase, before) or (name in OURS and n):
                return f"{name}: {n} at {PHASES[phase]}, {before} without"
    return ""


def requeued_once(_, with_):
    n = [sum(with_.rpc("type", name, p) for p in range(3)) for name in OURS[1:]]
    return "" if n == [with_.sizes["jobs"], 0] else f"{n[0]} requeues of {with_.sizes['jobs']} jobs, {n[1]} changes"


def nothing_asked_as_user(without, with_):
    users = set(with_.rpcs[3]["user"]) - {"root"}
    counts = {u: tuple(sum(r.rpc("user", u, p) for p in range(3)) for r in (without, with_)) for u in users}
    if not counts:
        return "nobody but root was counted"
    return f"without, with: {counts}" if any(a != b for a, b in counts.values()) else ""


def time_added(values, what):
    middle, worst = percentile(values, 50), percentile(values, 99)
    if middle <= START_MS and worst <= START_WORST_MS:
        return ""
    return f"{what}: {middle:.0f} ms, p99 {worst:.0f} ms; asked for are {START_MS} and {START_WORST_MS}"


def start_is_short(_, with_):
    """Prolog and plugin, on the way to the script: by the clock where a node has a processor to itself."""
    return next(filter(None, (time_added(with_.own_ms(True, n, ("prolog", "step")), f"start {n}, quiet")
                              for n in (0, 1))), "")


def start_is_cheap(_, with_):
    """The same in the storm, in CPU time, which others' load does not reach."""
    return next(filter(None, (time_added(with_.own_ms(False, n, ("prolog", "step"), cpu=True), f"CPU of start {n}")
                              for n in (0, 1))), "")


def every_start_timed(_, with_):
    """
    slurmd runs no Prolog for a requeued job that it still knows, and it forgets such jobs at most every two seconds
    (slurm_cred.c, _clear_expired_job_states): beside other starts on a node, some second starts have none.
    """
    jobs = with_.sizes["jobs"]
    asked = ((0, "step", jobs), (1, "step", jobs), (0, "prolog", jobs), (1, "prolog", jobs // 2))
    for attempt, part, least in asked:
        n = len(with_.own_ms(False, attempt, (part,)))
        if n < least:
            return f"{n} of {jobs} jobs have a {part} at attempt {attempt}"
    return ""


def companions_small(_, with_):
    memory = dict(line.split() for line in lines_of(with_.path / "memory"))
    if int(memory.get("companions", 0)) < with_.sizes["jobs"]:
        return f"{memory.get('companions', 0)} companions for {with_.sizes['jobs']} jobs"
    most = int(memory["most_kib"])
    return f"one takes {most} KiB" if most > COMPANION_KIB else ""


CHECKS = (came_back, right_checkpoint, nodes_idle, no_rpc_at_start, one_rpc_at_the_end, nothing_else_asked,
          nothing_asked_as_user, every_start_timed, start_is_short, start_is_cheap, companions_small)
GRACE_CHECKS = (came_back, right_checkpoint, nodes_idle, no_rpc_at_start, one_rpc_at_the_end, requeued_once,
                every_start_timed, start_is_cheap, companions_small)


# --- the tables ---

def two(values):
    return f"{'-':>8}{'-':>8}" if not values else f"{percentile(values, 50):8.0f}{percentile(values, 99):8.0f}"


def print_pair(what, rounds, values_of):
    values = [values_of(r) if r else [] for r in rounds]
    if not values[1]:
        return
    added = [percentile(values[1], p) - percentile(values[0], p) for p in (50, 99)] if values[0] else []
    print(f"# {what:44}{two(values[0])}  {two(values[1])}  " + "".join(f"{a:+8.0f}" for a in added))


def print_times(rounds):
    print(f"# {'milliseconds':44}{'without':>16}  {'with':>16}  {'added':>16}")
    print(f"# {'':44}{'p50     p99':>16}  {'p50     p99':>16}  {'p50     p99':>16}")
    for quiet in (False, True):
        when = "one at a time" if quiet else "all at once"
        for attempt, word in ((0, "first start"), (1, "start after preemption")):
            print_pair(f"{word}, {when}", rounds, lambda r: r.starts_ms(quiet, attempt))
        print_pair(f"node free after preemption, {when}", rounds, lambda r: r.freed_ms(quiet))
        print_pair(f"preemptor's start, {when}", rounds, lambda r: r.preemptors_ms(quiet))


def print_own(with_):
    print(f"#\n# {'our own parts, milliseconds':44}{'wall p50     p99':>16}  {'CPU p50     p99':>16}")
    for quiet in (False, True):
        for attempt, parts in ((0, ("prolog", "step")), (1, ("prolog", "step")), (1, ("epilog",))):
            what = "epilog after preemption" if parts[0] == "epilog" else f"prolog and plugin, attempt {attempt}"
            own = [with_.own_ms(quiet, attempt, parts, cpu) for cpu in (False, True)]
            if own[0]:
                print(f"# {what + (', one at a time' if quiet else ', all at once'):44}{two(own[0])}  {two(own[1])}")


def print_rpcs(rounds):
    rounds = [r for r in rounds if r]
    print(f"#\n# {'calls of slurmctld: ' + ', '.join(r.name for r in rounds):44}" + "".join(f"{p:>20}" for p in PHASES))
    for name in sorted(set().union(*(r.rpcs[3]["type"] for r in rounds))):
        mark = "(clock) " if name in BY_CLOCK else ""
        cells = ("".join(f"{r.rpc('type', name, p):>{20 // len(rounds)}}" for r in rounds) for p in range(3))
        print(f"# {mark + name:44}" + "".join(cells))


def print_rest(rounds):
    told = collections.Counter(j.env[1].get("CKPT_RESUME_REASON", "none") for j in rounds[1].group(False))
    print("#\n# companions: " + ", ".join(lines_of(rounds[1].path / "memory")))
    print(f"# reasons told at the second start: {dict(told)}")
    for r in filter(None, rounds):
        errors = sum("error" in line for line in lines_of(r.path / "slurmctld.log"))
        print(f"# lines of error, {r.name}: slurmctld {errors}, slurmd {len(lines_of(r.path / 'slurmd.errors'))}")


def judge(records):
    records, failed = Path(records), 0
    sizes = {a: int(b) for a, b in (line.split() for line in lines_of(records / "sizes"))}
    with_ = Round(records, "with", sizes)
    rounds = (None if sizes["grace"] else Round(records, "without", sizes), with_)
    print_times(rounds)
    print_own(with_)
    print_rpcs(rounds)
    print_rest(rounds)
    for check in GRACE_CHECKS if sizes["grace"] else CHECKS:
        why = check(*rounds)
        failed += bool(why)
        print(f"not ok scale__{check.__name__}: {why}" if why else f"ok scale__{check.__name__}")
    return 1 if failed else 0


def memory():
    """The companions of this cluster: their number, KiB of each (both its processes; shared pages divided), CPU."""
    mark, kib, cpu = os.fsencode(os.environ["CLUSTER_DIR"]) + b"/", collections.Counter(), 0
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if (proc / "comm").read_text().strip() != "ckpt-companion" or mark not in (proc / "environ").read_bytes():
                continue
            job = re.search(rb"CKPT_REQUEST_JOB_ID=(\d+)", (proc / "environ").read_bytes())[1]
            kib[job] += int(re.search(r"^Pss:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.M)[1])
            times = (proc / "stat").read_text().rsplit(")", 1)[1].split()[11:15]
            cpu += sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    print(f"companions {len(kib)}")
    print(f"most_kib {max(kib.values(), default=0)}")
    print(f"mean_kib {sum(kib.values()) // max(1, len(kib))}")
    print(f"cpu_ms_of_each {1000 * cpu / max(1, len(kib)):.0f}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        sys.exit(memory())
    sys.exit(judge(sys.argv[2]))
