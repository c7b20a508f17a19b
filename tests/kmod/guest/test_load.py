# SPDX-License-Identifier: Apache-2.0
"""What loading does: the self-test of outer GRO, and refusals."""

import contextlib
import subprocess

import lab


@contextlib.contextmanager
def loaded(*modules):
    """These modules with their parameters and no other of ours; at the end eoip alone as at first."""
    lab.run("rmmod", "eoip")
    try:
        for words in modules:
            lab.run("modprobe", *words)
        yield
    finally:
        for words in reversed(modules):
            lab.run("rmmod", words[0], check=False)
        lab.run("modprobe", "eoip")


def outer_gro():
    with open("/sys/module/eoip/parameters/outer_gro") as f:
        return f.read().strip()


def kernel_log():
    return lab.run("dmesg")


def tunnels_work(l):
    for kind in lab.KINDS.values():
        l.tunnel(kind, "t%d" % kind.version)
        inner = l.capture(l.dut, "t%d" % kind.version)
        frame = lab.frame_of(1000)
        inner.send(frame)
        l.expect_frame(kind, 100, frame)
        l.inject(kind.outer(kind.encap(100, frame)))
        lab.expect(inner, frame)
        l.dut.nl.delete("t%d" % kind.version)


def test_outer_gro_is_on_where_its_self_test_passes(l):
    assert outer_gro() == "Y" and "outer GRO is off" not in kernel_log()
    tunnels_work(l)


def test_outer_gro_is_off_where_its_self_test_fails_and_tunnels_work(l):
    before = kernel_log().count("outer GRO is off")
    with loaded(("eoip_foreign", "kinds=0", "cuts=0"), ("eoip",)):
        assert outer_gro() == "N"
        assert kernel_log().count("outer GRO is off: the merged packet could not be cut") == before + 1
        tunnels_work(l)
    assert outer_gro() == "Y"


def test_outer_gro_can_be_left_off(l):
    with loaded(("eoip", "outer_gro=0")):
        assert outer_gro() == "N"
        tunnels_work(l)


def test_another_module_of_the_same_kinds_is_named_in_the_refusal(l):
    with loaded(("eoip_foreign",)):
        done = subprocess.run(["modprobe", "eoip"], capture_output=True, text=True)
        assert done.returncode != 0
        assert 'eoip: link kind "eoip" is taken by another module' in kernel_log(), kernel_log()[-500:]
