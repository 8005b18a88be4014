#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Follows jobs and prints what happens to them, as it happens, for the demo.

timeline.py NAME=JOB:DIRECTORY...    ends when all these jobs have ended
A job's output is DIRECTORY/out, its checkpoints are in DIRECTORY/checkpoints.
"""
import json
import os
import re
import subprocess
import sys
import time

COLOURS = {"state": "1", "saved": "2", "decision": "32", "verdict": "33", "lost": "31"}
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")
# Lines of a job's output that belong on the timeline, and what kind of event they are.
WORTH = ((r"ckpt-resume: .*", "decision"), (r"starting at epoch .*", "state"),
         (r"[A-Za-z_.]*Error: .*", "lost"), (r"slurmstepd-.*(CANCELLED AT .*) \*\*\*", "lost"))


class Tail:
    """The whole lines that a file has grown by."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def lines(self):
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_size < self.at:
                    self.at = 0
                file.seek(self.at)
                data = file.read()
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self.at += end
        return data[:end].decode(errors="replace").splitlines()


class Job:
    def __init__(self, argument):
        self.name, rest = argument.split("=", 1)
        self.id, self.dir = rest.split(":", 1)
        self.last, self.saved, self.ended = None, {}, False
        self.output = Tail(f"{self.dir}/out")
        self.ledger = Tail(f"{self.dir}/checkpoints/.ckpt-resume/ledger.jsonl")

    def state_events(self):
        shown = subprocess.run(["scontrol", "-o", "show", "job", self.id], check=False,
                               capture_output=True, text=True).stdout
        fields = dict(word.split("=", 1) for word in shown.split() if "=" in word)
        state, attempt = fields.get("JobState", "?"), fields.get("Restarts", "?")
        if (state, attempt) == self.last or state == "?":
            return
        before, self.last = self.last, (state, attempt)
        if state == "RUNNING":
            yield "state", f"attempt {attempt} runs on {fields.get('BatchHost', '?')}"
        elif state == "PENDING" and before:
            yield "state", f"requeued: waits for attempt {attempt}"
        elif state in ENDED:
            self.ended = True
            kind = "decision" if state == "COMPLETED" else "lost"
            yield kind, f"{state.lower()}, exit code {fields.get('ExitCode', '?')}"

    def checkpoint_events(self):
        try:
            entries = [e for e in os.scandir(f"{self.dir}/checkpoints") if e.name[0] != "."]
        except OSError:
            return
        for entry in sorted(entries, key=lambda e: e.name):
            if not re.fullmatch(r"ckpt-\d+\.pt", entry.name):
                continue  # a seal, or what is in quarantine: the ledger tells of those
            try:
                size = entry.stat().st_size
            except OSError:
                continue
            before, told = self.saved.get(entry.name, (-1, False))
            if size < before:
                yield "lost", f"checkpoint {entry.name} now has {size:,} bytes of {before:,}"
            elif size > before:
                told = False
            elif not told:  # it has stopped growing for one look
                yield "saved", f"checkpoint {entry.name}, {size:,} bytes"
                told = True
            self.saved[entry.name] = (size, told)

    def output_events(self):
        for line in self.output.lines():
            for pattern, kind in WORTH:
                match = re.match(pattern, line)
                if match:
                    text = match.group(match.lastindex or 0).strip()
                    yield kind, text.replace(self.dir + "/", "")
                    break

    def ledger_events(self):
        for line in self.ledger.lines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == "end":
                yield "verdict", (f"ledger: attempt {entry.get('attempt')} ended: {entry.get('cause')}; "
                                  f"newest valid then: {entry.get('newest_valid', 'none')}")
            elif entry.get("event") == "checkpoint":
                yield "verdict", (f"ledger: {entry.get('name')} is {entry.get('verdict')} "
                                  f"({entry.get('evidence') or entry.get('problem')})")
            elif entry.get("event") not in ("decision", "quarantine-begin"):  # on its stderr already
                yield "verdict", f"ledger: {entry.get('event')}: {entry.get('file', '')}".rstrip(": ")

    def events(self):
        for source in (self.state_events, self.checkpoint_events, self.ledger_events,
                       self.output_events):
            yield from source()


def main():
    jobs = [Job(argument) for argument in sys.argv[1:]]
    began = float(os.environ.get("TIMELINE_BEGAN") or time.time())
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    while not all(job.ended for job in jobs):
        time.sleep(0.15)
        for job in jobs:
            for kind, text in job.events():
                line = f"{time.time() - began:6.1f}s  {job.name:<8} {text}"
                print(f"\033[{COLOURS[kind]}m{line}\033[0m" if colour else line, flush=True)


if __name__ == "__main__":
    main()
