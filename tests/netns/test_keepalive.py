# SPDX-License-Identifier: Apache-2.0
"""A silent peer takes the tunnel down in time; one keepalive brings it back."""

import time

import pytest

import eoip_wire
from lab import wait_until
from node import EOIP, EOIPV6, NODE4, NODE6, Node, State, keepalive

FAMILIES = pytest.mark.parametrize("kind", [EOIP, EOIPV6], ids=["eoip", "eoipv6"])
INTERVAL, RETRIES = 1, 3


def carrier(node, name):
    return "LOWER_UP" in node.lab.links(node.ns)[name]["flags"]


@FAMILIES
def test_silent_peer_is_down_in_time_and_back_with_one_keepalive(lab, kind):
    node = Node(lab).start()
    ipv6 = kind == EOIPV6
    raw = lab.raw_socket(node.site, eoip_wire.protocol(ipv6), ipv6)
    to = (NODE6 if ipv6 else NODE4, 0)
    node.create_tunnel("t1", 100, kind, keepalive=keepalive(INTERVAL, RETRIES))
    node.wait_tunnel("t1", State.PEER_DOWN)  # nothing was heard yet
    assert not carrier(node, "t1")

    for _ in range(2):
        raw.sendto(eoip_wire.encode(ipv6, 100), to)
        heard = time.monotonic()
        up = node.wait_tunnel("t1", State.ACTIVE, 2)
        assert up.status.HasField("last_heard")
        assert carrier(node, "t1")
        # Alive for as long as RouterOS's own clock may need ...
        while time.monotonic() < heard + INTERVAL * RETRIES * 0.95:
            assert node.tunnel("t1").status.state == State.ACTIVE
            time.sleep(0.1)
        # ... and down within interval x retries x 1.2.
        down = node.wait_tunnel("t1", State.PEER_DOWN, 3)
        assert time.monotonic() - heard < INTERVAL * RETRIES * 1.2
        assert down.status.reason
        wait_until(lambda: not carrier(node, "t1"), 1, "the carrier to go")


@FAMILIES
def test_data_alone_is_a_sign_of_life(lab, kind):
    node = Node(lab).start()
    ipv6 = kind == EOIPV6
    raw = lab.raw_socket(node.site, eoip_wire.protocol(ipv6), ipv6)
    node.create_tunnel("t1", 100, kind, keepalive=keepalive(INTERVAL, RETRIES))
    frame = b"\x02\xee\xee\xee\xee\xee\x02\x5e\0\0\0\1\x88\xb5" + bytes(46)
    raw.sendto(eoip_wire.encode(ipv6, 100, frame), (NODE6 if ipv6 else NODE4, 0))
    node.wait_tunnel("t1", State.ACTIVE, 2)


def test_packets_of_another_source_or_id_are_no_sign_of_life(lab):
    node = Node(lab).start()
    lab.ip(node.site, "addr", "add", "192.0.2.3/24", "dev", "u1")
    raw = lab.raw_socket(node.site, 47)
    strange = lab.raw_socket(node.site, 47)
    strange.bind(("192.0.2.3", 0))
    node.create_tunnel("t1", 100, keepalive=keepalive(INTERVAL, RETRIES))
    node.wait_tunnel("t1", State.PEER_DOWN)
    strange.sendto(eoip_wire.encode(False, 100), (NODE4, 0))
    raw.sendto(eoip_wire.encode(False, 101), (NODE4, 0))
    raw.sendto(eoip_wire.encode(False, 100, b"x" * 5), (NODE4, 0))
    wait_until(lambda: sum(node.drops("t1").values()) >= 3, 5, "three drops")
    assert node.tunnel("t1").status.state == State.PEER_DOWN


def test_both_ends_of_a_real_tunnel_follow_each_other(lab):
    node = Node(lab).start()
    node.create_tunnel("t1", 100, keepalive=keepalive(1, 2))
    site = node.site_endpoint(keepalive="1,2")
    node.wait_tunnel("t1", State.ACTIVE, 5)
    wait_until(lambda: "peer up" in site.text(), 5, "the site to hear the node")
    site.stop()
    node.wait_tunnel("t1", State.PEER_DOWN, 4)
    node.site_endpoint(keepalive="1,2", log="site-2.log")
    node.wait_tunnel("t1", State.ACTIVE, 3)
