// SPDX-License-Identifier: GPL-2.0-only
/* The link kinds "eoip" and "eoipv6"; if_eoip.h is the contract. */

#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/user_namespace.h>
#include <net/addrconf.h>

#include "tunnel.h"

#define EOIP_REJECT(extack, attr, name, what) \
	NL_SET_ERR_MSG_ATTR(extack, attr, "eoip: " name ": " what)

static int eoip_validate(struct nlattr *tb[], struct nlattr *data[],
			 struct netlink_ext_ack *extack)
{
	if (!tb[IFLA_ADDRESS])
		return 0;
	if (nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "eoip: address: must be 6 bytes");
		return -EINVAL;
	}
	if (!is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS]))) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "eoip: address: must be unicast, not all zero");
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static int eoip_parse_u32(const struct nlattr *a, u32 *out)
{
	if (!a)
		return 0;
	if (nla_len(a) != sizeof(u32))
		return -EINVAL;
	*out = nla_get_u32(a);
	return 0;
}

static int eoip_parse_u8(const struct nlattr *a, u8 max, u8 *out)
{
	if (!a)
		return 0;
	if (nla_len(a) != sizeof(u8) || nla_get_u8(a) > max)
		return -EINVAL;
	*out = nla_get_u8(a);
	return 0;
}

static int eoip_parse_address(const struct nlattr *a, bool v6,
			      struct in6_addr *out)
{
	if (!a)
		return 0;
	if (nla_len(a) != (v6 ? sizeof(struct in6_addr) : sizeof(__be32)))
		return -EINVAL;
	if (v6) {
		*out = nla_get_in6_addr(a);
		return ipv6_addr_v4mapped(out) ? -EINVAL : 0;
	}
	ipv6_addr_set_v4mapped(nla_get_in_addr(a), out);
	return 0;
}

static bool eoip_is_unset(const struct in6_addr *a)
{
	return ipv6_addr_any(a) ||
	       (ipv6_addr_v4mapped(a) && !a->s6_addr32[3]);
}

static bool eoip_is_unicast(const struct in6_addr *a)
{
	if (ipv6_addr_v4mapped(a))
		return !ipv4_is_multicast(a->s6_addr32[3]) &&
		       !ipv4_is_lbcast(a->s6_addr32[3]);
	return !ipv6_addr_is_multicast(a);
}

static int eoip_parse_key(struct nlattr *data[], struct eoip_cfg *cfg,
			  struct netlink_ext_ack *extack)
{
	bool v6 = cfg->tun->v6;
	u32 link = cfg->link;

	if (eoip_parse_u32(data[IFLA_EOIP_IKEY], &cfg->id) ||
	    cfg->id > (v6 ? EOIP6_MAX_ID : EOIP4_MAX_ID)) {
		if (v6)
			EOIP_REJECT(extack, data[IFLA_EOIP_IKEY], "tunnel id",
				    "must be a u32 of 0..4095");
		else
			EOIP_REJECT(extack, data[IFLA_EOIP_IKEY], "tunnel id",
				    "must be a u32 of 0..65535");
		return -EINVAL;
	}
	if (eoip_parse_address(data[IFLA_EOIP_LOCAL], v6, &cfg->local) ||
	    !eoip_is_unicast(&cfg->local)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_LOCAL], "local",
			    "must be a unicast address of the kind's family, or zero");
		return -EINVAL;
	}
	/* Unset has one spelling for both families. */
	if (eoip_is_unset(&cfg->local))
		cfg->local = in6addr_any;
	if (eoip_parse_address(data[IFLA_EOIP_REMOTE], v6, &cfg->remote) ||
	    eoip_is_unset(&cfg->remote) || !eoip_is_unicast(&cfg->remote)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_REMOTE], "remote",
			    "must be a unicast address of the kind's family");
		return -EINVAL;
	}
	if (ipv6_addr_equal(&cfg->local, &cfg->remote)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_REMOTE], "remote",
			    "must not be the local address");
		return -EINVAL;
	}
	if (eoip_parse_u32(data[IFLA_EOIP_LINK], &link) || link > INT_MAX) {
		EOIP_REJECT(extack, data[IFLA_EOIP_LINK], "link",
			    "must be a u32 that is an ifindex, or 0");
		return -EINVAL;
	}
	cfg->link = link;
	return 0;
}

