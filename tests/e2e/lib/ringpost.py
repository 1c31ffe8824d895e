"""What every end-to-end test needs: the real executables as processes, a configuration, waiting without sleeping blindly, and
ledgers to compare. A test is a script that imports this, does its checks with `check`, and ends with `done()`.

Every wait has a bound and says what it waited for. Processes are ended by their own pid, also when a check fails.
"""

import atexit
import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("RINGPOST_BUILD", ROOT / "build" / "release")).resolve()
SCRATCH = pathlib.Path(os.environ.get("RINGPOST_SCRATCH", "/tmp/ringpost-e2e-%d" % os.getpid())).resolve()
PATIENCE = float(os.environ.get("RINGPOST_PATIENCE", "60"))  # seconds a wait may take on an overloaded machine

_processes = []
_failures = 0


def check(condition, text):
    """Counts and shows a failed expectation; the test goes on so that one run shows all of them."""
    global _failures
    if not condition:
        _failures += 1
        print("FAILED: " + text, flush=True)
    return bool(condition)


def done():
    """Ends the test: exit 0 when each check held."""
    _end_all()
    print("%d failed checks" % _failures if _failures else "ok", flush=True)
    sys.exit(1 if _failures else 0)


def fail(text):
    check(False, text)
    done()


def wait_until(condition, text, patience=None):
    """Polls until condition() is true and gives its value; a wait that takes too long fails the test."""
    end = time.monotonic() + (patience or PATIENCE)
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    fail("timed out waiting for: " + text)


def free_port():
    """A loopback TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def executable(name):
    path = BUILD / name
    if not path.exists():
        fail("%s is missing: build it first" % path)
    return str(path)


class Process:
    """One child with its output in files of the scratch directory."""

    def __init__(self, name, arguments, **options):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.stderr_path = SCRATCH / (name + ".stderr")
        self.stdout_path = SCRATCH / (name + ".stdout")
        with open(self.stderr_path, "ab") as errors, open(self.stdout_path, "ab") as output:
            self.started_at = errors.tell()
            self.child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True, **options)
        _processes.append(self)

    @property
    def pid(self):
        return self.child.pid

    def stderr(self):
        """What it has said since this start."""
        with open(self.stderr_path, "rb") as text:
            text.seek(self.started_at)
            return text.read().decode("utf-8", "replace")

    def stdout(self):
        return self.stdout_path.read_text("utf-8", "replace")

    def running(self):
        return self.child.poll() is None

    def wait_for_line(self, line):
        def said():
            if line in self.stderr():
                return True
            if not self.running():
                fail("%s ended with %s before it said '%s':\n%s" % (self.name, self.child.returncode, line, self.stderr()))
            return False

        wait_until(said, "%s to say '%s'" % (self.name, line))
        return self

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, patience=None):
        """The exit code, once it has ended by itself."""
        try:
            return self.child.wait(patience or PATIENCE)
        except subprocess.TimeoutExpired:
            fail("%s did not end:\n%s" % (self.name, self.stderr()[-2000:]))

    def stop(self, number=None, patience=None):
        self.signal(number or signal.SIGTERM)
        return self.wait(patience)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.child.wait()


def _end_all():
    for process in _processes:
        if process.running():
            process.child.kill()
            process.child.wait()


atexit.register(_end_all)


def run(arguments, patience=None, expect=0, **options):
    """A command to its end; its CompletedProcess. `expect` None: any exit code."""
    try:
        result = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=patience or 4 * PATIENCE, **options)
    except subprocess.TimeoutExpired:
        fail("%s took too long" % " ".join(map(str, arguments)))
    if expect is not None:
        check(result.returncode == expect, "%s: exit %s\n%s%s" % (
            " ".join(map(str, arguments)), result.returncode, result.stdout[-2000:], result.stderr[-2000:]))
    return result


class Relay:
    """The daemon with a configuration of its own in the scratch directory."""

    def __init__(self, route=None, name="relay", cores=2, port=None, **settings):
        self.name = name
        self.port = port or free_port()
        self.directory = SCRATCH / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.spool = pathlib.Path(settings.pop("spool_directory", self.directory / "spool"))
        self.events_path = self.directory / "events.jsonl"
        self.control_path = self.directory / "control"
        self.config_path = self.directory / "ringpost.toml"
        self.cores = cores
        self.route = route
        self.settings = settings
        self.process = None
        self.write_config()

    def write_config(self):
        """settings: section → text of TOML lines; "top" and "routes" are special."""
        sections = {
            "relay": 'networks = ["127.0.0.0/8", "::1"]',
            "dns": 'servers = ["127.0.0.1:9"]',  # nobody: a test asks the machine's name servers nothing
            "spool": 'directory = "%s"' % self.spool,
            "control": 'socket = "%s"' % self.control_path,
            "events": 'file = "%s"' % self.events_path,
            "retry": 'schedule = ["1s", "2s"]\nexpire = "1h"',
            "limits": 'memory = "512M"\nqueue_messages = 100000',
        }
        top = 'hostname = "relay.test"\ncores = %d\ndrain = "10s"\n%s\n' % (self.cores, self.settings.get("top", ""))
        for section, text in self.settings.items():
            if section not in ("top", "routes", "listeners"):
                sections[section] = sections.get(section, "") + "\n" + text
        text = top
        text += self.settings.get("listeners") or '[[listener]]\naddress = "127.0.0.1:%d"\nkind = "relay"\n' % self.port
        for section, lines in sections.items():
            # A key given twice means the last one: the test's own.
            keys = {}
            for line in lines.splitlines():
                if line.strip():
                    keys[line.split("=")[0].strip()] = line
            text += "[%s]\n%s\n" % (section, "\n".join(keys.values()))
        text += self.settings.get("routes") or (
            '[[route]]\ndomain = "*"\nhost = "%s"\n' % self.route if self.route else "")
        self.config_path.write_text(text)

    def start(self, wait=True):
        self.process = Process(self.name, [executable("ringpost"), "serve", "--config", str(self.config_path)])
        if wait:
            self.process.wait_for_line("ready")
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        return self.process.kill()

    def ctl(self, *words, expect=0):
        """ringpostctl's lines of JSON."""
        result = run([executable("ringpostctl"), "--socket", str(self.control_path), *words, "--json"], expect=expect)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def status(self):
        return self.ctl("status")[0]

    def wait_empty(self, patience=None):
        wait_until(lambda: self.status()["queued"] == 0, "%s to deliver all it has" % self.name, patience)

    def events(self, kind=None):
        """Events so far, whole lines only."""
        found = []
        if self.events_path.exists():
            for line in self.events_path.read_bytes().split(b"\n")[:-1]:
                event = json.loads(line)
                if kind in (None, event["type"]):
                    found.append(event)
        return found

    def spoolcat(self):
        """What the spool holds, by ringpost-spoolcat."""
        result = run([executable("ringpost-spoolcat"), "--json", str(self.spool)])
        return [json.loads(line) for line in result.stdout.splitlines()]


