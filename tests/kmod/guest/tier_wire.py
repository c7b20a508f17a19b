#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tier_wire.py COUNT [WORD...]: COUNT packets captured over five underlays and COUNT malformed ones.

Every captured packet is checked by tools/wirecheck.c where it is as on a wire: one packet per frame. The
traffic is TCP with odd write sizes, UDP GSO and TCP that the host forwards after GRO merged it.
"""

import subprocess
import sys
import time

import lab

# host h1 --vh-- dut (u0) --- [router] --- peer: TCP from dut, and from h1 through the dut's t0
UNDERLAYS = {
    "gso": {"router": True},
    "per-packet": {"segment": False},
    "underlay-gro": {"segment": False, "gro": True, "tap": True},
    "mtu-1500": {"segment": False, "clamp": 0, "mtu": 1500},
    "mss-1400": {"segment": False, "mss": 1400},
}
WRITES = (1111, 65537, 777, 31337)


def spawn(ns, *command):
    with ns:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ethtool(ns, link, *words):
    ns.run("ethtool", "-K", link, *words)


PER_PACKET = ("tso", "off", "gso", "off", "tx-gre-segmentation", "off")


class Site(lab.Lab):
    """Both ends have the module; a host h1 behind the dut; the peer is the far host."""

    def __init__(self, router=False, segment=True, gro=False, tap=False, mss=None, mtu=1458, clamp=1):
        super().__init__()
        self.mss = mss
        self.watch = (self.peer, "u0")
        if tap:
            self.add_tap()
        if router:
            self.add_router()
        elif not segment:
            ethtool(self.dut, "u0", *PER_PACKET)
        if gro:
            ethtool(self.peer, "u0", "gro", "on")
            ethtool(self.dut, "u0", "gro", "on")
        for ns, local, remote in ((self.dut, self.near, self.far), (self.peer, self.far, self.near)):
            data = {"id": 100, "local": local, "remote": remote, "clamp": clamp, "interval": 0}
            ns.nl.create("eoip", "t0", data, mtu=mtu, up=True)
        self.peer.ip("addr add 192.0.2.2/24 dev t0", "route add 198.51.100.0/24 via 192.0.2.1")
        self.dut.ip("addr add 192.0.2.1/24 dev t0")
        self.add_host()

    near, far = "10.0.0.1", "10.0.0.2"

    def add_router(self):
        """u0 of the peer goes behind a router that segments what the dut sends whole."""
        router = self.netns("router")
        self.peer.ip("link set u0 netns router")
        router.ip(
            "link set u0 up",
            "addr add 10.0.0.2/24 dev u0",
            "neigh replace 10.0.0.1 lladdr %s dev u0 nud permanent" % lab.DUT_MAC,
            "link add r0 type veth peer name u0 netns peer",
            "link set r0 up",
            "addr add 10.1.0.1/24 dev r0",
        )
        router.sysctl(ipv4__ip_forward=1)
        ethtool(router, "r0", *PER_PACKET)
        self.peer.ip("link set u0 up", "addr add 10.1.0.2/24 dev u0", "route add 10.0.0.0/24 via 10.1.0.1")
        self.dut.ip("route add 10.1.0.0/24 via 10.0.0.2")
        self.far = "10.1.0.2"

    def add_tap(self):
        """A bridge in the cable, where packets are seen before the peer's GRO merges them."""
        tap = self.netns("tap")
        self.peer.ip("link set u0 netns tap")
        tap.ip(
            "link add br0 type bridge",
            "link set br0 up",
            "link set u0 address 02:00:00:00:00:0c",
            "link set u0 up master br0",
            "link add p1 type veth peer name u0 netns peer address " + lab.PEER_MAC,
            "link set p1 up master br0",
        )
        ethtool(tap, "p1", *PER_PACKET)
        self.peer.ip(
            "link set u0 up",
            "addr add 10.0.0.2/24 dev u0",
            "neigh replace 10.0.0.1 lladdr %s dev u0 nud permanent" % lab.DUT_MAC,
        )
        self.watch = (tap, "u0")

    def add_host(self):
        """A host whose TCP the dut forwards into the tunnel, merged by GRO on the way in."""
        self.host = self.netns("host")
        self.host.ip("link add h0 type veth peer name h1 netns dut", "link set h0 up", "addr add 198.51.100.2/24 dev h0")
        self.dut.ip("link set h1 up", "addr add 198.51.100.1/24 dev h1")
        self.host.ip("route add default via 198.51.100.1")
        self.dut.sysctl(ipv4__ip_forward=1)
        ethtool(self.host, "h0", *PER_PACKET)
        ethtool(self.dut, "h1", "gro", "on")


