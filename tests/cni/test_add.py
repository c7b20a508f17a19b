# SPDX-License-Identifier: Apache-2.0
"""Checklist 9, 10, 12, 20, 21: ADD and its result."""

import ipaddress
import json

import pytest

import cni as cni_module
from cni import VERSIONS

HOST_LOCAL = {"type": "host-local", "subnet": "10.9.0.0/24", "rangeStart": "10.9.0.10",
              "routes": [{"dst": "0.0.0.0/0"}]}


def host_local(tmp_path, **fields):
    return {**HOST_LOCAL, "dataDir": str(tmp_path / "leases"), **fields}


def pod_interface(result, ifname="eth0"):
    index = [i for i, item in enumerate(result["interfaces"])
             if item["name"] == ifname and item.get("sandbox")]
    assert len(index) == 1, result
    return index[0], result["interfaces"][index[0]]


def link(lab, ns, name):
    return lab.links(ns)[name]


# 9

@pytest.mark.parametrize("version", VERSIONS)
def test_09_result_has_the_form_of_its_version(cni, tmp_path, ipam, version):
    pod = cni.pod()
    ipam.say("ADD", json.dumps({
        "cniVersion": version,
        "ips": [{"version": "4", "address": "10.9.0.5/24", "gateway": "10.9.0.1"},
                {"version": "6", "address": "2001:db8:9::5/64"}],
        "routes": [{"dst": "10.50.0.0/16", "gw": "10.9.0.2", "mtu": 1300}],
        "dns": {"nameservers": ["10.9.0.1"], "search": ["site.example"]}}))
    result = cni.add(cni.conf(version, ipam={"type": "test-ipam"}), pod).ok()

    assert set(result) == {"cniVersion", "interfaces", "ips", "routes", "dns"}
    assert result["cniVersion"] == version
    bridge, host, interface = result["interfaces"]
    assert bridge["name"] == "lan" and "sandbox" not in bridge
    assert [host["name"]] == cni.host_links() and "sandbox" not in host
    assert interface["name"] == "eth0"
    assert interface["sandbox"] == f"/run/netns/{pod}"
    for item, ns in ((bridge, cni.host_ns), (host, cni.host_ns), (interface, pod)):
        assert item["mac"] == link(cni.lab, ns, item["name"])["address"]
    four, six = result["ips"]
    assert (four["address"], four["gateway"], four["interface"]) == ("10.9.0.5/24", "10.9.0.1", 2)
    assert (six["address"], six["interface"]) == ("2001:db8:9::5/64", 2)
    assert "gateway" not in six
    versions = [four.get("version"), six.get("version")]
    assert versions == (["4", "6"] if version[0] == "0" else [None, None])
    route = result["routes"][0]
    assert (route["dst"], route["gw"]) == ("10.50.0.0/16", "10.9.0.2")
    assert result["dns"] == {"nameservers": ["10.9.0.1"], "search": ["site.example"]}
    if version == "1.1.0":
        assert interface["mtu"] == 1500 and route["mtu"] == 1300
    else:
        assert set(interface) == {"name", "mac", "sandbox"}
        assert set(route) == {"dst", "gw"}


@pytest.mark.parametrize("version", VERSIONS)
def test_09_layer_2_only_result(cni, version):
    pod = cni.pod()
    result = cni.add(cni.conf(version), pod).ok()
    assert set(result) == {"cniVersion", "interfaces", "dns"}
    assert [item["name"] for item in result["interfaces"]] == ["lan", *cni.host_links(), "eth0"]
    assert cni.pod_addresses(pod) == set()


def test_09_host_local_gives_addresses_and_pods_reach_each_other(cni, tmp_path):
    pods = [cni.pod(), cni.pod()]
    conf = cni.conf(ipam=host_local(tmp_path))
    results = [cni.add(conf, pod, container=f"c{i}").ok() for i, pod in enumerate(pods)]
    addresses = [result["ips"][0]["address"] for result in results]
    assert addresses[0] != addresses[1]
    assert cni.pod_addresses(pods[0]) == {addresses[0]}
    assert cni.ping(pods[0], addresses[1].split("/")[0])
    routes = json.loads(cni.lab.ip(pods[0], "-j", "route").stdout)
    assert {"dst": "default", "gateway": "10.9.0.1"}.items() <= routes[0].items()


