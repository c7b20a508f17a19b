# SPDX-License-Identifier: Apache-2.0
"""Pods on a lease of the site's DHCP server, across a tunnel."""

import concurrent.futures
import os
import re
import signal
import time

import pytest

from cni import VERSIONS
from dhcp_site import SERVER, Dnsmasq, Scripted
from lab import run, wait_until


@pytest.fixture
def dnsmasq(lab, node, site):
    return Dnsmasq(lab, node.site, site[1])


@pytest.fixture
def server(lab, node, site):
    return Scripted(lab, node.site, site[1])


@pytest.fixture
def cni(site):
    return site[0]


def conf_of(cni, version="1.1.0", dhcp=True, **fields):
    return cni.conf(version, dhcp=dhcp, **fields)


def address_of(result):
    assert len(result["ips"]) == 1, result
    return result["ips"][0]["address"].split("/")[0]


def pod_args(name, namespace="default"):
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}"


def lease_of(cni):
    attachments = cni.attachments()
    assert len(attachments) == 1
    return attachments[0].status.lease


def own_state(cni):
    """Without the MACs that the bridge learns from the site."""
    return {key: value for key, value in cni.state().items() if key != "fdb"}


def wait_clean(cni, before):
    wait_until(lambda: own_state(cni) == before, 10, "as before the ADD")


def lease_files(node):
    return sorted((node.state_dir / "leases").glob("*.lease"))


# ADD

@pytest.mark.parametrize("version", VERSIONS)
def test_add_gives_the_pod_a_lease_of_the_site(cni, dnsmasq, version):
    pod = cni.pod()
    started = time.monotonic()
    result = cni.add(conf_of(cni, version), pod).ok()
    took = time.monotonic() - started
    address = address_of(result)
    assert address in dnsmasq.leases()
    ip = result["ips"][0]
    assert ip["gateway"] == SERVER
    assert ip.get("version") == ("4" if version[0] == "0" else None)
    assert result["interfaces"][ip["interface"]]["name"] == "eth0"
    assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": SERVER}]
    assert cni.pod_addresses(pod) == {f"{address}/24"}
    assert "default via 10.7.0.1 dev eth0" in cni.lab.ip(pod, "route").stdout
    assert cni.ping(pod, SERVER)
    assert took < 3, took  # on a machine with much to do; alone it is 0.1 s


def test_options_reach_the_result_and_the_pod(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", options={
        "3": "0a070001", "6": "0a0700350a070036", "15": b"site.example".hex(),
        "26": "0514",  # 1300
        # 192.0.2.0/24 by .9, 198.51.100.0/24 on the link, default by .8
        "121": "18c000020a070009" "18c6336400000000" "000a070008"})
    pod = cni.pod()
    conf = conf_of(cni)
    result = cni.add(conf, pod).ok()
    assert result["dns"] == {"nameservers": ["10.7.0.53", "10.7.0.54"],
                             "domain": "site.example"}
    assert result["routes"] == [
        {"dst": "192.0.2.0/24", "gw": "10.7.0.9"},
        {"dst": "198.51.100.0/24", "scope": 253},
        {"dst": "0.0.0.0/0", "gw": "10.7.0.8"}]
    routes = cni.lab.ip(pod, "route").stdout
    for route in ("192.0.2.0/24 via 10.7.0.9 dev eth0",
                  "198.51.100.0/24 dev eth0 scope link",
                  "default via 10.7.0.8 dev eth0"):
        assert route in routes
    assert cni.lab.links(pod)["eth0"]["mtu"] == 1300
    cni.check(conf, pod, result).ok()
    assert server.heard("DISCOVER")


def test_option_26_never_raises_the_mtu(lab, node, cni):
    Scripted(lab, node.site, "eoip0", options={"26": "2328"})  # 9000
    pod = cni.pod()
    mtu = cni.lab.links(node.ns)["lan"]["mtu"]
    cni.add(conf_of(cni), pod).ok()
    assert cni.lab.links(pod)["eth0"]["mtu"] == mtu


