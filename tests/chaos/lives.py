# SPDX-License-Identifier: GPL-2.0-or-later
"""What the job's own log tells: its lives, each from `begin` to the next."""
import os


class Life:
    """One start of the program, within an attempt."""

    def __init__(self, ident, words):
        self.id, self.attempt, self.node = ident, int(words[0]), words[1]
        self.path = words[2] if len(words) > 2 else ""
        self.found, self.removed = {}, set()
        self.listed = self.done = False
        self.start = self.last = self.exit = self.digest = None
        self.saving = self.saved = None

    def take(self, word, rest):
        if word == "has":
            self.found[rest[1]] = rest[0]
        elif word == "listed":
            self.listed = True
        elif word == "start":
            self.start = int(rest[0]) if rest[0].isdigit() else None
        elif word == "step":
            self.last = int(rest[0])
        elif word == "save":
            self.saving = int(rest[0])
        elif word == "saved":
            self.saved = int(rest[0])
        elif word == "removed":
            self.removed.add(rest[0])
        elif word == "exit":
            self.exit = int(rest[0])
        elif word == "done":
            self.done, self.digest = True, rest[0] if rest else ""


class Log:
    """Follows the log; `overlaps` counts lines of a life after another had begun."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b""
        self.lives, self.overlaps = [], 0
        self.last = {}  # by the script's id

    def read(self):
        """Takes what is new; returns the lives."""
        if os.path.exists(self.path):
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
            self.at += len(data)
            lines = (self.rest + data).split(b"\n")
            self.rest = lines.pop()
            for line in lines:
                self.take(line.decode(errors="replace").split())
        return self.lives

    def take(self, words):
        ident, word, rest = words[0], words[1], words[2:]
        if word == "begin":
            self.lives.append(Life(ident, rest))
            self.last[ident] = self.lives[-1]
            return
        life = self.last.get(ident)
        if life is None:
            return
        if life is not self.lives[-1] and word in ("step", "save", "saved", "start"):
            self.overlaps += 1
        life.take(word, rest)
