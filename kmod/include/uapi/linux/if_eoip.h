/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0 */
/*
 * rtnetlink contract of the link kinds "eoip" (EoIP over IPv4) and "eoipv6"
 * (EoIPv6), in IFLA_LINKINFO / IFLA_INFO_DATA.
 *
 * Ids 1..33 mean what they mean to tools written for the widely installed
 * module by bbonev; ours start at 64. An attribute that is absent in
 * RTM_NEWLINK takes its default on create and keeps its value on change. All
 * that is not read only may be changed; a change that is refused (-EINVAL,
 * -EEXIST, -ENODEV, -ELOOP, -EPERM, with a text that names the attribute)
 * changes nothing.
 */
#ifndef _UAPI_LINUX_IF_EOIP_H
#define _UAPI_LINUX_IF_EOIP_H

/* Value of IFLA_EOIP_ABI; raised when a reader must know of a change. */
#define EOIP_ABI 1

enum {
	IFLA_EOIP_UNSPEC = 0,
	/* u32: ifindex of the underlay link or VRF, 0: any (default 0). */
	IFLA_EOIP_LINK = 1,
	/* u32, host order: tunnel id, eoip 0..65535, eoipv6 0..4095.
	 * Required on create; may be changed.
	 */
	IFLA_EOIP_IKEY = 4,
	/* 4 or 16 bytes: own address; zero (default): the route decides on
	 * transmit, any own address is accepted on receive.
	 */
	IFLA_EOIP_LOCAL = 6,
	/* 4 or 16 bytes: peer, unicast. Required on create. */
	IFLA_EOIP_REMOTE = 7,
	/* u8: outer TTL or hop limit, 0: copied from the frame's IP header
	 * (255 where it has none) (default 255).
	 */
	IFLA_EOIP_TTL = 8,
	/* u8: outer ToS or traffic class, DSCP << 2; 1: DSCP copied from the
	 * frame's IP header (default 1). The ECN bits follow RFC 6040.
	 */
	IFLA_EOIP_TOS = 9,
	/* u32: seconds between keepalives, 0: off (default 10). */
	IFLA_EOIP_KEEPALIVE_INTERVAL = 32,
	/* u8: intervals of silence (times 1.1) after which the carrier goes,
	 * 0: send only, the carrier stays (default 10).
	 */
	IFLA_EOIP_KEEPALIVE_RETRIES = 33,

	/* u32, read only: EOIP_ABI. Absent: not this module. */
	IFLA_EOIP_ABI = 64,
	/* u8: DF of the outer IPv4 header, see EOIP_DF_* (default NO). For
	 * eoipv6: NO lets the sender fragment, SET forbids it.
	 */
	IFLA_EOIP_DF = 65,
	/* u32: mark of the outer packet for routing (default 0). */
	IFLA_EOIP_FWMARK = 66,
	/* u8: 1: lower the MSS of received TCP SYNs to the link's MTU less
	 * headers, 0: leave it (default 1).
	 */
	IFLA_EOIP_CLAMP_TCP_MSS = 67,
	/* u8: see EOIP_GSO_* (default AUTO). */
	IFLA_EOIP_GSO = 68,
	/* u64, read only: milliseconds since a valid packet of the peer,
	 * all ones: none yet.
	 */
	IFLA_EOIP_LAST_HEARD_MS = 69,
	/* string, read only: version of the module. */
	IFLA_EOIP_VERSION = 70,
	IFLA_EOIP_PAD = 71,
	__IFLA_EOIP_MAX
};

#define IFLA_EOIP_MAX (__IFLA_EOIP_MAX - 1)

enum {
	EOIP_DF_NO = 0,		/* 0; the outer packet is fragmented */
	EOIP_DF_SET = 1,	/* 1 */
	EOIP_DF_INHERIT = 2,	/* copied from the frame's IPv4 header */
};

enum {
	EOIP_GSO_SOFT = 0,	/* segment before the outer header is added */
	EOIP_GSO_AUTO = 1,	/* super-packets stay whole where it is safe */
};

#endif
