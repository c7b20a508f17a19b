# SPDX-License-Identifier: Apache-2.0
"""--replace on: an update of a container takes over from the one before it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from lab import BIN, need_tools, wait_until
from node import Node, State, network_pb2, open_channel, tapd_pb2_grpc
from test_hot_restart import HOST_IP, MOST_LOST, listed, loss, reach_host, wait_ping

# Process 1 of a process namespace of its own, as in a container.
CONTAINER = ("unshare", "--pid", "--fork", "--kill-child")


class Container:
    """An eoip-tapd that replaces the one that serves the node's socket."""

    def __init__(self, node, name, *flags, ns=None):
        self.node = node
        self.ready = node.lab.folder / f"{name}.ready"
        self.outer = node.lab.spawn(
            ns or node.ns, *CONTAINER, BIN / "eoip-tapd", "--socket", node.run_dir / "tapd.sock",
            "--replace", "on", "--ready-file", self.ready, *flags, log=f"{name}.log")

    def wait_ready(self):
        wait_until(lambda: not self.outer.alive() or self.ready.exists(), 20, "it to serve")
        assert self.outer.alive(), self.outer.text()
        self.node.tapd_api = tapd_pb2_grpc.TapdServiceStub(self.node.lab.keep(
            open_channel(self.outer, self.node.run_dir / "tapd.sock")))
        return self

    def pid(self):
        path = pathlib.Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children")
        return int(path.read_text().split()[0])

    def stop(self):
        """As a runtime does; the exit code."""
        os.kill(self.pid(), signal.SIGTERM)
        return self.outer.popen.wait(10)


@pytest.fixture
def first(lab):
    """The first container of a node with agent, and network "lan" to HOST_IP."""
    node = Node(lab)
    container = Container(node, "first").wait_ready()
    node.start_agent()
    reach_host(node)
    return container


def test_iperf_and_ping_go_on_over_two_updates(first):
    need_tools("iperf3")
    node, lab = first.node, first.node.lab
    before = {name: row["ifindex"] for name, row in lab.links(node.ns).items()}
    server = lab.spawn(node.site, "iperf3", "-s", "-1", "--forceflush", "-B", HOST_IP, log="server.log")
    wait_until(lambda: "listening" in server.text(), 10, "iperf3 to listen")
    client = lab.spawn(node.ns, "iperf3", "-c", HOST_IP, "-t", "8", "-J", log="iperf.json")
    ping = lab.spawn(node.ns, "ping", "-q", "-i", "0.002", "-c", "3000", "-W", "2",
                     HOST_IP, log="ping.log")
    wait_until(lambda: listed(node.tapd_api)["t1"].counters.tx_bytes > 10 << 20, 20,
               "iperf3 to be under way")
    old = first
    for name in ("second", "third"):
        new = Container(node, name).wait_ready()
        # It would be started again if it ended by itself.
        wait_until(lambda: "has taken over" in old.outer.text(), 5, "the old one to know")
        wait_until(lambda: not old.ready.exists(), 5, "the old one not to be ready")
        assert old.outer.alive()
        assert old.stop() == 0
        assert new.ready.exists() and node.tunnel("t1").status.state == State.ACTIVE
        old = new
    sent, lost = loss(ping)
    assert client.popen.wait(60) == 0, client.text()
    end = json.loads(client.text())["end"]
    print(f"2 updates: pings lost {lost} of {sent}, iperf3 "
          f"{end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s")
    assert lost <= 2 * MOST_LOST
    assert {name: row["ifindex"] for name, row in lab.links(node.ns).items()} == before
    log = (lab.folder / "agent-1.log").read_text()
    assert "does not answer" not in log and "restarted" not in log, log
    # The last one ends as any does.
    assert old.stop() == 0
    wait_until(lambda: "t1" not in lab.links(node.ns), 5, "the link to go")
    assert not (node.run_dir / "tapd.sock").exists()
    assert not (node.run_dir / "tapd.sock.handover").exists()


def test_links_come_and_go_while_the_old_process_waits(first):
    node, lab = first.node, first.node.lab
    Container(node, "second").wait_ready()
    node.create_tunnel("t2", 200)
    node.wait_tunnel("t2", State.ACTIVE)
    node.networks.DeleteNetwork(
        network_pb2.DeleteNetworkRequest(name="networks/lan"), timeout=10)
    for name in ("t1", "t2"):
        node.delete_tunnel(name)
        wait_until(lambda name=name: name not in lab.links(node.ns), 5, f"{name} to go")
    assert first.outer.alive()


def test_without_replace_a_second_process_is_refused(first):
    node = first.node
    done = node.lab.run(node.ns, BIN / "eoip-tapd", "--socket", node.run_dir / "tapd.sock",
                        check=False)
    assert done.returncode == 1 and "another process serves it" in done.stderr
    wait_ping(node)


def test_where_the_new_one_does_not_fit_the_old_one_goes_on(first):
    node = first.node
    new = Container(node, "second", "--workers", "3")
    assert new.outer.popen.wait(20) == 1
    assert not new.ready.exists() and first.ready.exists()
    assert "workers" in new.outer.text()
    wait_until(lambda: "the successor failed" in first.outer.text(), 5, "the old one to know")
    wait_ping(node)
    Container(node, "third").wait_ready()
    wait_ping(node)


def test_a_process_in_another_network_cannot_take_over(first):
    node = first.node
    new = Container(node, "second", ns=node.site)
    assert new.outer.popen.wait(20) == 1
    assert "another network namespace" in new.outer.text()
    wait_until(lambda: "the successor failed" in first.outer.text(), 5, "the old one to know")
    wait_ping(node)


def test_a_ready_file_that_is_something_else_stays(lab):
    node = Node(lab)
    (lab.folder / "first.ready").write_text("something else")
    container = Container(node, "first")
    assert container.outer.popen.wait(20) == 1
    assert "first.ready: exists and is not an empty file" in container.outer.text()
    assert container.ready.read_text() == "something else"
    assert not (node.run_dir / "tapd.sock").exists()


def test_another_user_cannot_take_over(first):
    node = first.node
    path = node.run_dir / "tapd.sock.handover"
    assert path.stat().st_mode & 0o777 == 0o600
    # Even where the folder's owner has opened the door.
    for opened in (node.lab.folder, *list(node.lab.folder.parents)[:-2]):
        opened.chmod(opened.stat().st_mode | 0o011)
    path.parent.chmod(0o755)
    path.chmod(0o666)
    script = ("import socket, sys\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "s.connect(sys.argv[1])\n"
              "sys.exit(len(s.recv(10)))")
    done = subprocess.run([sys.executable, "-c", script, str(path)], user=65534, group=65534,
                          capture_output=True, text=True, timeout=10, cwd="/")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: re.search("user 65534 may not take over", first.outer.text()), 5,
               "the refusal")
    wait_ping(node)