def test_gateway_outside_of_the_network_gets_a_route(lab, node, cni):
    Scripted(lab, node.site, "eoip0", mask="255.255.255.255", options={"3": "0a070001"})
    pod = cni.pod()
    result = cni.add(conf_of(cni), pod).ok()
    assert result["routes"] == [{"dst": "10.7.0.1/32", "scope": 253},
                                {"dst": "0.0.0.0/0", "gw": "10.7.0.1"}]
    assert cni.pod_addresses(pod) == {"10.7.0.50/32"}
    assert cni.ping(pod, SERVER)


def test_dns_of_the_configuration_goes_before_the_servers(cni, dnsmasq):
    result = cni.add(conf_of(cni, dns={"nameservers": ["192.0.2.9"]}), cni.pod()).ok()
    assert result["dns"] == {"nameservers": ["192.0.2.9"]}


def test_no_server_is_try_again_in_time_and_leaves_nothing(cni, node, site):
    before = own_state(cni)
    pod = cni.pod()
    started = time.monotonic()
    cni.add(conf_of(cni), pod).error(11, "no DHCP server answers")
    assert 7 < time.monotonic() - started < 12
    assert cni.pod_links(pod) == set()
    wait_clean(cni, before)
    wait_until(lambda: not lease_files(node), what="no lease file")


def test_refusals_are_told(lab, node, cni):
    Scripted(lab, node.site, "eoip0", nak="go away")
    before = own_state(cni)
    pod = cni.pod()
    cni.add(conf_of(cni), pod).error(11, "go away")
    wait_clean(cni, before)


@pytest.mark.parametrize("dhcp,fields,word", [
    ("yes", {}, "dhcp"),
    ({"clientID": "x"}, {}, "clientID"),
    ({"clientId": ""}, {}, "clientId"),
    ({"clientId": "x" * 255}, {}, "clientId"),
    ({"clientId": 7}, {}, "clientId"),
    ({"hostname": "a b"}, {}, "hostname"),
    (True, {"ipam": {"type": "host-local"}}, "ipam"),
    (True, {"activation": "silent"}, "activation"),
    (True, {"runtimeConfig": {"ips": ["10.0.0.1/24"]}}, "10.0.0.1/24"),
])
def test_configuration_that_makes_no_sense(cni, dhcp, fields, word):
    pod = cni.pod()
    cni.add(conf_of(cni, dhcp=dhcp, **fields), pod).error(7, "dhcp", word)
    assert cni.pod_links(pod) == set()


def test_in_a_vlan_is_not_built_yet(cni):
    pod = cni.pod()
    cni.add(conf_of(cni, vlan=7), pod).error(2, "vlan", "not built yet")
    assert cni.pod_links(pod) == set()


def test_dhcp_false_is_none(cni, dnsmasq):
    result = cni.add(conf_of(cni, dhcp=False), cni.pod()).ok()
    assert "ips" not in result
    assert dnsmasq.said("DHCPDISCOVER") == 0


# Identity

def test_client_id_of_a_pod_outlives_its_containers(cni, server):
    addresses, ids = set(), set()
    for container in ("c1", "c2", "c3"):
        pod = cni.pod()
        conf = conf_of(cni)
        addresses.add(address_of(cni.add(
            conf, pod, container=container, CNI_ARGS=pod_args("web-0")).ok()))
        cni.delete(conf, pod, container=container, CNI_ARGS=pod_args("web-0")).ok()
        wait_until(lambda: len(server.heard("RELEASE")) == len(server.heard("DISCOVER")),
                   what="released")
    for row in server.heard():
        ids.add(row["client_id"])
    assert addresses == {"10.7.0.50"}
    assert ids == {b"\0net1/default/web-0/eth0".hex()}
    assert {row["hostname"] for row in server.heard("DISCOVER")} == {"web-0"}
    # The second and third pod ask for what the first had.
    assert [row["requested"] for row in server.heard("DISCOVER")] == [
        "", "10.7.0.50", "10.7.0.50"]


