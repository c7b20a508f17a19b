# SPDX-License-Identifier: Apache-2.0
"""Inline networks: made by the first pod, shared, gone with the last one."""

import json
import signal

import grpc
import pytest

import cni as cni_module
import node as node_module
from cni import finish_plugin, start_plugin
from lab import wait_until
from node import SITE4, State, network_pb2, tunnel_pb2


def inline(**fields):
    """Network "site" with tunnel "s1" to the site, in RouterOS's words."""
    tunnel = {"name": "s1", "remote-address": SITE4, "tunnel-id": 100, "keepalive": "1s,3",
              "datapath": "tap", **fields.pop("tunnel", {})}
    return {"name": "site", "tunnels": [tunnel], **fields}


@pytest.fixture
def cni(lab, node):
    node.site_endpoint(tunnel_id=100)
    lab.ip(node.site, "addr", "add", "10.9.0.1/24", "dev", "eoip0")
    return cni_module.Cni(lab, node, network=inline())


def nothing(cni):
    """Neither record nor link of the network is left."""
    node = cni.node
    names = [item.name for item in node.list_tunnels()]
    networks = node.networks.ListNetworks(network_pb2.ListNetworksRequest(), timeout=5).networks
    return not names and not networks and not cni.attachments() and \
        node.owned_links() == []


def add(cni, host, container=None, conf=None):
    pod = cni.pod()
    conf = conf or cni.conf("1.1.0")
    result = cni.add(conf, pod, container=container or f"c{pod}").ok()
    cni.lab.ip(pod, "addr", "add", f"10.9.0.{host}/24", "dev", "eth0")
    return pod, conf, result


def remove(cni, pod, conf=None):
    cni.delete(conf or cni.conf("1.1.0"), pod, container=f"c{pod}").ok()


def test_the_first_pod_makes_it_and_the_last_one_ends_it(lab, cni):
    cni.call("STATUS", cni.conf("1.1.0")).ok()
    first, conf, result = add(cni, 5)
    assert cni.ping(first, "10.9.0.1")
    # The agent hears of the peer a moment after the ping.
    cni.node.wait_tunnel("s1", State.ACTIVE)
    network, tunnel = cni.node.network("site"), cni.node.tunnel("s1")
    assert network.source == tunnel.source == "inline"
    assert (tunnel.kind, tunnel.tunnel_id) == (tunnel_pb2.EOIP, 100)
    cni.check(conf, first, result, container=f"c{first}").ok()
    cni.call("STATUS", conf).ok()
    # Another configuration with the same content shares it.
    other = cni.conf("1.0.0", name="other")
    second, _, _ = add(cni, 6, conf=other)
    assert cni.ping(second, "10.9.0.1") and cni.ping(second, "10.9.0.5")
    assert cni.node.network("site").etag == network.etag
    assert cni.node.network("site").status.attachments == 2
    remove(cni, first)
    assert cni.ping(second, "10.9.0.1")
    assert cni.node.tunnel("s1").etag == tunnel.etag
    remove(cni, second, other)
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


