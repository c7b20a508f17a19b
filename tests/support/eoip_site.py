#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One end of an EoIP or EoIPv6 tunnel, for the site's side of a demonstration.

Stands in for a MikroTik router: a TAP device and a raw socket, with the
sending rules of RouterOS (TTL 255, DF 0, ToS 0, keepalives one way, the first
at once). It shares no code with eoip-tapd. Python's standard library only.

  eoip_site.py --dev eoip1 --local 192.0.2.2 --remote 192.0.2.1 --tunnel-id 7

Prints "ready" when the device is there and up, then one line for each change
of the peer's state. Ends on SIGTERM; its device goes with it. Runs in the
network namespace that it is started in.

Exit codes: 0 ended by a signal, 1 a system call failed (its text on stderr),
2 wrong usage.
"""

import argparse
import fcntl
import ipaddress
import os
import select
import signal
import socket
import struct
import sys
import time

import eoip_wire

TUNSETIFF = 0x400454CA
TUNSETCARRIER = 0x400454E2
IFF_TAP, IFF_NO_PI, IFF_TUN_EXCL = 0x0002, 0x1000, 0x8000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU = 0x8913, 0x8914, 0x8922
IFF_UP = 1
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0
BATCH = 64  # packets taken from one side before the other is looked at
BUFFER_BYTES = 4 << 20


def open_tap(name, mtu):
    """A new TAP device that is up. OSError EBUSY where the name is taken."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16si20x", name.encode(), mtu)
        fcntl.ioctl(control, SIOCSIFMTU, request)
        request = struct.pack("16sH22x", name.encode(), 0)
        present = fcntl.ioctl(control, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("H", present, 16)[0] | IFF_UP
        request = struct.pack("16sH22x", name.encode(), flags)
        fcntl.ioctl(control, SIOCSIFFLAGS, request)
    return fd


def open_raw(local, remote):
    """A raw socket that hears remote only and sends as RouterOS does."""
    ipv6 = remote.version == 6
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_RAW, eoip_wire.protocol(ipv6))
    raw.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        raw.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    if ipv6:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        raw.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
    else:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        raw.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
    if local is not None:
        raw.bind((str(local), 0))
    raw.connect((str(remote), 0))
    return raw


class Endpoint:
    """Moves frames between tap and raw; one thread; times in seconds."""

    def __init__(self, args):
        self.ipv6 = args.remote.version == 6
        self.tunnel_id = args.tunnel_id
        self.keepalive = args.keepalive
        self.raw = open_raw(args.local, args.remote)
        self.tap = open_tap(args.dev, args.mtu)
        self.heard = None
        self.peer_up = None
        self.next_keepalive = time.monotonic()

    def send(self, frame):
        try:
            self.raw.send(eoip_wire.encode(self.ipv6, self.tunnel_id, frame))
        except OSError:
            pass  # as on any link: the frame is lost, the next may not be

    def from_tap(self):
        for _ in range(BATCH):
            try:
                self.send(os.read(self.tap, 65536))
            except BlockingIOError:
                return

    def from_raw(self):
        for _ in range(BATCH):
            try:
                packet = self.raw.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error that the socket kept for us
            if not self.ipv6:
                packet = packet[(packet[0] & 0x0F) * 4 :]
            decoded = eoip_wire.decode(self.ipv6, packet)
            if decoded is None or decoded[0] != self.tunnel_id:
                continue
            self.heard = time.monotonic()
            if not self.peer_up:
                self.set_peer(True)
            if decoded[1]:
                try:
                    os.write(self.tap, decoded[1])
                except OSError:
                    pass  # the device is down or full

    def set_peer(self, up):
        self.peer_up = up
        fcntl.ioctl(self.tap, TUNSETCARRIER, struct.pack("i", int(up)))
        print("peer up" if up else "peer down", flush=True)

    def tick(self):
        """Keepalives and the peer's state. Returns seconds until the next."""
        if self.keepalive is None:
            return None
        interval, retries = self.keepalive
        now = time.monotonic()
        if now >= self.next_keepalive:
            self.send(b"")
            self.next_keepalive = now + interval
        if self.peer_up is not False:
            if self.heard is None or now - self.heard > interval * retries * 1.1:
                self.set_peer(False)
        return max(0.0, min(self.next_keepalive - now, 0.5))

    def run(self):
        if self.keepalive is None:
            self.set_peer(True)
        poll = select.poll()
        poll.register(self.tap, select.POLLIN)
        poll.register(self.raw, select.POLLIN)
        while True:
            wait = self.tick()
            ready = poll.poll(None if wait is None else wait * 1000 + 1)
            for fd, events in ready:
                if fd == self.tap:
                    self.from_tap()
                elif events:
                    self.from_raw()


def keepalive_value(text):
    if text == "off":
        return None
    interval, _, retries = text.partition(",")
    interval, retries = float(interval.rstrip("s")), int(retries or 10)
    if interval <= 0 or retries < 1:
        raise ValueError(text)
    return interval, retries


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dev", required=True, help="name of the new TAP device")
    parser.add_argument("--local", type=ipaddress.ip_address)
    parser.add_argument("--remote", type=ipaddress.ip_address, required=True)
    parser.add_argument("--tunnel-id", type=int, required=True)
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument(
        "--keepalive", type=keepalive_value, default=(10.0, 10),
        metavar="INTERVAL,RETRIES|off", help="seconds and count, default 10,10")
    args = parser.parse_args(argv)
    top = 4095 if args.remote.version == 6 else 65535
    if not 0 <= args.tunnel_id <= top:
        parser.error(f"--tunnel-id: {args.tunnel_id}: 0 to {top} is allowed")
    if args.local is not None and args.local.version != args.remote.version:
        parser.error(f"--local: {args.local}: not of --remote's family")
    return args


def main(argv):
    args = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        endpoint = Endpoint(args)
        print("ready", flush=True)
        endpoint.run()
    except OSError as error:
        print(f"eoip_site: {args.dev}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
