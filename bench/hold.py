# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that gives no more bytes a second than it is told to: a control group of the kernel's (blkio.throttle or io.max),
for as long as the row is measured. Ours and the peer are in it alike."""
import os

V1, V2 = "/sys/fs/cgroup/blkio", "/sys/fs/cgroup"


class Impossible(Exception):
    """No root, no such controller, or a file system without a disk of its own."""


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def disk_of(path):
    """major:minor of the whole disk that the file system of PATH lies on."""
    dev = os.stat(path).st_dev
    node = os.path.realpath("/sys/dev/block/%d:%d" % (os.major(dev), os.minor(dev)))
    if os.path.exists(node + "/partition"):
        node = os.path.dirname(node)
    with open(node + "/dev") as f:
        return f.read().strip()


class Held:
    """The group that holds what is started by command() to RATE bytes a second of the disk below PATH."""

    def __init__(self, path, rate):
        try:
            disk = disk_of(path)
            one = os.path.isdir(V1)
            self.group = (V1 if one else V2) + "/ckpt-bench-%d" % os.getpid()
            if not one:
                write(V2 + "/cgroup.subtree_control", "+io")
            os.mkdir(self.group)
            if one:
                write(self.group + "/blkio.throttle.read_bps_device", "%s %d" % (disk, rate))
            else:
                write(self.group + "/io.max", "%s rbps=%d" % (disk, rate))
        except OSError as e:
            raise Impossible(e) from e

    def command(self, command):
        return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', self.group + "/cgroup.procs"] + command

    def close(self):
        os.rmdir(self.group)
