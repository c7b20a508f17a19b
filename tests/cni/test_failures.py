# SPDX-License-Identifier: Apache-2.0
"""Checklist 11, 22, 23: a failure at every step leaves nothing; many at once;
traces. The agent's own failures are in test_durability.py.

Failures are injected from outside, by strace, into the plugin as it is built:
the nth system call of a kind fails, its answer is lost, or the process is
killed there.
"""

import os
import re
import signal

import pytest

from cni import PLUGIN, finish_plugin, start_plugin, stopped
from lab import need_tools, wait_until

# Enough for the longest ADD; a test fails if it is not.
MOST_CALLS = 60


def strace(what, log):
    need_tools("strace")
    return ["strace", "-f", "-o", log, "-e", f"inject={what}"]


@pytest.fixture
def conf(cni, ipam):
    ipam.say("ADD", '{"ips": [{"address": "10.9.0.5/24", "gateway": "10.9.0.1"},'
                    '{"address": "2001:db8:9::5/64"}], "routes": [{"dst": "0.0.0.0/0"}]}')
    return cni.conf(mtu=1400, ipam={"type": "test-ipam"})


def balanced(commands):
    """Every ADD that the IPAM plugin saw was taken back."""
    return commands.count("ADD") <= commands.count("DEL")


def fail_every_call(cni, conf, lab, syscall, error, check=lambda: True):
    """ADD again and again; each time the next call of this kind fails."""
    pod = cni.pod()
    before = cni.state()
    failures = 0
    for number in range(1, MOST_CALLS):
        log = lab.folder / f"strace-{number}"
        reply = cni.add(conf, pod, wrapper=strace(f"{syscall}:error={error}:when={number}", log))
        injected = "(INJECTED)" in log.read_text()
        if reply.exit_code == 0:
            # A call that is not needed may fail.
            cni.delete(conf, pod).ok()
        else:
            assert injected, reply.stdout
            assert reply.json["code"] > 0
            failures += 1
        assert cni.pod_links(pod) == set(), f"{syscall} number {number}"
        cni.wait_state(before, f"as before, after {syscall} number {number}")
        assert check(), f"{syscall} number {number}"
        if not injected:
            return failures
    raise AssertionError(f"ADD makes more than {MOST_CALLS} calls of {syscall}")


@pytest.mark.parametrize("syscall,error", [
    ("sendto", "ENOSPC"), ("sendto", "EPERM"), ("recvfrom", "ENOBUFS"), ("setns", "EPERM"),
    ("memfd_create", "EMFILE"), ("pipe2", "EMFILE"), ("bind", "ENOMEM"), ("socket", "EMFILE"),
    ("clone3", "EAGAIN")])
def test_11_failing_call_at_every_step_leaves_nothing(cni, ipam, conf, lab, syscall, error):
    assert fail_every_call(cni, conf, lab, syscall, error,
                           lambda: balanced(ipam.commands())) > 0


# Without an IPAM plugin, whose own calls would fail as well.
@pytest.mark.parametrize("syscall,error", [
    ("openat", "EMFILE"), ("ioctl", "EIO"), ("connect", "ECONNREFUSED"), ("connect", "EACCES"),
    ("poll", "ENOMEM"), ("read", "EIO"), ("fstat,newfstatat", "EACCES"), ("setns", "ENOMEM"),
    ("sendto", "ENOBUFS"), ("recvfrom", "ECONNRESET")])
def test_11_failing_call_of_the_plugin_itself_leaves_nothing(cni, lab, syscall, error):
    conf = cni.conf(mtu=1400, runtimeConfig={"ips": ["10.9.0.5/24", "2001:db8:9::5/64"]})
    fail_every_call(cni, conf, lab, syscall, error)


@pytest.mark.parametrize("syscall", [
    "sendto", "recvfrom", "openat", "socket", "bind", "connect", "setns", "memfd_create", "pipe2",
    "clone3", "wait4", "poll", "read", "write"])
def test_11_kill_at_every_step_and_del_leaves_nothing(cni, ipam, conf, lab, syscall):
    pod = cni.pod()
    before = cni.state()
    for number in range(1, MOST_CALLS):
        log = lab.folder / f"strace-{number}"
        reply = cni.add(conf, pod, wrapper=strace(f"{syscall}:signal=KILL:when={number}", log))
        cni.delete(conf, pod).ok()
        assert cni.pod_links(pod) == set(), f"killed at {syscall} number {number}"
        cni.wait_state(before, f"as before, killed at {syscall} number {number}")
        assert balanced(ipam.commands())
        if reply.exit_code == 0:
            assert number > 1, f"ADD makes no call of {syscall}"
            return
    raise AssertionError("ADD was killed every time")


def test_11_the_next_add_after_a_kill_and_del_succeeds(cni, conf, lab):
    pod = cni.pod()
    cni.add(conf, pod, wrapper=strace("sendto:signal=KILL:when=8", lab.folder / "log"))
    cni.delete(conf, pod).ok()
    cni.add(conf, pod).ok()


