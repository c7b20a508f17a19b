# SPDX-License-Identifier: Apache-2.0
"""Super-packets: whoever cuts them, every packet on the wire carries the length of its own frame."""

import os
import socket

import lab
import suite
import wire

SEGMENT, BYTES = 700, 21013  # 30 segments and one of 13 bytes
PER_PACKET = ("tx", "off", "tso", "off", "gso", "off", "tx-gre-segmentation", "off")
# A veth without SCTP is what hardware is that segments GRE: it cuts all the rest itself.
HARDWARE = ("tx-sctp-segmentation", "off")
UDP_SEGMENT = 103


def needs_kernel(major, minor, why):
    have = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if have < (major, minor):
        raise suite.Skip("before %d.%d %s" % (major, minor, why))


def ethtool(ns, link, *words):
    ns.run("ethtool", "-K", link, *words)


def inner_network(l):
    """The tunnel's link carries IPv4; its peer inside is 192.0.2.2."""
    l.dut.ip("addr add 192.0.2.1/24 dev t0", "neigh replace 192.0.2.2 lladdr %s dev t0 nud permanent" % lab.HOST2)


def send_udp(ns, data):
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.2", 9))
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SEGMENT)
        assert sock.send(data) == len(data)


def datagrams(l, kind, sums):
    """The payloads of the UDP datagrams in the tunnel's packets; every header on the way is checked."""
    for ip in l.packets():
        if ip.proto == kind.proto:
            tunnel_id, frame = kind.parse(ip)
            inner = wire.Ip(frame[14:])
            assert tunnel_id == 100 and inner.proto == wire.UDP and len(inner.payload) == len(frame) - 34
            pseudo = wire.pseudo(inner.src, inner.dst, wire.UDP, len(inner.payload))
            assert not sums or wire.checksum(pseudo + inner.payload) == 0, "UDP checksum"
            yield inner.payload[8:]


def expect_segments(l, kind, data, sums=True):
    """sums: not where the device is one that adds checksums, as those of a veth are never added."""
    got = []
    for payload in datagrams(l, kind, sums):
        got.append(payload)
        if sum(map(len, got)) >= len(data):
            break
    assert [len(p) for p in got] == [SEGMENT] * 30 + [13], [len(p) for p in got]
    assert b"".join(got) == data


def leaves_as_right_packets(l, kind, device, soft, sums=True, **options):
    """device: what ethtool sets there; soft: how many super-packets the module cuts itself."""
    ethtool(l.dut, "u0", *device)
    l.tunnel(kind, **options)
    inner_network(l)
    data = os.urandom(BYTES)
    send_udp(l.dut, data)
    expect_segments(l, kind, data, sums)
    assert l.dut.ethtool_stats("t0")["tx_gso_soft"] == soft


def test_a_device_that_takes_single_packets_gets_right_ones(l, kind):
    leaves_as_right_packets(l, kind, PER_PACKET, soft=0)


def test_gso_soft_cuts_before_the_outer_header(l, kind):
    leaves_as_right_packets(l, kind, ("tx", "off"), soft=1, gso=0)


def test_hardware_that_segments_gre_is_given_single_packets(l, kind):
    leaves_as_right_packets(l, kind, HARDWARE, soft=0, sums=False)


def test_a_virtual_device_takes_them_whole(l, kind):
    needs_kernel(5, 11, "a veth cuts UDP super-packets")
    l.tunnel(kind)
    inner_network(l)
    data = os.urandom(BYTES)
    send_udp(l.dut, data)
    ip = l.expect_outer(kind)
    assert len(ip.payload) > BYTES
    # The length field is that of a segment, which the whole is cut into.
    assert kind.version == 6 or int.from_bytes(ip.payload[4:6], "big") == 14 + 20 + 8 + SEGMENT