def test_09_mtu_is_the_networks_and_reported(cni, lab):
    cni.node.create_network("small", mtu=1400)
    cni.network = "small"
    pod = cni.pod()
    result = cni.add(cni.conf("1.1.0"), pod).ok()
    assert pod_interface(result)[1]["mtu"] == 1400
    assert link(lab, pod, "eth0")["mtu"] == 1400
    assert link(lab, cni.host_ns, cni.host_links()[0])["mtu"] == 1400


def test_09_mtu_of_the_configuration(cni, lab):
    pod = cni.pod()
    cni.add(cni.conf(mtu=1300), pod).ok()
    assert link(lab, pod, "eth0")["mtu"] == 1300
    assert link(lab, cni.host_ns, "lan")["mtu"] == 1500


def test_09_mtu_above_the_networks_is_7_and_leaves_nothing(cni):
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(mtu=9000), pod).error(7, "mtu", "9000", "1500")
    assert cni.pod_links(pod) == set()
    cni.wait_state(before, "as before")


def test_09_mtu_below_1280_with_ipv6_is_7(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "2001:db8:9::5/64"}]}))
    cni.add(cni.conf(mtu=1279, ipam={"type": "test-ipam"}), cni.pod()).error(7, "mtu", "1280")


def test_09_ipv6_works_where_the_runtime_switched_it_off(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "2001:db8:9::5/64"}]}))
    pod = cni.pod()
    for key in ("all", "default"):
        cni.lab.run(pod, "sysctl", "-qw", f"net.ipv6.conf.{key}.disable_ipv6=1")
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).ok()
    assert "2001:db8:9::5/64" in cni.pod_addresses(pod)


def test_09_ipv6_is_usable_at_once_and_has_a_link_local_address(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "2001:db8:9::5/64"}]}))
    pod = cni.pod()
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).ok()
    rows = json.loads(cni.lab.ip(pod, "-6", "-j", "addr", "show", "dev", "eth0").stdout)
    infos = rows[0]["addr_info"]
    assert {info["scope"] for info in infos} == {"global", "link"}
    assert not any(info.get("tentative") for info in infos)


def test_09_dns_of_the_configuration_goes_before_ipams(cni, ipam):
    conf = cni.conf(ipam={"type": "test-ipam"}, dns={"nameservers": ["192.0.2.53"],
                                                     "options": ["ndots:2"]})
    assert cni.add(conf, cni.pod()).ok()["dns"] == conf["dns"]


def test_09_port_options_reach_the_bridge(cni, lab):
    pod = cni.pod()
    cni.add(cni.conf(isolated=True, hairpin=True, promisc=True), pod).ok()
    port = link(lab, cni.host_ns, cni.host_links()[0])["linkinfo"]["info_slave_data"]
    assert port["isolated"] and port["hairpin"] and port["state"] == "forwarding"
    assert "PROMISC" in link(lab, pod, "eth0")["flags"]


def test_09_the_agent_knows_the_pod(cni):
    pod = cni.pod()
    cni.add(cni.conf(), pod, args="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0").ok()
    made = cni.attachments()[0]
    assert (made.container_id, made.ifname, made.netns) == ("c1", "eth0", f"/run/netns/{pod}")
    assert (made.pod_namespace, made.pod_name) == ("shop", "web-0")
    assert made.host_link == cni.host_links()[0]


# On the wire

def is_arp_announcement(frame, mac, ip):
    return (frame[:6] == b"\xff" * 6 and frame[12:14] == b"\x08\x06"
            and frame[6:12] == mac and frame[28:32] == ip and frame[38:42] == ip)


def test_gratuitous_arp_and_advertisement_cross_the_tunnel(lab, site, tmp_path):
    cni, tap = site
    plugin = cni_module.IpamPlugin(tmp_path / "plugins", ips=[
        {"address": "10.9.0.5/24"}, {"address": "2001:db8:9::5/64"}])
    cni.path = plugin.path
    mac = bytes.fromhex("02005e100001")
    four = ipaddress.ip_address("10.9.0.5").packed
    six = ipaddress.ip_address("2001:db8:9::5").packed
    sock = lab.packet_socket(cni.node.site, tap)
    cni.add(cni.conf(ipam={"type": "test-ipam"}, mac="02:00:5e:10:00:01"), cni.pod()).ok()
    seen = set()

    def both():
        try:
            frame = sock.recv(65535)
        except TimeoutError:
            return False
        if is_arp_announcement(frame, mac, four):
            seen.add("arp")
        # Ethernet, IPv6, ICMPv6 136 with override, target, link-layer option
        if (frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88" and frame[6:12] == mac
                and frame[58] & 0x20 and frame[62:78] == six and frame[80:86] == mac):
            seen.add("na")
        return seen == {"arp", "na"}
    cni_module.wait_until(both, 5, "announcements at the site")


