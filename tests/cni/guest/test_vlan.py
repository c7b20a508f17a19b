# SPDX-License-Identifier: Apache-2.0
"""VLANs: a site with VLANs behind a tunnel, and pods in them; real tags."""

import json

import pytest

import cni as cni_module
import node as node_module
from cni import stopped
from lab import wait_until
from node import network_pb2

CALL_S = 60  # the guest is slow
SITE = {0: "10.9.0.1", 10: "10.9.10.1", 20: "10.9.20.1"}  # by VLAN, 0: untagged


def vlans(lab, ns, port):
    """{VLAN: (is the pvid, leaves untagged)} of a port."""
    rows = json.loads(lab.run(ns, "bridge", "-j", "vlan", "show", "dev", port).stdout)
    return {vlan: ("PVID" in row.get("flags", []), "Egress Untagged" in row.get("flags", []))
            for row in (rows[0]["vlans"] if rows else [])
            for vlan in range(row["vlan"], row.get("vlanEnd", row["vlan"]) + 1)}


@pytest.fixture
def tagged(lab, node):
    """Network "vlans": tunnel t100 untagged in VLAN 1 and tagged in 10 and 20,
    and a site with an address in each."""
    node.site_endpoint(tunnel_id=100)
    node.create_tunnel("t100", 100)
    node.networks.CreateNetwork(network_pb2.CreateNetworkRequest(network=network_pb2.Network(
        name="networks/vlans", vlan_filtering=True, ports=[network_pb2.NetworkPort(
            tunnel="tunnels/t100", tagged=[{"first": 10}, {"first": 20}])])), timeout=CALL_S)
    node.wait_tunnel("t100", node_module.State.ACTIVE, 30)
    lab.ip(node.site, "addr", "add", f"{SITE[0]}/24", "dev", "eoip0")
    for vlan in (10, 20):
        lab.ip(node.site, "link", "add", f"eoip0.{vlan}", "link", "eoip0", "type", "vlan",
               "id", vlan)
        lab.ip(node.site, "link", "set", f"eoip0.{vlan}", "up")
        lab.ip(node.site, "addr", "add", f"{SITE[vlan]}/24", "dev", f"eoip0.{vlan}")
    return cni_module.Cni(lab, node, network="vlans")


def access_pod(cni, vlan, host=5, **fields):
    pod = cni.pod()
    conf = cni.conf("1.1.0", vlan=vlan or None, **fields)
    before = set(cni.host_links())
    result = cni.add(conf, pod, container=f"c{pod}").ok()
    port = (set(cni.host_links()) - before).pop()
    cni.lab.ip(pod, "addr", "add", f"10.9.{vlan}.{host}/24", "dev", "eth0")
    return pod, conf, result, port


def test_an_access_port_is_in_its_vlan_and_in_no_other(lab, tagged):
    cni = tagged
    pod, conf, result, port = access_pod(cni, 10)
    other = access_pod(cni, 20)[0]
    assert vlans(lab, cni.host_ns, port) == {10: (True, True)}
    assert vlans(lab, cni.host_ns, "t100") == {1: (True, True), 10: (False, False),
                                               20: (False, False)}
    assert vlans(lab, cni.host_ns, "vlans") == {1: (True, True)}
    assert cni.ping(pod, SITE[10]) and cni.ping(other, SITE[20])
    # On the wire the site sees tags. (The tag is out of the frame, so the VLAN's
    # own link tells.)
    heard = lab.packet_socket(cni.node.site, "eoip0.20", 0x88b5)
    wrong = lab.packet_socket(other, "eth0", 0x88b5)
    untagged = access_pod(cni, 0)[0]
    nobody = lab.packet_socket(untagged, "eth0", 0x88b5)
    frame = b"\xff" * 6 + b"\x02\0\x5e\x10\0\x66" + b"\x88\xb5" + b"ten".ljust(46, b"\0")
    right = lab.packet_socket(cni.node.site, "eoip0.10", 0x88b5)
    lab.packet_socket(pod, "eth0").send(frame)

    def arrived():
        try:
            return right.recv(65535) == frame
        except TimeoutError:
            return False
    wait_until(arrived, 10, "the frame in VLAN 10 of the site")
    for sock in (heard, wrong, nobody):
        with pytest.raises(TimeoutError):
            while sock.recv(65535) != frame:
                pass
    # A tagged frame of an access port's pod goes nowhere.
    lab.ip(pod, "link", "add", "t20", "link", "eth0", "type", "vlan", "id", "20")
    lab.ip(pod, "link", "set", "t20", "up")
    lab.ip(pod, "addr", "add", "10.9.20.77/24", "dev", "t20")
    assert not cni.ping(pod, SITE[20])
    assert cni.ping(untagged, SITE[0])
    cni.check(conf, pod, result, container=f"c{pod}").ok()


def test_a_trunk_with_its_native_vlan(lab, tagged):
    cni = tagged
    pod, conf, result, port = access_pod(
        cni, 1, vlanTrunk=[{"id": 10}, {"minID": 20, "maxID": 25}])
    assert vlans(lab, cni.host_ns, port) == {
        1: (True, True), 10: (False, False),
        **{vlan: (False, False) for vlan in range(20, 26)}}
    lab.ip(pod, "addr", "add", "10.9.0.6/24", "dev", "eth0")
    for vlan in (10, 20):
        lab.ip(pod, "link", "add", f"e.{vlan}", "link", "eth0", "type", "vlan", "id", vlan)
        lab.ip(pod, "link", "set", f"e.{vlan}", "up")
        lab.ip(pod, "addr", "add", f"10.9.{vlan}.6/24", "dev", f"e.{vlan}")
    assert all(cni.ping(pod, address) for address in SITE.values())
    cni.check(conf, pod, result, container=f"c{pod}").ok()
    # Without a native VLAN untagged frames go nowhere.
    dumb = access_pod(cni, 0, host=8, vlanTrunk=[{"id": 10}])
    assert vlans(lab, cni.host_ns, dumb[3]) == {10: (False, False)}
    assert not cni.ping(dumb[0], SITE[0])