def test_dnsmasq_gives_a_restarted_pod_its_address_again(cni, dnsmasq):
    """It chooses by MAC, which is another one for each container."""
    addresses = set()
    for container in ("c1", "c2", "c3"):
        pod = cni.pod()
        addresses.add(address_of(cni.add(
            conf_of(cni), pod, container=container, CNI_ARGS=pod_args("db-0")).ok()))
        cni.delete(conf_of(cni), pod, container=container).ok()
        wait_until(lambda: not dnsmasq.leases(), what="released")
    assert len(addresses) == 1


def test_without_a_pods_name_each_container_is_a_client(cni, server):
    for container in ("c1", "c2"):
        cni.add(conf_of(cni), cni.pod(), container=container).ok()
    assert [row["client_id"] for row in server.heard("DISCOVER")] == [
        b"\0net1/c1/eth0".hex(), b"\0net1/c2/eth0".hex()]


@pytest.mark.parametrize("given,sent", [
    ("printer", b"\0printer".hex()), ("01:02:00:5e:10:00:01", "0102005e100001")])
def test_client_id_and_hostname_of_the_configuration(cni, server, given, sent):
    cni.add(conf_of(cni, dhcp={"clientId": given, "hostname": "front"}), cni.pod(),
            CNI_ARGS=pod_args("web-0")).ok()
    row = server.heard("DISCOVER")[0]
    assert (row["client_id"], row["hostname"]) == (sent, "front")


def test_two_living_pods_cannot_be_one_client(cni, server):
    conf = conf_of(cni, dhcp={"clientId": "same"})
    cni.add(conf, cni.pod(), container="c1").ok()
    pod = cni.pod()
    cni.add(conf, pod, container="c2").error(11, "client_id")
    assert cni.pod_links(pod) == set()
    cni.delete(conf, container="c1").ok()
    wait_until(lambda: not cni.attachments(), what="the first to go")
    assert address_of(cni.add(conf, pod, container="c2").ok()) == "10.7.0.50"


# DEL, GC

def test_del_gives_the_address_back(cni, dnsmasq):
    conf, pod = conf_of(cni), cni.pod()
    before = own_state(cni)
    cni.add(conf, pod).ok()
    for _ in range(2):
        cni.delete(conf, pod).ok()
    wait_until(lambda: not dnsmasq.leases(), what="no lease at the server")
    wait_clean(cni, before)
    assert dnsmasq.said("DHCPRELEASE") == 1


def test_a_pod_that_went_without_del_gives_it_back(cni, dnsmasq, lab):
    pod = cni.pod()
    cni.add(conf_of(cni), pod).ok()
    run(["ip", "netns", "del", pod])
    lab.names.remove(pod)
    wait_until(lambda: not dnsmasq.leases(), what="no lease at the server")


def test_gc_gives_it_back(cni, dnsmasq):
    conf = conf_of(cni)
    kept = address_of(cni.add(conf, cni.pod(), container="c1").ok())
    cni.add(conf, cni.pod(), container="c2").ok()
    cni.call("GC", {**conf, "cni.dev/valid-attachments": [
        {"containerID": "c1", "ifname": "eth0"}]}).ok()
    wait_until(lambda: set(dnsmasq.leases()) == {kept}, what="one lease at the server")


def test_del_with_the_agent_down_is_made_up_for(cni, node, dnsmasq):
    conf, pod = conf_of(cni), cni.pod()
    cni.add(conf, pod).ok()
    node.agent.kill()
    cni.delete(conf, pod).ok()
    assert cni.host_links() == []
    assert dnsmasq.leases()
    node.start_agent()
    wait_until(lambda: not dnsmasq.leases(), what="released after the start")


