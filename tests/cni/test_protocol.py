# SPDX-License-Identifier: Apache-2.0
"""Checklist 1 to 8 and 24: what the plugin says before it does anything."""

import json
import os
import subprocess

import pytest

import lab as lab_module
from cni import PLUGIN, VERSIONS, environment

VERSION_ANSWER = {"cniVersion": "1.1.0", "supportedVersions": VERSIONS}


def raw(stdin=subprocess.DEVNULL, env=None, text=None, close=False, timeout=10):
    """The plugin with an environment of exactly env."""
    argv = ["/bin/sh", "-c", f"exec {PLUGIN} <&-"] if close else [str(PLUGIN)]
    return subprocess.run(argv, stdin=None if text is not None or close else stdin,
                          input=text, capture_output=True, text=True, env=env or {},
                          timeout=timeout)


# 1

def test_01_version_without_input():
    done = raw(env={"CNI_COMMAND": "VERSION"})
    assert done.returncode == 0
    assert json.loads(done.stdout) == VERSION_ANSWER


def test_01_version_with_closed_input():
    done = raw(env={"CNI_COMMAND": "VERSION"}, close=True)
    assert done.returncode == 0
    assert json.loads(done.stdout) == VERSION_ANSWER


@pytest.mark.parametrize("text", ['{"cniVersion":"0.4.0"}', "", "not json", '{"cniVersion":"9.9.9"}'])
def test_01_version_does_not_care_for_its_input(text):
    done = raw(env={"CNI_COMMAND": "VERSION"}, text=text)
    assert done.returncode == 0
    assert json.loads(done.stdout) == VERSION_ANSWER


def test_01_version_does_not_wait_for_input():
    read_end, write_end = os.pipe()
    try:
        done = raw(stdin=read_end, env={"CNI_COMMAND": "VERSION"}, timeout=5)
    finally:
        os.close(read_end)
        os.close(write_end)
    assert json.loads(done.stdout) == VERSION_ANSWER


def test_01_version_with_dummy_environment():
    env = environment("VERSION", containerid="dummy", netns="dummy", ifname="dummy",
                      path="dummy", args="dummy")
    done = raw(env=env, text='{"cniVersion":"1.0.0"}')
    assert done.returncode == 0
    assert json.loads(done.stdout) == VERSION_ANSWER


# 2

def test_02_empty_command_tells_what_this_is():
    done = raw(env={})
    assert done.returncode == 0
    assert done.stdout == ""
    assert "CNI plugin eoip" in done.stderr
    assert "0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0" in done.stderr


@pytest.mark.parametrize("command", ["add", "FOO", "ADD ", "UPDATE"])
def test_02_unknown_command_is_4(plain, command):
    plain.call(command, plain.conf()).error(4, "unknown CNI_COMMAND", command.strip())


# 3

REQUIRED = {
    "ADD": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
    "CHECK": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
    "DEL": ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
    "GC": ["CNI_PATH"],
    "STATUS": ["CNI_PATH"],
}


@pytest.mark.parametrize("command", REQUIRED)
def test_03_all_missing_variables_are_named(plain, command):
    reply = plain.call(command, plain.conf("1.1.0"), container=None, ifname=None, path=None)
    error = reply.error(4, "missing")
    assert f"[{','.join(REQUIRED[command])}]" in error["msg"]


@pytest.mark.parametrize(
    "command,variable", [(command, name) for command, names in REQUIRED.items() for name in names])
def test_03_each_missing_variable_is_4(plain, command, variable):
    values = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0",
              "CNI_PATH": "/x"}
    values[variable] = ""
    reply = plain.call(command, plain.conf("1.1.0"), container=None, ifname=None,
                       path=None, **values)
    error = reply.error(4, variable)
    assert f"[{variable}]" in error["msg"]


# 4

@pytest.mark.parametrize("container", [
    "-c1", ".c1", "_c1", "c/1", "c 1", "c:1", "c\n1", "../c1", "c\u00fc", "c;1"])
@pytest.mark.parametrize("command", ["ADD", "CHECK", "DEL"])
def test_04_bad_container_id_is_4(plain, command, container):
    plain.call(command, plain.conf(), container=container,
               netns="/run/netns/x").error(4, "containerID")


@pytest.mark.parametrize("ifname", [
    "a" * 16, ".", "..", "a/b", "a:b", "a b", "a\tb", "a\nb", " ", "a\x01b", "\u00fc0"])
@pytest.mark.parametrize("command", ["ADD", "CHECK", "DEL"])
def test_04_bad_ifname_is_4(plain, command, ifname):
    plain.call(command, plain.conf(), ifname=ifname,
               netns="/run/netns/x").error(4, "CNI_IFNAME")


def test_04_malformed_args_are_4(plain):
    plain.call("ADD", plain.conf(), args="A=1;B",
               netns="/run/netns/x").error(4, "CNI_ARGS", "'B'")


# 5

@pytest.mark.parametrize("text", ["", "{", "null,", "[]", "42", '{"name": }', '{"cniVersion":"1.0.0"',
                                  '{"cniVersion":"1.0.0","name":"n","network":"lan","mtu":{}}',
                                  '{"cniVersion":"1.0.0","name":"n","network":"lan","mtu":-1}',
                                  '{"cniVersion":"1.0.0","name":"n","network":"lan","ipam":[]}'])
