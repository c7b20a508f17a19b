# SPDX-License-Identifier: Apache-2.0
"""For every pytest tier: support/ on the path, and honest skips.

A run whose every test was skipped exits with 77, which ctest shows as
"Skipped"; a run that collected nothing fails (pytest's exit code 5).
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
sys.dont_write_bytecode = True

EXIT_SKIPPED = 77


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.stats
    ran = any(reports.get(kind) for kind in ("passed", "failed", "error"))
    if reports.get("skipped") and not ran:
        terminalreporter.config._eoip_all_skipped = True


def pytest_unconfigure(config):
    # The exit code is settled before the summary; this is the last word.
    if getattr(config, "_eoip_all_skipped", False):
        sys.stdout.flush()
        import os
        os._exit(EXIT_SKIPPED)
