# SPDX-License-Identifier: Apache-2.0
"""The CNI checklist has 25 lines, each case has a test, each numbered test has
a case."""

import ast
import pathlib
import re

import yaml

CNI = pathlib.Path(__file__).resolve().parents[1] / "cni"


def present():
    names = set()
    for file in CNI.rglob("test_*.py"):
        tree = ast.parse(file.read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                names.add(node.name)
    return names


def listed():
    lines = yaml.safe_load((CNI / "checklist.yaml").read_text())
    return {int(str(line).split()[0]): cases for line, cases in lines.items()}


def test_every_line_is_there_and_has_cases():
    lines = listed()
    assert sorted(lines) == list(range(1, 26))
    for number, cases in lines.items():
        assert cases, number
        for case, tests in cases.items():
            assert tests, f"{number} {case} has no test"


def test_every_named_test_exists():
    names = present()
    missing = [test for cases in listed().values() for tests in cases.values()
               for test in tests if test not in names]
    assert missing == []


def test_every_numbered_test_is_listed():
    known = {test for cases in listed().values() for tests in cases.values() for test in tests}
    numbered = {name for name in present() if re.match(r"test_\d\d_", name)}
    assert sorted(numbered - known) == [], "add them to tests/cni/checklist.yaml"
