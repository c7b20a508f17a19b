# SPDX-License-Identifier: Apache-2.0
"""rtnetlink for links of the kinds eoip and eoipv6, which iproute2 does not know.

Written from the netlink contract, not from the module: ids and types are spelt out here so that a
change of the module's header shows as a failing test.
"""

import errno
import ipaddress
import os
import socket
import struct

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK = 1, 2, 4
NLM_F_DUMP, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE = 0x300, 0x400, 0x200, 0x100
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_GROUP, IFLA_NET_NS_FD, IFLA_CARRIER, IFLA_LINK_NETNSID = 27, 28, 33, 37
IFLA_OPERSTATE, IFLA_TARGET_NETNSID = 16, 46
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFF_UP = 1

# name: (attribute id, type); "addr" is 4 or 16 bytes by kind.
ATTRIBUTES = {
    "link": (1, "u32"),
    "id": (4, "u32"),
    "local": (6, "addr"),
    "remote": (7, "addr"),
    "ttl": (8, "u8"),
    "tos": (9, "u8"),
    "interval": (32, "u32"),
    "retries": (33, "u8"),
    "abi": (64, "u32"),
    "df": (65, "u8"),
    "fwmark": (66, "u32"),
    "clamp": (67, "u8"),
    "gso": (68, "u8"),
    "last_heard_ms": (69, "u64"),
    "version": (70, "string"),
}
NAMES = {number: (name, kind) for name, (number, kind) in ATTRIBUTES.items()}
NEVER = 2**64 - 1


class NetlinkError(OSError):
    """errno as in OSError; .extack is the kernel's text, .attribute_offset where it pointed."""

    def __init__(self, code, extack):
        super().__init__(code, "%s (%s)" % (os.strerror(code), extack or "no extack"))
        self.extack = extack


def attr(number, payload):
    length = 4 + len(payload)
    return struct.pack("=HH", length, number) + payload + b"\0" * (-length % 4)


