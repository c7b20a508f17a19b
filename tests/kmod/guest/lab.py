# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of one test: the host with the tunnels and the peer that is nothing but sockets.

   dut: u0 10.0.0.1 fd00::1 --veth-- peer: u0 10.0.0.2 fd00::2

The peer never uses the module: it sends and captures whole packets made by wire.py.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import time

import eoip_link
import wire

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
PACKET_IGNORE_OUTGOING, PACKET_AUXDATA = 23, 8
PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST = range(4)
DUT_MAC, PEER_MAC = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HOST1, HOST2 = "02:11:11:11:11:11", "02:22:22:22:22:22"


def run(*command, check=True, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(
            "%s: code %d: %s" % (" ".join(command), done.returncode, done.stdout + done.stderr)
        )
    return done.stdout


class Netns:
    """A named netns; tests enter it to make sockets, the sockets stay there."""

    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        self.fd = os.open("/run/netns/" + name, os.O_RDONLY | os.O_CLOEXEC)
        with self:
            self.nl = eoip_link.Netlink()
        # Quiet: no packet that a test did not ask for, no limit on those it provokes.
        self.sysctl(
            ipv6__conf__default__disable_ipv6=1,
            ipv6__conf__default__accept_dad=0,
            ipv6__conf__default__router_solicitations=0,
            ipv6__conf__default__addr_gen_mode=1,
            ipv4__icmp_ratelimit=0,
            ipv6__icmp__ratelimit=0,
        )
        self.ip("link set lo up")

    def __enter__(self):
        self.back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if LIBC.setns(self.fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + self.name)
        return self

    def __exit__(self, *_):
        if LIBC.setns(self.back, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns back")
        os.close(self.back)

    def ip(self, *lines):
        """Runs lines of iproute2 without the leading 'ip'."""
        run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines) + "\n")

    def run(self, *command, check=True, stdin=None):
        with self:
            return run(*command, check=check, stdin=stdin)

    def sysctl(self, **values):
        with self:
            for key, value in values.items():
                with open("/proc/sys/net/" + key.replace("__", "/"), "w") as f:
                    f.write(str(value))

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def packet_socket(self, link):
        with self:
            return PacketSocket(link)

    def ethtool_stats(self, link):
        """The counters of ethtool -S, {} when the link has none."""
        out = self.run("ethtool", "-S", link, check=False)
        pairs = (line.split(":", 1) for line in out.splitlines() if ":" in line)
        return {k.strip(): int(v) for k, v in pairs if v.strip().isdigit()}

    def stats(self, link):
        return json.loads(run("ip", "-n", self.name, "-j", "-s", "link", "show", link))[0]["stats64"]

    def running(self, link):
        """Whether it is up and its queue takes packets; carrier alone may come before that."""
        with self.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            asked = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH14x", link.encode(), 0))
        return bool(struct.unpack("16xH14x", asked)[0] & IFF_RUNNING)

    def counted(self):
        """What its links and its IP counted so far, without zeros."""
        links = json.loads(run("ip", "-n", self.name, "-j", "-s", "link"))
        found = {
            link["ifname"]: {
                **{way + " " + k: v for way in ("rx", "tx") for k, v in link["stats64"][way].items() if v},
                **{k: v for k, v in self.ethtool_stats(link["ifname"]).items() if v},
            }
            for link in links
        }
        with self, open("/proc/net/snmp6") as f:
            found["ipv6"] = {k: int(v) for k, v in map(str.split, f) if int(v)}
        return found

    def delete(self):
        self.nl.close()
        os.close(self.fd)
        run("ip", "netns", "del", self.name, check=False)


