# SPDX-License-Identifier: Apache-2.0
"""Checklist 25: the plugin comes to the host as a whole or not at all."""

import os
import re
import subprocess

import pytest

from cni import PLUGIN
from lab import ROOT, need_programs, need_tools

INSTALLER = ROOT / "deploy" / "image" / "install-cni"


@pytest.fixture
def folder(tmp_path):
    need_programs("eoip")
    made = tmp_path / "bin"
    made.mkdir()
    return made


def install(folder, source=PLUGIN, wrapper=()):
    return subprocess.run([*wrapper, str(INSTALLER), str(folder)], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "SOURCE": str(source)})


def test_25_writes_a_temporary_file_then_syncs_then_renames(folder):
    need_tools("strace")
    log = folder.parent / "log"
    done = install(folder, wrapper=["strace", "-f", "-qq", "-o", str(log), "-e",
                                    "trace=fsync,rename,renameat,renameat2"])
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"(fsync|rename)\w*\(.*= 0$", log.read_text(), re.MULTILINE)
    # The file before it gets its name, the folder after.
    assert calls == ["fsync", "rename", "fsync"], log.read_text()
    assert (folder / "eoip").read_bytes() == PLUGIN.read_bytes()
    assert os.access(folder / "eoip", os.X_OK)
    assert os.listdir(folder) == ["eoip"]


def test_25_replaces_a_plugin_that_is_running(folder):
    sleeper = folder / "eoip"
    sleeper.write_bytes(open("/bin/sleep", "rb").read())
    sleeper.chmod(0o755)
    running = subprocess.Popen([str(sleeper), "60"])
    try:
        assert install(folder).returncode == 0
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
    assert (folder / "eoip").read_bytes() == PLUGIN.read_bytes()


def test_25_a_failure_leaves_the_old_plugin(folder):
    (folder / "eoip").write_text("old")
    assert install(folder, source="/nonexistent").returncode != 0
    assert (folder / "eoip").read_text() == "old"
    assert os.listdir(folder) == ["eoip"]


def test_25_a_kill_before_the_rename_leaves_the_old_plugin(folder):
    need_tools("strace")
    (folder / "eoip").write_text("old")
    install(folder, wrapper=["strace", "-f", "-qq", "-o", "/dev/null", "-e",
                             "inject=rename,renameat,renameat2:signal=KILL:when=1"])
    assert (folder / "eoip").read_text() == "old"
    assert install(folder).returncode == 0
    assert os.listdir(folder) == ["eoip"]
