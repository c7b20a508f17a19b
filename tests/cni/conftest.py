# SPDX-License-Identifier: Apache-2.0
import pytest

import cni as cni_module
import lab as lab_module


@pytest.fixture
def plain(lab):
    """The plugin in a namespace without an agent."""
    lab_module.need_programs("eoip")
    return cni_module.Cni(lab)


@pytest.fixture
def node(lab):
    """A node with the real agent and datapath."""
    import node as node_module
    lab_module.need_programs("eoip", "eoip-agent", "eoip-tapd")
    return node_module.Node(lab).start()


@pytest.fixture
def cni(lab, node):
    """The plugin on that node, with a network "lan" that has no tunnel."""
    node.create_network("lan")
    return cni_module.Cni(lab, node)


@pytest.fixture
def ipam(tmp_path, cni):
    """An IPAM plugin of the test's own, first in CNI_PATH."""
    made = cni_module.IpamPlugin(
        tmp_path / "plugins", ips=[{"address": "10.9.0.5/24", "gateway": "10.9.0.1"}])
    cni.path = f"{made.path}:{cni_module.DEBIAN_PLUGINS}"
    return made


@pytest.fixture
def site(lab, node):
    """Network "lan" with tunnel 100 to a site that is not built from this
    project's code; returns (Cni, name of the site's TAP link)."""
    node.site_endpoint(tunnel_id=100)
    node.create_tunnel("t100", 100)
    node.create_network("lan", "t100")
    node.wait_tunnel("t100", node_state_active())
    return cni_module.Cni(lab, node), "eoip0"


def node_state_active():
    import node as node_module
    return node_module.State.ACTIVE
