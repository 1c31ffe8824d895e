"""What the macro benchmarks share: the programs measured, as processes on loopback, and how their CPU and memory are read.

Built on the end-to-end tests' harness, which owns the processes and ends them; the executables are those in
$RINGPOST_BUILD (default: build/release), the spool is in $RINGPOST_SCRATCH (default: a fresh folder in /var/tmp). Load and sink run on CPU 1 and a program
of one core on CPU 0, where the machine has two: a load client that competes with what it measures measures itself.
"""

import atexit
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("RINGPOST_BUILD", str(ROOT / "build/release"))
if "RINGPOST_SCRATCH" not in os.environ:
    # The spool is to be on a disk: /var/tmp, not a /tmp that may be memory.
    os.environ["RINGPOST_SCRATCH"] = tempfile.mkdtemp(prefix="ringpost-bench-", dir="/var/tmp")
    atexit.register(shutil.rmtree, os.environ["RINGPOST_SCRATCH"], ignore_errors=True)
sys.path.insert(0, str(ROOT / "tests/e2e/lib"))
import ringpost  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
TWO_CPUS = (os.cpu_count() or 1) > 1
LOAD_CPU = ["--cpu", "1"] if TWO_CPUS else []


def on_cpu_0(pid):
    if TWO_CPUS:
        os.sched_setaffinity(pid, {0})


def stat_ticks(pid, with_dead_children=False):
    """(user, system) clock ticks of a process so far."""
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    user, system, dead_user, dead_system = map(int, fields[11:15])
    return (user + dead_user, system + dead_system) if with_dead_children else (user, system)


def resident(pid):
    """Octets of its memory that are resident."""
    status = pathlib.Path("/proc/%d/status" % pid).read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def commit():
    found = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def machine():
    """What a figure must be read with."""
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    congestion = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "congestion": congestion, "commit": commit(),
            "load": round(os.getloadavg()[0], 1), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def sink(name="sink"):
    """ringpost-sink without a ledger."""
    made = ringpost.Sink(name=name)
    made.process = ringpost.Process(name, [ringpost.executable("ringpost-sink"), "--listen", made.address, "--quiet",
                                           *LOAD_CPU])
    made.process.wait_for_line("ready")
    return made


def load(port, messages, *options):
    """ringpost-source to its end; each message is answered 250 or the benchmark fails."""
    ringpost.run([ringpost.executable("ringpost-source"), "127.0.0.1:%d" % port, "--connections", "64", "--messages",
                  str(messages), "--quiet", *LOAD_CPU, *map(str, options)], patience=1800)


class Relay:
    """Ringpost between source and sink."""

    name = "ringpost"

    def __init__(self, cores=1):
        self.cores = cores

    def measure(self, case, messages):
        sinks = sink()
        # The memory that is the default; the tests' harness gives a relay less, and mail that falls out of memory is read
        # back from the disk.
        relay = ringpost.Relay(route=sinks.address, cores=self.cores, limits='memory = "2G"').start()
        if self.cores == 1:
            on_cpu_0(relay.process.pid)
            for task in pathlib.Path("/proc/%d/task" % relay.process.pid).iterdir():
                on_cpu_0(int(task.name))
        warm_up = messages // 4  # its connections, its first segments, the pages of its pools
        load(relay.port, warm_up, *case.source)
        relay.wait_empty(600)
        before, begun = stat_ticks(relay.process.pid), time.monotonic()
        load(relay.port, messages, *case.source)
        relay.wait_empty(600)
        took, after = time.monotonic() - begun, stat_ticks(relay.process.pid)
        ringpost.check(relay.status()["delivered"] == messages + warm_up, "each message is delivered once")
        relay.stop()
        sinks.stop()
        subprocess.run(["rm", "-rf", str(relay.directory)], check=True)
        return spent(before, after, messages, took)


class Barest:
    """A program that does no more than moving and keeping the octets: the floor under any relay. It prints its own
    figures; its source and sink are built in."""

    name = "barest"

    def __init__(self, path, seconds):
        self.path = path
        self.seconds = seconds

    def measure(self, case, messages):
        result = subprocess.run([self.path, "relay", *case.barest, "--secs", str(self.seconds)], capture_output=True,
                                text=True, timeout=120, check=True)
        figures = re.search(r"\| (\d+) msg/s \| srv ([\d.]+) us/msg \(u ([\d.]+) s ([\d.]+)", result.stdout)
        return {"cpu": float(figures[2]), "user": float(figures[3]), "system": float(figures[4]),
                "rate": int(figures[1])}


