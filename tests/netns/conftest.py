# SPDX-License-Identifier: Apache-2.0
import os

import pytest

import lab as lab_module


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root (network namespaces)"))


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "lab" in item.funcargs:
        report.sections.append(("logs of the lab", item.funcargs["lab"].logs()))


@pytest.fixture
def lab(tmp_path):
    made = lab_module.Lab(tmp_path)
    yield made
    made.close()
