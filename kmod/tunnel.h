/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of eoip.ko: the tunnel, its configuration, counters.
 *
 * Locking: a configuration never changes once published; a change publishes
 * a new one with RCU. Everything that writes (links, table, lists) holds
 * RTNL. The datapath runs with bottom halves off and takes no lock.
 */
#ifndef EOIP_TUNNEL_H
#define EOIP_TUNNEL_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <net/dst_cache.h>
#include <net/netns/generic.h>

#include "compat.h"
#include "eoip_wire.h"
#include "include/uapi/linux/if_eoip.h"

#define EOIP_MODULE_VERSION "0.1.0"

/* Outer bytes in front of the frame. */
#define EOIP4_OVERHEAD (sizeof(struct iphdr) + EOIP4_HLEN)
#define EOIP6_OVERHEAD (sizeof(struct ipv6hdr) + EOIP6_HLEN)

#define EOIP_DEFAULT_TTL 255
#define EOIP_TOS_INHERIT 1
#define EOIP_TTL_INHERIT 0
/*
 * The type of super-packets. No hardware segments SCTP, so none is given them:
 * it would copy the header, length field and all, if it knew it at all. Virtual
 * devices take them whole.
 */
#define EOIP_GSO_TYPE (SKB_GSO_GRE | SKB_GSO_SCTP)
/* Their inner protocol: the protocol type of EoIP's GRE, no real EtherType. */
#define EOIP4_ETHERTYPE 0x6400
/* A seconds value that still counts in jiffies of 32 bits, times 255 x 1.1. */
#define EOIP_MAX_KEEPALIVE_INTERVAL 3600

/* Counters of ethtool -S; the names are in ethtool.c, in this order. */
enum eoip_counter {
	EOIP_RX_KEEPALIVES,
	EOIP_RX_BAD_LENGTHS,
	EOIP_RX_SHORT_FRAMES,
	EOIP_RX_NO_POLICY,
	EOIP_RX_LINK_DOWN,
	EOIP_RX_NO_MEMORY,
	EOIP_RX_BACKLOG,
	EOIP_RX_MSS_CLAMPED,
	EOIP_RX_ICMP_ERRORS,
	EOIP_TX_KEEPALIVES,
	EOIP_TX_KEEPALIVE_ERRORS,
	EOIP_TX_SHORT_FRAMES,
	EOIP_TX_NO_ROUTE,
	EOIP_TX_LOOPS,
	EOIP_TX_TOO_BIG,
	EOIP_TX_NO_MEMORY,
	EOIP_TX_UNDERLAY_DROPS,
	EOIP_TX_GSO_SOFT,
	EOIP_COUNTERS
};

struct eoip_tunnel;

/* IPv4 addresses are kept IPv4-mapped, so that one table serves both kinds. */
struct eoip_cfg {
	struct hlist_node node;		/* in eoip_table, by (id, remote) */
	struct eoip_tunnel *tun;
	struct in6_addr local;		/* unspecified: any */
	struct in6_addr remote;
	u32 id;
	int link;			/* ifindex in tun->net, 0: any */
	u32 fwmark;
	u32 keepalive_interval;		/* seconds, 0: off */
	u8 keepalive_retries;		/* 0: send only */
	u8 ttl;
	u8 tos;
	u8 df;
	u8 clamp_mss;
	u8 gso;
	struct dst_cache dst_cache;	/* a new configuration, a new cache */
	struct rcu_head rcu;
};

/* IP IDs a CPU took from the kernel's counter for the address pair. */
struct eoip_ids {
	unsigned long stamp;		/* jiffies when taken */
	u16 next;
	u16 left;
};

struct eoip_tunnel {
	struct eoip_cfg __rcu *cfg;
	struct net_device *dev;
	struct net *net;		/* of the underlay */
	bool v6;
	bool heard;			/* since the link came up */
	unsigned long last_rx;		/* jiffies: life, or since when silent */
	unsigned long next_keepalive;	/* jiffies, timer only */
	struct timer_list timer;
	struct eoip_cells *cells;
	struct eoip_ids __percpu *ids;
	struct list_head list;		/* in eoip_net.tunnels */
	atomic_long_t counters[EOIP_COUNTERS];
};

