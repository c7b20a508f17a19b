// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether outer GRO works on this kernel, tried once when it is put in place:
 * two packets that no network has seen are merged on a device of their own,
 * and what comes out, cut again, must be the same two packets.
 */

#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "tunnel.h"

#define EOIP_TEST_PACKETS 2
#define EOIP_TEST_ID 0x6465
/* Payload of the first segment; the last is shorter. */
#define EOIP_TEST_MSS 256
#define EOIP_TEST_LAST 99

struct eoip_test_packet {
	struct ethhdr outer_eth;
	struct iphdr outer;
	u8 wire[EOIP4_HLEN];
	struct ethhdr eth;
	struct iphdr iph;
	struct tcphdr tcph;
	u8 payload[EOIP_TEST_MSS];
} __packed;

struct eoip_test {
	struct napi_struct napi;
	struct sk_buff_head got;
	struct eoip_test_packet packet[EOIP_TEST_PACKETS];
};

static struct net_device *eoip_test_dev;

bool eoip_is_selftest(const struct sk_buff *skb)
{
	return unlikely(skb->dev == READ_ONCE(eoip_test_dev));
}

static unsigned int eoip_test_payload(int n)
{
	return n < EOIP_TEST_PACKETS - 1 ? EOIP_TEST_MSS : EOIP_TEST_LAST;
}

static unsigned int eoip_test_len(int n)
{
	return offsetof(struct eoip_test_packet, payload) +
	       eoip_test_payload(n);
}

static void eoip_test_ip(struct iphdr *iph, u8 protocol, int n,
			 unsigned int len)
{
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->ttl = 64;
	iph->protocol = protocol;
	iph->id = htons(1000 + n);
	iph->tot_len = htons(len);
	/* TEST-NET-1 */
	iph->saddr = htonl(0xc0000201);
	iph->daddr = htonl(0xc0000202);
	ip_send_check(iph);
}

static void eoip_test_make(struct eoip_test_packet *p, int n)
{
	unsigned int size = eoip_test_payload(n);
	unsigned int tcp_len = sizeof(p->tcph) + size;
	unsigned int ip_len = sizeof(p->iph) + tcp_len;
	struct tcphdr *th = &p->tcph;

	p->outer_eth.h_proto = htons(ETH_P_IP);
	eoip_test_ip(&p->outer, IPPROTO_GRE, n,
		     EOIP4_OVERHEAD + ETH_HLEN + ip_len);
	eoip4_build(p->wire, EOIP_TEST_ID, ETH_HLEN + ip_len);
	p->eth.h_proto = htons(ETH_P_IP);
	eoip_test_ip(&p->iph, IPPROTO_TCP, n, ip_len);
	memset(p->payload, 'a' + n, size);
	th->source = htons(1);
	th->dest = htons(2);
	th->seq = htonl(1 + n * EOIP_TEST_MSS);
	th->ack_seq = htonl(1);
	th->doff = sizeof(*th) / 4;
	th->ack = 1;
	th->window = htons(1024);
	th->check = tcp_v4_check(tcp_len, p->iph.saddr, p->iph.daddr,
				 csum_partial(th, tcp_len, 0));
}

static rx_handler_result_t eoip_test_rx(struct sk_buff **pskb)
{
	struct eoip_test *test = netdev_priv((*pskb)->dev);

	__skb_queue_tail(&test->got, *pskb);
	return RX_HANDLER_CONSUMED;
}

static int eoip_test_poll(struct napi_struct *napi, int budget)
{
	return 0;
}

static int eoip_test_merge(struct net_device *dev, struct eoip_test *test)
{
	struct sk_buff *skb;
	int n, err = 0;

	local_bh_disable();
	/* As a driver's poll does; nobody else schedules this one. */
	napi_schedule_prep(&test->napi);
	for (n = 0; n < EOIP_TEST_PACKETS; n++) {
		skb = netdev_alloc_skb_ip_align(dev, sizeof(test->packet[n]));
		if (!skb) {
			err = -ENOMEM;
			break;
		}
		skb_put_data(skb, &test->packet[n], eoip_test_len(n));
		skb->protocol = eth_type_trans(skb, dev);
		napi_gro_receive(&test->napi, skb);
	}
	napi_complete_done(&test->napi, EOIP_TEST_PACKETS);
	local_bh_enable();
	return err;
}

/* The same packets come out of the merged one. */
static const char *eoip_test_cut(struct eoip_test *test, struct sk_buff *skb)
{
	const char *why = NULL;
	struct sk_buff *segs, *next;
	int n = 0;

	__skb_push(skb, ETH_HLEN);
	segs = __skb_gso_segment(skb, 0, false);
	if (IS_ERR_OR_NULL(segs))
		return "the merged packet could not be cut";
	for (; segs; segs = next, n++) {
		next = segs->next;
		if (n >= EOIP_TEST_PACKETS || segs->len != eoip_test_len(n) ||
		    skb_linearize(segs) ||
		    memcmp(segs->data, &test->packet[n], segs->len))
			why = "the merged packet was cut into others";
		kfree_skb(segs);
	}
	return n == EOIP_TEST_PACKETS ? why : "a packet was lost in cutting";
}

static const char *eoip_test_run(struct net_device *dev, struct eoip_test *test)
{
	const char *why = "no memory";
	struct sk_buff *skb;
	int n;

	for (n = 0; n < EOIP_TEST_PACKETS; n++)
		eoip_test_make(&test->packet[n], n);
	if (eoip_test_merge(dev, test))
		goto purge;
	skb = skb_peek(&test->got);
	if (!skb || skb_queue_len(&test->got) != 1)
		why = "two packets were not merged into one";
	else if (skb_shinfo(skb)->gso_size != EOIP_TEST_MSS ||
		 skb_shinfo(skb)->gso_segs != EOIP_TEST_PACKETS ||
		 !eoip_rx_gso_is_ours(skb) || !skb->encapsulation)
		why = "two packets were merged wrongly";
	else
		why = eoip_test_cut(test, skb);
purge:
	__skb_queue_purge(&test->got);
	return why;
}

const char *eoip_selftest(void)
{
	struct net_device *dev;
	struct eoip_test *test;
	const char *why;

	dev = alloc_netdev(sizeof(*test), "eoip-selftest", NET_NAME_UNKNOWN,
			   ether_setup);
	if (!dev)
		return "no memory";
	dev->features |= NETIF_F_GRO;
	test = netdev_priv(dev);
	__skb_queue_head_init(&test->got);

	rtnl_lock();
	if (netdev_rx_handler_register(dev, eoip_test_rx, NULL)) {
		rtnl_unlock();
		free_netdev(dev);
		return "no place to receive at";
	}
	rtnl_unlock();
	eoip_napi_add(dev, &test->napi, eoip_test_poll);
	napi_enable(&test->napi);
	WRITE_ONCE(eoip_test_dev, dev);

	why = eoip_test_run(dev, test);

	WRITE_ONCE(eoip_test_dev, NULL);
	napi_disable(&test->napi);
	netif_napi_del(&test->napi);
	rtnl_lock();
	netdev_rx_handler_unregister(dev);
	rtnl_unlock();
	free_netdev(dev);
	return why;
}