def test_11_agent_dies_during_add(cni, ipam, conf):
    pod = cni.pod()
    before = cni.state()
    os.kill(cni.node.agent.pid, signal.SIGSTOP)
    adding = start_plugin(cni, "ADD", conf, pod, "c1")
    wait_until(lambda: cni.host_links(), what="the ADD to make its link")
    cni.node.agent.kill()
    finish_plugin(adding).error(11)
    assert cni.pod_links(pod) == set() and cni.host_links() == []
    assert ipam.commands() == ["ADD", "DEL"]
    cni.node.start_agent()
    cni.wait_state(before, "nothing kept")


def test_11_agent_that_is_away_leaves_nothing(cni, ipam, conf):
    cni.node.agent.stop()
    pod = cni.pod()
    cni.add(conf, pod).error(11)
    assert cni.pod_links(pod) == set() and cni.host_links() == []
    assert ipam.commands() == ["ADD", "DEL"]


# 22

def run_many(cni, command, conf, jobs, wave=32):
    """jobs: (container, pod). Returns replies in the same order."""
    replies = []
    for start in range(0, len(jobs), wave):
        running = [start_plugin(cni, command, conf, pod, container)
                   for container, pod in jobs[start:start + wave]]
        replies += [finish_plugin(process) for process in running]
    return replies


@pytest.mark.parametrize("count", [32, 256])
def test_22_parallel_add_and_del(cni, count):
    before = cni.state()
    jobs = [(f"c{i}", cni.pod()) for i in range(count)]
    for reply in run_many(cni, "ADD", cni.conf(), jobs, wave=count):
        reply.ok()
    assert len(cni.host_links()) == count
    assert len(cni.attachments()) == count
    for reply in run_many(cni, "DEL", cni.conf(), jobs, wave=count):
        reply.ok()
    assert cni.host_links() == []
    cni.wait_state(before, "as before")


def test_22_descriptors_and_umask_of_the_caller_do_not_leak(cni, lab, tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    script = folder / "look"
    script.write_text(f"""#!/bin/bash
ls -l /proc/self/fd > {tmp_path}/fds
umask > {tmp_path}/umask
echo '{{"ips":[{{"address":"10.9.0.8/24"}}]}}'
""")
    script.chmod(0o755)
    cni.path = str(folder)
    cni.add(cni.conf(ipam={"type": "look"}), cni.pod()).ok()
    fds = (tmp_path / "fds").read_text()
    # 0 to 2, and the folder that ls has open.
    assert len(re.findall(r"->", fds)) == 4, fds
    assert "eventpoll" not in fds and fds.count("socket:") == 0
    assert (tmp_path / "umask").read_text().strip() == "0022"


def test_22_closed_standard_error_and_empty_path(cni):
    pod = cni.pod()
    reply = cni.call("ADD", cni.conf(), pod, wrapper=["/bin/sh", "-c", f"PATH= exec {PLUGIN} 2>&-", "x"])
    reply.ok()


def test_22_read_only_root(cni):
    pod = cni.pod()
    wrapper = ["unshare", "-m", "/bin/sh", "-c",
               f"mount -o remount,bind,ro / && exec {PLUGIN}", "x"]
    cni.call("ADD", cni.conf(), pod, wrapper=wrapper).ok()
    cni.call("DEL", cni.conf(), pod, wrapper=wrapper).ok()
    assert cni.host_links() == []


def test_22_two_calls_for_one_container_do_not_run_into_each_other(cni):
    pod = cni.pod()
    with stopped(cni.node.agent):
        first = start_plugin(cni, "ADD", cni.conf(), pod, "c1")
        wait_until(lambda: cni.host_links(), what="the first ADD to make its link")
        cni.add(cni.conf(), pod, timeout=10).error(11)
        second = start_plugin(cni, "DEL", cni.conf(), pod, "c1")
    finish_plugin(first).ok()
    finish_plugin(second).ok()
    assert cni.host_links() == [] and cni.pod_links(pod) == set()


# 23

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_23_trace_goes_into_the_log(cni, command):
    reply = cni.call(command, cni.conf(), cni.pod(), TRACEPARENT=TRACE)
    reply.ok()
    assert TRACE in reply.stderr and "container=c1" in reply.stderr


def test_23_without_a_trace_the_log_is_silent(cni):
    pod = cni.pod()
    assert cni.add(cni.conf(), pod).stderr == ""
    assert cni.delete(cni.conf(), pod).stderr == ""


@pytest.mark.parametrize("command,method", [("ADD", "CreateAttachment"),
                                            ("DEL", "DeleteAttachment")])
def test_23_trace_goes_into_the_rpc_and_the_agents_log(cni, command, method):
    cni.call(command, cni.conf(), cni.pod(), TRACEPARENT=TRACE).ok()
    lines = [line for line in cni.node.agent.text().splitlines() if method in line]
    assert len(lines) == 1 and f"traceparent={TRACE}" in lines[0], lines
