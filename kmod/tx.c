// SPDX-License-Identifier: GPL-2.0-only
/* From a frame to outer packets. */

#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dsfield.h>
#include <net/icmp.h>
#include <net/ip_tunnels.h>

#include "tunnel.h"

/* Tunnels in tunnels: deeper nesting is a loop, and the stack is finite. */
#define EOIP_MAX_NESTING 4

/* Tunnels that lead into each other must not ask for more and more of it. */
#define EOIP_MAX_HEADROOM 512

static DEFINE_PER_CPU(unsigned int, eoip_nesting);

int eoip_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
	       struct eoip_path *path)
{
	return tun->v6 ? eoip6_route(tun, cfg, dsfield, path) :
			 eoip4_route(tun, cfg, dsfield, path);
}

/* Ethernet header at skb->data. */
static void eoip_outer_of(const struct eoip_cfg *cfg,
			  const struct sk_buff *skb, struct eoip_outer *outer)
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

static unsigned int eoip_headroom(const struct eoip_tunnel *tun,
				  const struct dst_entry *dst)
{
	return LL_RESERVED_SPACE(dst->dev) + dst->header_len +
	       eoip_overhead(tun);
}

/* Consumes skb and the reference on path->dst. */
static void eoip_send_one(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
			  struct sk_buff *skb, unsigned int frame_len,
			  const struct eoip_path *path,
			  const struct eoip_outer *outer)
{
	unsigned int headroom = eoip_headroom(tun, path->dst);
	unsigned int len = skb->len;

	if (skb_cow_head(skb, headroom) ||
	    iptunnel_handle_offloads(skb, EOIP_GSO_TYPE)) {
		eoip_count(tun, EOIP_TX_NO_MEMORY);
		eoip_free_skb(skb, NOMEM);
		dst_release(path->dst);
		return;
	}
	headroom = min_t(unsigned int, headroom, EOIP_MAX_HEADROOM);
	if (unlikely(headroom > READ_ONCE(tun->dev->needed_headroom)))
		WRITE_ONCE(tun->dev->needed_headroom, headroom);
	skb_set_inner_protocol(skb, htons(tun->v6 ? ETH_P_TEB :
						    EOIP4_ETHERTYPE));

	if (tun->v6 ? eoip6_output(tun, cfg, skb, path, outer) :
		      eoip4_output(tun, cfg, skb, frame_len, path, outer))
		eoip_count(tun, EOIP_TX_UNDERLAY_DROPS);
	else
		eoip_tstats_tx(tun->dev, len);
}

/*
 * The frame may not be fragmented and is too big for the path: tells its
 * sender. A bridged sender has no route through here, so the ICMP error is
 * made up from the frame itself and handed to the bridge.
 */
static void eoip_reject_too_big(struct eoip_tunnel *tun, struct sk_buff *skb,
				struct dst_entry *dst, int nhoff)
{
	int mtu = (int)dst_mtu(dst) - (int)eoip_overhead(tun) - nhoff;

	eoip_count(tun, EOIP_TX_TOO_BIG);
	if (netif_is_any_bridge_port(tun->dev)) {
		if (skb_tunnel_check_pmtu(skb, dst, eoip_overhead(tun) + nhoff,
					  true) > 0 &&
		    pskb_may_pull(skb, ETH_HLEN)) {
			skb->protocol = eth_type_trans(skb, tun->dev);
			netif_rx(skb);
			return;
		}
	} else if (skb->protocol == htons(ETH_P_IP) && mtu >= 68) {
		skb_dst_update_pmtu_no_confirm(skb, mtu);
		if (pskb_may_pull(skb, nhoff + sizeof(struct iphdr)) &&
		    ip_hdr(skb)->frag_off & htons(IP_DF))
			icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
				      htonl(mtu));
	} else if (IS_ENABLED(CONFIG_IPV6) && mtu >= IPV6_MIN_MTU &&
		   skb->protocol == htons(ETH_P_IPV6)) {
		skb_dst_update_pmtu_no_confirm(skb, mtu);
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	}
	eoip_free_skb(skb, PKT_TOO_BIG);
}

