# SPDX-License-Identifier: Apache-2.0
"""DHCP on the site's side of a tunnel: a real dnsmasq, and a server whose
manners a test chooses (dhcp_server.py)."""

import json

from lab import SUPPORT, wait_until

SERVER = "10.7.0.1"
MASK = "255.255.255.0"


class Dnsmasq:
    """Gives 10.7.0.100 to .199 on the site's link."""

    def __init__(self, lab, ns, link, *flags, lease="2m"):
        self.lab, self.ns, self.link = lab, ns, link
        self.flags, self.lease = flags, lease
        self.leases_file = lab.folder / "dnsmasq.leases"
        self.starts = 0
        lab.ip(ns, "addr", "replace", f"{SERVER}/24", "dev", link)
        self.start()

    def start(self):
        self.starts += 1
        self.process = self.lab.spawn(
            self.ns, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
            f"--interface={self.link}", "--bind-interfaces", "--no-ping", "--log-dhcp",
            "--log-facility=-", "--user=root", "--dhcp-authoritative", "--pid-file",
            f"--dhcp-leasefile={self.leases_file}",
            f"--dhcp-range=10.7.0.100,10.7.0.199,{MASK},{self.lease}", *self.flags,
            log=f"dnsmasq-{self.starts}.log")
        wait_until(lambda: "DHCP, IP range" in self.process.text(), 10, "dnsmasq")

    def stop(self):
        self.process.stop()

    def leases(self):
        """{address: client id} of those that it has given."""
        rows = [row.split() for row in self.leases_file.read_text().splitlines()]
        return {row[2]: row[4] for row in rows if len(row) == 5}

    def said(self, word):
        return self.process.text().count(f" {word}")


class Scripted:
    """Gives 10.7.0.50 and on; set(...) changes its manners at once."""

    def __init__(self, lab, ns, link, **manners):
        self.file = lab.folder / "manners.json"
        self.manners = {"server": SERVER, "mask": MASK, "first": "10.7.0.50", "lease": 3600}
        lab.ip(ns, "addr", "replace", f"{SERVER}/24", "dev", link)
        self.set(**manners)
        self.process = lab.spawn(ns, SUPPORT / "dhcp_server.py", "--dev", link,
                                 "--manners", self.file, log="dhcp-server.log")
        wait_until(lambda: "ready" in self.process.text(), 10, "the DHCP server")

    def set(self, **manners):
        self.manners.update(manners)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({k: v for k, v in self.manners.items() if v is not None}))
        new.rename(self.file)

    def heard(self, kind=None):
        """What it heard; a message that came again, because the answer took
        its time, counts once."""
        rows = {}
        for line in self.process.text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                row = json.loads(line)
                rows.setdefault((row["type"], row.get("xid")), row)
        return [row for row in rows.values()
                if row["type"] == kind or (kind is None and row["type"] != "ready")]
