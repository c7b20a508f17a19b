# SPDX-License-Identifier: Apache-2.0
"""A container of a real containerd on a site's LAN, attached by the plugin."""

import json
import os
import pathlib
import shutil

import pytest

from lab import BIN, Lab, Process, run, wait_until
from node import Node, State, attachment_pb2, keepalive

DEBIAN_PLUGINS = pathlib.Path("/usr/lib/cni")
NET_D = pathlib.Path("/etc/cni/net.d")
RUN = pathlib.Path("/run/containerd")  # sockets of shims, pipes of ctr
IMAGE = "localhost/eoip:test"
HOST_IP = "10.7.0.1"

CONTAINERD_CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
"""


class Runtime:
    """containerd and ctr in the node's namespace, both seeing CNI folders of
    their own."""

    def __init__(self, node, folder):
        self.node, self.folder = node, folder
        self.plugins = folder / "plugins"
        self.net_d = folder / "net.d"
        self.plugins.mkdir()
        self.net_d.mkdir()
        for plugin in DEBIAN_PLUGINS.iterdir():
            shutil.copy2(plugin, self.plugins)
        shutil.copy2(BIN / "eoip", self.plugins)
        (folder / "run-containerd").mkdir()
        # Made only where they are not there, and then taken away again.
        self.made = [path for path in (NET_D.parent, NET_D, RUN) if not path.exists()]
        for path in self.made:
            path.mkdir()
        self.net_d.joinpath("10-lan.conflist").write_text(json.dumps({
            "cniVersion": "1.0.0", "name": "lan", "plugins": [{
                "type": "eoip", "network": "lan", "agentSocket": str(node.agent_socket),
                "ipam": {"type": "host-local", "dataDir": str(folder / "ipam"),
                         "ranges": [[{"subnet": "10.7.0.0/24", "rangeStart": "10.7.0.10",
                                      "rangeEnd": "10.7.0.20"}]]}}]}))
        config = folder / "config.toml"
        config.write_text(CONTAINERD_CONFIG.format(folder=folder))
        self.daemon = self.spawn(
            self.private("containerd", "--config", config), "containerd.log")
        wait_until(lambda: not self.daemon.alive() or
                   self.ctr("version", check=False).returncode == 0, 20, "containerd")
        assert self.daemon.alive(), self.daemon.text()

    def private(self, *argv):
        script = (f"mount --bind {self.plugins} {DEBIAN_PLUGINS} && "
                  f"mount --bind {self.net_d} {NET_D} && "
                  f"mount --bind {self.folder / 'run-containerd'} {RUN} && "
                  f"if [ -d /opt/cni/bin ]; then mount --bind {self.plugins} /opt/cni/bin; fi "
                  '&& exec "$@"')
        # Not `ip netns exec`: its own /sys would hide the cgroups from runc.
        return ["nsenter", f"--net=/run/netns/{self.node.ns}", "unshare", "-m", "sh", "-c",
                script, "sh", *argv]

    def spawn(self, argv, log):
        process = Process(argv, self.folder / log)
        self.node.lab.processes.append(process)
        return process

    def ctr_argv(self, *argv):
        return self.private("ctr", "-a", self.folder / "containerd.sock", *argv)

    def ctr(self, *argv, **options):
        return run(self.ctr_argv(*argv), **options)

    def start(self, name):
        """A container in the foreground of a child; ctr detaches it at its end."""
        return self.spawn(
            self.ctr_argv("run", "--cni", IMAGE, name, "/bin/sleep", "600"), f"{name}.log")

    def pid(self, name):
        for line in self.ctr("task", "ls", check=False).stdout.splitlines():
            words = line.split()
            if words and words[0] == name and "RUNNING" in words:
                return int(words[1])
        return None

    def close(self):
        for line in self.ctr("task", "ls", "-q", check=False).stdout.split():
            self.ctr("task", "kill", "-s", "KILL", line, check=False)
        self.daemon.stop()
        for path in reversed(self.made):
            path.rmdir()


@pytest.fixture
def runtime(tmp_path):
    archive = os.environ.get("EOIP_IMAGE")
    if not archive:
        pytest.skip("EOIP_IMAGE is not set: run tests/containerd/run")
    for tool in ("containerd", "ctr", "runc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    lab = Lab(tmp_path)
    made = None
    try:
        node = Node(lab).start()
        node.create_tunnel("t1", 7, keepalive=keepalive(1, 10))
        node.create_network("lan", "t1")
        node.site_endpoint(tunnel_id=7, keepalive="1,10")
        lab.ip(node.site, "addr", "add", f"{HOST_IP}/24", "dev", "eoip0")
        node.wait_tunnel("t1", State.ACTIVE)
        made = Runtime(node, tmp_path)
        made.ctr("image", "import", archive, timeout=120)
        yield made
    finally:
        if made is not None:
            made.close()
        lab.close()


def attachments(node):
    return node.attachments.ListAttachments(
        attachment_pb2.ListAttachmentsRequest(), timeout=5).attachments


def in_container(pid, *argv, **options):
    return run(["nsenter", "-t", pid, "-n", *argv], **options)


def leases(runtime):
    folder = runtime.folder / "ipam" / "lan"
    return [path.name for path in folder.glob("10.*")]


def test_containers_reach_the_site_and_each_other_and_leave_nothing(runtime):
    node = runtime.node
    children, addresses = {}, {}
    for name in ("c1", "c2"):
        children[name] = runtime.start(name)
        pid = wait_until(lambda: runtime.pid(name) or not children[name].alive(), 30, name)
        assert children[name].alive(), children[name].text()
        rows = json.loads(in_container(pid, "ip", "-j", "-4", "addr", "show", "eth0").stdout)
        addresses[name] = rows[0]["addr_info"][0]["local"]
        in_container(pid, "ping", "-c", "3", "-i", "0.1", "-W", "2", HOST_IP)
    node.lab.run(node.site, "ping", "-c", "2", "-i", "0.1", "-W", "2", addresses["c1"])
    in_container(runtime.pid("c1"), "ping", "-c", "2", "-i", "0.1", "-W", "2",
                 addresses["c2"])
    assert len(attachments(node)) == 2 and len(leases(runtime)) == 2

    for name, child in children.items():
        runtime.ctr("task", "kill", "-s", "KILL", name)
        child.popen.wait(20)
    wait_until(lambda: node.owned_links() == ["lan", "t1"], 10, "the veths to go")
    wait_until(lambda: not attachments(node), 10, "the attachments to go")
    assert leases(runtime) == []


def test_a_container_can_end_while_the_agent_is_dead(runtime):
    node = runtime.node
    child = runtime.start("c1")
    wait_until(lambda: runtime.pid("c1") or not child.alive(), 30, "c1")
    assert child.alive(), child.text()
    node.agent.kill()
    runtime.ctr("task", "kill", "-s", "KILL", "c1")
    child.popen.wait(30)
    wait_until(lambda: node.owned_links() == ["lan", "t1"], 10, "the veth to go")
    assert leases(runtime) == []
    node.start_agent()
    wait_until(lambda: not attachments(node), 10, "the agent to catch up")
