# SPDX-License-Identifier: Apache-2.0
"""Every request field: what is wrong is refused with the right code, naming the
field's path, and nothing changes."""

import grpc
import pytest

import lab as lab_module
from node import (
    EOIP, EOIPV6, Node, State, attachment_pb2, keepalive, network_pb2, tunnel_pb2)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNBUILT = grpc.StatusCode.UNIMPLEMENTED
EXISTS = grpc.StatusCode.ALREADY_EXISTS
MISSING = grpc.StatusCode.NOT_FOUND
ABORTED = grpc.StatusCode.ABORTED
REFUSED = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    lab = lab_module.Lab(tmp_path_factory.mktemp("refusals"))
    try:
        made = Node(lab).start()
        made.create_tunnel("used", 1, mtu=1500, local="192.0.2.1")
        made.create_network("net", "used")
        yield made
    finally:
        lab.close()


def everything(node):
    """Desired state and links, without what counts by itself."""
    lines = []
    for tunnel in node.list_tunnels():
        tunnel.ClearField("status")
        lines.append(tunnel.SerializeToString(deterministic=True))
    for network in node.networks.ListNetworks(
            network_pb2.ListNetworksRequest(), timeout=5).networks:
        network.ClearField("status")
        lines.append(network.SerializeToString(deterministic=True))
    for attachment in node.attachments.ListAttachments(
            attachment_pb2.ListAttachmentsRequest(), timeout=5).attachments:
        lines.append(attachment.SerializeToString(deterministic=True))
    links = node.lab.links(node.ns)
    return lines, {name: (row["ifindex"], row["mtu"]) for name, row in links.items()}


def refused(node, call, request, code, path):
    before = everything(node)
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    assert caught.value.code() == code, caught.value.details()
    assert path in caught.value.details(), caught.value.details()
    assert everything(node) == before


def tunnel(**fields):
    made = {"name": "tunnels/new", "kind": EOIP, "remote": "192.0.2.9", "tunnel_id": 5}
    made.update(fields)
    return tunnel_pb2.Tunnel(**{key: value for key, value in made.items()
                                if value is not None})


def tunnel6(**fields):
    return tunnel(**{"kind": EOIPV6, "remote": "2001:db8::9", **fields})


def interval(value, nanos=0):
    made = tunnel_pb2.Keepalive(retries=3)
    made.interval.seconds, made.interval.nanos = value, nanos
    return made


