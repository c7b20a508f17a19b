# SPDX-License-Identifier: Apache-2.0
"""Calls the CNI plugin as a runtime does, in a node's namespace.

The plugin's host namespace is the node's, so that nothing here touches the
real one.
"""

import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess

from lab import BIN, run, wait_until

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
DEBIAN_PLUGINS = "/usr/lib/cni"
PLUGIN = BIN / "eoip"


class Reply:
    """What one call ended with."""

    def __init__(self, exit_code, stdout, stderr):
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def json(self):
        return json.loads(self.stdout)

    def ok(self):
        """The result, None when the command has none; fails on an error."""
        assert self.exit_code == 0, f"exit {self.exit_code}\n{self.stdout}{self.stderr}"
        return self.json if self.stdout else None

    def error(self, code, *parts):
        """The error object; it must have this code and name these parts."""
        assert self.exit_code != 0, self.stdout
        error = self.json
        assert error["code"] == code, error
        assert set(error) <= {"cniVersion", "code", "msg", "details"}, error
        assert error["cniVersion"] in VERSIONS
        for part in parts:
            assert part in error["msg"] + error.get("details", ""), error
        return error


def environment(command, **variables):
    """The CNI variables and nothing else of this process's environment."""
    env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command}
    for name, value in variables.items():
        if value is not None:
            env[name if name.isupper() else f"CNI_{name.upper()}"] = str(value)
    return env


class Cni:
    """node: a started Node, or only a lab for calls that need no agent."""

    def __init__(self, lab, node=None, network="lan"):
        self.lab = lab
        self.node = node
        self.host_ns = node.ns if node else lab.ns("host")
        self.network = network
        self.path = DEBIAN_PLUGINS
        self.pods = 0

    def pod(self):
        self.pods += 1
        return self.lab.ns(f"pod{self.pods}")

    def conf(self, version="1.0.0", name="net1", **fields):
        conf = {"cniVersion": version, "name": name, "type": "eoip",
                "network": self.network}
        if self.node:
            conf["agentSocket"] = str(self.node.agent_socket)
        conf.update(fields)
        return {key: value for key, value in conf.items() if value is not None}

    def argv(self):
        return ["ip", "netns", "exec", self.host_ns, str(PLUGIN)]

    def call(self, command, conf=None, pod=None, container="c1", ifname="eth0",
             stdin=None, wrapper=(), timeout=60, **variables):
        """conf: a dict; stdin: raw text instead. pod: a namespace's name."""
        env = environment(
            command, containerid=container, ifname=ifname,
            netns=variables.pop("netns", f"/run/netns/{pod}" if pod else None),
            path=variables.pop("path", self.path), **variables)
        if stdin is None:
            stdin = json.dumps(conf)
        argv = self.argv()
        argv[4:4] = [str(word) for word in wrapper]
        done = run(argv, check=False, stdin=stdin, env=env, timeout=timeout)
        return Reply(done.returncode, done.stdout, done.stderr)

    def add(self, conf, pod, **options):
        return self.call("ADD", conf, pod, **options)

    def delete(self, conf, pod=None, **options):
        return self.call("DEL", conf, pod, **options)

    def check(self, conf, pod, result, **options):
        return self.call("CHECK", {**conf, "prevResult": result}, pod, **options)

    # What is on the node.

    def host_links(self):
        """Names of the plugin's links on the node."""
        links = self.lab.links(self.host_ns)
        return sorted(name for name in links if name.startswith("eo") and len(name) == 15)

    def attachments(self, network="-"):
        from node import attachment_pb2
        found, token = [], ""
        while True:
            page = self.node.attachments.ListAttachments(
                attachment_pb2.ListAttachmentsRequest(
                    parent=f"networks/{network}", page_size=1000, page_token=token),
                timeout=5)
            found += page.attachments
            token = page.next_page_token
            if not token:
                return found

    def state(self):
        """Everything an ADD may leave: links, FDB, VLANs, records."""
        links = {name: (row.get("master"), row.get("group"), row.get("mtu"))
                 for name, row in self.lab.links(self.host_ns).items()}
        # "self" entries are the multicast groups that the host itself listens to.
        fdb = [line for line in
               self.lab.run(self.host_ns, "bridge", "fdb", "show").stdout.splitlines()
               if " self" not in line]
        vlans = self.lab.run(self.host_ns, "bridge", "vlan", "show").stdout
        return {"links": links, "fdb": sorted(fdb), "vlans": vlans,
                "attachments": sorted(item.name for item in self.attachments())}

    def wait_state(self, wanted, what):
        """The agent sees that a link is gone a moment later."""
        last = []

        def same():
            last[:] = [self.state()]
            return last[0] == wanted
        try:
            wait_until(same, 10)
        except AssertionError:
            pass
        assert last[0] == wanted, what

    def pod_links(self, pod):
        return {name for name in self.lab.links(pod) if name != "lo"}

    def pod_addresses(self, pod, ifname="eth0"):
        rows = json.loads(self.lab.ip(pod, "-j", "addr", "show", "dev", ifname).stdout)
        return {f"{row['local']}/{row['prefixlen']}" for row in rows[0]["addr_info"]}

    def ping(self, pod, address, count=1):
        return self.lab.run(pod, "ping", "-n", "-q", "-i", "0.2", "-W", "2", "-c", count,
                            address, check=False).returncode == 0


