// SPDX-License-Identifier: GPL-2.0-only
/* Tunnels of an underlay netns by (id, remote). */

#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>

#include "tunnel.h"

int eoip_table_prepare(struct eoip_net *en)
{
	struct eoip_table *table;

	ASSERT_RTNL();
	if (rtnl_dereference(en->table))
		return 0;
	table = kvzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	get_random_bytes(&table->seed, sizeof(table->seed));
	rcu_assign_pointer(en->table, table);
	return 0;
}

void eoip_table_release(struct eoip_net *en)
{
	struct eoip_table *table = rcu_dereference_raw(en->table);

	RCU_INIT_POINTER(en->table, NULL);
	if (table)
		kvfree_rcu(table, rcu);
}

static u32 eoip_hash(const struct eoip_table *table, u32 id,
		     const struct in6_addr *remote)
{
	u64 prefix = (u64)(__force u32)remote->s6_addr32[0] << 32 |
		     (__force u32)remote->s6_addr32[1];
	u64 host = (u64)(__force u32)remote->s6_addr32[2] << 32 |
		   (__force u32)remote->s6_addr32[3];

	/*
	 * What the table holds was configured; a peer cannot make chains long.
	 * The id goes where the host part of few addresses has ones.
	 */
	return hash_64(prefix ^ host ^ (u64)id << 32 ^ table->seed,
		       EOIP_TABLE_BITS);
}

void eoip_table_add(struct eoip_net *en, struct eoip_cfg *cfg)
{
	struct eoip_table *table = rtnl_dereference(en->table);
	u32 hash = eoip_hash(table, cfg->id, &cfg->remote);

	hlist_add_head_rcu(&cfg->node, &table->bucket[hash]);
}

struct eoip_cfg *eoip_table_same(struct eoip_net *en,
				 const struct eoip_cfg *cfg)
{
	struct eoip_table *table = rtnl_dereference(en->table);
	struct eoip_cfg *c;
	u32 hash;

	if (!table)
		return NULL;
	hash = eoip_hash(table, cfg->id, &cfg->remote);
	hlist_for_each_entry(c, &table->bucket[hash], node)
		if (c->tun != cfg->tun && c->id == cfg->id &&
		    ipv6_addr_equal(&c->remote, &cfg->remote) &&
		    ipv6_addr_equal(&c->local, &cfg->local) &&
		    c->link == cfg->link)
			return c;
	return NULL;
}

struct eoip_cfg *eoip_lookup(const struct eoip_net *en, u32 id,
			     const struct in6_addr *remote,
			     const struct in6_addr *local, int link, int slave)
{
	const struct eoip_table *table = rcu_dereference(en->table);
	struct eoip_cfg *c, *best = NULL;
	int score, best_score = -1;
	u32 hash;

	if (!table)
		return NULL;
	hash = eoip_hash(table, id, remote);
	hlist_for_each_entry_rcu(c, &table->bucket[hash], node) {
		if (c->id != id || !ipv6_addr_equal(&c->remote, remote))
			continue;
		score = 0;
		if (!ipv6_addr_any(&c->local)) {
			if (!ipv6_addr_equal(&c->local, local))
				continue;
			score += 2;
		}
		if (c->link && link) {
			if (c->link != link && c->link != slave)
				continue;
			score += 1;
		}
		if (score > best_score) {
			best = c;
			best_score = score;
		}
	}
	return best;
}

bool eoip_is_known(const struct eoip_net *en, u32 id,
		   const struct in6_addr *remote)
{
	const struct eoip_table *table = rcu_dereference(en->table);
	const struct eoip_cfg *c;
	u32 hash;

	if (!table)
		return false;
	hash = eoip_hash(table, id, remote);
	hlist_for_each_entry_rcu(c, &table->bucket[hash], node)
		if (c->id == id && ipv6_addr_equal(&c->remote, remote))
			return true;
	return false;
}
