# SPDX-License-Identifier: Apache-2.0
"""What is on the wire, byte for byte, and what the receive rule makes of it.

Packets are captured and made at the site's end by code that shares nothing
with the project's.
"""

import random
import socket
import struct
import time

import pytest

import eoip_wire
from frames import collect, make_frame, receive, with_auxdata
from lab import wait_until
from node import EOIP, EOIPV6, NODE4, NODE6, SITE4, SITE6, Node, keepalive

IDS = {EOIP: (0, 1, 100, 0xABC, 4095, 65535), EOIPV6: (0, 1, 1234, 4095)}
SIZES = (14, 42, 60, 1514, 1518, 9014)
FAMILIES = pytest.mark.parametrize("kind", [EOIP, EOIPV6], ids=["eoip", "eoipv6"])


@pytest.fixture
def node(lab):
    return Node(lab).start()


def link(tunnel_id):
    return f"t{tunnel_id}"


def create(node, kind, tunnel_id, **fields):
    fields.setdefault("mtu", 9000)
    node.create_tunnel(link(tunnel_id), tunnel_id, kind, **fields)
    tunnel = node.wait_tunnel(link(tunnel_id), 2)  # ACTIVE
    assert tunnel.status.effective_mtu == fields["mtu"]
    wait_until(lambda: "LOWER_UP" in node.lab.links(node.ns)[link(tunnel_id)]["flags"],
               what="the link to run")


def frames_of_all_sizes():
    return [make_frame(size, vlan=7 if size == 1518 else None) for size in SIZES]


def site_socket(node, kind):
    ipv6 = kind == EOIPV6
    sock = node.lab.raw_socket(node.site, eoip_wire.protocol(ipv6), ipv6)
    sock.bind((SITE6 if ipv6 else SITE4, 0))
    return ipv6, sock, (NODE6 if ipv6 else NODE4, 0)


def payload(ipv6, packet):
    return packet if ipv6 else packet[(packet[0] & 0xF) * 4:]