def test_release_waits_for_the_tunnel(cni, node, lab, server):
    """Nobody answers a release: it must not be lost."""
    conf, pod = conf_of(cni), cni.pod()
    cni.add(conf, pod).ok()
    node.agent.kill()
    node.tapd.kill()
    cni.delete(conf, pod).ok()
    node.start_agent()
    assert not server.heard("RELEASE")
    node.start_tapd()
    wait_until(lambda: server.heard("RELEASE"), 20, "released")
    row = server.heard("RELEASE")[0]
    assert (row["ciaddr"], row["server_id"]) == ("10.7.0.50", SERVER)


# Keeping it

def seconds_until(timestamp):
    return timestamp.seconds - time.time()


def test_lease_is_renewed_in_time(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", lease=20, renew=2, rebind=15)
    pod = cni.pod()
    address = address_of(cni.add(conf_of(cni), pod).ok())
    wait_until(lambda: len(server.heard("REQUEST")) >= 3, 20, "renewed twice")
    renewals = server.heard("REQUEST")[1:]
    assert all(row["ciaddr"] == address and not row["server_id"] for row in renewals)
    assert all(row["source"] == address for row in renewals)
    assert len(server.heard("DISCOVER")) == 1
    wait_until(lambda: seconds_until(lease_of(cni).expire_time) > 16, 5, "a later end")
    assert cni.ping(pod, SERVER)


def test_agent_killed_keeps_the_lease_and_the_traffic(cni, node, dnsmasq):
    pod = cni.pod()
    address = address_of(cni.add(conf_of(cni), pod).ok())
    acks = dnsmasq.said("DHCPACK")
    ping = cni.lab.spawn(pod, "ping", "-n", "-i", "0.05", "-D", SERVER, log="ping.log")
    wait_until(lambda: "icmp_seq=10" in ping.text(), what="ping runs")
    before = lease_of(cni)
    for _ in range(3):
        node.agent.kill()
        node.start_agent()
        wait_until(lambda: lease_of(cni).state == before.BOUND, 5, "the lease is adopted")
    seen = ping.text().count("icmp_seq")
    wait_until(lambda: ping.text().count("icmp_seq") > seen + 10, what="ping goes on")
    ping.kill(signal.SIGINT)
    assert " 0% packet loss" in ping.text(), ping.text()[-300:]
    after = lease_of(cni)
    assert (after.address, after.server) == (before.address, before.server)
    assert abs(after.expire_time.seconds - before.expire_time.seconds) <= 1
    assert cni.pod_addresses(pod) == {f"{address}/24"}
    assert dnsmasq.said("DHCPACK") == acks, "a restart asks nothing of the server"


def test_renewal_goes_on_after_a_restart(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", lease=30, renew=4, rebind=25)
    cni.add(conf_of(cni), cni.pod()).ok()
    node.agent.kill()
    node.start_agent()
    wait_until(lambda: len(server.heard("REQUEST")) >= 2, 15, "renewed")
    assert server.heard("REQUEST")[1]["ciaddr"] == "10.7.0.50"
    assert len(server.heard("DISCOVER")) == 1


def test_server_away_at_renewal_keeps_the_address_to_the_end(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", lease=12, renew=2, rebind=5)
    pod = cni.pod()
    conf = conf_of(cni)
    result = cni.add(conf, pod).ok()
    server.set(silent=["REQUEST", "DISCOVER"])
    wait_until(lambda: lease_of(cni).state == lease_of(cni).REBINDING, 15, "rebinding")
    assert cni.pod_addresses(pod) == {"10.7.0.50/24"}
    assert lease_of(cni).reason
    cni.check(conf, pod, result).ok()
    wait_until(lambda: not cni.pod_addresses(pod), 20, "the address to go")
    attachment = cni.attachments()[0]
    assert attachment.status.state == attachment.status.FAILED
    assert "10.7.0.50 expired" in attachment.status.reason
    assert "default" not in cni.lab.ip(pod, "route").stdout
    cni.check(conf, pod, result).error(103, "expired")
    # It comes back by itself.
    server.set(silent=[])
    wait_until(lambda: cni.pod_addresses(pod) == {"10.7.0.50/24"}, 40, "the address again")
    assert cni.ping(pod, SERVER)
    wait_until(lambda: cni.attachments()[0].status.state == attachment.status.ACTIVE,
               5, "ACTIVE")
    cni.check(conf, pod, result).ok()


def test_another_address_at_renewal_reaches_the_pod(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", lease=30, renew=2, rebind=20,
                      options={"3": "0a070001"})
    pod = cni.pod()
    conf = conf_of(cni)
    result = cni.add(conf, pod).ok()
    server.set(first="10.7.0.80", options={"3": "0a070002"})
    wait_until(lambda: cni.pod_addresses(pod) == {"10.7.0.80/24"}, 20, "the new address")
    wait_until(lambda: "default via 10.7.0.2" in cni.lab.ip(pod, "route").stdout, 5,
               "the new route")
    assert "10.7.0.1 " not in cni.lab.ip(pod, "route").stdout
    assert cni.ping(pod, SERVER)
    assert lease_of(cni).address == "10.7.0.80/24"
    cni.check(conf, pod, result).ok()
    run(["ip", "-n", pod, "addr", "del", "10.7.0.80/24", "dev", "eth0"])
    cni.check(conf, pod, result).error(103, "10.7.0.80/24")


def test_change_is_brought_to_the_pod_after_a_crash(lab, node, cni):
    server = Scripted(lab, node.site, "eoip0", lease=30, renew=2, rebind=20)
    pod = cni.pod()
    cni.add(conf_of(cni), pod).ok()
    node.agent.kill()
    node.start_agent("--cni-plugin", "/nonexistent/eoip")
    server.set(first="10.7.0.90")
    wait_until(lambda: "/nonexistent/eoip" in lease_of(cni).reason, 20, "the reason")
    wait_until(lambda: lease_of(cni).address == "10.7.0.90/24", 10, "the new lease")
    assert cni.pod_addresses(pod) == {"10.7.0.50/24"}
    node.agent.kill()
    node.start_agent()
    wait_until(lambda: cni.pod_addresses(pod) == {"10.7.0.90/24"}, 20, "the new address")
    wait_until(lambda: not lease_of(cni).reason, 5, "no trouble")


def test_set_lease_wants_the_very_link(cni, dnsmasq):
    pod = cni.pod()
    cni.add(conf_of(cni), pod).ok()
    before = cni.pod_addresses(pod)
    other = cni.pod()
    cni.lab.ip(other, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    [host_link] = cni.host_links()
    for netns, link, words in ((other, host_link, "not the other end"),
                               (pod, "lan", "not the other end"),
                               ("gone", host_link, "CNI_NETNS")):
        done = run([*cni.argv(), "set-lease", f"netns=/run/netns/{netns}", "ifname=eth0",
                    f"host-link={link}", "address=10.7.0.7/24"], check=False)
        assert done.returncode == 1
        assert words in done.stderr
    assert cni.pod_addresses(pod) == before
    done = run([*cni.argv(), "set-lease", "address=10.7.0.300/24"], check=False)
    assert (done.returncode, "10.7.0.300" in done.stderr) == (1, True)


# What is on disk

def test_corrupt_lease_file_is_set_aside_and_the_pod_lives(cni, node, server):
    pod = cni.pod()
    cni.add(conf_of(cni), pod, CNI_ARGS=pod_args("web-0")).ok()
    [file] = lease_files(node)
    node.agent.kill()
    file.write_bytes(file.read_bytes()[:-20])
    node.start_agent()
    problems = node.status().problems
    assert any("lease" in problem.subject and "set aside" in problem.message
               for problem in problems), problems
    wait_until(lambda: lease_of(cni).state == lease_of(cni).BOUND, 10, "a lease")
    assert lease_of(cni).address == "10.7.0.50/24"
    assert cni.pod_addresses(pod) == {"10.7.0.50/24"}
    assert not server.heard("RELEASE")


def test_damaged_attachment_gives_no_lease_back(cni, node, server):
    cni.add(conf_of(cni), cni.pod()).ok()
    node.agent.kill()
    [file] = (node.state_dir / "attachments").glob("*.json")
    file.write_text("damaged")
    node.start_agent()
    assert node.status().problems
    wait_until(lambda: node.status().last_full_sync.seconds, 10, "a full look")
    node.agent.kill()
    node.start_agent()
    assert not server.heard("RELEASE")
    assert lease_files(node)


def test_reboot_asks_for_the_same_address(lab, cni, node, server):
    pod = cni.pod()
    cni.add(conf_of(cni), pod, container="c1", CNI_ARGS=pod_args("web-0")).ok()
    node.agent.kill()
    run(["ip", "netns", "del", pod])
    lab.names.remove(pod)
    node.start_agent()
    pod = cni.pod()
    result = cni.add(conf_of(cni), pod, container="c2", CNI_ARGS=pod_args("web-0")).ok()
    assert address_of(result) == "10.7.0.50"
    assert server.heard("DISCOVER")[1]["requested"] == "10.7.0.50"


# Many

def test_many_pods_at_once_get_leases(cni, node, dnsmasq):
    pods = [cni.pod() for _ in range(64)]
    conf = conf_of(cni)

    def add(number):
        return cni.add(conf, pods[number], container=f"c{number}").ok()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(add, range(64)))
    addresses = {address_of(result) for result in results}
    assert len(addresses) == 64
    assert set(dnsmasq.leases()) == addresses
    for number in (0, 31, 63):
        assert cni.ping(pods[number], SERVER)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: cni.delete(conf, container=f"c{n}").ok(), range(64)))
    wait_until(lambda: not dnsmasq.leases(), 20, "all released")
    assert cni.host_links() == []


# What people see

def test_eoipctl_shows_the_lease(cni, node, dnsmasq):
    address = address_of(cni.add(conf_of(cni), cni.pod(), CNI_ARGS=pod_args("web-0")).ok())
    [attachment] = cni.attachments()
    name = attachment.name.replace("networks/", "").replace("attachments/", "")
    text = node.eoipctl("attachment", "get", name).stdout
    assert f"{address}/24" in text
    assert re.search(r"expire", text), text
    table = node.eoipctl("attachment", "list").stdout
    assert f"{address}/24" in table
    shown = node.eoipctl_json("attachment", "get", name)
    assert shown["status"]["lease"]["state"] == "BOUND"


# IPv6 passes

def test_slaac_and_dhcpv6_pass_untouched(lab, node, cni):
    lab.run(node.site, "sysctl", "-qw", "net.ipv6.conf.eoip0.disable_ipv6=0")
    lab.ip(node.site, "addr", "add", "fd07::1/64", "dev", "eoip0", "nodad")
    dnsmasq = Dnsmasq(lab, node.site, "eoip0", "--enable-ra",
                      "--dhcp-range=fd07::100,fd07::1ff,slaac,64,2m")
    pod = cni.pod()
    lab.run(pod, "sysctl", "-qw", "net.ipv6.conf.default.accept_ra=2",
            "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0")
    cni.add(conf_of(cni), pod).ok()
    # The pod asks for it, as its own network manager does.
    lab.ip(pod, "link", "set", "eth0", "addrgenmode", "eui64")
    lab.ip(pod, "link", "set", "eth0", "down")
    lab.ip(pod, "link", "set", "eth0", "up")
    wait_until(lambda: any(a.startswith("fd07::") for a in cni.pod_addresses(pod)), 20,
               "a SLAAC address")
    wait_until(lambda: cni.ping(pod, "fd07::1"), 10, "ping over IPv6")
    assert dnsmasq.process.alive()
