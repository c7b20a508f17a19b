// SPDX-License-Identifier: GPL-2.0-only
/* The IP packet inside an Ethernet frame, behind any VLAN tags. */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/inet_ecn.h>

#include "tunnel.h"

/* More tags than any network has. */
#define EOIP_MAX_TAGS 4

int eoip_ip_offset_tagged(const struct sk_buff *skb, int off, __be16 *proto)
{
	struct vlan_hdr buf;
	const struct vlan_hdr *tag;
	int tags = 0;

	while (eth_type_vlan(*proto)) {
		if (++tags > EOIP_MAX_TAGS)
			return -EINVAL;
		tag = skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!tag)
			return -EINVAL;
		*proto = tag->h_vlan_encapsulated_proto;
		off += VLAN_HLEN;
	}
	if (*proto != htons(ETH_P_IP) && *proto != htons(ETH_P_IPV6))
		return -EPROTONOSUPPORT;
	return off;
}

void eoip_outer_of(const struct eoip_cfg *cfg, const struct sk_buff *skb,
		   struct eoip_outer *outer)
{
	__be16 proto = ((struct ethhdr *)skb->data)->h_proto;
	u8 inner_ds = 0, inner_ttl = EOIP_DEFAULT_TTL;
	bool inner_df = false;
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buf;
	int off;

	off = eoip_ip_offset(skb, ETH_HLEN, &proto);
	if (off >= 0 && proto == htons(ETH_P_IP)) {
		const struct iphdr *iph =
			skb_header_pointer(skb, off, sizeof(*iph), &buf);

		if (iph) {
			inner_ds = iph->tos;
			inner_ttl = iph->ttl;
			inner_df = iph->frag_off & htons(IP_DF);
		}
	} else if (off >= 0) {
		const struct ipv6hdr *ip6h =
			skb_header_pointer(skb, off, sizeof(*ip6h), &buf);

		if (ip6h) {
			inner_ds = ipv6_get_dsfield(ip6h);
			inner_ttl = ip6h->hop_limit;
		}
	}
	if (cfg->tos == EOIP_TOS_INHERIT)
		outer->dsfield = inner_ds;
	else
		outer->dsfield = cfg->tos | (inner_ds & INET_ECN_MASK);
	/* An outer TTL of 0 must not leave, whatever the frame holds. */
	outer->ttl = cfg->ttl ?: inner_ttl ?: EOIP_DEFAULT_TTL;
	outer->df = cfg->df == EOIP_DF_SET ||
		    (cfg->df == EOIP_DF_INHERIT && inner_df);
}

/*
 * A frame is never dropped for its outer ECN bits: RouterOS sends ECN-capable
 * outer headers around frames that are not.
 */
void eoip_ecn_decap(struct sk_buff *skb, u8 outer_dsfield)
{
	u8 outer_ecn = outer_dsfield & INET_ECN_MASK;
	__be16 proto = skb->protocol;
	int off;

	if (likely(outer_ecn != INET_ECN_CE && outer_ecn != INET_ECN_ECT_1))
		return;
	off = eoip_ip_offset(skb, 0, &proto);
	if (off < 0)
		return;
	if (proto == htons(ETH_P_IP)) {
		if (skb_ensure_writable(skb, off + sizeof(struct iphdr)))
			return;
		if (outer_ecn == INET_ECN_CE)
			IP_ECN_set_ce((struct iphdr *)(skb->data + off));
		else
			IP_ECN_set_ect1((struct iphdr *)(skb->data + off));
	} else {
		if (skb_ensure_writable(skb, off + sizeof(struct ipv6hdr)))
			return;
		if (outer_ecn == INET_ECN_CE)
			IP6_ECN_set_ce(skb,
				       (struct ipv6hdr *)(skb->data + off));
		else
			IP6_ECN_set_ect1(skb,
					 (struct ipv6hdr *)(skb->data + off));
	}
}
