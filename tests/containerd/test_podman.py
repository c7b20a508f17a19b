# SPDX-License-Identifier: Apache-2.0
"""Containers of a real podman with its CNI backend on a site's LAN."""

import json
import os
import shutil
import tempfile

import pytest

from lab import BIN, Lab, run, wait_until
from node import Node, State, attachment_pb2, keepalive

IMAGE = "localhost/eoip:test"
HOST_IP = "10.7.0.1"
CONTAINERS_CONF = """[network]
network_backend = "cni"
network_config_dir = "{folder}/net.d"
cni_plugin_dirs = ["{folder}/plugins"]
"""
# podman's defaults are above the hard limits of a container or small VM.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    """With storage, state and CNI folders of its own, in the node's namespace."""

    def __init__(self, node, folder):
        self.node, self.folder = node, folder
        # podman takes 50 characters at most.
        self.runroot = tempfile.mkdtemp(prefix="eoipt-")
        plugins = folder / "plugins"
        shutil.copytree("/usr/lib/cni", plugins)
        shutil.copy2(BIN / "eoip", plugins)
        (folder / "net.d").mkdir()
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        (folder / "net.d" / "10-lan.conflist").write_text(json.dumps({
            "cniVersion": "1.0.0", "name": "lan", "plugins": [{
                "type": "eoip", "network": "lan", "agentSocket": str(node.agent_socket),
                "ipam": {"type": "host-local", "dataDir": str(folder / "ipam"),
                         "ranges": [[{"subnet": "10.7.0.0/24", "rangeStart": "10.7.0.10",
                                      "rangeEnd": "10.7.0.20"}]]}}]}))

    def __call__(self, *argv, **options):
        # Not `ip netns exec`: its own /sys would hide the cgroups from runc.
        return run(["nsenter", f"--net=/run/netns/{self.node.ns}", "env",
                    f"CONTAINERS_CONF={self.folder}/containers.conf", "podman",
                    "--root", self.folder / "root", "--runroot", self.runroot,
                    "--tmpdir", self.folder / "tmp", "--cgroup-manager", "cgroupfs", *argv],
                   timeout=options.pop("timeout", 120), **options)

    def start(self, name, *flags):
        self("run", "-d", "--name", name, *LIMITS, "--network", "lan", *flags, IMAGE,
             "/bin/sleep", "600")
        return int(self("inspect", "-f", "{{.State.Pid}}", name).stdout)

    def close(self):
        self("rm", "-f", "-t", "0", "--all", check=False)
        # It leaves its overlay folder mounted.
        run(["umount", "-l", self.folder / "root" / "overlay"], check=False)
        shutil.rmtree(self.runroot, ignore_errors=True)


@pytest.fixture
def podman(tmp_path):
    archive = os.environ.get("EOIP_IMAGE")
    if not archive:
        pytest.skip("EOIP_IMAGE is not set: run tests/containerd/run")
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    lab = Lab(tmp_path)
    made = None
    try:
        node = Node(lab).start()
        node.create_tunnel("t1", 7, keepalive=keepalive(1, 10))
        node.create_network("lan", "t1")
        node.site_endpoint(tunnel_id=7, keepalive="1,10")
        lab.ip(node.site, "addr", "add", f"{HOST_IP}/24", "dev", "eoip0")
        node.wait_tunnel("t1", State.ACTIVE)
        made = Podman(node, tmp_path)
        made("load", "-i", archive)
        yield made
    finally:
        if made is not None:
            made.close()
        lab.close()


def attachments(node):
    return node.attachments.ListAttachments(
        attachment_pb2.ListAttachmentsRequest(), timeout=5).attachments


def in_container(pid, *argv):
    return run(["nsenter", "-t", pid, "-n", *argv])


def test_podman_knows_the_network(podman):
    network = json.loads(podman("network", "inspect", "lan").stdout)[0]
    assert network["name"] == "lan" and network["driver"] == "eoip"


def test_containers_of_podman_reach_the_site_and_leave_nothing(podman):
    node = podman.node
    first = podman.start("c1")
    second = podman.start("c2", "--mac-address", "02:00:00:00:00:77")
    for pid in (first, second):
        in_container(pid, "ping", "-c", "3", "-i", "0.1", "-W", "2", HOST_IP)
    link = json.loads(in_container(second, "ip", "-j", "link", "show", "eth0").stdout)[0]
    assert link["address"] == "02:00:00:00:00:77"
    known = {item.pod_name: item for item in attachments(node)}
    assert set(known) == {"c1", "c2"}
    assert known["c2"].mac == "02:00:00:00:00:77"
    assert len(list((podman.folder / "ipam" / "lan").glob("10.*"))) == 2

    podman("rm", "-f", "-t", "0", "c1", "c2")
    wait_until(lambda: node.owned_links() == ["lan", "t1"], 10, "the veths to go")
    wait_until(lambda: not attachments(node), 10, "the attachments to go")
    assert not list((podman.folder / "ipam" / "lan").glob("10.*"))
