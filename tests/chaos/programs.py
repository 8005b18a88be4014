# SPDX-License-Identifier: GPL-2.0-or-later
"""The two programs under test: how they are made and run, and what their checkpoints are worth, by means that share
nothing with the code under test: zip's checksums, and GROMACS's own reader."""
import hashlib
import os
import re
import struct
import subprocess
import zipfile

from slurm import HERE, call

PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")


class Found:
    """A checkpoint that lies there while nobody writes: valid ones have a step."""

    def __init__(self, path, step):
        stat = os.stat(path)
        with open(path, "rb") as file:
            self.digest = hashlib.sha256(file.read()).hexdigest()
        self.name, self.path, self.step = os.path.basename(path), path, step
        self.identity = (stat.st_ino, stat.st_mtime_ns)


class Program:
    def __init__(self, slurm, kills):
        self.slurm, self.kills = slurm, kills
        self.work = os.path.join(os.environ["CLUSTER_WORK"], self.name)
        self.run = os.path.join(self.work, "run")
        self.undisturbed = os.path.join(os.environ["CLUSTER_WORK"], self.name + ".undisturbed")

    def found(self):
        """All valid checkpoints, the one that is furthest first."""
        out = []
        for name in sorted(os.listdir(self.run)):
            path = os.path.join(self.run, name)
            if self.pattern.fullmatch(name) and os.path.isfile(path):
                step = self.step_of(path)
                if step is not None:
                    out.append(Found(path, step))
        return sorted(out, key=lambda f: -f.step)

    def false_alarms(self):
        """What was put out of the way and yet is whole."""
        return [name for name in sorted(os.listdir(self.run)) if name.endswith(".corrupted") and
                self.step_of(os.path.join(self.run, name)) is not None]