static int eoip_parse_options(struct nlattr *data[], struct eoip_cfg *cfg,
			      struct netlink_ext_ack *extack)
{
	if (eoip_parse_u8(data[IFLA_EOIP_TTL], 255, &cfg->ttl)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_TTL], "ttl",
			    "must be a u8, 0: inherit");
		return -EINVAL;
	}
	if (eoip_parse_u8(data[IFLA_EOIP_TOS], 255, &cfg->tos) ||
	    (cfg->tos != EOIP_TOS_INHERIT && (cfg->tos & INET_ECN_MASK))) {
		EOIP_REJECT(extack, data[IFLA_EOIP_TOS], "tos",
			    "must be a u8: 1 (inherit) or DSCP << 2");
		return -EINVAL;
	}
	if (eoip_parse_u32(data[IFLA_EOIP_KEEPALIVE_INTERVAL],
			   &cfg->keepalive_interval) ||
	    cfg->keepalive_interval > EOIP_MAX_KEEPALIVE_INTERVAL) {
		EOIP_REJECT(extack, data[IFLA_EOIP_KEEPALIVE_INTERVAL],
			    "keepalive interval",
			    "must be a u32 of 0 (off)..3600 seconds");
		return -EINVAL;
	}
	if (eoip_parse_u8(data[IFLA_EOIP_KEEPALIVE_RETRIES], 255,
			  &cfg->keepalive_retries)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_KEEPALIVE_RETRIES],
			    "keepalive retries",
			    "must be a u8, 0: send only");
		return -EINVAL;
	}
	if (eoip_parse_u8(data[IFLA_EOIP_DF], EOIP_DF_INHERIT, &cfg->df)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_DF], "df",
			    "must be a u8: 0 (no), 1 (set) or 2 (inherit)");
		return -EINVAL;
	}
	if (eoip_parse_u32(data[IFLA_EOIP_FWMARK], &cfg->fwmark)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_FWMARK], "fwmark",
			    "must be a u32");
		return -EINVAL;
	}
	if (eoip_parse_u8(data[IFLA_EOIP_CLAMP_TCP_MSS], 1, &cfg->clamp_mss)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_CLAMP_TCP_MSS],
			    "clamp tcp mss", "must be a u8: 0 or 1");
		return -EINVAL;
	}
	if (eoip_parse_u8(data[IFLA_EOIP_GSO], EOIP_GSO_AUTO, &cfg->gso)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_GSO], "gso",
			    "must be a u8: 0 (soft) or 1 (auto)");
		return -EINVAL;
	}
	return 0;
}

/* Nothing that was asked for is ignored in silence. */
static int eoip_check_settable(struct nlattr *data[],
			       struct netlink_ext_ack *extack)
{
	int i;

