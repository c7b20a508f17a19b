# SPDX-License-Identifier: Apache-2.0
"""Checklist 12: the plugin in a chain with Debian's plugins, before and after
it, called in the order of libcni: ADD forwards, CHECK forwards, DEL backwards."""

import json
import pathlib

import pytest

import cni as cni_module
from cni import DEBIAN_PLUGINS, PLUGIN, Reply
from lab import wait_until

VERSION = "1.0.0"


class Chain:
    """A list of plugins' configurations, run as libcni does it."""

    def __init__(self, cni, plugins):
        self.cni, self.plugins = cni, plugins
        self.pod = cni.pod()
        self.result = None

    def call(self, command, plugin, previous):
        conf = {"cniVersion": VERSION, "name": "net1", **plugin}
        if previous:
            conf["prevResult"] = previous
        program = PLUGIN if plugin["type"] == "eoip" else f"{DEBIAN_PLUGINS}/{plugin['type']}"
        env = cni_module.environment(command, containerid="c1", ifname="eth0",
                                     path=DEBIAN_PLUGINS, netns=f"/run/netns/{self.pod}")
        done = self.cni.lab.run(self.cni.host_ns, program, check=False,
                                stdin=json.dumps(conf), env=env)
        return Reply(done.returncode, done.stdout, done.stderr)

    def add(self):
        for plugin in self.plugins:
            self.result = self.call("ADD", plugin, self.result).ok()
        return self.result

    def check(self):
        for plugin in self.plugins:
            self.call("CHECK", plugin, self.result).ok()

    def delete(self):
        for plugin in reversed(self.plugins):
            self.call("DEL", plugin, self.result).ok()


def ours(cni, tmp_path):
    conf = cni.conf(VERSION, ipam={
        "type": "host-local", "dataDir": str(tmp_path / "ipam"),
        "ranges": [[{"subnet": "10.9.0.0/24", "gateway": "10.9.0.1"}]],
        "routes": [{"dst": "0.0.0.0/0"}]})
    return conf


PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
RATES = {"ingressRate": 1000000, "ingressBurst": 100000, "egressRate": 1000000,
         "egressBurst": 100000}


def tuned(chain):
    value = chain.cni.lab.run(chain.pod, "cat", "/proc/sys/net/ipv4/conf/eth0/arp_filter").stdout
    return value.strip() == "1" and chain.cni.lab.links(chain.pod)["eth0"]["mtu"] == 1400


def shaped(chain):
    shown = chain.cni.lab.run(chain.cni.host_ns, "tc", "qdisc", "show", "dev",
                              chain.cni.host_links()[0]).stdout
    return "tbf" in shown


def mapped(chain):
    return "dport 8080" in chain.cni.lab.run(chain.cni.host_ns, "iptables", "-t", "nat",
                                             "-S").stdout


def allowed(chain):
    address = chain.result["ips"][0]["address"].split("/")[0]
    return address in chain.cni.lab.run(chain.cni.host_ns, "iptables", "-S").stdout


def sourced(chain):
    return "lookup 100" in chain.cni.lab.ip(chain.pod, "rule").stdout


AFTER = {
    "tuning": ({"sysctl": {"net.ipv4.conf.eth0.arp_filter": "1"}, "mtu": 1400}, tuned),
    "bandwidth": ({"capabilities": {"bandwidth": True}, "runtimeConfig": {"bandwidth": RATES}},
                  shaped),
    "portmap": ({"capabilities": {"portMappings": True}, "snat": True,
                 "runtimeConfig": {"portMappings": PORTS}}, mapped),
    "firewall": ({"backend": "iptables"}, allowed),
    "sbr": ({}, sourced),
}


def vrf_works(lab, ns):
    made = lab.ip(ns, "link", "add", "vrftest", "type", "vrf", "table", 4242, check=False)
    lab.ip(ns, "link", "del", "vrftest", check=False)
    return made.returncode == 0


@pytest.mark.parametrize("kind", AFTER)
def test_12_debians_plugin_after_ours_works_and_leaves_nothing(cni, tmp_path, kind):
    fields, works = AFTER[kind]
    before = cni.state()
    own = ours(cni, tmp_path)
    chain = Chain(cni, [own, {"type": kind, **fields}])
    result = chain.add()
    assert [item["name"] for item in result["interfaces"]][:3] == [
        "lan", *cni.host_links(), "eth0"]
    assert works(chain)
    chain.delete()
    cni.wait_state(before, "as before")
    assert cni.pod_links(chain.pod) == set()
    assert not list((tmp_path / "ipam").glob("*/10.*"))


