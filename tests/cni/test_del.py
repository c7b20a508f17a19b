# SPDX-License-Identifier: Apache-2.0
"""Checklist 13 to 15: DEL never fails for what a retry cannot mend, and leaves
nothing."""

import pytest

from cni import finish_plugin, start_plugin, stopped
from lab import run, wait_until


@pytest.fixture
def added(cni, ipam):
    """A pod on the network; returns (configuration, pod, result)."""
    conf = cni.conf(ipam={"type": "test-ipam"})
    pod = cni.pod()
    before = cni.state()
    result = cni.add(conf, pod).ok()
    assert cni.state() != before
    return conf, pod, result, before


def assert_clean(cni, ipam, before, pod=None):
    assert cni.host_links() == []
    if pod:
        assert cni.pod_links(pod) == set()
    cni.wait_state(before, "as before the ADD")
    assert ipam.commands()[-1] == "DEL"


# 13

def test_13_del_twice(cni, ipam, added):
    conf, pod, result, before = added
    for _ in range(2):
        reply = cni.delete({**conf, "prevResult": result}, pod)
        assert reply.ok() is None
        assert_clean(cni, ipam, before, pod)


def test_13_del_of_what_was_never_added(cni, ipam):
    cni.delete(cni.conf(ipam={"type": "test-ipam"}), cni.pod()).ok()
    assert ipam.commands() == ["DEL"]


def test_13_del_with_the_namespace_gone(cni, ipam, added, lab):
    conf, pod, _, before = added
    run(["ip", "netns", "del", pod])
    lab.names.remove(pod)
    cni.delete(conf, pod).ok()
    assert_clean(cni, ipam, before)


@pytest.mark.parametrize("netns", [None, "", "/run/netns/other-that-is-not"])
def test_13_del_with_empty_or_wrong_netns_while_it_lives(cni, ipam, added, netns):
    conf, pod, _, before = added
    cni.call("DEL", conf, netns=netns).ok()
    assert_clean(cni, ipam, before, pod)


def test_13_del_where_the_network_is_gone_from_the_agent(cni, ipam, added):
    conf, pod, _, _ = added
    cni.delete({**conf, "network": "never-was"}, pod).ok()
    assert cni.host_links() == [] and cni.pod_links(pod) == set()
    wait_until(lambda: cni.attachments() == [], what="the agent to see the link go")


def test_13_del_where_the_pod_renamed_its_interface(cni, ipam, added, lab):
    conf, pod, _, before = added
    lab.ip(pod, "link", "set", "eth0", "down")
    lab.ip(pod, "link", "set", "eth0", "name", "lan0")
    cni.delete(conf, pod).ok()
    assert_clean(cni, ipam, before, pod)


def test_13_del_leaves_a_foreign_link_of_the_same_name(cni, lab):
    pod = cni.pod()
    cni.add(cni.conf(), pod).ok()
    name = cni.host_links()[0]
    cni.delete(cni.conf(), pod).ok()
    lab.ip(cni.host_ns, "link", "add", name, "type", "bridge")
    reply = cni.delete(cni.conf(), pod)
    reply.ok()
    assert "belongs to somebody else" in reply.stderr
    assert cni.host_links() == [name]


def test_13_nothing_is_left_the_moment_del_returns(cni, ipam, added):
    """Neither end, nor a process that has the call's pipes."""
    conf, pod, _, _ = added
    for i in range(10):
        cni.delete(conf, pod).ok()  # returns when the pipes are closed
        assert cni.host_links() == []
        assert cni.pod_links(pod) == set()
        cni.add(conf, pod).ok()


def test_13_del_that_may_not_delete_says_why_and_works_later(cni, ipam, added):
    conf, pod, _, before = added
    link, = cni.host_links()
    cni.delete(conf, pod, wrapper=["setpriv", "--bounding-set", "-net_admin"]).error(
        100, "delete link", "not permitted")
    assert cni.host_links() == [link]
    cni.delete(conf, pod).ok()
    assert_clean(cni, ipam, before, pod)


def test_13_add_again_at_once_after_del(cni, ipam, added):
    conf, pod, result, _ = added
    for _ in range(5):
        cni.delete(conf, pod).ok()
        assert cni.add(conf, pod).ok() == result


# 14

@pytest.mark.parametrize("previous", [
    None, "null", "garbage", 42, [], {}, {"cniVersion": "9.9"}, {"interfaces": "x"},
    {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/elsewhere"}],
     "ips": [{"address": "not one"}]}])
def test_14_del_without_or_with_foreign_or_corrupt_previous_result(cni, ipam, added, previous):
    conf, pod, _, before = added
    cni.delete({**conf, "prevResult": previous}, pod).ok()
    assert_clean(cni, ipam, before, pod)


def test_14_del_with_a_configuration_that_add_would_refuse(cni, ipam, added):
    conf, pod, _, before = added
    cni.delete({**conf, "mtu": "x", "vlan": 5000, "macspoofchk": True, "mac": 5},
               pod, args="nonsense").ok()
    assert_clean(cni, ipam, before, pod)


# 15

def test_15_del_with_the_agent_dead_and_the_agent_catches_up(cni, ipam, added):
    conf, pod, _, before = added
    cni.node.agent.kill()
    reply = cni.delete(conf, pod)
    reply.ok()
    assert cni.host_links() == [] and cni.pod_links(pod) == set()
    assert ipam.commands() == ["ADD", "DEL"]
    cni.node.start_agent()
    cni.wait_state(before, "the agent forgot the attachment")


def test_15_del_with_the_agent_hung(cni, ipam, added):
    conf, pod, _, before = added
    with stopped(cni.node.agent):
        cni.delete(conf, pod, timeout=5).ok()
        assert cni.host_links() == [] and cni.pod_links(pod) == set()
    cni.wait_state(before, "the agent caught up")


def test_15_add_while_the_agent_restarts_succeeds(cni):
    cni.node.agent.kill()
    adding = start_plugin(cni, "ADD", cni.conf(), cni.pod(), "c1")
    wait_until(lambda: cni.host_links(), what="the ADD to make its link")
    cni.node.start_agent()
    finish_plugin(adding).ok()


def test_15_add_with_the_agent_hung_is_11_and_leaves_nothing(cni, ipam):
    pod = cni.pod()
    before = cni.state()
    with stopped(cni.node.agent):
        cni.add(cni.conf(ipam={"type": "test-ipam"}), pod, timeout=30).error(11)
        assert cni.pod_links(pod) == set() and cni.host_links() == []
    assert ipam.commands() == ["ADD", "DEL"]
    cni.wait_state(before, "nothing kept")


def test_15_an_agent_restart_keeps_live_pods(cni):
    pods = [cni.pod(), cni.pod()]
    for number, pod in enumerate(pods):
        cni.add(cni.conf(runtimeConfig={"ips": [f"10.9.0.{number + 1}/24"]}), pod,
                container=f"c{number}").ok()
    cni.node.agent.kill()
    assert cni.ping(pods[0], "10.9.0.2")
    cni.node.start_agent()
    assert cni.ping(pods[0], "10.9.0.2", count=5)
    assert len(cni.attachments()) == 2


def test_15_the_agent_puts_a_port_back_that_somebody_took_out(cni, lab):
    pod = cni.pod()
    result = cni.add(cni.conf(), pod).ok()
    lab.ip(cni.host_ns, "link", "set", cni.host_links()[0], "nomaster")
    wait_until(lambda: cni.check(cni.conf(), pod, result).exit_code == 0,
               what="the port to be in its bridge again")
