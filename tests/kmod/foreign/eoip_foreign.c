// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link kinds "eoip" and "eoipv6" without the attributes of the bundled
 * module. Links can be made; what they are given to send is dropped.
 * With kinds=0 it has none of them. With cuts=0 it takes the place of the GRE
 * offload and cuts no super-packet, as a kernel that the bundled module does
 * not know might.
 */

#include <linux/etherdevice.h>
#include <linux/module.h>
#include <net/protocol.h>
#include <net/rtnetlink.h>

static bool talks;
module_param(talks, bool, 0444);
MODULE_PARM_DESC(talks, "says in words why an address is refused (default off)");

static bool kinds = true;
module_param(kinds, bool, 0444);
MODULE_PARM_DESC(kinds, "provides the link kinds (default on)");

static bool cuts = true;
module_param(cuts, bool, 0444);
MODULE_PARM_DESC(cuts, "leaves the GRE offload alone (default on)");

#define FOREIGN_IKEY 4
#define FOREIGN_MAX 33

struct foreign {
	u32 id;
};

static netdev_tx_t foreign_xmit(struct sk_buff *skb, struct net_device *dev)
{
	kfree_skb(skb);
	dev->stats.tx_dropped++;
	return NETDEV_TX_OK;
}

static const struct net_device_ops foreign_netdev_ops = {
	.ndo_start_xmit = foreign_xmit,
};

static void foreign_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &foreign_netdev_ops;
	dev->needs_free_netdev = true;
}

static int foreign_validate(struct nlattr *tb[], struct nlattr *data[],
			    struct netlink_ext_ack *extack)
{
	if (tb[IFLA_ADDRESS] &&
	    !is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS]))) {
		if (talks)
			NL_SET_ERR_MSG(extack, "not an address of a host");
		return -EADDRNOTAVAIL;
	}
	if (data && data[FOREIGN_IKEY] && nla_len(data[FOREIGN_IKEY]) < 4)
		return -EINVAL;
	return 0;
}

static size_t foreign_get_size(const struct net_device *dev)
{
	return nla_total_size(4);
}

static int foreign_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct foreign *priv = netdev_priv(dev);

	return nla_put_u32(skb, FOREIGN_IKEY, priv->id);
}

#define FOREIGN_OPS(name)				\
	{						\
		.kind = name,				\
		.priv_size = sizeof(struct foreign),	\
		.maxtype = FOREIGN_MAX,			\
		.setup = foreign_setup,			\
		.validate = foreign_validate,		\
		.get_size = foreign_get_size,		\
		.fill_info = foreign_fill_info,		\
	}

static struct rtnl_link_ops foreign_ops = FOREIGN_OPS("eoip");
static struct rtnl_link_ops foreign6_ops = FOREIGN_OPS("eoipv6");

static const struct net_offload *gre_offload;
static struct net_offload foreign_offload;

static const struct net_offload **gre_slot(void)
{
	return (const struct net_offload **)&inet_offloads[IPPROTO_GRE];
}

static struct sk_buff *foreign_gso_segment(struct sk_buff *skb,
					   netdev_features_t features)
{
	return ERR_PTR(-EINVAL);
}

static int __init foreign_init(void)
{
	int err;

	if (!cuts) {
		gre_offload = READ_ONCE(*gre_slot());
		foreign_offload = *gre_offload;
		foreign_offload.callbacks.gso_segment = foreign_gso_segment;
		WRITE_ONCE(*gre_slot(), &foreign_offload);
	}
	if (!kinds)
		return 0;
	err = rtnl_link_register(&foreign_ops);
	if (err)
		return err;
	err = rtnl_link_register(&foreign6_ops);
	if (err)
		rtnl_link_unregister(&foreign_ops);
	return err;
}

static void __exit foreign_exit(void)
{
	if (!cuts) {
		WRITE_ONCE(*gre_slot(), gre_offload);
		synchronize_net();
	}
	if (kinds) {
		rtnl_link_unregister(&foreign6_ops);
		rtnl_link_unregister(&foreign_ops);
	}
}

module_init(foreign_init);
module_exit(foreign_exit);

MODULE_DESCRIPTION("stand-in for a foreign module of the kinds eoip and eoipv6");
MODULE_LICENSE("GPL");
