# SPDX-License-Identifier: Apache-2.0
"""Checklist 11 and 22: the agent dies at any moment of an ADD or of very many;
nothing leaks, nothing is lost."""

import json
import os
import pathlib
import re
import signal
import subprocess

import grpc
import pytest

from cni import finish_plugin, start_plugin
from lab import need_tools, wait_until

CALLS = 256   # at once
KILLS = 5


def host_local(tmp_path):
    return {"type": "host-local", "dataDir": str(tmp_path / "ipam"), "subnet": "10.9.0.0/16"}


def leases(tmp_path):
    return sorted(path.name for path in (tmp_path / "ipam").glob("*/10.*"))


def start_all(cni, command, conf, jobs):
    return [(container, pod, start_plugin(cni, command, conf, pod, container))
            for container, pod in jobs]


def kill_agent_while(cni, running):
    """Kills and restarts the agent KILLS times, each time when another part of
    the calls is done."""
    for number in range(KILLS):
        done = len(running) * number // (KILLS + 1)
        wait_until(lambda: sum(process.poll() is not None for _, _, process in running) >= done,
                   60, f"{done} of {len(running)} calls to end")
        cni.node.agent.kill()
        cni.node.start_agent()


def has_died(node):
    """Whether the agent is dead, or dying: what answers now, untraced, lives on."""
    try:
        node.status()
    except grpc.RpcError:
        node.agent.popen.wait(20)
        return True
    return False


def add_until_it_works(cni, conf, container, pod):
    """As a runtime does: DEL what failed, try again."""
    def attempt():
        cni.delete(conf, pod, container=container).ok()
        reply = cni.add(conf, pod, container=container)
        assert reply.exit_code == 0 or reply.json["code"] == 11, reply.stdout
        return reply.exit_code == 0
    wait_until(attempt, 30, f"ADD of {container}")


def ports(cni):
    """Names of host links that are in the bridge and up."""
    return sorted(name for name, row in cni.lab.links(cni.host_ns).items()
                  if row.get("master") == "lan" and "UP" in row["flags"])


