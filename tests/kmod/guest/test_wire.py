# SPDX-License-Identifier: Apache-2.0
"""Bytes on the wire, both ways, and the receive rule."""

import socket

import lab
import wire

SIZES = (14, 15, 42, 59, 60, 1000, 1514)



def test_frames_of_every_id_and_size_leave_as_the_wire_facts_say(l, kind):
    for tunnel_id in kind.ids:
        l.tunnel(kind, "t0", tunnel_id, tos=0)
        inner = l.capture(l.dut, "t0")
        for size in SIZES:
            frame = lab.frame_of(size, fill=tunnel_id)
            inner.send(frame)
            ip = l.expect_frame(kind, tunnel_id, frame)
            assert (ip.ttl, ip.tos, ip.df) == (255, 0, 0), vars(ip)
            assert (ip.src, ip.dst, ip.proto) == (kind.local, kind.remote, kind.proto)
            assert kind.version == 6 or not ip.options
        l.dut.nl.delete("t0")


def test_frames_of_every_id_and_size_are_delivered(l, kind):
    for tunnel_id in kind.ids:
        l.tunnel(kind, "t0", tunnel_id)
        inner = l.capture(l.dut, "t0")
        for size in SIZES:
            frame = lab.frame_of(size, fill=tunnel_id)
            l.inject(kind.outer(kind.encap(tunnel_id, frame)))
            lab.expect(inner, frame)
        l.dut.nl.delete("t0")


