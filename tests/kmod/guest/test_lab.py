# SPDX-License-Identifier: Apache-2.0
"""Proves the lab itself with gretap of the kernel: what it says of eoip would be worth nothing else."""

import struct

import lab
import wire


def test_injects_and_captures_every_byte(l):
    l.dut.ip("link add g0 type gretap local 10.0.0.1 remote 10.0.0.2", "link set g0 up")
    inner = l.capture(l.dut, "g0")
    for size in (14, 42, 60, 1000):
        frame = lab.frame_of(size)
        inner.send(frame)
        ip = next(p for p in l.packets() if p.proto == wire.GRE)
        assert ip.payload == b"\0\0\x65\x58" + frame, ip.payload.hex()
        l.inject(wire.ipv4("10.0.0.2", "10.0.0.1", wire.GRE, b"\0\0\x65\x58" + frame))
        lab.expect(inner, frame)


def test_reassembles_fragments_both_ways(l):
    l.dut.ip("link add g0 type gretap local 10.0.0.1 remote 10.0.0.2 nopmtudisc ignore-df", "link set g0 mtu 9000 up")
    inner = l.capture(l.dut, "g0")
    frame = lab.frame_of(9014)
    inner.send(frame)
    ip = next(p for p in l.packets() if p.proto == wire.GRE)
    assert ip.payload[4:] == frame and l.reassembler.fragments > 5
    whole = wire.ipv4("10.0.0.2", "10.0.0.1", wire.GRE, b"\0\0\x65\x58" + frame)
    l.inject(whole)
    lab.expect(inner, frame)


def test_encoders_give_the_known_bytes(l):
    for number, raw in ((0, "0000"), (1, "0100"), (100, "6400"), (0xABC, "bc0a"), (4095, "ff0f"), (65535, "ffff")):
        assert wire.eoip(number, b"x" * 300).hex().startswith("20016400012c" + raw)
    for number, raw in ((0, "0300"), (1, "0301"), (100, "0364"), (1234, "43d2"), (0xABC, "a3bc"), (4095, "f3ff")):
        assert wire.eoipv6(number, b"").hex() == raw
        assert wire.parse_eoipv6(bytes.fromhex(raw)) == (number, b"")


def test_checksums_agree_with_the_kernel(l):
    with l.dut:
        import socket

        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("10.0.0.1", 2000))
    with s:
        l.inject(wire.ipv4("10.0.0.2", "10.0.0.1", wire.UDP, wire.udp("10.0.0.2", "10.0.0.1", b"right")))
        bad = bytearray(wire.udp("10.0.0.2", "10.0.0.1", b"wrong"))
        struct.pack_into("!H", bad, 6, struct.unpack_from("!H", bad, 6)[0] ^ 1)
        l.inject(wire.ipv4("10.0.0.2", "10.0.0.1", wire.UDP, bytes(bad)))
        l.inject(wire.ipv4("10.0.0.2", "10.0.0.1", wire.UDP, wire.udp("10.0.0.2", "10.0.0.1", b"again")))
        s.settimeout(2)
        assert s.recv(100) == b"right" and s.recv(100) == b"again"
