# SPDX-License-Identifier: Apache-2.0
"""State on disk that is damaged, and links that are not ours."""

import signal

import grpc
import pytest

from lab import wait_until
from node import Node, State


def names(node):
    return [tunnel.name for tunnel in node.list_tunnels()]


@pytest.mark.parametrize("damage", ["half", "empty", "one bit", "garbage"])
def test_a_damaged_state_file_is_set_aside_and_all_others_live_on(lab, damage):
    node = Node(lab).start()
    for number in (1, 2, 3):
        node.create_tunnel(f"t{number}", number)
    before = lab.links(node.ns)
    node.agent.kill(signal.SIGKILL)
    path = node.state_file("t2")
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes({"half": content[: len(content) // 2], "empty": b"",
                      "one bit": bytes(flipped), "garbage": b"\xff" * 300}[damage])
    node.start_agent()
    assert names(node) == ["tunnels/t1", "tunnels/t3"]
    for name in ("t1", "t3"):
        assert node.wait_tunnel(name, State.ACTIVE).status.ifindex == before[name]["ifindex"]
    problems = node.status().problems
    assert len(problems) == 1 and "t2" in problems[0].subject + problems[0].message
    # Nobody knows what was wanted of it: its link stays.
    assert lab.links(node.ns)["t2"]["ifindex"] == before["t2"]["ifindex"]
    assert not path.exists()
    assert list((node.state_dir / "corrupt").iterdir())
    # Created anew it lives, and the problem is over.
    node.create_tunnel("t2", 2)
    node.wait_tunnel("t2", State.ACTIVE)
    wait_until(lambda: not node.status().problems, 5, "the problem to be over")


def test_a_foreign_link_of_the_wanted_name_is_untouched(lab):
    node = Node(lab).start()
    lab.ip(node.ns, "link", "add", "t1", "type", "bridge")
    before = lab.links(node.ns)["t1"]
    node.create_tunnel("t1", 1)
    failed = node.wait_tunnel("t1", State.FAILED)
    assert "t1" in failed.status.reason, failed.status.reason
    after = lab.links(node.ns)["t1"]
    assert after["ifindex"] == before["ifindex"] and after["flags"] == before["flags"]
    # Another tunnel is none the worse for it.
    node.create_tunnel("t2", 2)
    node.wait_tunnel("t2", State.ACTIVE)
    node.delete_tunnel("t1")
    assert lab.links(node.ns)["t1"]["ifindex"] == before["ifindex"]
    # Gone, the tunnel gets its link without being asked again.
    node.create_tunnel("t1", 1)
    node.wait_tunnel("t1", State.FAILED)
    lab.ip(node.ns, "link", "del", "t1")
    node.wait_tunnel("t1", State.ACTIVE, 15)


@pytest.mark.parametrize("harm", [
    ["link", "set", "t1", "down"],
    ["link", "set", "t1", "nomaster"],
    ["link", "set", "t1", "mtu", "1300"],
    ["link", "del", "lan"],
    ["link", "del", "t1"],
], ids=lambda words: " ".join(words))
def test_what_somebody_changed_by_hand_is_put_right(lab, harm):
    node = Node(lab).start()
    node.create_tunnel("t1", 1)
    node.create_network("lan", "t1")

    def right():
        links = lab.links(node.ns)
        return ("t1" in links and "lan" in links and "UP" in links["t1"]["flags"]
                and links["t1"].get("master") == "lan" and links["t1"]["mtu"] == 1500)

    wait_until(right, 5, "the start")
    lab.ip(node.ns, *harm)
    wait_until(right, 15, "the repair")
    node.wait_tunnel("t1", State.ACTIVE)


def test_a_full_disk_refuses_and_changes_nothing(lab):
    node = Node(lab)
    node.start_tapd()
    node.state_dir.mkdir()
    # Seen by the agent alone: `ip netns exec` has a mount namespace per call.
    small = f'mount -t tmpfs -o nr_inodes=30 tmpfs {node.state_dir} && exec "$@"'
    node.start_agent(prefix=("sh", "-c", small, "sh"))
    with pytest.raises(grpc.RpcError) as caught:
        for number in range(100):
            node.create_tunnel(f"t{number}", number)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert 0 < number < 99
    assert f"tunnels/t{number}" not in names(node)
    assert f"t{number}" not in node.owned_links()
    assert node.tunnel("t0").status.state == State.ACTIVE
    # With room again it goes on.
    node.delete_tunnel("t0")
    node.create_tunnel(f"t{number}", number)
    node.wait_tunnel(f"t{number}", State.ACTIVE)
