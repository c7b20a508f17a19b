# SPDX-License-Identifier: Apache-2.0
"""Links that live in another netns than their underlay."""

import errno

import lab


def both_ways(l, kind, ns, tunnel_id=100):
    inner = l.capture(ns, "t0")
    for size in (60, 1514):
        frame = lab.frame_of(size)
        inner.send(frame)
        l.expect_frame(kind, tunnel_id, frame)
        l.inject(kind.outer(kind.encap(tunnel_id, frame)))
        lab.expect(inner, frame)


def test_a_moved_link_keeps_its_underlay(l, kind):
    pod = l.netns("pod")
    l.tunnel(kind, up=False, interval=0)
    l.dut.ip("link set t0 netns pod")
    pod.ip("link set t0 up")
    both_ways(l, kind, pod)


def test_a_link_moved_while_up_works_and_moves_back(l, kind):
    pod = l.netns("pod")
    l.tunnel(kind)
    for ns, back in ((pod, "pod"), (l.dut, "dut")):
        (l.dut if ns is pod else pod).ip("link set t0 netns " + back)
        ns.ip("link set t0 up")
        both_ways(l, kind, ns)


def test_a_moved_link_can_be_changed_and_keeps_its_key(l, kind):
    pod = l.netns("pod")
    l.tunnel(kind)
    l.dut.ip("link set t0 netns pod")
    pod.ip("link set t0 up")
    with lab.refused(errno.EEXIST):
        l.tunnel(kind, "t1")
    pod.nl.change(kind.name, "t0", {"id": 9})
    both_ways(l, kind, pod, 9)
    l.tunnel(kind, "t1")


def test_a_link_is_made_right_in_a_pod(l, kind):
    pod = l.netns("pod")
    l.dut.nl.create(
        kind.name, "t0", {"id": 100, "remote": kind.remote, "local": kind.local, "interval": 0}, netns_fd=pod.fd
    )
    pod.ip("link set t0 up")
    both_ways(l, kind, pod)


def test_names_collide_only_in_the_same_netns(l, kind):
    pod = l.netns("pod")
    pod.ip("link add t0 type dummy")
    l.tunnel(kind)
    with lab.refused(errno.EEXIST):
        l.dut.nl.create(kind.name, "t0", {"id": 1, "remote": kind.remote}, netns_fd=pod.fd)


def test_the_death_of_the_pod_takes_the_link_and_frees_the_key(l, kind):
    pod = l.netns("pod")
    l.tunnel(kind)
    l.dut.ip("link set t0 netns pod")
    l.spaces.remove(pod)
    pod.delete()

    def free():
        try:
            l.tunnel(kind, "t1")
        except OSError as error:
            assert error.errno == errno.EEXIST, error
            return False
        return True

    lab.wait_for(free, 10, "the key of the dead link")


def test_the_death_of_the_underlay_netns_takes_the_link(l, kind):
    pod, under = l.netns("pod"), l.netns("under")
    under.ip("link add d0 type dummy", "link set d0 up", "addr add 10.9.0.1/24 dev d0")
    remote = "10.9.0.2" if kind.version == 4 else "fd09::2"
    under.nl.create(kind.name, "t0", {"id": 1, "remote": remote, "interval": 1}, up=True)
    under.ip("link set t0 netns pod")
    pod.ip("link set t0 up")
    sender = l.capture(pod, "t0")
    sender.send(lab.frame_of(60))
    l.spaces.remove(under)
    under.delete()
    lab.wait_for(lambda: not pod.nl.exists("t0"), 10, "the link to go")


def test_twenty_tunnels_of_dying_namespaces_leave_nothing(l, kind):
    for round_number in range(5):
        ns = l.netns("x%d" % round_number)
        ns.ip("link set lo up")
        for number in range(4):
            ns.nl.create(kind.name, "t%d" % number, {"id": number, "remote": kind.remote}, up=True)
    for ns in list(l.spaces[2:]):
        l.spaces.remove(ns)
        ns.delete()
    l.tunnel(kind)
    both_ways(l, kind, l.dut)
