# SPDX-License-Identifier: Apache-2.0
"""activation: silent, as a live migration of a VM needs it; and what an
immediate port says at once. Seen from the site, behind the tunnel."""

import ipaddress
import json

import cni as cni_module
from cni import sniff
from lab import wait_until

MAC = "02:00:5e:10:00:01"
RAW = bytes.fromhex(MAC.replace(":", ""))
FOUR, SIX = "10.9.0.5", "2001:db8:9::5"


def ipam(tmp_path, cni):
    plugin = cni_module.IpamPlugin(
        tmp_path / "plugins", ips=[{"address": f"{FOUR}/24", "gateway": "10.9.0.1"},
                                   {"address": f"{SIX}/64"}],
        routes=[{"dst": "10.50.0.0/16"}])
    cni.path = plugin.path
    return {"type": "test-ipam"}


def announced(frame):
    """"arp", "na" or None."""
    four, six = ipaddress.ip_address(FOUR).packed, ipaddress.ip_address(SIX).packed
    if frame[6:12] != RAW:
        return None
    if frame[12:14] == b"\x08\x06" and frame[28:32] == four and frame[38:42] == four:
        return "arp"
    # ICMPv6 136 with the override flag and the target's link-layer address
    if (frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88" and frame[58] & 0x20
            and frame[62:78] == six and frame[80:86] == RAW):
        return "na"
    return None


def test_a_silent_port_sends_nothing_of_its_own(lab, site, tmp_path):
    cni, tap = site
    conf = cni.conf("1.1.0", ipam=ipam(tmp_path, cni), mac=MAC, activation="silent")
    pod = cni.pod()
    # The worst case: a pod that forwards joins the groups of routers.
    lab.run(pod, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1",
            "net.ipv6.conf.default.disable_ipv6=0")
    sock = lab.packet_socket(cni.node.site, tap)
    result = cni.add(conf, pod).ok()
    # Longer than duplicate address detection and the first router
    # solicitation and MLD report would take.
    frames = sniff(lab, cni.node.site, tap, 4)
    assert [frame.hex() for frame in frames if frame[6:12] == RAW] == []
    # The addresses are the guest's: told, not set.
    assert {ip["address"] for ip in result["ips"]} == {f"{FOUR}/24", f"{SIX}/64"}
    assert result["routes"][0]["dst"] == "10.50.0.0/16"
    assert cni.pod_addresses(pod) == set()
    assert "10.50" not in lab.ip(pod, "route").stdout
    cni.check(conf, pod, result).ok()
    # A frame of the guest crosses at once: the port forwards.
    hello = b"\xff" * 6 + RAW + b"\x88\xb5" + b"guest".ljust(46, b"\0")
    lab.packet_socket(pod, "eth0").send(hello)

    def heard():
        try:
            return sock.recv(65535) == hello
        except TimeoutError:
            return False
    wait_until(heard, 5, "the guest's first frame at the site")


def test_a_migrating_vm_keeps_its_address_until_its_guest_moves(lab, site, tmp_path):
    """Two ports with one MAC, as source and target of a live migration: the
    target's makes no switch believe that the MAC has moved."""
    cni, tap = site
    lab.ip(cni.node.site, "addr", "add", "10.9.0.1/24", "dev", tap)
    source, target = cni.pod(), cni.pod()
    cni.add(cni.conf(mac=MAC), source, container="source").ok()
    lab.ip(source, "addr", "add", f"{FOUR}/24", "dev", "eth0")
    assert cni.ping(source, "10.9.0.1")
    conf = cni.conf(mac=MAC, activation="silent")
    cni.add(conf, target, container="target").ok()
    for _ in range(3):
        assert lab.run(cni.node.site, "ping", "-n", "-q", "-c1", "-W2", FOUR,
                       check=False).returncode == 0
    # The guest runs on the target now; the source ends.
    cni.delete(cni.conf(mac=MAC), source, container="source").ok()
    lab.ip(target, "addr", "add", f"{FOUR}/24", "dev", "eth0")
    assert cni.ping(target, "10.9.0.1")
    assert lab.run(cni.node.site, "ping", "-n", "-q", "-c1", "-W2", FOUR,
                   check=False).returncode == 0


def test_another_activation_is_7(cni):
    pod = cni.pod()
    cni.add(cni.conf(activation="later"), pod).error(7, "activation: 'later'", "silent")
    assert cni.pod_links(pod) == set()


def test_20_of_20_announcements_cross_the_tunnel(lab, site, tmp_path):
    """Of both kinds: each ADD tells the site where its addresses live."""
    cni, tap = site
    conf = cni.conf(ipam=ipam(tmp_path, cni), mac=MAC)
    sock = lab.packet_socket(cni.node.site, tap)
    complete = 0
    for i in range(20):
        pod = cni.pod()
        cni.add(conf, pod, container=f"c{i}").ok()
        seen = set()

        def both():
            try:
                seen.add(announced(sock.recv(65535)))
            except TimeoutError:
                return False
            return {"arp", "na"} <= seen
        try:
            wait_until(both, 2)
            complete += 1
        except AssertionError:
            pass
        cni.delete(conf, pod, container=f"c{i}").ok()
    print(f"announcements seen at the site: {complete}/20")
    assert complete == 20


def test_ipv6_is_usable_at_once(lab, site, tmp_path):
    cni, tap = site
    lab.run(cni.node.site, "sysctl", "-qw", f"net.ipv6.conf.{tap}.disable_ipv6=0")
    lab.ip(cni.node.site, "addr", "add", "2001:db8:9::1/64", "dev", tap, "nodad")
    pod = cni.pod()
    cni.add(cni.conf(ipam=ipam(tmp_path, cni), mac=MAC), pod).ok()
    rows = json.loads(lab.ip(pod, "-6", "-j", "addr", "show", "dev", "eth0").stdout)
    flags = [row for row in rows[0]["addr_info"] if row.get("tentative")]
    assert flags == []
    assert cni.ping(pod, "2001:db8:9::1")
