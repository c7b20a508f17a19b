# SPDX-License-Identifier: Apache-2.0
"""Frames that can be told apart, and receiving them from packet sockets."""

import os
import socket
import struct
import time

ETHERTYPE = 0x88B5  # for local experiments (IEEE 802)
VLAN = 0x8100
SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 0x10
_counter = 0


def make_frame(size, vlan=None):
    """A frame of `size` bytes, 14 or more, whose source MAC is its own."""
    global _counter
    _counter += 1
    head = b"\x02\xee\xee\xee\xee\xee" + b"\x02\x5e" + struct.pack("!I", _counter)
    if vlan is not None:
        head += struct.pack("!HH", VLAN, vlan)
    head += struct.pack("!H", ETHERTYPE)
    return head + os.urandom(size - len(head))


def is_ours(frame):
    return frame[6:8] == b"\x02\x5e"


def with_auxdata(sock):
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    return sock


def receive(sock):
    """(frame, outgoing) with the VLAN tag the kernel took off put back.

    None after the socket's time-out.
    """
    try:
        frame, control, _, address = sock.recvmsg(65600, 256)
    except socket.timeout:
        return None
    for level, kind, data in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid or VLAN, tci) + frame[12:]
    return frame, address[2] == socket.PACKET_OUTGOING


def collect(sock, wanted, deadline_s=5.0, accept=lambda frame, outgoing: not outgoing):
    """Our frames until `wanted` is among them; fails if it does not come."""
    found = []
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        got = receive(sock)
        if got is None or not is_ours(got[0]) or not accept(*got):
            continue
        found.append(got[0])
        if got[0] == wanted:
            return found
    raise AssertionError(
        f"a frame of {len(wanted)} bytes did not come within {deadline_s} s; "
        f"{[len(frame) for frame in found]} came")
