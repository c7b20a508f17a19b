# SPDX-License-Identifier: Apache-2.0
"""Keepalives: when they are sent, what counts as life, what the carrier does."""

import time

import eoip_link
import lab


def carrier(l, name="t0"):
    return l.dut.nl.get(name)["carrier"]


def keepalives(l, kind, count, timeout):
    """Arrival times of so many keepalives at the peer, relative to now."""
    start, times = time.monotonic(), []
    for ip in l.packets(timeout):
        if ip.proto != kind.proto or ip.version != kind.version:
            continue
        got_id, frame = kind.parse(ip)
        assert got_id == 100 and frame == b"", frame.hex()
        assert (ip.ttl, ip.df) == (255, 0)
        times.append(time.monotonic() - start)
        if len(times) == count:
            return times
    raise AssertionError("only %d keepalives in %g s: %s" % (len(times), timeout, times))


def alive(l, kind):
    l.inject(kind.outer(kind.encap(100, b"")))


def test_the_first_comes_at_once_and_then_each_interval(l, kind):
    l.tunnel(kind, interval=3, retries=10)
    times = keepalives(l, kind, 4, 20)
    assert times[0] < 0.3, times
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(2.7 <= g <= 3.3 for g in gaps), gaps


def test_they_are_sent_in_the_same_rhythm_beside_traffic(l, kind):
    l.tunnel(kind, interval=2, retries=10)
    inner = l.capture(l.dut, "t0")
    start, seen = time.monotonic(), 0
    while time.monotonic() - start < 9:
        inner.send(lab.frame_of(60))
        for ip in l.packets(0.25):
            if ip.proto == kind.proto and kind.parse(ip)[1] == b"":
                seen += 1
    assert 4 <= seen <= 6, seen


def test_no_interval_means_none_are_sent_and_the_carrier_stays(l, kind):
    l.tunnel(kind, interval=0)
    assert carrier(l) == 1
    sent = [ip for ip in l.packets(30) if ip.proto == kind.proto]
    assert not sent and carrier(l) == 1


def test_the_carrier_goes_after_the_silence_the_contract_says(l, kind):
    l.tunnel(kind, interval=2, retries=5)
    alive(l, kind)
    lab.wait_for(lambda: carrier(l) == 1, 2, "carrier after a keepalive")
    alive(l, kind)
    start = time.monotonic()
    lab.wait_for(lambda: carrier(l) == 0, 20, "carrier off")
    took = time.monotonic() - start
    assert 2 * 5 * 1.0 <= took <= 2 * 5 * 1.2 + 0.1, took


def test_keepalives_go_on_without_carrier_and_one_packet_brings_it_back(l, kind):
    l.tunnel(kind, interval=1, retries=2)
    lab.wait_for(lambda: carrier(l) == 0, 10, "carrier off")
    list(l.packets(0.0))
    keepalives(l, kind, 3, 5)
    alive(l, kind)
    assert lab.wait_for(lambda: carrier(l) == 1, 1, "carrier on") < 0.5


def test_a_frame_counts_as_life_and_is_delivered_at_once(l, kind):
    l.tunnel(kind, interval=1, retries=2)
    lab.wait_for(lambda: carrier(l) == 0, 10, "carrier off")
    inner = l.capture(l.dut, "t0")
    l.inject(kind.outer(kind.encap(100, lab.frame_of(60))))
    lab.wait_for(lambda: carrier(l) == 1, 1, "carrier on")
    l.inject(kind.outer(kind.encap(100, lab.frame_of(61))))
    got = [inner.recv(1)]
    assert got[0] and len(got[0][0]) in (60, 61)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        l.inject(kind.outer(kind.encap(100, lab.frame_of(60))))
        assert inner.recv(1) and carrier(l) == 1
        list(l.packets(0.5))


def test_what_is_not_valid_does_not_count_as_life(l, kind):
    l.tunnel(kind, interval=1, retries=2)
    lab.wait_for(lambda: carrier(l) == 0, 10, "carrier off")
    l.inject(kind.outer(kind.encap(101, b"")))
    l.inject(kind.outer(kind.encap(100, b""), src=kind.other))
    l.inject(kind.outer(kind.encap(100, b"abc")))
    if kind.version == 4:
        l.inject(kind.outer(kind.encap(100, lab.frame_of(60), length=1000)))
    list(l.packets(0.5))
    assert carrier(l) == 0


