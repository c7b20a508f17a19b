// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keepalives and the carrier. Each side sends on its own; nothing is
 * answered. RouterOS's second is 1.04 s and with traffic it skips some, so
 * the peer is given a tenth more than retries x interval.
 */

#include <linux/rtnetlink.h>

#include "tunnel.h"

/* Jiffies of silence after which the peer counts as gone, 0: never. */
static unsigned long eoip_patience(const struct eoip_cfg *cfg)
{
	unsigned long interval = cfg->keepalive_interval * HZ;

	return interval * cfg->keepalive_retries +
	       interval / 10 * cfg->keepalive_retries;
}

void eoip_heard_slow(struct eoip_tunnel *tun)
{
	WRITE_ONCE(tun->heard, true);
	netif_carrier_on(tun->dev);
}

static void eoip_keepalive_timer(struct timer_list *timer)
{
	struct eoip_tunnel *tun = container_of(timer, struct eoip_tunnel,
					       timer);
	unsigned long patience, deadline, wake;
	struct eoip_cfg *cfg;

	rcu_read_lock();
	cfg = rcu_dereference(tun->cfg);
	if (!cfg->keepalive_interval)
		goto unlock;
	if (time_after_eq(jiffies, tun->next_keepalive)) {
		tun->next_keepalive = jiffies + cfg->keepalive_interval * HZ;
		if (eoip_send_keepalive(tun, cfg))
			eoip_count(tun, EOIP_TX_KEEPALIVE_ERRORS);
		else
			eoip_count(tun, EOIP_TX_KEEPALIVES);
	}
	wake = tun->next_keepalive;
	patience = eoip_patience(cfg);
	if (patience) {
		deadline = READ_ONCE(tun->last_rx) + patience;
		if (time_after_eq(jiffies, deadline))
			netif_carrier_off(tun->dev);
		else if (time_before(deadline, wake))
			wake = deadline;
	}
	mod_timer(timer, wake);
unlock:
	rcu_read_unlock();
}

void eoip_keepalive_init(struct eoip_tunnel *tun)
{
	timer_setup(&tun->timer, eoip_keepalive_timer, 0);
}

void eoip_keepalive_start(struct eoip_tunnel *tun)
{
	eoip_timer_stop(&tun->timer);
	WRITE_ONCE(tun->heard, false);
	WRITE_ONCE(tun->last_rx, jiffies);
	netif_carrier_on(tun->dev);
	tun->next_keepalive = jiffies;
	/* A timer that has run out runs as soon as interrupts are let in. */
	mod_timer(&tun->timer, jiffies);
}

void eoip_keepalive_stop(struct eoip_tunnel *tun)
{
	eoip_timer_stop(&tun->timer);
}
