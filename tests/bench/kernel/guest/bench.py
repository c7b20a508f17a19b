#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py KERNEL exact|smp|profile [ID...]: ratios of the module to what the kernel ships, in one run.

Prints "BENCH <id> <kernel> <case> ratio=<x> floor=<y> target=<z> ok|short" for each goal and the rates
they come from as "RATE <case> <mode> <value>". 'exact' is for QEMU's instruction clock, 'smp' for
two CPUs in real time; rounds alternate, and the median of their ratios counts. 'profile' is one round of
'exact' with marks around each measurement for ../profile.
"""

import json
import re
import statistics
import subprocess
import sys
import time

import lab

SECONDS = 1
# What the widest of the encapsulations leaves of 1500 (ip6gretap takes 58), for all of them, so
# that all carry the same segments.
MTU = 1442
PROFILE = False
PER_PACKET = ("tso", "off", "gso", "off", "tx-gre-segmentation", "off", "tx-gre-csum-segmentation", "off",
              "tx-udp_tnl-segmentation", "off")
GOALS = {
    # id: (floor, target)
    "K1": (1.00, 1.02),
    "K2": (0.93, 0.95),
    "K4": (1.03, 1.07),
    "K5": (1.00, 1.02),
    "K6": (1.08, 1.15),
    "K7": (1.20, 1.30),
    "K8": (3.5, 4.0),
    "K11": (0.95, 0.98),
    "K12": (0.98, 1.02),
}


class Bench(lab.Lab):
    """dut and peer, each with the links of one mode at a time; label keeps two of them apart."""

    def __init__(self, per_packet=False, gro=False, label=""):
        self.label = label
        super().__init__()
        self.wire.close()  # a capture would cost every packet
        self.sockets.remove(self.wire)
        for ns in (self.dut, self.peer):
            if per_packet:
                # An option that a kernel does not have is one it cannot use either.
                for name, value in zip(PER_PACKET[::2], PER_PACKET[1::2]):
                    ns.run("ethtool", "-K", "u0", name, value, check=False)
            if gro:
                ns.run("ethtool", "-K", "u0", "gro", "on")

    def netns(self, name):
        return super().netns(self.label + name)

    def up(self, mode, mtu=None, clamp=1):
        """Makes the mode's links; returns the address of the peer inside."""
        if mode == "veth":
            return "10.0.0.2"
        for ns, near, far in ((self.dut, 1, 2), (self.peer, 2, 1)):
            v4 = "local 10.0.0.%d remote 10.0.0.%d" % (near, far)
            v6 = "local fd00::%d remote fd00::%d" % (near, far)
            if mode in lab.KINDS:
                kind = lab.KINDS[mode]
                ends = (kind.local, kind.remote)[:: 1 if near == 1 else -1]
                data = {"id": 100, "local": ends[0], "remote": ends[1], "clamp": clamp, "interval": 0}
                ns.nl.create(mode, "t0", data, mtu=mtu or MTU)
            else:
                ns.ip("link add t0 mtu %d type " % MTU + {
                    "gretap": "gretap " + v4,
                    "vxlan": "vxlan id 100 dstport 4789 " + v4,
                    "ip6gretap": "ip6gretap encaplimit none " + v6,
                }[mode])
            ns.ip("link set t0 up", "addr add 192.0.2.%d/24 dev t0" % near)
        return "192.0.2.2"

    def down(self, mode):
        if mode != "veth":
            for ns in (self.dut, self.peer):
                ns.ip("link del t0")


