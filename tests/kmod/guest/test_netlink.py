# SPDX-License-Identifier: Apache-2.0
"""The netlink contract: attributes, defaults, refusals, transactional change, groups, namespaces."""

import errno
import time

import eoip_link
import lab

DEFAULTS = {"link": 0, "ttl": 255, "tos": 1, "interval": 10, "retries": 10, "abi": 1, "df": 0, "fwmark": 0,
            "clamp": 1, "gso": 1, "last_heard_ms": eoip_link.NEVER}
SAMPLES = {"ttl": 17, "tos": 0xB8, "interval": 7, "retries": 3, "df": 1, "fwmark": 0x1234, "clamp": 0, "gso": 0}


def data_of(l, name="t0"):
    return l.dut.nl.get(name)["data"]


def test_create_with_only_id_and_remote_takes_the_defaults(l, kind):
    l.dut.nl.create(kind.name, "t0", {"id": 5, "remote": kind.remote})
    link = l.dut.nl.get("t0")
    data = dict(link["data"])
    assert data.pop("version"), "no version"
    unset = "0.0.0.0" if kind.version == 4 else "::"
    assert data.pop("local", unset) == unset
    assert data == {"id": 5, "remote": kind.remote, **DEFAULTS}, data
    assert link["mtu"] == 1500 and link["kind"] == kind.name


def test_each_attribute_set_on_create_is_reported(l, kind):
    index = l.dut.nl.get("u0")["index"]
    for number, (key, value) in enumerate({**SAMPLES, "link": index, "local": kind.local}.items()):
        l.dut.nl.create(kind.name, "t0", {"id": number, "remote": kind.remote, key: value})
        assert data_of(l)[key] == value, (key, data_of(l))
        l.dut.nl.delete("t0")


def test_a_dump_shows_all_links(l, kind):
    for number in kind.ids:
        l.tunnel(kind, "t%d" % number, number)
    shown = {x["name"]: x["data"]["id"] for x in l.dut.nl.dump() if x["kind"] == kind.name}
    assert shown == {"t%d" % n: n for n in kind.ids}, shown


def test_what_is_out_of_range_is_refused_and_named(l, kind):
    base = {"id": 1, "remote": kind.remote}
    multicast = "224.0.0.1" if kind.version == 4 else "ff02::1"
    unset = "0.0.0.0" if kind.version == 4 else "::"
    other_family = b"\0" * (16 if kind.version == 4 else 4)
    cases = [
        ({"id": kind.max_id + 1}, "tunnel id"),
        ({"id": 2**32 - 1}, "tunnel id"),
        ({"id": b"\1"}, "tunnel id"),
        ({"remote": multicast}, "remote"),
        ({"remote": unset}, "remote"),
        ({"remote": other_family}, "remote"),
        ({"local": kind.remote}, "remote"),
        ({"local": multicast}, "local"),
        ({"local": other_family}, "local"),
        ({"link": 999999}, "link"),
        ({"link": 2**31}, "link"),
        ({"link": b"\1"}, "link"),
        ({"ttl": b""}, "ttl"),
        ({"tos": 2}, "tos"),
        ({"tos": b"\0\0"}, "tos"),
        ({"interval": 3601}, "keepalive interval"),
        ({"interval": b"\1"}, "keepalive interval"),
        ({"retries": b""}, "keepalive retries"),
        ({"df": 3}, "df"),
        ({"fwmark": b"\1"}, "fwmark"),
        ({"clamp": 2}, "clamp tcp mss"),
        ({"gso": 2}, "gso"),
        ({"abi": 1}, "abi"),
        ({"last_heard_ms": 1}, "last heard"),
        ({"version": "1"}, "version"),
    ]
    if kind.version == 4:
        cases.append(({"remote": "255.255.255.255"}, "remote"))
    for change, name in cases:
        try:
            l.dut.nl.create(kind.name, "t0", {**base, **change})
        except eoip_link.NetlinkError as error:
            assert error.errno in (errno.EINVAL, errno.ENODEV), (change, error)
            assert error.extack.startswith("eoip: %s: " % name), (change, error.extack)
        else:
            raise AssertionError("%s was accepted" % change)
        assert not l.dut.nl.exists("t0")


def test_missing_id_or_remote_is_refused_and_named(l, kind):
    with lab.refused(errno.EINVAL, "remote: is required"):
        l.dut.nl.create(kind.name, "t0", {"id": 1})
    with lab.refused(errno.EINVAL, "tunnel id"):
        l.dut.nl.create(kind.name, "t0", {"remote": kind.remote})
    with lab.refused(errno.EINVAL, "tunnel id: is required"):
        l.dut.nl.create(kind.name, "t0", {})
    assert not l.dut.nl.exists("t0")


def test_unknown_attributes_are_refused(l, kind):
    eoip_link.ATTRIBUTES["unknown"] = (200, "u32")
    try:
        with lab.refused(errno.EOPNOTSUPP, "eoip: attribute: is not one of this kind"):
            l.dut.nl.create(kind.name, "t0", {"id": 1, "remote": kind.remote, "unknown": 1})
    finally:
        del eoip_link.ATTRIBUTES["unknown"]


def test_a_second_tunnel_with_the_same_key_is_refused(l, kind):
    l.tunnel(kind)
    with lab.refused(errno.EEXIST, "eoip: tunnel id: a tunnel with this id"):
        l.tunnel(kind, "t1")
    l.tunnel(kind, "t1", tunnel_id=101)
    with lab.refused(errno.EEXIST):
        l.dut.nl.change(kind.name, "t1", {"id": 100})
    assert data_of(l, "t1")["id"] == 101
    # Any local and a given local are two keys.
    l.tunnel(kind, "t2", local=None)