TUNNELS = [
    ("no name", tunnel(name=None), INVALID, "tunnel.name"),
    ("other collection", tunnel(name="networks/x"), INVALID, "tunnel.name"),
    ("16 characters", tunnel(name="tunnels/" + "x" * 16), INVALID, "tunnel.name"),
    ("space in name", tunnel(name="tunnels/a b"), INVALID, "tunnel.name"),
    ("slash in name", tunnel(name="tunnels/a/b"), INVALID, "tunnel.name"),
    ("dash first", tunnel(name="tunnels/-a"), INVALID, "tunnel.name"),
    ("dot", tunnel(name="tunnels/."), INVALID, "tunnel.name"),
    ("lo", tunnel(name="tunnels/lo"), INVALID, "tunnel.name"),
    ("all", tunnel(name="tunnels/all"), INVALID, "tunnel.name"),
    ("default", tunnel(name="tunnels/default"), INVALID, "tunnel.name"),
    ("no kind", tunnel(kind=None), INVALID, "tunnel.kind"),
    ("unknown kind", tunnel(kind=77), INVALID, "tunnel.kind"),
    ("no remote", tunnel(remote=None), INVALID, "tunnel.remote"),
    ("remote of the other family", tunnel(remote="2001:db8::1"), INVALID, "tunnel.remote"),
    ("remote of the other family v6", tunnel6(remote="192.0.2.9"), INVALID, "tunnel.remote"),
    ("remote multicast", tunnel(remote="224.0.0.1"), INVALID, "tunnel.remote"),
    ("remote unspecified", tunnel(remote="0.0.0.0"), INVALID, "tunnel.remote"),
    ("remote broadcast", tunnel(remote="255.255.255.255"), INVALID, "tunnel.remote"),
    ("remote no address", tunnel(remote="192.0.2."), INVALID, "tunnel.remote"),
    ("remote with prefix", tunnel(remote="192.0.2.9/24"), INVALID, "tunnel.remote"),
    ("remote a DNS name", tunnel(remote="site.example"), UNBUILT, "tunnel.remote"),
    ("remote multicast v6", tunnel6(remote="ff02::1"), INVALID, "tunnel.remote"),
    ("local of the other family", tunnel(local="::1"), INVALID, "tunnel.local"),
    ("local multicast", tunnel(local="224.0.0.1"), INVALID, "tunnel.local"),
    ("local no address", tunnel(local="x"), INVALID, "tunnel.local"),
    ("no id", tunnel(tunnel_id=None), INVALID, "tunnel.tunnel_id"),
    ("id 65536", tunnel(tunnel_id=65536), INVALID, "tunnel.tunnel_id"),
    ("id 4096 v6", tunnel6(tunnel_id=4096), INVALID, "tunnel.tunnel_id"),
    ("mtu 67", tunnel(mtu=67), INVALID, "tunnel.mtu"),
    ("mtu 65522", tunnel(mtu=65522), INVALID, "tunnel.mtu"),
    ("ttl 256", tunnel(ttl=256), INVALID, "tunnel.ttl"),
    ("dscp 64", tunnel(dscp=64), INVALID, "tunnel.dscp"),
    ("dont_fragment 9", tunnel(dont_fragment=9), INVALID, "tunnel.dont_fragment"),
    ("keepalive off with retries", tunnel(keepalive=tunnel_pb2.Keepalive(
        off=True, retries=3)), INVALID, "tunnel.keepalive"),
    ("interval 0", tunnel(keepalive=interval(0)), INVALID, "tunnel.keepalive.interval"),
    ("interval -1", tunnel(keepalive=interval(-1)), INVALID, "tunnel.keepalive.interval"),
    ("interval 3601", tunnel(keepalive=interval(3601)), INVALID,
     "tunnel.keepalive.interval"),
    ("interval 1.5 s", tunnel(keepalive=interval(1, 500000000)), INVALID,
     "tunnel.keepalive.interval"),
    ("retries 256", tunnel(keepalive=keepalive(1, 256)), INVALID,
     "tunnel.keepalive.retries"),
    ("link name", tunnel(link="a/b"), INVALID, "tunnel.link"),
    ("vrf name", tunnel(vrf="x" * 16), INVALID, "tunnel.vrf"),
    ("link and vrf", tunnel(link="u0", vrf="v"), INVALID, "tunnel.vrf"),
    ("mac multicast", tunnel(mac="03:00:00:00:00:01"), INVALID, "tunnel.mac"),
    ("mac zero", tunnel(mac="00:00:00:00:00:00"), INVALID, "tunnel.mac"),
    ("mac short", tunnel(mac="02:00:00:00:01"), INVALID, "tunnel.mac"),
    ("datapath 99", tunnel(datapath=99), INVALID, "tunnel.datapath"),
    ("datapath BPF", tunnel(datapath=tunnel_pb2.BPF), UNBUILT, "tunnel.datapath"),
    ("ipsec_secret", tunnel(ipsec_secret="s"), UNBUILT, "tunnel.ipsec_secret"),
    ("arp 99", tunnel(arp=99), INVALID, "tunnel.arp"),
    ("arp proxy", tunnel(arp=tunnel_pb2.ARP_PROXY_ARP), UNBUILT, "tunnel.arp"),
    ("arp_timeout", tunnel(arp_timeout={"seconds": 30}), UNBUILT, "tunnel.arp_timeout"),
    ("loop_protect", tunnel(loop_protect=tunnel_pb2.LoopProtect(enabled=True)), UNBUILT,
     "tunnel.loop_protect"),
    ("comment long", tunnel(comment="x" * 256), INVALID, "tunnel.comment"),
    ("comment control", tunnel(comment="a\x1b[0m"), INVALID, "tunnel.comment"),
    ("duplicate name", tunnel(name="tunnels/used"), EXISTS, "used"),
    ("duplicate key", tunnel(remote="192.0.2.2", local="192.0.2.1", tunnel_id=1), EXISTS,
     "tunnels/used"),
    ("name of a network", tunnel(name="tunnels/net"), EXISTS, "net"),
    ("kind ipip", tunnel(kind=tunnel_pb2.IPIP), UNBUILT, "tunnel.kind"),
]


@pytest.mark.parametrize("what,request_,code,path", TUNNELS, ids=[row[0] for row in TUNNELS])
@pytest.mark.parametrize("only", [False, True], ids=["create", "validate_only"])
def test_create_tunnel_refuses(node, what, request_, code, path, only):
    refused(node, node.tunnels.CreateTunnel, tunnel_pb2.CreateTunnelRequest(
        tunnel=request_, validate_only=only), code, path)


def update(paths=(), etag="", **fields):
    made = tunnel_pb2.UpdateTunnelRequest(
        tunnel=tunnel_pb2.Tunnel(name="tunnels/used", etag=etag, **fields))
    made.update_mask.paths.extend(paths)
    return made


