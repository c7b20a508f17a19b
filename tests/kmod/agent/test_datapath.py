# SPDX-License-Identifier: Apache-2.0
"""Traffic of pods through the module, and which datapath a tunnel gets."""

import json

import pytest

import cni as cni_module
from conftest import load, unload
from lab import run, wait_until
from node import (EOIP, EOIPV6, KERNEL, OFF, TAP, State, keepalive, network_pb2, tapd_pb2,
                  tunnel_pb2)

AUTO = tunnel_pb2.AUTO
OWNED_GROUP = 0x656F6970
KINDS = pytest.mark.parametrize("kind,name", [(EOIP, "eoip"), (EOIPV6, "eoipv6")])
DATAPATHS = pytest.mark.parametrize("datapath", [KERNEL, AUTO], ids=["kernel", "auto"])
POD = {"type": "static", "addresses": [{"address": "10.9.0.5/24"}]}


def kind_of(node, link):
    return node.lab.links(node.ns)[link].get("linkinfo", {}).get("info_kind")


def address_of_site(node, dev="eoip0"):
    node.lab.ip(node.site, "addr", "add", "10.9.0.1/24", "dev", dev)


def attach_pod(node, network="lan"):
    cni = cni_module.Cni(node.lab, node, network)
    pod = cni.pod()
    cni.add(cni.conf(ipam=POD), pod).ok()
    return cni, pod


def datapath_status(node, datapath):
    return next(d for d in node.status().datapaths if d.datapath == datapath)


@KINDS
@DATAPATHS
def test_a_pod_pings_the_site_through_the_module(node, kind, name, datapath):
    node.site_endpoint(tunnel_id=100, ipv6=kind == EOIPV6)
    address_of_site(node)
    node.create_tunnel("t100", 100, kind, datapath=datapath, keepalive=keepalive(1, 3))
    node.create_network("lan", "t100")
    status = node.wait_tunnel("t100", State.ACTIVE).status
    assert status.datapath == KERNEL and "kernel module eoip" in status.datapath_reason, status
    assert kind_of(node, "t100") == name
    assert node.lab.links(node.ns)["t100"]["group"] == str(OWNED_GROUP)
    assert kind_of(node, "lan") == "bridge"

    cni, pod = attach_pod(node)
    assert cni.ping(pod, "10.9.0.1", 3)
    assert node.lab.run(node.site, "ping", "-n", "-q", "-c", 3, "-i", "0.2", "10.9.0.5").returncode == 0

    def counted():
        counters = node.tunnel("t100").status.counters
        return counters.rx_packets >= 3 and counters.tx_packets >= 3 and (
            counters.rx_keepalives >= 1 and counters.tx_keepalives >= 1)
    wait_until(counted, 10, "frames and keepalives in the status")
    assert node.tunnel("t100").status.last_heard.seconds > 0
    # No copy of it in user space.
    assert not node.tapd_api.ListTunnels(tapd_pb2.ListTunnelsRequest(), timeout=30).tunnels

    cni.delete(cni.conf(ipam=POD), pod).ok()
    node.networks.DeleteNetwork(network_pb2.DeleteNetworkRequest(name="networks/lan"), timeout=60)
    node.delete_tunnel("t100")
    wait_until(lambda: node.owned_links() == [], 10, "no link to be left")


def test_large_frames_cross_in_outer_fragments(node):
    node.site_endpoint(tunnel_id=100)
    address_of_site(node)
    node.create_tunnel("t100", 100, datapath=KERNEL, keepalive=keepalive(1, 3))
    node.create_network("lan", "t100")
    node.wait_tunnel("t100", State.ACTIVE)
    cni, pod = attach_pod(node)
    assert node.lab.run(pod, "ping", "-n", "-q", "-c", 2, "-M", "do", "-s", 1472,
                        "10.9.0.1").returncode == 0


def test_eoipctl_shows_the_datapath(node):
    node.eoipctl("tunnel", "create", "t7", "kind=eoip", "remote-address=192.0.2.2", "tunnel-id=7",
                 "datapath=kernel", "!keepalive", "--wait")
    shown = node.eoipctl_json("tunnel", "get", "t7")
    assert shown["status"]["datapath"] == "KERNEL" and shown["status"]["state"] == "ACTIVE", shown
    assert kind_of(node, "t7") == "eoip"
    kernel = datapath_status(node, KERNEL)
    assert kernel.available and kernel.tunnels == 1, kernel


def test_every_property_reaches_the_module_and_changes_in_place(node):
    node.eoipctl("tunnel", "create", "t7", "kind=eoip", "remote-address=192.0.2.2",
                 "local-address=192.0.2.1", "tunnel-id=7", "datapath=kernel", "mtu=1400", "dscp=46",
                 "ttl=64", "keepalive=7s,3", "dont-fragment=inherit", "clamp-tcp-mss=no", "--wait")
    before = node.lab.links(node.ns)["t7"]
    assert before["mtu"] == 1400
    node.eoipctl("tunnel", "update", "t7", "mtu=1300", "tunnel-id=8", "!dscp", "keepalive=2s,2")
    wait_until(lambda: node.lab.links(node.ns)["t7"]["mtu"] == 1300, 10, "the new MTU")
    after = node.lab.links(node.ns)["t7"]
    assert after["ifindex"] == before["ifindex"] and after["address"] == before["address"]
    peer = node.site_endpoint(tunnel_id=8)
    node.wait_tunnel("t7", State.ACTIVE)
    peer.kill()
    node.wait_tunnel("t7", State.PEER_DOWN, 20)
    assert "NO-CARRIER" in node.lab.links(node.ns)["t7"]["flags"]
    node.site_endpoint(tunnel_id=8, log="site-2.log")
    node.wait_tunnel("t7", State.ACTIVE)


