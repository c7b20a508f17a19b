# SPDX-License-Identifier: Apache-2.0
"""Two hosts on one wire, and what can be measured between them.

Each host is a network namespace with one end of a veth pair that neither
segments nor merges (as a wire would), a real eoip-tapd with tunnel t1, and a
vxlan link over the same pair. All processes are ended, and the namespaces
removed, by close().
"""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

TAP, VXLAN = 1, 2  # third byte of the inner network's address

READY_SECONDS = 20


class BenchError(Exception):
    pass


def wait_until(what, condition, seconds=READY_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"no {what} within {seconds} s")
        time.sleep(0.02)


def busy_seconds():
    """CPU time that all of the machine has used."""
    with open("/proc/stat") as f:
        ticks = [int(word) for word in f.readline().split()[1:9]]
    idle, iowait = ticks[3], ticks[4]
    return (sum(ticks) - idle - iowait) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU time of a running process with its ended threads, to the nanosecond:
    the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime(~pid << 3 | 2)


class Testbed:
    def __init__(self, bin_dir, flags, name):
        self.bin = bin_dir
        self.flags = flags
        self.dir = tempfile.mkdtemp(prefix="tap-bench-")
        tag = f"tb{os.getpid()}{name}"
        self.ns = {"a": tag + "a", "b": tag + "b"}
        self.children = []
        self.tapd = {}
        self.server = None

    def sh(self, side, command):
        done = subprocess.run(
            ["ip", "netns", "exec", self.ns[side], "sh", "-ec", command],
            capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"{command}: {done.stderr.strip()}")
        return done.stdout

    def spawn(self, side, argv):
        # `ip netns exec` becomes the program: the child's id is the program's.
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.ns[side]] + argv,
            stdout=subprocess.DEVNULL,
            stderr=open(f"{self.dir}/{side}-{len(self.children)}.log", "w"))
        self.children.append(child)
        return child

    def open(self):
        for ns in self.ns.values():
            subprocess.run(["ip", "netns", "add", ns], check=True)
        subprocess.run(
            ["ip", "link", "add", "u0", "netns", self.ns["a"], "mtu", "1600",
             "type", "veth", "peer", "name", "u0", "mtu", "1600", "netns",
             self.ns["b"]], check=True)
        for side, n in (("a", 1), ("b", 2)):
            self.sh(side, f"""
              sysctl -qw net.ipv6.conf.all.disable_ipv6=1
              ip link set lo up
              ethtool -K u0 tso off gso off gro off tx off >/dev/null
              ip addr add 198.18.0.{n}/24 dev u0; ip link set u0 up
              ip link add vx type vxlan id 7 local 198.18.0.{n} \
                remote 198.18.0.{3 - n} dstport 4789 dev u0
              ip link set vx mtu 1500 up
              ip addr add 198.18.{VXLAN}.{n}/24 dev vx""")
            self.tapd[side] = self.spawn(
                side, [f"{self.bin}/eoip-tapd", "--socket",
                       f"{self.dir}/{side}.sock"] + self.flags)
            self.add_tunnels(side, [1])
            self.sh(side, f"ip link set t1 up; "
                          f"ip addr add 198.18.{TAP}.{n}/24 dev t1")
        self.server = self.spawn("b", ["iperf3", "-s"])
        for net in (TAP, VXLAN):
            wait_until(f"answer over 198.18.{net}.0/24", lambda: not
                       subprocess.run(["ip", "netns", "exec", self.ns["a"],
                                       "ping", "-c1", "-W1", f"198.18.{net}.2"],
                                      capture_output=True).returncode)

    def add_tunnels(self, side, numbers):
        n = 1 if side == "a" else 2
        for number in numbers:
            subprocess.run(
                [f"{self.bin}/tapctl", f"{self.dir}/{side}.sock", "put",
                 f"name=t{number}", f"id={number}", f"remote=198.18.0.{3 - n}",
                 f"mac=02:00:00:{n:02x}:{number >> 8:02x}:{number & 255:02x}"],
                check=True, stdout=subprocess.DEVNULL)

    def close(self):
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for ns in self.ns.values():
            subprocess.run(["ip", "netns", "del", ns], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    # CPU time, seconds.

    def tapd_seconds(self):
        return sum(cpu_seconds(child.pid) for child in self.tapd.values())

    def own_seconds(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF)
        return (self.tapd_seconds() + cpu_seconds(self.server.pid) +
                ended.ru_utime + ended.ru_stime + own.ru_utime + own.ru_stime)

    # Measurements over one of the inner networks.

    def iperf(self, net, seconds, *args):
        result = {}

        def ran():
            run = subprocess.run(
                ["ip", "netns", "exec", self.ns["a"], "iperf3", "-c",
                 f"198.18.{net}.2", "-t", str(seconds), "-J", *args],
                capture_output=True, text=True)
            result.clear()
            result.update(json.loads(run.stdout))
            # The server may still be busy with the end of the last run.
            return "error" not in result

        wait_until("iperf3 server", ran)
        return result["end"]

    def tcp(self, net, seconds, streams):
        """Gbit/s that arrived, and Gbit per second of CPU time (eoip-tapd and
        both ends of iperf3)."""
        before = self.own_seconds()
        received = self.iperf(net, seconds, "-P", str(streams))["sum_received"]
        cpu = self.own_seconds() - before
        return {"Gbit/s": received["bits_per_second"] / 1e9,
                "Gbit/cpu-s": received["bytes"] * 8 / 1e9 / cpu}

    def udp64(self, net, seconds):
        total = self.iperf(net, seconds, "-u", "-b", "0", "-l", "64")["sum"]
        arrived = total["packets"] - total["lost_packets"]
        return {"kpps": arrived / total["seconds"] / 1e3}

    def ping(self, net, count=10000):
        out = self.sh("a", f"ping -f -q -c {count} 198.18.{net}.2")
        return {"us": float(re.search(r"= [\d.]+/([\d.]+)/", out)[1]) * 1000}
