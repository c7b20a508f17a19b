# SPDX-License-Identifier: Apache-2.0
"""A thousand tunnels on one node."""

import threading
import time

from lab import wait_until
from node import Node, State, tunnel_pb2

COUNT = 1000
RSS_LIMIT_KIB = 40 * 1024


def test_a_thousand_tunnels_are_created_listed_watched_and_deleted(lab):
    node = Node(lab).start()
    events = {"ADDED": set(), "DELETED": set()}
    stream = node.tunnels.WatchTunnels(tunnel_pb2.WatchTunnelsRequest())

    def watch():
        try:
            for event in stream:
                kind = tunnel_pb2.WatchTunnelsResponse.Type.Name(event.type)
                if kind in events:
                    events[kind].add(event.tunnel.name)
        except Exception:  # cancelled below
            pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        started = time.monotonic()
        for number in range(COUNT):
            node.create_tunnel(f"t{number}", number)
        created = time.monotonic() - started
        wait_until(lambda: all(tunnel.status.state == State.ACTIVE
                               for tunnel in node.list_tunnels()), 30, "all ACTIVE")
        assert len(node.list_tunnels(page_size=7)) == COUNT
        assert len(node.owned_links()) == COUNT
        wait_until(lambda: len(events["ADDED"]) == COUNT, 10, "the watch to tell all")
        rss = {"agent": node.agent.rss_kib(), "tapd": node.tapd.rss_kib()}
        assert max(rss.values()) < RSS_LIMIT_KIB, rss

        before = {name: row["ifindex"] for name, row in lab.links(node.ns).items()}
        node.agent.kill()
        node.start_agent()
        assert {name: row["ifindex"] for name, row in lab.links(node.ns).items()} == before
        stream = node.tunnels.WatchTunnels(tunnel_pb2.WatchTunnelsRequest())
        watcher.join(10)
        watcher = threading.Thread(target=watch)
        watcher.start()

        started = time.monotonic()
        for number in range(COUNT):
            node.delete_tunnel(f"t{number}")
        wait_until(lambda: node.owned_links() == [], 60, "all links to go")
        deleted = time.monotonic() - started
        wait_until(lambda: len(events["DELETED"]) == COUNT, 10, "the watch to tell all")
        assert node.list_tunnels() == []
        print(f"created in {created:.1f} s, deleted in {deleted:.1f} s, RSS {rss}")
    finally:
        stream.cancel()
        watcher.join(10)
