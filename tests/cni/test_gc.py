# SPDX-License-Identifier: Apache-2.0
"""Checklist 17: GC removes what nobody has any more, and only that."""

import json
import os
import signal

import pytest

from cni import finish_plugin, start_plugin
from lab import wait_until

VALID = "cni.dev/valid-attachments"
OLD = "cni.dev/attachments"


def attachment(container, ifname="eth0"):
    return {"containerID": container, "ifname": ifname}


@pytest.fixture
def three(cni):
    """Containers c0 to c2 on the network; returns their pods."""
    pods = [cni.pod() for _ in range(3)]
    for number, pod in enumerate(pods):
        cni.add(cni.conf("1.1.0"), pod, container=f"c{number}").ok()
    return pods


def gc(cni, **options):
    fields = options.pop("fields", {})
    return cni.call("GC", cni.conf("1.1.0", **fields, **options.pop("conf", {})),
                    container=None, ifname=None, **options)


def alive(cni, pods):
    return [number for number, pod in enumerate(pods) if "eth0" in cni.pod_links(pod)]


def test_17_keeps_what_is_listed_and_removes_the_rest(cni, three):
    gc(cni, fields={VALID: [attachment("c1")]}).ok()
    assert alive(cni, three) == [1]
    wait_until(lambda: [item.container_id for item in cni.attachments()] == ["c1"],
               what="the agent to forget the others")


def test_17_empty_list_removes_everything(cni, three):
    gc(cni, fields={VALID: []}).ok()
    assert alive(cni, three) == []
    wait_until(lambda: cni.attachments() == [], what="the agent to forget all")


@pytest.mark.parametrize("fields", [{}, {VALID: None}, {VALID: None, OLD: None}])
def test_17_absent_list_removes_nothing(cni, three, fields):
    conf = cni.conf("1.1.0")
    conf.update(fields)
    cni.call("GC", conf, container=None, ifname=None).ok()
    assert alive(cni, three) == [0, 1, 2]


def test_17_old_key_alone_is_read(cni, three):
    gc(cni, fields={OLD: [attachment("c2")]}).ok()
    assert alive(cni, three) == [2]


def test_17_of_both_keys_the_first_wins(cni, three):
    gc(cni, fields={VALID: [attachment("c0")], OLD: [attachment("c2")]}).ok()
    assert alive(cni, three) == [0]


@pytest.mark.parametrize("entry", [
    {}, {"containerID": "c0"}, {"ifname": "eth0"}, "c0", None, 5, [],
    {"containerID": "", "ifname": "eth0"}, {"containerID": 1, "ifname": "eth0"}])
def test_17_malformed_entry_is_7_and_removes_nothing(cni, three, entry):
    gc(cni, fields={VALID: [attachment("c1"), entry]}).error(7, f"{VALID}[1]")
    assert alive(cni, three) == [0, 1, 2]


@pytest.mark.parametrize("value", ["x", 5, {}, True])
def test_17_list_that_is_none_is_7_and_removes_nothing(cni, three, value):
    gc(cni, fields={VALID: value}).error(7, VALID)
    assert alive(cni, three) == [0, 1, 2]


def test_17_ten_thousand_entries(cni, three):
    entries = [attachment(f"other{i}") for i in range(10000)] + [attachment("c2")]
    reply = gc(cni, fields={VALID: entries}, timeout=20)
    reply.ok()
    assert alive(cni, three) == [2]


def test_17_same_container_with_another_interface_is_another_attachment(cni):
    pod = cni.pod()
    for ifname in ("eth0", "net1"):
        cni.add(cni.conf("1.1.0"), pod, ifname=ifname).ok()
    gc(cni, fields={VALID: [attachment("c1", "net1")]}).ok()
    assert cni.pod_links(pod) == {"net1"}


