# SPDX-License-Identifier: Apache-2.0
"""The site's stand-in against itself and against known bytes.

What judges the project's datapaths must be right first.
"""

import socket

import pytest

import eoip_wire
from lab import SUPPORT, wait_until


def two_sites(lab, ipv6=False, keepalive="0.2,3", tunnel_id=100):
    a, b = lab.ns("a"), lab.ns("b")
    lab.cable(a, "u", b, "u")
    addresses = ("2001:db8::1", "2001:db8::2") if ipv6 else ("192.0.2.1", "192.0.2.2")
    width = "64" if ipv6 else "24"
    for ns, address in zip((a, b), addresses):
        nodad = ["nodad"] if ipv6 else []
        lab.ip(ns, "addr", "add", f"{address}/{width}", "dev", "u", *nodad)

    def site(ns, local, remote, log):
        process = lab.spawn(
            ns, SUPPORT / "eoip_site.py", "--dev", "eoip0", "--local", local, "--remote",
            remote, "--tunnel-id", tunnel_id, "--keepalive", keepalive, log=log)
        wait_until(lambda: "ready" in process.text() or not process.alive(), what=log)
        assert process.alive(), process.text()
        return process

    return (a, b, site(a, *addresses, "a.log"), site(b, *reversed(addresses), "b.log"))


@pytest.mark.parametrize("tunnel_id,expected", [
    (0, "0000"), (1, "0100"), (100, "6400"), (0xABC, "bc0a"), (4095, "ff0f"),
    (65535, "ffff")])
def test_eoip_id_is_little_endian_and_length_big_endian(tunnel_id, expected):
    header = eoip_wire.encode(False, tunnel_id, b"x" * 300)[:8]
    assert header.hex() == "20016400" + "012c" + expected
    assert eoip_wire.decode(False, header + b"x" * 300) == (tunnel_id, b"x" * 300)


@pytest.mark.parametrize("tunnel_id,expected", [
    (0, "0300"), (1, "0301"), (100, "0364"), (1234, "43d2"), (0xABC, "a3bc"),
    (4095, "f3ff")])
def test_eoipv6_id_is_split_around_the_version_nibble(tunnel_id, expected):
    assert eoip_wire.encode(True, tunnel_id).hex() == expected
    assert eoip_wire.decode(True, bytes.fromhex(expected) + b"y" * 14) == (
        tunnel_id, b"y" * 14)


@pytest.mark.parametrize("ipv6", [False, True])
def test_ping_crosses_and_a_silent_peer_takes_the_carrier(lab, ipv6):
    a, b, _, site_b = two_sites(lab, ipv6)
    for ns, address in ((a, "10.0.0.1"), (b, "10.0.0.2")):
        lab.ip(ns, "addr", "add", f"{address}/24", "dev", "eoip0")
    wait_until(lambda: lab.links(a)["eoip0"]["operstate"] == "UP", what="carrier")
    lab.run(a, "ping", "-c", "3", "-i", "0.05", "-W", "2", "-s", "1472", "10.0.0.2")
    site_b.stop()
    wait_until(lambda: "LOWER_UP" not in lab.links(a)["eoip0"]["flags"],
               what="carrier lost")


def test_keepalive_on_the_wire_is_28_bytes_with_ttl_255_and_no_df(lab):
    a, b, _, _ = two_sites(lab)
    sniff = lab.packet_socket(b, "u", 0x0800)

    def keepalive():
        try:
            frame, source = sniff.recvfrom(65536)
        except socket.timeout:
            return None
        incoming = source[2] != socket.PACKET_OUTGOING
        # Frames of the device's own IPv6 start cross too: not those.
        return frame[14:] if incoming and frame[38:40] == b"\0\0" else None

    packet = wait_until(keepalive, what="a keepalive")
    assert packet[20:].hex() == "2001640000006400"
    assert int.from_bytes(packet[2:4], "big") == 28
    assert packet[8] == 255 and packet[6] & 0x40 == 0 and packet[1] == 0


def test_a_device_that_is_there_is_not_taken(lab):
    a, _, site_a, _ = two_sites(lab)
    second = lab.spawn(a, SUPPORT / "eoip_site.py", "--dev", "eoip0", "--remote",
                       "192.0.2.2", "--tunnel-id", "5", log="second.log")
    wait_until(lambda: not second.alive(), what="the second to give up")
    assert second.popen.returncode == 1
    assert "busy" in second.text()
    assert site_a.alive()
