# SPDX-License-Identifier: Apache-2.0
"""What went through a tunnel is what its counters say, to every reader."""

import os
import re
import signal
import socket
import struct
import threading
import time

import grpc
import pytest

import eoip_wire
from frames import collect, make_frame
from lab import BIN, ROOT, SLOW, in_netns, run, thread_statuses, wait_until
from node import NODE4, SITE4, Node, open_channel, tapd_pb2, tapd_pb2_grpc, tunnel_pb2
from scrape import scrape

METRICS = "127.0.0.1:9101"
OTHER4 = "192.0.2.77"
SIZE = 100
# How many of each kind the test sends: all different, so that none can be
# taken for another.
SENT, RECEIVED, SHORT, LIES, ALIVE, UNKNOWN, STRANGERS, TOO_BIG = 23, 17, 3, 5, 7, 11, 2, 4
HEADER = 8


@pytest.fixture
def node(lab):
    node = Node(lab)
    node.start_tapd()
    node.start_agent("--metrics-address", METRICS)
    return node


def add_tunnel(node, name="t1", tunnel_id=100, **fields):
    node.create_tunnel(name, tunnel_id, **fields)
    node.wait_tunnel(name, 2)  # ACTIVE
    wait_until(lambda: "LOWER_UP" in node.lab.links(node.ns)[name]["flags"],
               what="the link to run")


def site_socket(node, address=SITE4):
    raw = node.lab.raw_socket(node.site, eoip_wire.protocol(False))
    raw.bind((address, 0))
    return raw


def counters_of(node, name):
    return node.eoipctl_json("tunnel", "get", name)["status"]["counters"]


