#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP transfer both ways whose every byte is checked.

  transfer.py serve PORT              prints "ready", serves until killed
  transfer.py check HOST PORT BYTES   exit 0 only if both ways were whole

The client sends BYTES of random data and the server answers with their
SHA-256, then sends as many random bytes and their SHA-256.
"""

import hashlib
import os
import socket
import struct
import sys
import time

CHUNK = 1 << 16
TIMEOUT_S = 60


def send_random(sock, size):
    digest = hashlib.sha256()
    while size:
        chunk = os.urandom(min(CHUNK, size))
        digest.update(chunk)
        sock.sendall(chunk)
        size -= len(chunk)
    return digest.digest()


def receive(sock, size):
    digest = hashlib.sha256()
    while size:
        chunk = sock.recv(min(CHUNK, size))
        if not chunk:
            raise ConnectionError(f"{size} bytes are missing")
        digest.update(chunk)
        size -= len(chunk)
    return digest.digest()


def exactly(sock, size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise ConnectionError("ended early")
        data += chunk
    return data


def serve(port):
    family = socket.AF_INET6
    with socket.create_server(
            ("", port), family=family, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        while True:
            sock, _ = server.accept()
            with sock:
                sock.settimeout(TIMEOUT_S)
                try:
                    size = struct.unpack("!Q", exactly(sock, 8))[0]
                    sock.sendall(receive(sock, size))
                    sock.sendall(send_random(sock, size))
                    exactly(sock, 1)
                except OSError as error:
                    print(f"transfer: {error}", flush=True)


def check(host, port, size):
    def rate(start):
        seconds = time.monotonic() - start
        return f"{size >> 20} MiB, checksum right, {size * 8 / seconds / 1e6:.0f} Mbit/s"

    with socket.create_connection((host, port), timeout=TIMEOUT_S) as sock:
        sock.sendall(struct.pack("!Q", size))
        start = time.monotonic()
        sent = send_random(sock, size)
        if exactly(sock, 32) != sent:
            print("transfer: the server got other bytes than were sent")
            return 1
        print("sent", rate(start))
        start = time.monotonic()
        received = receive(sock, size)
        if exactly(sock, 32) != received:
            print("transfer: other bytes came back than the server sent")
            return 1
        print("received", rate(start))
        sock.sendall(b"!")
    return 0


def main(argv):
    try:
        if len(argv) == 2 and argv[0] == "serve":
            return serve(int(argv[1]))
        if len(argv) == 4 and argv[0] == "check":
            return check(argv[1], int(argv[2]), int(argv[3]))
    except (OSError, ConnectionError) as error:
        print(f"transfer: {error}")
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
