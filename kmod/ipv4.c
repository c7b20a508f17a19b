// SPDX-License-Identifier: GPL-2.0-only
/*
 * EoIP over IPv4. Reception is a netfilter hook behind the INPUT rules: the
 * GRE demultiplexer drops headers shorter than 12 bytes, as keepalives are,
 * and its slot for version 1 is PPTP's. Only packets of a known tunnel are
 * taken, so that GRE, PPTP and raw sockets see the rest as before.
 */

#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "tunnel.h"

/* IDs taken at once; kept for a jiffy, so that they cannot wrap around. */
#define EOIP_ID_BATCH 64

int eoip4_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
		struct eoip_path *path)
{
	/* The cache has one route; routes may depend on an inherited DSCP. */
	bool cacheable = cfg->tos != EOIP_TOS_INHERIT ||
			 !(dsfield & ~INET_ECN_MASK);
	struct flowi4 fl4 = {};
	struct rtable *rt;

	if (cacheable) {
		rt = dst_cache_get_ip4(&cfg->dst_cache, &path->saddr4);
		if (likely(rt)) {
			path->dst = &rt->dst;
			return 0;
		}
	}
	fl4.flowi4_oif = cfg->link;
	fl4.flowi4_mark = cfg->fwmark;
	fl4.flowi4_proto = IPPROTO_GRE;
	fl4.daddr = cfg->remote.s6_addr32[3];
	fl4.saddr = cfg->local.s6_addr32[3];
	eoip_flow4_set_tos(&fl4, dsfield);
	rt = ip_route_output_key(tun->net, &fl4);
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	path->dst = &rt->dst;
	path->saddr4 = fl4.saddr;
	if (cacheable)
		dst_cache_set_ip4(&cfg->dst_cache, path->dst, fl4.saddr);
	return 0;
}

/*
 * Takes IDs in batches from the kernel's counter for the address pair: they
 * stay unique among all senders of protocol 47, and CPUs do not fight for
 * the counter on each packet.
 */
static __be16 eoip4_next_id(struct eoip_tunnel *tun, struct iphdr *iph,
			    u16 segs)
{
	struct eoip_ids *ids = this_cpu_ptr(tun->ids);
	unsigned long now = jiffies;
	u16 id;

	if (unlikely(ids->left < segs || ids->stamp != now)) {
		u16 batch = max_t(u16, segs, EOIP_ID_BATCH);

		__ip_select_ident(tun->net, iph, batch);
		ids->next = ntohs(iph->id);
		ids->left = batch;
		ids->stamp = now;
	}
	id = ids->next;
	ids->next += segs;
	ids->left -= segs;
	return htons(id);
}

int eoip4_output(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
		 struct sk_buff *skb, unsigned int frame_len,
		 const struct eoip_path *path, const struct eoip_outer *outer)
{
	struct iphdr *iph;
	int err;

	/* The room is there, see eoip_headroom(). */
	iph = __skb_push(skb, EOIP4_OVERHEAD);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*iph));
	eoip4_build(skb_transport_header(skb), cfg->id, frame_len);
	skb_scrub_packet(skb, eoip_xnet(tun));
	skb_clear_hash_if_not_l4(skb);
	skb_dst_set(skb, path->dst);
	skb->mark = cfg->fwmark;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));

	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = outer->dsfield;
	iph->frag_off = outer->df && !ip_mtu_locked(path->dst) ?
			htons(IP_DF) : 0;
	iph->ttl = outer->ttl;
	iph->protocol = IPPROTO_GRE;
	iph->saddr = path->saddr4;
	iph->daddr = cfg->remote.s6_addr32[3];
	iph->id = eoip4_next_id(tun, iph, skb_shinfo(skb)->gso_segs ?: 1);
	err = ip_local_out(tun->net, NULL, skb);
	return net_xmit_eval(err);
}

static __always_inline struct eoip_cfg *eoip4_find(const struct eoip_net *en,
						   struct sk_buff *skb, u32 id,
						   __be32 remote, __be32 local,
						   int link)
{
	struct in6_addr remote6, local6;

	ipv6_addr_set_v4mapped(remote, &remote6);
	ipv6_addr_set_v4mapped(local, &local6);
	return eoip_lookup(en, id, &remote6, &local6, link, inet_sdif(skb));
}