def test_a_change_leaves_absent_attributes_alone(l, kind):
    l.tunnel(kind, interval=None)
    want = data_of(l)
    for key, value in {**SAMPLES, "id": 7, "remote": kind.other}.items():
        l.dut.nl.change(kind.name, "t0", {key: value})
        want[key] = value
        assert data_of(l) == want, (key, data_of(l), want)


def test_a_refused_change_changes_nothing(l, kind):
    l.tunnel(kind)
    want = data_of(l)
    for bad in ({"ttl": 9, "id": kind.max_id + 1}, {"fwmark": 5, "df": 9}, {"id": 8, "clamp": 7},
                {"tos": 4, "gso": 3}, {"retries": 2, "link": 999999}):
        try:
            l.dut.nl.change(kind.name, "t0", bad)
        except eoip_link.NetlinkError as error:
            assert error.extack, bad
        else:
            raise AssertionError("%s was accepted" % bad)
        assert data_of(l) == want, bad
    frame = lab.frame_of(60)
    inner = l.capture(l.dut, "t0")
    inner.send(frame)
    l.expect_frame(kind, 100, frame)


def test_a_change_with_a_bad_mtu_changes_nothing(l, kind):
    """The kernel sets the MTU after the kind's own attributes, and does not take those back."""
    l.tunnel(kind, up=False, **SAMPLES)
    before = l.dut.nl.get("t0")
    for mtu in (0, 67, 65536):
        with lab.refused(errno.EINVAL, "mtu"):
            l.dut.nl.change(kind.name, "t0", {"id": 77, "ttl": 99}, mtu=mtu)
        assert l.dut.nl.get("t0") == before, mtu
    l.dut.nl.change(kind.name, "t0", {"id": 77}, mtu=1400)
    assert (l.dut.nl.get("t0")["mtu"], data_of(l)["id"]) == (1400, 77)


def test_a_change_of_id_and_remote_moves_the_traffic(l, kind):
    l.tunnel(kind)
    inner = l.capture(l.dut, "t0")
    frame = lab.frame_of(60)
    l.dut.nl.change(kind.name, "t0", {"id": 7, "remote": kind.other})
    inner.send(frame)
    ip = l.expect_frame(kind, 7, frame)
    assert ip.dst == kind.other
    l.inject(kind.outer(kind.encap(100, lab.frame_of(61))))
    l.inject(kind.outer(kind.encap(7, frame), src=kind.other))
    lab.expect(inner, frame)


def test_ids_are_separate_per_netns(l, kind):
    l.tunnel(kind)
    l.peer.nl.create(kind.name, "t0", {"id": 100, "remote": kind.local, "local": kind.remote})
    assert l.peer.nl.get("t0")["data"]["id"] == 100


def test_a_group_is_deleted_as_fast_as_vxlans(l, kind):
    count = 500

    def timed(action):
        start = time.monotonic()
        action()
        return time.monotonic() - start

    def ours():
        for number in range(count):
            l.dut.nl.create(kind.name, "e%d" % number, {"id": number, "remote": kind.remote}, group=77)

    # User-mode Linux has no instruction clock: others' work may disturb a round, not three.
    for last in (False, False, True):
        ours()
        l.dut.ip(*("link add v%d group 78 type vxlan id %d remote 10.0.0.2 dstport 4789" % (n, n) for n in range(count)))
        took = timed(lambda: l.dut.nl.delete_group(77))
        vxlan = timed(lambda: l.dut.nl.delete_group(78))
        names = {x["name"] for x in l.dut.nl.dump()}
        assert not any(n[0] in "ev" and n[1:].isdigit() for n in names), names
        fast = took < 1.3 * vxlan + 0.05
        assert fast or not last, "%d tunnels took %.3f s, vxlans %.3f s" % (count, took, vxlan)
        if fast:
            break


def test_link_shows_the_underlay_netns_after_a_move(l, kind):
    pod = l.netns("pod")
    l.tunnel(kind, up=False)
    l.dut.ip("link set t0 netns pod")
    link = pod.nl.get("t0")
    assert link.get("link_netnsid", -1) >= 0, link
    assert link["data"]["id"] == 100


def test_ethtool_says_driver_and_version(l, kind):
    l.tunnel(kind)
    info = l.dut.run("ethtool", "-i", "t0")
    version = data_of(l)["version"]
    assert "driver: eoip" in info and "version: " + version in info, info
    assert l.dut.ethtool_stats("t0"), "no counters"


def test_address_is_random_per_link_and_settable(l, kind):
    l.tunnel(kind, "t0", 1)
    l.tunnel(kind, "t1", 2)
    shown = {x: l.dut.run("ip", "link", "show", x).split("link/ether ")[1][:17] for x in ("t0", "t1")}
    assert shown["t0"] != shown["t1"]
    l.dut.ip("link set t0 address 02:00:00:00:01:01")
    assert "02:00:00:00:01:01" in l.dut.run("ip", "link", "show", "t0")


def test_mtu_bounds_are_enforced(l, kind):
    l.tunnel(kind)
    l.dut.ip("link set t0 mtu 9000", "link set t0 mtu 68" if kind.version == 4 else "link set t0 mtu 1280")
    for bad in (67, 65536):
        try:
            l.dut.ip("link set t0 mtu %d" % bad)
        except AssertionError:
            continue
        raise AssertionError("MTU %d was accepted" % bad)