def test_send_only_never_drops_the_carrier(l, kind):
    l.tunnel(kind, interval=1, retries=0)
    times = keepalives(l, kind, 12, 30)
    assert times[-1] < 12 and carrier(l) == 1


def test_a_failed_send_does_not_stop_them(l, kind):
    l.tunnel(kind, interval=1, retries=0)
    keepalives(l, kind, 2, 5)
    l.dut.ip("link set u0 down")
    list(l.packets(5))
    l.dut.ip("link set u0 up")
    # The kernel forgets static neighbours and IPv6 addresses of a link that goes down.
    l.dut.ip("neigh replace 10.0.0.2 lladdr %s dev u0 nud permanent" % lab.PEER_MAC)
    l.dut.ip("addr replace fd00::1/64 dev u0 nodad", "neigh replace fd00::2 lladdr %s dev u0 nud permanent" % lab.PEER_MAC)
    keepalives(l, kind, 3, 6)


def test_down_and_up_starts_again_at_once(l, kind):
    l.tunnel(kind, interval=10, retries=10)
    keepalives(l, kind, 1, 1)
    l.dut.ip("link set t0 down")
    assert not [ip for ip in l.packets(25) if ip.proto == kind.proto]
    l.dut.ip("link set t0 up")
    assert keepalives(l, kind, 1, 2)[0] < 0.5


def test_a_changed_interval_takes_effect_now(l, kind):
    l.tunnel(kind, interval=100, retries=10)
    keepalives(l, kind, 1, 1)
    l.dut.nl.change(kind.name, "t0", {"interval": 1})
    keepalives(l, kind, 3, 6)
    l.dut.nl.change(kind.name, "t0", {"interval": 0})
    list(l.packets(0.3))
    assert not [ip for ip in l.packets(5) if ip.proto == kind.proto]


def test_switching_them_off_brings_a_lost_carrier_back(l, kind):
    l.tunnel(kind, interval=1, retries=1)
    lab.wait_for(lambda: carrier(l) == 0, 10, "carrier off")
    l.dut.nl.change(kind.name, "t0", {"interval": 0})
    lab.wait_for(lambda: carrier(l) == 1, 1, "carrier on")


def test_last_heard_is_the_age_of_the_last_valid_packet(l, kind):
    l.tunnel(kind, interval=10, retries=10)
    assert l.dut.nl.get("t0")["data"]["last_heard_ms"] == eoip_link.NEVER
    alive(l, kind)
    lab.wait_for(lambda: l.dut.nl.get("t0")["data"]["last_heard_ms"] != eoip_link.NEVER, 1, "heard")
    start = time.monotonic()
    list(l.packets(3))
    age = l.dut.nl.get("t0")["data"]["last_heard_ms"] / 1000
    waited = time.monotonic() - start
    assert waited - 0.3 <= age <= waited + 1.3, (age, waited)


def test_received_keepalives_are_neither_answered_nor_delivered(l, kind):
    l.tunnel(kind, interval=0)
    inner = l.capture(l.dut, "t0")
    for _ in range(5):
        alive(l, kind)
    if kind.version == 4:  # a length field of 0 with bytes after it is a keepalive too
        l.inject(kind.outer(kind.encap(100, lab.frame_of(60), length=0)))
    assert inner.recv(0.3) is None
    assert not list(l.packets(0.3))
    assert l.dut.ethtool_stats("t0")["rx_keepalives"] == (6 if kind.version == 4 else 5)


def test_received_keepalives_are_counted_as_no_error(l, kind):
    l.tunnel(kind, interval=0)
    for _ in range(3):
        alive(l, kind)
    lab.wait_for(lambda: l.dut.ethtool_stats("t0")["rx_keepalives"] == 3, 2, "counter")
    stats = l.dut.stats("t0")["rx"]
    assert stats["errors"] == stats["dropped"] == 0, stats