def test_17_other_network_configurations_are_left_alone(cni, three):
    pod = cni.pod()
    cni.add(cni.conf("1.1.0", name="net2"), pod, container="other").ok()
    gc(cni, fields={VALID: []}).ok()
    assert alive(cni, three) == []
    assert cni.pod_links(pod) == {"eth0"}


def test_17_foreign_links_of_the_same_form_are_left_alone(cni, lab, three):
    lab.ip(cni.host_ns, "link", "add", "eoaaaaaaaaaaaaa", "type", "veth", "peer", "name", "x0")
    gc(cni, fields={VALID: []}).ok()
    assert "eoaaaaaaaaaaaaa" in lab.links(cni.host_ns)


def test_17_is_safe_against_id_reuse(cni, three, lab):
    # c0 was deleted and a new container got its id and namespace name: the list
    # has it, so it lives, whatever GC found out before.
    cni.delete(cni.conf("1.1.0"), three[0], container="c0").ok()
    cni.add(cni.conf("1.1.0"), three[0], container="c0").ok()
    gc(cni, fields={VALID: [attachment("c0")]}).ok()
    assert alive(cni, three) == [0]


def test_17_a_link_that_changed_its_owner_is_left_alone(cni, three, lab):
    name = next(item.host_link for item in cni.attachments() if item.container_id == "c0")
    lab.ip(cni.host_ns, "link", "set", name, "alias", "somebody else's")
    gc(cni, fields={VALID: []}).ok()
    assert alive(cni, three) == [0]


def test_17_race_with_add_keeps_the_new_pod(cni, ipam):
    # The ADD has its link and waits; no list can have it yet.
    conf = cni.conf("1.1.0")
    pod = cni.pod()
    os.kill(cni.node.agent.pid, signal.SIGSTOP)
    try:
        adding = start_plugin(cni, "ADD", conf, pod, "racer")
        wait_until(lambda: cni.host_links(), what="the ADD to make its link")
        gc(cni, fields={VALID: []}, conf={"network": None}).ok()
        assert len(cni.host_links()) == 1
    finally:
        os.kill(cni.node.agent.pid, signal.SIGCONT)
    finish_plugin(adding).ok()
    assert cni.pod_links(pod) == {"eth0"}


def test_17_removes_what_a_killed_add_left(cni):
    pod = cni.pod()
    os.kill(cni.node.agent.pid, signal.SIGSTOP)
    try:
        adding = start_plugin(cni, "ADD", cni.conf("1.1.0"), pod, "victim")
        wait_until(lambda: cni.host_links(), what="the ADD to make its link")
        # `ip netns exec` became the plugin.
        adding.kill()
        adding.wait()
    finally:
        os.kill(cni.node.agent.pid, signal.SIGCONT)
    gc(cni, fields={VALID: []}).ok()
    assert cni.host_links() == [] and cni.pod_links(pod) == set()


def test_17_is_forwarded_to_ipam(cni, ipam):
    conf = cni.conf("1.1.0", ipam={"type": "test-ipam"}, **{VALID: [attachment("c1")]})
    cni.call("GC", conf, container=None, ifname=None).ok()
    assert ipam.commands() == ["GC"]
    stdin, env = ipam.calls()[0]
    assert json.loads(stdin) == conf
    assert "CNI_COMMAND=GC" in env


def test_17_errors_are_joined_and_ipam_runs_all_the_same(cni, ipam):
    ipam.fail("GC", 123, "leases are locked")
    conf = cni.conf("1.1.0", ipam={"type": "test-ipam"}, **{VALID: ["x"]})
    error = cni.call("GC", conf, container=None, ifname=None).error(7, VALID)
    assert "leases are locked" in error["msg"]


def test_17_works_with_the_agent_dead(cni, three):
    cni.node.agent.kill()
    gc(cni, fields={VALID: [attachment("c1")]}).ok()
    assert alive(cni, three) == [1]
    cni.node.start_agent()
    wait_until(lambda: len(cni.attachments()) == 1, what="the agent to catch up")
