// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSO frames leave whole, with the length of their first segment in the EoIP
 * header. Whoever segments them later calls back, see eoip4_gso_segment(), and
 * each segment gets a length field of its own.
 */

#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "tunnel.h"

/* Bytes of headers in front of each segment's payload, 0: cannot tell. */
static unsigned int eoip_segment_hlen(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	int thoff;

	if (shinfo->gso_size == GSO_BY_FRAGS ||
	    (shinfo->gso_type & SKB_GSO_FRAGLIST) || skb->encapsulation ||
	    !skb_transport_header_was_set(skb))
		return 0;
	thoff = skb_transport_offset(skb);
	if (thoff < (int)(ETH_HLEN + sizeof(struct iphdr)))
		return 0;
	if (shinfo->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		if (thoff + sizeof(struct tcphdr) > skb_headlen(skb))
			return 0;
		return thoff + tcp_hdrlen(skb);
	}
	if (shinfo->gso_type & SKB_GSO_UDP_L4)
		return thoff + sizeof(struct udphdr);
	return 0;
}

static bool eoip_may_leave_whole(const struct eoip_tunnel *tun,
				 const struct eoip_cfg *cfg,
				 const struct sk_buff *skb,
				 const struct dst_entry *dst,
				 unsigned int hlen)
{
	unsigned int overhead = eoip_overhead(tun);
	unsigned int max = tun->v6 ? 0xffff + sizeof(struct ipv6hdr) : 0xffff;

	if (!hlen || hlen >= skb->len || cfg->gso == EOIP_GSO_SOFT ||
	    skb->len + overhead > max)
		return false;
	/*
	 * Before the IP layer fragments it measures the segments, and forgets
	 * the UDP header of encapsulated ones.
	 */
	if ((skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4) &&
	    hlen + skb_shinfo(skb)->gso_size + overhead > dst_mtu(dst))
		return false;
	return true;
}

struct sk_buff *eoip_gso_prepare(struct eoip_tunnel *tun,
				 const struct eoip_cfg *cfg,
				 struct sk_buff *skb,
				 const struct dst_entry *dst,
				 unsigned int *frame_len)
{
	netdev_features_t features = tun->dev->features & ~NETIF_F_GSO_MASK;
	unsigned int hlen = eoip_segment_hlen(skb);
	struct sk_buff *parts;

	if (eoip_may_leave_whole(tun, cfg, skb, dst, hlen)) {
		*frame_len = min(hlen + skb_shinfo(skb)->gso_size, skb->len);
		return skb;
	}
	eoip_count(tun, EOIP_TX_GSO_SOFT);
	parts = __skb_gso_segment(skb, features, true);
	if (IS_ERR_OR_NULL(parts)) {
		eoip_count(tun, EOIP_TX_NO_MEMORY);
		eoip_free_skb(skb, NOMEM);
		return NULL;
	}
	consume_skb(skb);
	return parts;
}