def test_vlan_qinq_and_any_ethertype_pass(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frames = [
        wire.ether(lab.HOST2, lab.HOST1, 0x0800, b"\x55" * 1500, vlans=((0x8100, 0xE064),)),
        wire.ether(lab.HOST2, lab.HOST1, 0x88B5, b"\x66" * 100, vlans=((0x88A8, 5), (0x8100, 6))),
        wire.ether(lab.HOST2, lab.HOST1, 0x9003, b"\x77" * 46),
        wire.ether("01:80:c2:00:00:00", lab.HOST1, 0x0027, b"\x42" * 46),
    ]
    for frame in frames:
        inner.send(frame)
        l.expect_frame(kind, 100, frame)
        l.inject(kind.outer(kind.encap(100, frame)))
        lab.expect(inner, frame)


def test_jumbo_frames_are_fragmented_outside_and_reassembled(l, kind):
    l.tunnel(kind, mtu=9000)
    inner = l.capture(l.dut, "t0")
    for size in (1514, 1518, 9014):
        frame = lab.frame_of(size)
        inner.send(frame)
        ip = l.expect_frame(kind, 100, frame)
        assert ip.df == 0 and l.reassembler.fragments >= 2
        l.inject(kind.outer(kind.encap(100, frame)))
        lab.expect(inner, frame)


def test_packet_types_tell_whom_a_frame_is_for(l, kind):
    l.tunnel(kind)
    l.dut.ip("link set t0 address " + lab.HOST2)
    inner = l.capture(l.dut, "t0")
    for dst, want in (
        (lab.HOST2, lab.PACKET_HOST),
        ("02:99:99:99:99:99", lab.PACKET_OTHERHOST),
        ("ff:ff:ff:ff:ff:ff", lab.PACKET_BROADCAST),
        ("01:00:5e:00:00:05", lab.PACKET_MULTICAST),
    ):
        frame = lab.frame_of(60, dst=dst)
        l.inject(kind.outer(kind.encap(100, frame)))
        assert lab.expect(inner, frame) == want, dst


def expect_only(l, kind, inner, bad, good, answered=0):
    """None of the bad packets is delivered; the good frame after them is. The module answers none:
    so many answers come as the kernel gives without it.
    """
    for packet in bad:
        l.inject(packet)
    l.inject(kind.outer(kind.encap(100, good)))
    lab.expect(inner, good)
    answers = [ip.proto for ip in l.packets(0.2)]
    assert len(answers) == answered, "answered with protocols %s, not %d times" % (answers, answered)


def kernels_answers(l, bad):
    """How many of these packets the kernel answers by itself (ip_gre does, for GRE it knows)."""
    for packet in bad:
        l.inject(packet)
    return len(list(l.packets(0.3)))


def test_length_field_rule_of_ipv4(l):
    kind = lab.EOIP
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frame, good = lab.frame_of(60), lab.frame_of(61)
    # Shorter than the bytes present: trimmed.
    l.inject(kind.outer(kind.encap(100, frame + b"trailer", length=60)))
    lab.expect(inner, frame)
    before = l.dut.ethtool_stats("t0")
    long_field = [kind.outer(kind.encap(100, frame, length=n)) for n in (61, 100, 1500, 65535)]
    short = [kind.outer(kind.encap(100, frame, length=n)) for n in range(1, 14)]
    short += [kind.outer(kind.encap(100, frame[:n])) for n in range(1, 14)]
    expect_only(l, kind, inner, long_field + short, good)
    after = l.dut.ethtool_stats("t0")
    assert after["rx_bad_lengths"] - before["rx_bad_lengths"] == len(long_field), after
    assert after["rx_short_frames"] - before["rx_short_frames"] == len(short), after


def test_short_frames_of_ipv6_are_dropped_and_counted(l):
    kind = lab.EOIPV6
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    short = [kind.outer(kind.encap(100, b"x" * n)) for n in range(1, 14)]
    expect_only(l, kind, inner, short, lab.frame_of(61))
    assert l.dut.ethtool_stats("t0")["rx_short_frames"] == len(short)


def test_padding_below_the_underlays_minimum_is_not_part_of_the_frame(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(14)
    l.inject(kind.outer(kind.encap(100, frame)) + b"\0" * 30)
    lab.expect(inner, frame)


def test_wrong_source_id_or_magic_is_not_delivered(l, kind):
    # A raw socket takes them all, so that the kernel has no cause to answer.
    raw = l.dut.socket(socket.AF_INET if kind.version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind.proto)
    frame, good = lab.frame_of(60), lab.frame_of(61)
    bad = [
        kind.outer(kind.encap(100, frame), src=kind.other),
        kind.outer(kind.encap(101, frame)),
        kind.outer(kind.encap(0x6400 & (kind.max_id), frame)),
        kind.outer(b""),
        kind.outer(kind.encap(100, b"")[:1]),
    ]
    if kind.version == 4:
        head = kind.encap(100, frame)
        for at, value in ((0, 0x00), (0, 0x30), (1, 0x00), (1, 0x81), (2, 0x88), (3, 0x0B)):
            bad.append(kind.outer(head[:at] + bytes([value]) + head[at + 1 :]))
        bad += [kind.outer(head[:n]) for n in range(0, 8)]
    else:
        bad += [kind.outer(bytes([x]) + kind.encap(100, frame)[1:]) for x in (0x00, 0x30, 0x02, 0x04)]
    answered = kernels_answers(l, bad)
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    expect_only(l, kind, inner, bad, good, answered)
    raw.close()


def test_other_tunnels_packets_reach_raw_sockets_and_own_ones_do_not_starve(l, kind):
    raw = l.dut.socket(socket.AF_INET if kind.version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind.proto)
    raw.settimeout(2)
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    l.inject(kind.outer(kind.encap(101, frame)))
    got = raw.recv(2000)
    assert got.endswith(kind.encap(101, frame)), got.hex()
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(inner, frame)
    raw.close()


def test_ip_options_and_odd_tos_are_accepted(l):
    kind = lab.EOIP
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    options = b"\x94\x04\x00\x00"  # router alert
    l.inject(wire.ipv4(kind.remote, kind.local, wire.GRE, kind.encap(100, frame), options=options))
    lab.expect(inner, frame)
    # RouterOS sends MNDP with ToS 0xFE, whose ECN bits are ECT(0).
    l.inject(kind.outer(kind.encap(100, frame), tos=0xFE))
    lab.expect(inner, frame)


def test_unset_local_accepts_any_own_address(l, kind):
    second = "10.0.0.9/24" if kind.version == 4 else "fd00::9/64"
    l.dut.ip("addr add %s dev u0%s" % (second, "" if kind.version == 4 else " nodad"))
    l.tunnel(kind, local=None)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    for dst in (kind.local, second.split("/")[0]):
        l.inject(kind.outer(kind.encap(100, frame), dst=dst))
        lab.expect(inner, frame)
    inner.send(frame)
    assert l.expect_frame(kind, 100, frame).src in (kind.local, second.split("/")[0])
    # With a local set, the other address is not the tunnel's.
    l.dut.nl.change(kind.name, "t0", {"local": kind.local})
    raw = l.dut.socket(socket.AF_INET if kind.version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind.proto)
    expect_only(l, kind, inner, [kind.outer(kind.encap(100, frame), dst=second.split("/")[0])], lab.frame_of(61))
    raw.close()


def test_unset_local_takes_nothing_that_was_sent_to_a_group(l, kind):
    l.tunnel(kind, local=None)
    inner = l.capture(l.dut, "t0")
    raw = l.dut.socket(socket.AF_INET if kind.version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind.proto)
    groups = ("10.0.0.255", "255.255.255.255", "224.0.0.1") if kind.version == 4 else ("ff02::1",)
    for group in groups:
        l.inject(kind.outer(kind.encap(100, lab.frame_of(60)), dst=group))
    frame = lab.frame_of(61)
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(inner, frame)
    raw.close()


def test_a_given_local_beats_any(l, kind):
    l.tunnel(kind, "t0", local=None)
    l.tunnel(kind, "t1")
    specific, general = l.capture(l.dut, "t1"), l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(specific, frame)
    assert general.recv(0.1) is None


def test_both_kinds_with_the_same_id_live_side_by_side(l):
    for kind in lab.KINDS.values():
        l.tunnel(kind, "t%d" % kind.version)
    for kind in lab.KINDS.values():
        inner = l.capture(l.dut, "t%d" % kind.version)
        frame = lab.frame_of(70 + kind.version)
        inner.send(frame)
        l.expect_frame(kind, 100, frame)
        l.inject(kind.outer(kind.encap(100, frame)))
        lab.expect(inner, frame)


def test_frames_below_14_bytes_never_leave(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    for size in range(1, 14):
        try:
            inner.send(b"\x02" * size)
        except OSError:
            pass
    frame = lab.frame_of(60)
    inner.send(frame)
    l.expect_frame(kind, 100, frame)


def test_counters_count_frames_and_bytes(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    for _ in range(5):
        inner.send(lab.frame_of(100))
        l.expect_outer(kind)
        l.inject(kind.outer(kind.encap(100, lab.frame_of(200))))
        assert inner.recv(2)
    stats = l.dut.stats("t0")
    assert stats["tx"]["packets"] == 5 and stats["rx"]["packets"] == 5, stats
    # Receive counts what the link delivers; transmit may count the outer headers too, as gretap does.
    assert stats["rx"]["bytes"] in (5 * 186, 5 * 200), stats
    assert 500 <= stats["tx"]["bytes"] <= 5 * (100 + kind.overhead), stats


def test_a_link_that_is_down_delivers_and_sends_nothing(l, kind):
    l.tunnel(kind, up=False)
    inner = l.capture(l.dut, "t0")
    raw = l.dut.socket(socket.AF_INET if kind.version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind.proto)
    l.inject(kind.outer(kind.encap(100, lab.frame_of(60))))
    assert inner.recv(0.2) is None
    assert not list(l.packets(0.2))
    raw.close()
