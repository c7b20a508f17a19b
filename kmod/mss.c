// SPDX-License-Identifier: GPL-2.0-only
/* clamp-tcp-mss: the MSS of received SYNs, as RouterOS does it. */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/tcp.h>

#include "tunnel.h"

/*
 * Largest IP packet in a frame with tag_len bytes of tags that the tunnel
 * carries without outer fragments.
 */
static unsigned int eoip_inner_mtu(struct eoip_cfg *cfg, int tag_len)
{
	struct eoip_tunnel *tun = cfg->tun;
	unsigned int mtu = READ_ONCE(tun->dev->mtu), taken, path_mtu;
	struct eoip_path path;

	if (eoip_route(tun, cfg, 0, &path))
		return mtu;
	path_mtu = dst_mtu(path.dst);
	dst_release(path.dst);
	taken = eoip_overhead(tun) + ETH_HLEN + tag_len;
	return path_mtu > taken ? min(mtu, path_mtu - taken) : mtu;
}

/* Offset of the MSS option's value in the TCP header, or negative. */
static int eoip_find_mss(const u8 *tcp, int len)
{
	int i = sizeof(struct tcphdr);

	while (i < len) {
		if (tcp[i] == TCPOPT_EOL)
			break;
		if (tcp[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || tcp[i + 1] < 2 || i + tcp[i + 1] > len)
			break;
		if (tcp[i] == TCPOPT_MSS)
			return tcp[i + 1] == TCPOLEN_MSS ? i + 2 : -EINVAL;
		i += tcp[i + 1];
	}
	return -ENOENT;
}

void eoip_clamp_mss(struct eoip_cfg *cfg, struct sk_buff *skb, int nhoff,
		    int thoff, bool v6)
{
	unsigned int headers, mtu, old, max;
	struct tcphdr buf, *th;
	int off, len;
	u8 *mss;

	th = skb_header_pointer(skb, thoff, sizeof(buf), &buf);
	if (!th || likely(!th->syn))
		return;
	len = th->doff * 4;
	if (len < (int)sizeof(*th) || skb_ensure_writable(skb, thoff + len))
		return;
	th = (struct tcphdr *)(skb->data + thoff);
	off = eoip_find_mss((u8 *)th, len);
	if (off < 0)
		return;

	headers = sizeof(*th) + (v6 ? sizeof(struct ipv6hdr) :
				      sizeof(struct iphdr));
	mtu = eoip_inner_mtu(cfg, nhoff);
	if (mtu <= headers)
		return;
	max = mtu - headers;
	mss = (u8 *)th + off;
	old = mss[0] << 8 | mss[1];
	if (old <= max)
		return;
	/* The option may sit at an odd offset, where its bytes change places. */
	mss[0] = max >> 8;
	mss[1] = max;
	if (off & 1) {
		old = swab16(old);
		max = swab16(max);
	}
	inet_proto_csum_replace2(&th->check, skb, htons(old), htons(max),
				 false);
	eoip_count(cfg->tun, EOIP_RX_MSS_CLAMPED);
}
