# SPDX-License-Identifier: Apache-2.0
"""IPsec policies of the outer packet: with 'require' nothing goes in or out in clear."""

import lab
import suite
import wire

KEY = "0x" + "0123456789abcdef" * 2


def selector(kind, src, dst):
    return "src %s dst %s proto %s" % (src, dst, "gre" if kind.version == 4 else "97")


def policies(l, kind, level="required"):
    for direction, src, dst in (("out", kind.local, kind.remote), ("in", kind.remote, kind.local)):
        l.dut.ip(
            "xfrm policy add %s dir %s tmpl src %s dst %s proto esp mode transport level %s"
            % (selector(kind, src, dst), direction, src, dst, level)
        )


def states(ns, kind):
    try:
        for spi, src, dst in ((0x101, kind.local, kind.remote), (0x102, kind.remote, kind.local)):
            ns.ip(
                "xfrm state add src %s dst %s proto esp spi %d mode transport auth hmac(sha1) %s enc cbc(aes) %s"
                % (src, dst, spi, "0x" + "11" * 20, KEY)
            )
    except AssertionError as error:
        raise suite.Skip("this kernel has no ESP: %s" % error)


def test_require_keeps_clear_packets_out(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    raw = l.dut.socket(2 if kind.version == 4 else 10, 3, kind.proto)
    frame = lab.frame_of(60)
    l.inject(kind.outer(kind.encap(100, frame)))
    lab.expect(inner, frame)
    policies(l, kind)
    for _ in range(3):
        l.inject(kind.outer(kind.encap(100, frame)))
        l.inject(kind.outer(kind.encap(100, b"")))
    assert inner.recv(0.5) is None
    if kind.version == 4:  # IPv6 checks the policy before it calls the module
        assert l.dut.ethtool_stats("t0")["rx_ipsec_policy"] == 6, l.dut.ethtool_stats("t0")
    assert not list(l.packets(0.2))
    raw.close()


def test_require_without_a_state_sends_nothing(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    inner.send(lab.frame_of(60))
    l.expect_outer(kind)
    policies(l, kind)
    for _ in range(3):
        try:
            inner.send(lab.frame_of(60))
        except OSError:
            pass
    assert not [p for p in l.packets(0.5) if p.proto in (kind.proto, wire.ESP)]


def test_with_states_all_leaves_as_esp(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    policies(l, kind)
    states(l.dut, kind)
    frame = lab.frame_of(200)
    inner.send(frame)
    ip = next(iter(l.packets()))
    assert ip.proto == wire.ESP and frame[20:60] not in ip.payload


def test_keepalives_are_encrypted_too(l, kind):
    policies(l, kind)
    states(l.dut, kind)
    l.tunnel(kind, interval=1, retries=0)
    seen = [p.proto for p in l.packets(3.5) if p.proto in (kind.proto, wire.ESP)]
    assert len(seen) >= 3 and set(seen) == {wire.ESP}, seen


def test_two_modules_talk_through_transport_mode(l, kind):
    policies(l, kind)
    for ns in (l.dut, l.peer):
        states(ns, kind)
    for direction, src, dst in (("in", kind.local, kind.remote), ("out", kind.remote, kind.local)):
        l.peer.ip(
            "xfrm policy add %s dir %s tmpl src %s dst %s proto esp mode transport"
            % (selector(kind, src, dst), direction, src, dst)
        )
    l.tunnel(kind)
    l.peer.nl.create(kind.name, "t0", {"id": 100, "remote": kind.local, "local": kind.remote, "interval": 0}, up=True)
    near, far = l.capture(l.dut, "t0"), l.capture(l.peer, "t0")
    for size in (60, 1000, 1400):
        frame = lab.frame_of(size)
        near.send(frame)
        lab.expect(far, frame)
        far.send(frame)
        lab.expect(near, frame)
    assert not [p for p in l.packets(0.2) if p.proto == kind.proto]
