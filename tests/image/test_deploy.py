# SPDX-License-Identifier: Apache-2.0
"""Units and manifests: valid, and no more privileges than they need."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ALLOWED = {"NET_ADMIN", "NET_RAW"}
# To enter a pod whose DHCP lease changed.
AGENT_ALLOWED = ALLOWED | {"SYS_ADMIN"}


def _daemonsets():
    documents = yaml.safe_load_all(
        (ROOT / "deploy" / "kubernetes" / "daemonset.yaml").read_text())
    return {doc["metadata"]["name"]: doc for doc in documents if doc["kind"] == "DaemonSet"}


DAEMONSETS = _daemonsets()
each_daemonset = pytest.mark.parametrize("daemonset", DAEMONSETS.values(), ids=DAEMONSETS)


def containers(daemonset):
    spec = daemonset["spec"]["template"]["spec"]
    return spec.get("initContainers", []) + spec["containers"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit_and_calls_it_safe(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    # The programs are not installed here: any that exists stands for them.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", str(copy)],
                          capture_output=True, text=True)
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=40", str(copy)],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_have_the_capabilities_that_they_need(unit):
    match = re.search(r"^CapabilityBoundingSet=(.*)$", unit.read_text(), re.M)
    allowed = AGENT_ALLOWED if unit.stem == "eoip-agent" else ALLOWED
    assert {word.removeprefix("CAP_") for word in match[1].split()} <= allowed


def test_agent_and_tapd_are_pods_of_their_own():
    programs = {name: [item["command"][0] for item in containers(daemonset)]
                for name, daemonset in DAEMONSETS.items()}
    assert programs == {"eoip": ["install-cni", "eoip-agent"], "eoip-tapd": ["eoip-tapd"]}


@each_daemonset
def test_a_daemonset_selects_its_own_pods(daemonset):
    spec = daemonset["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/name"] == daemonset["metadata"]["name"]


def test_an_update_of_tapd_takes_over_before_the_old_pod_ends():
    spec = DAEMONSETS["eoip-tapd"]["spec"]
    assert spec["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    # Ready is who has taken over, not who finds the old one's socket.
    tapd = containers(DAEMONSETS["eoip-tapd"])[0]
    flags = dict(zip(tapd["command"][1::2], tapd["command"][2::2]))
    assert flags["--replace"] == "on"
    assert tapd["startupProbe"]["exec"]["command"] == ["test", "-e", flags["--ready-file"]]
    folders = {mount["mountPath"]: mount["name"] for mount in tapd["volumeMounts"]}
    ready = folders[str(pathlib.Path(flags["--ready-file"]).parent)]
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes[ready]
    # Two pods of it run at once.
    assert spec["template"]["spec"]["hostNetwork"]
    assert not any(port for item in containers(DAEMONSETS["eoip-tapd"])
                   for port in item.get("ports", []))


@each_daemonset
def test_no_container_is_privileged_or_has_more_than_it_needs(daemonset):
    spec = daemonset["spec"]["template"]["spec"]
    assert spec["hostNetwork"] and not spec.get("hostPID") and not spec.get("hostIPC")
    assert spec["automountServiceAccountToken"] is False
    for item in containers(daemonset):
        context = item["securityContext"]
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        allowed = AGENT_ALLOWED if item["name"] == "agent" else ALLOWED
        assert set(context["capabilities"].get("add", [])) <= allowed
        assert item["resources"]["limits"]["memory"]


@each_daemonset
def test_every_mount_has_its_volume(daemonset):
    spec = daemonset["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    used = {mount["name"] for item in containers(daemonset) for mount in item["volumeMounts"]}
    assert used == volumes


def test_the_agent_has_all_three_probes():
    agent = DAEMONSETS["eoip"]["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert agent[probe]["exec"]["command"] == ["eoipctl", "status"]