@pytest.mark.parametrize("value", ["0", "1"])
def test_announcing_leaves_the_pods_settings_as_they_were(lab, cni, tmp_path, value):
    plugin = cni_module.IpamPlugin(tmp_path / "plugins", ips=[{"address": "10.9.0.5/24"}])
    cni.path = plugin.path
    pod = cni.pod()
    lab.run(pod, "sysctl", "-qw", f"net.ipv4.conf.default.arp_notify={value}")
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).ok()
    assert lab.run(pod, "sysctl", "-n", "net.ipv4.conf.eth0.arp_notify").stdout.strip() == value


def test_a_layer_2_only_pod_sends_nothing_by_itself(lab, cni):
    watcher = cni.pod()
    cni.add(cni.conf(), watcher, container="watcher").ok()
    sock = lab.packet_socket(watcher, "eth0")
    pod = cni.pod()
    result = cni.add(cni.conf(), pod).ok()
    mac = bytes.fromhex(pod_interface(result)[1]["mac"].replace(":", ""))
    # Longer than the first router solicitation and duplicate address detection
    # of the kernel would take; then a frame that must be seen proves the watch.
    frames = cni_module.sniff(lab, watcher, "eth0", 3)
    assert [frame.hex() for frame in frames if frame[6:12] == mac] == []
    lab.ip(pod, "addr", "add", "10.9.0.9/24", "dev", "eth0")
    lab.run(pod, "ping", "-c1", "-W1", "10.9.0.10", check=False)

    def heard():
        try:
            return sock.recv(65535)[6:12] == mac
        except TimeoutError:
            return False
    cni_module.wait_until(heard, 5, "the pod's own ARP")


# 10

def test_10_existing_ifname_is_an_error_and_changes_nothing(cni, ipam):
    pod = cni.pod()
    cni.lab.ip(pod, "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    before, links = cni.state(), cni.lab.links(pod)
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).error(101, "eth0", "in the pod")
    assert cni.state() == before
    assert cni.lab.links(pod) == links
    assert ipam.commands() == []


def test_10_second_add_of_the_same_container_is_an_error_and_changes_nothing(cni, ipam):
    pod = cni.pod()
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).ok()
    before, links = cni.state(), cni.lab.links(pod)
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).error(101)
    other = cni.pod()
    cni.add(cni.conf(ipam={"type": "test-ipam"}), other).error(101, "DEL")
    assert cni.state() == before and cni.lab.links(pod) == links
    assert cni.pod_links(other) == set()
    assert ipam.commands() == ["ADD"]


@pytest.mark.parametrize("path", ["/run/netns/eoip-not-there", "/etc/hostname", "/", "/proc/self/ns/uts"])
def test_10_missing_or_wrong_netns_is_8_and_leaves_nothing(cni, ipam, path):
    before = cni.state()
    cni.call("ADD", cni.conf(ipam={"type": "test-ipam"}), netns=path).error(8, path)
    assert cni.state() == before
    assert ipam.commands() == []


def test_10_unknown_network_is_7_and_leaves_nothing(cni, ipam):
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(network="nowhere", ipam={"type": "test-ipam"}), pod).error(7, "nowhere")
    assert cni.pod_links(pod) == set()
    cni.wait_state(before, "as before")
    assert ipam.commands() == ["ADD", "DEL"]


def test_two_interfaces_of_one_pod(cni):
    pod = cni.pod()
    for ifname in ("eth0", "net1"):
        cni.add(cni.conf(), pod, ifname=ifname).ok()
    assert cni.pod_links(pod) == {"eth0", "net1"}
    cni.delete(cni.conf(), pod, ifname="eth0").ok()
    assert cni.pod_links(pod) == {"net1"}


# 12

PREVIOUS = {
    "interfaces": [{"name": "dummy0", "mac": "02:00:00:00:00:aa"},
                   {"name": "net0", "mac": "02:00:00:00:00:bb", "sandbox": "/run/netns/x"}],
    "ips": [{"address": "192.0.2.9/24", "interface": 1}],
    "routes": [{"dst": "198.51.100.0/24"}],
    "dns": {"nameservers": ["192.0.2.1"]},
}


