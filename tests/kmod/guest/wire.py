# SPDX-License-Identifier: Apache-2.0
"""Packets as bytes, written from the wire facts and the RFCs alone.

Nothing here knows the module or its headers, so that both can be wrong only in different ways.
"""

import ipaddress
import struct

GRE, EOIPV6, TCP, UDP, ICMP, ICMPV6, ESP = 47, 97, 6, 17, 1, 58, 50


def packed(address):
    return ipaddress.ip_address(address).packed


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eoip(tunnel_id, frame, length=None):
    """The 8 bytes and the frame; length overrides the field to lie."""
    field = len(frame) if length is None else length
    return (
        b"\x20\x01\x64\x00"
        + bytes((field >> 8, field & 0xFF))
        + bytes((tunnel_id & 0xFF, tunnel_id >> 8))
        + frame
    )


def eoipv6(tunnel_id, frame):
    return bytes((((tunnel_id >> 8) << 4) | 3, tunnel_id & 0xFF)) + frame


def ipv4(src, dst, proto, payload, ttl=255, tos=0, flags=0, offset=0, ident=0, options=b""):
    """flags: 2 = DF, 1 = MF; offset in units of 8 bytes."""
    ihl = 5 + len(options) // 4
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | ihl,
        tos,
        4 * ihl + len(payload),
        ident,
        flags << 13 | offset,
        ttl,
        proto,
        0,
        packed(src),
        packed(dst),
    )
    head += options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload, hops=255, tclass=0, flow=0):
    return (
        struct.pack("!IHBB", 6 << 28 | tclass << 20 | flow, len(payload), proto, hops)
        + packed(src)
        + packed(dst)
        + payload
    )


def ether(dst, src, ethertype, payload, vlans=()):
    tags = b"".join(struct.pack("!HH", tpid, vid) for tpid, vid in vlans)
    return mac(dst) + mac(src) + tags + struct.pack("!H", ethertype) + payload


