#!/usr/bin/python3
"""Checks the house rules (rules.py), and first that the rules can fail (canary.py). Ends with "N passed, N failed"."""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
import canary  # noqa: E402
import rules  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build/debug", help="where ringpost_options.h is")
    parser.add_argument("--rule", help="only this one")
    parser.add_argument("--quick", action="store_true", help="of the headers compile only the faces alone")
    options = parser.parse_args()
    passed, failed = 0, 0
    tree = rules.Tree(TOP, options.build, quick=options.quick)
    checks = [(rule.__name__, lambda rule=rule: rule(tree), rule.__doc__) for rule in rules.RULES]
    checks += [(f"canary of {name}", run, "The rule finds what was planted.") for name, run in canary.checks(options.build)]
    for name, run, meaning in checks:
        if options.rule and options.rule not in name:
            continue
        violations = run()
        if violations:
            failed += 1
            print(f"{name}: {meaning}")
            print("\n".join(f"  {line}" for line in violations))
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
