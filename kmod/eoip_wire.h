/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The EoIP and EoIPv6 encapsulations, as MikroTik RouterOS puts them on the
 * wire. Shared by the kernel module (C) and user space (C++) and fuzzed in
 * user space, so it uses no kernel or libc type and touches no memory but the
 * bytes it is given.
 *
 * EoIP, IP protocol 47, after the IPv4 header:
 *
 *   0  20 01   GRE key bit, version 1
 *   2  64 00   protocol type
 *   4  LL LL   length of the Ethernet frame, big endian, no FCS; 0: keepalive
 *   6  tt TT   tunnel id, little endian, 0..65535
 *   8  Ethernet frame
 *
 * EoIPv6, IPv6 next header 97 (EtherIP with the nibbles of byte 0 swapped):
 *
 *   0  high nibble: bits 11..8 of the tunnel id, low nibble: 3
 *   1  bits 7..0 of the tunnel id, 0..4095
 *   2  Ethernet frame; none: keepalive
 *
 * Source: packets captured from RouterOS 7.18.2; the RouterOS manual.
 */
#ifndef EOIP_WIRE_H
#define EOIP_WIRE_H

#define EOIP4_IPPROTO 47
#define EOIP6_IPPROTO 97
#define EOIP4_HLEN 8
#define EOIP6_HLEN 2
#define EOIP4_MAX_ID 65535u
#define EOIP6_MAX_ID 4095u
/* Shortest frame that is ever sent or delivered: the Ethernet header. */
#define EOIP_MIN_FRAME 14
/* Bytes 0..3 of an EoIP header. */
#define EOIP4_MAGIC0 0x20
#define EOIP4_MAGIC1 0x01
#define EOIP4_MAGIC2 0x64
#define EOIP4_MAGIC3 0x00
/* Low nibble of byte 0 of an EoIPv6 header. */
#define EOIP6_MAGIC 0x3

/* What a received packet is, by the receive rule. */
enum eoip_verdict {
	/* A frame to deliver: frame_len bytes behind the header. */
	EOIP_RX_FRAME,
	/* A keepalive: a sign of life, nothing to deliver. */
	EOIP_RX_KEEPALIVE,
	/* Not this encapsulation: leave it to others (id is not set). */
	EOIP_RX_FOREIGN,
	/* Fewer bytes than the header (id is not set). */
	EOIP_RX_TRUNCATED,
	/* The length field promises more than is present. Drop and count. */
	EOIP_RX_BAD_LENGTH,
	/* 0 < frame length < 14. Drop and count. */
	EOIP_RX_SHORT_FRAME,
};

struct eoip_rx {
	unsigned int id;
	/* Bytes of the frame to deliver; what is behind them is trimmed. */
	unsigned int frame_len;
};

/* The length field of an EoIP header. */
static inline void eoip4_set_frame_len(unsigned char *out,
				       unsigned int frame_len)
{
	out[4] = (unsigned char)(frame_len >> 8);
	out[5] = (unsigned char)frame_len;
}

/* Writes the 8 bytes of an EoIP header; frame_len 0 makes a keepalive. */
static inline void eoip4_build(unsigned char *out, unsigned int id,
			       unsigned int frame_len)
{
	out[0] = EOIP4_MAGIC0;
	out[1] = EOIP4_MAGIC1;
	out[2] = EOIP4_MAGIC2;
	out[3] = EOIP4_MAGIC3;
	eoip4_set_frame_len(out, frame_len);
	out[6] = (unsigned char)(id & 0xff);
	out[7] = (unsigned char)(id >> 8);
}

/* Writes the 2 bytes of an EoIPv6 header; alone they are a keepalive. */
static inline void eoip6_build(unsigned char *out, unsigned int id)
{
	out[0] = (unsigned char)((id >> 8 & 0xf) << 4 | EOIP6_MAGIC);
	out[1] = (unsigned char)id;
}

/*
 * The receive rule on an EoIP header and the count of bytes present from the
 * header on (the IPv4 payload). p needs to be readable for
 * min(present, EOIP4_HLEN) bytes only. rx is set unless the verdict is
 * EOIP_RX_FOREIGN or EOIP_RX_TRUNCATED.
 */
static inline enum eoip_verdict eoip4_parse(const unsigned char *p,
					    unsigned long present,
					    struct eoip_rx *rx)
{
	if (present < EOIP4_HLEN)
		return EOIP_RX_TRUNCATED;
	if (p[0] != EOIP4_MAGIC0 || p[1] != EOIP4_MAGIC1 ||
	    p[2] != EOIP4_MAGIC2 || p[3] != EOIP4_MAGIC3)
		return EOIP_RX_FOREIGN;
	rx->id = (unsigned int)p[6] | (unsigned int)p[7] << 8;
	rx->frame_len = (unsigned int)p[4] << 8 | (unsigned int)p[5];
	if (rx->frame_len == 0)
		return EOIP_RX_KEEPALIVE;
	if (rx->frame_len > present - EOIP4_HLEN)
		return EOIP_RX_BAD_LENGTH;
	if (rx->frame_len < EOIP_MIN_FRAME)
		return EOIP_RX_SHORT_FRAME;
	return EOIP_RX_FRAME;
}

/* The same for EoIPv6; present is the IPv6 payload behind all extensions. */
static inline enum eoip_verdict eoip6_parse(const unsigned char *p,
					    unsigned long present,
					    struct eoip_rx *rx)
{
	if (present < EOIP6_HLEN)
		return EOIP_RX_TRUNCATED;
	if ((p[0] & 0xf) != EOIP6_MAGIC)
		return EOIP_RX_FOREIGN;
	rx->id = (unsigned int)(p[0] >> 4) << 8 | (unsigned int)p[1];
	rx->frame_len = (unsigned int)(present - EOIP6_HLEN);
	if (rx->frame_len == 0)
		return EOIP_RX_KEEPALIVE;
	if (rx->frame_len < EOIP_MIN_FRAME)
		return EOIP_RX_SHORT_FRAME;
	return EOIP_RX_FRAME;
}

#endif
