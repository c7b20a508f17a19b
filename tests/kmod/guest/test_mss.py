# SPDX-License-Identifier: Apache-2.0
"""clamp-tcp-mss: the MSS of received SYNs, and only that."""

import lab
import wire

SYN, ACK = 2, 16


def inside(version, vlans=(), **tcp):
    a, b = ("192.0.2.1", "192.0.2.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
    segment = wire.tcp(a, b, **tcp)
    packet = (wire.ipv4 if version == 4 else wire.ipv6)(a, b, wire.TCP, segment)
    return wire.ether(lab.HOST2, lab.HOST1, 0x0800 if version == 4 else 0x86DD, packet, vlans=vlans)


def through(l, kind, inner, frame):
    l.inject(kind.outer(kind.encap(100, frame)))
    got = inner.recv(2)
    assert got, "the frame did not come"
    return got[0]


def check(l, kind, inner, version, want, vlans=(), **tcp):
    """Sends a SYN through; all but the MSS must be unchanged and the checksum right."""
    frame = inside(version, vlans=vlans, **tcp)
    got = through(l, kind, inner, frame)
    expected = inside(version, vlans=vlans, **{**tcp, "mss": want})
    assert got == expected, "%s\nnot\n%s" % (got.hex(), expected.hex())


def test_syns_are_clamped_in_both_families(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    for version, room in ((4, 40), (6, 60)):
        for flags in (SYN, SYN | ACK):
            check(l, kind, inner, version, 1400 - room, mss=1460, flags=flags)
            check(l, kind, inner, version, 1400 - room, mss=65535, flags=flags)


def test_a_small_mss_is_never_raised(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    for version in (4, 6):
        check(l, kind, inner, version, 500, mss=500)
        check(l, kind, inner, version, 1340, mss=1340)


def test_tagged_syns_are_clamped(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    check(l, kind, inner, 4, 1360, vlans=((0x8100, 5),), mss=1460)
    check(l, kind, inner, 6, 1340, vlans=((0x8100, 5),), mss=1460)


def test_syns_behind_ipv6_extension_headers_are_clamped(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    a, b = "2001:db8::1", "2001:db8::2"
    options, long = b"\0\x01\x04\0\0\0\0", b"\xff\x01\x04\0\0\0\0"
    first, later = b"\0\0\x01\0\0\0\x07", b"\0\x01\x01\0\0\0\x07"

    def behind(mss, headers):
        """headers: (its number, all of it but the number of the next)"""
        numbers = [number for number, _ in headers] + [wire.TCP]
        chain = b"".join(bytes([after]) + rest for after, (_, rest) in zip(numbers[1:], headers))
        return wire.ether(lab.HOST2, lab.HOST1, 0x86DD, wire.ipv6(a, b, numbers[0], chain + wire.tcp(a, b, mss=mss)))

    for headers in ([(0, options)], [(60, options)], [(0, options), (60, options)], [(44, first)]):
        assert through(l, kind, inner, behind(1460, headers)) == behind(1340, headers), headers
    # Another fragment than the first holds no TCP header, a header that is cut off hides it.
    for headers in ([(44, later)], [(60, long)]):
        assert through(l, kind, inner, behind(1460, headers)) == behind(1460, headers), headers


def test_other_options_around_it_survive(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    for options in (b"\x01\x01\x01", b"\x03\x03\x07", b"\x04\x02\x08\x0a12345678\x01\x01"):
        check(l, kind, inner, 4, 1360, mss=1460, options=options)


def test_what_is_no_syn_or_no_tcp_is_left_alone(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    check(l, kind, inner, 4, 1460, mss=1460, flags=ACK)
    check(l, kind, inner, 6, 1460, mss=1460, flags=ACK)
    a, b = "192.0.2.1", "192.0.2.2"
    fragment = wire.ipv4(a, b, wire.TCP, wire.tcp(a, b, mss=1460), flags=1, offset=100)
    for frame in (
        wire.ether(lab.HOST2, lab.HOST1, 0x0800, fragment),
        wire.ether(lab.HOST2, lab.HOST1, 0x0800, wire.ipv4(a, b, wire.UDP, wire.tcp(a, b, mss=1460))),
        inside(4),
    ):
        assert through(l, kind, inner, frame) == frame


def test_broken_options_do_no_harm(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    for options in (b"\x02\x00\x05\xb4", b"\x02\xff\x05\xb4", b"\x05\x01\x01\x01", b"\x01\x01\x01\x02", b"\x02\x03\x05\x00"):
        frame = inside(4, options=options)
        assert through(l, kind, inner, frame) == frame, options
    whole = inside(4, mss=1460)
    for size in range(14, len(whole)):
        assert through(l, kind, inner, whole[:size]) == whole[:size]


def test_off_leaves_the_mss(l, kind):
    l.tunnel(kind, mtu=1400, clamp=0)
    inner = l.capture(l.dut, "t0")
    check(l, kind, inner, 4, 1460, mss=1460)
    check(l, kind, inner, 6, 1460, mss=1460)


def test_sent_syns_are_left_alone_as_routeros_does(l, kind):
    l.tunnel(kind, mtu=1400)
    inner = l.capture(l.dut, "t0")
    frame = inside(4, mss=1460)
    inner.send(frame)
    l.expect_frame(kind, 100, frame)


def test_a_change_of_mtu_changes_the_clamp(l, kind):
    l.tunnel(kind, mtu=1440)
    inner = l.capture(l.dut, "t0")
    check(l, kind, inner, 4, 1400, mss=1460)
    l.dut.ip("link set t0 mtu 1300")
    check(l, kind, inner, 4, 1260, mss=1460)


def test_a_path_too_small_for_the_mtu_counts_as_well(l, kind):
    """MTU 1500 over an underlay of 1500: without this each full segment would be two fragments."""
    l.tunnel(kind, mtu=1500)
    inner = l.capture(l.dut, "t0")
    l.inject(kind.outer(kind.encap(100, lab.frame_of(60))))
    assert inner.recv(2)
    check(l, kind, inner, 4, 1500 - kind.overhead - 14 - 40, mss=1460)
    check(l, kind, inner, 6, 1500 - kind.overhead - 14 - 60, mss=1460)
