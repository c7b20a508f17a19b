// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of received frames into the stack.
 *
 * The direct way is a function call. The way through a cell, a queue per CPU
 * with a poll of its own, merges TCP segments first, which pays for what the
 * softirq round costs. What cannot be merged takes the direct way, but only
 * while the cell is idle: a flow stays in order.
 */

#include <linux/slab.h>

#include "tunnel.h"

/* Packets waiting on one CPU; more are dropped. */
#define EOIP_CELL_BACKLOG 1000

struct eoip_cell {
	struct sk_buff_head queue;
	struct napi_struct napi;
	/* Super-packets arrive, so a single segment has none to merge with. */
	bool whole;
};

struct eoip_cells {
	struct rcu_head rcu;
	struct eoip_cell __percpu *cpu;
};

static DEFINE_PER_CPU(unsigned int, eoip_rx_nesting);

/*
 * Ends with all delivered that it took. A packet whose data is shared, as
 * local senders do with theirs, must not be merged.
 */
static int eoip_cell_poll(struct napi_struct *napi, int budget)
{
	struct eoip_cell *cell = container_of(napi, struct eoip_cell, napi);
	struct sk_buff *skb;
	int done = 0;

	while ((skb = skb_peek(&cell->queue)) && !skb_cloned(skb)) {
		if (done == budget)
			return done;
		__skb_unlink(skb, &cell->queue);
		napi_gro_receive(napi, skb);
		done++;
	}
	if (done == budget)
		return done;
	napi_complete(napi);
	while ((skb = skb_peek(&cell->queue)) && skb_cloned(skb)) {
		__skb_unlink(skb, &cell->queue);
		netif_receive_skb(skb);
	}
	if (skb)
		napi_schedule(napi);
	return done;
}

int eoip_cells_init(struct eoip_tunnel *tun)
{
	struct eoip_cells *cells;
	int cpu;

	cells = kzalloc(sizeof(*cells), GFP_KERNEL);
	if (!cells)
		return -ENOMEM;
	cells->cpu = alloc_percpu(struct eoip_cell);
	if (!cells->cpu) {
		kfree(cells);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		struct eoip_cell *cell = per_cpu_ptr(cells->cpu, cpu);

		__skb_queue_head_init(&cell->queue);
		set_bit(NAPI_STATE_NO_BUSY_POLL, &cell->napi.state);
		eoip_napi_add(tun->dev, &cell->napi, eoip_cell_poll);
		napi_enable(&cell->napi);
	}
	tun->cells = cells;
	return 0;
}

static void eoip_cells_free_rcu(struct rcu_head *head)
{
	struct eoip_cells *cells = container_of(head, struct eoip_cells, rcu);

	free_percpu(cells->cpu);
	kfree(cells);
}

void eoip_cells_destroy(struct eoip_tunnel *tun)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct eoip_cell *cell = per_cpu_ptr(tun->cells->cpu, cpu);

		napi_disable(&cell->napi);
		__netif_napi_del(&cell->napi);
		__skb_queue_purge(&cell->queue);
	}
	/* Netpoll may still walk the list of the device's polls. */
	call_rcu(&tun->cells->rcu, eoip_cells_free_rcu);
	tun->cells = NULL;
}

static void eoip_deliver_direct(struct sk_buff *skb)
{
	__this_cpu_inc(eoip_rx_nesting);
	netif_receive_skb(skb);
	__this_cpu_dec(eoip_rx_nesting);
}

void eoip_deliver(struct eoip_tunnel *tun, struct sk_buff *skb,
		  enum eoip_merge merge)
{
	bool nested = __this_cpu_read(eoip_rx_nesting);
	struct eoip_cell *cell;

	if (merge == EOIP_MERGE_NEVER) {
		/* Tunnels in tunnels: the stack is finite. */
		if (unlikely(nested))
			netif_rx(skb);
		else
			eoip_deliver_direct(skb);
		return;
	}
	cell = this_cpu_ptr(tun->cells->cpu);
	if (!test_bit(NAPI_STATE_SCHED, &cell->napi.state) && !nested) {
		bool alone = merge == EOIP_MERGE_LAST || cell->whole;

		cell->whole = skb_is_gso(skb);
		if (alone) {
			eoip_deliver_direct(skb);
			return;
		}
	}
	if (unlikely(skb_queue_len(&cell->queue) >= EOIP_CELL_BACKLOG)) {
		eoip_count(tun, EOIP_RX_BACKLOG);
		eoip_free_skb(skb, CPU_BACKLOG);
		return;
	}
	__skb_queue_tail(&cell->queue, skb);
	if (skb_queue_len(&cell->queue) == 1)
		napi_schedule(&cell->napi);
}
