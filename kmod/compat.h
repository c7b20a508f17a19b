/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One spelling for kernel interfaces that moved between Linux 5.10 and 7.x.
 * The only place that knows of differences between kernels. What EOIP_HAVE_*
 * says was found in the kernel's headers by Kbuild.
 */
#ifndef EOIP_COMPAT_H
#define EOIP_COMPAT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <net/flow.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>
#ifdef EOIP_HAVE_GRO_H
#include <net/gro.h>
#endif
#ifdef EOIP_HAVE_GSO_H
#include <net/gso.h>
#endif
#if IS_ENABLED(CONFIG_IPV6)
#include <net/ip6_route.h>
#ifdef EOIP_HAVE_IPV6_STUBS_H
#include <net/ipv6_stubs.h>
#endif
#endif

/* Transmit without the queue lock of the core. */
static inline void eoip_set_lltx(struct net_device *dev)
{
#ifdef EOIP_HAVE_LLTX
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

/*
 * Per-CPU packet counters: by the core where it can, else by the driver,
 * which then calls eoip_tstats_alloc() and eoip_tstats_free().
 */
static inline void eoip_tstats_setup(struct net_device *dev)
{
#ifdef EOIP_HAVE_PCPU_STAT_TYPE
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
#endif
}

static inline int eoip_tstats_alloc(struct net_device *dev)
{
#ifndef EOIP_HAVE_PCPU_STAT_TYPE
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;
#endif
	return 0;
}

static inline void eoip_tstats_free(struct net_device *dev)
{
#ifndef EOIP_HAVE_PCPU_STAT_TYPE
	free_percpu(dev->tstats);
	dev->tstats = NULL;
#endif
}

static inline void eoip_tstats_get(struct net_device *dev,
				   struct rtnl_link_stats64 *s)
{
#ifdef EOIP_HAVE_TSTATS64
	dev_get_tstats64(dev, s);
#else
	ip_tunnel_get_stats64(dev, s);
#endif
}

static inline void eoip_tstats_tx(struct net_device *dev, unsigned int len)
{
#ifdef EOIP_HAVE_TSTATS_TX_ADD
	dev_sw_netstats_tx_add(dev, 1, len);
#else
	struct pcpu_sw_netstats *s = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&s->syncp);
	s->tx_packets++;
	s->tx_bytes += len;
	u64_stats_update_end(&s->syncp);
#endif
}

static inline void eoip_tstats_rx(struct net_device *dev, unsigned int len)
{
	dev_sw_netstats_rx_add(dev, len);
}

static inline void eoip_set_gso_max(struct net_device *dev, unsigned int size)
{
#ifdef EOIP_HAVE_TSO_MAX_SIZE
	netif_set_tso_max_size(dev, size);
#else
	netif_set_gso_max_size(dev, size);
#endif
}

static inline void eoip_napi_add(struct net_device *dev,
				 struct napi_struct *napi,
				 int (*poll)(struct napi_struct *, int))
{
#ifdef EOIP_HAVE_NAPI_ADD_WEIGHT
	netif_napi_add_weight(dev, napi, poll, NAPI_POLL_WEIGHT);
#else
	netif_napi_add(dev, napi, poll, NAPI_POLL_WEIGHT);
#endif
}

static inline int eoip_timer_stop(struct timer_list *timer)
{
#ifdef EOIP_HAVE_TIMER_DELETE_SYNC
	return timer_delete_sync(timer);
#else
	return del_timer_sync(timer);
#endif
}

/* The DSCP part of a ToS byte as routing wants it. */
static inline void eoip_flow4_set_tos(struct flowi4 *fl4, u8 dsfield)
{
#ifdef flowi4_dscp
	fl4->flowi4_dscp = inet_dsfield_to_dscp(dsfield & ~INET_ECN_MASK);
#else
	fl4->flowi4_tos = dsfield & ~INET_ECN_MASK;
#endif
}

#ifndef EOIP_HAVE_GRO_HEADER
static inline void *skb_gro_header(struct sk_buff *skb, unsigned int hlen,
				   unsigned int offset)
{
	if (skb_gro_header_hard(skb, hlen))
		return skb_gro_header_slow(skb, hlen, offset);
	return skb_gro_header_fast(skb, offset);
}
#endif

/*
 * Before 6.10 an outer IP ID that does not count up keeps packets from being
 * merged. The IDs of a tunnel say nothing of the frames inside; RouterOS
 * interleaves several counters.
 */
static inline void eoip_gro_ignore_outer_id(struct sk_buff *skb)
{
#ifdef EOIP_HAVE_GRO_IS_ATOMIC
	NAPI_GRO_CB(skb)->is_atomic = 1;
#endif
}

/* A delivery time of the sender is not a time of reception. */
static inline void eoip_clear_delivery_time(struct sk_buff *skb)
{
#ifdef EOIP_HAVE_DELIVERY_TIME
	skb_clear_delivery_time(skb);
#endif
}

#ifdef EOIP_HAVE_DROP_REASON
#define eoip_free_skb(skb, why) kfree_skb_reason(skb, SKB_DROP_REASON_##why)
#else
#define eoip_free_skb(skb, why) kfree_skb(skb)
#endif

#if IS_ENABLED(CONFIG_IPV6)
static inline struct dst_entry *eoip_route6(struct net *net, struct flowi6 *fl6)
{
#ifdef EOIP_HAVE_IPV6_STUBS_H
	return ipv6_stub->ipv6_dst_lookup_flow(net, NULL, fl6, NULL);
#else
	return ip6_dst_lookup_flow(net, NULL, fl6, NULL);
#endif
}
#endif

/* The prototype of rtnl_link_ops.newlink, and what its body needs of it. */
#ifdef EOIP_HAVE_NEWLINK_PARAMS
#define EOIP_NEWLINK(name)						\
	name(struct net_device *dev, struct rtnl_newlink_params *params, \
	     struct netlink_ext_ack *extack)
#define EOIP_NEWLINK_NET rtnl_newlink_link_net(params)
#define EOIP_NEWLINK_TB (params->tb)
#else
#define EOIP_NEWLINK(name)						\
	name(struct net *src_net, struct net_device *dev,		\
	     struct nlattr *tb[], struct nlattr *data[],		\
	     struct netlink_ext_ack *extack)
#define EOIP_NEWLINK_NET src_net
#define EOIP_NEWLINK_TB tb
#endif

#endif