/*
 * Puts the path MTU on the route that packets of this mark take, which
 * ipv4_update_pmtu() cannot. The quoted header is at skb->data.
 */
static void eoip4_update_marked_pmtu(struct eoip_cfg *cfg, struct sk_buff *skb,
				     u32 mtu)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct eoip_path path;
	struct sk_buff *quoted;

	quoted = skb_clone(skb, GFP_ATOMIC);
	if (!quoted)
		return;
	local_bh_disable();
	if (!eoip4_route(cfg->tun, cfg, iph->tos, &path)) {
		skb_reset_network_header(quoted);
		quoted->dev = path.dst->dev;
		quoted->mark = cfg->fwmark;
		skb_dst_drop(quoted);
		skb_dst_set(quoted, path.dst);
		skb_dst_update_pmtu_no_confirm(quoted, mtu);
	}
	local_bh_enable();
	kfree_skb(quoted);
}

/*
 * An ICMP error about a packet of ours: there is no protocol handler that the
 * stack could tell, so the path MTU or the route is learnt here. The message
 * goes on to the stack in any case.
 */
static noinline void eoip4_icmp(const struct eoip_net *en, struct net *net,
				struct sk_buff *skb, int hlen)
{
	struct icmphdr icmp_buf, *icmp;
	struct iphdr inner_buf, *inner;
	u8 wire_buf[EOIP4_HLEN], *wire;
	struct eoip_cfg *cfg;
	struct eoip_rx rx;
	u8 type, code;
	u32 mtu;
	int off;

	icmp = skb_header_pointer(skb, hlen, sizeof(icmp_buf), &icmp_buf);
	if (!icmp || (icmp->type != ICMP_DEST_UNREACH &&
		      icmp->type != ICMP_TIME_EXCEEDED &&
		      icmp->type != ICMP_REDIRECT))
		return;
	type = icmp->type;
	code = icmp->code;
	mtu = ntohs(icmp->un.frag.mtu);
	off = hlen + sizeof(*icmp);
	inner = skb_header_pointer(skb, off, sizeof(inner_buf), &inner_buf);
	if (!inner || inner->version != 4 || inner->ihl < 5 ||
	    inner->protocol != IPPROTO_GRE ||
	    (inner->frag_off & htons(IP_OFFSET)))
		return;
	wire = skb_header_pointer(skb, off + inner->ihl * 4, EOIP4_HLEN,
				  wire_buf);
	if (!wire)
		return;
	switch (eoip4_parse(wire, EOIP4_HLEN, &rx)) {
	case EOIP_RX_FOREIGN:
	case EOIP_RX_TRUNCATED:
		return;
	default:
		break;
	}
	/* A router on the way answers by whatever link it likes. */
	cfg = eoip4_find(en, skb, rx.id, inner->daddr, inner->saddr, 0);
	if (!cfg || nf_ip_checksum(skb, NF_INET_LOCAL_IN, hlen, IPPROTO_ICMP))
		return;
	eoip_count(cfg->tun, EOIP_RX_ICMP_ERRORS);
	if (!pskb_may_pull(skb, off + sizeof(*inner)))
		return;
	/* Both read the header of the packet that caused the error. */
	__skb_pull(skb, off);
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED && mtu &&
	    cfg->fwmark)
		eoip4_update_marked_pmtu(cfg, skb, mtu);
	else if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED && mtu)
		ipv4_update_pmtu(skb, net, mtu, cfg->link, IPPROTO_GRE);
	else if (type == ICMP_REDIRECT)
		ipv4_redirect(skb, net, cfg->link, IPPROTO_GRE);
	__skb_push(skb, off);
}

