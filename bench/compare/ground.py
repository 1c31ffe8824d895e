"""The ground that every program of a comparison stands on, the same for each: a disk of its own, whose counters say what was
written and flushed; a control group of its own, which counts CPU over all of its processes, the dead ones too; and, for
programs that Debian cannot install side by side, a root directory laid over this machine's, so that nothing is installed
here.

Everything needs root, and is undone when the comparison ends: mounts, groups, loop devices.
"""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "macro"))
import lab  # noqa: E402
import ringpost  # noqa: E402  (lab knows where it is)

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ringpost/compare"
DISK_OCTETS = 6 << 30
SECTOR = 512  # octets, in /sys/block/*/stat whatever the device's own
DISK_IN_ROOT = "/disk"  # where a laid-over root sees the program's disk


def quietly(*words, **options):
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True, **options).stdout


class Disk:
    """A fresh ext4 in a sparse file on a loop device."""

    def __init__(self, name):
        self.image = ringpost.SCRATCH / (name + ".image")
        self.path = ringpost.SCRATCH / (name + ".disk")
        ringpost.SCRATCH.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(DISK_OCTETS)
        quietly("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.path.mkdir(exist_ok=True)
        self.device = quietly("losetup", "--find", "--show", self.image).strip()
        quietly("mount", self.device, self.path)
        # Programs leave root behind: each folder above must let them in.
        for folder in (self.path, *self.path.parents[:-1]):
            os.chmod(folder, os.stat(folder).st_mode | 0o011)
        atexit.register(self.remove)

    def counters(self):
        """(octets written, flushes) since the device was made."""
        fields = pathlib.Path("/sys/block/%s/stat" % pathlib.Path(self.device).name).read_text().split()
        return int(fields[6]) * SECTOR, int(fields[15])

    def settle(self):
        """What was written before is on the device and counted."""
        quietly("sync", "-f", self.path)

    def remove(self):
        if self.device:
            subprocess.run(["umount", "-l", str(self.path)], check=False)
            subprocess.run(["losetup", "-d", self.device], check=False)
            self.image.unlink(missing_ok=True)
            self.device = ""


class Group:
    """A control group: version 2, or version 1's cpuacct."""

    V2 = pathlib.Path("/sys/fs/cgroup")
    V1 = pathlib.Path("/sys/fs/cgroup/cpuacct")

    def __init__(self, name):
        self.version = 2 if (self.V2 / "cgroup.controllers").exists() else 1
        above = self.V2 if self.version == 2 else self.V1
        self.path = above / ("ringpost-compare-%d-%s" % (os.getpid(), name))
        self.path.mkdir()
        atexit.register(self.remove)

    def join(self):
        """For a child between fork and exec."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def processes(self):
        return [int(line) for line in (self.path / "cgroup.procs").read_text().split()] if self.path.exists() else []

    def seconds(self):
        """CPU used so far, by the living and the dead."""
        if self.version == 1:
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        for line in (self.path / "cpu.stat").read_text().splitlines():
            key, value = line.split()
            if key == "usage_usec":
                return int(value) / 1e6
        raise RuntimeError("no usage_usec in cpu.stat")

    def resident(self):
        """Octets of memory of all its processes, what they share counted once."""
        total = 0
        for pid in self.processes():
            try:
                for line in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
        return total

    def end(self):
        """Ends all of its processes; they are ours, whatever became of their parents."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 5
            while self.processes() and time.monotonic() < end:
                time.sleep(0.05)

    def remove(self):
        if self.path.exists():
            self.end()
            self.path.rmdir()


class Root:
    """This machine's root directory with packages laid over it. The upper layer is kept in CACHE for the next time."""

    INSTALL = ("printf '#!/bin/sh\\nexit 101\\n' > {root}/usr/sbin/policy-rc.d; chmod +x {root}/usr/sbin/policy-rc.d; "
               "chroot {root} env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends {packages}")

    def __init__(self, name, packages):
        self.path = CACHE / name
        self.root = self.path / "root"
        for part in ("upper", "work", "root"):
            (self.path / part).mkdir(parents=True, exist_ok=True)
        done = self.path / "installed"
        if not done.exists():
            print("%s: apt-get install %s, in %s" % (name, " ".join(packages), self.path), file=sys.stderr)
            self.run(self.INSTALL.format(root=self.root, packages=" ".join(packages)))
            done.write_text(" ".join(packages) + "\n")

    def inside(self, shell, disk=None):
        """The words of a command that runs `shell` (a shell's words) in a mount namespace where the root is laid over;
        `{root}` in them is its place."""
        mounts = ["mount --make-rprivate /",
                  "mount -t overlay overlay -o lowerdir=/,upperdir={0}/upper,workdir={0}/work {0}/root".format(self.path)]
        mounts += ["mount --rbind /{0} {1}/{0}".format(part, self.root) for part in ("proc", "sys", "dev")]
        if disk:
            mounts += ["mkdir -p {0}{1}".format(self.root, DISK_IN_ROOT),
                       "mount --bind {0} {1}{2}".format(disk.path, self.root, DISK_IN_ROOT)]
        return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, shell.format(root=self.root)])]

    def run(self, shell):
        try:
            return quietly(*self.inside(shell), timeout=600)
        except subprocess.CalledProcessError as problem:
            raise RuntimeError("%s\n%s" % (problem, problem.stderr[-2000:])) from problem


def missing():
    """What this machine lacks for a comparison, in words; empty: nothing."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("root: for loop devices, mounts and control groups")
    lacks += [tool for tool in ("mkfs.ext4", "losetup", "unshare", "chroot") if not shutil.which(tool)]
    if not (Group.V1.exists() or (Group.V2 / "cgroup.controllers").exists()):
        lacks.append("a control group file system in /sys/fs/cgroup")
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text():
        lacks.append("overlayfs in the kernel")
    return lacks
