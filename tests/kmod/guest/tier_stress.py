#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tier_stress.py SECONDS: everything at once on two CPUs, then 100 loads and unloads.

Workers run side by side for the time given: traffic through tunnels of both kinds, creation, change and
deletion of others, namespaces that die with tunnels under traffic, and removal of the module while all
this goes on. They put up with the errors that a vanished link gives. What fails a test is a report in
the kernel's log (the host looks), a worker that got nowhere, or tunnels that do not work afterwards.
"""

import os
import random
import signal
import subprocess
import sys
import time

import eoip_link
import lab

ADDRESSES = {"eoip": ("10.0.0.1", "10.0.0.2"), "eoipv6": ("fd00::1", "fd00::2")}


def quietly(action, *args, **kwargs):
    """Runs what may fail because a link or the module is just going; tells whether it worked."""
    try:
        action(*args, **kwargs)
    except (OSError, AssertionError):
        return False
    return True


def ensure_pair(site, number, kind):
    """The same tunnel at both ends, made again where it is missing."""
    near, far = ADDRESSES[kind]
    for ns, local, remote, host in ((site.dut, near, far, 1), (site.peer, far, near, 2)):
        data = {"id": number, "local": local, "remote": remote, "interval": 1, "retries": 2}
        if quietly(ns.nl.create, kind, "s%d" % number, data, up=True):
            quietly(ns.ip, "addr add 10.%d.0.%d/24 dev s%d" % (100 + number, host, number))


def traffic(site, number, kind):
    """TCP-like load without a connection that could hang: floods of large and small packets."""
    ensure_pair(site, number, kind)
    target = "10.%d.0.2" % (100 + number)
    size = random.choice(("16", "1400", "8000"))
    site.dut.run("ping", "-q", "-f", "-c", "300", "-w", "3", "-s", size, target, check=False)
    return True


def tcp(site, number, kind):
    ensure_pair(site, number, kind)
    with site.peer:
        server = subprocess.Popen(["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        site.dut.run("timeout", "8", "iperf3", "-c", "10.%d.0.2" % (100 + number), "-t", "2", "-P", "2", check=False)
    finally:
        server.kill()
        server.wait()
    return True


def churn(site, number, kind):
    """Creates, changes and deletes, one by one and by group."""
    near, far = ADDRESSES[kind]
    done = 0
    for n in range(20):
        data = {"id": 1000 + n, "local": near, "remote": far, "interval": 1}
        done += quietly(site.dut.nl.create, kind, "c%d%d" % (number, n), data, up=True, group=50 + number)
    for n in range(20):
        change = random.choice(({"id": 2000 + n}, {"ttl": 9}, {"interval": 0}, {"fwmark": n}, {"df": 1}, {"local": "0.0.0.0" if kind == "eoip" else "::"}))
        quietly(site.dut.nl.change, kind, "c%d%d" % (number, n), change)
        if n % 4 == 0:
            quietly(site.dut.nl.delete, "c%d%d" % (number, n))
    quietly(site.dut.nl.dump)
    quietly(site.dut.nl.delete_group, 50 + number)
    return done


def dying_netns(site, number, kind):
    """A netns with a tunnel of its own and one that was moved in, both busy, is deleted."""
    name = "d%d" % os.getpid()
    ns = lab.Netns(name)
    near, far = ADDRESSES[kind]
    try:
        data = {"id": 3000, "local": near, "remote": far, "interval": 1}
        moved = quietly(site.dut.nl.create, kind, "m0", data, netns_fd=ns.fd)
        quietly(ns.ip, "link add d0 type dummy", "link set d0 up", "addr add 10.66.0.1/24 dev d0", "neigh add 10.66.0.2 lladdr 02:00:00:00:00:09 dev d0")
        own = quietly(ns.nl.create, "eoip", "o0", {"id": 1, "remote": "10.66.0.2", "interval": 1}, up=True)
        quietly(ns.ip, "link set m0 up", "addr add 10.77.0.1/24 dev m0", "neigh add 10.77.0.2 lladdr 02:00:00:00:00:08 dev m0")
        quietly(ns.ip, "addr add 10.78.0.1/24 dev o0", "neigh add 10.78.0.2 lladdr 02:00:00:00:00:08 dev o0")
        floods = []
        with ns:
            for target in ("10.77.0.2", "10.78.0.2"):
                floods.append(subprocess.Popen(["ping", "-q", "-f", "-w", "2", target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(random.random() * 0.5)
    finally:
        ns.delete()
    for flood in floods:
        flood.wait()
    return moved or own


def unload(site, number, kind):
    """Takes the module away while it works and brings it back."""
    time.sleep(random.uniform(0.5, 3))
    gone = subprocess.run(["rmmod", "eoip"], stderr=subprocess.DEVNULL).returncode == 0
    lab.run("modprobe", "eoip")
    return gone


def worker(job, site, number, kind, end, report):
    """Repeats one job until the end; writes how often it got somewhere."""
    os.setpgid(0, 0)
    random.seed(number)
    for ns in (site.dut, site.peer):  # sockets must not be shared between processes
        with ns:
            ns.nl = eoip_link.Netlink()
    good = 0
    while time.monotonic() < end:
        try:
            good += bool(job(site, number, kind))
        except (OSError, AssertionError) as error:
            print("    %s: %s" % (job.__name__, error), flush=True)
    os.write(report, ("%s %s %d\n" % (job.__name__, kind, good)).encode())
    os._exit(0)


def all_at_once(seconds):
    """Returns (name, right) of each worker."""
    site = lab.Lab()
    jobs = [
        (traffic, "eoip"), (traffic, "eoipv6"), (tcp, "eoip"), (tcp, "eoipv6"),
        (churn, "eoip"), (churn, "eoipv6"), (dying_netns, "eoip"), (dying_netns, "eoipv6"), (unload, ""),
    ]
    reader, writer = os.pipe()
    end = time.monotonic() + seconds
    pids = []
    for number, (job, kind) in enumerate(jobs):
        pid = os.fork()
        if pid == 0:
            worker(job, site, number, kind, end, writer)
        pids.append(pid)
    os.close(writer)
    left = set(pids)
    while left and time.monotonic() < end + 120:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        left.discard(pid)
        if pid == 0:
            time.sleep(0.2)
    for pid in left:
        os.killpg(pid, signal.SIGKILL)
    lines = os.read(reader, 1 << 16).decode().split("\n")[:-1]
    site.remove()
    for line in lines:
        print("    " + line, flush=True)
    results = [("the worker %s" % " ".join(line.split()[:2]), int(line.split()[-1]) > 0) for line in lines]
    results.append(("all workers ended", not left and len(lines) == len(jobs)))
    return results


def load_cycles(count):
    """Loads and unloads; every other time with tunnels in place."""
    site = lab.Lab()
    lab.run("rmmod", "eoip", check=False)
    for n in range(count):
        lab.run("modprobe", "eoip")
        if n % 2:
            for kind in lab.KINDS.values():
                site.tunnel(kind, "t%d" % kind.version, interval=1)
        lab.run("rmmod", "eoip")
        if site.dut.nl.exists("t4") or site.dut.nl.exists("t6"):
            return False
    lab.run("modprobe", "eoip")
    site.remove()
    return True


def still_works():
    for kind in lab.KINDS.values():
        site = lab.Lab()
        site.tunnel(kind)
        inner, frame = site.capture(site.dut, "t0"), lab.frame_of(1000)
        inner.send(frame)
        site.expect_frame(kind, 100, frame, 10)
        site.inject(kind.outer(kind.encap(100, frame)))
        lab.expect(inner, frame, 10)
        site.remove()
    return True


def main(args):
    results = all_at_once(int(args[0]))
    for name, check in (("tunnels work afterwards", still_works), ("100 loads and unloads", lambda: load_cycles(100)),
                        ("tunnels work after that", still_works)):
        try:
            results.append((name, check()))
        except (OSError, AssertionError) as error:
            results.append(("%s: %s" % (name, error), False))
    for name, right in results:
        print("%s  %s" % ("passed" if right else "failed", name), flush=True)
    passed = sum(right for _, right in results)
    print("RESULT run=%d passed=%d failed=%d skipped=0" % (len(results), passed, len(results) - passed), flush=True)
    return passed != len(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
