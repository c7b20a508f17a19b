# SPDX-License-Identifier: Apache-2.0
"""Checklist 16: CHECK finds what is wrong and nothing else."""

import json
import signal

import pytest

from cni import VERSIONS, stopped
from lab import wait_until

CHECKED = [version for version in VERSIONS if version >= "0.4.0"]


@pytest.fixture
def added(cni, ipam):
    ipam.say("ADD", json.dumps({
        "ips": [{"address": "10.9.0.5/24", "gateway": "10.9.0.1"},
                {"address": "2001:db8:9::5/64"}],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.50.0.0/16", "gw": "10.9.0.2"}]}))
    conf = cni.conf("1.1.0", ipam={"type": "test-ipam"}, isolated=True)
    pod = cni.pod()
    return conf, pod, cni.add(conf, pod).ok()


@pytest.mark.parametrize("version", CHECKED)
def test_16_passes_right_after_add(cni, ipam, version):
    conf, pod = cni.conf(version, ipam={"type": "test-ipam"}), cni.pod()
    result = cni.add(conf, pod).ok()
    assert cni.check(conf, pod, result).ok() is None
    assert ipam.commands() == ["ADD", "CHECK"]


@pytest.mark.parametrize("version", CHECKED)
def test_16_passes_for_layer_2_only(cni, version):
    pod = cni.pod()
    result = cni.add(cni.conf(version), pod).ok()
    cni.check(cni.conf(version), pod, result).ok()


def test_16_passes_when_everything_is_used(cni, added):
    conf, pod, result = added
    cni.check(conf, pod, result).ok()


PROBLEMS = {
    "interface": (["link", "set", "eth0", "name", "other"], True, "eth0"),
    "mac": (["link", "set", "eth0", "address", "02:00:00:00:00:77"], False, "02:00:00:00:00:77"),
    "mtu": (["link", "set", "eth0", "mtu", "1400"], False, "MTU 1400"),
    "state": (["link", "set", "eth0", "down"], False, "not up"),
    "address": (["addr", "del", "10.9.0.5/24", "dev", "eth0"], False, "10.9.0.5/24"),
    "ipv6 address": (["addr", "del", "2001:db8:9::5/64", "dev", "eth0"], False,
                     "2001:db8:9::5/64"),
    "route": (["route", "del", "10.50.0.0/16"], False, "10.50.0.0/16"),
    "default route": (["route", "del", "default"], False, "0.0.0.0/0"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_16_finds_a_wrong_pod_end(cni, lab, added, problem):
    conf, pod, result = added
    command, down_first, named = PROBLEMS[problem]
    if down_first:
        lab.ip(pod, "link", "set", "eth0", "down")
    lab.ip(pod, *command)
    cni.check(conf, pod, result).error(103, named)


PORT_PROBLEMS = {
    "bridge port": (["nomaster"], "bridge"),
    "other bridge": (["master", "elsewhere"], "bridge elsewhere"),
    "isolation": (["type", "bridge_slave", "isolated", "off"], "isolated"),
    "hairpin": (["type", "bridge_slave", "hairpin", "on"], "hairpin"),
    "state": (["down"], "not up"),
}


@pytest.mark.parametrize("problem", PORT_PROBLEMS)
def test_16_finds_a_wrong_host_end(cni, lab, added, problem):
    conf, pod, result = added
    command, named = PORT_PROBLEMS[problem]
    lab.ip(cni.host_ns, "link", "add", "elsewhere", "type", "bridge")
    # Stopped, or it mends the port before CHECK can look.
    with stopped(cni.node.agent):
        lab.ip(cni.host_ns, "link", "set", cni.host_links()[0], *command)
        cni.check(conf, pod, result).error(103, named)
    wait_until(lambda: cni.check(conf, pod, result).exit_code == 0,
               what="the agent to mend the port")


def test_16_finds_a_port_in_the_wrong_bridge_of_an_attachment_it_lost(cni, added):
    conf, pod, result = added
    from node import attachment_pb2
    cni.node.attachments.DeleteAttachment(attachment_pb2.DeleteAttachmentRequest(
        name=cni.attachments()[0].name), timeout=5)
    reply = cni.check(conf, pod, result)
    assert reply.exit_code != 0 and "attachments/" in reply.json["msg"]


def test_16_finds_a_missing_host_end(cni, lab, added):
    conf, pod, result = added
    lab.ip(cni.host_ns, "link", "del", cni.host_links()[0])
    reply = cni.check(conf, pod, result)
    assert reply.exit_code != 0


def test_16_finds_that_ipam_lost_the_address(cni, ipam, added):
    conf, pod, result = added
    ipam.fail("CHECK", 123, "no lease")
    cni.check(conf, pod, result).error(123, "no lease", "test-ipam")


def test_16_finds_a_dead_agent(cni, added):
    conf, pod, result = added
    cni.node.agent.kill()
    cni.check(conf, pod, result).error(11, "agent")


def test_16_finds_that_the_tunnel_is_down(lab, site):
    cni, _ = site
    pod = cni.pod()
    result = cni.add(cni.conf(), pod).ok()
    cni.check(cni.conf(), pod, result).ok()
    from node import keepalive
    import node as node_module
    cni.node.tunnels.UpdateTunnel(node_module.tunnel_pb2.UpdateTunnelRequest(
        tunnel=node_module.tunnel_pb2.Tunnel(name="tunnels/t100", keepalive=keepalive(1, 2)),
        update_mask={"paths": ["keepalive"]}), timeout=5)
    site_process = [p for p in lab.processes if p.log.name == "site.log"][0]
    site_process.kill(signal.SIGKILL)
    cni.node.wait_tunnel("t100", node_module.State.PEER_DOWN)
    wait_until(lambda: cni.check(cni.conf(), pod, result).exit_code != 0,
               what="CHECK to fail")
    cni.check(cni.conf(), pod, result).error(103, "tunnel")


@pytest.mark.parametrize("previous", [None, {}, {"interfaces": []}])
def test_16_without_a_previous_result_is_7(cni, previous):
    pod = cni.pod()
    cni.add(cni.conf(), pod).ok()
    cni.check(cni.conf(), pod, previous).error(7, "prevResult")


def test_16_all_problems_are_told_at_once(cni, lab, added):
    conf, pod, result = added
    lab.ip(pod, "link", "set", "eth0", "mtu", "1400")
    lab.ip(pod, "addr", "del", "10.9.0.5/24", "dev", "eth0")
    cni.check(conf, pod, result).error(103, "MTU 1400", "10.9.0.5/24")
