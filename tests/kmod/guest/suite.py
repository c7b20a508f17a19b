#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the functional suite: every test_* function of every test_*.py beside it.

  suite.py [--list] [--long] [WORD...]     only tests whose name holds one of the words

A function with a parameter 'kind' runs once per kind. A fresh Lab is made for each test and removed
after it. Tests marked long run only with --long. Ends with the line
RESULT run=<n> passed=<n> failed=<n> skipped=<n>; exit code 1 when a test failed or none ran.
"""

import contextlib
import glob
import importlib
import inspect
import os
import signal
import sys
import time
import traceback

import lab


class Skip(Exception):
    """What the kernel or the guest lacks, said once per test."""


def collect(words):
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(here + "/test_*.py")):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, function in vars(module).items():
            if not name.startswith("test_") or not callable(function):
                continue
            wanted = inspect.signature(function).parameters
            for kind in lab.KINDS.values() if "kind" in wanted else [None]:
                label = "%s.%s%s" % (module.__name__[5:], name[5:], "[%s]" % kind.name if kind else "")
                if not words or any(w in label for w in words):
                    yield label, function, kind


def on_alarm(*_):
    raise AssertionError("the test took too long")


def run_one(function, kind):
    fixture = lab.Lab()
    signal.alarm(getattr(function, "limit", 300))
    try:
        function(*([fixture] + ([kind] if kind else [])))
    except AssertionError as error:
        with contextlib.suppress(AssertionError, OSError):  # a test may have removed it
            error.args = ("%s\n    dut: %s" % (error, fixture.dut.counted()),)
        raise
    finally:
        signal.alarm(0)
        fixture.remove()


def main(args):
    words = [a for a in args if not a.startswith("--")]
    tests = list(collect(words))
    if "--list" in args:
        print("\n".join(label for label, _, _ in tests))
        return 0
    lab.run("modprobe", "eoip")
    signal.signal(signal.SIGALRM, on_alarm)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for label, function, kind in tests:
        start = time.monotonic()
        if getattr(function, "long", False) and "--long" not in args:
            continue
        result, note = "passed", ""
        try:
            run_one(function, kind)
        except Skip as why:
            result, note = "skipped", str(why)
        except Exception as error:
            result, note = "failed", "%s: %s" % (type(error).__name__, error)
            where = traceback.extract_tb(error.__traceback__)[1:]
            note += "".join("\n    %s:%d %s" % (f.filename, f.lineno, f.line) for f in where[-4:])
        count[result] += 1
        print("%-7s %s (%.1f s)%s" % (result, label, time.monotonic() - start, note and ": " + note), flush=True)
    total = sum(count.values())
    print("RESULT run=%d " % total + " ".join("%s=%d" % item for item in count.items()), flush=True)
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    # Tests say "suite.Skip", so this file must be that module.
    sys.modules["suite"] = sys.modules["__main__"]
    sys.exit(main(sys.argv[1:]))
