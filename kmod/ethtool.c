// SPDX-License-Identifier: GPL-2.0-only
/* ethtool -i and -S. The names are stable; README.md says what they mean. */

#include <linux/ethtool.h>

#include "tunnel.h"

static const char eoip_counter_names[EOIP_COUNTERS][ETH_GSTRING_LEN] = {
	[EOIP_RX_KEEPALIVES] = "rx_keepalives",
	[EOIP_RX_BAD_LENGTHS] = "rx_bad_lengths",
	[EOIP_RX_SHORT_FRAMES] = "rx_short_frames",
	[EOIP_RX_NO_POLICY] = "rx_ipsec_policy",
	[EOIP_RX_LINK_DOWN] = "rx_link_down",
	[EOIP_RX_NO_MEMORY] = "rx_no_memory",
	[EOIP_RX_BACKLOG] = "rx_backlog",
	[EOIP_RX_MSS_CLAMPED] = "rx_mss_clamped",
	[EOIP_RX_ICMP_ERRORS] = "rx_icmp_errors",
	[EOIP_TX_KEEPALIVES] = "tx_keepalives",
	[EOIP_TX_KEEPALIVE_ERRORS] = "tx_keepalive_errors",
	[EOIP_TX_SHORT_FRAMES] = "tx_short_frames",
	[EOIP_TX_NO_ROUTE] = "tx_no_route",
	[EOIP_TX_LOOPS] = "tx_loops",
	[EOIP_TX_TOO_BIG] = "tx_too_big",
	[EOIP_TX_NO_MEMORY] = "tx_no_memory",
	[EOIP_TX_UNDERLAY_DROPS] = "tx_underlay_drops",
	[EOIP_TX_GSO_SOFT] = "tx_gso_soft",
};

static void eoip_get_drvinfo(struct net_device *dev,
			     struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "eoip", sizeof(info->driver));
	strscpy(info->version, EOIP_MODULE_VERSION, sizeof(info->version));
}

static int eoip_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? EOIP_COUNTERS : -EOPNOTSUPP;
}

static void eoip_get_strings(struct net_device *dev, u32 sset, u8 *out)
{
	if (sset == ETH_SS_STATS)
		memcpy(out, eoip_counter_names, sizeof(eoip_counter_names));
}

static void eoip_get_counters(struct net_device *dev,
			      struct ethtool_stats *stats, u64 *out)
{
	const struct eoip_tunnel *tun = netdev_priv(dev);
	int i;

	for (i = 0; i < EOIP_COUNTERS; i++)
		out[i] = atomic_long_read(&tun->counters[i]);
}

const struct ethtool_ops eoip_ethtool_ops = {
	.get_drvinfo = eoip_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = eoip_get_sset_count,
	.get_strings = eoip_get_strings,
	.get_ethtool_stats = eoip_get_counters,
};