def test_a_removed_module_leaves_none_behind_that_is_cut_wrongly(l, kind):
    """Whole in a queue, the module gone, then cut: dropped, as nobody knows the length field."""
    ethtool(l.dut, "u0", *PER_PACKET)
    l.tunnel(kind)
    inner_network(l)
    l.dut.run("tc", "qdisc", "add", "dev", "u0", "root", "netem", "delay", "3s")
    send_udp(l.dut, os.urandom(BYTES))
    # Single packets pass the queue whatever happens: it was the cutting that failed.
    l.capture(l.dut, "t0").send(lab.frame_of(60))
    try:
        lab.run("rmmod", "eoip")
        assert [len(ip.payload) for ip in l.packets(4) if ip.proto == kind.proto] == [60 + len(kind.encap(1, b""))]
    finally:
        lab.run("modprobe", "eoip")


def test_forwarded_packets_that_were_merged_are_cut_into_right_ones(l, kind):
    """The tunnel's packets on their way through this host: merged on reception, cut at the next link."""
    needs_kernel(5, 13, "a veth merges nothing")
    far = "10.1.0.2" if kind.version == 4 else "fd01::2"
    l.dut.ip("link add u1 type veth peer name u1 netns peer", "link set u1 up")
    l.peer.ip("link set u1 up")
    l.dut.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1, ipv6__conf__u1__disable_ipv6=0)
    l.dut.ip("route add %s/%d dev u1" % (far, 8 * len(wire.packed(far))),
             "neigh replace %s lladdr 02:00:00:00:00:bb dev u1 nud permanent" % far)
    l.tunnel(kind)  # known here by its id and where it comes from
    # Packets that are single and come in one go are what there is to merge.
    ethtool(l.peer, "u0", *PER_PACKET)
    ethtool(l.dut, "u0", "gro", "on")
    l.peer.run("tc", "qdisc", "add", "dev", "u0", "root", "netem", "slot", "500ms")
    merged, out = l.capture(l.dut, "u0"), l.capture(l.peer, "u1")
    ethtool(l.dut, "u1", *HARDWARE)
    sent = send_tcp(l, kind, far)
    expect_tcp(out, kind, sent)
    assert largest(merged) > 2000, "nothing was merged, so nothing was tried"
    ethtool(l.dut, "u1", *PER_PACKET)
    sent = send_tcp(l, kind, far)
    expect_tcp(out, kind, sent)


def without_sum(frame):
    """TCP's checksum left out: a veth's is never added."""
    return frame[:50] + frame[52:]


def send_tcp(l, kind, far):
    """The peer sends segments of one connection, the last one shorter; returns their frames."""
    sent = []
    for number, size in enumerate([1000] * 8 + [500]):
        segment = wire.tcp("192.0.2.2", "192.0.2.1", flags=16, seq=7 + 1000 * number, payload=os.urandom(size))
        inner = wire.ipv4("192.0.2.2", "192.0.2.1", wire.TCP, segment, flags=2, ident=number)
        frame = wire.ether(lab.HOST2, lab.HOST1, 0x0800, inner)
        sent.append(without_sum(frame))
        payload = kind.encap(100, frame)
        if kind.version == 4:
            l.inject(wire.ipv4(kind.remote, far, kind.proto, payload, ident=number))
        else:
            l.inject(wire.ipv6(kind.remote, far, kind.proto, payload))
    return sent


def expect_tcp(sock, kind, sent):
    """Just these frames come, in this order."""
    number = 0
    while number < len(sent):
        packet = sock.recv(3)
        assert packet, "%d of %d packets came" % (number, len(sent))
        if packet[0][12:14] in (b"\x08\x00", b"\x86\xdd"):
            ip = wire.Ip(packet[0][14:])
            if ip.proto == kind.proto:
                tunnel_id, frame = kind.parse(ip)
                got, want = without_sum(frame), sent[number]
                assert tunnel_id == 100
                assert got == want, "packet %d: %s... not %s..." % (number, got[:60].hex(), want[:60].hex())
                number += 1


def largest(sock):
    sizes = [0]
    while True:
        packet = sock.recv(0)
        if packet is None:
            return max(sizes)
        sizes.append(len(packet[0]))