def big_ipv4_frame():
    """1514 bytes, of an IPv4 packet that must not be fragmented."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1500, 1, 0x4000, 64, 17, 0,
                       socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2"))
    return b"\x02\xee\xee\xee\xee\xee" + b"\x02\x5e\0\0\0\1" + b"\x08\0" + head + bytes(1480)


def arrived(raw, frame):
    try:
        return raw.recv(65600).endswith(frame)
    except socket.timeout:
        return False


def traffic(node):
    """Sends all kinds into and at "t1"; returns how many frames went into the link,
    and what the site sent, in bytes."""
    node.lab.ip(node.site, "addr", "add", f"{OTHER4}/24", "dev", "u1")
    raw, stranger = site_socket(node), site_socket(node, OTHER4)
    tap = node.lab.packet_socket(node.ns, "t1")
    sent = 0

    def fast():
        request = tapd_pb2.ListTunnelsRequest(names=["t1"])
        [row] = node.tapd_api.ListTunnels(request, timeout=5 * SLOW).tunnels
        return row.counters.tx_fast_packets

    # Those before a path is found, which nobody waits for, go through the IP stack.
    while sent < SENT or (fast() == 0 and sent < 1000):
        frame = make_frame(SIZE)
        tap.send(frame)
        wait_until(lambda frame=frame: arrived(raw, frame), what="the frame at the site")
        sent += 1
    for _ in range(TOO_BIG):
        tap.send(big_ipv4_frame())
    size = 0

    def send(sock, packet):
        nonlocal size
        size += len(packet)
        sock.sendto(packet, (NODE4, 0))

    for _ in range(SHORT):
        send(raw, eoip_wire.encode(False, 100, b"x" * 13))
    for _ in range(LIES):
        send(raw, eoip_wire.encode(False, 100, make_frame(SIZE), length=SIZE + 1))
    for _ in range(ALIVE):
        send(raw, eoip_wire.encode(False, 100))
    for _ in range(UNKNOWN):
        send(raw, eoip_wire.encode(False, 999, make_frame(SIZE)))
    for _ in range(STRANGERS):
        send(stranger, eoip_wire.encode(False, 100, make_frame(SIZE)))
    for _ in range(RECEIVED):
        frame = make_frame(SIZE)
        send(raw, eoip_wire.encode(False, 100, frame))
        collect(tap, frame)
    packets = RECEIVED + SHORT + LIES + ALIVE + UNKNOWN + STRANGERS

    def counted():
        [worker] = node.tapd_api.GetInfo(tapd_pb2.GetInfoRequest(), timeout=5 * SLOW).worker_info
        return (worker.rx_packets, worker.tx_packets) == (packets, sent)
    wait_until(counted, what="the packets to be counted")
    return sent, size


def test_eoipctl_and_the_scrape_say_what_the_test_sent(node):
    add_tunnel(node, dont_fragment=tunnel_pb2.DONT_FRAGMENT_INHERIT)
    sent, size = traffic(node)
    counters = counters_of(node, "t1")
    assert int(counters["txPackets"]) == sent
    assert int(counters["txBytes"]) == sent * SIZE
    assert int(counters["rxPackets"]) == RECEIVED
    assert int(counters["rxBytes"]) == RECEIVED * SIZE
    assert int(counters["rxKeepalives"]) == ALIVE
    drops = {"short_frame": SHORT, "bad_length": LIES, "too_big": TOO_BIG}
    assert {cause: int(count) for cause, count in counters["drops"].items()} == drops
    fast = int(counters["details"]["tx_fast_packets"])
    assert 0 < fast <= sent

    rows = [line.split() for line in node.eoipctl("tunnel", "get", "t1").stdout.splitlines()]
    for row in (["drops.bad_length:", str(LIES)], ["details.tx_fast_packets:", str(fast)],
                ["rx-packets:", str(RECEIVED)], ["tx-bytes:", str(sent * SIZE)]):
        assert row in rows

    seen = scrape(node.ns, METRICS)
    for name, value in {
            "rx_frames": RECEIVED, "rx_bytes": RECEIVED * SIZE, "tx_frames": sent,
            "tx_bytes": sent * SIZE, "rx_keepalives": ALIVE, "tx_keepalives": 0,
            "tx_fast_packets": fast}.items():
        assert seen.get(f"eoip_tunnel_{name}_total", tunnel="t1") == value, name
    assert seen.by("eoip_tunnel_drops_total", "cause", tunnel="t1") == drops
    assert seen.get("eoip_tunnel_up", tunnel="t1") == 1
    heard = seen.get("eoip_tunnel_last_heard_timestamp_seconds", tunnel="t1")
    assert time.time() - 60 * SLOW < heard <= time.time() + 1

    outer = RECEIVED + SHORT + LIES + ALIVE + UNKNOWN + STRANGERS
    [worker] = node.eoipctl_json("worker", "list")["workers"]
    no_tunnel = {"unknown_tunnel": UNKNOWN, "wrong_source": STRANGERS}
    assert {cause: int(n) for cause, n in worker["drops"].items()} == no_tunnel
    assert int(worker["rx"]["packets"]) == outer
    assert int(worker["rx"]["bytes"]) == size
    assert int(worker["tx"]["packets"]) == sent
    assert int(worker["tx"]["bytes"]) == sent * (SIZE + HEADER)
    assert int(worker["waits"]) > 0
    for way, packets in ("rx", outer), ("tx", sent):
        sizes = [int(count) for count in worker[way]["batchSizes"]]
        assert sum(sizes) == int(worker[way]["batches"])
        assert sum(count << i for i, count in enumerate(sizes)) <= packets
        name = f"eoip_tapd_worker_{way}_"
        assert seen.get(f"{name}packets_total", worker="0") == packets
        assert seen.get(f"{name}batch_packets_sum", worker="0") == packets
        assert seen.get(f"{name}batch_packets_count", worker="0") == sum(sizes)
        assert seen.get(f"{name}batch_packets_bucket", worker="0", le="1") == sizes[0]
    assert seen.get("eoip_tapd_worker_rx_bytes_total", worker="0") == size
    assert seen.by("eoip_tapd_worker_drops_total", "cause", worker="0") == no_tunnel
    table = node.eoipctl("worker", "print", "-o", "wide").stdout
    assert f"unknown_tunnel:{UNKNOWN}" in table and "TX-BATCHES" in table


def move(server_ns, server, client_ns, size):
    """A TCP transfer of size bytes from client_ns to the address in server_ns."""
    listener = in_netns(server_ns, lambda: socket.create_server((server, 7000)))
    got = []

    def receive():
        connection, _ = listener.accept()
        with connection:
            got.append(sum(iter(lambda: len(connection.recv(1 << 16)), 0)))

    reader = threading.Thread(target=receive)
    reader.start()
    client = in_netns(client_ns, lambda: socket.create_connection((server, 7000), 10 * SLOW))
    with client:
        client.sendall(bytes(size))
    reader.join(30 * SLOW)
    listener.close()
    assert got == [size]


def test_splits_and_coalesced_frames_are_counted(node):
    add_tunnel(node)
    path = node.lab.folder / "far.sock"
    far = node.lab.spawn(node.site, BIN / "eoip-tapd", "--socket", path, log="far.log")
    api = tapd_pb2_grpc.TapdServiceStub(node.lab.keep(open_channel(far, path)))
    api.PutTunnel(tapd_pb2.PutTunnelRequest(config=tapd_pb2.TunnelConfig(
        name="t1", tunnel_id=100, remote=socket.inet_aton(NODE4), ttl=255,
        mac=b"\x02\0\0\0\0\1", mtu=1500)), timeout=5 * SLOW)
    node.lab.ip(node.site, "link", "set", "t1", "up")
    for ns, address in (node.ns, "10.0.0.1"), (node.site, "10.0.0.2"):
        node.lab.ip(ns, "addr", "add", f"{address}/24", "dev", "t1")
    size = 4 << 20
    move(node.site, "10.0.0.2", node.ns, size)
    move(node.ns, "10.0.0.1", node.site, size)
    counters = counters_of(node, "t1")
    details = {name: int(count) for name, count in counters["details"].items()}
    # Frames in them count as frames: the transfer has at least size / MSS.
    for way in "tx", "rx":
        assert details[f"{way}_super_frames"] > 0
        assert int(counters[f"{way}Packets"]) >= size // 1460
        assert details[f"{way}_super_frames"] < int(counters[f"{way}Packets"])
        assert int(counters[f"{way}Bytes"]) > size
    seen = scrape(node.ns, METRICS)
    for name in "tx_super_frames", "rx_super_frames":
        assert seen.get(f"eoip_tunnel_{name}_total", tunnel="t1") >= details[name]
    worker = node.eoipctl_json("worker", "list")["workers"][0]
    assert int(worker["tx"]["packets"]) > int(worker["tx"]["batches"])


def test_every_metric_is_documented_and_the_state_is_told(node):
    add_tunnel(node)
    node.create_tunnel("t2", 2, local=OTHER4, link="none")  # no such link
    node.create_network("lan", "t1")
    wait_until(lambda: node.network("lan").status.state == 2, what="lan to be ACTIVE")
    traffic_free = scrape(node.ns, METRICS)
    documented = (ROOT / "agent" / "metrics" / "README.md").read_text()
    for name in {name for name, _ in traffic_free.values}:
        plain = re.sub(r"_(bucket|sum|count)$", "", name)
        if not plain.startswith("exposer_"):
            assert f"`{plain}`" in documented, plain
    version = run([BIN / "eoip-agent", "--version"]).stdout.strip()
    assert traffic_free.get("eoip_agent_build_info", version=version) == 1
    assert traffic_free.get("eoip_agent_ready") == 1
    assert traffic_free.get("eoip_network_ready", network="lan") == 1
    assert traffic_free.get("eoip_tunnel_up", tunnel="t1") == 1
    assert traffic_free.get("eoip_tunnel_up", tunnel="t2") == 0
    assert sum(traffic_free.by("eoip_tunnels", "state").values()) == 2
    assert traffic_free.get("eoip_datapath_tunnels", datapath="tap") == 1
    assert traffic_free.get("eoip_reconcile_duration_seconds_count") > 0
    assert traffic_free.by("eoip_attachments", "state", network="lan") == {
        "PENDING": 0, "ACTIVE": 0, "FAILED": 0, "DELETING": 0}
    node.delete_tunnel("t2")
    assert scrape(node.ns, METRICS).get("eoip_tunnel_up", tunnel="t2") is None


def freeze(process):
    """SIGSTOP, until the last thread of it has stopped."""
    process.popen.send_signal(signal.SIGSTOP)
    wait_until(lambda: all("State:\tT" in status for status in thread_statuses(process.pid)),
               what="all threads to stop")


def test_a_hung_tapd_costs_a_scrape_three_seconds_and_only_its_own_metrics(node):
    add_tunnel(node)
    assert scrape(node.ns, METRICS).get("eoip_tunnel_rx_frames_total", tunnel="t1") == 0
    try:
        freeze(node.tapd)
        for _ in range(2):
            start = time.monotonic()
            seen = scrape(node.ns, METRICS)
            assert time.monotonic() - start < 4 * SLOW
            assert seen.get("eoip_tapd_up") == 0
            assert seen.get("eoip_agent_ready") == 1
            assert seen.get("eoip_tunnel_up", tunnel="t1") is not None
            assert seen.get("eoip_tunnel_rx_frames_total", tunnel="t1") is None
            assert not seen.by("eoip_tapd_worker_rx_packets_total", "worker")
        done = node.eoipctl("worker", "list", check=False)
        assert done.returncode == 1 and "eoip-tapd does not answer" in done.stderr
    finally:
        node.tapd.popen.send_signal(signal.SIGCONT)
    wait_until(lambda: scrape(node.ns, METRICS).get("eoip_tapd_up") == 1, 10, "tapd to answer")
    assert scrape(node.ns, METRICS).get("eoip_tunnel_rx_frames_total", tunnel="t1") == 0


def test_counters_go_on_over_a_hot_restart_and_begin_anew_after_a_plain_one(node):
    add_tunnel(node, dont_fragment=tunnel_pb2.DONT_FRAGMENT_INHERIT)
    sent, _ = traffic(node)

    def counted():
        """Counters of tunnels and workers, and since when they count."""
        seen = scrape(node.ns, METRICS)
        if seen.get("eoip_tapd_up") != 1:
            return None
        kept = {key: value for key, value in seen.values.items()
                if re.match("eoip_(tunnel|tapd_worker)_.*_(total|sum|count|bucket)$", key[0])}
        return kept, seen.get("eoip_tapd_start_time_seconds")

    before, since = counted()
    node.tapd.popen.send_signal(signal.SIGUSR2)
    wait_until(lambda: "has taken over" in node.tapd.text(), 20, "the successor to take over")
    after, since_after = wait_until(counted, what="the successor to be asked")
    assert since_after == since
    assert set(before) <= set(after)
    for key, value in before.items():
        assert after[key] >= value, key
    assert after["eoip_tunnel_tx_frames_total", frozenset({("tunnel", "t1")})] == sent

    pid = int(re.findall(r"process (\d+) has taken over", node.tapd.text())[-1])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run(["ip", "netns", "pids", node.ns]).stdout.split()
               == [str(node.agent.pid)], what="tapd and its starter to be gone")
    node.start_tapd()
    node.wait_tunnel("t1", 2)

    def anew():
        found = counted()
        return found if found and found[1] != since and (
            "eoip_tunnel_tx_frames_total", frozenset({("tunnel", "t1")})) in found[0] else None
    fresh, _ = wait_until(anew, 20, "the tunnel to be made anew")
    assert fresh["eoip_tunnel_tx_frames_total", frozenset({("tunnel", "t1")})] == 0
    assert fresh["eoip_tapd_worker_rx_packets_total", frozenset({("worker", "0")})] == 0


def test_there_is_no_port_unless_asked_for(lab):
    node = Node(lab).start()
    listening = lab.run(node.ns, "ss", "-Htnl").stdout
    assert listening.strip() == ""


@pytest.mark.parametrize("value", [
    "9101", "localhost:9101", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
    "127.0.0.1:80,81", "::1:9101", "[127.0.0.1]:9101", "127.0.0.1:9101s"])
def test_a_wrong_address_is_refused_by_name(value, tmp_path):
    done = run([BIN / "eoip-agent", "--runtime-dir", tmp_path / "run", "--state-dir",
                tmp_path / "state", f"--metrics-address={value}"], check=False)
    assert done.returncode == 2
    for part in ("--metrics-address", f"'{value}'", "ADDRESS:PORT", "1..65535"):
        assert part in done.stderr + done.stdout
    assert not (tmp_path / "state").exists()


def test_an_address_in_use_or_of_another_host_is_said(node, tmp_path):
    for address in METRICS, "198.51.100.1:9101":
        done = node.lab.run(
            node.ns, BIN / "eoip-agent", "--runtime-dir", tmp_path / "run2", "--state-dir",
            tmp_path / "state2", "--metrics-address", address, check=False)
        assert done.returncode == 1
        assert f"--metrics-address: '{address}': cannot listen there" in done.stderr