/* Whether the frame, or each segment of it, fits the path unfragmented. */
static bool eoip_fits(const struct eoip_tunnel *tun, const struct sk_buff *skb,
		      const struct dst_entry *dst, int nhoff)
{
	unsigned int room = dst_mtu(dst) - eoip_overhead(tun);

	if (skb_is_gso(skb))
		return room > nhoff &&
		       skb_gso_validate_network_len(skb, room - nhoff);
	return skb->len <= room;
}

static void eoip_send_frame(struct eoip_tunnel *tun, struct eoip_cfg *cfg,
			    struct sk_buff *skb)
{
	unsigned int frame_len = skb->len;
	struct sk_buff *next;
	struct eoip_outer outer;
	struct eoip_path path;

	if (unlikely(!pskb_may_pull(skb, EOIP_MIN_FRAME))) {
		eoip_count(tun, EOIP_TX_SHORT_FRAMES);
		eoip_free_skb(skb, PKT_TOO_SMALL);
		return;
	}
	eoip_outer_of(cfg, skb, &outer);
	if (unlikely(eoip_route(tun, cfg, outer.dsfield, &path))) {
		eoip_count(tun, EOIP_TX_NO_ROUTE);
		eoip_free_skb(skb, NOT_SPECIFIED);
		return;
	}
	if (unlikely(path.dst->dev == tun->dev)) {
		eoip_count(tun, EOIP_TX_LOOPS);
		eoip_free_skb(skb, NOT_SPECIFIED);
		goto release;
	}
	if (outer.df) {
		int nhoff = max(skb_network_offset(skb), ETH_HLEN);

		if (!eoip_fits(tun, skb, path.dst, nhoff)) {
			eoip_reject_too_big(tun, skb, path.dst, nhoff);
			goto release;
		}
	}
	if (skb_is_gso(skb)) {
		skb = eoip_gso_prepare(tun, cfg, skb, path.dst, &frame_len);
		if (!skb)
			goto release;
	} else if (unlikely(skb->len + eoip_overhead(tun) > 0xffff)) {
		eoip_count(tun, EOIP_TX_TOO_BIG);
		eoip_free_skb(skb, PKT_TOO_BIG);
		goto release;
	}
	do {
		next = skb->next;
		if (unlikely(next)) {
			skb_mark_not_on_list(skb);
			dst_hold(path.dst);
		}
		eoip_send_one(tun, cfg, skb,
			      skb_is_gso(skb) ? frame_len : skb->len, &path,
			      &outer);
	} while (unlikely((skb = next) != NULL));
	return;

release:
	dst_release(path.dst);
}

netdev_tx_t eoip_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct eoip_tunnel *tun = netdev_priv(dev);

	if (likely(__this_cpu_inc_return(eoip_nesting) <= EOIP_MAX_NESTING)) {
		eoip_send_frame(tun, rcu_dereference_bh(tun->cfg), skb);
	} else {
		eoip_count(tun, EOIP_TX_LOOPS);
		eoip_free_skb(skb, NOT_SPECIFIED);
	}
	__this_cpu_dec(eoip_nesting);
	return NETDEV_TX_OK;
}

int eoip_send_keepalive(struct eoip_tunnel *tun, struct eoip_cfg *cfg)
{
	struct eoip_outer outer = {
		.dsfield = cfg->tos == EOIP_TOS_INHERIT ? 0 : cfg->tos,
		.ttl = cfg->ttl ?: EOIP_DEFAULT_TTL,
		.df = cfg->df == EOIP_DF_SET,
	};
	struct eoip_path path;
	unsigned int headroom;
	struct sk_buff *skb;
	int err;

	err = eoip_route(tun, cfg, outer.dsfield, &path);
	if (err)
		return err;
	if (path.dst->dev == tun->dev) {
		err = -ELOOP;
		goto release;
	}
	headroom = eoip_headroom(tun, path.dst);
	skb = alloc_skb(headroom, GFP_ATOMIC);
	if (!skb) {
		err = -ENOMEM;
		goto release;
	}
	skb_reserve(skb, headroom);
	skb->dev = tun->dev;
	return tun->v6 ? eoip6_output(tun, cfg, skb, &path, &outer) :
			 eoip4_output(tun, cfg, skb, 0, &path, &outer);

release:
	dst_release(path.dst);
	return err;
}