def test_05_bad_json_is_6(plain, text):
    plain.call("ADD", stdin=text, netns="/run/netns/x").error(6)


def test_05_unreadable_input_is_5(lab):
    # A directory can be opened and not read.
    folder = os.open("/", os.O_RDONLY)
    try:
        done = raw(stdin=folder, env=environment(
            "ADD", containerid="c1", netns="/x", ifname="eth0", path="/x"))
    finally:
        os.close(folder)
    assert done.returncode != 0
    assert json.loads(done.stdout)["code"] == 5


@pytest.mark.parametrize("name", [
    None, "", 42, "-a", "a b", "a/b", "a:b", ".", "_x", "\u00fc", "a" * 129, {"a": 1}])
@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_05_missing_or_bad_name_is_7(plain, command, name):
    plain.call(command, plain.conf("1.1.0", name=name), netns="/run/netns/x").error(7, "name")


# 6

@pytest.mark.parametrize("version", [None, "", "0.1.0", "0.2.0", "0.5.0", "1.2.0", "2.0.0", "1.1",
                                     "v1.0.0", "x", 1])
@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_06_unsupported_or_missing_version_is_1(plain, command, version):
    error = plain.call(command, plain.conf(version), netns="/run/netns/x").error(
        1, "incompatible CNI versions")
    shown = version if isinstance(version, str) and version else "0.1.0"
    assert f'config is "{shown}", plugin supports [' in error["details"]


# 7

@pytest.mark.parametrize("command,version", [
    ("CHECK", "0.3.0"), ("CHECK", "0.3.1"), ("GC", "0.4.0"), ("GC", "1.0.0"),
    ("STATUS", "0.3.1"), ("STATUS", "1.0.0")])
def test_07_command_newer_than_the_version_is_1(plain, command, version):
    error = plain.call(command, plain.conf(version), netns="/run/netns/x").error(
        1, f"config version does not allow {command}")
    assert error["cniVersion"] == version


# 8

@pytest.mark.parametrize("command", ["ADD", "CHECK"])
def test_08_the_own_namespace_is_8(plain, command):
    before = plain.lab.links(plain.host_ns)
    conf = plain.conf(prevResult={"interfaces": [{"name": "eth0", "sandbox": "x"}]})
    reply = plain.call(command, conf, plain.host_ns)
    reply.error(8, "should not be the same")
    assert plain.lab.links(plain.host_ns) == before


# The configuration

@pytest.mark.parametrize("fields,named", [
    ({"network": None}, "network"), ({"network": ""}, "network"), ({"network": 7}, "network"),
    ({"mtu": 67}, "mtu"), ({"mtu": 65522}, "mtu"), ({"vlan": 4095}, "vlan"),
    ({"mac": "x"}, "mac"), ({"mac": "01:00:5e:00:00:01"}, "mac"),
    ({"mac": "00:00:00:00:00:00"}, "mac"), ({"mac": "ff:ff:ff:ff:ff:ff"}, "mac"),
    ({"vlanTrunk": [{"id": 5}, {"id": 4095}]}, "vlanTrunk[1]"),
    ({"vlanTrunk": [{}]}, "vlanTrunk[0]"),
    ({"vlanTrunk": [{"minID": 20, "maxID": 10}]}, "vlanTrunk[0]"),
    ({"vlanTrunk": [{"id": 1, "minID": 2, "maxID": 3}]}, "vlanTrunk[0]"),
    ({"agentSocket": "relative"}, "agentSocket"), ({"agentSocket": "/" + "a" * 107}, "agentSocket"),
    ({"ipam": {"subnet": "10.0.0.0/8"}}, "ipam.type"), ({"ipam": {"type": "a/b"}}, "ipam.type"),
    ({"ipam": {"type": ".."}}, "ipam.type"), ({"ipam": {"type": 5}}, "ipam.type"),
    ({"runtimeConfig": {"mac": "03:00:00:00:00:01"}}, "runtimeConfig.mac"),
    ({"runtimeConfig": {"ips": ["10.0.0.1"]}}, "runtimeConfig.ips"),
    ({"args": {"cni": {"ips": ["10.0.0.1/33"]}}}, "args.cni.ips"),
    ({"args": {"cni": {"mac": "zz"}}}, "args.cni.mac"),
    ({"activation": "later"}, "activation: 'later'"),
    ({"network": {"tunnels": []}}, "network.name"),
    ({"network": {"name": "lan", "tunnels": [{"remote": "192.0.2.1"}]}}, "network.tunnels[0]"),
    ({"tunnels": [{"remote-address": "192.0.2.1"}]}, "tunnels"),
])
def test_bad_field_is_7_and_named(plain, fields, named):
    plain.call("ADD", plain.conf(**fields), plain.pod()).error(7, named)


def test_add_without_an_agent_is_11_and_leaves_nothing(plain):
    pod = plain.pod()
    reply = plain.add(plain.conf(agentSocket=str(plain.lab.folder / "none.sock")), pod)
    reply.error(11, "none.sock")
    assert plain.host_links() == []
    assert plain.pod_links(pod) == set()


# 24

def test_24_the_binary_is_static():
    headers = lab_module.run(["readelf", "-l", "-d", PLUGIN]).stdout
    assert "INTERP" not in headers
    assert "NEEDED" not in headers
