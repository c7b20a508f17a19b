// SPDX-License-Identifier: GPL-2.0-only
/* Module, and what it keeps per underlay netns. */

#include <linux/module.h>
#include <net/net_namespace.h>

#include "tunnel.h"

static bool outer_gro = true;
module_param(outer_gro, bool, 0444);
MODULE_PARM_DESC(outer_gro,
		 "merge received EoIP packets before they are unpacked (default on)");

unsigned int eoip_net_id __read_mostly;

static int __net_init eoip_net_init(struct net *net)
{
	INIT_LIST_HEAD(&eoip_net(net)->tunnels);
	return 0;
}

/*
 * Takes along tunnels whose link was moved elsewhere. All links are gone
 * before the routes, the hooks and the addresses of the netns go.
 */
static void __net_exit eoip_net_exit_batch(struct list_head *nets)
{
	struct eoip_tunnel *tun, *next;
	LIST_HEAD(doomed);
	struct net *net;

	rtnl_lock();
	list_for_each_entry(net, nets, exit_list)
		list_for_each_entry_safe(tun, next, &eoip_net(net)->tunnels,
					 list)
			eoip_dellink(tun->dev, &doomed);
	unregister_netdevice_many(&doomed);
	rtnl_unlock();

	list_for_each_entry(net, nets, exit_list)
		eoip_table_release(eoip_net(net));
}

static struct pernet_operations eoip_net_ops = {
	.init = eoip_net_init,
	.exit_batch = eoip_net_exit_batch,
	.id = &eoip_net_id,
	.size = sizeof(struct eoip_net),
};

static int __init eoip_init(void)
{
	int err;

	err = register_pernet_device(&eoip_net_ops);
	if (err)
		return err;
	err = eoip6_init();
	if (err)
		goto err_pernet;
	err = eoip_offload_init(&outer_gro);
	if (err)
		goto err_ipv6;
	err = eoip_rtnl_register();
	if (err)
		goto err_offload;
	return 0;

err_offload:
	eoip_offload_exit();
err_ipv6:
	eoip6_exit();
err_pernet:
	unregister_pernet_device(&eoip_net_ops);
	return err;
}

static void __exit eoip_exit(void)
{
	eoip_rtnl_unregister();
	eoip_offload_exit();
	eoip6_exit();
	unregister_pernet_device(&eoip_net_ops);
	/* Configurations that were replaced are freed by RCU callbacks. */
	rcu_barrier();
}

module_init(eoip_init);
module_exit(eoip_exit);

MODULE_DESCRIPTION("EoIP and EoIPv6 (MikroTik RouterOS) tunnels");
MODULE_LICENSE("GPL");
MODULE_VERSION(EOIP_MODULE_VERSION);