class PacketSocket:
    """All frames received by a link, none it sends; and a way to send frames out of it."""

    def __init__(self, link):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.sock.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(263, PACKET_AUXDATA, 1)
        self.sock.bind((link, ETH_P_ALL))

    def fileno(self):
        return self.sock.fileno()

    def send(self, frame):
        self.sock.send(frame)

    def recv(self, timeout):
        """(frame, packet type) or None when nothing came in time."""
        if not select.select([self.sock], [], [], max(0, timeout))[0]:
            return None
        try:
            data, aux, _, address = self.sock.recvmsg(1 << 17, 256)
        except OSError as error:
            if error.errno == errno.ENETDOWN:  # said once when the link goes down
                return None
            raise
        for level, kind, value in aux:
            if level == 263 and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID: the kernel took the tag out
                    proto = tpid if status & 0x40 else 0x8100
                    data = data[:12] + struct.pack("!HH", proto, tci) + data[12:]
        return data, address[2]

    def close(self):
        self.sock.close()


class Kind:
    """What differs between the two kinds."""

    def __init__(self, name, version, local, remote, other, proto, ids):
        self.name, self.version, self.proto, self.ids = name, version, proto, ids
        self.local, self.remote, self.other = local, remote, other
        self.overhead = 28 if version == 4 else 42
        self.max_id = ids[-1]

    def encap(self, tunnel_id, frame, **how):
        if self.version == 4:
            return wire.eoip(tunnel_id, frame, **how)
        return wire.eoipv6(tunnel_id, frame)

    def outer(self, payload, src=None, dst=None, ttl=255, tos=0, proto=None):
        src, dst = src or self.remote, dst or self.local
        if self.version == 4:
            return wire.ipv4(src, dst, proto or self.proto, payload, ttl=ttl, tos=tos)
        return wire.ipv6(src, dst, proto or self.proto, payload, hops=ttl, tclass=tos)

    def parse(self, ip):
        return wire.parse_eoip(ip.payload) if self.version == 4 else wire.parse_eoipv6(ip.payload)


EOIP = Kind("eoip", 4, "10.0.0.1", "10.0.0.2", "10.0.0.3", wire.GRE, [0, 1, 100, 0xABC, 4095, 65535])
EOIPV6 = Kind("eoipv6", 6, "fd00::1", "fd00::2", "fd00::3", wire.EOIPV6, [0, 1, 1234, 4095])
KINDS = {"eoip": EOIP, "eoipv6": EOIPV6}


