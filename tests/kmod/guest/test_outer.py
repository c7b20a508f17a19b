# SPDX-License-Identifier: Apache-2.0
"""What the options do to the outer header: TTL, DSCP, ECN, DF, path MTU, mark, link, VRF, loops."""

import errno
import socket
import struct

import lab
import suite
import wire

V4A, V4B, V6A, V6B = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"


def inner_packet(version, tos=0, ttl=64, df=False, size=100, vlans=()):
    payload = b"\x42" * size
    if version == 4:
        packet = wire.ipv4(V4A, V4B, 253, payload, ttl=ttl, tos=tos, flags=2 if df else 0)
    else:
        packet = wire.ipv6(V6A, V6B, 253, payload, hops=ttl, tclass=tos)
    return wire.ether(lab.HOST2, lab.HOST1, 0x0800 if version == 4 else 0x86DD, packet, vlans=vlans)


def bridged(l, kind, host):
    host.send(lab.frame_of(60))
    return any(ip.proto == kind.proto for ip in l.packets(0.1))


def sent(l, kind, inner, frame):
    inner.send(frame)
    return l.expect_frame(kind, 100, frame)


def test_ttl_fixed_and_inherited(l, kind):
    l.tunnel(kind, ttl=33)
    inner = l.capture(l.dut, "t0")
    assert sent(l, kind, inner, lab.frame_of(60)).ttl == 33
    l.dut.nl.change(kind.name, "t0", {"ttl": 0})
    for version in (4, 6):
        assert sent(l, kind, inner, inner_packet(version, ttl=77)).ttl == 77
    assert sent(l, kind, inner, lab.frame_of(60)).ttl == 255


def test_dscp_fixed_and_inherited(l, kind):
    l.tunnel(kind, tos=0xB8)
    inner = l.capture(l.dut, "t0")
    assert sent(l, kind, inner, inner_packet(4, tos=0x28)).tos == 0xB8
    l.dut.nl.change(kind.name, "t0", {"tos": 1})
    for version in (4, 6):
        assert sent(l, kind, inner, inner_packet(version, tos=0x28)).tos == 0x28
    assert sent(l, kind, inner, lab.frame_of(60)).tos == 0
    assert sent(l, kind, inner, inner_packet(4, tos=0x50, vlans=((0x8100, 5),))).tos in (0x50, 0)


def test_ecn_is_copied_out_as_rfc_6040_says(l, kind):
    l.tunnel(kind, tos=1)
    inner = l.capture(l.dut, "t0")
    for version in (4, 6):
        for ecn in range(4):
            outer = sent(l, kind, inner, inner_packet(version, tos=0x28 | ecn)).tos
            # Normal mode copies the field; Linux sends ECT(0) for an inner CE as RFC 3168 had it.
            assert outer == 0x28 | ecn or (ecn == 3 and outer == 0x28 | 2), (version, ecn, outer)


