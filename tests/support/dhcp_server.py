#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A DHCPv4 server whose manners a test chooses: leases of seconds, refusals,
silence, and what real servers rarely do. Python's standard library only.

  dhcp_server.py --dev eoip0 --manners FILE

FILE is JSON and is read again for every message:
  server, mask      the server's own address and the network's mask
  first             the first address that it gives; the next ones follow
  lease             seconds; renew and rebind (seconds) are sent where given
  silent            message types that it does not hear, as "REQUEST"
  nak               text: every REQUEST is refused with it
  options           {"26": "0578"}: further options, hexadecimal
It knows a client by its client id. One line of JSON for each message it got:
type, xid, client_id, mac, ciaddr, requested, server_id, hostname, source.
"""

import argparse
import ipaddress
import json
import pathlib
import socket
import struct

TYPES = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK",
         7: "RELEASE"}
COOKIE = b"\x63\x82\x53\x63"


def read_options(data):
    options, at = {}, 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        code, size = data[at], data[at + 1]
        options[code] = options.get(code, b"") + data[at + 2:at + 2 + size]
        at += 2 + size
    return options


def option(code, value):
    return bytes([code, len(value)]) + value


def address(data):
    return str(ipaddress.IPv4Address(data)) if data else ""


class Server:
    def __init__(self, dev, manners):
        self.manners_file = pathlib.Path(manners)
        self.leases = {}  # client id: address
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
        self.sock.bind(("", 67))

    def address_for(self, client_id, first):
        """The address it has, or the lowest that is free from first on."""
        first = int(ipaddress.IPv4Address(first))
        if self.leases.get(client_id, 0) < first:
            taken = set(self.leases.values())
            self.leases[client_id] = next(a for a in range(first, first + 256)
                                          if a not in taken)
        return str(ipaddress.IPv4Address(self.leases[client_id]))

    def serve_one(self):
        data, source = self.sock.recvfrom(4096)
        if len(data) < 240 or data[0] != 1 or data[236:240] != COOKIE:
            return
        options = read_options(data[240:])
        kind = TYPES.get(options.get(53, b"\0")[0], "?")
        client_id = options.get(61, data[28:34]).hex()
        print(json.dumps({
            "type": kind, "xid": data[4:8].hex(), "client_id": client_id, "mac": data[28:34].hex(":"),
            "ciaddr": address(data[12:16]), "requested": address(options.get(50)),
            "server_id": address(options.get(54)), "source": source[0],
            "hostname": options.get(12, b"").decode()}), flush=True)
        manners = json.loads(self.manners_file.read_text())
        if kind in manners.get("silent", []):
            return
        if kind == "RELEASE":
            self.leases.pop(client_id, None)
        elif kind == "DISCOVER":
            self.answer(data, 2, self.address_for(client_id, manners["first"]), manners)
        elif kind == "REQUEST":
            self.request(data, options, client_id, manners)

    def request(self, data, options, client_id, manners):
        if options.get(54) not in (None, socket.inet_aton(manners["server"])):
            return
        given = self.address_for(client_id, manners["first"])
        wanted = address(options.get(50)) or address(data[12:16])
        if manners.get("nak"):
            self.answer(data, 6, None, manners)
        elif wanted != given:
            self.answer(data, 6, None, {**manners, "nak": "that is not yours"})
        else:
            self.answer(data, 5, given, manners)

    def answer(self, query, kind, given, manners):
        reply = struct.pack("!BBBB", 2, 1, 6, 0) + query[4:8] + b"\0\0" + query[10:12]
        reply += query[12:16] + (socket.inet_aton(given) if given else bytes(4))
        reply += bytes(8) + query[28:44] + bytes(64 + 128) + COOKIE
        reply += option(53, bytes([kind]))
        reply += option(54, socket.inet_aton(manners["server"]))
        if given:
            reply += option(51, struct.pack("!I", manners["lease"]))
            reply += option(1, socket.inet_aton(manners["mask"]))
            for code, key in ((58, "renew"), (59, "rebind")):
                if key in manners:
                    reply += option(code, struct.pack("!I", manners[key]))
            for code, value in manners.get("options", {}).items():
                reply += option(int(code), bytes.fromhex(value))
        else:
            reply += option(56, manners["nak"].encode())
        reply += b"\xff"
        # To the address that the client has, else to everybody.
        to = address(query[12:16])
        if kind == 6 or to == "0.0.0.0":
            to = "255.255.255.255"
        self.sock.sendto(reply, (to, 68))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dev", required=True)
    parser.add_argument("--manners", required=True)
    args = parser.parse_args()
    server = Server(args.dev, args.manners)
    print(json.dumps({"type": "ready"}), flush=True)
    while True:
        server.serve_one()


if __name__ == "__main__":
    main()