WRONG = {
    "vlan gone": (["bridge", "vlan", "del", "dev", "PORT", "vid", "10"], "VLAN 10"),
    "other vlan": (["bridge", "vlan", "add", "dev", "PORT", "vid", "30"], "VLAN 30"),
    "tagged": (["bridge", "vlan", "add", "dev", "PORT", "vid", "10"], "VLAN 10 tagged"),
    "trunk": (["bridge", "vlan", "del", "dev", "PORT", "vid", "21-22"], "VLAN 21"),
}


def test_16_finds_wrong_vlans_and_the_agent_mends_them(lab, tagged):
    cni = tagged
    pod, conf, result, port = access_pod(cni, 10, vlanTrunk=[{"minID": 20, "maxID": 25}])
    wanted = vlans(lab, cni.host_ns, port)
    for command, named in WRONG.values():
        with stopped(cni.node.agent):
            lab.run(cni.host_ns, *[port if word == "PORT" else word for word in command])
            cni.check(conf, pod, result, container=f"c{pod}").error(103, named)
        wait_until(lambda: vlans(lab, cni.host_ns, port) == wanted, 20, f"{command} to be mended")
        cni.check(conf, pod, result, container=f"c{pod}").ok()
    for command in (["ip", "link", "set", "vlans", "type", "bridge", "vlan_filtering", "0"],
                    ["bridge", "vlan", "del", "dev", "t100", "vid", "10"],
                    ["ip", "link", "set", port, "nomaster"]):
        lab.run(cni.host_ns, *command)
        wait_until(lambda: cni.ping(pod, SITE[10]) and not cni.ping(pod, SITE[0]), 30,
                   f"{command} to be mended")
    # Others' VLANs of the bridge itself stay.
    lab.run(cni.host_ns, "bridge", "vlan", "add", "dev", "vlans", "vid", "10", "self")
    lab.run(cni.host_ns, "bridge", "vlan", "del", "dev", port, "vid", "10")
    wait_until(lambda: vlans(lab, cni.host_ns, port) == wanted, 20, "the port to be mended")
    assert 10 in vlans(lab, cni.host_ns, "vlans")


def test_macspoofchk_in_vlans(lab, tagged):
    cni = tagged
    mac = "02:00:5e:10:00:01"
    pod, conf, result, port = access_pod(
        cni, 10, vlanTrunk=[{"id": 20}], macspoofchk=True, mac=mac)
    assert cni.ping(pod, SITE[10])
    rows = lab.run(cni.host_ns, "bridge", "fdb", "show", "brport", port).stdout
    for vlan in (10, 20):
        assert f"{mac} vlan {vlan} sticky master vlans static" in rows, rows
    heard = lab.packet_socket(cni.node.site, "eoip0.10", 0x88b5)
    send = lab.packet_socket(pod, "eth0").send
    frames = [b"\xff" * 6 + bytes.fromhex(source.replace(":", "")) + b"\x88\xb5" + bytes(46)
              for source in ("02:00:5e:10:00:66", mac)]
    for one in frames:
        send(one)
    seen = []

    def last():
        try:
            seen.append(heard.recv(65535))
        except TimeoutError:
            return False
        return seen[-1] == frames[1]
    wait_until(last, 10, "the frame with the pod's own MAC")
    assert frames[0] not in seen
    cni.check(conf, pod, result, container=f"c{pod}").ok()


def test_a_network_changes_its_vlans_while_pods_use_it(lab, tagged):
    cni = tagged
    pod, _, _, port = access_pod(cni, 10)
    assert cni.ping(pod, SITE[10])

    def update(**fields):
        network = network_pb2.Network(name="networks/vlans", **fields)
        cni.node.networks.UpdateNetwork(network_pb2.UpdateNetworkRequest(
            network=network, update_mask={"paths": list(fields)}), timeout=CALL_S)
    update(ports=[network_pb2.NetworkPort(tunnel="tunnels/t100", pvid=20)])
    assert vlans(lab, cni.host_ns, "t100") == {20: (True, True)}
    assert not cni.ping(pod, SITE[10])
    update(ports=[network_pb2.NetworkPort(tunnel="tunnels/t100", tagged=[{"first": 10}])])
    assert cni.ping(pod, SITE[10])
    # Filtering cannot go while a pod is in a VLAN; afterwards it can.
    import grpc
    with pytest.raises(grpc.RpcError) as refused:
        update(ports=[network_pb2.NetworkPort(tunnel="tunnels/t100")], vlan_filtering=False)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    cni.delete(cni.conf(), pod, container=f"c{pod}").ok()
    update(ports=[network_pb2.NetworkPort(tunnel="tunnels/t100")], vlan_filtering=False)
    plain = access_pod(cni, 0)[0]
    assert cni.ping(plain, SITE[0])
    # And come back under a running pod, which is in VLAN 1 then.
    update(vlan_filtering=True)
    assert cni.ping(plain, SITE[0])
    port = [name for name in cni.host_links()][0]
    assert vlans(lab, cni.host_ns, port) == {1: (True, True)}