def test_12_chained_result_keeps_the_previous_one(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "10.9.0.5/24"}]}))
    previous = {"cniVersion": "1.0.0", **PREVIOUS}
    pod = cni.pod()
    result = cni.add(cni.conf(ipam={"type": "test-ipam"}, prevResult=previous), pod).ok()
    assert result["interfaces"][:2] == PREVIOUS["interfaces"]
    assert [item["name"] for item in result["interfaces"][2:]] == ["lan", *cni.host_links(), "eth0"]
    assert result["ips"] == [*PREVIOUS["ips"], {"address": "10.9.0.5/24", "interface": 4}]
    assert result["routes"] == PREVIOUS["routes"]
    assert result["dns"] == PREVIOUS["dns"]


def test_12_host_side_interface_that_is_listed_already_is_not_listed_twice(cni, lab):
    bridge = {"name": "lan", "mac": link(lab, cni.host_ns, "lan")["address"]}
    previous = {"cniVersion": "1.0.0", "interfaces": [bridge]}
    result = cni.add(cni.conf(prevResult=previous), cni.pod()).ok()
    assert [item["name"] for item in result["interfaces"]] == ["lan", *cni.host_links(), "eth0"]


def test_12_layer_2_only_passes_the_previous_result_on(cni):
    previous = {"cniVersion": "0.4.0", **PREVIOUS}
    previous["ips"] = [{"version": "4", **PREVIOUS["ips"][0]}]
    result = cni.add(cni.conf("0.4.0", prevResult=previous), cni.pod()).ok()
    assert result["ips"] == previous["ips"]


# 20

def test_20_mac_precedence(cni, lab):
    conf = cni.conf(mac="02:00:00:00:00:01")
    layers = [({}, None, "02:00:00:00:00:01"),
              ({}, "MAC=02:00:00:00:00:02", "02:00:00:00:00:02"),
              ({"args": {"cni": {"mac": "02:00:00:00:00:03"}}}, "MAC=02:00:00:00:00:02",
               "02:00:00:00:00:03"),
              ({"args": {"cni": {"mac": "02:00:00:00:00:03"}},
                "capabilities": {"mac": True}, "runtimeConfig": {"mac": "02:00:00:00:00:04"}},
               "MAC=02:00:00:00:00:02", "02:00:00:00:00:04")]
    for number, (fields, args, wanted) in enumerate(layers):
        pod = cni.pod()
        result = cni.add({**conf, **fields}, pod, container=f"c{number}", args=args).ok()
        assert pod_interface(result)[1]["mac"] == wanted
        assert link(lab, pod, "eth0")["address"] == wanted


def test_20_derived_mac_is_unicast_local_and_stable(cni):
    macs = []
    for _ in range(2):
        pod = cni.pod()
        macs.append(pod_interface(cni.add(cni.conf(), pod).ok())[1]["mac"])
        cni.delete(cni.conf(), pod).ok()
    assert macs[0] == macs[1]
    assert int(macs[0][:2], 16) & 3 == 2


@pytest.mark.parametrize("fields,args", [
    ({"mac": "01:00:5e:00:00:01"}, None), ({}, "MAC=ff:ff:ff:ff:ff:ff"),
    ({"args": {"cni": {"mac": "03:00:00:00:00:01"}}}, None),
    ({"capabilities": {"mac": True}, "runtimeConfig": {"mac": "33:33:00:00:00:01"}}, None)])
def test_20_multicast_mac_is_7(cni, fields, args):
    before = cni.state()
    pod = cni.pod()
    cni.add(cni.conf(**fields), pod, args=args).error(7, "unicast MAC")
    assert cni.state() == before and cni.pod_links(pod) == set()


@pytest.mark.parametrize("where", ["runtimeConfig", "args", "CNI_ARGS"])
def test_20_ips_without_ipam_are_added(cni, where):
    fields, args = {}, None
    if where == "runtimeConfig":
        fields = {"capabilities": {"ips": True}, "runtimeConfig": {"ips": ["10.9.0.7/24"]}}
    elif where == "args":
        fields = {"args": {"cni": {"ips": ["10.9.0.7/24"]}}}
    else:
        args = "IP=10.9.0.7/24"
    pod = cni.pod()
    result = cni.add(cni.conf(**fields), pod, args=args).ok()
    assert result["ips"] == [{"interface": 2, "address": "10.9.0.7/24"}]
    assert cni.pod_addresses(pod) == {"10.9.0.7/24"}


def test_20_ips_with_ipam_are_ipams(cni, tmp_path):
    conf = cni.conf(ipam=host_local(tmp_path), capabilities={"ips": True},
                    runtimeConfig={"ips": ["10.9.0.77"]})
    assert cni.add(conf, cni.pod()).ok()["ips"][0]["address"] == "10.9.0.77/24"


