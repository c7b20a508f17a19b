# SPDX-License-Identifier: Apache-2.0
"""SIGUSR2: a new process of eoip-tapd takes over, and nobody notices."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import time

import grpc
import pytest

from lab import BIN, SUPPORT, in_netns, need_tools, wait_until
from node import NODE4, SITE4, Node, State, keepalive, open_channel, tapd_pb2, tapd_pb2_grpc

POD_IP, HOST_IP = "10.0.0.1", "10.0.0.2"
# The word is "no more than a few packets".
MOST_LOST = 5
LONGEST_PAUSE_US = 100_000


def tapd_pids(node):
    """The eoip-tapd processes of the node, without starters."""
    pids = node.lab.run(node.ns, "ip", "netns", "pids", node.ns).stdout.split()
    found = []
    for pid in map(int, pids):
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "eoip-tapd":
                found.append(pid)
        except OSError:
            pass
    return found


def hot_restart(node, pid):
    """Sends the signal; returns the successor's pid and the pause in us."""
    before = len(took_over(node))
    os.kill(pid, signal.SIGUSR2)
    wait_until(lambda: len(took_over(node)) > before, 20, "the successor to take over")
    wait_until(lambda: pid not in tapd_pids(node), 5, "the predecessor to end")
    successor = int(re.findall(r"process (\d+) has taken over", node.tapd.text())[-1])
    assert successor in tapd_pids(node)
    # At once: no waiting here. The old connection has ended with its process.
    path = node.run_dir / "tapd.sock"
    with socket.socket(socket.AF_UNIX) as attempt:
        assert attempt.connect_ex(str(path)) == 0
    node.tapd_api = tapd_pb2_grpc.TapdServiceStub(node.lab.keep(grpc.insecure_channel(
        f"unix:{path}", options=[("grpc.use_local_subchannel_pool", 1)])))
    return successor, took_over(node)[-1]


def took_over(node):
    return [int(us) for us in re.findall(r"after a pause of (\d+) us", node.tapd.text())]


def put(api, name, tunnel_id, remote, **fields):
    config = tapd_pb2.TunnelConfig(
        name=name, tunnel_id=tunnel_id, remote=socket.inet_aton(remote), ttl=255,
        mac=b"\x02\0\0" + tunnel_id.to_bytes(3, "big"), mtu=1500, **fields)
    return api.PutTunnel(tapd_pb2.PutTunnelRequest(config=config), timeout=5)


def listed(api, *names):
    return {row.config.name: row for row in api.ListTunnels(
        tapd_pb2.ListTunnelsRequest(names=names), timeout=5).tunnels}


def far_side(node, tunnel_id=100, **fields):
    """eoip-tapd at the site's end, with one tunnel "eoip0" to the node."""
    path = node.lab.folder / "far.sock"
    far = node.lab.spawn(node.site, BIN / "eoip-tapd", "--socket", path, log="far.log")
    api = tapd_pb2_grpc.TapdServiceStub(node.lab.keep(open_channel(far, path)))
    put(api, "eoip0", tunnel_id, NODE4, **fields)
    node.lab.ip(node.site, "link", "set", "eoip0", "up")
    node.lab.ip(node.site, "addr", "add", f"{HOST_IP}/24", "dev", "eoip0")
    return api


def wait_ping(node):
    wait_until(lambda: node.lab.run(node.ns, "ping", "-c", "1", "-W", "1", HOST_IP,
                                    check=False).returncode == 0, 10, "the first ping")


def bare_node(lab, *flags, program=BIN / "eoip-tapd", prefix=()):
    """A node without agent, with the tunnel "t1" to the site."""
    node = Node(lab)
    node.start_tapd(*flags, program=program, prefix=prefix)
    put(node.tapd_api, "t1", 100, SITE4)
    lab.ip(node.ns, "link", "set", "t1", "up")
    lab.ip(node.ns, "addr", "add", f"{POD_IP}/24", "dev", "t1")
    return node


