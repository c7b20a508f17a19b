// SPDX-License-Identifier: GPL-2.0-only
/* The network device: set up, life and statistics. */

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <net/ip.h>

#include "tunnel.h"

#define EOIP_FEATURES (NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | \
		       NETIF_F_HW_CSUM)
#define EOIP_GSO_FEATURES (NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4)

void eoip_cfg_free(struct eoip_cfg *cfg)
{
	dst_cache_destroy(&cfg->dst_cache);
	kfree(cfg);
}

void eoip_cfg_free_rcu(struct rcu_head *head)
{
	eoip_cfg_free(container_of(head, struct eoip_cfg, rcu));
}

static int eoip_dev_init(struct net_device *dev)
{
	struct eoip_tunnel *tun = netdev_priv(dev);
	struct eoip_net *en = eoip_net(tun->net);
	int err;

	err = eoip_tstats_alloc(dev);
	if (err)
		return err;
	tun->ids = alloc_percpu(struct eoip_ids);
	err = tun->ids ? 0 : -ENOMEM;
	if (err)
		goto err_tstats;
	err = eoip_cells_init(tun);
	if (err)
		goto err_ids;
	err = eoip_table_prepare(en);
	if (!err && !tun->v6)
		err = eoip4_hook_get(tun->net);
	if (err)
		goto err_cells;
	eoip_keepalive_init(tun);
	return 0;

err_cells:
	eoip_cells_destroy(tun);
err_ids:
	free_percpu(tun->ids);
	tun->ids = NULL;
err_tstats:
	eoip_tstats_free(dev);
	return err;
}

static void eoip_dev_uninit(struct net_device *dev)
{
	struct eoip_tunnel *tun = netdev_priv(dev);

	/* Where registering failed, the tunnel was never in the table. */
	if (!list_empty(&tun->list)) {
		list_del_init(&tun->list);
		hlist_del_rcu(&rtnl_dereference(tun->cfg)->node);
	}
	if (!tun->v6)
		eoip4_hook_put(tun->net);
}

/* After a grace period: no packet is on its way through the link. */
static void eoip_dev_free(struct net_device *dev)
{
	struct eoip_tunnel *tun = netdev_priv(dev);

	eoip_cells_destroy(tun);
	free_percpu(tun->ids);
	eoip_tstats_free(dev);
	eoip_cfg_free(rcu_dereference_raw(tun->cfg));
	RCU_INIT_POINTER(tun->cfg, NULL);
}

static int eoip_dev_open(struct net_device *dev)
{
	eoip_keepalive_start(netdev_priv(dev));
	return 0;
}

static int eoip_dev_stop(struct net_device *dev)
{
	eoip_keepalive_stop(netdev_priv(dev));
	return 0;
}

static long eoip_sum(const struct eoip_tunnel *tun, enum eoip_counter from,
		     enum eoip_counter to)
{
	long sum = 0;

	for (; from <= to; from++)
		sum += atomic_long_read(&tun->counters[from]);
	return sum;
}

static void eoip_get_stats64(struct net_device *dev,
			     struct rtnl_link_stats64 *s)
{
	const struct eoip_tunnel *tun = netdev_priv(dev);

	eoip_tstats_get(dev, s);
	s->rx_length_errors += eoip_sum(tun, EOIP_RX_BAD_LENGTHS,
					EOIP_RX_SHORT_FRAMES);
	s->rx_errors += s->rx_length_errors +
			eoip_sum(tun, EOIP_RX_NO_POLICY, EOIP_RX_NO_POLICY);
	s->rx_dropped += eoip_sum(tun, EOIP_RX_LINK_DOWN, EOIP_RX_BACKLOG);
	s->tx_carrier_errors += eoip_sum(tun, EOIP_TX_NO_ROUTE,
					 EOIP_TX_NO_ROUTE);
	s->collisions += eoip_sum(tun, EOIP_TX_LOOPS, EOIP_TX_LOOPS);
	s->tx_errors += eoip_sum(tun, EOIP_TX_SHORT_FRAMES, EOIP_TX_TOO_BIG);
	s->tx_dropped += eoip_sum(tun, EOIP_TX_NO_MEMORY,
				  EOIP_TX_UNDERLAY_DROPS);
}

static int eoip_get_iflink(const struct net_device *dev)
{
	const struct eoip_tunnel *tun = netdev_priv(dev);
	const struct eoip_cfg *cfg;
	int link = 0;

	rcu_read_lock();
	cfg = rcu_dereference(tun->cfg);
	if (cfg)
		link = cfg->link;
	rcu_read_unlock();
	return link;
}

static const struct net_device_ops eoip_netdev_ops = {
	.ndo_init = eoip_dev_init,
	.ndo_uninit = eoip_dev_uninit,
	.ndo_open = eoip_dev_open,
	.ndo_stop = eoip_dev_stop,
	.ndo_start_xmit = eoip_xmit,
	.ndo_get_stats64 = eoip_get_stats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_iflink = eoip_get_iflink,
};

static const struct device_type eoip_type = { .name = "eoip" };

static void eoip_setup_common(struct net_device *dev, bool v6)
{
	struct eoip_tunnel *tun = netdev_priv(dev);
	unsigned int max_frame;

	ether_setup(dev);
	dev->netdev_ops = &eoip_netdev_ops;
	dev->ethtool_ops = &eoip_ethtool_ops;
	dev->needs_free_netdev = true;
	dev->priv_destructor = eoip_dev_free;
	SET_NETDEV_DEVTYPE(dev, &eoip_type);

	tun->dev = dev;
	tun->v6 = v6;
	INIT_LIST_HEAD(&tun->list);

	/* The frame, VLAN tag included, and its outer headers fit 16 bits. */
	max_frame = v6 ? 0xffff - EOIP6_HLEN : 0xffff - EOIP4_OVERHEAD;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = max_frame - VLAN_ETH_HLEN;
	eoip_set_gso_max(dev, max_frame - VLAN_ETH_HLEN);

	dev->features |= EOIP_FEATURES | EOIP_GSO_FEATURES;
	dev->hw_features |= EOIP_FEATURES | EOIP_GSO_FEATURES;
	dev->vlan_features |= EOIP_FEATURES | EOIP_GSO_FEATURES;
	dev->hw_enc_features |= EOIP_FEATURES;
	/* Of an Ethernet underlay; transmit raises it where that is not enough. */
	dev->needed_headroom = HH_DATA_ALIGN(ETH_HLEN) + eoip_overhead(tun);
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE;
	netif_keep_dst(dev);
	eoip_set_lltx(dev);
	eoip_tstats_setup(dev);
}

void eoip_setup(struct net_device *dev)
{
	eoip_setup_common(dev, false);
}

void eoip6_setup(struct net_device *dev)
{
	eoip_setup_common(dev, true);
}
