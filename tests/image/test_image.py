# SPDX-License-Identifier: Apache-2.0
"""What is in the image, and that it runs from there with few capabilities."""

import json
import os
import pathlib
import stat
import subprocess
import tarfile

import pytest

from lab import Lab, run, wait_until

LIMIT_MIB = 80


@pytest.fixture(scope="module")
def archive():
    path = os.environ.get("EOIP_IMAGE")
    if not path:
        pytest.skip("EOIP_IMAGE is not set: run tests/image/run")
    return pathlib.Path(path)


@pytest.fixture(scope="module")
def config(archive):
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        return json.load(tar.extractfile(manifest["Config"]))


@pytest.fixture(scope="module")
def root(archive, tmp_path_factory):
    """The image's file system."""
    folder = tmp_path_factory.mktemp("root")
    with tarfile.open(archive) as tar:
        for layer in json.load(tar.extractfile("manifest.json"))[0]["Layers"]:
            subprocess.run(["tar", "-x", "-C", folder], check=True,
                           input=tar.extractfile(layer).read())
    return folder


def test_it_is_small_and_has_no_set_id_program(archive, root):
    assert archive.stat().st_size < LIMIT_MIB << 20
    for path in root.rglob("*"):
        if not path.is_symlink():
            assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID), path


def test_the_agent_is_the_default_program(config):
    assert config["config"]["Cmd"] == ["eoip-agent"]
    assert "/var/lib/eoip" in config["config"]["Volumes"]


@pytest.mark.parametrize("program", ["eoip-agent", "eoip-tapd", "eoipctl"])
def test_programs_start_with_the_libraries_of_the_image(root, program):
    done = run(["chroot", root, f"/usr/bin/{program}", "--help"])
    assert program in done.stdout


def test_the_plugin_is_static_and_answers_version(root):
    plugin = root / "opt/cni/bin/eoip"
    assert "INTERP" not in run(["readelf", "-l", plugin]).stdout
    # On the host, where a runtime calls it.
    done = run([plugin], stdin='{"cniVersion":"1.0.0"}', env={"CNI_COMMAND": "VERSION"})
    assert "1.0.0" in json.loads(done.stdout)["supportedVersions"]


def test_licences_of_all_that_is_in_it_are_in_it(root):
    names = {path.name for path in (root / "usr/share/licenses").iterdir()}
    assert "eoip" in names and {"libc6", "libprotobuf32"} <= names


class TestInstaller:
    @pytest.fixture
    def target(self, root):
        folder = root / "host/opt/cni/bin"
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        for path in folder.iterdir():
            path.unlink()

    def install(self, root, check=True, env=None):
        return run(["chroot", root, "/usr/bin/install-cni"], check=check,
                   env={"PATH": "/usr/sbin:/usr/bin:/bin", **(env or {})})

    def test_installs_a_whole_executable_and_nothing_else(self, root, target):
        self.install(root)
        assert [path.name for path in target.iterdir()] == ["eoip"]
        assert (target / "eoip").read_bytes() == (root / "opt/cni/bin/eoip").read_bytes()
        assert (target / "eoip").stat().st_mode & 0o777 == 0o755

    def test_a_running_plugin_is_replaced_by_rename(self, root, target):
        (target / "eoip").write_text("#!/bin/sh\n")
        old = (target / "eoip").stat().st_ino
        with open(target / "eoip"):
            self.install(root)
        assert (target / "eoip").stat().st_ino != old

    def test_a_second_run_changes_nothing(self, root, target):
        self.install(root)

        def written():  # not when it was read
            stat = (target / "eoip").stat()
            return stat.st_ino, stat.st_size, stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns

        before = written()
        self.install(root)
        assert written() == before

    def test_leftovers_of_a_killed_run_go(self, root, target):
        (target / ".eoip.99999").write_text("half")
        self.install(root)
        assert [path.name for path in target.iterdir()] == ["eoip"]

    def test_a_failure_leaves_the_old_plugin(self, root, target):
        (target / "eoip").write_text("old")
        done = self.install(root, check=False, env={"SOURCE": "/nowhere"})
        assert done.returncode == 1 and "cannot write" in done.stderr
        assert (target / "eoip").read_text() == "old"
        assert [path.name for path in target.iterdir()] == ["eoip"]

    def test_fsync_comes_before_rename(self, root, target, tmp_path):
        trace = tmp_path / "trace"
        run(["strace", "-f", "-o", trace, "-e", "trace=fsync,rename,renameat,renameat2",
             "chroot", root, "/usr/bin/install-cni"])
        calls = [line.split()[1].split("(")[0] for line in trace.read_text().splitlines()
                 if "(" in line and "+++" not in line and "---" not in line]
        assert calls[0] == "fsync" and calls[1].startswith("rename"), calls
        assert calls[-1] == "fsync", calls


def test_agent_and_tapd_run_from_it_with_two_capabilities(root, tmp_path):
    """As in deploy/: NET_ADMIN and NET_RAW, nothing else, no new privileges."""
    lab = Lab(tmp_path)
    try:
        ns = lab.ns("node")
        (root / "dev/net").mkdir(parents=True, exist_ok=True)
        if not (root / "dev/net/tun").exists():
            os.mknod(root / "dev/net/tun", 0o666 | stat.S_IFCHR, os.makedev(10, 200))

        def limited(*argv, log):
            # SYS_CHROOT is for the chroot alone; the image has no setpriv.
            return lab.spawn(
                ns, "setpriv", "--bounding-set", "-all,+net_admin,+net_raw,+sys_chroot",
                "--inh-caps", "-all", "--no-new-privs", "chroot", root, *argv, log=log)

        tapd = limited("/usr/bin/eoip-tapd", "--socket", "/run/eoip/tapd.sock", log="tapd")
        agent = limited("/usr/bin/eoip-agent", log="agent")
        socket = root / "run/eoip/agent.sock"
        assert not socket.exists()
        wait_until(lambda: not agent.alive() or run(
            ["chroot", root, "/usr/bin/eoipctl", "status"], check=False).returncode == 0,
            15, "the agent to answer")
        assert agent.alive(), lab.logs()
        wait_until(lambda: "datapath TAP is available" in agent.text(), 15,
                   "the agent to hear of eoip-tapd")
        assert tapd.alive(), tapd.text()
        lab.run(ns, "ip", "addr", "add", "192.0.2.1/24", "dev", "lo")
        run(["chroot", root, "/usr/bin/eoipctl", "tunnel", "create", "t1", "kind=eoip",
             "remote-address=192.0.2.9", "tunnel-id=1", "!keepalive", "--wait=10s"])
        run(["chroot", root, "/usr/bin/eoipctl", "network", "create", "lan", "ports=t1",
             "--wait=10s"])
        assert lab.links(ns)["t1"]["master"] == "lan"
        status = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
        effective = int(status.split("CapEff:")[1].split()[0], 16)
        assert effective == 1 << 12 | 1 << 13 | 1 << 18  # + SYS_CHROOT, see above
    finally:
        lab.close()