class Postfix:
    """A private instance: its own configuration, queue and ports. CPU is summed over all of its processes."""

    name = "postfix"
    DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")

    @classmethod
    def installed(cls):
        return (cls.DAEMONS / "master").exists() and os.geteuid() == 0

    def configure(self, directory, port, sink_address):
        host, sink_port = sink_address.rsplit(":", 1)
        for part in ("etc", "queue", "data"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        subprocess.run(["chown", "postfix", str(directory / "data")], check=True)
        # Its processes leave root behind, so each folder above must let them in.
        for folder in (directory, *directory.parents[:-1]):
            os.chmod(folder, os.stat(folder).st_mode | 0o011)
        (directory / "etc/main.cf").write_text("\n".join([
            "compatibility_level = 3.6", "queue_directory = %s/queue" % directory,
            "data_directory = %s/data" % directory, "daemon_directory = %s" % self.DAEMONS,
            "inet_interfaces = 127.0.0.1", "inet_protocols = ipv4", "myhostname = relay.test", "mydestination =",
            "mynetworks = 127.0.0.0/8", "relayhost = [%s]:%s" % (host, sink_port), "alias_maps =",
            "alias_database =", "maillog_file = %s/data/log" % directory, "maillog_file_prefixes = %s" % directory,
            "smtp_dns_support_level = disabled", "smtp_host_lookup = native", "default_process_limit = 100",
            "default_destination_concurrency_limit = 20", "smtpd_client_connection_count_limit = 0", ""]))
        services = ["127.0.0.1:%d inet n - n - - smtpd" % port, "pickup unix n - n 60 1 pickup",
                    "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
                    "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
                    "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
                    "relay unix - - n - - smtp", "error unix - - n - - error", "retry unix - - n - - error",
                    "discard unix - - n - - discard", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
                    "postlog unix-dgram n - n - 1 postlogd"]
        (directory / "etc/master.cf").write_text("\n".join(services) + "\n")
        for part, owner in {"active": "postfix", "bounce": "postfix", "corrupt": "postfix", "defer": "postfix",
                            "deferred": "postfix", "flush": "postfix", "hold": "postfix", "incoming": "postfix",
                            "private": "postfix", "saved": "postfix", "trace": "postfix", "public": "postfix:postdrop",
                            "maildrop": "postfix:postdrop", "pid": "root"}.items():
            (directory / "queue" / part).mkdir(exist_ok=True)
            subprocess.run(["chown", owner, str(directory / "queue" / part)], check=True)

    def processes(self, master):
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True)
        return [master, *map(int, found.stdout.split())]

    def ticks(self, master):
        """Of master, of what it has waited for, and of its living children."""
        total = [0, 0]
        for pid in self.processes(master):
            try:
                user, system = stat_ticks(pid, with_dead_children=True)
            except FileNotFoundError:
                continue
            total = [total[0] + user, total[1] + system]
        return total

    def queued(self, directory):
        return sum(len(files) for part in ("incoming", "active", "deferred", "maildrop")
                   for _, _, files in os.walk(directory / "queue" / part))

    def measure(self, case, messages):
        directory = ringpost.SCRATCH / "postfix"
        sinks, port = sink(), ringpost.free_port()
        self.configure(directory, port, sinks.address)
        master = ringpost.Process("postfix", [str(self.DAEMONS / "master"), "-c", str(directory / "etc"), "-d"])
        ringpost.wait_until(lambda: accepts(port), "Postfix to listen")
        load(port, 64, *case.source)
        ringpost.wait_until(lambda: self.queued(directory) == 0, "Postfix to deliver all it has", 300)
        before, begun = self.ticks(master.pid), time.monotonic()
        load(port, messages, *case.source)
        ringpost.wait_until(lambda: self.queued(directory) == 0, "Postfix to deliver all it has", 300)
        took, after = time.monotonic() - begun, self.ticks(master.pid)
        children = self.processes(master.pid)[1:]
        master.stop()
        for pid in children:
            ringpost.wait_until(lambda: not pathlib.Path("/proc/%d" % pid).exists(), "Postfix's processes to end")
        sinks.stop()
        subprocess.run(["rm", "-rf", str(directory)], check=True)
        return spent(before, after, messages, took)


def accepts(port):
    try:
        ringpost.socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def spent(before, after, messages, took):
    """Microseconds of CPU per message, and messages per second."""
    user, system = ((after[i] - before[i]) / TICK / messages * 1e6 for i in (0, 1))
    return {"cpu": user + system, "user": user, "system": system, "rate": int(messages / took)}