def test_ecn_is_merged_in_as_rfc_6040_says(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    for version in (4, 6):
        for inside in range(4):
            for outside in range(4):
                frame = inner_packet(version, tos=0x28 | inside)
                l.inject(kind.outer(kind.encap(100, frame), tos=outside))
                got = inner.recv(0.3)
                # RouterOS sets outer bits that no inner header has, so that CE on Not-ECT, which the
                # RFC drops, is delivered as it is.
                assert got, (version, inside, outside)
                want = inside
                if outside == 3 and inside != 0:
                    want = 3
                elif outside == 1 and inside == 2:
                    want = 1
                assert got[0] == inner_packet(version, tos=0x28 | want), (version, inside, outside)


def test_df_no_set_and_inherited(l):
    kind = lab.EOIP
    l.tunnel(kind, df=0)
    inner = l.capture(l.dut, "t0")
    assert sent(l, kind, inner, inner_packet(4, df=True)).df == 0
    l.dut.nl.change(kind.name, "t0", {"df": 1})
    assert sent(l, kind, inner, inner_packet(4, df=False)).df == 1
    assert sent(l, kind, inner, lab.frame_of(60)).df == 1
    l.dut.nl.change(kind.name, "t0", {"df": 2})
    assert sent(l, kind, inner, inner_packet(4, df=True)).df == 1
    assert sent(l, kind, inner, inner_packet(4, df=False)).df == 0
    assert sent(l, kind, inner, lab.frame_of(60)).df == 0


def test_df_set_never_fragments_and_tells_a_bridged_sender(l, kind):
    l.tunnel(kind, df=1, mtu=1500)
    l.dut.ip(
        "link add br0 type bridge",
        "link add h0 type veth peer name h1",
        "link set t0 master br0",
        "link set h0 master br0",
        "link set br0 up",
        "link set h0 up",
        "link set h1 up",
    )
    host = l.capture(l.dut, "h1")
    # A bridge floods at once where STP is off; the first frame through proves it.
    lab.wait_for(lambda: bridged(l, kind, host), 5, "the bridge to forward")
    host.send(inner_packet(4, df=True, size=1480))
    for ip in l.packets(0.5, keep_fragments=True):  # small ones are the bridge's own IGMP
        assert ip.proto != kind.proto or len(ip.payload) < 100, "%d bytes left" % len(ip.payload)
    while True:
        got = host.recv(1)
        assert got, "no ICMP to the sender"
        ip = wire.Ip(got[0][14:]) if got[0][12:14] == b"\x08\x00" else None
        if ip and ip.proto == wire.ICMP:
            break
    assert ip.payload[:2] == b"\x03\x04", ip.payload[:8].hex()
    assert struct.unpack_from("!H", ip.payload, 6)[0] == 1500 - kind.overhead - 14
    assert got[0][:6] == wire.mac(lab.HOST1)
    assert l.dut.ethtool_stats("t0")["tx_too_big"] == 1


def test_df_set_tells_the_hosts_own_sockets(l, kind):
    l.tunnel(kind, df=1, mtu=1500)
    l.dut.ip("addr add 192.0.2.1/24 dev t0", "neigh replace 192.0.2.2 lladdr %s dev t0 nud permanent" % lab.HOST2)
    sock = l.dut.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    sock.connect(("192.0.2.2", 9))

    def told():
        try:
            sock.send(b"x" * 1472)
        except OSError as error:
            assert error.errno == errno.EMSGSIZE, error
            return True
        return False

    lab.wait_for(told, 5, "EMSGSIZE")
    assert sock.getsockopt(socket.SOL_IP, 14) == 1500 - kind.overhead - 14  # IP_MTU
    sock.close()
    assert not [p for p in l.packets(0.3, keep_fragments=True) if p.proto == kind.proto]


def fragmentation_needed(kind, packet, mtu):
    """What a router says of this packet of the tunnel."""
    if kind.version == 6:
        body = struct.pack("!BBHI", 2, 0, 0, mtu) + wire.ipv6(packet.src, packet.dst, kind.proto, packet.payload)[:1200]
        value = wire.checksum(wire.pseudo(kind.remote, kind.local, wire.ICMPV6, len(body)) + body)
        return wire.ipv6(kind.remote, kind.local, wire.ICMPV6, body[:2] + struct.pack("!H", value) + body[4:])
    quoted = wire.ipv4(packet.src, packet.dst, wire.GRE, packet.payload, flags=2)[: 20 + 64]
    body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted
    return wire.ipv4(kind.remote, kind.local, wire.ICMP, body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:])


def learns_path_mtu(l, kind, inner, frame, wire_socket, message):
    """The frame leaves by this link until the message came."""
    def leaves():
        inner.send(frame)
        while True:
            got = wire_socket.recv(0.1)
            if got is None:
                return None
            if got[0][12:14] in (b"\x08\x00", b"\x86\xdd"):
                ip = wire.Ip(got[0][14:])
                if ip.proto == kind.proto:
                    return ip

    packet = leaves()
    assert packet and not packet.more and len(packet.payload) > 1300
    l.inject(message(packet))
    lab.wait_for(lambda: not leaves(), 5, "the path MTU to be learnt")
    assert l.dut.ethtool_stats("t0")["rx_icmp_errors"] >= 1  # the peer's own kernel may say that it has no EoIP


