# SPDX-License-Identifier: Apache-2.0
"""Checklist 25: the plugin comes to the host as a whole or not at all."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

import node as node_module
from cni import PLUGIN, stopped
from lab import BIN, ROOT, need_programs, need_tools, wait_until

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


def test_25_conf_comes_once_the_agent_is_ready_and_stays(lab, tmp_path):
    """A stopped eoip-tapd delays the first look, and with it readiness."""
    need_programs("eoip-agent", "eoip-tapd")
    conf = tmp_path / "10-lan.conflist"
    conf.write_text('{"cniVersion": "1.0.0", "name": "lan", "plugins": []}')
    net_d = tmp_path / "net.d"
    net_d.mkdir()
    installed = net_d / conf.name
    node = node_module.Node(lab)
    node.start_tapd()
    seen = []

    def ready():
        there = installed.exists()
        seen.append(node.status().ready)
        assert seen[-1] or not there, "the configuration came before the agent was ready"
        return seen[-1]
    with stopped(node.tapd):
        node.start_agent("--cni-conf", conf, "--cni-conf-dir", net_d, wait_ready=False)
        wait_until(ready, 20, "the agent to be ready")
    assert not seen[0]
    wait_until(installed.exists, 5, "the configuration")
    assert installed.read_text() == conf.read_text()
    assert os.listdir(net_d) == [conf.name]
    node.agent.stop()
    assert installed.exists()


def test_25_conf_is_written_only_when_asked(cni, tmp_path):
    """A second start, under strace, opens nothing of the host's CNI folder."""
    need_tools("strace")
    cni.node.agent.stop()
    log = tmp_path / "strace.log"
    cni.node.start_agent(prefix=["strace", "-f", "-qq", "-o", log, "-e", "trace=openat,rename"])
    cni.add(cni.conf(), cni.pod()).ok()
    tracer = cni.node.agent.pid  # ends with what it traces
    children = pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    cni.node.agent.popen.wait(20)
    assert "lan@" in log.read_text(), "the record of the ADD was not seen"
    assert "/etc/cni" not in log.read_text()


@pytest.mark.parametrize("name,text,named", [
    ("x.txt", "{}", "x.txt"), ("x.conf", "[", "x.conf"), ("missing.conf", None, "missing.conf")])
def test_25_conf_that_no_runtime_would_read_is_refused_at_the_start(tmp_path, name, text, named):
    need_programs("eoip-agent")
    if text is not None:
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [BIN / "eoip-agent", "--runtime-dir", tmp_path / "run", "--state-dir", tmp_path / "state",
         "--cni-conf", tmp_path / name], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and named in done.stderr, done.stderr