def ipv4_fragments(packet, mtu, ident):
    """Cuts an IPv4 packet without options into fragments."""
    step = (mtu - 20) & ~7
    head, payload = packet[:20], packet[20:]
    out = []
    for at in range(0, len(payload), step):
        part = payload[at : at + step]
        more = at + step < len(payload)
        frag = bytearray(head)
        struct.pack_into("!H", frag, 4, ident)
        struct.pack_into("!H", frag, 2, 20 + len(part))
        struct.pack_into("!H", frag, 6, (1 << 13 if more else 0) | at // 8)
        frag[10:12] = b"\0\0"
        struct.pack_into("!H", frag, 10, checksum(bytes(frag)))
        out.append(bytes(frag) + part)
    return out


def ipv6_fragments(packet, mtu, ident):
    step = (mtu - 48) & ~7
    payload, proto = packet[40:], packet[6]
    out = []
    for at in range(0, len(payload), step):
        part = payload[at : at + step]
        more = at + step < len(payload)
        head = bytearray(packet[:40])
        head[6] = 44
        struct.pack_into("!H", head, 4, 8 + len(part))
        frag = struct.pack("!BBHI", proto, 0, at | (1 if more else 0), ident)
        out.append(bytes(head) + frag + part)
    return out


class Ip:
    """A decoded IPv4 or IPv6 packet; raises ValueError on what is inconsistent."""

    def __init__(self, data):
        self.version = data[0] >> 4
        if self.version == 4:
            ihl = (data[0] & 15) * 4
            total = struct.unpack_from("!H", data, 2)[0]
            if ihl < 20 or total < ihl or total > len(data):
                raise ValueError("IPv4 lengths: ihl %d, total %d of %d" % (ihl, total, len(data)))
            if checksum(data[:ihl]) != 0:
                raise ValueError("IPv4 header checksum")
            self.tos, self.ttl, self.proto = data[1], data[8], data[9]
            frag = struct.unpack_from("!H", data, 6)[0]
            self.df, self.more, self.offset = frag >> 14 & 1, frag >> 13 & 1, (frag & 0x1FFF) * 8
            self.ident = struct.unpack_from("!H", data, 4)[0]
            self.src = str(ipaddress.ip_address(data[12:16]))
            self.dst = str(ipaddress.ip_address(data[16:20]))
            self.options, self.payload = data[20:ihl], data[ihl:total]
            return
        word, length, self.proto, self.ttl = struct.unpack_from("!IHBB", data)
        if length + 40 > len(data):
            raise ValueError("IPv6 length %d of %d" % (length, len(data) - 40))
        self.tos, self.flow = word >> 20 & 0xFF, word & 0xFFFFF
        self.src = str(ipaddress.ip_address(data[8:24]))
        self.dst = str(ipaddress.ip_address(data[24:40]))
        self.payload = data[40 : 40 + length]
        self.df = self.more = self.offset = self.ident = 0
        if self.proto == 60:  # destination options (the tunnel encapsulation limit)
            raise ValueError("IPv6 destination options header")
        if self.proto == 44:
            self.proto, _, off, self.ident = struct.unpack_from("!BBHI", self.payload)
            self.offset, self.more = off & ~7, off & 1
            self.payload = self.payload[8:]


class Reassembler:
    """Puts fragments together; feed() returns a whole Ip or None."""

    def __init__(self):
        self.parts = {}
        self.fragments = 0

    def feed(self, ip):
        if not ip.more and not ip.offset:
            return ip
        self.fragments += 1
        key = (ip.src, ip.dst, ip.proto, ip.ident)
        have = self.parts.setdefault(key, {})
        have[ip.offset] = ip
        at = 0
        data = b""
        while at in have:
            data += have[at].payload
            if not have[at].more:
                ip.payload, ip.offset, ip.more = data, 0, 0
                del self.parts[key]
                return ip
            at += len(have[at].payload)
        return None


def parse_eoip(payload):
    """(id, frame) of an EoIP payload, strictly."""
    if len(payload) < 8 or payload[:4] != b"\x20\x01\x64\x00":
        raise ValueError("EoIP header " + payload[:8].hex())
    length = payload[4] << 8 | payload[5]
    if length != len(payload) - 8:
        raise ValueError("EoIP length field %d of %d" % (length, len(payload) - 8))
    return payload[6] | payload[7] << 8, payload[8:]


def parse_eoipv6(payload):
    if len(payload) < 2 or payload[0] & 15 != 3:
        raise ValueError("EoIPv6 header " + payload[:2].hex())
    return payload[0] >> 4 << 8 | payload[1], payload[2:]


def pseudo(src, dst, proto, length):
    if len(packed(src)) == 4:
        return packed(src) + packed(dst) + struct.pack("!BBH", 0, proto, length)
    return packed(src) + packed(dst) + struct.pack("!IHBB", length, 0, 0, proto)


def tcp(src, dst, sport=1000, dport=2000, flags=2, mss=None, options=b"", payload=b"", seq=7):
    if mss is not None:
        options += struct.pack("!BBH", 2, 4, mss)
    options += b"\x01" * (-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, (5 + len(options) // 4) << 4, flags, 8192, 0, 0)
    segment = head + options + payload
    value = checksum(pseudo(src, dst, TCP, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", value) + segment[18:]


def udp(src, dst, payload, sport=1000, dport=2000):
    segment = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    value = checksum(pseudo(src, dst, UDP, len(segment)) + segment) or 0xFFFF
    return segment[:6] + struct.pack("!H", value) + segment[8:]


def tcp_mss(segment):
    """The MSS option of a TCP header, None when there is none."""
    at, end = 20, (segment[12] >> 4) * 4
    while at < end and segment[at] != 0:
        if segment[at] == 1:
            at += 1
            continue
        if segment[at] == 2:
            return struct.unpack_from("!H", segment, at + 2)[0]
        at += segment[at + 1]
    return None