def iperf(site, ns, seconds, write, udp=False):
    """A second of TCP (or UDP) to the peer with this write size."""
    server = spawn(site.peer, "iperf3", "-s", "-1", "--forceflush")
    for line in server.stdout:
        if "Server listening" in line:
            break
    command = ["iperf3", "-c", "192.0.2.2", "-t", str(seconds), "-l", str(write)]
    if site.mss:
        command += ["-M", str(site.mss)]
    if udp:
        command += ["-u", "-b", "0"]
    ns.run(*command)
    server.communicate()


def capture(name, options, count):
    """One underlay; returns whether its packets were right."""
    site = Site(**options)
    check = spawn(site.watch[0], "/lab/wirecheck", site.watch[1], str(count), "20")
    try:
        assert check.stdout.readline().strip() == "WIRE ready"
        start, turn = time.monotonic(), 0
        while check.poll() is None:
            iperf(site, site.host if turn % 3 == 1 else site.dut, 1, WRITES[turn % len(WRITES)])
            if turn % 3 == 2:
                site.dut.run("/lab/udpgso", "192.0.2.2", "9", "700", "21000", "1")
                site.dut.run("/lab/udpgso", "192.0.2.2", "9", "1111", "21013", "1")
            turn += 1
            assert time.monotonic() - start < 1200, "the count was not reached"
        lines = check.stdout.read().strip()
        stats = site.dut.ethtool_stats("t0")
        print("%s: %s" % (name, lines.replace("\n", "\n    ")), flush=True)
        print("    " + " ".join("%s=%d" % item for item in stats.items() if item[1]), flush=True)
        return check.returncode == 0
    finally:
        check.kill()
        check.wait()
        site.remove()


def malformed(kind, count):
    """COUNT packets that a tunnel must not deliver, and its counters must know."""
    site = lab.Lab()
    try:
        site.tunnel(kind)
        inner = site.capture(site.dut, "t0")
        source, seed = kind.remote, "20260101"
        out = site.peer.run(
            "/lab/malform", "u0", lab.DUT_MAC, lab.PEER_MAC, kind.local, source, "100", str(count), seed
        )
        sent = dict(word.split("=") for word in out.split()[1:])
        sent = {key: int(value) for key, value in sent.items()}
        good = lab.frame_of(64)
        site.inject(kind.outer(kind.encap(100, good)))
        lab.expect(inner, good, 10)
        stats, rx = site.dut.ethtool_stats("t0"), site.dut.stats("t0")["rx"]
        counted = (stats["rx_bad_lengths"], stats["rx_short_frames"])
        print("malformed %s: %s counted=%d+%d delivered=%d" % (kind.name, out.strip(), *counted, rx["packets"] - 1), flush=True)
        return counted == (sent["long"], sent["short"]) and rx["packets"] == 1
    finally:
        site.remove()


def main(args):
    count, words = int(args[0]), args[1:]
    jobs = {name: (lambda n=name, o=options: capture(n, o, count // 5)) for name, options in UNDERLAYS.items()}
    for kind in lab.KINDS.values():
        jobs["malformed-" + kind.name] = lambda k=kind: malformed(k, count)
    passed = failed = 0
    for name, job in jobs.items():
        if words and not any(w in name for w in words):
            continue
        try:
            right = job()
        except Exception as error:
            print("failed  %s: %s: %s" % (name, type(error).__name__, error), flush=True)
            right = False
        else:
            if not right:
                print("failed  " + name, flush=True)
        passed, failed = passed + right, failed + (not right)
    print("RESULT run=%d passed=%d failed=%d skipped=0" % (passed + failed, passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
