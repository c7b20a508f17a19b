// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offloads of the outer protocols.
 *
 * Protocol 47: the kernel's GRE offload segments super-packets, but knows no
 * length field; by the inner protocol of the packet it comes here for the
 * frames. It does not merge version 1. In its place in the table we merge what
 * belongs to a tunnel of ours and hand it everything else. Tunnels work without
 * that.
 *
 * Next header 97: nobody's, so both directions are ours.
 */

#include <linux/delay.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/protocol.h>

#include "tunnel.h"

static const struct net_offload *gre_ops;
static struct net_offload eoip4_ops;
static bool eoip4_in_place;

/* The packets of one tunnel, as the inner flow decides which may merge. */
static void eoip_gro_match(struct list_head *head, const u8 *wire,
			   unsigned int off, bool v6)
{
	struct sk_buff *p;

	list_for_each_entry(p, head, list) {
		const u8 *other = p->data + off;
		bool same;

		if (!NAPI_GRO_CB(p)->same_flow)
			continue;
		/* All but the length of the frame. */
		same = v6 ? !memcmp(wire, other, EOIP6_HLEN) :
			    !memcmp(wire, other, 4) &&
			    !memcmp(wire + 6, other + 6, 2);
		if (!same)
			NAPI_GRO_CB(p)->same_flow = 0;
	}
}

static struct sk_buff *eoip_gro_frame(struct list_head *head,
				      struct sk_buff *skb, const u8 *wire,
				      unsigned int off, bool v6)
{
	unsigned int hlen = v6 ? EOIP6_HLEN : EOIP4_HLEN;

	NAPI_GRO_CB(skb)->encap_mark = 1;
	eoip_gro_ignore_outer_id(skb);
	eoip_gro_match(head, wire, off, v6);
	skb_gro_pull(skb, hlen);
	skb_gro_postpull_rcsum(skb, wire, hlen);
	return call_gro_receive(eth_gro_receive, head, skb);
}

static struct sk_buff *eoip4_gro_receive(struct list_head *head,
					 struct sk_buff *skb)
{
	unsigned int off = skb_gro_offset(skb);
	const struct iphdr *iph;
	struct in6_addr remote;
	struct sk_buff *pp = NULL;
	struct eoip_rx rx;
	const u8 *wire;
	bool known;

	wire = skb_gro_header(skb, off + EOIP4_HLEN, off);
	if (!wire)
		return gre_ops->callbacks.gro_receive(head, skb);
	switch (eoip4_parse(wire, skb_gro_len(skb), &rx)) {
	case EOIP_RX_FOREIGN:
		return gre_ops->callbacks.gro_receive(head, skb);
	case EOIP_RX_FRAME:
		break;
	default:
		goto flush;
	}
	/*
	 * Bytes behind the frame would end up between two frames. A packet
	 * that is not one of ours must pass unchanged, and a fragment or a
	 * second level of encapsulation merges nowhere.
	 */
	if (rx.frame_len != skb_gro_len(skb) - EOIP4_HLEN ||
	    NAPI_GRO_CB(skb)->encap_mark)
		goto flush;
	iph = skb_gro_network_header(skb);
	ipv6_addr_set_v4mapped(iph->saddr, &remote);
	rcu_read_lock();
	known = eoip_is_known(eoip_net(dev_net(skb->dev)), rx.id, &remote) ||
		eoip_is_selftest(skb);
	rcu_read_unlock();
	if (!known)
		goto flush;
	pp = eoip_gro_frame(head, skb, wire, off, false);
	skb_gro_flush_final(skb, pp, 0);
	return pp;

flush:
	skb_gro_flush_final(skb, pp, 1);
	return pp;
}

static int eoip_gro_complete(struct sk_buff *skb, int frame)
{
	skb->encapsulation = 1;
	skb_shinfo(skb)->gso_type = EOIP_GSO_TYPE;
	return eth_gro_complete(skb, frame);
}

static int eoip4_gro_complete(struct sk_buff *skb, int nhoff)
{
	struct eoip_rx rx;
	int err;

	if (eoip4_parse(skb->data + nhoff, EOIP4_HLEN, &rx) == EOIP_RX_FOREIGN)
		return gre_ops->callbacks.gro_complete(skb, nhoff);
	err = eoip_gro_complete(skb, nhoff + EOIP4_HLEN);
	/* The stack took the packet inside the frame for it. */
	skb_set_inner_protocol(skb, htons(EOIP4_ETHERTYPE));
	return err;
}

/*
 * Called by the GRE offload, with the frame's network header at skb->data and
 * the outer headers in front of the frame. Where this module is gone, packets
 * that it sent are dropped, as nobody has their inner protocol.
 */
static struct sk_buff *eoip4_gso_segment(struct sk_buff *skb,
					 netdev_features_t features)
{
	struct sk_buff *segs, *seg;

	__skb_push(skb, skb->data - skb_mac_header(skb));
	skb->protocol = htons(ETH_P_TEB);
	segs = skb_mac_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segs))
		return segs;
	for (seg = segs; seg; seg = seg->next)
		if (!skb_is_gso(seg))
			eoip4_set_frame_len(seg->data - EOIP4_HLEN, seg->len);
	return segs;
}

static struct packet_offload eoip4_frame_offload = {
	.type = cpu_to_be16(EOIP4_ETHERTYPE),
	.callbacks = {
		.gso_segment = eoip4_gso_segment,
	},
};

#if IS_ENABLED(CONFIG_IPV6)

static struct sk_buff *eoip6_gro_receive(struct list_head *head,
					 struct sk_buff *skb)
{
	unsigned int off = skb_gro_offset(skb);
	const struct in6_addr *remote;
	struct sk_buff *pp = NULL;
	struct eoip_rx rx;
	const u8 *wire;
	int flush = 1;
	bool known;