#define EOIP_TABLE_BITS 12

struct eoip_table {
	struct rcu_head rcu;
	u64 seed;
	struct hlist_head bucket[1 << EOIP_TABLE_BITS];
};

struct eoip_net {
	struct eoip_table __rcu *table;	/* made by the first tunnel */
	struct list_head tunnels;	/* whose underlay is this netns */
	unsigned int users4;		/* of the LOCAL_IN hook */
	struct nf_hook_ops hook4;
};

/* The way to the peer; holds a reference on dst. */
struct eoip_path {
	struct dst_entry *dst;
	union {
		__be32 saddr4;
		struct in6_addr saddr6;
	};
};

/* What the outer header takes over from the frame, or has of its own. */
struct eoip_outer {
	u8 dsfield;
	u8 ttl;
	bool df;
};

static inline struct eoip_net *eoip_net(const struct net *net);
extern unsigned int eoip_net_id;

static inline struct eoip_net *eoip_net(const struct net *net)
{
	return net_generic(net, eoip_net_id);
}

static inline void eoip_count(struct eoip_tunnel *tun, enum eoip_counter c)
{
	atomic_long_inc(&tun->counters[c]);
}

static inline unsigned int eoip_overhead(const struct eoip_tunnel *tun)
{
	return tun->v6 ? EOIP6_OVERHEAD : EOIP4_OVERHEAD;
}

static inline bool eoip_xnet(const struct eoip_tunnel *tun)
{
	return !net_eq(tun->net, dev_net(tun->dev));
}

/* table.c: which tunnel a packet belongs to. */
int eoip_table_prepare(struct eoip_net *en);
void eoip_table_release(struct eoip_net *en);
void eoip_table_add(struct eoip_net *en, struct eoip_cfg *cfg);
/* Same key as cfg but another tunnel's, or NULL. Under RTNL. */
struct eoip_cfg *eoip_table_same(struct eoip_net *en,
				 const struct eoip_cfg *cfg);
/*
 * The best match of (id, remote): a bound local address or link counts only
 * if it is equal. link and slave are ifindexes of the receiving device and,
 * under a VRF, of its slave; link 0 is for what may come by any link, as errors
 * do. Under RCU.
 */
struct eoip_cfg *eoip_lookup(const struct eoip_net *en, u32 id,
			     const struct in6_addr *remote,
			     const struct in6_addr *local, int link, int slave);
/* Whether any tunnel has (id, remote), whatever it is bound to. Under RCU. */
bool eoip_is_known(const struct eoip_net *en, u32 id,
		   const struct in6_addr *remote);

/* netdev.c */
void eoip_setup(struct net_device *dev);
void eoip6_setup(struct net_device *dev);
void eoip_cfg_free_rcu(struct rcu_head *head);
void eoip_cfg_free(struct eoip_cfg *cfg);
extern const struct ethtool_ops eoip_ethtool_ops;

/* rtnl.c */
int eoip_rtnl_register(void);
void eoip_rtnl_unregister(void);
void eoip_dellink(struct net_device *dev, struct list_head *head);

/* frame.c: the IP packet inside a frame, behind any VLAN tags. */
/*
 * Offset of the network header from skb->data, where data starts off bytes
 * before the payload of an Ethernet header of type *proto; sets *proto to the
 * type behind the tags. Negative: not IP, or not enough bytes.
 */
int eoip_ip_offset_tagged(const struct sk_buff *skb, int off, __be16 *proto);

static inline int eoip_ip_offset(const struct sk_buff *skb, int off,
				 __be16 *proto)
{
	if (likely(*proto == htons(ETH_P_IP) || *proto == htons(ETH_P_IPV6)))
		return off;
	return eoip_ip_offset_tagged(skb, off, proto);
}

/* RFC 6040 on a received frame, skb->data behind the Ethernet header. */
void eoip_ecn_decap(struct sk_buff *skb, u8 outer_dsfield);