class Lab:
    """dut and peer with their cable; remove() undoes all."""

    def __init__(self, mtu=1500):
        self.mtu, self.ident = mtu, 0
        self.spaces = []
        self.sockets = []
        self.dut, self.peer = self.netns("dut"), self.netns("peer")
        self.dut.ip(
            "link add u0 address %s mtu %d type veth peer name u0 netns %s address %s mtu %d"
            % (DUT_MAC, mtu, self.peer.name, PEER_MAC, mtu)
        )
        for ns, last, far, far_mac in (
            (self.dut, 1, 2, PEER_MAC),
            (self.peer, 2, 1, DUT_MAC),
        ):
            ns.sysctl(ipv6__conf__u0__disable_ipv6=0, ipv6__conf__lo__disable_ipv6=0)
            ns.ip(
                "link set u0 up",
                "addr add 10.0.0.%d/24 dev u0" % last,
                "addr add fd00::%d/64 dev u0 nodad" % last,
                "neigh replace 10.0.0.%d lladdr %s dev u0 nud permanent" % (far, far_mac),
                "neigh replace fd00::%d lladdr %s dev u0 nud permanent" % (far, far_mac),
                "neigh replace 10.0.0.3 lladdr %s dev u0 nud permanent" % far_mac,
                "neigh replace fd00::3 lladdr %s dev u0 nud permanent" % far_mac,
            )
        for ns in self.spaces:
            wait_for(lambda: ns.running("u0"), 10, "the cable in " + ns.name)
        self.wire = self.capture(self.peer, "u0")
        self.reassembler = wire.Reassembler()

    def netns(self, name):
        ns = Netns(name)
        self.spaces.append(ns)
        return ns

    def capture(self, ns, link):
        sock = ns.packet_socket(link)
        self.sockets.append(sock)
        return sock

    def remove(self):
        for sock in self.sockets:
            sock.close()
        for ns in reversed(self.spaces):
            ns.delete()

    # -- tunnels ------------------------------------------------------------
    def tunnel(self, kind, name="t0", tunnel_id=100, up=True, mtu=None, **data):
        """A tunnel of the dut to the peer; keepalives are off unless asked for."""
        data.setdefault("interval", 0)
        data = {"id": tunnel_id, "local": kind.local, "remote": kind.remote, **data}
        data = {k: v for k, v in data.items() if v is not None}
        link = {} if mtu is None else {"mtu": mtu}
        self.dut.nl.create(kind.name, name, data, **link)
        if up:
            self.dut.nl.set_up(name)

    # -- the peer's side ------------------------------------------------------
    def inject(self, packet):
        """Sends an IP packet from the peer to the dut, in fragments where the cable is too small."""
        ethertype, parts = (0x0800, [packet]) if packet[0] >> 4 == 4 else (0x86DD, [packet])
        if len(packet) > self.mtu:
            self.ident += 1
            cut = wire.ipv4_fragments if ethertype == 0x0800 else wire.ipv6_fragments
            parts = cut(packet, self.mtu, self.ident)
        for part in parts:
            self.wire.send(wire.ether(DUT_MAC, PEER_MAC, ethertype, part))

    def packets(self, timeout=2.0, keep_fragments=False):
        """Yields the IP packets that reach the peer within the time given.

        IPv6 hosts report their multicast groups (hop-by-hop header) when they like: left out.
        """
        end = time.monotonic() + timeout
        while True:
            got = self.wire.recv(end - time.monotonic())
            if got is None:
                return
            frame = got[0]
            if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            ip = wire.Ip(frame[14:])
            if ip.version == 6 and ip.proto == 0:
                continue
            if not keep_fragments:
                ip = self.reassembler.feed(ip)
            if ip is not None:
                yield ip

    def expect_outer(self, kind, timeout=2.0):
        """The next packet of the tunnel's protocol at the peer."""
        for ip in self.packets(timeout):
            if ip.proto == kind.proto and ip.version == kind.version:
                return ip
        raise AssertionError("no %s packet reached the peer in %g s" % (kind.name, timeout))

    def expect_frame(self, kind, tunnel_id, frame, timeout=2.0):
        ip = self.expect_outer(kind, timeout)
        got_id, got = kind.parse(ip)
        assert got_id == tunnel_id, "id %d, not %d" % (got_id, tunnel_id)
        assert got == frame, "frame of %d bytes differs from the %d sent: %s" % (
            len(got),
            len(frame),
            got[:80].hex(),
        )
        return ip


def expect(sock, frame, timeout=2.0):
    """The next frame of a packet socket is this one; returns its packet type."""
    got = sock.recv(timeout)
    assert got is not None, "no frame came in %g s" % timeout
    assert got[0] == frame, "another frame came (%d bytes, not %d): %s" % (
        len(got[0]),
        len(frame),
        got[0][:80].hex(),
    )
    return got[1]


def wait_for(condition, timeout, what):
    """Polls until the condition holds; returns the seconds it took."""
    start = time.monotonic()
    while not condition():
        waited = time.monotonic() - start
        assert waited < timeout, "%s: not within %g s" % (what, timeout)
        select.select([], [], [], 0.04)
    return time.monotonic() - start


def frame_of(size, fill=0x5A, dst=HOST2, src=HOST1, ethertype=0x88B5):
    """A frame of exactly so many bytes; its content depends on the place."""
    body = bytes((fill + i) & 0xFF for i in range(size - 14))
    return wire.ether(dst, src, ethertype, body)


@contextlib.contextmanager
def refused(code, *words):
    """The block must fail with this errno and an extack that has one of the words."""
    try:
        yield
    except eoip_link.NetlinkError as error:
        assert error.errno == code, "code %s, not %s" % (error, os.strerror(code))
        text = error.extack.lower()
        assert not words or any(w in text for w in words), (
            "extack %r names none of %s" % (error.extack, ", ".join(words))
        )
        return
    raise AssertionError("was accepted")
