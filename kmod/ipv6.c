// SPDX-License-Identifier: GPL-2.0-only
/* EoIPv6: IPv6 next header 97, which nothing else in the kernel uses. */

#include "tunnel.h"

#if IS_ENABLED(CONFIG_IPV6)

#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <net/ip6_route.h>
#include <net/ip6_tunnel.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/xfrm.h>

int eoip6_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
		struct eoip_path *path)
{
	/* The cache has one route; routes may depend on an inherited DSCP. */
	bool cacheable = cfg->tos != EOIP_TOS_INHERIT ||
			 !(dsfield & ~INET_ECN_MASK);
	struct flowi6 fl6 = {};

	if (cacheable) {
		path->dst = dst_cache_get_ip6(&cfg->dst_cache, &path->saddr6);
		if (likely(path->dst))
			return 0;
	}
	fl6.flowi6_oif = cfg->link;
	fl6.flowi6_mark = cfg->fwmark;
	fl6.flowi6_proto = EOIP6_IPPROTO;
	fl6.daddr = cfg->remote;
	fl6.saddr = cfg->local;
	fl6.flowlabel = ip6_make_flowinfo(dsfield & ~INET_ECN_MASK, 0);
	path->dst = eoip_route6(tun->net, &fl6);
	if (IS_ERR(path->dst))
		return PTR_ERR(path->dst);
	path->saddr6 = fl6.saddr;
	if (cacheable)
		dst_cache_set_ip6(&cfg->dst_cache, path->dst, &fl6.saddr);
	return 0;
}

int eoip6_output(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
		 struct sk_buff *skb, const struct eoip_path *path,
		 const struct eoip_outer *outer)
{
	struct ipv6hdr *ip6h;
	int err;

	/* The room is there, see eoip_headroom(). */
	ip6h = __skb_push(skb, EOIP6_OVERHEAD);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*ip6h));
	eoip6_build(skb_transport_header(skb), cfg->id);
	skb_scrub_packet(skb, eoip_xnet(tun));
	skb_clear_hash_if_not_l4(skb);
	skb_dst_set(skb, path->dst);
	skb->mark = cfg->fwmark;
	/* Lets this host, the only one that may, fragment. */
	skb->ignore_df = !outer->df;
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));

	ip6_flow_hdr(ip6h, outer->dsfield, 0);
	ip6h->nexthdr = EOIP6_IPPROTO;
	ip6h->hop_limit = outer->ttl;
	ip6h->saddr = path->saddr6;
	ip6h->daddr = cfg->remote;
	err = ip6_local_out(tun->net, NULL, skb);
	return net_xmit_eval(err);
}

static struct eoip_cfg *eoip6_find(const struct sk_buff *skb, u32 id,
				   const struct in6_addr *remote,
				   const struct in6_addr *local, int link)
{
	return eoip_lookup(eoip_net(dev_net(skb->dev)), id, remote, local,
			   link, inet6_sdif(skb));
}

/* skb->data at our header; the IPsec policy was checked by the caller. */
static int eoip6_rcv(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	u8 buf[EOIP6_HLEN], *wire;
	enum eoip_verdict verdict;
	struct eoip_tunnel *tun;
	struct eoip_cfg *cfg;
	struct eoip_rx rx;

	wire = skb_header_pointer(skb, 0, sizeof(buf), buf);
	if (!wire)
		goto unknown;
	verdict = eoip6_parse(wire, skb->len, &rx);
	if (verdict == EOIP_RX_FOREIGN || verdict == EOIP_RX_TRUNCATED)
		goto unknown;
	/* A tunnel whose local address is unset has any of them, but no group. */
	if (unlikely(ipv6_addr_is_multicast(&ip6h->daddr)))
		goto unknown;
	cfg = eoip6_find(skb, rx.id, &ip6h->saddr, &ip6h->daddr,
			 skb->dev->ifindex);
	if (!cfg)
		goto unknown;
	tun = cfg->tun;
	if (unlikely(skb_is_gso(skb) && !eoip_rx_gso_is_ours(skb)))
		verdict = EOIP_RX_BAD_LENGTH;
	if (unlikely(verdict != EOIP_RX_FRAME && verdict != EOIP_RX_KEEPALIVE)) {
		eoip_rx_drop(tun, skb, verdict);
		return 0;
	}
	if (!(READ_ONCE(tun->dev->flags) & IFF_UP)) {
		eoip_count(tun, EOIP_RX_LINK_DOWN);
		eoip_free_skb(skb, NOT_SPECIFIED);
		return 0;
	}
	eoip_heard(tun);
	if (verdict == EOIP_RX_KEEPALIVE) {
		eoip_count(tun, EOIP_RX_KEEPALIVES);
		consume_skb(skb);
		return 0;
	}
	eoip_clear_delivery_time(skb);
	eoip_receive(cfg, skb, EOIP6_HLEN, ipv6_get_dsfield(ip6h));
	return 0;

unknown:
	/* Counted as not delivered, and not answered. */
	__IP6_INC_STATS(dev_net(skb->dev), __in6_dev_get(skb->dev),
			IPSTATS_MIB_INUNKNOWNPROTOS);
	eoip_free_skb(skb, NOT_SPECIFIED);
	return -1;
}

/* skb->data at the header of the packet that caused the error. */
static int eoip6_err(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		     u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	u8 buf[EOIP6_HLEN], *wire;
	struct eoip_cfg *cfg;
	struct eoip_rx rx;

	wire = skb_header_pointer(skb, offset, sizeof(buf), buf);
	if (!wire || eoip6_parse(wire, EOIP6_HLEN, &rx) != EOIP_RX_KEEPALIVE)
		return -ENOENT;
	/* A router on the way answers by whatever link it likes. */
	cfg = eoip6_find(skb, rx.id, &ip6h->daddr, &ip6h->saddr, 0);
	if (!cfg)
		return -ENOENT;
	eoip_count(cfg->tun, EOIP_RX_ICMP_ERRORS);
	if (type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, net, info, cfg->link, cfg->fwmark,
				sock_net_uid(net, NULL));
	else if (type == NDISC_REDIRECT)
		ip6_redirect(skb, net, skb->dev->ifindex, cfg->fwmark,
			     sock_net_uid(net, NULL));
	return 0;
}

static const struct inet6_protocol eoip6_protocol = {
	.handler = eoip6_rcv,
	.err_handler = eoip6_err,
	.flags = INET6_PROTO_FINAL,
};

int eoip6_init(void)
{
	if (!inet6_add_protocol(&eoip6_protocol, EOIP6_IPPROTO))
		return 0;
	pr_err("eoip: IPv6 next header 97 is taken by another module\n");
	return -EBUSY;
}

void eoip6_exit(void)
{
	inet6_del_protocol(&eoip6_protocol, EOIP6_IPPROTO);
}

#else

int eoip6_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
		struct eoip_path *path)
{
	return -EAFNOSUPPORT;
}

int eoip6_output(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
		 struct sk_buff *skb, const struct eoip_path *path,
		 const struct eoip_outer *outer)
{
	/* Not reached: no route is ever found. */
	kfree_skb(skb);
	return -EAFNOSUPPORT;
}

int eoip6_init(void)
{
	return 0;
}

void eoip6_exit(void)
{
}

#endif