UPDATES = [
    ("kind alone, against its addresses", update(["kind"], kind=EOIPV6), INVALID, "tunnel."),
    ("kind with addresses of its family", update(
        ["kind", "remote", "local"], kind=EOIPV6, remote="2001:db8::9"), INVALID,
     "tunnel.kind"),
    ("unknown path", update(["colour"]), INVALID, "update_mask"),
    ("output field", update(["status"]), INVALID, "status"),
    ("mtu", update(["mtu"], mtu=5), INVALID, "tunnel.mtu"),
    ("remote cleared", update(["remote"]), INVALID, "tunnel.remote"),
    ("stale etag", update(["mtu"], etag="nonsense", mtu=1400), ABORTED, "etag"),
    ("missing", tunnel_pb2.UpdateTunnelRequest(
        tunnel=tunnel_pb2.Tunnel(name="tunnels/none", mtu=1400)), MISSING, "tunnels/none"),
]


@pytest.mark.parametrize("what,request_,code,path", UPDATES, ids=[row[0] for row in UPDATES])
def test_update_tunnel_refuses(node, what, request_, code, path):
    refused(node, node.tunnels.UpdateTunnel, request_, code, path)


def network(**fields):
    return network_pb2.Network(**{"name": "networks/new", **fields})


def port(name="tunnels/free", **fields):
    return network_pb2.NetworkPort(tunnel=name, **fields)


NETWORKS = [
    ("no name", network(name=""), INVALID, "network.name"),
    ("long", network(name="networks/" + "x" * 16), INVALID, "network.name"),
    ("mtu 67", network(mtu=67), INVALID, "network.mtu"),
    ("mtu 65522", network(mtu=65522), INVALID, "network.mtu"),
    ("mac", network(mac="ff:ff:ff:ff:ff:ff"), INVALID, "network.mac"),
    ("comment", network(comment="a\nb"), INVALID, "network.comment"),
    ("empty port", network(ports=[network_pb2.NetworkPort()]), INVALID, "network.ports[0]"),
    ("port's name", network(ports=[port("x")]), INVALID, "network.ports[0].tunnel"),
    ("second port's link", network(ports=[port(), network_pb2.NetworkPort(link="a b")]),
     INVALID, "network.ports[1].link"),
    ("port twice", network(ports=[port(), port()]), INVALID, "network.ports[1]"),
    ("port of another network", network(ports=[port("tunnels/used")]), REFUSED,
     "network.ports[0]"),
    ("pvid without filtering", network(ports=[port(pvid=5)]), INVALID,
     "network.ports[0].pvid"),
    ("pvid 4095", network(vlan_filtering=True, ports=[port(pvid=4095)]), INVALID,
     "network.ports[0].pvid"),
    ("tagged 0", network(vlan_filtering=True, ports=[
        port(tagged=[network_pb2.VlanRange(first=0)])]), INVALID,
     "network.ports[0].tagged[0]"),
    ("tagged backwards", network(vlan_filtering=True, ports=[
        port(tagged=[network_pb2.VlanRange(first=9, last=5)])]), INVALID,
     "network.ports[0].tagged[0]"),
    ("storm", network(ports=[port(storm_limit_pps=1)]), UNBUILT,
     "network.ports[0].storm_limit_pps"),
    ("duplicate", network(name="networks/net"), EXISTS, "net"),
    ("name of a tunnel", network(name="networks/used"), EXISTS, "used"),
]


@pytest.mark.parametrize("what,request_,code,path", NETWORKS, ids=[row[0] for row in NETWORKS])
def test_create_network_refuses(node, what, request_, code, path):
    refused(node, node.networks.CreateNetwork,
            network_pb2.CreateNetworkRequest(network=request_), code, path)


def attachment(**fields):
    return attachment_pb2.Attachment(
        **{"name": "networks/net/attachments/a", "host_link": "nolink", **fields})


ATTACHMENTS = [
    ("no name", attachment(name=""), INVALID, "attachment.name"),
    ("bad id", attachment(name="networks/net/attachments/a b"), INVALID, "attachment.name"),
    ("no host_link", attachment(host_link=""), INVALID, "attachment.host_link"),
    ("host_link", attachment(host_link="a/b"), INVALID, "attachment.host_link"),
    ("mac", attachment(mac="01:00:00:00:00:00"), INVALID, "attachment.mac"),
    ("address", attachment(addresses=["x"]), INVALID, "attachment.addresses[0]"),
    ("vlan 4095", attachment(vlan=4095), INVALID, "attachment.vlan"),
    ("vlan without filtering", attachment(vlan=5), INVALID, "attachment.vlan"),
    ("trunk without filtering", attachment(trunk=[network_pb2.VlanRange(first=5)]), INVALID,
     "attachment.trunk"),
    ("locked without mac", attachment(locked=True), INVALID, "attachment.locked"),
    ("no such network", attachment(name="networks/none/attachments/a"), MISSING,
     "networks/none"),
    ("no such link", attachment(), MISSING, "nolink"),
]


