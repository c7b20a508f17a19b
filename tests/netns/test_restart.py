# SPDX-License-Identifier: Apache-2.0
"""The agent may die at any moment: traffic goes on and nothing is left over."""

import re
import signal

import grpc
import pytest

from lab import Process, thread_statuses, wait_until
from node import Node, State, keepalive, network_pb2, tunnel_pb2

POD_IP, HOST_IP = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def path(lab):
    """A node whose network "lan" reaches HOST_IP at the site; the node's own
    bridge has POD_IP."""
    node = Node(lab).start()
    node.create_tunnel("t1", 100, keepalive=keepalive(1, 10))
    node.create_network("lan", "t1")
    node.site_endpoint(keepalive="1,10")
    node.wait_tunnel("t1", State.ACTIVE)
    lab.ip(node.site, "addr", "add", f"{HOST_IP}/24", "dev", "eoip0")
    lab.ip(node.ns, "addr", "add", f"{POD_IP}/24", "dev", "lan")
    wait_until(lambda: lab.run(node.ns, "ping", "-c", "1", "-W", "1", HOST_IP,
                               check=False).returncode == 0, 10, "the first ping")
    return node


def links_of(node):
    return {name: (row["ifindex"], row["address"], row.get("master"), row["mtu"])
            for name, row in node.lab.links(node.ns).items()}


def test_no_ping_is_lost_while_the_agent_is_killed_and_restarted(path):
    node = path
    before = links_of(node)
    ping = node.lab.spawn(node.ns, "ping", "-q", "-i", "0.01", "-c", "400", "-W", "2",
                          HOST_IP, log="ping.log")
    for _ in range(3):
        node.agent.kill(signal.SIGKILL)
        node.start_agent()
        node.wait_tunnel("t1", State.ACTIVE)
    ping.popen.wait(30)
    assert re.search(r"400 packets transmitted, 400 received", ping.text()), ping.text()
    assert links_of(node) == before
    assert node.tunnel("t1").status.network == "networks/lan"


def test_a_stopped_agent_leaves_links_and_traffic(path):
    node = path
    before = links_of(node)
    assert node.agent.stop() == 0
    assert links_of(node) == before
    node.lab.run(node.ns, "ping", "-c", "3", "-i", "0.05", "-W", "1", HOST_IP)


def test_a_tapd_that_died_is_programmed_again(path):
    node = path
    node.tapd.kill(signal.SIGKILL)
    node.start_tapd()
    node.wait_tunnel("t1", State.ACTIVE, 20)
    wait_until(lambda: node.lab.run(node.ns, "ping", "-c", "1", "-W", "1", HOST_IP,
                                    check=False).returncode == 0, 20, "ping again")
    assert sorted(links_of(node)) == ["lan", "lo", "t1", "u0"]


# System calls at which the agent is killed, one after the other: what it writes
# to disk, to the kernel and to tapd.
CALLS = ("fsync", "fdatasync", "rename,renameat,renameat2", "unlink,unlinkat",
         "sendmsg,sendto", "openat")
LIMIT = {"openat": 6, "sendmsg,sendto": 14}


def killed_at(node, calls, number, operation):
    """Runs operation while the agent is killed at its number-th call of calls.

    False where the operation ended before the agent came that far.
    """
    trace = Process(
        ["strace", "-q", "-f", "-o", "/dev/null", "-p", node.agent.pid, "-e",
         f"inject={calls}:signal=KILL:when={number}"], node.lab.folder / "strace.log")
    node.lab.processes.append(trace)
    wait_until(lambda: not trace.alive() or not node.agent.alive()
               or trace_attached(node.agent.pid), 10, "strace to attach")
    # The agent makes such calls by itself too, and may be gone already.
    assert trace.alive() or not node.agent.alive(), trace.text()
    try:
        operation()
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    killed = not node.agent.alive() or _dies(node.agent)
    trace.kill()
    if not killed:
        node.agent.kill()
    node.agent.popen.wait(10)
    return killed


def _dies(process):
    try:
        process.popen.wait(0.3)
        return True
    except Exception:
        return False


def trace_attached(pid):
    return not any("TracerPid:\t0" in status for status in thread_statuses(pid))


def converged(node):
    """Every tunnel and network of the state has its links, and no more."""
    def settled():
        tunnels = node.list_tunnels()
        networks = node.networks.ListNetworks(
            network_pb2.ListNetworksRequest(), timeout=5).networks
        names = [item.name.split("/")[1] for item in (*tunnels, *networks)]
        states = {tunnel.status.state for tunnel in tunnels}
        links = node.lab.links(node.ns)
        ports = {port.tunnel.split("/")[1]: network.name.split("/")[1]
                 for network in networks for port in network.ports}
        wrong = [name for name, master in ports.items()
                 if name in links and links[name].get("master") != master]
        return (sorted(names) == node.owned_links() and states <= {State.ACTIVE}
                and not wrong and tunnels_mtu_right(tunnels, links))
    wait_until(settled, 15, "state and links to agree")


def tunnels_mtu_right(tunnels, links):
    return all(links[tunnel.name.split("/")[1]]["mtu"] == (tunnel.mtu or 1500)
               for tunnel in tunnels)


def update_mtu(node):
    tunnel = tunnel_pb2.Tunnel(name="tunnels/t1", mtu=1400, tunnel_id=9)
    request = tunnel_pb2.UpdateTunnelRequest(tunnel=tunnel)
    request.update_mask.paths.extend(["mtu", "tunnel_id"])
    node.tunnels.UpdateTunnel(request, timeout=10)


OPERATIONS = {
    "create tunnel": (lambda node: None, lambda node: node.create_tunnel("t1", 1)),
    "update tunnel": (lambda node: node.create_tunnel("t1", 1), update_mtu),
    "delete tunnel": (lambda node: node.create_tunnel("t1", 1),
                      lambda node: node.delete_tunnel("t1")),
    "create network": (lambda node: node.create_tunnel("t1", 1),
                       lambda node: node.create_network("lan", "t1")),
    "delete network": (
        lambda node: (node.create_tunnel("t1", 1), node.create_network("lan", "t1")),
        lambda node: node.networks.DeleteNetwork(
            network_pb2.DeleteNetworkRequest(name="networks/lan"), timeout=10)),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_every_step_the_next_start_converges(lab, operation):
    node = Node(lab).start()
    node.create_tunnel("other", 77)
    prepare, act = OPERATIONS[operation]
    kills = 0
    for calls in CALLS:
        for number in range(1, LIMIT.get(calls, 10) + 1):
            prepare(node)
            killed = killed_at(node, calls, number, lambda: act(node))
            node.start_agent()
            converged(node)
            assert node.tunnel("other").status.state == State.ACTIVE
            assert not node.status().problems, node.status().problems
            clear(node)
            kills += killed
            if not killed:
                break
    assert kills >= 5, f"only {kills} kills: strace did not reach the agent"


def clear(node):
    node.networks.DeleteNetwork(network_pb2.DeleteNetworkRequest(
        name="networks/lan", allow_missing=True), timeout=10)
    node.delete_tunnel("t1", allow_missing=True)
    wait_until(lambda: node.owned_links() == ["other"], 10, "a clean table")
