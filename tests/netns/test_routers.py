# SPDX-License-Identifier: Apache-2.0
"""IPv6 routers of a site give nothing to the host whose bridge they see."""

import socket
import struct

from lab import BIN, in_netns, run, wait_until
from node import Node, State

# Makes /proc/sys read-only, as container runtimes do, with a writable one at $0.
READ_ONLY = ("unshare", "-m", "sh", "-c",
             'mkdir -p "$0/net" && mount --bind /proc/sys/net "$0/net" &&'
             ' mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys &&'
             ' exec "$@"')


def advertise(router, link):
    """A router advertisement with a default route and the prefix fd07::/64."""
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0,
                         socket.inet_pton(socket.AF_INET6, "fd07::"))
    with in_netns(router, lambda: socket.socket(
            socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        out.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix,
                   ("ff02::1", 0))


def node_with_routers(lab, *flags, prefix=()):
    """A node with IPv6 on, whose bridges "lan" and "plain" see the router; only "lan" is
    the agent's."""
    node = Node(lab)
    lab.run(node.ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0",
            "net.ipv6.conf.default.accept_dad=0")
    node.start_tapd()
    node.start_agent(*flags, prefix=prefix)
    node.create_tunnel("t1", 1)
    node.eoipctl("network", "create", "lan", "ports=t1", "--wait=10s")
    node.wait_tunnel("t1", State.ACTIVE)
    lab.ip(node.ns, "link", "add", "plain", "type", "bridge")
    lab.ip(node.ns, "link", "set", "plain", "up")
    router = lab.ns("router")
    lab.run(router, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    for link, bridge in (("r1", "lan"), ("r2", "plain")):
        lab.cable(router, link, node.ns, f"to-{link}")
        lab.ip(node.ns, "link", "set", f"to-{link}", "master", bridge)
    return node, router


def accept_ra(node, link):
    return node.lab.run(node.ns, "sysctl", "-n", f"net.ipv6.conf.{link}.accept_ra").stdout.strip()


def default_route(node, link):
    return node.lab.ip(node.ns, "-6", "route", "show", "default", "dev", link).stdout.strip()


def test_the_host_takes_no_route_and_no_address_of_a_sites_router(lab):
    node, router = node_with_routers(lab)

    def plain_takes_it():
        for link in ("r1", "r2"):
            advertise(router, link)
        return default_route(node, "plain")
    wait_until(plain_takes_it, 10, "another bridge to take the route", 0.2)
    assert default_route(node, "lan") == ""
    assert "fd07:" not in lab.ip(node.ns, "-6", "addr", "show", "dev", "lan").stdout
    assert "fd07:" in lab.ip(node.ns, "-6", "addr", "show", "dev", "plain").stdout


def test_a_container_is_told_where_it_can_write_it(lab, tmp_path):
    writable = tmp_path / "proc-sys"
    writable.mkdir()
    node, _ = node_with_routers(lab, "--sysctl-dir", writable, prefix=(*READ_ONLY, writable))
    assert accept_ra(node, "lan") == "0"
    assert "accept_ra" not in node.agent.text()


def test_a_folder_without_sysctls_is_refused(tmp_path):
    done = run([BIN / "eoip-agent", "--sysctl-dir", tmp_path], check=False)
    assert done.returncode == 2
    assert "--sysctl-dir" in done.stderr and f'{tmp_path} has no folder "net"' in done.stderr


def test_one_that_cannot_says_so_and_makes_the_bridge(lab, tmp_path):
    node, _ = node_with_routers(lab, prefix=(*READ_ONLY, tmp_path / "proc-sys"))
    assert accept_ra(node, "lan") == "1"
    assert "may take an address and a default route" in node.agent.text()