def reach_host(node):
    """Makes network "lan" of a node with agent, which reaches HOST_IP at the site."""
    lab = node.lab
    node.create_tunnel("t1", 100, keepalive=keepalive(1, 3))
    node.create_network("lan", "t1")
    far_side(node, keepalive_interval_s=1, keepalive_retries=3)
    node.wait_tunnel("t1", State.ACTIVE)
    lab.ip(node.ns, "addr", "add", f"{POD_IP}/24", "dev", "lan")
    wait_ping(node)
    return node


@pytest.fixture
def path(lab):
    return reach_host(Node(lab).start())


def loss(ping):
    """(sent, lost) of a finished ping -q."""
    ping.popen.wait(60)
    sent, received = map(int, re.search(
        r"(\d+) packets transmitted, (\d+) received", ping.text()).groups())
    return sent, sent - received


def test_iperf_and_ping_go_on_and_the_agent_sees_no_outage(path, record_property):
    need_tools("iperf3")
    node, lab = path, path.lab
    before = {name: row["ifindex"] for name, row in lab.links(node.ns).items()}
    started = node.tapd_api.GetInfo(tapd_pb2.GetInfoRequest(), timeout=5).start_time_ms
    changes = lab.spawn(node.ns, "ip", "-o", "monitor", "link", log="monitor.log")
    server = lab.spawn(node.site, "iperf3", "-s", "-1", "--forceflush", "-B", HOST_IP, log="server.log")
    wait_until(lambda: "listening" in server.text(), 10, "iperf3 to listen")
    client = lab.spawn(node.ns, "iperf3", "-c", HOST_IP, "-t", "8", "-J", log="iperf.json")
    ping = lab.spawn(node.ns, "ping", "-q", "-i", "0.002", "-c", "3000", "-W", "2",
                     HOST_IP, log="ping.log")
    counters = [listed(node.tapd_api, "t1")["t1"].counters]
    wait_until(lambda: listed(node.tapd_api, "t1")["t1"].counters.tx_bytes > 10 << 20, 20,
               "iperf3 to be under way")
    pauses, pid = [], node.tapd.pid
    for _ in range(3):
        pid, pause_us = hot_restart(node, pid)
        pauses.append(pause_us)
        counters.append(listed(node.tapd_api, "t1")["t1"].counters)
        assert node.tunnel("t1").status.state == State.ACTIVE
    sent, lost = loss(ping)
    assert client.popen.wait(60) == 0, client.text()
    end = json.loads(client.text())["end"]
    retransmits = end["sum_sent"]["retransmits"]
    print(f"3 hot restarts: pauses {pauses} us, pings lost {lost} of {sent}, iperf3 "
          f"{end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s, "
          f"{retransmits} segments sent again")
    assert lost <= 3 * MOST_LOST
    assert max(pauses) < LONGEST_PAUSE_US
    for old, new in zip(counters, counters[1:]):
        assert new.tx_bytes >= old.tx_bytes and new.rx_keepalives >= old.rx_keepalives
    info = node.tapd_api.GetInfo(tapd_pb2.GetInfoRequest(), timeout=5)
    assert info.start_time_ms == started
    # Same links, and none went down meanwhile.
    assert {name: row["ifindex"] for name, row in lab.links(node.ns).items()} == before
    changes.kill()
    assert "state DOWN" not in changes.text() and "Deleted" not in changes.text()
    log = (lab.folder / "agent-1.log").read_text()
    assert "does not answer" not in log and "restarted" not in log, log


def test_the_agent_can_change_everything_right_after(path):
    node = path
    node.create_tunnel("t2", 200)
    node.wait_tunnel("t2", State.ACTIVE)
    pid, _ = hot_restart(node, node.tapd.pid)
    node.create_tunnel("t3", 300)
    assert node.tunnel("t3").status.state == State.ACTIVE
    node.delete_tunnel("t2")
    pid, _ = hot_restart(node, pid)
    assert sorted(listed(node.tapd_api)) == ["t1", "t3"]
    node.delete_tunnel("t3")
    wait_until(lambda: node.owned_links() == ["lan", "t1"], 10, "t3 to go")
    # The last of the line ends as the first would: nothing is left over.
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not tapd_pids(node), 10, "the successor to end")
    assert not (node.run_dir / "tapd.sock").exists()