class IpamPlugin:
    """An IPAM plugin that writes down how it was called. It reads what to say
    from files, so that a test can change its mind."""

    SCRIPT = r"""#!/bin/bash
dir=$(dirname "$0")
me=$dir/$(basename "$0").d
n=$(mktemp -d "$me/call.XXXXXX")
cat > "$n/stdin"
tr '\0' '\n' < /proc/$$/environ > "$n/env"
echo "$CNI_COMMAND" >> "$me/commands"
echo "said by the plugin" >&2
[ -e "$me/sleep.$CNI_COMMAND" ] && sleep "$(cat "$me/sleep.$CNI_COMMAND")"
[ -e "$me/stdout.$CNI_COMMAND" ] && cat "$me/stdout.$CNI_COMMAND"
[ -e "$me/exit.$CNI_COMMAND" ] && exit "$(cat "$me/exit.$CNI_COMMAND")"
exit 0
"""

    def __init__(self, folder, name="test-ipam", **result):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.folder.mkdir(exist_ok=True)
        self.notes = self.folder / f"{name}.d"
        self.notes.mkdir()
        script = self.folder / name
        script.write_text(self.SCRIPT)
        script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        if result:
            self.say("ADD", json.dumps({"cniVersion": "1.0.0", **result}))

    @property
    def path(self):
        return str(self.folder)

    def say(self, command, stdout=None, exit_code=None, sleep_s=None):
        for kind, value in (("stdout", stdout), ("exit", exit_code), ("sleep", sleep_s)):
            if value is not None:
                (self.notes / f"{kind}.{command}").write_text(str(value))

    def fail(self, command, code, msg):
        self.say(command, json.dumps({"cniVersion": "1.0.0", "code": code, "msg": msg}), 1)

    def commands(self):
        file = self.notes / "commands"
        return file.read_text().split() if file.exists() else []

    def calls(self):
        """(stdin, environment) of each call, in no order."""
        return [((call / "stdin").read_text(), (call / "env").read_text().splitlines())
                for call in self.notes.glob("call.*")]


@contextlib.contextmanager
def stopped(process):
    """SIGSTOP for the time of a with block, to the program under
    `ip netns exec` (which execs, so it is the same process)."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def start_plugin(cni, command, conf, pod, container, ifname="eth0", **variables):
    """The same call without waiting: a Popen with the input already written."""
    env = environment(command, containerid=container, ifname=ifname,
                      netns=f"/run/netns/{pod}", path=cni.path, **variables)
    process = subprocess.Popen(
        cni.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=env)
    process.stdin.write(json.dumps(conf))
    process.stdin.close()
    process.stdin = None
    return process


def finish_plugin(process, timeout=60):
    stdout, stderr = process.communicate(timeout=timeout)
    return Reply(process.returncode, stdout, stderr)


def sniff(lab, ns, link, seconds, until=None):
    """Frames seen on the link within a time, or until one satisfies until."""
    import time
    sock = lab.packet_socket(ns, link)
    frames = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            frames.append(sock.recv(65535))
        except TimeoutError:
            continue
        if until and until(frames[-1]):
            break
    return frames


