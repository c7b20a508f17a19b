# SPDX-License-Identifier: Apache-2.0
"""Checklist 19: how the IPAM plugin is called, and what its answers do."""

import json
import os

import pytest

from cni import IpamPlugin

CONF = {"type": "test-ipam", "range": "10.9.0.0/24"}


def test_19_input_is_the_same_byte_for_byte(cni, ipam):
    text = json.dumps(cni.conf(ipam=CONF, other={"b": 1, "a": "\u00fc"}), indent=3,
                      ensure_ascii=False) + "  \n\n"
    pod = cni.pod()
    for command in ("ADD", "DEL"):
        cni.call(command, stdin=text, pod=pod).ok()
    assert [stdin for stdin, _ in ipam.calls()] == [text, text]


def test_19_large_input(cni, ipam):
    conf = cni.conf(ipam=CONF, filler="x" * 300000)
    cni.add(conf, cni.pod()).ok()
    assert json.loads(ipam.calls()[0][0]) == conf


def test_19_environment_is_the_same(cni, ipam):
    pod = cni.pod()
    cni.add(cni.conf(ipam=CONF), pod, args="IgnoreUnknown=1;K8S_POD_NAME=p",
            EXTRA="kept as it is", TRACEPARENT="00-ab-cd-01").ok()
    _, env = ipam.calls()[0]
    for entry in ("CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0",
                  f"CNI_NETNS=/run/netns/{pod}", f"CNI_PATH={cni.path}",
                  "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=p", "EXTRA=kept as it is",
                  "TRACEPARENT=00-ab-cd-01"):
        assert entry in env
    assert len([entry for entry in env if entry.startswith("CNI_COMMAND=")]) == 1


def test_19_first_directory_of_the_path_wins(cni, tmp_path):
    first = IpamPlugin(tmp_path / "first", "two", ips=[{"address": "10.9.0.1/24"}])
    second = IpamPlugin(tmp_path / "second", "two", ips=[{"address": "10.9.0.2/24"}])
    cni.path = f"/does/not/exist:{first.path}:{second.path}"
    cni.add(cni.conf(ipam={"type": "two"}), cni.pod()).ok()
    assert first.commands() == ["ADD"] and second.commands() == []


def test_19_what_is_not_executable_is_passed_over(cni, tmp_path):
    second = IpamPlugin(tmp_path / "second", "two", ips=[{"address": "10.9.0.2/24"}])
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "two").mkdir()
    cni.path = f"{tmp_path / 'first'}:{second.path}"
    cni.add(cni.conf(ipam={"type": "two"}), cni.pod()).ok()
    assert second.commands() == ["ADD"]


def test_19_missing_plugin_is_7_and_leaves_nothing(cni):
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(ipam={"type": "nobody"}), pod).error(7, "ipam.type", "nobody", "CNI_PATH")
    assert cni.state() == before and cni.pod_links(pod) == set()


def test_19_standard_error_is_forwarded(cni, ipam):
    assert "said by the plugin" in cni.add(cni.conf(ipam=CONF), cni.pod()).stderr


def test_19_error_of_the_plugin_is_passed_on_and_leaves_nothing(cni, ipam):
    ipam.fail("ADD", 123, "no addresses left")
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(ipam=CONF), pod).error(123, "no addresses left", "test-ipam")
    assert cni.state() == before and cni.pod_links(pod) == set()
    assert ipam.commands() == ["ADD", "DEL"]


@pytest.mark.parametrize("said", [
    "null", "", "garbage", "[]", "{}", '{"ips": null}', '{"ips": []}', '{"ips": [{}]}',
    '{"ips": [{"address": "10.9.0.5/33"}]}', '{"ips": [{"address": "x"}]}', '{"ips": "x"}',
    '{"ips": [{"address": "10.9.0.5/24"}', "\x00\x01\x7f"])
def test_19_null_or_garbage_result_is_6_and_leaves_nothing(cni, ipam, said):
    ipam.say("ADD", said)
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(ipam=CONF), pod).error(6, "test-ipam")
    assert cni.state() == before and cni.pod_links(pod) == set()
    assert ipam.commands() == ["ADD", "DEL"]


def test_19_failure_without_an_error_is_6(cni, ipam):
    ipam.say("ADD", "Segmentation fault", 139)
    cni.add(cni.conf(ipam=CONF), cni.pod()).error(6, "139", "Segmentation fault")


def test_19_malformed_route_is_6_and_leaves_nothing(cni, ipam):
    ipam.say("ADD", '{"ips": [{"address": "10.9.0.5/24"}], "routes": [{"dst": "x"}]}')
    pod = cni.pod()
    before = cni.state()
    cni.add(cni.conf(ipam=CONF), pod).error(6, "routes")
    cni.wait_state(before, "as before")
    assert cni.pod_links(pod) == set()


def test_19_failing_del_of_ipam_is_told_after_the_link_is_gone(cni, ipam):
    pod = cni.pod()
    cni.add(cni.conf(ipam=CONF), pod).ok()
    ipam.fail("DEL", 123, "the lease file is locked")
    cni.delete(cni.conf(ipam=CONF), pod).error(123, "the lease file is locked")
    assert cni.host_links() == [] and cni.pod_links(pod) == set()


def test_19_plugin_that_never_reads_its_input(cni, tmp_path):
    folder = tmp_path / "lazy"
    folder.mkdir()
    script = folder / "lazy"
    script.write_text('#!/bin/sh\necho \'{"ips":[{"address":"10.9.0.8/24"}]}\'\n')
    os.chmod(script, 0o755)
    cni.path = str(folder)
    pod = cni.pod()
    cni.add(cni.conf(ipam={"type": "lazy"}, filler="x" * 300000), pod).ok()
    assert cni.pod_addresses(pod) == {"10.9.0.8/24"}


def test_19_debians_static_and_host_local(cni, tmp_path):
    static = {"type": "static", "addresses": [{"address": "10.9.0.9/24", "gateway": "10.9.0.1"},
                                              {"address": "2001:db8:9::9/64"}],
              "routes": [{"dst": "10.50.0.0/16"}]}
    local = {"type": "host-local", "dataDir": str(tmp_path / "leases"),
             "ranges": [[{"subnet": "10.9.0.0/24"}]]}
    for number, ipam in enumerate((static, local)):
        pod = cni.pod()
        conf = cni.conf(ipam=ipam)
        result = cni.add(conf, pod, container=f"c{number}").ok()
        cni.check(conf, pod, result, container=f"c{number}").ok()
        cni.delete({**conf, "prevResult": result}, pod, container=f"c{number}").ok()
    leases = list((tmp_path / "leases" / "net1").glob("10.*"))
    assert leases == []