def test_a_restarted_agent_adopts_the_links(node):
    node.site_endpoint(tunnel_id=100)
    address_of_site(node)
    node.create_tunnel("t100", 100, datapath=KERNEL, keepalive=keepalive(1, 3))
    node.create_network("lan", "t100")
    node.wait_tunnel("t100", State.ACTIVE)
    cni, pod = attach_pod(node)
    before = {name: row["ifindex"] for name, row in node.lab.links(node.ns).items()}
    node.agent.kill()
    assert cni.ping(pod, "10.9.0.1", 2), "traffic needs the agent"
    node.start_agent()
    node.wait_tunnel("t100", State.ACTIVE)
    assert {name: row["ifindex"] for name, row in node.lab.links(node.ns).items()} == before
    assert cni.ping(pod, "10.9.0.1", 2)


def test_without_the_module_auto_falls_back_and_kernel_fails(idle_node):
    node = idle_node.start()
    node.site_endpoint(tunnel_id=100)
    address_of_site(node)
    node.create_tunnel("t100", 100, datapath=AUTO, keepalive=keepalive(1, 3))
    node.create_network("lan", "t100")
    status = node.wait_tunnel("t100", State.ACTIVE).status
    assert status.datapath == TAP, status
    assert "kernel module eoip is not loaded" in status.datapath_reason, status
    cni, pod = attach_pod(node)
    assert cni.ping(pod, "10.9.0.1", 2)

    node.create_tunnel("t7", 7, datapath=KERNEL)
    status = node.wait_tunnel("t7", State.FAILED).status
    assert "KERNEL" in status.reason and "kernel module eoip is not loaded" in status.reason, status
    assert "t7" not in node.lab.links(node.ns)
    kernel = datapath_status(node, KERNEL)
    assert not kernel.available and "not loaded" in kernel.reason, kernel

    # The module comes: what asked for it gets it; what runs in user space stays.
    load("eoip")
    node.wait_tunnel("t7", State.ACTIVE, 90)
    assert kind_of(node, "t7") == "eoip"
    assert kind_of(node, "t100") == "tun"
    wait_until(lambda: "available since" in node.tunnel("t100").status.datapath_reason, 90,
               "the status to say that the module is there now")
    assert cni.ping(pod, "10.9.0.1", 2)


def test_the_module_going_away_is_said_and_healed(node):
    node.create_tunnel("t7", 7, datapath=KERNEL)
    node.wait_tunnel("t7", State.ACTIVE)
    unload("eoip")
    status = node.wait_tunnel("t7", State.FAILED, 90).status
    assert "kernel module eoip is not loaded" in status.reason, status
    load("eoip")
    node.wait_tunnel("t7", State.ACTIVE, 90)
    assert kind_of(node, "t7") == "eoip"


@pytest.mark.parametrize("talks", ["talks=0", "talks=1"])
def test_a_foreign_module_is_recognised_and_named(idle_node, talks):
    load("eoip_foreign", talks)
    node = idle_node.start()
    node.create_tunnel("t8", 8, datapath=KERNEL)
    status = node.wait_tunnel("t8", State.FAILED).status
    assert "another module provides the link kind" in status.reason, status
    assert "t8" not in node.lab.links(node.ns), "its link was left"
    kernel = datapath_status(node, KERNEL)
    assert not kernel.available and "another module" in kernel.reason, kernel

    node.create_tunnel("t9", 9, datapath=AUTO)
    status = node.wait_tunnel("t9", State.ACTIVE).status
    assert status.datapath == TAP and "another module" in status.datapath_reason, status

    unload("eoip_foreign")
    load("eoip")
    node.wait_tunnel("t8", State.ACTIVE, 90)
    assert kind_of(node, "t8") == "eoip"


def test_a_foreign_modules_link_in_the_way_is_left_alone(idle_node):
    load("eoip_foreign")
    run(["ip", "-n", idle_node.ns, "link", "add", "t8", "type", "eoip"])
    node = idle_node.start()
    index = node.lab.links(node.ns)["t8"]["ifindex"]
    node.create_tunnel("t8", 8, datapath=AUTO, keepalive=OFF)
    node.wait_tunnel("t8", State.FAILED)
    assert node.lab.links(node.ns)["t8"]["ifindex"] == index
    shown = json.loads(node.lab.ip(node.ns, "-d", "-j", "link", "show", "t8").stdout)[0]
    assert shown["linkinfo"]["info_kind"] == "eoip" and shown["flags"].count("UP") == 0