	wire = skb_gro_header(skb, off + EOIP6_HLEN, off);
	if (!wire || NAPI_GRO_CB(skb)->encap_mark ||
	    eoip6_parse(wire, skb_gro_len(skb), &rx) != EOIP_RX_FRAME)
		goto out;
	remote = &((const struct ipv6hdr *)skb_gro_network_header(skb))->saddr;
	rcu_read_lock();
	known = eoip_is_known(eoip_net(dev_net(skb->dev)), rx.id, remote);
	rcu_read_unlock();
	if (!known)
		goto out;
	pp = eoip_gro_frame(head, skb, wire, off, true);
	flush = 0;
out:
	skb_gro_flush_final(skb, pp, flush);
	return pp;
}

static int eoip6_gro_complete(struct sk_buff *skb, int nhoff)
{
	return eoip_gro_complete(skb, nhoff + EOIP6_HLEN);
}

/*
 * skb->data at our header. Segments the frame as an Ethernet packet of its
 * own, then puts the outer headers, which the segments still have in front of
 * them, back on. The caller sets the payload lengths.
 */
static struct sk_buff *eoip6_gso_segment(struct sk_buff *skb,
					 netdev_features_t features)
{
	int hlen = skb_inner_mac_header(skb) - skb_transport_header(skb);
	__be16 protocol = skb->protocol;
	u16 mac_offset = skb->mac_header;
	u16 mac_len = skb->mac_len;
	struct sk_buff *segs, *seg;
	int outer_hlen;

	if (!skb->encapsulation || hlen != EOIP6_HLEN ||
	    !pskb_may_pull(skb, hlen))
		return ERR_PTR(-EINVAL);
	skb->encapsulation = 0;
	SKB_GSO_CB(skb)->encap_level = 0;
	__skb_pull(skb, hlen);
	skb_reset_mac_header(skb);
	skb->mac_len = skb_inner_network_offset(skb);
	skb_set_network_header(skb, skb->mac_len);
	skb->protocol = htons(ETH_P_TEB);

	segs = skb_mac_gso_segment(skb, features & skb->dev->hw_enc_features);
	if (IS_ERR_OR_NULL(segs)) {
		skb_gso_error_unwind(skb, protocol, hlen, mac_offset, mac_len);
		return segs;
	}
	outer_hlen = skb_tnl_header_len(skb);
	for (seg = segs; seg; seg = seg->next) {
		if (seg->ip_summed == CHECKSUM_PARTIAL) {
			skb_reset_inner_headers(seg);
			seg->encapsulation = 1;
		}
		seg->mac_len = mac_len;
		seg->protocol = protocol;
		__skb_push(seg, outer_hlen);
		skb_reset_mac_header(seg);
		skb_set_network_header(seg, mac_len);
		skb_set_transport_header(seg, outer_hlen - hlen);
	}
	return segs;
}

static const struct net_offload eoip6_ops = {
	.callbacks = {
		.gso_segment = eoip6_gso_segment,
		.gro_receive = eoip6_gro_receive,
		.gro_complete = eoip6_gro_complete,
	},
};

static int eoip6_offload_add(void)
{
	return inet6_add_offload(&eoip6_ops, EOIP6_IPPROTO);
}

static void eoip6_offload_del(void)
{
	inet6_del_offload(&eoip6_ops, EOIP6_IPPROTO);
}

#else

static int eoip6_offload_add(void)
{
	return 0;
}

static void eoip6_offload_del(void)
{
}

#endif

static const struct net_offload **eoip4_slot(void)
{
	return (const struct net_offload **)&inet_offloads[IPPROTO_GRE];
}

/* Whoever put itself in front of us calls us until it is gone. */
static void eoip4_offload_restore(void)
{
	while (cmpxchg(eoip4_slot(), &eoip4_ops, gre_ops) != &eoip4_ops) {
		pr_warn_once("eoip: waiting for another module's GRE offload to go\n");
		msleep(100);
	}
	eoip4_in_place = false;
}

static void eoip4_offload_put(void)
{
	const struct net_offload *gre = READ_ONCE(*eoip4_slot());
	const char *why = NULL;

	if (!gre || !gre->callbacks.gro_receive ||
	    !gre->callbacks.gro_complete) {
		why = "there is no GRE offload to extend";
	} else {
		gre_ops = gre;
		eoip4_ops = *gre;
		eoip4_ops.callbacks.gro_receive = eoip4_gro_receive;
		eoip4_ops.callbacks.gro_complete = eoip4_gro_complete;
		if (cmpxchg(eoip4_slot(), gre, &eoip4_ops) == gre) {
			eoip4_in_place = true;
			why = eoip_selftest();
		} else {
			why = "another module was faster";
		}
	}
	if (!why)
		return;
	pr_warn("eoip: outer GRO is off: %s\n", why);
	if (eoip4_in_place) {
		eoip4_offload_restore();
		synchronize_net();
	}
}

int eoip_offload_init(bool *outer_gro)
{
	if (eoip6_offload_add()) {
		pr_err("eoip: IPv6 offload 97 is taken by another module\n");
		return -EBUSY;
	}
	dev_add_offload(&eoip4_frame_offload);
	if (*outer_gro)
		eoip4_offload_put();
	*outer_gro = eoip4_in_place;
	return 0;
}

void eoip_offload_exit(void)
{
	if (eoip4_in_place)
		eoip4_offload_restore();
	eoip6_offload_del();
	/* Waits for all who call any of these. */
	dev_remove_offload(&eoip4_frame_offload);
}