@pytest.mark.parametrize(
    "what,request_,code,path", ATTACHMENTS, ids=[row[0] for row in ATTACHMENTS])
def test_create_attachment_refuses(node, what, request_, code, path):
    refused(node, node.attachments.CreateAttachment,
            attachment_pb2.CreateAttachmentRequest(attachment=request_), code, path)


OTHERS = [
    ("delete a used tunnel", "tunnels", "DeleteTunnel",
     tunnel_pb2.DeleteTunnelRequest(name="tunnels/used"), REFUSED, "networks/net"),
    ("delete a missing tunnel", "tunnels", "DeleteTunnel",
     tunnel_pb2.DeleteTunnelRequest(name="tunnels/none"), MISSING, "tunnels/none"),
    ("delete with an old etag", "tunnels", "DeleteTunnel",
     tunnel_pb2.DeleteTunnelRequest(name="tunnels/used", etag="old"), ABORTED, "etag"),
    ("delete a bad name", "tunnels", "DeleteTunnel",
     tunnel_pb2.DeleteTunnelRequest(name="used"), INVALID, "name"),
    ("get a missing tunnel", "tunnels", "GetTunnel",
     tunnel_pb2.GetTunnelRequest(name="tunnels/none"), MISSING, "tunnels/none"),
    ("negative page", "tunnels", "ListTunnels",
     tunnel_pb2.ListTunnelsRequest(page_size=-1), INVALID, "page_size"),
    ("foreign page token", "tunnels", "ListTunnels",
     tunnel_pb2.ListTunnelsRequest(page_token="?"), INVALID, "page_token"),
    ("bad parent", "attachments", "ListAttachments",
     attachment_pb2.ListAttachmentsRequest(parent="lan"), INVALID, "parent"),
    ("get a missing network", "networks", "GetNetwork",
     network_pb2.GetNetworkRequest(name="networks/none"), MISSING, "networks/none"),
]


@pytest.mark.parametrize("what,service,method,request_,code,path", OTHERS,
                         ids=[row[0] for row in OTHERS])
def test_other_calls_refuse(node, what, service, method, request_, code, path):
    refused(node, getattr(getattr(node, service), method), request_, code, path)


@pytest.mark.parametrize("words,code,text", [
    (["remote-address=2001:db8::9", "tunnel-id=5"], 1, "remote"),
    (["remote-address=192.0.2.9", "tunnel-id=65536"], 1, "tunnel_id"),
    (["remote-address=192.0.2.9", "tunel-id=5"], 2, "tunnel-id"),
    (["remote-address=192.0.2.9", "tunnel-id=five"], 2, "tunnel-id"),
    (["remote-address=192.0.2.9", "tunnel-id=5", "dscp=64"], 1, "dscp"),
])
def test_eoipctl_says_which_field(node, words, code, text):
    before = everything(node)
    done = node.eoipctl("tunnel", "create", "new", "kind=eoip", *words, check=False)
    assert done.returncode in (code, 2), done.stderr
    assert text in done.stderr and done.stdout == ""
    assert everything(node) == before


def test_validate_only_of_a_right_tunnel_shows_it_and_changes_nothing(node):
    before = everything(node)
    shown = node.tunnels.CreateTunnel(tunnel_pb2.CreateTunnelRequest(
        tunnel=tunnel(), validate_only=True), timeout=5)
    assert shown.name == "tunnels/new" and shown.remote == "192.0.2.9"
    assert everything(node) == before


def test_the_smallest_and_largest_values_are_taken(node):
    for name, fields in {
            "low": tunnel(name="tunnels/low", tunnel_id=0, mtu=68, ttl=1, dscp=0,
                          keepalive=keepalive(1, 1)),
            "high": tunnel(name="tunnels/high", tunnel_id=65535, mtu=65521, ttl=255, dscp=63,
                           keepalive=keepalive(3600, 255), comment="x" * 255),
            "low6": tunnel6(name="tunnels/low6", tunnel_id=0),
            "high6": tunnel6(name="tunnels/high6", tunnel_id=4095)}.items():
        node.tunnels.CreateTunnel(
            tunnel_pb2.CreateTunnelRequest(tunnel=fields), timeout=10)
        assert node.tunnel(name).status.state != State.FAILED, node.tunnel(name).status.reason
        node.delete_tunnel(name)
