// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSO frames. The EoIP header carries the length of its frame, and whoever
 * segments a super-packet later copies the header as it is. So a super-packet
 * leaves whole only if all its segments have one length; the tail that is
 * shorter is split off first.
 */

#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "tunnel.h"

/*
 * Hardware that segments GRE may parse the header it copies, and ours is of
 * another version. Virtual devices and hardware without the feature leave it
 * to the kernel, which only copies.
 */
static int eoip_segments_gre(struct net_device *dev,
			     struct netdev_nested_priv *priv)
{
	return dev->dev.parent && (dev->features & NETIF_F_GSO_GRE);
}

static bool eoip_hw_segments_gre(struct net_device *dev)
{
	struct netdev_nested_priv priv = {};

	return eoip_segments_gre(dev, &priv) ||
	       netdev_walk_all_lower_dev_rcu(dev, eoip_segments_gre, &priv);
}

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
	return !eoip_hw_segments_gre(dst->dev);
}

/*
 * The IP ID of the tail: segments took one each, but the split counted the
 * whole first part as one.
 */
static void eoip_fix_tail_id(const struct sk_buff *first, struct sk_buff *tail,
			     unsigned int segs)
{
	struct iphdr *iph;
	u16 id;

	if (tail->protocol != htons(ETH_P_IP) ||
	    !pskb_may_pull(tail, skb_network_offset(tail) + sizeof(*iph)))
		return;
	iph = ip_hdr(tail);
	id = ntohs(ip_hdr(first)->id);
	if (ntohs(iph->id) == id)
		return;
	iph->id = htons(id + segs);
	ip_send_check(iph);
}

/*
 * Splits off the tail by segmenting into two with a segment size of all the
 * rest: headers, sequence numbers and checksums come out right, and the first
 * part becomes a super-packet again.
 */
static struct sk_buff *eoip_split_tail(struct sk_buff *skb,
				       netdev_features_t features,
				       unsigned int segs)
{
	unsigned int size = skb_shinfo(skb)->gso_size;
	unsigned int type = skb_shinfo(skb)->gso_type;
	struct sk_buff *parts;

	if (skb_header_unclone(skb, GFP_ATOMIC))
		return ERR_PTR(-ENOMEM);
	skb_shinfo(skb)->gso_size = size * segs;
	parts = __skb_gso_segment(skb, features, true);
	if (IS_ERR_OR_NULL(parts))
		return parts;
	if (parts->next)
		eoip_fix_tail_id(parts, parts->next, segs);
	if (segs > 1) {
		skb_shinfo(parts)->gso_size = size;
		skb_shinfo(parts)->gso_type = type;
		skb_shinfo(parts)->gso_segs = segs;
	}
	return parts;
}

struct sk_buff *eoip_gso_prepare(struct eoip_tunnel *tun,
				 const struct eoip_cfg *cfg,
				 struct sk_buff *skb,
				 const struct dst_entry *dst,
				 unsigned int *frame_len)
{
	netdev_features_t features = tun->dev->features & ~NETIF_F_GSO_MASK;
	unsigned int hlen = eoip_segment_hlen(skb);
	unsigned int size = skb_shinfo(skb)->gso_size;
	struct sk_buff *parts;

	if (eoip_may_leave_whole(tun, cfg, skb, dst, hlen)) {
		unsigned int payload = skb->len - hlen;

		*frame_len = hlen + size;
		if (tun->v6 || payload % size == 0)
			return skb;
		if (payload > size) {
			eoip_count(tun, EOIP_TX_GSO_SPLIT);
			parts = eoip_split_tail(skb, features, payload / size);
		} else {
			/* One short segment in GSO's clothes. */
			*frame_len = skb->len;
			return skb;
		}
	} else {
		eoip_count(tun, EOIP_TX_GSO_SOFT);
		parts = __skb_gso_segment(skb, features, true);
	}
	if (IS_ERR_OR_NULL(parts)) {
		eoip_count(tun, EOIP_TX_NO_MEMORY);
		eoip_free_skb(skb, NOMEM);
		return NULL;
	}
	consume_skb(skb);
	return parts;
}
