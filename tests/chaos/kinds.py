# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of kills. Each takes the run and the life that is on, does its harm, and says what must come of it:
STAYS (the program goes on), ENDS (the attempt is over), AGAIN (the program starts anew within the attempt)."""
import os
import time

from slurm import kill, processes, programs_of, steps_of, until

STAYS, ENDS, AGAIN = "stays", "ends", "again"


def program_of(run, life):
    return processes("CHAOS_ID=" + life.id, run.program.comm)


def program(run, life):
    kill(program_of(run, life))
    return ENDS


def midsave(run, life):
    """Waits for a save to begin; a quick one is hit by looking all the time."""
    pids = program_of(run, life)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        run.log.read()
        if run.program.in_save(life):
            time.sleep(run.rng.uniform(0, run.program.save_takes))
            break
        time.sleep(0.001)
    run.hit_saves += run.program.in_save(life)
    kill(pids)
    return ENDS


def again(run, life):
    """The script starts it once more, in the same attempt; `hold` gives us the time to look."""
    for name in ("hold", "again"):
        run.touch(name)
    kill(program_of(run, life))
    return AGAIN


def companion(run, _life):
    """As it watches, or in the midst of sealing."""
    end, pids = time.monotonic() + 3, []
    while not pids and time.monotonic() < end:
        pids = programs_of(os.environ["CLUSTER_DIR"], "ckpt-companion")
    run.companions += kill(pids) > 0
    return STAYS


def slurmd(run, life):
    run.slurm.kill_daemon(life.node)
    time.sleep(run.rng.uniform(0, 2))
    run.slurm.start_daemon(life.node)
    return STAYS


def requeue(run, _life):
    run.slurm.as_user("scontrol", "requeue", run.job, check=False)
    return ENDS


def slurmd_at_end(run, life):
    """While the attempt ends: its epilog may be lost."""
    requeue(run, life)
    time.sleep(run.rng.uniform(0, 0.8))
    return slurmd(run, life) and ENDS


def slurmd_at_start(run, life):
    """While the next attempt starts."""
    run.at_start = run.hit_slurmd
    return requeue(run, life)


def agent(run, life):
    """Our own, while it decides for the next attempt."""
    run.at_start = run.hit_agent
    return requeue(run, life)


def slurmctld(run, _life):
    run.slurm.kill_daemon("slurmctld")
    time.sleep(run.rng.uniform(0, 1.5))
    run.slurm.start_daemon("slurmctld")
    return STAYS


def slurmctld_at_end(run, life):
    """While the attempt ends: what it knew of that may be lost."""
    requeue(run, life)
    time.sleep(run.rng.uniform(0, 0.8))
    return slurmctld(run, life) and ENDS


def preempt(run, life):
    run.slurm.as_user("sbatch", "--parsable", "-p", "high", "-w", life.node, "-o", "/dev/null", "--wrap", "sleep 0.3")
    return ENDS


def node(run, life):
    """Dies with all that ran on it, and is back a little later."""
    run.slurm.kill_daemon(life.node)
    kill(steps_of(os.environ["CLUSTER_DIR"], run.job))
    run.slurm.set_node(life.node, "DOWN")
    time.sleep(run.rng.uniform(0, 1))
    run.slurm.start_daemon(life.node)
    run.slurm.set_node(life.node, "RESUME")
    return ENDS


def disk_full(run, life):
    """Until the program has died of it, or a little longer."""
    path = os.path.join(run.program.run, "ballast")
    with open(path, "wb", buffering=0) as file:
        space = os.statvfs(path)
        try:
            while True:
                file.write(bytes(space.f_bsize))
        except OSError:
            pass
    try:
        until("the program to end on a full disk", lambda: run.log.read() and life.exit is not None)
        time.sleep(run.rng.choice((0, run.rng.uniform(0, 3))))
    finally:
        os.unlink(path)
    return ENDS


def damaged(run, life):
    """The attempt is ended somehow, and the checkpoint that was to be gone on from is damaged."""
    run.to_damage = True
    return run.rng.choice((requeue, program, again, preempt))(run, life)


# kind, how often among the others
KINDS = ((program, 12), (midsave, 15), (again, 9), (companion, 9), (agent, 5), (slurmd, 5), (slurmd_at_end, 3),
         (slurmd_at_start, 3), (slurmctld, 5), (slurmctld_at_end, 5), (preempt, 12), (requeue, 7), (node, 5),
         (disk_full, 9), (damaged, 14))


def deck(rng, kills, disk, only):
    """As many kinds as kills, shuffled: each by its weight, and each at least once where there is room. `only`: names,
    or none for all."""
    kinds = [(kind, weight) for kind, weight in KINDS if (disk or kind is not disk_full) and
             (not only or kind.__name__ in only)]
    total = sum(weight for _, weight in kinds)
    out = [kind for kind, _ in kinds][:kills]
    for kind, weight in kinds:
        out += [kind] * int(max(0, round(kills * weight / total) - 1))
    while len(out) < kills:
        out.append(rng.choice(kinds)[0])
    out = out[:kills]
    rng.shuffle(out)
    return out
