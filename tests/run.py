#!/usr/bin/python3
"""Runs the suite: every layer below tests/, two tests at a time, and ends with "N passed, N failed".

Called by tools/test, after the build. What it runs:
  meson's tests   what the layers' meson.build files register with test(): unit, dialog, sim, crash, fuzz, bench
  tests/e2e       each NN-name/run, in a fresh directory of its own; exit 0 is the only pass
  tests/tidy      the house rules
A test whose suite is 'slow' (meson), or an e2e folder with a file named 'slow', is left out by --quick. An e2e folder's
file named 'timeout' holds its own bound in seconds. An executable that prints doctest's summary counts by its test
cases, one that prints "N passed, N failed" by that line, any other as one.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
WORKERS = 2
TIMEOUT = 120  # seconds, where a test names no bound of its own: for an overloaded machine, not for a slow test
OUTPUT_SHOWN = 200  # last lines of a failing test
DOCTEST = re.compile(r"^\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed\s*$", re.M)


@dataclasses.dataclass
class Test:
    name: str
    command: list
    timeout: float = TIMEOUT
    environment: dict = dataclasses.field(default_factory=dict)
    directory: str = str(TOP)
    scratch: bool = False  # wants a fresh directory as RINGPOST_SCRATCH


@dataclasses.dataclass
class Outcome:
    test: Test
    passed: int
    failed: int
    seconds: float
    output: str
    reason: str = ""


def meson_tests(build, quick):
    listed = subprocess.run(["meson", "introspect", str(build), "--tests"], check=True, capture_output=True, text=True)
    for entry in json.loads(listed.stdout):
        suites = [suite.split(":")[-1] for suite in entry["suite"]]
        if quick and "slow" in suites:
            continue
        environment = entry["env"] if isinstance(entry["env"], dict) else {}
        layer = next((suite for suite in suites if suite and suite != "slow"), "")
        yield layer, Test(
            name=f"{build.name} {layer} {entry['name']}",
            command=entry["cmd"],
            timeout=float(entry["timeout"] or TIMEOUT),
            environment=environment,
            directory=entry["workdir"] or str(TOP),
            scratch=True,
        )


def end_to_end_tests(build, quick):
    for folder in sorted((TOP / "tests/e2e").glob("[0-9][0-9]-*")):
        if not (folder / "run").exists() or (quick and (folder / "slow").exists()):
            continue
        bound = folder / "timeout"
        timeout = float(bound.read_text()) if bound.exists() else TIMEOUT
        environment = {"RINGPOST_BUILD": str(build)}
        yield "e2e", Test(f"{build.name} e2e {folder.name}", [str(folder / "run")], timeout, environment, str(folder), True)


def tidy_tests(build, quick):
    command = ["/usr/bin/python3", str(TOP / "tests/tidy/check.py"), "--build", str(build)]
    yield "tidy", Test("tidy", command + (["--quick"] if quick else []), timeout=600)


def end_group(process):
    """Ends the test and all that it started: each test is a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def count(output, code):
    """(passed, failed) as the output says it; a test that failed without saying so counts as one failure."""
    found = DOCTEST.findall(output)
    passed, failed = 0, 0
    for _, good, bad in found:
        passed, failed = passed + int(good), failed + int(bad)
    if not found:
        plain = PLAIN.findall(output)
        passed, failed = (int(plain[-1][0]), int(plain[-1][1])) if plain else (0, 0)
        found = plain
    if code != 0 and failed == 0:
        return passed, 1
    if code == 0 and not found:
        return 1, 0
    return passed, failed


def run(test, keep):
    scratch = tempfile.mkdtemp(prefix="ringpost-test-") if test.scratch else None
    environment = dict(os.environ, **test.environment)
    if scratch:
        environment["RINGPOST_SCRATCH"] = scratch
    environment.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=0")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    started = time.monotonic()
    reason = ""
    with tempfile.TemporaryFile() as sink:  # a file, not a pipe: what a test leaves running cannot keep us waiting
        try:
            process = subprocess.Popen(test.command, cwd=test.directory, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            return Outcome(test, 0, 1, 0.0, "", f"cannot start: {error}")
        try:
            code = process.wait(test.timeout)
        except subprocess.TimeoutExpired:
            code, reason = -1, f"took longer than {test.timeout:.0f} s"
        end_group(process)
        process.wait()
        sink.seek(0)
        output = sink.read().decode("utf-8", "replace")
    passed, failed = count(output, code)
    if failed and not reason:
        reason = f"signal {-code}" if code < 0 else f"exit {code}"
    if scratch and not (failed and keep):
        shutil.rmtree(scratch, ignore_errors=True)
    elif scratch:
        reason += f", files in {scratch}"
    return Outcome(test, passed, failed, time.monotonic() - started, output, reason)


def show(outcome, lock):
    with lock:
        word = "FAILED" if outcome.failed else "ok"
        counts = f"{outcome.passed} passed" + (f", {outcome.failed} failed ({outcome.reason})" if outcome.failed else "")
        print(f"{word:6} {outcome.test.name}: {counts}, {outcome.seconds:.1f} s", flush=True)
        if outcome.failed:
            for line in outcome.output.splitlines()[-OUTPUT_SHOWN:]:
                print(f"       | {line}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description="Runs the test suite.")
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build/debug", help="where e2e finds the executables")
    parser.add_argument("--also", type=pathlib.Path, action="append", default=[], help="more builds for meson's tests")
    parser.add_argument("--quick", action="store_true", help="leave out what is marked slow")
    parser.add_argument("--layer", action="append", help="only this layer (unit, dialog, sim, crash, fuzz, e2e, tidy, bench)")
    parser.add_argument("--only", help="only tests whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory of a failing test")
    parser.add_argument("--list", action="store_true", help="say what would run")
    parser.add_argument("--deadline", type=float, default=3600, help="seconds after which no further test is started")
    return parser.parse_args()


def chosen(options):
    builds = [build.resolve() for build in [options.build, *options.also]]
    tests = [*tidy_tests(builds[0], options.quick)]
    for build in builds:
        tests += meson_tests(build, options.quick)
    tests += end_to_end_tests(builds[0], options.quick)
    return [
        test for layer, test in tests
        if (not options.layer or layer in options.layer) and (not options.only or options.only in test.name)
    ]


def main():
    options = arguments()
    tests = chosen(options)
    if options.list:
        print("\n".join(test.name for test in tests))
        return 0
    started = time.monotonic()
    lock = threading.Lock()

    def one(test):
        if time.monotonic() - started > options.deadline:
            outcome = Outcome(test, 0, 1, 0.0, "", "not started: the run's deadline has passed")
        else:
            outcome = run(test, options.keep)
        show(outcome, lock)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(one, tests))
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    slowest = sorted(outcomes, key=lambda outcome: -outcome.seconds)[:5]
    print("slowest: " + ", ".join(f"{outcome.test.name} {outcome.seconds:.1f} s" for outcome in slowest))
    for outcome in outcomes:
        if outcome.failed:
            print(f"failed: {outcome.test.name} ({outcome.reason})")
    print(f"{len(tests)} tests in {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
