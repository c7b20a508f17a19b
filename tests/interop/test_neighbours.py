# SPDX-License-Identifier: Apache-2.0
"""Other users of GRE and EtherIP on the node get their packets as before."""

import pytest

import eoip_wire
from frames import collect, make_frame
from lab import wait_until
from node import EOIP, EOIPV6, NODE4, NODE6, Node, State


@pytest.mark.parametrize("kind", [EOIP, EOIPV6], ids=["eoip", "eoipv6"])
def test_another_raw_socket_sees_every_packet_and_so_does_the_tunnel(lab, kind):
    ipv6 = kind == EOIPV6
    node = Node(lab).start()
    other = lab.raw_socket(node.ns, eoip_wire.protocol(ipv6), ipv6)
    node.create_tunnel("t1", 100, kind)
    node.wait_tunnel("t1", State.ACTIVE)
    tap = lab.packet_socket(node.ns, "t1")
    raw = lab.raw_socket(node.site, eoip_wire.protocol(ipv6), ipv6)
    frame = make_frame(60)
    foreign = b"\x30\x00" + bytes(60) if ipv6 else b"\x20\x00\x65\x58" + bytes(60)
    for packet in (foreign, eoip_wire.encode(ipv6, 100, frame)):
        raw.sendto(packet, (NODE6 if ipv6 else NODE4, 0))
        got = wait_until(lambda: other.recv(2048), 3, "the other socket's copy")
        assert got.endswith(packet)
    assert collect(tap, frame) == [frame]


def test_two_tunnels_of_the_same_id_to_two_sites_do_not_mix(lab):
    node = Node(lab).start()
    lab.ip(node.site, "addr", "add", "192.0.2.3/24", "dev", "u1")
    taps, raws = {}, {}
    for name, remote in (("t2", "192.0.2.2"), ("t3", "192.0.2.3")):
        node.create_tunnel(name, 100, remote=remote)
        node.wait_tunnel(name, State.ACTIVE)
        taps[name] = lab.packet_socket(node.ns, name)
        raws[name] = lab.raw_socket(node.site, 47)
        raws[name].bind((remote, 0))
    frames = {name: make_frame(100) for name in raws}
    for name, frame in frames.items():
        raws[name].sendto(eoip_wire.encode(False, 100, frame), (NODE4, 0))
    for name, frame in frames.items():
        assert collect(taps[name], frame) == [frame]