def captured(ipv6, sock, frame):
    """The tunnel payload that carries frame, as it came to the site."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            data = payload(ipv6, sock.recv(65600))
        except socket.timeout:
            continue
        if data.endswith(frame):
            return data
    raise AssertionError(f"no packet with the frame of {len(frame)} bytes")


@FAMILIES
def test_sent_packets_are_the_bytes_of_the_protocol(node, kind):
    ipv6, raw, _ = site_socket(node, kind)
    for tunnel_id in IDS[kind]:
        create(node, kind, tunnel_id)
        tap = node.lab.packet_socket(node.ns, link(tunnel_id))
        for frame in frames_of_all_sizes():
            tap.send(frame)
            header = bytes([tunnel_id >> 8 << 4 | 3, tunnel_id & 255]) if ipv6 else (
                b"\x20\x01\x64\x00" + struct.pack(">H", len(frame)) +
                struct.pack("<H", tunnel_id))
            assert captured(ipv6, raw, frame) == header + frame


@FAMILIES
def test_received_packets_come_out_as_the_frames_that_were_sent(node, kind):
    ipv6, raw, to = site_socket(node, kind)
    for tunnel_id in IDS[kind]:
        create(node, kind, tunnel_id)
        tap = with_auxdata(node.lab.packet_socket(node.ns, link(tunnel_id)))
        for frame in frames_of_all_sizes():
            raw.sendto(eoip_wire.encode(ipv6, tunnel_id, frame), to)
            assert collect(tap, frame) == [frame]


def test_bytes_behind_the_length_field_are_trimmed(node):
    _, raw, to = site_socket(node, EOIP)
    create(node, EOIP, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    frame = make_frame(60)
    raw.sendto(eoip_wire.encode(False, 100, frame + b"trailer", length=60), to)
    assert collect(tap, frame) == [frame]


@FAMILIES
def test_outer_header_is_ttl_255_without_df_and_tos_of_the_inner_packet(node, kind):
    ipv6 = kind == EOIPV6
    create(node, kind, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    wire = node.lab.packet_socket(node.site, "u1")

    def outer(frame):
        tap.send(frame)
        def arrived():
            got = receive(wire)
            return got[0][14:] if got and got[0].endswith(frame) else None
        return wait_until(arrived, 5, "the outer packet")

    packet = outer(make_frame(60))
    if ipv6:
        # Version 6, traffic class 0, flow label 0; next header; hop limit.
        assert packet[:4].hex() == "60000000"
        assert packet[6] == 97 and packet[7] == 255
    else:
        assert packet[0] == 0x45 and packet[1] == 0
        assert packet[8] == 255 and packet[9] == 47
        assert packet[6] & 0x40 == 0, "DF is set"
    inner = make_frame(60)
    inner = inner[:12] + b"\x08\x00\x45\xb8" + inner[16:]  # IPv4, DSCP EF
    packet = outer(inner)
    tos = (packet[0] << 4 | packet[1] >> 4) & 0xFF if ipv6 else packet[1]
    assert tos == 0xB8


@FAMILIES
def test_keepalives_are_the_bare_header_at_once_and_every_interval(node, kind):
    ipv6, raw, _ = site_socket(node, kind)
    started = time.monotonic()
    node.create_tunnel("ka", 1234, kind, keepalive=keepalive(1, 3))
    times = []
    while len(times) < 3 and time.monotonic() < started + 6:
        try:
            data = payload(ipv6, raw.recv(2048))
        except socket.timeout:
            continue
        assert data.hex() == ("43d2" if ipv6 else "200164000000d204")
        times.append(time.monotonic() - started)
    assert times[0] < 1.0
    assert [round(b - a) for a, b in zip(times, times[1:])] == [1, 1]


# name, packet behind the IP header, cause that must be counted
MALFORMED4 = [
    ("length field larger than the packet", eoip_wire.encode(False, 100, b"x" * 60, 61),
     "bad_length"),
    ("length field 65535", eoip_wire.encode(False, 100, b"x" * 60, 65535), "bad_length"),
    ("13 byte frame", eoip_wire.encode(False, 100, b"x" * 13), "short_frame"),
    ("1 byte frame", eoip_wire.encode(False, 100, b"x"), "short_frame"),
    ("wrong id", eoip_wire.encode(False, 101, make_frame(60)), "unknown_tunnel"),
    ("id in the other byte order", eoip_wire.encode(False, 0x6400, make_frame(60)),
     "unknown_tunnel"),
    ("7 bytes", eoip_wire.MAGIC4 + b"\0\0\x64", "truncated"),
    ("1 byte", b"\x20", "truncated"),
    ("GRE version 0", b"\x20\x00\x65\x58" + bytes(4) + make_frame(60), "foreign"),
    ("PPTP", b"\x30\x81\x88\x0b" + bytes(20), "foreign"),
]
MALFORMED6 = [
    ("13 byte frame", eoip_wire.encode(True, 100, b"x" * 13), "short_frame"),
    ("wrong id", eoip_wire.encode(True, 101, make_frame(60)), "unknown_tunnel"),
    ("1 byte", b"\x03", "truncated"),
    ("EtherIP of RFC 3378", b"\x30\x00" + make_frame(60), "foreign"),
]


def counted(node, cause, before, tunnel):
    return wait_until(
        lambda: node.drops(tunnel).get(cause, 0) - before.get(cause, 0) or None, 5,
        f"{cause} to be counted; drops: {node.drops(tunnel)}")


def answers(wire, node):
    """Packets of ICMP errors or of the tunnel that the node sent meanwhile."""
    found = []
    while True:
        got = receive(wire)
        if got is None:
            return found
        packet, outgoing = got[0][14:], got[1]
        if outgoing or len(packet) < 40:
            continue
        if got[0][12:14] == b"\x08\x00" and (packet[9] in (1, 47)):
            found.append(packet)
        # Neighbour discovery (types 133 and up) is no answer.
        if got[0][12:14] == b"\x86\xdd" and (
                packet[6] == 97 or (packet[6] == 58 and packet[40] < 128)):
            found.append(packet)


@FAMILIES
def test_malformed_packets_are_dropped_counted_and_never_answered(node, kind):
    ipv6, raw, to = site_socket(node, kind)
    create(node, kind, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    wire = node.lab.packet_socket(node.site, "u1")
    wire.settimeout(0.5)
    for name, packet, cause in MALFORMED6 if ipv6 else MALFORMED4:
        before = node.drops(link(100))
        raw.sendto(packet, to)
        counted(node, cause, before, link(100))
        fence = make_frame(60)
        raw.sendto(eoip_wire.encode(ipv6, 100, fence), to)
        assert collect(tap, fence) == [fence], f"{name}: a frame was delivered"
    assert answers(wire, node) == []


@FAMILIES
def test_a_packet_of_the_right_id_from_another_source_is_not_delivered(node, kind):
    ipv6 = kind == EOIPV6
    stranger = "2001:db8::3" if ipv6 else "192.0.2.3"
    extra = ["nodad"] if ipv6 else []
    node.lab.ip(node.site, "addr", "add", f"{stranger}/{64 if ipv6 else 24}", "dev",
                "u1", *extra)
    _, raw, to = site_socket(node, kind)
    strange = node.lab.raw_socket(node.site, eoip_wire.protocol(ipv6), ipv6)
    strange.bind((stranger, 0))
    create(node, kind, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    before = node.drops(link(100))
    strange.sendto(eoip_wire.encode(ipv6, 100, make_frame(60)), to)
    assert counted(node, "wrong_source", before, link(100)) == 1
    fence = make_frame(60)
    raw.sendto(eoip_wire.encode(ipv6, 100, fence), to)
    assert collect(tap, fence) == [fence]


@FAMILIES
def test_random_packets_are_all_counted_and_none_is_delivered(node, kind):
    ipv6, raw, to = site_socket(node, kind)
    create(node, kind, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    wire = node.lab.packet_socket(node.site, "u1")
    wire.settimeout(0.5)
    rng = random.Random(4711)
    before = sum(node.drops(link(100)).values())
    sent = 0
    while sent < 2000:
        packet = rng.randbytes(rng.randrange(0, 1400))
        decoded = eoip_wire.decode(ipv6, packet)
        if decoded is not None and decoded[0] == 100:
            continue  # by chance a right one
        raw.sendto(packet, to)
        sent += 1
    wait_until(lambda: sum(node.drops(link(100)).values()) - before == sent, 10,
               "every packet to be counted")
    fence = make_frame(60)
    raw.sendto(eoip_wire.encode(ipv6, 100, fence), to)
    assert collect(tap, fence) == [fence]
    assert answers(wire, node) == []


def test_ip_options_do_not_move_the_header(node):
    create(node, EOIP, 100)
    tap = node.lab.packet_socket(node.ns, link(100))
    _, raw, to = site_socket(node, EOIP)
    raw.setsockopt(socket.IPPROTO_IP, 4, b"\x01\x01\x01\x00")  # IP_OPTIONS: no-ops
    frame = make_frame(60)
    raw.sendto(eoip_wire.encode(False, 100, frame), to)
    assert collect(tap, frame) == [frame]


def test_a_tunnel_with_and_one_without_local_address_both_receive(node):
    node.lab.ip(node.ns, "addr", "add", "192.0.2.11/24", "dev", "u0")
    create(node, EOIP, 5, local="192.0.2.11")
    create(node, EOIP, 6)
    _, raw, _ = site_socket(node, EOIP)
    for tunnel_id, to in ((5, "192.0.2.11"), (6, "192.0.2.11"), (6, NODE4)):
        tap = node.lab.packet_socket(node.ns, link(tunnel_id))
        frame = make_frame(60)
        raw.sendto(eoip_wire.encode(False, tunnel_id, frame), (to, 0))
        assert collect(tap, frame) == [frame]
    before = node.drops(link(5))
    raw.sendto(eoip_wire.encode(False, 5, make_frame(60)), (NODE4, 0))
    wait_until(lambda: node.drops(link(5)) != before, 5, "a packet to the wrong address")