def test_keepalives_keep_their_beat_and_silence_goes_on_counting(lab):
    node = Node(lab)
    node.start_tapd()
    heard = lab.raw_socket(node.site, 47)
    heard.settimeout(5)
    put(node.tapd_api, "t1", 100, SITE4, keepalive_interval_s=2, keepalive_retries=1)
    lab.ip(node.ns, "link", "set", "t1", "up")
    heard.recv(100)
    first = time.monotonic()
    lab.raw_socket(node.site, 47).sendto(bytes.fromhex("2001640000006400"), (NODE4, 0))
    wait_until(lambda: listed(node.tapd_api)["t1"].peer_up, 5, "the peer to be up")
    up = time.monotonic()
    hot_restart(node, node.tapd.pid)
    assert listed(node.tapd_api)["t1"].peer_up
    assert listed(node.tapd_api)["t1"].counters.rx_keepalives == 1
    # Not at once, but when the next one is due.
    heard.recv(100)
    assert 1.8 < time.monotonic() - first < 2.4
    wait_until(lambda: not listed(node.tapd_api)["t1"].peer_up, 5, "the peer to be down")
    assert 2.1 < time.monotonic() - up < 2.6
    assert "LOWER_UP" not in lab.links(node.ns)["t1"]["flags"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_thousand_tunnels_are_handed_over(lab, workers):
    node = Node(lab)
    node.start_tapd("--workers", str(workers))
    for number in range(1000):
        put(node.tapd_api, f"t{number}", number, SITE4)
    before = listed(node.tapd_api)
    _, pause_us = hot_restart(node, node.tapd.pid)
    after = listed(node.tapd_api)
    assert {name: (row.config, row.ifindex) for name, row in after.items()} == {
        name: (row.config, row.ifindex) for name, row in before.items()}
    print(f"1000 tunnels, {workers} workers: pause {pause_us} us")
    assert pause_us < 10 * LONGEST_PAUSE_US


def test_the_successor_is_as_confined_as_the_first(lab):
    node = bare_node(lab)
    pid, _ = hot_restart(node, node.tapd.pid)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"CapEff:\t0000000000003000", status), status
    assert re.search(r"CapBnd:\t0000000000003000", status), status
    assert re.search(r"NoNewPrivs:\t1", status) and re.search(r"Seccomp:\t2", status)
    # No descriptor of the conversation, or of the predecessor's, is left. A
    # client's connection may be among the first count.
    def count():
        return len(os.listdir(f"/proc/{pid}/fd"))
    first = count()
    for _ in range(3):
        pid, _ = hot_restart(node, pid)
    wait_until(lambda: count() <= first, 5, "no more descriptors than at first")


def test_systemd_hears_of_the_new_main_process(lab):
    path = lab.folder / "notify"
    notify = lab.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    notify.bind(str(path))
    notify.settimeout(10)
    node = bare_node(lab, prefix=("env", f"NOTIFY_SOCKET={path}"))
    assert notify.recv(100) == b"READY=1"
    pid, _ = hot_restart(node, node.tapd.pid)
    assert notify.recv(100) == f"MAINPID={pid}".encode()
    assert node.tapd.popen.wait(5) == 0


# What takes the place of the program, and what the predecessor then says.
NOT_A_SUCCESSOR = {
    "a program that fails": ("#!/bin/false\n", "the other process is gone"),
    "one that cannot be started": ("\0\0\0\0", "the other process is gone"),
    "one that dies with the state": ("""
hello()
until(b"E")
""", "the other process is gone|Connection reset"),
    "one that dies before it says ready": ("""
hello()
c.recv(1)
""", "the other process is gone|Connection reset"),
    "one that says something else": ("""
hello()
until(b"E")
c.send(b"X")
""", "said '88'"),
    "one that is too old": ("hello(0)\n", "reads formats up to 0"),
    "one that babbles": ("c.send(b'H' + b'\\xff' * 1000)\n", "hello cannot be read"),
    "one that hangs": ("""
hello()
until(b"E")
c.recv(1)
time.sleep(60)
""", "said nothing for 2s"),
}
PRELUDE = f"""#!/usr/bin/python3
import os, socket, sys, time
sys.path.insert(0, {str(SUPPORT)!r})
assert sys.argv[-2:] == ["--take-over", "3"], sys.argv
c = socket.socket(fileno=3)
c.setblocking(True)
def hello(format=1):
    pid = os.getpid()
    varint = bytes([pid & 127 | 128, pid >> 7 & 127 | 128, pid >> 14])
    c.send(b"H" + (b"\\x08\\x01" if format else b"") + b"\\x18" + varint)
def until(word):
    while c.recv(65536)[:1] != word:
        pass
"""


