# SPDX-License-Identifier: Apache-2.0
"""Packets that RouterOS really sent go through the datapath as it meant them."""

import socket
import struct

import pytest

import eoip_wire
from frames import receive
from lab import ROOT, wait_until
from node import EOIP, NODE4, Node, State, keepalive

CAPTURES = ROOT.parent / "shared" / "captures"
# Facts, written down for where the captures are not: a keepalive of RouterOS
# 7.18.2 for tunnel 100, from the IP payload on.
KEEPALIVE_100 = bytes.fromhex("2001640000006400")


def ip_packets(path):
    """IPv4 packets of protocol 47 in a libpcap file with Ethernet frames."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    assert struct.unpack(order + "I", data[20:24])[0] == 1, "Ethernet"
    offset, found = 24, []
    while offset < len(data):
        size = struct.unpack(order + "I", data[offset + 8:offset + 12])[0]
        frame = data[offset + 16:offset + 16 + size]
        offset += 16 + size
        if frame[12:14] == b"\x08\x00" and frame[14 + 9] == 47:
            total = struct.unpack("!H", frame[16:18])[0]
            found.append(frame[14:14 + total])
    return found


def payload(packet):
    return packet[(packet[0] & 15) * 4:]


FILES = sorted(CAPTURES.glob("*.pcap"))


@pytest.mark.skipif(not FILES, reason="no captures in ../shared/captures")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_frames_of_routeros_come_out_as_it_sent_them(lab, path):
    node = Node(lab).start()
    packets = ip_packets(path)
    assert packets
    ids = {eoip_wire.decode(False, payload(packet))[0] for packet in packets}
    taps = {}
    for tunnel_id in ids:
        node.create_tunnel(f"t{tunnel_id}", tunnel_id)
        node.wait_tunnel(f"t{tunnel_id}", State.ACTIVE)
        taps[tunnel_id] = lab.packet_socket(node.ns, f"t{tunnel_id}")
    raw = lab.raw_socket(node.site, 47)
    keepalives = dict.fromkeys(ids, 0)
    for packet in packets:
        tunnel_id, frame = eoip_wire.decode(False, payload(packet))
        raw.sendto(payload(packet), (NODE4, 0))
        if not frame:
            keepalives[tunnel_id] += 1
            continue

        def arrived():
            got = receive(taps[tunnel_id])
            return got is not None and got[0] == frame
        wait_until(arrived, 5, f"a frame of {len(frame)} bytes")
    for tunnel_id, count in keepalives.items():
        wait_until(lambda: node.tunnel(f"t{tunnel_id}").status.counters.rx_keepalives == count,
                   5, "keepalives to be counted")
        assert not node.drops(f"t{tunnel_id}")


@pytest.mark.skipif(not FILES, reason="no captures in ../shared/captures")
def test_our_keepalive_is_the_one_that_routeros_sends():
    for path in FILES:
        for packet in ip_packets(path):
            tunnel_id, frame = eoip_wire.decode(False, payload(packet))
            if not frame and tunnel_id == 100:
                assert payload(packet) == KEEPALIVE_100 and len(packet) == 28
                return
    raise AssertionError("no keepalive of tunnel 100 in the captures")


def test_the_datapath_sends_the_keepalive_that_routeros_sends(lab):
    node = Node(lab).start()
    raw = lab.raw_socket(node.site, 47)
    node.create_tunnel("t1", 100, EOIP, keepalive=keepalive(10, 10))

    def first():
        try:
            return raw.recv(2048)
        except socket.timeout:
            return None
    packet = wait_until(first, 3, "a keepalive")
    assert payload(packet) == KEEPALIVE_100 and len(packet) == 28
    assert packet[8] == 255 and packet[6] & 0x40 == 0 and packet[1] == 0