	for (i = 0; i <= IFLA_EOIP_MAX; i++) {
		if (!data[i])
			continue;
		switch (i) {
		case IFLA_EOIP_LINK:
		case IFLA_EOIP_IKEY:
		case IFLA_EOIP_LOCAL:
		case IFLA_EOIP_REMOTE:
		case IFLA_EOIP_TTL:
		case IFLA_EOIP_TOS:
		case IFLA_EOIP_KEEPALIVE_INTERVAL:
		case IFLA_EOIP_KEEPALIVE_RETRIES:
		case IFLA_EOIP_DF:
		case IFLA_EOIP_FWMARK:
		case IFLA_EOIP_CLAMP_TCP_MSS:
		case IFLA_EOIP_GSO:
			continue;
		case IFLA_EOIP_ABI:
			EOIP_REJECT(extack, data[i], "abi", "is read only");
			return -EINVAL;
		case IFLA_EOIP_LAST_HEARD_MS:
			EOIP_REJECT(extack, data[i], "last heard",
				    "is read only");
			return -EINVAL;
		case IFLA_EOIP_VERSION:
			EOIP_REJECT(extack, data[i], "version",
				    "is read only");
			return -EINVAL;
		default:
			EOIP_REJECT(extack, data[i], "attribute",
				    "is not one of this kind");
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

/*
 * The core parses attributes up to 50 only (RTNL_MAX_TYPE), and ours start at
 * 64: so the kinds have no maxtype and the attributes are collected here.
 * Lengths are checked one by one, so that each rejection has a text.
 */
static int eoip_collect(struct nlattr *tb[], struct nlattr *data[],
			struct netlink_ext_ack *extack)
{
	struct nlattr *info, *a;
	int rem;

	memset(data, 0, sizeof(*data) * (IFLA_EOIP_MAX + 1));
	if (!tb[IFLA_LINKINFO])
		return 0;
	info = nla_find_nested(tb[IFLA_LINKINFO], IFLA_INFO_DATA);
	if (!info)
		return 0;
	nla_for_each_nested(a, info, rem) {
		if (nla_type(a) > IFLA_EOIP_MAX) {
			EOIP_REJECT(extack, a, "attribute",
				    "is not one of this kind");
			return -EOPNOTSUPP;
		}
		data[nla_type(a)] = a;
	}
	return eoip_check_settable(data, extack);
}

/* Applies what is present to cfg, then checks it as a whole. */
static int eoip_parse(struct nlattr *data[], struct eoip_cfg *cfg,
		      struct netlink_ext_ack *extack)
{
	struct eoip_tunnel *tun = cfg->tun;
	int err;

	err = eoip_parse_key(data, cfg, extack);
	if (!err)
		err = eoip_parse_options(data, cfg, extack);
	if (err)
		return err;

	if (data[IFLA_EOIP_LINK] && cfg->link) {
		struct net_device *link = __dev_get_by_index(tun->net,
							     cfg->link);

		if (!link) {
			EOIP_REJECT(extack, data[IFLA_EOIP_LINK], "link",
				    "no such device in the underlay's netns");
			return -ENODEV;
		}
		if (link == tun->dev) {
			EOIP_REJECT(extack, data[IFLA_EOIP_LINK], "link",
				    "a tunnel cannot run over itself");
			return -ELOOP;
		}
	}
	if (!cfg->link && (ipv6_addr_type(&cfg->remote) & IPV6_ADDR_LINKLOCAL)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_REMOTE], "remote",
			    "a link-local address needs the link");
		return -EINVAL;
	}
	if (eoip_table_same(eoip_net(tun->net), cfg)) {
		EOIP_REJECT(extack, data[IFLA_EOIP_IKEY], "tunnel id",
			    "a tunnel with this id, remote, local and link exists");
		return -EEXIST;
	}
	return 0;
}

static int EOIP_NEWLINK(eoip_newlink)
{
	struct nlattr *attrs[IFLA_EOIP_MAX + 1];
	struct eoip_tunnel *tun = netdev_priv(dev);
	struct eoip_cfg *cfg;
	int err;

	err = eoip_collect(EOIP_NEWLINK_TB, attrs, extack);
	if (err)
		return err;
	if (!attrs[IFLA_EOIP_IKEY]) {
		NL_SET_ERR_MSG(extack, "eoip: tunnel id: is required");
		return -EINVAL;
	}
	if (!attrs[IFLA_EOIP_REMOTE]) {
		NL_SET_ERR_MSG(extack, "eoip: remote: is required");
		return -EINVAL;
	}
	tun->net = EOIP_NEWLINK_NET;
	cfg = kzalloc(sizeof(*cfg), GFP_KERNEL);
	if (!cfg)
		return -ENOMEM;
	cfg->tun = tun;
	cfg->ttl = EOIP_DEFAULT_TTL;
	cfg->tos = EOIP_TOS_INHERIT;
	cfg->keepalive_interval = 10;
	cfg->keepalive_retries = 10;
	cfg->clamp_mss = 1;
	cfg->gso = EOIP_GSO_AUTO;
	err = eoip_parse(attrs, cfg, extack);
	if (!err)
		err = dst_cache_init(&cfg->dst_cache, GFP_KERNEL);
	if (err) {
		kfree(cfg);
		return err;
	}
	rcu_assign_pointer(tun->cfg, cfg);
	if (!EOIP_NEWLINK_TB[IFLA_ADDRESS])
		eth_hw_addr_random(dev);
	err = register_netdevice(dev);
	/* The destructor may have run, depending on where it failed. */
	if (err) {
		if (rcu_dereference_raw(tun->cfg)) {
			RCU_INIT_POINTER(tun->cfg, NULL);
			eoip_cfg_free(cfg);
		}
		return err;
	}
	/*
	 * Packets find it from here on: what fails before is freed without a
	 * grace period.
	 */
	eoip_table_add(eoip_net(tun->net), cfg);
	list_add_tail(&tun->list, &eoip_net(tun->net)->tunnels);
	return 0;
}

static bool eoip_keepalive_differs(const struct eoip_cfg *a,
				   const struct eoip_cfg *b)
{
	return a->id != b->id || !ipv6_addr_equal(&a->remote, &b->remote) ||
	       a->keepalive_interval != b->keepalive_interval ||
	       a->keepalive_retries != b->keepalive_retries;
}

static int eoip_changelink(struct net_device *dev, struct nlattr *tb[],
			   struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[IFLA_EOIP_MAX + 1];
	struct eoip_tunnel *tun = netdev_priv(dev);
	struct eoip_cfg *old = rtnl_dereference(tun->cfg);
	struct eoip_cfg *cfg;
	bool restart;
	int err;

	err = eoip_collect(tb, attrs, extack);
	if (err)
		return err;
	/* A link given to a container must not steer its host's underlay. */
	if (eoip_xnet(tun) &&
	    !ns_capable(tun->net->user_ns, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(extack,
			       "eoip: no right to change the underlay's netns");
		return -EPERM;
	}
	/* The core sets it after this; half of a request must not happen. */
	if (tb[IFLA_MTU] && (nla_get_u32(tb[IFLA_MTU]) < dev->min_mtu ||
			     nla_get_u32(tb[IFLA_MTU]) > dev->max_mtu)) {
		EOIP_REJECT(extack, tb[IFLA_MTU], "mtu",
			    "is less or more than the kind's links can have");
		return -EINVAL;
	}
	cfg = kmemdup(old, sizeof(*old), GFP_KERNEL);
	if (!cfg)
		return -ENOMEM;
	err = eoip_parse(attrs, cfg, extack);
	if (!err)
		err = dst_cache_init(&cfg->dst_cache, GFP_KERNEL);
	if (err) {
		kfree(cfg);
		return err;
	}
	restart = netif_running(dev) && eoip_keepalive_differs(cfg, old);
	eoip_table_add(eoip_net(tun->net), cfg);
	rcu_assign_pointer(tun->cfg, cfg);
	hlist_del_rcu(&old->node);
	call_rcu(&old->rcu, eoip_cfg_free_rcu);
	if (restart)
		eoip_keepalive_start(tun);
	netdev_state_change(dev);
	return 0;
}

void eoip_dellink(struct net_device *dev, struct list_head *head)
{
	unregister_netdevice_queue(dev, head);
}

static size_t eoip_get_size(const struct net_device *dev)
{
	return nla_total_size(4) +		/* LINK */
	       nla_total_size(4) +		/* IKEY */
	       nla_total_size(16) +		/* LOCAL */
	       nla_total_size(16) +		/* REMOTE */
	       nla_total_size(1) +		/* TTL */
	       nla_total_size(1) +		/* TOS */
	       nla_total_size(4) +		/* KEEPALIVE_INTERVAL */
	       nla_total_size(1) +		/* KEEPALIVE_RETRIES */
	       nla_total_size(4) +		/* ABI */
	       nla_total_size(1) +		/* DF */
	       nla_total_size(4) +		/* FWMARK */
	       nla_total_size(1) +		/* CLAMP_TCP_MSS */
	       nla_total_size(1) +		/* GSO */
	       nla_total_size_64bit(8) +	/* LAST_HEARD_MS */
	       nla_total_size(sizeof(EOIP_MODULE_VERSION));
}

static int eoip_put_address(struct sk_buff *skb, int attr, bool v6,
			    const struct in6_addr *a)
{
	if (v6)
		return nla_put_in6_addr(skb, attr, a);
	return nla_put_in_addr(skb, attr, a->s6_addr32[3]);
}

static int eoip_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct eoip_tunnel *tun = netdev_priv(dev);
	u64 heard_ms = U64_MAX;
	struct eoip_cfg *cfg;
	int err = 0;

	if (READ_ONCE(tun->heard))
		heard_ms = jiffies_to_msecs(jiffies - READ_ONCE(tun->last_rx));

	rcu_read_lock();
	cfg = rcu_dereference(tun->cfg);
	if (nla_put_u32(skb, IFLA_EOIP_LINK, cfg->link) ||
	    nla_put_u32(skb, IFLA_EOIP_IKEY, cfg->id) ||
	    eoip_put_address(skb, IFLA_EOIP_LOCAL, tun->v6, &cfg->local) ||
	    eoip_put_address(skb, IFLA_EOIP_REMOTE, tun->v6, &cfg->remote) ||
	    nla_put_u8(skb, IFLA_EOIP_TTL, cfg->ttl) ||
	    nla_put_u8(skb, IFLA_EOIP_TOS, cfg->tos) ||
	    nla_put_u32(skb, IFLA_EOIP_KEEPALIVE_INTERVAL,
			cfg->keepalive_interval) ||
	    nla_put_u8(skb, IFLA_EOIP_KEEPALIVE_RETRIES,
		       cfg->keepalive_retries) ||
	    nla_put_u32(skb, IFLA_EOIP_ABI, EOIP_ABI) ||
	    nla_put_u8(skb, IFLA_EOIP_DF, cfg->df) ||
	    nla_put_u32(skb, IFLA_EOIP_FWMARK, cfg->fwmark) ||
	    nla_put_u8(skb, IFLA_EOIP_CLAMP_TCP_MSS, cfg->clamp_mss) ||
	    nla_put_u8(skb, IFLA_EOIP_GSO, cfg->gso) ||
	    nla_put_u64_64bit(skb, IFLA_EOIP_LAST_HEARD_MS, heard_ms,
			      IFLA_EOIP_PAD) ||
	    nla_put_string(skb, IFLA_EOIP_VERSION, EOIP_MODULE_VERSION))
		err = -EMSGSIZE;
	rcu_read_unlock();
	return err;
}

static struct net *eoip_get_link_net(const struct net_device *dev)
{
	const struct eoip_tunnel *tun = netdev_priv(dev);

