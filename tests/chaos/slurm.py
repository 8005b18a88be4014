# SPDX-License-Identifier: GPL-2.0-or-later
"""The private cluster of tests/cluster, as the chaos run uses it."""
import os
import re
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER = os.path.join(HERE, "..", "cluster")
LASTING = 100.0  # seconds that anything on the cluster may take, on a busy machine


class Hang(Exception):
    """Something did not come about in time."""


def call(*words, check=False, timeout=LASTING):
    """Runs a command; its output, stripped. Failures are ordinary while daemons are down."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    text = done.stdout.decode(errors="replace").strip()
    if check and done.returncode:
        raise Hang("%s: %s" % (" ".join(words[:4]), text))
    return text if done.returncode == 0 else ""


def until(what, test, seconds=LASTING, pause=0.05):
    """Waits until test() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise Hang(what)
        time.sleep(pause)


class Slurm:
    def __init__(self):
        self.user = os.environ["CLUSTER_USER"]
        self.nodes = ["n%d" % (i + 1) for i in range(int(os.environ["CLUSTER_NODES"]))]

    def cluster(self, function, *words):
        call(CLUSTER, "call", function, *words, check=True)

    def as_user(self, *words, check=True):
        return call(CLUSTER, "run", *words, check=check)

    def daemon_pid(self, name):
        with open(os.path.join(os.environ["CLUSTER_DIR"], "run", name + ".pid"), encoding="ascii") as file:
            return int(file.read())

    def kill_daemon(self, name):
        """At once: the moment is what counts."""
        try:
            os.kill(self.daemon_pid(name), signal.SIGKILL)
        except ProcessLookupError:
            pass

    def start_daemon(self, name):
        """Starts it anew; slurmctld answers then."""
        self.cluster("cluster_kill", name, "KILL")
        if name == "slurmctld":
            self.cluster("start_slurmctld")
        else:
            self.cluster("start_slurmd", name)

    def job(self, number):
        """The job's fields; none while slurmctld does not answer."""
        return dict(re.findall(r"(\S+?)=(\S*)", call("scontrol", "-o", "show", "job", number)))

    @staticmethod
    def waited(fields):
        """Seconds since the job was requeued."""
        at = fields.get("SubmitTime")
        return time.time() - time.mktime(time.strptime(at, "%Y-%m-%dT%H:%M:%S")) if at else 0

    def hurry(self, number, fields):
        """A requeued job waits for its credential's end (6 s here); below two seconds slurmd may confuse the two."""
        if fields.get("Reason") != "BeginTime" or self.waited(fields) < 2:
            return False
        call("scontrol", "update", "JobId=" + number, "StartTime=now")
        return True

    def set_node(self, name, state):
        call("scontrol", "update", "NodeName=" + name, "State=" + state, "Reason=chaos")

    def idle(self):
        states = call("sinfo", "-h", "-N", "-p", "low", "-o", "%T").split()
        return len(states) == len(self.nodes) and set(states) == {"idle"}

    def drained_as(self, reason):
        """The nodes that are drained for just that reason."""
        lines = call("sinfo", "-h", "-N", "-p", "low", "-o", "%N|%T|%E").split("\n")
        rows = [line.split("|", 2) for line in lines if line.count("|") >= 2]
        return [name for name, state, why in rows if state.startswith("drain") and why == reason]

    def node_states(self):
        return call("sinfo", "-h", "-N", "-p", "low", "-o", "%N=%T(%E)").split("\n")


def processes(variable, comm, also=None):
    """The pids of programs whose name begins so and that have this variable (and that) in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid, encoding="utf-8") as file:
                if not file.read().startswith(comm):
                    continue
            with open("/proc/%s/environ" % pid, "rb") as file:
                have = file.read().split(b"\0")
            if variable.encode() in have and (not also or also.encode() in have):
                found.append(int(pid))
        except OSError:
            continue
    return found


def programs_of(folder, comm, but=()):
    """The pids of programs of that name whose file lies below the folder, but for those that are known."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if pid in but:
            continue
        try:
            with open("/proc/%s/comm" % pid, encoding="utf-8") as file:
                if file.read().strip() == comm and os.readlink("/proc/%s/exe" % pid).startswith(folder):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def steps_of(folder, job):
    """The pids of a job's slurmstepd, known by the log that they have open, and of all that it runs."""
    found = processes("SLURM_JOB_ID=" + job, "", also="SLURM_CONF=%s/etc/slurm.conf" % folder)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                if not file.read().startswith(b"slurmstepd: [%s." % job.encode()):
                    continue
            if any(os.readlink("/proc/%s/fd/%s" % (pid, fd)).startswith(folder)
                   for fd in os.listdir("/proc/%s/fd" % pid)):
                found.insert(0, int(pid))
        except OSError:
            continue
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return len(pids)