@pytest.mark.parametrize("key,value,warned", [
    ("aliases", {"net1": ["a", "b"]}, False), ("aliases", ["a"], False),
    ("ipRanges", [[{"subnet": "10.0.0.0/8"}]], False),
    ("bandwidth", {"ingressRate": 1000}, True), ("deviceID", "0000:00:1f.6", True),
    ("infinibandGUID", "c2:11", True)])
def test_20_other_capabilities_are_tolerated(cni, key, value, warned):
    reply = cni.add(cni.conf(capabilities={key: True}, runtimeConfig={key: value}), cni.pod())
    reply.ok()
    assert (f"runtimeConfig.{key}" in reply.stderr) == warned


def test_20_unknown_keys_are_ignored(cni):
    cni.add(cni.conf(somethingNew={"a": [1]}, ipMasq=False), cni.pod()).ok()


# 21

def test_21_route_attributes_are_applied(cni, ipam):
    ipam.say("ADD", json.dumps({
        "ips": [{"address": "10.9.0.5/24", "gateway": "10.9.0.1"},
                {"address": "2001:db8:9::5/64", "gateway": "2001:db8:9::1"}],
        "routes": [
            {"dst": "10.50.0.0/16", "gw": "10.9.0.2", "mtu": 1300, "advmss": 1200, "priority": 77},
            {"dst": "10.51.0.0/16", "table": 5000},
            {"dst": "10.52.0.0/16", "scope": 253},
            {"dst": "::/0", "mtu": 1290, "priority": 9}]}))
    pod = cni.pod()
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).ok()
    first = json.loads(cni.lab.ip(pod, "-j", "route", "show", "10.50.0.0/16").stdout)[0]
    assert first["gateway"] == "10.9.0.2" and first["metric"] == 77
    assert first["metrics"] == [{"mtu": 1300, "advmss": 1200}]
    second = json.loads(cni.lab.ip(pod, "-j", "route", "show", "table", "5000").stdout)[0]
    assert second["dst"] == "10.51.0.0/16" and second["gateway"] == "10.9.0.1"
    third = json.loads(cni.lab.ip(pod, "-j", "route", "show", "10.52.0.0/16").stdout)[0]
    assert third["scope"] == "link" and "gateway" not in third
    fourth = json.loads(cni.lab.ip(pod, "-6", "-j", "route", "show", "default").stdout)[0]
    assert fourth["gateway"] == "2001:db8:9::1" and fourth["metric"] == 9
    assert fourth["metrics"] == [{"mtu": 1290}]


def test_21_a_route_that_the_pod_has_already_stays_and_is_not_claimed(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "10.9.0.5/24", "gateway": "10.9.0.1"}],
                                "routes": [{"dst": "0.0.0.0/0"}]}))
    pod = cni.pod()
    cni.lab.ip(pod, "link", "add", "up0", "type", "veth", "peer", "name", "up1")
    cni.lab.ip(pod, "link", "set", "up0", "up")
    cni.lab.ip(pod, "route", "add", "default", "dev", "up0")
    reply = cni.add(cni.conf(ipam={"type": "test-ipam"}), pod)
    assert "routes" not in reply.ok()
    assert "route left out" in reply.stderr
    assert json.loads(cni.lab.ip(pod, "-j", "route", "show", "default").stdout)[0]["dev"] == "up0"


def test_21_a_route_that_cannot_be_undoes_everything(cni, ipam):
    ipam.say("ADD", json.dumps({"ips": [{"address": "10.9.0.5/24"}],
                                "routes": [{"dst": "10.50.0.0/16", "gw": "172.16.0.1"}]}))
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(ipam={"type": "test-ipam"}), pod).error(100, "10.50.0.0/16")
    assert cni.pod_links(pod) == set()
    cni.wait_state(before, "as before")
    assert ipam.commands() == ["ADD", "DEL"]


# VLANs need a kernel that filters them.

def test_vlan_on_a_network_without_filtering_is_refused_and_leaves_nothing(cni):
    pod = cni.pod()
    before = cni.state()
    for fields in ({"vlan": 7}, {"vlanTrunk": [{"id": 7}]}):
        cni.add(cni.conf(**fields), pod).error(7, "networks/lan has no vlan_filtering")
    assert cni.pod_links(pod) == set()
    cni.wait_state(before, "as before")
