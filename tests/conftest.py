# SPDX-License-Identifier: Apache-2.0
"""For every pytest tier: support/ on the path, the fixture "lab" with its logs
in a failure's report, and honest skips.

A run whose every test was skipped exits with 77, which ctest shows as
"Skipped"; a run that collected nothing fails (pytest's exit code 5).
"""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
sys.dont_write_bytecode = True

import lab as lab_module  # noqa: E402

EXIT_SKIPPED = 77


@pytest.fixture
def lab(tmp_path):
    """Namespaces and processes of one test."""
    made = lab_module.Lab(tmp_path)
    yield made
    made.close()


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if "lab" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="needs root (network namespaces)"))


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "lab" in item.funcargs:
        report.sections.append(("logs of the lab", item.funcargs["lab"].logs()))


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.stats
    ran = any(reports.get(kind) for kind in ("passed", "failed", "error"))
    if reports.get("skipped") and not ran:
        terminalreporter.config._eoip_all_skipped = True


def pytest_unconfigure(config):
    # The exit code is settled before the summary; this is the last word.
    if getattr(config, "_eoip_all_skipped", False):
        sys.stdout.flush()
        os._exit(EXIT_SKIPPED)
