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
