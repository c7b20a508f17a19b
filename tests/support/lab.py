# SPDX-License-Identifier: Apache-2.0
"""Hosts on one machine for tests: network namespaces, cables, processes.

Lab owns what it makes and takes it away in close(), also after a failed test.
Names of namespaces start with "eoipt-" and the test's process id; children die
with the test process, and sweep() removes what a killed test left.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EOIP_BUILD", ROOT / "build" / "release"))
BIN = BUILD / "bin"
SUPPORT = ROOT / "tests" / "support"
PREFIX = "eoipt-"
CLONE_NEWNET = 0x40000000
# How many times slower than usual this machine is; an emulated guest says so.
SLOW = float(os.environ.get("EOIP_TEST_SLOW", "1"))
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(AssertionError):
    pass


def wait_until(condition, deadline_s=10.0, what="condition", pause_s=0.02):
    """Returns the first true value of condition(); fails after deadline_s (times SLOW)."""
    end = time.monotonic() + deadline_s * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}; last: {value!r}")
        time.sleep(pause_s)


def in_netns(name, function):
    """Calls function on a thread of its own inside the namespace.

    A socket that it opens stays in that namespace wherever it is used.
    """
    result = []

    def body():
        try:
            with open(f"/run/netns/{name}") as handle:
                if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {name}")
            result.append((function(), None))
        except BaseException as error:  # handed to the caller below
            result.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


def run(argv, check=True, stdin=None, timeout=60, env=None):
    argv = [str(word) for word in argv]
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=timeout * SLOW,
        env=env)
    if check and done.returncode != 0:
        raise CommandFailed(
            f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def thread_statuses(pid):
    """/proc/.../status of each thread of a process, but of those that end meanwhile."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            yield (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            pass


def sweep():
    """Removes namespaces of tests that are no longer there."""
    for path in pathlib.Path("/run/netns").glob(PREFIX + "*"):
        match = re.match(PREFIX + r"(\d+)-", path.name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            for pid in run(["ip", "netns", "pids", path.name], check=False).stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            run(["ip", "netns", "del", path.name], check=False)


class Process:
    """A child with its output in a log file."""

    def __init__(self, argv, log):
        self.log = pathlib.Path(log)
        self.argv = [str(word) for word in argv]
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    @property
    def pid(self):
        return self.popen.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            self.popen.send_signal(sig)
        return self.popen.wait(20)

    def stop(self):
        """SIGTERM; SIGKILL and a failure if that is not enough."""
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
                raise AssertionError(f"{self.argv[:4]} ignored SIGTERM for 10 s")
        return self.popen.returncode

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


class Lab:
    """folder: where logs, sockets and state go, made by the caller."""

    _count = 0

    def __init__(self, folder):
        Lab._count += 1
        self.tag = f"{PREFIX}{os.getpid()}-{Lab._count}-"
        self.folder = pathlib.Path(folder)
        self.names = []
        self.processes = []
        self.sockets = []

    def ns(self, role):
        """A new namespace with lo up; returns its name."""
        name = self.tag + role
        run(["ip", "netns", "add", name])
        self.names.append(name)
        run(["ip", "-n", name, "link", "set", "lo", "up"])
        return name

    def run(self, ns, *argv, **options):
        return run(["ip", "netns", "exec", ns, *argv], **options)

    def ip(self, ns, *argv, **options):
        return run(["ip", "-n", ns, *argv], **options)

    def links(self, ns):
        """{name: `ip -details -json link`} of the namespace."""
        rows = json.loads(self.ip(ns, "-d", "-j", "link").stdout)
        return {row["ifname"]: row for row in rows}

    def spawn(self, ns, *argv, log):
        process = Process(["ip", "netns", "exec", ns, *argv], self.folder / log)
        self.processes.append(process)
        return process

    def cable(self, ns_a, link_a, ns_b, link_b, mtu=1500):
        """A veth pair, both ends up, no segmentation offload: what crosses it
        are packets as on a real wire."""
        run(["ip", "link", "add", link_a, "netns", ns_a, "mtu", mtu, "type", "veth",
             "peer", "name", link_b, "netns", ns_b, "mtu", mtu])
        for ns, link in ((ns_a, link_a), (ns_b, link_b)):
            self.run(ns, "ethtool", "-K", link, "tso", "off", "gso", "off",
                     "tx-gre-segmentation", "off", "tx", "off", check=False)
            self.ip(ns, "link", "set", link, "up")

    def packet_socket(self, ns, link, protocol=0x0003):
        """AF_PACKET on a link: whole frames in and out, also those sent."""
        def make():
            # With a protocol it would hear every link until it is bound.
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.bind((link, protocol))
            sock.settimeout(0.2)
            return sock
        return self.keep(in_netns(ns, make))

    def raw_socket(self, ns, protocol, ipv6=False, header=False):
        """header: the caller writes the IP header itself (IPv4)."""
        def make():
            family = socket.AF_INET6 if ipv6 else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_RAW, protocol)
            if header:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.settimeout(0.2)
            return sock
        return self.keep(in_netns(ns, make))

    def keep(self, sock):
        """Closed with the lab: a socket, a gRPC channel (one whose server is
        gone slows down every other channel of the process)."""
        self.sockets.append(sock)
        return sock

    def close(self):
        for sock in self.sockets:
            sock.close()
        for process in self.processes:
            process.kill()
        for name in self.names:
            for pid in run(["ip", "netns", "pids", name], check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run(["ip", "netns", "del", name], check=False)

    def logs(self, lines=40):
        parts = []
        for process in self.processes:
            tail = "\n".join(process.text().splitlines()[-lines:])
            parts.append(f"--- {process.log.name}\n{tail}")
        return "\n".join(parts)


def need_programs(*names):
    """Full paths of built programs; fails where one was not built."""
    for name in names:
        if not (BIN / name).exists():
            raise AssertionError(f"{BIN / name} is not built")
    return [BIN / name for name in names]


def need_tools(*names):
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise AssertionError(f"not installed: {', '.join(missing)} (tests/run does it)")