@pytest.mark.parametrize("kind", NOT_A_SUCCESSOR)
def test_where_the_successor_fails_the_old_process_goes_on(lab, kind):
    text, words = NOT_A_SUCCESSOR[kind]
    program = lab.folder / "eoip-tapd"
    shutil.copy(BIN / "eoip-tapd", program)
    node = bare_node(lab, program=program)
    far_side(node)
    wait_ping(node)
    ping = lab.spawn(node.ns, "ping", "-q", "-i", "0.01", "-c", "500", HOST_IP,
                     log="ping.log")
    other = lab.folder / "other"
    other.write_text(text if text[0] in "#\0" else PRELUDE + text)
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    other.rename(program)
    os.kill(node.tapd.pid, signal.SIGUSR2)
    wait_until(lambda: "the successor failed" in node.tapd.text(), 20, "it to fail")
    assert re.search(f"the successor failed.*({words})", node.tapd.text()), node.tapd.text()
    assert node.tapd.alive()
    # Traffic, whole, and changes.
    _, lost = loss(ping)
    assert lost <= MOST_LOST
    put(node.tapd_api, "t2", 200, SITE4)
    # The real one takes over in the end.
    shutil.copy(BIN / "eoip-tapd", other)
    other.rename(program)
    hot_restart(node, node.tapd.pid)
    assert sorted(listed(node.tapd_api)) == ["t1", "t2"]
    wait_ping(node)


def test_a_change_during_the_pause_waits_and_is_not_lost(lab):
    """The successor hangs in the middle for as long as the test wants."""
    program = lab.folder / "eoip-tapd"
    shutil.copy(BIN / "eoip-tapd", program)
    node = bare_node(lab, program=program)
    other = lab.folder / "other"
    other.write_text(PRELUDE + 'hello()\nuntil(b"E")\nprint("paused", flush=True)\n'
                     "time.sleep(1)\n")
    other.chmod(0o755)
    other.rename(program)
    os.kill(node.tapd.pid, signal.SIGUSR2)
    wait_until(lambda: "paused" in node.tapd.text(), 10, "the pause")
    put(node.tapd_api, "t2", 200, SITE4)
    assert "the successor failed" in node.tapd.text(), "the change did not wait"
    assert sorted(listed(node.tapd_api)) == ["t1", "t2"]


def test_signals_in_a_row_give_one_successor(lab):
    node = bare_node(lab)
    for _ in range(5):
        os.kill(node.tapd.pid, signal.SIGUSR2)
    wait_until(lambda: took_over(node), 20, "the successor")
    (pid,) = wait_until(lambda: len(tapd_pids(node)) == 1 and tapd_pids(node), 10,
                        "one process")
    assert len(took_over(node)) == 1
    hot_restart(node, pid)
    assert list(listed(node.tapd_api)) == ["t1"]


def test_process_1_of_a_container_stays(lab):
    node = Node(lab)
    lab.spawn(node.ns, "unshare", "--pid", "--fork", "--kill-child", BIN / "eoip-tapd",
              "--socket", node.run_dir / "tapd.sock", log="tapd.log")
    node.tapd = lab.processes[-1]
    (pid,) = wait_until(lambda: tapd_pids(node), 10, "eoip-tapd")
    wait_until(lambda: "serves" in node.tapd.text(), 10, "eoip-tapd to serve")
    os.kill(pid, signal.SIGUSR2)
    wait_until(lambda: "process 1 of a PID namespace" in node.tapd.text(), 10, "the refusal")
    assert tapd_pids(node) == [pid]
