#!/usr/bin/python3
"""The demonstration behind tools/quickstart: relay, sink, real SMTP between them, and what came of it."""

import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

RELAY = ("127.0.0.1", 2525)  # as the embedded configuration has them
SINK = ("127.0.0.1", 2526)
SENDER = f"quickstart-{os.getpid()}@example.org"  # tells this run's messages from what the spool held before
START_SECONDS = 60
DELIVERY_SECONDS = 120
BAR = 30


class Failed(Exception):
    """What went wrong, in words for the person who called."""


def state_directory():
    """Where the relay's embedded configuration keeps its spool, socket and events."""
    state, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
    if state.startswith("/"):
        return pathlib.Path(state) / "ringpost"
    return pathlib.Path(home) / ".local/state/ringpost" if home.startswith("/") else pathlib.Path("/var/tmp/ringpost")


def answers(address):
    try:
        socket.create_connection(address, timeout=1).close()
        return True
    except OSError:
        return False


def show_bar(words, done, total, last=False):
    full = BAR * min(done, total) // max(total, 1)
    line = f"[{'#' * full}{'.' * (BAR - full)}] {done}/{total} {words}"
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + line + ("\n" if last else ""))
        sys.stderr.flush()
    elif last:
        print(line, file=sys.stderr)


class Program:
    """A program of ours in the background, with its words in a file."""

    def __init__(self, name, command, log):
        self.name, self.log = name, log
        with open(log, "wb") as sink:
            # A group of its own: Ctrl-C is ours to pass on, to the relay first, so that it can drain into the sink.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                            start_new_session=True)

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_until(self, ready):
        begun = time.monotonic()
        while not ready(self):
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() - begun > START_SECONDS:
                raise Failed(f"{self.name} is not ready after {START_SECONDS} s:\n{self.said()}")
            time.sleep(0.02)

    def stop(self, patience=60):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Events:
    """The relay's event lines from now on."""

    def __init__(self, path):
        self.path = path
        self.place = path.stat().st_size if path.exists() else 0
        self.rest = b""

    def new(self):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(self.place)
            octets = self.rest + file.read()
            self.place = file.tell()
        lines = octets.split(b"\n")
        self.rest = lines.pop()
        return [json.loads(line) for line in lines if line]


def start(options, scratch):
    state_directory().mkdir(mode=0o750, parents=True, exist_ok=True)
    for name, address in (("the relay", RELAY), ("the sink", SINK)):
        if answers(address):
            raise Failed(f"something answers at {address[0]}:{address[1]} already, where {name} should: end it first")
    sink = Program("ringpost-sink", [options.build / "ringpost-sink", "--listen", "%s:%d" % SINK, "--ledger",
                                     state_directory() / "sink.jsonl"], scratch / "sink.log")
    options.running.append(sink)
    sink.wait_until(lambda program: answers(SINK))
    relay = Program("ringpost", [options.build / "ringpost", "serve"], scratch / "relay.log")
    options.running.insert(0, relay)
    relay.wait_until(lambda program: "ready" in program.said().split())
    print(f"   relay {RELAY[0]}:{RELAY[1]} (process {relay.process.pid}), "
          f"sink {SINK[0]}:{SINK[1]} (process {sink.process.pid}), spool {state_directory()}/spool")


def send(options):
    command = [options.build / "ringpost-source", "%s:%d" % RELAY, "--connections", options.connections, "--messages",
               options.messages, "--messages-per-connection", 100, "--size", options.size, "--from", SENDER, "--json", "--progress"]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if not done.stdout.strip():
        raise Failed(f"ringpost-source ended with {done.returncode}")
    return json.loads(done.stdout)


def follow(options, events, wanted):
    """Waits for the deliveries of what was accepted; gives the seconds each took, and the failures."""
    queued, failed, moved = [], 0, time.monotonic()
    while len(queued) + failed < wanted:
        fresh = [event for event in events.new() if event.get("from") == SENDER]
        queued += [event.get("queued", 0.0) for event in fresh if event["type"] == "delivery"]
        failed += sum(event["type"] == "failure" for event in fresh)
        moved = time.monotonic() if fresh else moved
        show_bar("delivered", len(queued), wanted)
        if time.monotonic() - moved > DELIVERY_SECONDS:
            break
        time.sleep(0.02)
    show_bar("delivered", len(queued), wanted, last=True)
    return queued, failed


