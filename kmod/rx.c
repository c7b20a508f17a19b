// SPDX-License-Identifier: GPL-2.0-only
/* From an outer packet, already matched to its tunnel, to a frame. */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>

#include "tunnel.h"

static DEFINE_PER_CPU(unsigned int, eoip_rx_nesting);

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
	if (!ip6h || ip6h->nexthdr != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	return nhoff + sizeof(*ip6h);
}

/*
 * The cells pay for TCP. What cannot be merged goes straight up, which saves
 * a round through the softirq. All of a flow takes one way, to stay in order.
 */
static void eoip_deliver(struct eoip_tunnel *tun, struct sk_buff *skb,
			 bool merge)
{
	if (merge) {
		gro_cells_receive(&tun->gro_cells, skb);
	} else if (__this_cpu_read(eoip_rx_nesting)) {
		netif_rx(skb);
	} else {
		__this_cpu_inc(eoip_rx_nesting);
		netif_receive_skb(skb);
		__this_cpu_dec(eoip_rx_nesting);
	}
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
	__be16 proto;
	bool merge;
	int nhoff;

	if (iptunnel_pull_header(skb, pull, htons(ETH_P_TEB),
				 eoip_xnet(tun))) {
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
	merge = gso || eth_type_vlan(proto) || eoip_merges_udp(dev);
	nhoff = eoip_ip_offset(skb, 0, &proto);
	if (nhoff >= 0) {
		int thoff = eoip_tcp_offset(skb, nhoff, proto);

		if (thoff >= 0) {
			merge = true;
			if (cfg->clamp_mss && !gso)
				eoip_clamp_mss(cfg, skb, nhoff, thoff,
					       proto == htons(ETH_P_IPV6));
		}
	}
	eoip_deliver(tun, skb, merge);
}