class Sink:
    """ringpost-sink with a ledger."""

    def __init__(self, *arguments, name="sink", port=None):
        self.name = name
        self.port = port or free_port()
        self.arguments = arguments
        self.ledger_path = SCRATCH / (name + ".ledger")
        self.process = None

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def start(self):
        self.process = Process(self.name, [executable("ringpost-sink"), "--listen", self.address, "--ledger",
                                           str(self.ledger_path), *map(str, self.arguments)])
        self.process.wait_for_line("ready")
        return self

    def stop(self, number=None):
        return self.process.stop(number)

    def ledger(self):
        return read_ledger(self.ledger_path)


class Dnsd:
    """ringpost-dnsd with lines of its own."""

    def __init__(self, *lines, name="dnsd"):
        self.name = name
        self.zone_path = SCRATCH / (name + ".zone")
        self.statistics_path = SCRATCH / (name + ".asked")
        self.write(*lines)
        self.process = None
        self.address = None

    def write(self, *lines):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.zone_path.write_text("\n".join(lines) + "\n")

    def start(self):
        self.process = Process(self.name, [executable("ringpost-dnsd"), "--listen", self.address or "127.0.0.1:0", "--statistics",
                                           str(self.statistics_path), str(self.zone_path)])
        self.process.wait_for_line("ready")
        self.address = next(line.split()[-1] for line in self.process.stderr().splitlines() if line.startswith("listening on "))
        return self

    def replace(self, *lines):
        """Other lines from now on."""
        before = self.process.stderr().count("reloaded")
        self.write(*lines)
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: self.process.stderr().count("reloaded") > before, "%s to read its lines anew" % self.name)

    def asked(self):
        """How often each question was asked: (name, type) → times."""
        self.statistics_path.unlink(missing_ok=True)
        self.process.signal(signal.SIGUSR1)
        wait_until(self.statistics_path.exists, "%s to write its statistics" % self.name)
        lines = [json.loads(line) for line in self.statistics_path.read_text().splitlines()]
        return {(line["name"], line["type"]): line["udp"] + line["tcp"] for line in lines}

    def stop(self):
        return self.process.stop()


def read_ledger(path):
    """Whole lines of a ledger as objects; a line cut off by kill -9 is no line."""
    if not pathlib.Path(path).exists():
        return []
    return [json.loads(line) for line in pathlib.Path(path).read_bytes().split(b"\n")[:-1]]


class Conversation:
    """One SMTP dialogue by hand, octet for octet."""

    def __init__(self, port, host="127.0.0.1", patience=None):
        self.socket = socket.create_connection((host, port), timeout=patience or PATIENCE)
        self.buffer = b""

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def line(self):
        """The next line without its CRLF; b"" at the end of the stream."""
        while b"\r\n" not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self):
        """A whole reply as (code, text of its lines); (0, "") at the end of the stream."""
        texts = []
        while True:
            line = self.line().decode("utf-8", "replace")
            if not line:
                return 0, "\n".join(texts)
            texts.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(texts)

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def greeted(self, name="client.test"):
        check(self.reply()[0] == 220, "banner is 220")
        check(self.say("EHLO " + name)[0] == 250, "EHLO is 250")
        return self

    def submit(self, content, sender="s@a.test", recipients=("r@b.test",)):
        """One message by DATA; the last reply. `content` is what a message has between 354 and the final dot, unstuffed."""
        code, text = self.say("MAIL FROM:<%s>" % sender)
        if code != 250:
            return code, text
        for recipient in recipients:
            self.say("RCPT TO:<%s>" % recipient)
        code, text = self.say("DATA")
        if code != 354:
            return code, text
        content = content if isinstance(content, bytes) else content.encode()
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self.send(stuffed + (b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n"))
        return self.reply()

    def ended(self):
        """Whether the peer closes now: the end of the stream, and nothing before it."""
        try:
            return self.line() == b""
        except (ConnectionResetError, socket.timeout):
            return True

    def close(self):
        self.socket.close()


def counts(values):
    return collections.Counter(values)