def test_a_fragmentation_needed_from_the_path_is_acted_on(l, kind):
    l.tunnel(kind, df=1, mtu=1430)
    inner = l.capture(l.dut, "t0")
    frame = inner_packet(4, df=True, size=1400)
    learns_path_mtu(l, kind, inner, frame, l.wire, lambda packet: fragmentation_needed(kind, packet, 1300))


def second_link(l, kind, *rule):
    """u1 beside u0, the way to the tunnel's peer for what the rule says; returns what the peer sees there."""
    l.dut.ip("link add u1 mtu 1500 type veth peer name u1 netns peer mtu 1500", "link set u1 up")
    l.peer.ip("link set u1 up")
    l.dut.sysctl(ipv6__conf__u1__disable_ipv6=0)
    address, via = ("10.1.0.1/24", "10.1.0.2") if kind.version == 4 else ("fd01::1/64 nodad", "fd01::2")
    local, _, flag = address.partition(" ")
    l.dut.ip(
        "addr add %s dev u1 %s" % (local, flag),
        "neigh replace %s lladdr 02:00:00:00:00:bb dev u1 nud permanent" % via,
        "route add %s via %s dev u1 table 77" % (kind.remote, via),
    )
    l.dut.run("ip", "-4" if kind.version == 4 else "-6", "rule", "add", *rule, "lookup", "77")
    return l.capture(l.peer, "u1")


def test_a_fragmentation_needed_is_acted_on_whatever_link_it_comes_by(l, kind):
    second = second_link(l, kind, "oif", "u1")
    l.tunnel(kind, df=1, mtu=1430, link=l.dut.nl.get("u1")["index"])
    inner = l.capture(l.dut, "t0")
    frame = inner_packet(4, df=True, size=1400)
    learns_path_mtu(l, kind, inner, frame, second, lambda packet: fragmentation_needed(kind, packet, 1300))


def test_a_fragmentation_needed_is_acted_on_where_a_mark_chooses_the_route(l, kind):
    second = second_link(l, kind, "fwmark", "7")
    l.tunnel(kind, df=1, mtu=1430, fwmark=7)
    inner = l.capture(l.dut, "t0")
    frame = inner_packet(4, df=True, size=1400)
    learns_path_mtu(l, kind, inner, frame, second, lambda packet: fragmentation_needed(kind, packet, 1300))


def test_fwmark_chooses_the_route(l, kind):
    second = second_link(l, kind, "fwmark", "7")
    l.tunnel(kind, local=None)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    inner.send(frame)
    l.expect_frame(kind, 100, frame)
    l.dut.nl.change(kind.name, "t0", {"fwmark": 7})
    inner.send(frame)
    while True:
        got = second.recv(2)
        assert got, "nothing came by the other route"
        ip = wire.Ip(got[0][14:])
        if ip.proto == kind.proto:
            break
    assert kind.parse(ip) == (100, frame)


def test_a_bound_link_limits_where_packets_come_and_go(l, kind):
    l.dut.ip("link add u1 type veth peer name u1 netns peer", "link set u1 up")
    l.peer.ip("link set u1 up")
    index = {name: l.dut.nl.get(name)["index"] for name in ("u0", "u1")}
    l.tunnel(kind, link=index["u0"])
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    sent(l, kind, inner, frame)
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(inner, frame)
    # Bound to the other link there is no way out and nothing is taken in.
    raw = l.dut.socket(2 if kind.version == 4 else 10, 3, kind.proto)
    l.dut.nl.change(kind.name, "t0", {"link": index["u1"]})
    l.inject(kind.outer(kind.encap(100, frame)))
    assert inner.recv(0.3) is None
    raw.close()