def parse_attrs(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[number & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def encode(kind, name, value):
    number, form = ATTRIBUTES[name]
    if isinstance(value, (bytes, bytearray)):  # raw, to send what is wrong
        return attr(number, bytes(value))
    if form == "addr":
        return attr(number, ipaddress.ip_address(value).packed)
    if form == "string":
        return attr(number, value.encode() + b"\0")
    return attr(number, struct.pack({"u8": "=B", "u32": "=I", "u64": "=Q"}[form], value))


def decode(number, payload):
    name, form = NAMES.get(number, ("attr%d" % number, "raw"))
    if form == "addr":
        return name, str(ipaddress.ip_address(payload))
    if form == "string":
        return name, payload.rstrip(b"\0").decode()
    if form == "raw":
        return name, payload.hex()
    return name, int.from_bytes(payload, "little")


class Netlink:
    """One rtnetlink socket; it stays in the netns it was made in."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        self.sock.setsockopt(270, 12, 1)  # NETLINK_GET_STRICT_CHK
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.bind((0, 0))
        self.seq = 0

    def close(self):
        self.sock.close()

    def request(self, kind, flags, body):
        """Sends one request; returns the payloads of the answers, raises NetlinkError."""
        self.seq += 1
        self.sock.send(
            struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST, self.seq, 0) + body
        )
        answers = []
        while True:
            data, at = self.sock.recv(1 << 20), 0
            while at < len(data):
                length, what, mflags, seq, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if seq != self.seq:
                    continue
                if what == NLMSG_DONE:
                    return answers
                if what == NLMSG_ERROR:
                    self._check(payload, mflags)
                    return answers
                answers.append(payload)

    @staticmethod
    def _check(payload, flags):
        code = -struct.unpack_from("=i", payload)[0]
        if code == 0:
            return
        text = ""
        if flags & NLM_F_ACK_TLVS:
            inner = struct.unpack_from("=I", payload, 4)[0]
            skip = 4 + (16 if flags & NLM_F_CAPPED else (inner + 3) & ~3)
            text = parse_attrs(payload[skip:]).get(1, b"").rstrip(b"\0").decode()
        raise NetlinkError(code, text)

    # -- links ------------------------------------------------------------
    @staticmethod
    def _ifinfo(index=0, flags=0, change=0):
        return struct.pack("=BxHiII", 0, 0, index, flags, change)

    @staticmethod
    def _name(name):
        return attr(IFLA_IFNAME, name.encode() + b"\0")

    def _body(self, kind, data, head, **link):
        body = head
        if "name" in link:
            body += Netlink._name(link["name"])
        if "mtu" in link:
            body += attr(IFLA_MTU, struct.pack("=I", link["mtu"]))
        if "group" in link:
            body += attr(IFLA_GROUP, struct.pack("=I", link["group"]))
        if "netns_fd" in link:
            body += attr(IFLA_NET_NS_FD, struct.pack("=I", link["netns_fd"]))
        if "link_netnsid" in link:
            body += attr(IFLA_LINK_NETNSID, struct.pack("=i", link["link_netnsid"]))
        if "address" in link:
            body += attr(IFLA_ADDRESS, bytes.fromhex(link["address"].replace(":", "")))
        payload = b"".join(encode(kind, key, value) for key, value in data.items())
        info = attr(IFLA_INFO_KIND, kind.encode() + b"\0")
        if data:
            info += attr(IFLA_INFO_DATA, payload)
        return body + attr(IFLA_LINKINFO, info)

    def create(self, kind, name, data, up=False, **link):
        """Creates a link; data uses the names of ATTRIBUTES."""
        head = self._ifinfo(0, IFF_UP if up else 0, IFF_UP if up else 0)
        self.request(
            RTM_NEWLINK,
            NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            self._body(kind, data, head, name=name, **link),
        )

    def change(self, kind, name, data, **link):
        self.request(
            RTM_NEWLINK, NLM_F_ACK, self._body(kind, data, self._ifinfo(), name=name, **link)
        )

    def delete(self, name):
        self.request(RTM_DELLINK, NLM_F_ACK, self._ifinfo() + self._name(name))

    def delete_group(self, group):
        self.request(RTM_DELLINK, NLM_F_ACK, self._ifinfo() + attr(IFLA_GROUP, struct.pack("=I", group)))

    def set_up(self, name, up=True):
        self.request(
            RTM_NEWLINK,
            NLM_F_ACK,
            self._ifinfo(0, IFF_UP if up else 0, IFF_UP) + self._name(name),
        )

    @staticmethod
    def _parse(payload):
        index, flags = struct.unpack_from("=iI", payload, 4)
        attrs = parse_attrs(payload[16:])
        link = {
            "index": index,
            "flags": flags,
            "name": attrs[IFLA_IFNAME].rstrip(b"\0").decode(),
            "mtu": struct.unpack("=I", attrs[IFLA_MTU])[0],
            "group": struct.unpack("=I", attrs[IFLA_GROUP])[0],
            "carrier": attrs.get(IFLA_CARRIER, b"\0")[0],
            "operstate": attrs.get(IFLA_OPERSTATE, b"\0")[0],
        }
        if IFLA_LINK in attrs:
            link["link"] = struct.unpack("=I", attrs[IFLA_LINK])[0]
        if IFLA_LINK_NETNSID in attrs:
            link["link_netnsid"] = struct.unpack("=i", attrs[IFLA_LINK_NETNSID])[0]
        info = parse_attrs(attrs.get(IFLA_LINKINFO, b""))
        link["kind"] = info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode()
        if link["kind"] in ("eoip", "eoipv6"):
            data = parse_attrs(info.get(IFLA_INFO_DATA, b""))
            link["data"] = dict(decode(number, value) for number, value in data.items())
        return link

    def get(self, name):
        return self._parse(
            self.request(RTM_GETLINK, NLM_F_ACK, self._ifinfo() + self._name(name))[0]
        )

    def dump(self):
        return [self._parse(p) for p in self.request(RTM_GETLINK, NLM_F_DUMP, self._ifinfo())]

    def exists(self, name):
        try:
            self.get(name)
        except OSError as e:
            if e.errno == errno.ENODEV:
                return False
            raise
        return True