def test_12_debians_vrf_after_ours(cni, tmp_path):
    if not vrf_works(cni.lab, cni.host_ns):
        pytest.skip("this kernel has no VRF devices")
    chain = Chain(cni, [ours(cni, tmp_path), {"type": "vrf", "vrfname": "blue"}])
    chain.add()
    assert cni.lab.links(chain.pod)["eth0"]["master"] == "blue"
    chain.check()
    chain.delete()
    assert cni.host_links() == []


def test_12_all_of_debians_plugins_after_ours(cni, tmp_path):
    before = cni.state()
    chain = Chain(cni, [ours(cni, tmp_path)] + [
        {"type": kind, **fields} for kind, (fields, _) in AFTER.items() if kind != "sbr"])
    chain.add()
    for kind, (_, works) in AFTER.items():
        assert kind == "sbr" or works(chain), kind
    chain.delete()
    cni.wait_state(before, "as before")


@pytest.mark.parametrize("kind", ["portmap", "bandwidth", "firewall"])
def test_12_check_of_ours_passes_behind_debians_plugin(cni, tmp_path, kind):
    chain = Chain(cni, [ours(cni, tmp_path), {"type": kind, **AFTER[kind][0]}])
    chain.add()
    chain.call("CHECK", chain.plugins[0], chain.result).ok()
    chain.delete()


def test_12_debians_plugins_before_ours(cni, tmp_path):
    """It has the loopback device, whose result comes first."""
    before = cni.state()
    chain = Chain(cni, [{"type": "loopback"},
                        {"type": "tuning", "sysctl": {"net.ipv4.ip_forward": "1"}},
                        ours(cni, tmp_path)])
    result = chain.add()
    names = [item["name"] for item in result["interfaces"]]
    assert names == ["lo", "lan", *cni.host_links(), "eth0"]
    own = [item for item in result["ips"] if item["address"].startswith("10.9.")]
    assert [item["interface"] for item in own] == [3]
    assert cni.lab.run(chain.pod, "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    chain.call("CHECK", chain.plugins[-1], chain.result).ok()
    chain.delete()
    cni.wait_state(before, "as before")


# 19: Debian's IPAM plugins.

def test_19_debians_static(cni):
    conf = cni.conf(ipam={"type": "static", "addresses": [
        {"address": "10.9.0.5/24", "gateway": "10.9.0.1"}, {"address": "2001:db8:9::5/64"}],
        "routes": [{"dst": "0.0.0.0/0"}], "dns": {"nameservers": ["10.9.0.1"]}})
    pod = cni.pod()
    result = cni.add(conf, pod).ok()
    assert {item["address"] for item in result["ips"]} == {"10.9.0.5/24", "2001:db8:9::5/64"}
    assert result["dns"] == {"nameservers": ["10.9.0.1"]}
    assert "10.9.0.5/24" in cni.pod_addresses(pod)
    cni.check(conf, pod, result).ok()
    cni.delete(conf, pod).ok()


def test_19_debians_dhcp_gets_a_lease_over_the_network(cni, lab, tmp_path):
    """Debian's dhcp plugin and its daemon; the server is dnsmasq on the bridge's
    own namespace's end of a cable."""
    server = lab.ns("server")
    lab.cable(cni.host_ns, "srv0", server, "srv1")
    lab.ip(cni.host_ns, "link", "set", "srv0", "master", "lan")
    lab.ip(server, "addr", "add", "10.9.0.1/24", "dev", "srv1")
    lab.spawn(server, "dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--interface=srv1",
              "--bind-interfaces", "--dhcp-range=10.9.0.100,10.9.0.110,1h",
              f"--dhcp-leasefile={tmp_path}/leases", "--dhcp-authoritative", "--no-ping",
              "--pid-file=", "--user=root", log="dnsmasq.log")
    sock = tmp_path / "dhcp.sock"
    daemon = lab.spawn(cni.host_ns, f"{DEBIAN_PLUGINS}/dhcp", "daemon", "-socketpath", sock,
                       log="dhcp.log")
    wait_until(lambda: sock.exists() or not daemon.alive(), what="the dhcp daemon")
    assert daemon.alive(), daemon.text()
    conf = cni.conf(ipam={"type": "dhcp", "daemonSocketPath": str(sock)})
    pod = cni.pod()
    result = cni.add(conf, pod, timeout=120).ok()
    address = result["ips"][0]["address"]
    assert address.startswith("10.9.0.1") and address in cni.pod_addresses(pod)
    assert address.split("/")[0] in pathlib.Path(tmp_path / "leases").read_text()
    cni.delete(conf, pod).ok()
    assert cni.pod_links(pod) == set()