def iperf(bench, target, *options):
    with bench.peer:
        server = subprocess.Popen(["iperf3", "-s", "-1", "--forceflush"], stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        if "Server listening" in line:
            break
    try:
        out = bench.dut.run("iperf3", "-J", "-c", target, "-t", str(SECONDS), *options)
        server.communicate()
    finally:
        server.kill()
        server.wait()
    return json.loads(out)["end"]


def tcp(bench, target):
    return iperf(bench, target)["sum_received"]["bits_per_second"] / 1e6


def udp64(bench, target):
    end = iperf(bench, target, "-u", "-b", "0", "-l", "64")["sum"]
    received = end["packets"] - end["lost_packets"]
    assert received > 0, end
    return received / end["seconds"]


def pktgen(bench, target):
    """Frames of 60 bytes per second that the device takes; the peer throws them away unseen."""
    link = "u0" if target == "10.0.0.2" else "t0"
    bench.peer.run("tc", "qdisc", "add", "dev", "u0", "clsact")
    bench.peer.run("tc", "filter", "add", "dev", "u0", "ingress", "matchall", "action", "drop")
    lab.run("modprobe", "pktgen")
    with bench.dut:
        def put(name, line):
            with open("/proc/net/pktgen/" + name, "w") as f:
                f.write(line + "\n")

        put("kpktgend_0", "rem_device_all")
        put("kpktgend_0", "add_device " + link)
        for line in ("count 100000", "clone_skb 0", "pkt_size 60", "delay 0", "dst 198.51.100.1", "dst_mac " + lab.HOST2):
            put(link, line)
        put("pgctrl", "start")
        with open("/proc/net/pktgen/" + link) as f:
            text = f.read()
        put("kpktgend_0", "rem_device_all")
    bench.peer.run("tc", "qdisc", "del", "dev", "u0", "clsact")
    found = re.search(r"(\d+)pps", text)
    assert found and "errors: 0" in text, text
    return float(found.group(1))


def mark(*words):
    """Tells ../profile that a measurement begins or ends."""
    if PROFILE:
        print("MARK", *words, flush=True)


def module_symbols():
    with open("/proc/kallsyms") as f:
        for line in f:
            if "[" in line and line.split()[1] in "tTwW":
                print("SYM", line.strip())


def idle_share():
    """What of half a second no CPU had anything to do."""

    def now():
        with open("/proc/stat") as f:
            ticks = [int(word) for word in f.readline().split()[1:9]]
        return ticks[3], sum(ticks)

    idle, total = now()
    time.sleep(0.5)
    idle_after, total_after = now()
    return (idle_after - idle) / (total_after - total)


def settle():
    """Waits until the guest does nothing by itself.

    Since 6.12 the kernel starts init while its crypto self-tests still run; they took 40 % of the first
    measurement on 6.12, and ran on into the next.
    """
    lab.wait_for(lambda: idle_share() > 0.95, 600, "an idle guest")


def rates(case, modes, measure, rounds, up=None, **site):
    """{mode: [rate per round]}, the modes taking turns."""
    bench = Bench(**site)
    got = {mode: [] for mode in modes}
    try:
        settle()
        # Not counted: the first one is cold, on 6.12 veth had 1150 Mbit/s without and 1165 with this.
        name, options = up[modes[0]] if up else (modes[0], {})
        measure(bench, bench.up(name, **options))
        bench.down(name)
        for _ in range(rounds):
            for mode in modes:
                name, options = up[mode] if up else (mode, {})
                target = bench.up(name, **options)
                mark("start", case, mode)
                got[mode].append(measure(bench, target))
                mark("stop", case, mode)
                bench.down(name)
    finally:
        bench.remove()
    for mode in modes:
        print("RATE %s %s %.1f" % (case, mode, statistics.median(got[mode])), flush=True)
    return got


def ratio(got, ours, theirs):
    return statistics.median(a / b for a, b in zip(got[ours], got[theirs]))


class Report:
    def __init__(self, kernel):
        self.kernel, self.short = kernel, 0

    def goal(self, number, case, value):
        floor, target = GOALS[number]
        held = value >= floor
        self.short += not held
        print("BENCH %s %s %s ratio=%.3f floor=%.2f target=%.2f %s"
              % (number, self.kernel, case, value, floor, target, "ok" if held else "short"), flush=True)


def k1_k2(report, rounds):
    got = rates("tcp-gso", ("veth", "gretap", "vxlan", "eoip"), tcp, rounds)
    report.goal("K1", "tcp-gso/gretap", ratio(got, "eoip", "gretap"))
    report.goal("K1", "tcp-gso/vxlan", ratio(got, "eoip", "vxlan"))
    report.goal("K2", "tcp-gso/veth", ratio(got, "eoip", "veth"))


def k4(report, rounds):
    got = rates("tcp-per-packet", ("gretap", "vxlan", "eoip"), tcp, rounds, per_packet=True)
    report.goal("K4", "tcp-per-packet/gretap", ratio(got, "eoip", "gretap"))


def k5(report, rounds):
    got = rates("tcp-underlay-gro", ("gretap", "vxlan", "eoip"), tcp, rounds, per_packet=True, gro=True)
    report.goal("K5", "tcp-underlay-gro/gretap", ratio(got, "eoip", "gretap"))


def k6(report, rounds):
    got = rates("udp64", ("veth", "gretap", "vxlan", "eoip"), udp64, rounds)
    report.goal("K6", "udp64/gretap", ratio(got, "eoip", "gretap"))


def k7(report, rounds):
    got = rates("pktgen60", ("veth", "gretap", "vxlan", "eoip"), pktgen, rounds)
    report.goal("K7", "pktgen60/gretap", ratio(got, "eoip", "gretap"))


def k8(report, rounds):
    up = {"clamp": ("eoip", {"mtu": 1500, "clamp": 1}), "fragments": ("eoip", {"mtu": 1500, "clamp": 0})}
    got = rates("tcp-1500-in-1500", tuple(up), tcp, rounds, up=up)
    report.goal("K8", "tcp-1500-in-1500/clamp-off", ratio(got, "clamp", "fragments"))


def k11(report, rounds):
    """The same flow beside 4095 other tunnels to the same peer, on both sides."""
    alone, crowd = Bench(label="alone-"), Bench(label="crowd-")
    got = {"1": [], "4096": []}
    try:
        # First, so that it is last wherever tunnels share a place in the table.
        targets = {"1": (alone, alone.up("eoip")), "4096": (crowd, crowd.up("eoip"))}
        for ns, local, remote in ((crowd.dut, "10.0.0.1", "10.0.0.2"), (crowd.peer, "10.0.0.2", "10.0.0.1")):
            for number in range(4095):
                data = {"id": 1000 + number, "local": local, "remote": remote, "interval": 0}
                ns.nl.create("eoip", "x%d" % number, data, up=True)
        settle()
        for number in range(rounds):
            for mode in sorted(targets, reverse=number % 2 == 1):
                got[mode].append(udp64(*targets[mode]))
    finally:
        for bench in (alone, crowd):
            bench.remove()
    for mode, values in got.items():
        print("RATE udp64-tunnels %s %s" % (mode, " ".join("%.1f" % value for value in values)), flush=True)
    report.goal("K11", "udp64-4096-tunnels/1-tunnel", ratio(got, "4096", "1"))


def k12(report, rounds):
    got = rates("tcp-gso-v6", ("ip6gretap", "eoipv6"), tcp, rounds)
    report.goal("K12", "tcp-gso/ip6gretap", ratio(got, "eoipv6", "ip6gretap"))


def main(args):
    kernel, how, wanted = args[0], args[1], args[2:]
    jobs = {"exact": [("K1", k1_k2), ("K4", k4), ("K5", k5), ("K6", k6), ("K7", k7), ("K8", k8), ("K12", k12)],
            "smp": [("K11", k11)]}["exact" if how == "profile" else how]
    rounds = {"smp": 9, "exact": 3, "profile": 1}[how]
    global PROFILE
    PROFILE = how == "profile"
    report = Report(kernel)
    for number, job in jobs:
        if wanted and number not in wanted:
            continue
        try:
            job(report, rounds)
        except Exception as error:
            report.short += 1
            print("BENCH %s %s failed: %s: %s" % (number, kernel, type(error).__name__, error), flush=True)
    if PROFILE:
        module_symbols()
    return 1 if report.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
