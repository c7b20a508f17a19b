// SPDX-License-Identifier: GPL-2.0-only
/* From an outer packet, already matched to its tunnel, to a frame. */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>

#include "tunnel.h"

void eoip_rx_drop(struct eoip_tunnel *tun, struct sk_buff *skb,
		  enum eoip_verdict why)
{
	if (why == EOIP_RX_SHORT_FRAME) {
		eoip_count(tun, EOIP_RX_SHORT_FRAMES);
		eoip_free_skb(skb, PKT_TOO_SMALL);
	} else {
		eoip_count(tun, EOIP_RX_BAD_LENGTHS);
		eoip_free_skb(skb, PKT_TOO_BIG);
	}
}

/*
 * A super-packet of this module, local or merged on reception: its length
 * field tells the length of a segment.
 */
bool eoip_rx_gso_is_ours(const struct sk_buff *skb)
{
	return skb_is_gso(skb) && (skb_shinfo(skb)->gso_type & SKB_GSO_GRE);
}

/* Where the transport header is if the frame holds TCP, else negative. */
static int eoip_tcp_offset(const struct sk_buff *skb, int nhoff, __be16 proto)
{
	const struct ipv6hdr *ip6h;
	__be16 frag_off = 0;
	u8 nexthdr;
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buf;

	if (proto == htons(ETH_P_IP)) {
		const struct iphdr *iph =
			skb_header_pointer(skb, nhoff, sizeof(*iph), &buf);

		if (!iph || iph->protocol != IPPROTO_TCP ||
		    (iph->frag_off & htons(IP_OFFSET)) || iph->ihl < 5)
			return -EPROTONOSUPPORT;
		return nhoff + iph->ihl * 4;
	}

	ip6h = skb_header_pointer(skb, nhoff, sizeof(*ip6h), &buf);
	if (!ip6h)
		return -EPROTONOSUPPORT;
	nexthdr = ip6h->nexthdr;
	nhoff += sizeof(*ip6h);
	if (nexthdr == IPPROTO_TCP)
		return nhoff;
	if (likely(!ipv6_ext_hdr(nexthdr)))
		return -EPROTONOSUPPORT;
	nhoff = ipv6_skip_exthdr(skb, nhoff, &nexthdr, &frag_off);
	if (nhoff < 0 || nexthdr != IPPROTO_TCP || frag_off & htons(IP6_OFFSET))
		return -EPROTONOSUPPORT;
	return nhoff;
}

/* Takes off pull bytes of outer headers and what the outer packet was. */
static int eoip_pull(struct sk_buff *skb, unsigned int pull, bool xnet)
{
	const u8 *outer;

	if (unlikely(!pskb_may_pull(skb, pull + ETH_HLEN)))
		return -ENOMEM;
	if (skb_is_gso(skb)) {
		/* A local sender shares its data, but not what is changed. */
		if (unlikely(skb_header_unclone(skb, GFP_ATOMIC)))
			return -ENOMEM;
		skb_shinfo(skb)->gso_type &= ~(EOIP_GSO_TYPE |
			(NETIF_F_GSO_ENCAP_ALL >> NETIF_F_GSO_SHIFT));
	}
	skb->encapsulation = 0;
	outer = skb->data;
	__skb_pull(skb, pull);
	skb_postpull_rcsum(skb, outer, pull);
	skb_clear_hash_if_not_l4(skb);
	__vlan_hwaccel_clear_tag(skb);
	skb_set_queue_mapping(skb, 0);
	skb_scrub_packet(skb, xnet);
	return 0;
}

/* What can be merged with a TCP packet; clamps the MSS of a SYN on the way. */
static enum eoip_merge eoip_receive_tcp(struct eoip_cfg *cfg,
					struct sk_buff *skb, int nhoff,
					int thoff, bool v6)
{
	const struct tcphdr *th;
	struct tcphdr buf;
	int hlen;

	th = skb_header_pointer(skb, thoff, sizeof(buf), &buf);
	if (skb_is_gso(skb) || unlikely(!th))
		return EOIP_MERGE_LAST;
	hlen = th->doff * 4;
	if (unlikely(th->syn) && cfg->clamp_mss)
		eoip_clamp_mss(cfg, skb, nhoff, thoff, v6);
	return skb_cloned(skb) || skb->len <= thoff + hlen ? EOIP_MERGE_LAST :
							     EOIP_MERGE;
}

static bool eoip_merges_udp(const struct net_device *dev)
{
	netdev_features_t features = NETIF_F_GRO_FRAGLIST;

#ifdef NETIF_F_GRO_UDP_FWD
	features |= NETIF_F_GRO_UDP_FWD;
#endif
	return dev->features & features;
}

void eoip_receive(struct eoip_cfg *cfg, struct sk_buff *skb, unsigned int pull,
		  u8 outer_dsfield)
{
	bool gso = skb_is_gso(skb) && skb->encapsulation;
	struct eoip_tunnel *tun = cfg->tun;
	struct net_device *dev = tun->dev;
	enum eoip_merge merge = EOIP_MERGE_NEVER;
	__be16 proto;
	int nhoff;

	if (unlikely(eoip_pull(skb, pull, eoip_xnet(tun)))) {
		eoip_count(tun, EOIP_RX_NO_MEMORY);
		eoip_free_skb(skb, NOMEM);
		return;
	}
	eoip_tstats_rx(dev, skb->len);
	/* After the scrub, which makes everything PACKET_HOST. */
	skb->protocol = eth_type_trans(skb, dev);
	skb_postpull_rcsum(skb, eth_hdr(skb), ETH_HLEN);
	skb_reset_network_header(skb);
	/* A bridge forwards without another look at the headers. */
	if (gso)
		skb->transport_header = skb->inner_transport_header;
	else
		skb_reset_transport_header(skb);

	eoip_ecn_decap(skb, outer_dsfield);

	proto = skb->protocol;
	nhoff = eoip_ip_offset(skb, 0, &proto);
	if (nhoff >= 0) {
		int thoff = eoip_tcp_offset(skb, nhoff, proto);

		if (thoff >= 0)
			merge = eoip_receive_tcp(cfg, skb, nhoff, thoff,
						 proto == htons(ETH_P_IPV6));
	}
	if (merge == EOIP_MERGE_NEVER && eoip_merges_udp(dev))
		merge = EOIP_MERGE;
	eoip_deliver(tun, skb, merge);
}
