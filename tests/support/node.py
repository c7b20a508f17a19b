# SPDX-License-Identifier: Apache-2.0
"""A node under test: eoip-tapd and eoip-agent in a namespace, and their APIs.

The stubs are made from proto/ by Debian's protoc when first asked for.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import grpc

import lab as lab_module
from lab import BIN, ROOT, SLOW, wait_until

NODE4, SITE4 = "192.0.2.1", "192.0.2.2"
NODE6, SITE6 = "2001:db8::1", "2001:db8::2"

_stubs = tempfile.TemporaryDirectory(prefix="eoip-stubs-")


def _generate():
    protos = [str(path.relative_to(ROOT / "proto"))
              for path in sorted((ROOT / "proto").rglob("*.proto"))]
    subprocess.run(
        ["protoc", "-I", ROOT / "proto", f"--python_out={_stubs.name}",
         f"--grpc_out={_stubs.name}",
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *protos],
        check=True, cwd=ROOT / "proto")
    sys.path.insert(0, _stubs.name)


_generate()

from eoip.tapd.v1 import tapd_pb2, tapd_pb2_grpc  # noqa: E402
from eoip.v1 import (  # noqa: E402
    agent_pb2, agent_pb2_grpc, attachment_pb2, attachment_pb2_grpc, network_pb2,
    network_pb2_grpc, tunnel_pb2, tunnel_pb2_grpc)

State = tunnel_pb2.TunnelStatus
EOIP, EOIPV6 = tunnel_pb2.EOIP, tunnel_pb2.EOIPV6
TAP, KERNEL = tunnel_pb2.TAP, tunnel_pb2.KERNEL
OFF = tunnel_pb2.Keepalive(off=True)


def open_channel(process, path):
    """A channel to a program that was just started.

    Not before the socket answers: a refused attempt makes gRPC wait for seconds.
    """
    def connects():
        assert process.alive(), f"{process.argv}: it ended\n{process.text()}"
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(path)) == 0
    wait_until(connects, 20, f"{path} to answer", 0.005)
    return grpc.insecure_channel(
        f"unix:{path}", options=[("grpc.use_local_subchannel_pool", 1)])


def keepalive(interval_s, retries):
    made = tunnel_pb2.Keepalive(retries=retries)
    made.interval.seconds = interval_s
    return made


class Node:
    """Namespaces "node" and "site" with a cable u0 - u1 between them."""

    def __init__(self, lab, underlay_mtu=1500):
        self.lab = lab
        self.ns = lab.ns("node")
        self.site = lab.ns("site")
        self.run_dir = lab.folder / "run"
        self.state_dir = lab.folder / "state"
        lab.cable(self.ns, "u0", self.site, "u1", underlay_mtu)
        for ns, link, v4, v6 in (
                (self.ns, "u0", NODE4, NODE6), (self.site, "u1", SITE4, SITE6)):
            lab.ip(ns, "addr", "add", f"{v4}/24", "dev", link)
            lab.ip(ns, "addr", "add", f"{v6}/64", "dev", link, "nodad")
        # A new link says nothing by itself: what crosses is the test's.
        lab.run(self.ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        self.tapd = None
        self.agent = None
        self.agent_starts = 0
        self.run_dir.mkdir()

    @property
    def agent_socket(self):
        return self.run_dir / "agent.sock"

    def start_tapd(self, *flags, prefix=(), program=BIN / "eoip-tapd"):
        """prefix: a program and arguments that run the command line."""
        self.tapd = self.lab.spawn(
            self.ns, *prefix, program, "--socket", self.run_dir / "tapd.sock", *flags,
            log="tapd.log")
        self.tapd_api = tapd_pb2_grpc.TapdServiceStub(self.lab.keep(
            open_channel(self.tapd, self.run_dir / "tapd.sock")))

    def start_agent(self, *flags, prefix=(), wait_ready=True):
        """prefix: a program and arguments that run the agent's command line."""
        self.agent_starts += 1
        if "--cni-plugin" not in flags:
            flags = (*flags, "--cni-plugin", BIN / "eoip")
        self.agent = self.lab.spawn(
            self.ns, *prefix, BIN / "eoip-agent", "--runtime-dir", self.run_dir, "--state-dir",
            self.state_dir, "--node", "testnode", *flags,
            log=f"agent-{self.agent_starts}.log")
        channel = self.lab.keep(open_channel(self.agent, self.agent_socket))
        self.tunnels = tunnel_pb2_grpc.TunnelServiceStub(channel)
        self.networks = network_pb2_grpc.NetworkServiceStub(channel)
        self.attachments = attachment_pb2_grpc.AttachmentServiceStub(channel)
        self.api = agent_pb2_grpc.AgentServiceStub(channel)
        if wait_ready:
            wait_until(lambda: self.status().ready, 20, "the agent to be ready")

    def start(self):
        self.start_tapd()
        self.start_agent()
        return self

    def status(self):
        return self.api.GetAgentStatus(agent_pb2.GetAgentStatusRequest(), timeout=5 * SLOW)

    def create_tunnel(self, name, tunnel_id, kind=EOIP, **fields):
        """TAP datapath, no keepalives unless fields say otherwise."""
        fields.setdefault("remote", SITE6 if kind == EOIPV6 else SITE4)
        fields.setdefault("keepalive", OFF)
        fields.setdefault("datapath", TAP)
        tunnel = tunnel_pb2.Tunnel(
            name=f"tunnels/{name}", kind=kind, tunnel_id=tunnel_id, **fields)
        return self.tunnels.CreateTunnel(
            tunnel_pb2.CreateTunnelRequest(tunnel=tunnel), timeout=10 * SLOW)

    def tunnel(self, name):
        return self.tunnels.GetTunnel(
            tunnel_pb2.GetTunnelRequest(name=f"tunnels/{name}"), timeout=5 * SLOW)

    def delete_tunnel(self, name, **fields):
        self.tunnels.DeleteTunnel(tunnel_pb2.DeleteTunnelRequest(
            name=f"tunnels/{name}", **fields), timeout=10 * SLOW)

    def create_network(self, name, *tunnels, **fields):
        ports = [network_pb2.NetworkPort(tunnel=f"tunnels/{tunnel}") for tunnel in tunnels]
        network = network_pb2.Network(name=f"networks/{name}", ports=ports, **fields)
        return self.networks.CreateNetwork(
            network_pb2.CreateNetworkRequest(network=network), timeout=10 * SLOW)

    def network(self, name):
        return self.networks.GetNetwork(
            network_pb2.GetNetworkRequest(name=f"networks/{name}"), timeout=5 * SLOW)

    def wait_tunnel(self, name, state, deadline_s=10):
        def reached():
            try:
                tunnel = self.tunnel(name)
            except grpc.RpcError as error:
                return False if error.code() == grpc.StatusCode.UNAVAILABLE else None
            return tunnel if tunnel.status.state == state else None
        return wait_until(reached, deadline_s,
                          f"{name} to be {State.State.Name(state)}")

    def list_tunnels(self, page_size=1000):
        found, token = [], ""
        while True:
            page = self.tunnels.ListTunnels(tunnel_pb2.ListTunnelsRequest(
                page_size=page_size, page_token=token), timeout=30 * SLOW)
            found += page.tunnels
            token = page.next_page_token
            if not token:
                return found

    def drops(self, *names):
        """Sum by cause: tapd's own and those of the tunnels named."""
        total = dict(self.tapd_api.GetInfo(tapd_pb2.GetInfoRequest(), timeout=5 * SLOW).drops)
        rows = self.tapd_api.ListTunnels(
            tapd_pb2.ListTunnelsRequest(names=names), timeout=5 * SLOW).tunnels
        for row in rows:
            for cause, count in row.counters.drops.items():
                total[cause] = total.get(cause, 0) + count
        return {cause: count for cause, count in total.items() if count}

    def eoipctl(self, *argv, check=True, **options):
        env = dict(os.environ, EOIP_AGENT_SOCKET=str(self.agent_socket))
        return lab_module.run([BIN / "eoipctl", *argv], check=check, env=env, **options)

    def eoipctl_json(self, *argv):
        return json.loads(self.eoipctl(*argv, "-o", "json").stdout)

    def state_file(self, name):
        return pathlib.Path(self.state_dir) / "tunnels" / f"{name}.json"

    def owned_links(self):
        """Names of links in the namespace but lo and the cable."""
        return sorted(set(self.lab.links(self.ns)) - {"lo", "u0"})

    def site_endpoint(self, dev="eoip0", tunnel_id=100, ipv6=False, keepalive="1,3",
                      log="site.log", mtu=1500):
        local, remote = (SITE6, NODE6) if ipv6 else (SITE4, NODE4)
        process = self.lab.spawn(
            self.site, lab_module.SUPPORT / "eoip_site.py", "--dev", dev, "--local",
            local, "--remote", remote, "--tunnel-id", tunnel_id, "--keepalive",
            keepalive, "--mtu", mtu, log=log)
        wait_until(lambda: "ready" in process.text() or not process.alive(), what=log)
        assert process.alive(), process.text()
        return process