/* A packet of ours with a header that holds together: what becomes of it. */
static unsigned int eoip4_take(struct eoip_cfg *cfg, struct sk_buff *skb,
			       int hlen, const struct eoip_rx *rx, bool frame)
{
	struct eoip_tunnel *tun = cfg->tun;
	u8 outer_dsfield = ip_hdr(skb)->tos;

	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb)) {
		eoip_count(tun, EOIP_RX_NO_POLICY);
		eoip_free_skb(skb, XFRM_POLICY);
		return NF_STOLEN;
	}
	if (!(READ_ONCE(tun->dev->flags) & IFF_UP)) {
		eoip_count(tun, EOIP_RX_LINK_DOWN);
		eoip_free_skb(skb, NOT_SPECIFIED);
		return NF_STOLEN;
	}
	eoip_heard(tun);
	if (!frame) {
		eoip_count(tun, EOIP_RX_KEEPALIVES);
		consume_skb(skb);
		return NF_STOLEN;
	}
	if (!skb_is_gso(skb) &&
	    pskb_trim_rcsum(skb, hlen + EOIP4_HLEN + rx->frame_len)) {
		eoip_count(tun, EOIP_RX_NO_MEMORY);
		eoip_free_skb(skb, NOMEM);
		return NF_STOLEN;
	}
	eoip_clear_delivery_time(skb);
	/* The verdict of a queue to user space comes in process context. */
	if (unlikely(!in_softirq())) {
		local_bh_disable();
		eoip_receive(cfg, skb, hlen + EOIP4_HLEN, outer_dsfield);
		local_bh_enable();
	} else {
		eoip_receive(cfg, skb, hlen + EOIP4_HLEN, outer_dsfield);
	}
	return NF_STOLEN;
}

static noinline unsigned int eoip4_gre(const struct eoip_net *en,
				       struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	u8 buf[EOIP4_HLEN], *wire;
	enum eoip_verdict verdict;
	struct eoip_cfg *cfg;
	struct eoip_rx rx;
	int hlen = iph->ihl * 4;

	wire = skb_header_pointer(skb, hlen, sizeof(buf), buf);
	if (!wire)
		return NF_ACCEPT;
	verdict = eoip4_parse(wire, skb->len - hlen, &rx);
	if (verdict == EOIP_RX_FOREIGN || verdict == EOIP_RX_TRUNCATED)
		return NF_ACCEPT;
	cfg = eoip4_find(en, skb, rx.id, iph->saddr, iph->daddr,
			 skb->dev->ifindex);
	/* A tunnel whose local address is unset has any of them, but no group. */
	if (unlikely(!cfg || (skb_rtable(skb)->rt_flags &
			      (RTCF_BROADCAST | RTCF_MULTICAST)))) {
		/*
		 * Raw sockets may have use for it. Where nobody has, the stack
		 * would answer with an ICMP error, which it does not do to
		 * what was not sent to this host alone.
		 */
		skb->pkt_type = PACKET_MULTICAST;
		return NF_ACCEPT;
	}
	if (unlikely(skb_is_gso(skb) && !eoip_rx_gso_is_ours(skb)))
		verdict = EOIP_RX_BAD_LENGTH;
	if (likely(verdict == EOIP_RX_FRAME) || verdict == EOIP_RX_KEEPALIVE)
		return eoip4_take(cfg, skb, hlen, &rx,
				  verdict == EOIP_RX_FRAME);
	eoip_rx_drop(cfg->tun, skb, verdict);
	return NF_STOLEN;
}

/* Sees all that is delivered in the netns, so what is not ours leaves soon. */
static unsigned int eoip4_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (iph->protocol == IPPROTO_GRE)
		return eoip4_gre(priv, skb);
	if (iph->protocol == IPPROTO_ICMP)
		eoip4_icmp(priv, state->net, skb, iph->ihl * 4);
	return NF_ACCEPT;
}

static const struct nf_hook_ops eoip4_hook_ops = {
	.hook = eoip4_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_LAST,
};

int eoip4_hook_get(struct net *net)
{
	struct eoip_net *en = eoip_net(net);
	int err = 0;

	ASSERT_RTNL();
	if (!en->users4) {
		en->hook4 = eoip4_hook_ops;
		en->hook4.priv = en;
		err = nf_register_net_hook(net, &en->hook4);
	}
	if (!err)
		en->users4++;
	return err;
}

void eoip4_hook_put(struct net *net)
{
	struct eoip_net *en = eoip_net(net);

	ASSERT_RTNL();
	if (!--en->users4)
		nf_unregister_net_hook(net, &en->hook4);
}