/* tx.c */
netdev_tx_t eoip_xmit(struct sk_buff *skb, struct net_device *dev);
int eoip_send_keepalive(struct eoip_tunnel *tun, struct eoip_cfg *cfg);
int eoip_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
	       struct eoip_path *path);

/* gso.c */
/*
 * Makes a GSO frame ready for the outer header: whole where every segment
 * will get the length that the header says, else as a list of parts.
 * Returns the list (skb->next) and sets *frame_len to the length field of
 * parts that are still GSO; NULL: dropped and counted. Consumes skb.
 */
struct sk_buff *eoip_gso_prepare(struct eoip_tunnel *tun,
				 const struct eoip_cfg *cfg,
				 struct sk_buff *skb,
				 const struct dst_entry *dst,
				 unsigned int *frame_len);

/* rx.c: consumes skb; pull: bytes from skb->data to the frame. */
void eoip_receive(struct eoip_cfg *cfg, struct sk_buff *skb, unsigned int pull,
		  u8 outer_dsfield);
void eoip_rx_drop(struct eoip_tunnel *tun, struct sk_buff *skb,
		  enum eoip_verdict why);
bool eoip_rx_gso_is_ours(const struct sk_buff *skb);

/* cells.c: consumes skb, a frame ready for the stack. */
enum eoip_merge {
	/* Not part of a flow that is merged. */
	EOIP_MERGE_NEVER,
	/* Of such a flow, but nothing to merge; keeps its place in the flow. */
	EOIP_MERGE_LAST,
	/* With what comes before and behind it. */
	EOIP_MERGE,
};

int eoip_cells_init(struct eoip_tunnel *tun);
void eoip_cells_destroy(struct eoip_tunnel *tun);
void eoip_deliver(struct eoip_tunnel *tun, struct sk_buff *skb,
		  enum eoip_merge merge);

/* selftest.c: whether outer GRO works; NULL, or why not. */
const char *eoip_selftest(void);
/* Whether a packet is the self-test's, which belongs to no tunnel. */
bool eoip_is_selftest(const struct sk_buff *skb);

/* mss.c: skb->data at the network header of a received frame of type proto. */
void eoip_clamp_mss(struct eoip_cfg *cfg, struct sk_buff *skb, int nhoff,
		    int thoff, bool v6);

/* keepalive.c */
void eoip_keepalive_init(struct eoip_tunnel *tun);
/* Starts over with the present configuration; the link is up. Under RTNL. */
void eoip_keepalive_start(struct eoip_tunnel *tun);
void eoip_keepalive_stop(struct eoip_tunnel *tun);
/* Life of the peer; returns at once if nothing changes. */
void eoip_heard_slow(struct eoip_tunnel *tun);

static inline void eoip_heard(struct eoip_tunnel *tun)
{
	unsigned long now = jiffies;

	if (READ_ONCE(tun->last_rx) != now)
		WRITE_ONCE(tun->last_rx, now);
	if (unlikely(!READ_ONCE(tun->heard) || !netif_carrier_ok(tun->dev)))
		eoip_heard_slow(tun);
}

/* ipv4.c */
int eoip4_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
		struct eoip_path *path);
/* Adds the headers and sends; skb has the room. Returns net_xmit_eval(). */
int eoip4_output(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
		 struct sk_buff *skb, unsigned int frame_len,
		 const struct eoip_path *path, const struct eoip_outer *outer);
int eoip4_hook_get(struct net *net);
void eoip4_hook_put(struct net *net);

/* ipv6.c; without IPv6 in the kernel only the kind eoip exists. */
int eoip6_route(struct eoip_tunnel *tun, struct eoip_cfg *cfg, u8 dsfield,
		struct eoip_path *path);
int eoip6_output(struct eoip_tunnel *tun, const struct eoip_cfg *cfg,
		 struct sk_buff *skb, const struct eoip_path *path,
		 const struct eoip_outer *outer);
int eoip6_init(void);
void eoip6_exit(void);

/* offload.c: merging of received packets, segmenting of EoIPv6. */
int eoip_offload_init(bool *outer_gro);
void eoip_offload_exit(void);

#endif
