#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One program on a private cluster, killed again and again at random moments; see README.md. `run` starts it."""
import argparse
import os
import random
import shutil
import subprocess
import sys
import time

import kinds
from judge import Judge
from lives import Log
from programs import PROGRAMS
from slurm import HERE, Hang, Slurm, kill, processes, programs_of, until

WAITING = ("PENDING", "REQUEUE_HOLD")  # the second: as Slurm itself holds a job that failed to start too often
OVER = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "OUT_OF_MEMORY")
FORGOTTEN = 14.0  # seconds after its start in which slurmctld believes in a job whatever the node says, as `run` sets it
SAVED = 8.0  # seconds after which slurmctld has its state on the disk


class Chaos:
    def __init__(self, args):
        self.rng, self.slurm = random.Random("%s %s" % (args.seed, args.program)), Slurm()
        self.program = PROGRAMS[args.program](self.slurm, args.kills)
        self.deck = kinds.deck(self.rng, args.kills, os.path.ismount(self.program.run),
                               args.kinds.split(",") if args.kinds else [])
        self.broken = args.broken
        self.log = Log(os.path.join(self.program.work, "log"))
        self.judge = Judge(self.program, self.log)
        self.job, self.began = None, time.monotonic()
        self.holds = self.by_hand = self.hit_saves = self.companions = self.lost_requeues = self.nudges = self.agents = 0
        self.duplicates = 0
        self.to_damage, self.at_start = False, None
        self.kind = "the start"

    def say(self, *words):
        print("%6.1fs %-8s %s" % (time.monotonic() - self.began, self.program.name, " ".join(map(str, words))),
              flush=True)

    def touch(self, name):
        path = os.path.join(self.program.work, name)
        with open(path, "w", encoding="ascii"):
            pass
        shutil.chown(path, self.slurm.user)

    def submit(self):
        ours = ["--ckpt-resume", "--ckpt-dir=run", "--ckpt-requeue=preempt,node-fail,stall,exit:1,3,134,137"]
        self.job = self.slurm.as_user(
            "sbatch", "--parsable", "-D", self.program.work, "-o", os.path.join(self.program.work, "out"), "-p", "low",
            "--requeue", *(ours if self.broken != "off" else []), os.path.join(HERE, "job"), self.broken,
            *self.program.command())

    # --- waiting ---

    def wait_off(self, life, outcome):
        """Until the program is gone and Slurm knows it: "off"; "on" where the kill came to nothing; "late" where the
        next life has begun already."""
        if outcome == kinds.AGAIN:
            until("the program to end", lambda: self.log.read() and life.exit is not None)
            return "off"
        began, before = time.monotonic(), self.nudges

        def off():
            state = self.slurm.job(self.job).get("JobState")
            if self.log.read()[-1] is not life:
                return "late"
            on, waited = processes("CHAOS_ID=" + life.id, ""), time.monotonic() - began
            if on and state == "RUNNING" and waited > 20:
                return "on"
            if not on and state == "RUNNING" and waited > FORGOTTEN * (1 + self.nudges - before):
                self.nudge(self.nudges == before)
            return "off" if not on and (state in WAITING or state in OVER) else None

        return until("attempt %d to end" % life.attempt, off, pause=0.1)

    def is_early(self):
        """Whether nothing can have been decided for the next attempt yet."""
        fields = self.slurm.job(self.job)
        return fields.get("JobState") in OVER or fields.get("JobState") in WAITING and \
            self.slurm.waited(fields) < 4

    def nudge(self, first):
        """A slurmctld that forgot that the attempt ended learns it when the nodes register anew, or after minutes;
        or never: an epilog that reports then takes the nodes away from the job, and leaves it running for ever."""
        self.nudges += 1
        self.say("slurmctld takes the job for running;", "the nodes register anew" if first else "requeued")
        if not first:
            self.slurm.as_user("scontrol", "requeue", self.job, check=False)
            return
        for name in self.slurm.nodes:
            self.slurm.kill_daemon(name)
            self.slurm.start_daemon(name)

    def go_on(self):
        """One look at the job that waits; does what its owner and an admin would. Returns its state."""
        self.bring_back()
        fields = self.slurm.job(self.job)
        state = fields.get("JobState")
        if state in WAITING and fields.get("Priority") == "0":
            self.holds += 1
            self.judge.held()
            self.say("held:", fields.get("Reason"), "released")
            self.slurm.as_user("scontrol", "release", self.job, check=False)
        elif state == "PENDING":
            if self.slurm.hurry(self.job, fields) and self.at_start:
                hit, self.at_start = self.at_start, None
                hit()
        elif state in OVER:
            self.by_hand += 1
            self.judge.ended_for_good(state, self.ledger_has_requeue())
            self.say("job is", state, "requeued by hand")
            self.slurm.as_user("scontrol", "requeue", self.job, check=False)
        return state

    def bring_back(self):
        """A slurmctld that was killed between a launch and its next save of state forgets the launch, sends the job
        to the same node again, is told that it runs there, and drains the node: no doing of ours."""
        if not self.judge.is_forgetful():
            return
        for name in self.slurm.drained_as("Duplicate jobid"):
            self.duplicates += 1
            self.say("slurmctld drained", name, "for a launch that it forgot; brought back")
            self.slurm.set_node(name, "RESUME")

    def ledger_has_requeue(self):
        """Whether the requeue of the last attempt could be recorded: what cannot be is not done."""
        path = os.path.join(self.program.run, ".ckpt-resume", "ledger.jsonl")
        wanted = '"attempt":%d,' % self.log.lives[-1].attempt
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.startswith('{"event":"requeue"') and wanted in line and line.endswith("}\n") for line in file)

    def hit_slurmd(self):
        def running():
            fields = self.slurm.job(self.job)
            return fields.get("JobState") == "RUNNING" and fields.get("BatchHost")

        node = until("the job to start", running)
        time.sleep(self.rng.uniform(0, 0.6))
        self.slurm.kill_daemon(node)
        time.sleep(self.rng.uniform(0, 1))
        self.slurm.start_daemon(node)

    def hit_agent(self):
        """In the prolog, or where that comes first or it was hit there, in the step."""
        end, wanted = time.monotonic() + 6, self.rng.choice((1, 2))
        lives, known = len(self.log.lives), set(os.listdir("/proc"))  # it lives for some milliseconds
        while time.monotonic() < end and wanted and len(self.log.read()) == lives:
            hit = kill(programs_of(os.environ["CLUSTER_DIR"], "ckpt-agent", known))
            self.agents += hit
            wanted -= min(wanted, hit)

    def wait_life(self, known):
        """The next life, once its program has said where it starts."""
        looked, began, before = [0.0], time.monotonic(), self.nudges

        def begun():
            lives = self.log.read()
            if len(lives) > known and (lives[-1].start is not None or lives[-1].exit is not None):
                return lives[-1]
            if time.monotonic() - looked[0] > 0.4 and not (len(lives) > known and lives[-1].exit is None):
                state = self.go_on()
                looked[0] = time.monotonic()
                if state == "RUNNING" and len(lives) == known and \
                        looked[0] - began > FORGOTTEN * (1 + self.nudges - before):
                    self.nudge(self.nudges == before)
            return None

        return until("the program to start", begun)

    def live(self, life, left):
        """Lets it run for a random while, so that the kills are spread over all the steps."""
        rate = self.program.rate
        steps = self.rng.uniform(0, 2 * (self.program.steps - life.start) / (left + 3))
        begin, end = self.program.reached(life), time.monotonic() + 4 * steps / rate + 1

        def enough():
            self.log.read()
            return life.done or life.exit is not None or life is not self.log.lives[-1] or \
                self.program.reached(life) - begin >= steps or time.monotonic() > end

        until("progress", enough, pause=0.02)
        time.sleep(self.rng.uniform(0, 1.2 / rate))

    def follow(self, life, late=False):
        """What nobody looked at in between: a slurmctld that lost its last seconds may end the attempt and start
        another; or the next life was quicker than we."""
        while late or self.log.read()[-1] is not life or self.judge.is_over(life):
            known = self.log.lives.index(life) + 1
            self.wait_life(known)
            after = self.log.lives[known]
            self.say("%-16s at step %s, unwatched: %s" % (self.kind, self.program.reached(life),
                                                         self.judge.unwatched(life, after, late)))
            life, late = after, False
        return life

    # --- the run ---

    def strike(self, life, kind):
        """One kill; returns the life that is on afterwards."""
        known = len(self.log.read())
        self.to_damage, self.kind = False, kind.__name__
        outcome = kind(self, life)
        state = "on" if outcome == kinds.STAYS else self.wait_off(life, outcome)
        self.judge.killed(kind)
        if state == "on":
            self.lost_requeues += outcome != kinds.STAYS
            self.say("%-16s at step %s" % (self.kind, self.program.reached(life)))
            return life
        rest = self.judge.at_rest(life, kind, outcome)
        begun = len(self.log.read()) > known
        early = outcome == kinds.AGAIN or self.is_early()
        damage = self.judge.damage(self.rng) if self.to_damage and early and not life.done else ""
        if outcome == kinds.AGAIN:
            os.unlink(os.path.join(self.program.work, "hold"))
        if life.done:
            return life
        if state == "late" or begun:
            return self.follow(life, late=True)
        after = self.wait_life(known)
        told = self.judge.started(after)
        self.say("%-16s at step %s, %s valid, newest %s%s: %s" %
                 (self.kind, rest.reached, len(rest.found), rest.found[0].step if rest.found else "none",
                  ", then " + damage if damage else "", told))
        return after

    def run(self):
        self.program.prepare()
        undisturbed = self.program.start_undisturbed()
        self.submit()
        life = self.wait_life(0)
        for i, kind in enumerate(self.deck):
            self.live(life, len(self.deck) - i)
            life = self.follow(life)
            if life.done:
                break
            life = self.strike(life, kind)
        self.finish()
        self.say("all kills are made; waiting for the undisturbed run")
        undisturbed.wait()
        self.judge.end(self.log.lives[-1])

    def look_around(self):
        """What there is when nothing happens any more."""
        print(self.slurm.node_states(), self.slurm.job(self.job) if self.job else "no job")
        for life in self.log.read()[-2:]:
            print(vars(life), processes("CHAOS_ID=" + life.id, ""))

    def finish(self):
        """The rest undisturbed; and what finished stays so, whatever dies then."""
        def done():
            lives = self.log.read()
            state = self.slurm.job(self.job).get("JobState")
            if state in OVER and not lives[-1].done or state == "PENDING":
                self.go_on()
            return lives[-1].done and state == "COMPLETED"

        until("the job to complete", done, seconds=900, pause=0.5)
        if not self.program.declares:
            time.sleep(SAVED)
        self.bring_back()
        self.hit_end()
        self.judge.nodes(self.slurm.node_states())

    def hit_end(self):
        """All daemons die. A slurmctld that forgot the end starts the job again, which must end at once then."""
        lives = len(self.log.lives)
        for name in ["slurmctld"] + self.slurm.nodes:
            self.slurm.kill_daemon(name)
        for name in ["slurmctld"] + self.slurm.nodes:
            self.slurm.start_daemon(name)
        if self.slurm.job(self.job).get("JobState") == "RUNNING":
            time.sleep(FORGOTTEN)
            self.nudge(True)

        def over():
            fields = self.slurm.job(self.job)
            self.slurm.hurry(self.job, fields)
            return fields.get("JobState") in OVER and self.slurm.idle()

        try:
            until("the end", over, pause=0.3)
        except Hang:
            self.judge.wrong("the job is %s again" % self.slurm.job(self.job).get("JobState"))
        if len(self.log.read()) != lives:
            self.judge.wrong("what was finished ran once more")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=sorted(PROGRAMS))
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--broken", default="no")
    parser.add_argument("--kinds", default="")
    return parser.parse_args()


def main():
    chaos = Chaos(arguments())
    try:
        chaos.run()
    except (Hang, subprocess.TimeoutExpired) as what:
        chaos.judge.wrong("after %s, waited in vain for: %s" % (chaos.kind, what))
        chaos.look_around()
    chaos.judge.table(chaos)
    return 1 if chaos.judge.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