def quantile(values, p):
    return sorted(values)[min(len(values) - 1, int(p * len(values)))] if values else 0.0


def report(options, sent, queued, failed, seconds):
    accepted = sent["accepted"]
    print(f"""
   messages    {accepted} accepted of {sent["messages"]}, {len(queued)} delivered, {failed} failed
   rate        {sent["messages_per_second"]:,.0f} messages/s in, {len(queued) / seconds:,.0f}/s from end to end
   to the 250  p50 {sent["latency_ms"]["p50"]:.2f} ms   p99 {sent["latency_ms"]["p99"]:.2f} ms   (after a durable write)
   to delivery p50 {quantile(queued, 0.5) * 1e3:.0f} ms   p99 {quantile(queued, 0.99) * 1e3:.0f} ms   (from the 250 to the sink's)
   spool       {state_directory()}/spool      look inside: {options.build}/ringpost-spoolcat {state_directory()}/spool
   events      {state_directory()}/events.jsonl
   sink        {state_directory()}/sink.jsonl      (a line a message: id, envelope, sha256)""")


def hints(options):
    print(f"""
   Send one by hand:
      python3 -c 'import smtplib; smtplib.SMTP("127.0.0.1", 2525).sendmail("me@example.org", "you@example.net",
                  "Subject: hello\\r\\n\\r\\nHello.\\r\\n")'
   Ask the relay:
      {options.build}/ringpostctl --socket {state_directory()}/control status
   Hand mail to a real smarthost instead of the sink: stop this with Ctrl-C, then
      {options.build}/ringpost default-config > ringpost.toml      and in it, below [[route]]:
          host = "192.0.2.25:25"        # your smarthost; without any [[route]] mail goes by MX
      {options.build}/ringpost serve --config ringpost.toml""")


def stay(options, events):
    print("\n   Up and running; what happens is shown below. Ctrl-C ends it.\n", flush=True)
    relay, sink = options.running
    while relay.process.poll() is None and sink.process.poll() is None:
        for event in events.new():
            words = [event.get(key) for key in ("time", "type", "id", "from", "to", "peer", "code", "text")]
            print("   " + " ".join(str(word) for word in words if word not in (None, "")), flush=True)
        time.sleep(0.2)
    ended = relay if relay.process.poll() is not None else sink
    raise Failed(f"{ended.name} ended with {ended.process.returncode}:\n{ended.said()}")


def demonstrate(options):
    start(options, options.scratch)
    events = Events(state_directory() / "events.jsonl")
    print(f"== 3/3 sending {options.messages} messages over {options.connections} connections", flush=True)
    begun = time.monotonic()
    sent = send(options)
    queued, failed = follow(options, events, sent["accepted"])
    report(options, sent, queued, failed, max(time.monotonic() - begun, 0.001))
    complete = sent["accepted"] == sent["messages"] == len(queued)
    if not complete:
        print("   Not every message arrived: the events above say why; the relay goes on trying what is queued.")
    if options.exit:
        return 0 if complete else 1
    hints(options)
    stay(options, events)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"), help=argparse.SUPPRESS)
    parser.add_argument("--exit", action="store_true", help="end after the demonstration")
    parser.add_argument("--messages", type=int, default=20000, help="how many to send (default %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="at once (default %(default)s)")
    parser.add_argument("--size", default="2K:50,8K:35,64K:15", help="sizes and their weights (default %(default)s)")
    options = parser.parse_args()
    options.running = []
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    code = 1
    with tempfile.TemporaryDirectory(prefix="ringpost-quickstart-") as scratch:
        options.scratch = pathlib.Path(scratch)
        try:
            code = demonstrate(options)
        except KeyboardInterrupt:
            code = 0
            print("\n   Stopping: the relay finishes what is under way.", flush=True)
        except Failed as failure:
            print(f"\nquickstart: {failure}", file=sys.stderr)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for program in options.running:  # the relay first: it drains into the sink
            if program.stop() not in (0, -signal.SIGTERM):
                print(f"quickstart: {program.name} ended with {program.process.returncode}:\n{program.said()}",
                      file=sys.stderr)
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
