# SPDX-License-Identifier: Apache-2.0
"""EoIP and EoIPv6 headers, written from the protocol's facts alone.

An encoder and decoder of its own, so that tests do not judge the project's
code by the project's code. Pure: bytes in, bytes out.

EoIP (IPv4 protocol 47): 20 01 64 00, frame length big endian, id little
endian, frame. EoIPv6 (next header 97): id bits 11..8 in the high nibble and 3
in the low nibble, id bits 7..0, frame. No frame: a keepalive.
"""

import struct

PROTO4 = 47
PROTO6 = 97
MAGIC4 = b"\x20\x01\x64\x00"
MIN_FRAME = 14


def protocol(ipv6):
    return PROTO6 if ipv6 else PROTO4


def encode(ipv6, tunnel_id, frame=b"", length=None):
    """Header and frame. length: lie about the frame's length (EoIP only)."""
    if ipv6:
        return bytes([(tunnel_id >> 8) << 4 | 3, tunnel_id & 0xFF]) + frame
    size = len(frame) if length is None else length
    return MAGIC4 + struct.pack(">H", size) + struct.pack("<H", tunnel_id) + frame


def decode(ipv6, payload):
    """(id, frame) of an IP payload, frame b"" for a keepalive.

    None where a receiver must drop it: too short, other magic, a length field
    that promises more than is there, a frame shorter than its own header.
    Bytes behind the length field's frame are trimmed.
    """
    if ipv6:
        if len(payload) < 2 or payload[0] & 0x0F != 3:
            return None
        tunnel_id = (payload[0] >> 4) << 8 | payload[1]
        frame = payload[2:]
    else:
        if len(payload) < 8 or payload[:4] != MAGIC4:
            return None
        length = int.from_bytes(payload[4:6], "big")
        tunnel_id = int.from_bytes(payload[6:8], "little")
        if length > len(payload) - 8:
            return None
        frame = payload[8 : 8 + length]
    if frame and len(frame) < MIN_FRAME:
        return None
    return tunnel_id, frame