def test_the_first_pod_need_not_ask_twice(cni):
    """A new bridge may open its ports a moment later: the agent waits for that."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # the agent logs those
    pods = 16
    for i in range(pods):
        conf = cni.conf(network={"name": f"site{i}"})
        cni.add(conf, cni.pod(), container=f"c{i}", TRACEPARENT=trace).ok()
    calls = [line for line in cni.node.agent.text().splitlines() if "CreateAttachment" in line]
    assert len(calls) == pods, calls


def test_it_lives_over_restarts_of_the_agent_and_ends_after_one(lab, cni):
    pod, conf, result = add(cni, 5)
    cni.node.agent.kill(signal.SIGKILL)
    cni.node.start_agent()
    assert cni.node.network("site").source == "inline"
    assert cni.ping(pod, "10.9.0.1")
    cni.node.wait_tunnel("s1", State.ACTIVE)
    cni.check(conf, pod, result, container=f"c{pod}").ok()
    # The last pod goes while the agent is away.
    cni.node.agent.kill(signal.SIGKILL)
    remove(cni, pod)
    cni.node.start_agent()
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


def test_a_pod_that_vanishes_ends_it_too(lab, cni):
    add(cni, 5)
    lab.ip(cni.host_ns, "link", "del", cni.host_links()[0])
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


@pytest.mark.parametrize("changed,named", [
    ({"mtu": 1400}, "mtu"), ({"tunnel": {"tunnel-id": 101}}, "tunnel_id"),
    ({"tunnel": {"keepalive": "2s,3"}}, "keepalive"), ({"tunnel": {"isolated": True}}, "isolated")])
def test_another_content_of_the_name_is_7_and_says_what_differs(cni, changed, named):
    first, _, _ = add(cni, 5)
    before = [item.name for item in cni.attachments()]
    pod = cni.pod()
    conf = cni.conf("1.1.0", network=inline(**changed))
    cni.add(conf, pod, container="other").error(7, "another content", named)
    assert cni.pod_links(pod) == set()
    assert [item.name for item in cni.attachments()] == before
    assert cni.ping(first, "10.9.0.1")


def test_what_a_client_made_is_shared_and_stays(cni):
    node = cni.node
    node.create_tunnel("s1", 100, keepalive=node_module.keepalive(1, 3))
    node.create_network("site", "s1")
    pod, _, _ = add(cni, 5)
    assert cni.ping(pod, "10.9.0.1")
    remove(cni, pod)
    wait_until(lambda: not cni.attachments(), 5, "the attachment to go")
    assert node.network("site").source == node.tunnel("s1").source == ""


def test_a_failed_add_leaves_nothing_of_it(cni, tmp_path):
    pod = cni.pod()
    # An MTU above the network's is found after the agent made it all.
    cni.add(cni.conf(mtu=9000), pod).error(7, "mtu")
    assert cni.pod_links(pod) == set()
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


def test_parallel_pods_share_one_network(cni):
    pods = [cni.pod() for _ in range(16)]
    conf = cni.conf("1.1.0")
    calls = [start_plugin(cni, "ADD", conf, pod, f"c{pod}") for pod in pods]
    for call in calls:
        finish_plugin(call).ok()
    assert cni.node.network("site").status.attachments == len(pods)
    assert len(cni.node.list_tunnels()) == 1
    # The last ones go while others come: the network is never pulled away.
    for _ in range(4):
        gone, come = pods[:8], [cni.pod() for _ in range(8)]
        calls = [start_plugin(cni, "DEL", conf, pod, f"c{pod}") for pod in gone]
        calls += [start_plugin(cni, "ADD", conf, pod, f"c{pod}") for pod in come]
        for call in calls:
            finish_plugin(call).ok()
        pods = pods[8:] + come
    calls = [start_plugin(cni, "DEL", conf, pod, f"c{pod}") for pod in pods]
    for call in calls:
        finish_plugin(call).ok()
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


def test_one_pod_leaves_while_the_next_comes(cni):
    """The last DEL and a first ADD at the same time, again and again."""
    conf, pod = cni.conf("1.1.0"), cni.pod()
    cni.add(conf, pod, container=f"c{pod}").ok()
    for _ in range(15):
        following = cni.pod()
        calls = [start_plugin(cni, "DEL", conf, pod, f"c{pod}"),
                 start_plugin(cni, "ADD", conf, following, f"c{following}")]
        for call in calls:
            finish_plugin(call).ok()
        pod = following
        assert cni.node.network("site").status.attachments == 1
    remove(cni, pod)
    wait_until(lambda: nothing(cni), 10, "network and tunnel to go")


def test_nobody_else_changes_it(cni):
    add(cni, 5)
    for stub, request in (
            (cni.node.networks.UpdateNetwork, network_pb2.UpdateNetworkRequest(
                network=network_pb2.Network(name="networks/site", mtu=1400),
                update_mask={"paths": ["mtu"]})),
            (cni.node.tunnels.UpdateTunnel, tunnel_pb2.UpdateTunnelRequest(
                tunnel=tunnel_pb2.Tunnel(name="tunnels/s1", mtu=1400),
                update_mask={"paths": ["mtu"]})),
            (cni.node.networks.DeleteNetwork,
             network_pb2.DeleteNetworkRequest(name="networks/site"))):
        with pytest.raises(grpc.RpcError) as refused:
            stub(request, timeout=5)
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("network,named", [
    ({"tunnels": []}, "network.name"), (inline(mtux=1400), "mtux"),
    (inline(tunnel={"remote-addres": "x"}), "remote-address"),
    (inline(tunnel={"name": ""}), "network.tunnels[0].name"),
    (inline(tunnel={"tunnel-id": 70000}), "inline_network.tunnels[0]: tunnel.tunnel_id"),
    (inline(tunnel={"pvid": 5}), "pvid"), ({"name": "site", "tunnels": {}}, "must be a list"),
    ({"name": "site", "ports": ["a/b"]}, "network.ports[0].link"),
    ({"name": "site/x"}, "NAME")])
def test_a_wrong_one_is_7_names_the_place_and_leaves_nothing(cni, network, named):
    pod = cni.pod()
    cni.add(cni.conf("1.1.0", network=network), pod).error(7, named)
    assert cni.pod_links(pod) == set()
    wait_until(lambda: nothing(cni), 10, "nothing to be left")
    # DEL takes whatever there is.
    cni.delete(cni.conf("1.1.0", network=network), pod).ok()


def test_words_of_ipv6_and_of_ports(cni):
    tunnel = {"remote-address": node_module.SITE6, "tunnel-id": 7, "isolated": True}
    conf = cni.conf("1.1.0", network=inline(tunnel=tunnel, mtu=1400, comment="a b"))
    pod = cni.pod()
    cni.add(conf, pod).ok()
    network = json.loads(cni.node.eoipctl("network", "get", "site", "-o", "json").stdout)
    assert network["mtu"] == 1400 and network["ports"][0]["isolated"]
    assert cni.node.tunnel("s1").kind == tunnel_pb2.EOIPV6
