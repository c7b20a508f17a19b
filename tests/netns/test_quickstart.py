# SPDX-License-Identifier: Apache-2.0
"""The quickstart as a person runs it: up, up again, status, down."""

import os
import pathlib
import re
import subprocess

import pytest

from lab import ROOT, run

RUN = pathlib.Path("/run/eoip-demo")
PROGRAMS = ("eoip-demo", "--local 203.0.113.2", "transfer.py serve 5001")


def quickstart(*words, check=True):
    return run([ROOT / "deploy" / "quickstart", *words], check=check, timeout=300)


def machine():
    """What `down` must leave as it was."""
    processes = [
        line for line in run(["ps", "-eo", "pid,args"]).stdout.splitlines()
        if any(name in line for name in PROGRAMS)]
    return {
        "links": run(["ip", "-br", "link"]).stdout,
        "addresses": run(["ip", "-br", "address"]).stdout,
        "routes": run(["ip", "route"]).stdout,
        "namespaces": [line for line in run(["ip", "netns"]).stdout.splitlines()
                       if "eoip-demo" in line],
        "nft": run(["nft", "list", "ruleset"]).stdout,
        "run": sorted(os.listdir("/run")),
        "mounts": sorted(line.split()[4] for line in
                         pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
        "modules": sorted(os.listdir("/sys/module")),
        "processes": processes,
    }


@pytest.fixture
def clean_machine():
    if RUN.exists():
        pytest.skip("a demonstration is up on this machine: it is not disturbed")
    yield
    quickstart("down")


def test_up_carries_traffic_up_again_too_and_down_leaves_no_trace(clean_machine):
    before = machine()
    for _ in range(2):
        out = quickstart().stdout
        last = out.strip().splitlines()[-1]
        assert last.startswith("OK: "), out
        assert re.search(r"ping +10/10 answered", out), out
        assert len(re.findall(r"64 MiB, checksum right, \d+ Mbit/s", out)) == 2, out
        assert re.search(r"offers the pod 192\.168\.88\.1\d\d", out), out
        assert re.search(r"datapath +(TAP|KERNEL) \(", out), out
    assert "eoip1" in quickstart("status").stdout
    quickstart("down")
    assert machine() == before
    assert quickstart("status", check=False).returncode == 1


def test_no_ok_without_traffic(clean_machine):
    """The site's LAN host is gone when the traffic is tried."""
    script = f"""
        TOP={ROOT}
        . "$TOP/deploy/lib.sh"; . "$TOP/deploy/demo.sh"
        eval "$(declare -f try_traffic | sed '1s/try_traffic/really_try/')"
        try_traffic() {{ ip -n $HOST link set eth0 down; really_try; }}
        demo_up"""
    done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 1
    assert "OK:" not in done.stdout
    assert "FAILED at step 8 (traffic): no ping from the pod" in done.stdout
    assert str(RUN / "log") in done.stdout


def test_wrong_words_are_refused(clean_machine):
    for words in (["sideways"], ["up", "down"]):
        done = quickstart(*words, check=False)
        assert done.returncode == 2 and "up" in done.stderr
    assert not RUN.exists()