class Training(Program):
    name, comm, pattern = "training", "train.py", re.compile(r"ckpt-\d+\.pt")
    every, rate, save_takes = 20, 20.0, 0.2
    removes_itself, declares = True, False

    def __init__(self, slurm, kills):
        super().__init__(slurm, kills)
        self.steps = 40 * (kills + 4)

    def prepare(self):
        pass

    def command(self):
        return [os.path.join(HERE, "train.py"), "--steps=%d" % self.steps, "--every=%d" % self.every, "--pace=0.05",
                "--save-pace=0.006", "--run=" + self.run, "--log=" + os.path.join(self.work, "log")]

    def start_undisturbed(self):
        os.makedirs(self.undisturbed)
        return subprocess.Popen(["nice", PYTHON, os.path.join(HERE, "train.py"), "--steps=%d" % self.steps,
                                 "--run=" + self.undisturbed, "--log=" + os.path.join(self.undisturbed, "log")])

    def reached(self, life):
        """The last step that the life did."""
        return life.last if life.last is not None else life.start

    def in_save(self, life):
        return life.saving is not None and life.saving != life.saved

    def step_of(self, path):
        try:
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    return None
        except (zipfile.BadZipFile, OSError, EOFError, struct.error):
            return None
        return int(re.search(r"ckpt-(\d+)", path).group(1))

    def damage(self, path, rng):
        """As a storage would, inside of what a checksum covers, or by its length; the times stay."""
        how = rng.choice(("truncate", "bit", "zeros"))
        size = os.path.getsize(path)
        if how == "truncate":
            os.truncate(path, rng.randrange(1, size))
            return how
        with zipfile.ZipFile(path) as archive:
            member = max(archive.infolist(), key=lambda info: info.file_size)
        with open(path, "r+b") as file:
            file.seek(member.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            at = member.header_offset + 30 + name + extra + rng.randrange(member.file_size - 512)
            file.seek(at)
            old = file.read(512)
            file.seek(at)
            file.write(bytes([old[0] ^ 1 << rng.randrange(8)]) + old[1:] if how == "bit" else bytes(512))
        return how

    def differences(self, life):
        """How the end state differs from the undisturbed one's."""
        with open(os.path.join(self.undisturbed, "log"), encoding="ascii") as file:
            wanted = file.read().split("\n")[-2].split()
        if wanted[1] != "done":
            return ["the undisturbed run did not end"]
        return [] if life.digest == wanted[2] else ["the final model's digest is %s, not %s" %
                                                    (life.digest, wanted[2])]


class Gromacs(Program):
    name, comm, pattern = "gromacs", "gmx", re.compile(r"state(_prev)?\.cpt")
    every, rate, save_takes = None, 1000.0, 0.0  # its interval is one of time, judged by the gaps that were seen
    removes_itself, declares = False, True
    cpt = "0.01"  # minutes
    mdp = """integrator=md
        nsteps=%d
        dt=0.002
        nstlist=10
        nstxout=2000
        nstvout=2000
        nstenergy=500
        nstcalcenergy=10
        nstlog=1000
        nstxout-compressed=250
        coulombtype=reaction-field
        rcoulomb=0.8
        rvdw=0.8
        tcoupl=v-rescale
        tc-grps=System
        tau-t=0.5
        ref-t=300
        ld-seed=7
        gen-vel=yes
        gen-temp=300
        gen-seed=7
        constraints=h-bonds
        """

    def __init__(self, slurm, kills):
        super().__init__(slurm, kills)
        self.steps = 3500 * (kills + 4)

    def prepare(self):
        """A box of water, made by gmx itself."""
        def gmx(*words):
            subprocess.run(("gmx", "-quiet") + words, cwd=self.work, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

        with open(os.path.join(self.work, "topol.top"), "w", encoding="ascii") as file:
            file.write('#include "oplsaa.ff/forcefield.itp"\n#include "oplsaa.ff/spc.itp"\n'
                       "[ system ]\nwater\n[ molecules ]\n")
        with open(os.path.join(self.work, "md.mdp"), "w", encoding="ascii") as file:
            file.write(self.mdp % self.steps)
        gmx("solvate", "-cs", "spc216.gro", "-box", "1.9", "1.9", "1.9", "-p", "topol.top", "-o", "conf.gro")
        gmx("grompp", "-f", "md.mdp", "-c", "conf.gro", "-p", "topol.top", "-o", "topol.tpr", "-maxwarn", "3")

    def command(self):
        return [os.path.join(HERE, "mdrun"), self.cpt]

    def start_undisturbed(self):
        os.makedirs(self.undisturbed)
        return subprocess.Popen(["nice", "gmx", "-quiet", "mdrun", "-s", os.path.join(self.work, "topol.tpr"),
                                 "-reprod", "-nt", "1", "-pin", "off"], cwd=self.undisturbed,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def reached(self, life):
        names = [name for name in os.listdir(self.work) if name.startswith("steps.%s." % life.id)]
        if not names or life.start is None:
            return life.start
        path = os.path.join(self.work, max(names, key=lambda name: int(name.rsplit(".", 1)[1])))
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 4000))
            told = re.findall(rb"step (\d+),", file.read())
        return int(told[-1]) if told else life.start

    def in_save(self, _life):
        return any(re.fullmatch(r"state_step\d+\.cpt", name) for name in os.listdir(self.run))

    def gaps(self):
        """Steps between the checkpoints of the last life, by mdrun's log."""
        try:
            with open(os.path.join(self.run, "md.log"), encoding="utf-8", errors="replace") as file:
                at = [int(n) for n in re.findall(r"Writing checkpoint, step (\d+)", file.read())]
        except OSError:
            return []
        return [b - a for a, b in zip(at, at[1:]) if b > a]

    def step_of(self, path):
        found = re.search(r"^step = (\d+)$", call("gmx", "-quiet", "dump", "-cp", path), re.M)
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            if file.tell() < 8:
                return None
            file.seek(-4, os.SEEK_END)
            whole = struct.unpack(">I", file.read(4))[0] == 171819
        return int(found.group(1)) if found and whole else None

    def damage(self, path, rng):
        """What its format can show: it has no checksum of its own."""
        how = rng.choice(("truncate", "zero-tail"))
        size = os.path.getsize(path)
        at = rng.randrange(1, size - 4)
        os.truncate(path, at)
        if how == "zero-tail":
            os.truncate(path, size)
        return how

    def differences(self, _life):
        out = []
        for name in ("confout.gro", "traj.trr", "traj_comp.xtc", "ener.edr"):
            with open(os.path.join(self.run, name), "rb") as ours, \
                    open(os.path.join(self.undisturbed, name), "rb") as theirs:
                if ours.read() != theirs.read():
                    out.append(name + " differs from the undisturbed run's")
        for name, every in (("traj.trr", 2000), ("traj_comp.xtc", 250)):
            told = subprocess.run(["gmx", "-quiet", "check", "-f", os.path.join(self.run, name)], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode(errors="replace")
            frames = re.search(r"^(?:Step|Coords)\s+(\d+)", told, re.M)
            wanted = self.steps // every + 1
            if not frames or int(frames.group(1)) != wanted or "not" in told.split("Item")[0].replace("nothing", ""):
                out.append("gmx check %s: %s frames, wanted %d" % (name, frames and frames.group(1), wanted))
        return out


PROGRAMS = {"training": Training, "gromacs": Gromacs}


