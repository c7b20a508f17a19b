# SPDX-License-Identifier: Apache-2.0
"""macspoofchk: a pod's port takes frames of the pod's MAC only, by the bridge
port's lock; with real frames."""

import pytest

from cni import stopped
from lab import wait_until

MAC, OTHER = "02:00:5e:10:00:01", "02:00:5e:10:00:66"


def frame(source, mark):
    """A broadcast of an EtherType for experiments (IEEE 802, 0x88b5)."""
    return (b"\xff" * 6 + bytes.fromhex(source.replace(":", "")) + b"\x88\xb5"
            + mark.encode().ljust(46, b"\0"))


@pytest.fixture
def two(cni):
    """A watching pod, and one whose MAC is checked; returns what is needed to
    send from the second and to hear at the first."""
    watcher, pod = cni.pod(), cni.pod()
    cni.add(cni.conf(), watcher, container="watcher").ok()
    first = set(cni.host_links())
    conf = cni.conf(macspoofchk=True, mac=MAC)
    result = cni.add(conf, pod).ok()
    cni.port = (set(cni.host_links()) - first).pop()
    heard = cni.lab.packet_socket(watcher, "eth0", 0x88b5)
    send = cni.lab.packet_socket(pod, "eth0", 0x88b5).send
    return conf, pod, result, send, heard


def arrives(heard, send, *frames):
    """Which of the frames arrive, before the last one, which must."""
    for one in frames:
        send(one)
    seen = []

    def last():
        try:
            seen.append(heard.recv(65535))
        except TimeoutError:
            return False
        return seen[-1] == frames[-1]
    wait_until(last, 5, "the frame with the pod's own MAC")
    return [one for one in seen if one in frames]


def test_only_frames_of_the_pods_mac_enter(two):
    _, _, _, send, heard = two
    spoofed = [frame(OTHER, f"spoof{i}") for i in range(10)]
    own = frame(MAC, "own")
    assert arrives(heard, send, *spoofed, own) == [own]


def test_without_the_check_they_all_enter(cni):
    watcher, pod = cni.pod(), cni.pod()
    cni.add(cni.conf(), watcher, container="watcher").ok()
    cni.add(cni.conf(mac=MAC), pod).ok()
    heard = cni.lab.packet_socket(watcher, "eth0", 0x88b5)
    send = cni.lab.packet_socket(pod, "eth0", 0x88b5).send
    both = [frame(OTHER, "spoof"), frame(MAC, "own")]
    assert arrives(heard, send, *both) == both


def test_the_pods_mac_cannot_be_taken_from_elsewhere(cni, two):
    """A frame of the pod's MAC on another port does not move it there."""
    _, pod, _, send, heard = two
    thief = cni.pod()
    cni.add(cni.conf(), thief, container="thief").ok()
    cni.lab.packet_socket(thief, "eth0", 0x88b5).send(frame(MAC, "thief"))
    own = frame(MAC, "own")
    assert own in arrives(heard, send, own)


def test_no_packet_filter_and_no_learning(cni, lab, two):
    import json
    port = json.loads(lab.ip(cni.host_ns, "-d", "-j", "link", "show", cni.port).stdout)
    data = port[0]["linkinfo"]["info_slave_data"]
    assert data["locked"] and not data["learning"]
    assert lab.run(cni.host_ns, "nft", "list", "ruleset").stdout == ""
    rows = lab.run(cni.host_ns, "bridge", "fdb", "show", "brport", cni.port).stdout
    assert f"{MAC} " in rows and "static" in rows and "sticky" in rows


WRONG = {
    "lock": (["bridge", "link", "set", "dev", "PORT", "locked", "off"], "not locked"),
    "learning": (["bridge", "link", "set", "dev", "PORT", "learning", "on"], "learns"),
    "entry": (["bridge", "fdb", "del", MAC, "dev", "PORT", "master"], f"no FDB entry of {MAC}"),
    "other entry": (["bridge", "fdb", "add", OTHER, "dev", "PORT", "master", "static"], OTHER),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_16_finds_a_wrong_lock_and_the_agent_mends_it(cni, lab, two, wrong):
    conf, pod, result, send, heard = two
    command, named = WRONG[wrong]
    cni.check(conf, pod, result).ok()
    with stopped(cni.node.agent):
        lab.run(cni.host_ns, *[cni.port if word == "PORT" else word for word in command])
        cni.check(conf, pod, result).error(103, named)
    # The kernel tells nobody of FDB entries that also learning makes: another
    # change in the network makes the agent look.
    lab.ip(cni.host_ns, "link", "set", cni.port, "down")
    wait_until(lambda: cni.check(conf, pod, result).exit_code == 0, 10,
               "the agent to mend the port")
    own = frame(MAC, "own")
    assert arrives(heard, send, frame(OTHER, "spoof"), own) == [own]


def test_a_port_taken_out_returns_locked(cni, lab, two):
    conf, pod, result, send, heard = two
    lab.ip(cni.host_ns, "link", "set", cni.port, "nomaster")
    wait_until(lambda: cni.check(conf, pod, result).exit_code == 0, 10, "the port to return")
    own = frame(MAC, "own")
    assert arrives(heard, send, frame(OTHER, "spoof"), own) == [own]


def test_the_check_ends_with_an_update(cni, lab, two):
    from node import attachment_pb2
    _, _, _, send, heard = two
    name = next(item.name for item in cni.attachments() if item.host_link == cni.port)
    cni.node.attachments.UpdateAttachment(attachment_pb2.UpdateAttachmentRequest(
        attachment=attachment_pb2.Attachment(name=name), update_mask={"paths": ["locked"]}),
        timeout=5)
    both = [frame(OTHER, "spoof"), frame(MAC, "own")]
    assert arrives(heard, send, *both) == both
    rows = lab.run(cni.host_ns, "bridge", "fdb", "show", "brport", cni.port).stdout
    assert "static" not in rows


def test_del_leaves_nothing_of_it(cni, two):
    conf, pod, _, _, _ = two
    cni.delete(conf, pod).ok()
    assert MAC not in cni.lab.run(cni.host_ns, "bridge", "fdb", "show").stdout