def test_an_underlay_in_a_vrf_works(l, kind):
    try:
        l.dut.ip("link add vrf0 type vrf table 10")
    except AssertionError as error:
        raise suite.Skip("no VRF in this kernel: %s" % error)
    l.dut.ip("link set vrf0 up", "link set u0 master vrf0")
    if kind.version == 6:
        l.dut.ip("addr replace fd00::1/64 dev u0 nodad")
    l.dut.ip(
        "neigh replace 10.0.0.2 lladdr %s dev u0 nud permanent" % lab.PEER_MAC,
        "neigh replace fd00::2 lladdr %s dev u0 nud permanent" % lab.PEER_MAC,
    )
    l.tunnel(kind, link=l.dut.nl.get("vrf0")["index"])
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    sent(l, kind, inner, frame)
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(inner, frame)


def test_a_route_through_the_tunnel_itself_is_refused(l, kind):
    l.tunnel(kind, local=None)
    l.dut.sysctl(ipv6__conf__t0__disable_ipv6=0)
    inner = l.capture(l.dut, "t0")
    bits = 32 if kind.version == 4 else 128
    l.dut.ip(
        "route add %s/%d dev t0" % (kind.remote, bits),
        "neigh replace %s lladdr %s dev t0 nud permanent" % (kind.remote, lab.HOST2),
    )
    for _ in range(10):
        try:
            inner.send(lab.frame_of(60))
        except OSError as error:
            assert error.errno in (errno.ENOBUFS, errno.ENETDOWN, errno.EHOSTUNREACH), error
    assert not [ip for ip in l.packets(0.3) if ip.proto == kind.proto]
    assert l.dut.ethtool_stats("t0")["tx_loops"] >= 10


def test_two_tunnels_routed_through_each_other_end(l):
    l.tunnel(lab.EOIP, "t0", 1, remote="10.50.0.2", local=None)
    l.tunnel(lab.EOIP, "t1", 2, remote="10.60.0.2", local=None)
    l.dut.ip(
        "addr add 10.60.0.1/24 dev t0",
        "addr add 10.50.0.1/24 dev t1",
        "neigh replace 10.60.0.2 lladdr %s dev t0 nud permanent" % lab.HOST2,
        "neigh replace 10.50.0.2 lladdr %s dev t1 nud permanent" % lab.HOST2,
    )
    inner = l.capture(l.dut, "t0")
    for _ in range(10):
        try:
            inner.send(lab.frame_of(60))
        except OSError:
            pass
    stats = [l.dut.stats(name)["tx"] for name in ("t0", "t1")]
    assert sum(s["errors"] + s["dropped"] for s in stats) >= 1, stats


def test_no_route_is_counted_and_heals(l, kind):
    remote = "10.77.0.2" if kind.version == 4 else "fd77::2"
    l.tunnel(kind, remote=remote, local=None)
    inner = l.capture(l.dut, "t0")
    try:
        inner.send(lab.frame_of(60))
    except OSError:
        pass
    assert l.dut.ethtool_stats("t0")["tx_no_route"] == 1
    l.dut.ip("route add %s via %s" % (remote, kind.remote))
    frame = lab.frame_of(61)
    inner.send(frame)
    assert l.expect_frame(kind, 100, frame).dst == remote


def test_a_route_that_moves_is_followed(l, kind):
    remote = "10.77.0.2" if kind.version == 4 else "fd77::2"
    l.dut.ip("route add %s via %s" % (remote, kind.remote))
    l.tunnel(kind, remote=remote, local=None)
    inner = l.capture(l.dut, "t0")
    inner.send(lab.frame_of(60))
    l.expect_outer(kind)
    l.dut.ip("route del " + remote, "route add unreachable " + remote)
    try:
        inner.send(lab.frame_of(60))
    except OSError:
        pass
    assert not [ip for ip in l.packets(0.3) if ip.proto == kind.proto]
