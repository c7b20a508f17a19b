# SPDX-License-Identifier: Apache-2.0
"""A node with the real agent, on a kernel whose modules a test may load and unload."""

import pathlib
import subprocess

import pytest

import lab as lab_module
import node as node_module

MODULES = ("eoip", "eoip_foreign")
# Runs in the guest's first root, with which the host's shares /lab.
HELPER = """#!/bin/sh
case "$*" in *rtnl-link-eoip*) exit 1 ;; esac
exec /sbin/modprobe "$@"
"""


def loaded(name):
    return pathlib.Path("/sys/module", name).exists()


def load(name, *parameters):
    subprocess.run(["modprobe", name, *parameters], check=True)


def unload(*names):
    for name in names:
        if loaded(name):
            subprocess.run(["rmmod", name], check=True)


@pytest.fixture(autouse=True)
def modules():
    """No module of the kinds at first, none of them loads by itself; none stays."""
    script = pathlib.Path("/lab/modprobe-but-eoip")
    script.write_text(HELPER)
    script.chmod(0o755)
    helper = pathlib.Path("/proc/sys/kernel/modprobe")
    before = helper.read_text()
    helper.write_text(str(script))
    unload(*MODULES)
    yield
    unload(*MODULES)
    helper.write_text(before)


@pytest.fixture
def idle_node(lab):
    """Not started, so that a test can load a module first."""
    lab_module.need_programs("eoip-agent", "eoip-tapd", "eoipctl", "eoip")
    return node_module.Node(lab)


@pytest.fixture
def node(idle_node):
    """With the bundled module loaded before the agent starts."""
    load("eoip")
    return idle_node.start()