def test_22_adds_and_dels_at_once_while_the_agent_is_killed_five_times(cni, tmp_path):
    conf = cni.conf(ipam=host_local(tmp_path))
    live = [(f"live{number}", cni.pod()) for number in range(2)]
    addresses = [cni.add(conf, pod, container=container).ok()["ips"][0]["address"].split("/")[0]
                 for container, pod in live]
    wait_until(lambda: len(ports(cni)) == 2, what="the live pods' ports")
    before, before_leases = cni.state(), leases(tmp_path)
    ping = cni.lab.spawn(live[0][1], "ping", "-n", "-i", "0.2", "-W", "2", addresses[1],
                         log="ping.log")

    old = [(f"old{number}", cni.pod()) for number in range(CALLS // 2)]
    new = [(f"new{number}", cni.pod()) for number in range(CALLS // 2)]
    for _, _, process in start_all(cni, "ADD", conf, old):
        finish_plugin(process).ok()
    running = [call for pair in zip(start_all(cni, "DEL", conf, old),
                                    start_all(cni, "ADD", conf, new)) for call in pair]
    kill_agent_while(cni, running)
    again = []
    for container, pod, process in running:
        reply = finish_plugin(process)
        if reply.exit_code == 0:
            continue
        assert container.startswith("new"), f"a DEL failed: {reply.stdout}"
        assert reply.json["code"] == 11, reply.stdout
        assert cni.pod_links(pod) == set(), container
        again.append((container, pod))
    for container, pod in again:
        add_until_it_works(cni, conf, container, pod)

    # No lost port, nothing left of the old ones.
    wanted = {container for container, _ in new + live}
    wait_until(lambda: {item.container_id for item in cni.attachments()} == wanted,
               20, "the agent to know the pods that are there and no others")
    wait_until(lambda: len(ports(cni)) == len(wanted), 20, "every pod to have a port that is up")
    assert len(cni.host_links()) == len(leases(tmp_path)) == len(wanted)
    cni.lab.run(live[0][1], "ping", "-n", "-c", "1", "-W", "5",
                cni.pod_addresses(new[-1][1]).pop().split("/")[0])

    for _, _, process in start_all(cni, "DEL", conf, new):
        finish_plugin(process).ok()
    cni.wait_state(before, "as before")
    assert leases(tmp_path) == before_leases
    ping.kill(signal.SIGINT)
    assert re.search(r" 0% packet loss", ping.text()), ping.text()[-300:]


class Tracer:
    """strace attached to the running agent, which it kills at a call."""

    def __init__(self, cni, syscall, number):
        self.log = cni.lab.folder / f"strace-{syscall}-{number}.log"
        self.agent = cni.node.agent
        self.process = subprocess.Popen(
            ["strace", "-f", "-q", "-p", str(cni.node.agent.pid), "-o", str(self.log),
             "-e", f"trace={syscall}", "-e", f"inject={syscall}:signal=KILL:when={number}"],
            stderr=subprocess.DEVNULL)
        task = f"/proc/{cni.node.agent.pid}/task"

        def attached():
            # The agent's timers may have met the call already.
            if self.process.poll() is not None:
                return True
            try:
                return all("TracerPid:\t0" not in pathlib.Path(task, thread, "status").read_text()
                           for thread in os.listdir(task))
            except FileNotFoundError:  # a thread that just ended
                return False
        wait_until(attached, 20, "strace to attach to every thread")

    def close(self):
        """Detaches. strace may wait for ever for a thread that dies under its
        hands; the kernel detaches from whatever a killed one traced."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
            if self.agent.alive():
                self.agent.popen.send_signal(signal.SIGCONT)


# What the agent does for one ADD: it writes the record, talks to the kernel
# (sendto) and answers (sendmsg). The count is for each thread.
@pytest.mark.parametrize("syscall", ["openat", "write", "renameat", "sendto", "sendmsg"])
def test_11_agent_death_at_every_call_of_it_loses_and_leaves_nothing(cni, tmp_path, syscall):
    need_tools("strace")
    conf = cni.conf(ipam=host_local(tmp_path))
    pod, deaths = cni.pod(), 0
    before = cni.state()
    for number in range(1, 40):
        tracer = Tracer(cni, syscall, number)
        adding = start_plugin(cni, "ADD", conf, pod, "c1")
        try:
            wait_until(lambda: adding.poll() is not None or not cni.node.agent.alive(), 20,
                       "the ADD to end or the agent to die")
        finally:
            tracer.close()
        died = has_died(cni.node)
        if died:
            deaths += 1
            cni.node.start_agent()
        reply = finish_plugin(adding)
        if reply.exit_code == 0:
            wait_until(lambda: ports(cni) == cni.host_links() != [], 10, "the port")
            assert [item.container_id for item in cni.attachments()] == ["c1"]
        else:
            assert reply.json["code"] == 11, reply.stdout
            assert cni.pod_links(pod) == set()
            assert leases(tmp_path) == []
        cni.delete(conf, pod).ok()
        cni.wait_state(before, f"as before, agent killed at {syscall} number {number}")
        assert leases(tmp_path) == [] and cni.pod_links(pod) == set()
        if not died:
            assert deaths > 0, f"an ADD makes no call of {syscall}"
            return
    raise AssertionError(f"an ADD makes the agent call {syscall} more than 40 times")


def test_15_a_port_that_left_its_bridge_while_the_agent_was_dead_returns(cni):
    pod = cni.pod()
    cni.add(cni.conf(), pod).ok()
    cni.node.agent.kill()
    name = cni.host_links()[0]
    cni.lab.ip(cni.host_ns, "link", "set", name, "nomaster")
    cni.node.start_agent()
    wait_until(lambda: ports(cni) == [name], what="the port to be back")
    state = json.loads(cni.lab.run(cni.host_ns, "bridge", "-j", "link", "show", "dev",
                                   name).stdout)
    assert state[0]["state"] == "forwarding"