	return tun->net;
}

#define EOIP_LINK_OPS(name, fn)				\
	{						\
		.kind = name,				\
		.priv_size = sizeof(struct eoip_tunnel),	\
		.setup = fn,				\
		.validate = eoip_validate,		\
		.newlink = eoip_newlink,		\
		.changelink = eoip_changelink,		\
		.dellink = eoip_dellink,		\
		.get_size = eoip_get_size,		\
		.fill_info = eoip_fill_info,		\
		.get_link_net = eoip_get_link_net,	\
	}

static struct rtnl_link_ops eoip_link_ops __read_mostly =
	EOIP_LINK_OPS("eoip", eoip_setup);
static struct rtnl_link_ops eoip6_link_ops __read_mostly =
	EOIP_LINK_OPS("eoipv6", eoip6_setup);

int eoip_rtnl_register(void)
{
	int err;

	err = rtnl_link_register(&eoip_link_ops);
	if (err) {
		pr_err("eoip: link kind \"eoip\" is taken by another module\n");
		/* modprobe takes EEXIST for a module that is loaded. */
		return -EBUSY;
	}
	if (!IS_ENABLED(CONFIG_IPV6))
		return 0;
	err = rtnl_link_register(&eoip6_link_ops);
	if (err) {
		pr_err("eoip: link kind \"eoipv6\" is taken by another module\n");
		rtnl_link_unregister(&eoip_link_ops);
		return -EBUSY;
	}
	return 0;
}

void eoip_rtnl_unregister(void)
{
	if (IS_ENABLED(CONFIG_IPV6))
		rtnl_link_unregister(&eoip6_link_ops);
	rtnl_link_unregister(&eoip_link_ops);
}

MODULE_ALIAS_RTNL_LINK("eoip");
MODULE_ALIAS_RTNL_LINK("eoipv6");
