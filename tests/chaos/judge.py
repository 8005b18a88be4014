# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold after each kill and at the end; and the table."""
import collections
import statistics
import time

import kinds

# What makes the attempt fail by itself, so that going on from the same place may stop (README: a checkpoint from
# which two attempts failed without a newer one is passed over).
FAULTS = (kinds.program, kinds.midsave, kinds.disk_full)


class Rest:
    """What lay there between two lives."""

    def __init__(self, life, kind, found, reached):
        self.life, self.kind, self.found, self.reached = life, kind, found, reached
        self.damaged = 0


class Judge:
    def __init__(self, program, log):
        self.program, self.log = program, log
        self.wrongs, self.notes = [], []
        self.kills = collections.Counter()
        self.redone = collections.defaultdict(list)
        self.gaps, self.over = [], []
        self.rest = self.before = None
        self.lost = self.poisoned = self.altered = 0
        self.origin, self.failed = None, collections.Counter()
        self.forgets_until, self.seen = 0, 0

    def wrong(self, text):
        self.wrongs.append(text)
        print("  WRONG: " + text, flush=True)

    def killed(self, kind):
        self.kills[kind.__name__] += 1
        if kind in (kinds.slurmctld, kinds.slurmctld_at_end):
            self.forgets_until = time.monotonic() + 300

    def is_forgetful(self):
        """Whether a slurmctld was killed in the last minutes."""
        return time.monotonic() <= self.forgets_until

    @staticmethod
    def is_over(life):
        return life.exit is not None and not life.done

    def unwatched(self, life, after, late):
        """A start before which nobody looked: judged by the interval alone. Unless `late`, no kill asked for it: only
        where slurmctld died in the last minutes."""
        reached = self.program.reached(life)
        if not self.is_forgetful() and not late:
            self.wrong("attempt %d ended at step %s, and nobody had ended it" % (life.attempt, reached))
        self.origin, self.before, self.rest = None, None, None
        self.seen = self.log.lives.index(after)
        if after.start is None:
            self.wrong("the program failed at its start, from %s" % after.path)
            return "failed"
        redone = max(0, reached - after.start)
        self.over.append((redone, 2, "an unwatched start"))
        return "starts at step %d, %d redone" % (after.start, redone)

    # --- between two lives ---

    def at_rest(self, life, kind, outcome):
        self.before, self.rest = self.rest, Rest(life, kind, self.program.found(), self.program.reached(life))
        if hasattr(self.program, "gaps"):
            self.gaps += self.program.gaps()
        self.kept()
        newest = self.rest.found[0].identity if self.rest.found else None
        if outcome != kinds.AGAIN and life.exit not in (None, 0, 143) and newest == self.origin:
            self.failed[newest] += 1
        return self.rest

    def kept(self):
        """What was valid at the last rest is there, but for what the program removed itself."""
        if not self.before or not self.program.removes_itself:
            return
        now = {found.name: found.digest for found in self.rest.found}
        removed = set().union(*(life.removed for life in self.log.lives[self.seen:]))
        self.seen = len(self.log.lives) - 1
        for found in self.before.found:
            if found.name not in now and found.name not in removed:
                self.lost += 1
                self.wrong("%s was valid and is gone" % found.name)
            elif now.get(found.name, found.digest) != found.digest:
                self.altered += 1
                self.wrong("%s has other bytes than before" % found.name)

    def damage(self, rng):
        """Damages the newest, where another is left; that counts then."""
        if len(self.rest.found) < 2:
            return ""
        victim = self.rest.found[0]
        how = self.program.damage(victim.path, rng)
        self.rest.found = self.program.found()
        if victim.name in [found.name for found in self.rest.found]:
            self.wrong("the damage (%s) of %s does not show" % (how, victim.name))
        self.rest.damaged = 1
        return "%s of %s" % (how, victim.name)

    def held(self):
        self.failed.clear()

    def ended_for_good(self, state, recorded):
        """A job that left the queue: only where its end could not be written, a daemon died just then, or
        the agent in the step, which ends the task by its own signal."""
        kind = self.rest.kind if self.rest else None
        if kind is kinds.disk_full and recorded:
            self.wrong("after a full disk the job was %s, though its requeue is in the ledger" % state)
        elif not self.is_forgetful() and kind not in (
                kinds.disk_full, kinds.agent, kinds.slurmd_at_start, kinds.slurmd_at_end):
            self.wrong("after %s the job was %s" % (kind and kind.__name__, state))

    def started(self, life):
        """Where the next life began. Returns that in words."""
        rest = self.rest
        if life.start is None:
            self.wrong("the program failed at its start, from %s" % life.path)
            return "failed"
        there = set(life.found.values())
        for found in rest.found:
            if found.digest not in there:
                self.lost += 1
                self.wrong("%s was valid at the kill and is gone at the start" % found.name)
        self.check_start(life)
        redone = max(0, rest.reached - life.start)
        self.redone[rest.kind.__name__].append(redone)
        return "starts at step %d, %d redone" % (life.start, redone)

    def check_start(self, life):
        """It starts from the newest valid one; an older one only where each newer has failed twice."""
        passed = 0
        for found in self.rest.found:
            if found.step == life.start:
                self.origin = found.identity
                break
            if self.failed[found.identity] < 2:
                self.wrong("started at step %d, but %s (step %d) is valid" % (life.start, found.name, found.step))
                self.origin = None
                break
            passed += 1
        else:
            self.origin = None
            if life.start != 0:
                self.wrong("started at step %d, where no valid checkpoint is" % life.start)
        self.poisoned += passed
        self.over.append((self.rest.reached - life.start, 1 + self.rest.damaged + passed, self.rest.kind.__name__))

    # --- at the end ---

    def nodes(self, states):
        for state in states:
            if "=idle(" not in state:
                self.wrong("node " + state)
        self.notes.append("nodes: " + " ".join(states))

    def interval(self):
        """Steps between two checkpoints; where it is a time, the longest that was seen, and a little for the last."""
        if self.program.every:
            return self.program.every
        return int(1.5 * max(self.gaps)) if self.gaps else 0

    def end(self, life):
        if not life.done:
            self.wrong("the program did not come to its end")
        for text in self.program.differences(life):
            self.wrong(text)
        for name in self.program.false_alarms():
            self.wrong("%s was put away, and is whole" % name)
        if sum(other.done for other in self.log.lives) != 1:
            self.wrong("the program ended %d times" % sum(other.done for other in self.log.lives))
        if self.log.overlaps:
            self.wrong("two lives at once: %d lines" % self.log.overlaps)
        interval = self.interval()
        for redone, allowed, kind in self.over:
            if redone > allowed * interval:
                self.wrong("%d steps redone after %s, an interval has %d" % (redone, kind, interval))

    def table(self, chaos):
        total = sum(self.kills.values())
        if total < len(chaos.deck):
            self.wrong("%d of %d kills were made" % (total, len(chaos.deck)))
        print("\n%s: %d steps, %d starts\n" % (self.program.name, self.program.steps, len(self.log.lives)))
        print("| kill | n | steps redone, median | max |\n|---|---|---|---|")
        for kind, _ in kinds.KINDS:
            name, redone = kind.__name__, self.redone[kind.__name__]
            if self.kills[name]:
                print("| %s | %d | %s | %s |" % (name, self.kills[name], statistics.median(redone) if redone else "-",
                                                max(redone) if redone else "-"))
        every = [n for redone in self.redone.values() for n in redone]
        print("| all | %d | %s | %s |\n" % (total, statistics.median(every) if every else "-", max(every, default="-")))
        print("checkpoint interval %d steps; saves hit %d; holds released %d; requeued by hand %d; passed over after "
              "two failures %d; companions killed %d; agents %d; requeues lost with "
              "slurmctld %d, ends %d, launches %d" %
              (self.interval(), chaos.hit_saves, chaos.holds, chaos.by_hand, self.poisoned, chaos.companions,
               chaos.agents, chaos.lost_requeues, chaos.nudges, chaos.duplicates))
        print("valid checkpoints lost %d, altered %d; %s" % (self.lost, self.altered, "; ".join(self.notes)))
        print("%s: %s" % (self.program.name, "RED, %d wrong" % len(self.wrongs) if self.wrongs else
                          "end state equal bit for bit, all checks hold"))
