// SPDX-License-Identifier: Apache-2.0
// wirecheck LINK COUNT SECONDS: captures what LINK receives until COUNT EoIP
// packets over IPv4 were seen or no packet came for SECONDS, and checks each:
// the length field against the bytes of the outer packet (also when it came in
// fragments), the inner IPv4 length against the frame, and the inner TCP or UDP
// checksum where the kernel says that it is filled in.
// Prints "WIRE packets=N fragments=N wrong_length=N wrong_inner=N wrong_sum=N
// super=N lost=N"; exit code 0 when COUNT was reached and nothing was wrong or lost.
// Independent of the module's sources.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static long packets, fragments, wrong_length, wrong_inner, wrong_sum, super;

// Length field of a datagram whose first fragment was seen, by IP ID.
static struct { int32_t want; uint32_t have; } pending[65536];

static unsigned be16(const uint8_t *p) { return p[0] << 8 | p[1]; }

static uint32_t sum(const uint8_t *p, unsigned n, uint32_t s)
{
	for (; n > 1; p += 2, n -= 2)
		s += be16(p);
	if (n)
		s += p[0] << 8;
	return s;
}

static void show(const char *what, const uint8_t *ip, unsigned n)
{
	if (wrong_length + wrong_inner + wrong_sum > 5)
		return;
	fprintf(stderr, "%s:", what);
	for (unsigned i = 0; i < n && i < 96; i++)
		fprintf(stderr, "%s%02x", i % 4 ? "" : " ", ip[i]);
	fprintf(stderr, "\n");
}

// A whole Ethernet frame out of the tunnel.
static void check_frame(const uint8_t *f, unsigned n, int summed)
{
	unsigned at = 12, type = be16(f + at), total, ihl, l4;
	uint32_t s;

	while ((type == 0x8100 || type == 0x88a8) && n >= at + 6) {
		at += 4;
		type = be16(f + at);
	}
	at += 2;
	if (type != ETH_P_IP || n < at + 20)
		return;
	total = be16(f + at + 2);
	ihl = (f[at] & 15) * 4;
	// Ethernet may pad short packets, never the other way round.
	if (total > n - at || (n > 60 && total != n - at)) {
		wrong_inner++;
		show("inner length", f, n);
		return;
	}
	l4 = f[at + 9];
	if (!summed || (be16(f + at + 6) & 0x3fff) || (l4 != 6 && l4 != 17))
		return;
	if (l4 == 17 && be16(f + at + ihl + 6) == 0)
		return;
	s = sum(f + at + 12, 8, l4 + total - ihl);
	s = sum(f + at + ihl, total - ihl, s);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	if (s != 0xffff) {
		wrong_sum++;
		show("inner checksum", f, n);
	}
}

static void check_packet(const uint8_t *ip, unsigned n, int summed)
{
	unsigned ihl = (ip[0] & 15) * 4, total = be16(ip + 2);
	unsigned frag = be16(ip + 6), id = be16(ip + 4), part;

	if (ip[9] != 47 || total > n || total < ihl)
		return;
	if (total > 9216) { // nothing this large is a packet of a wire
		super++;
		return;
	}
	part = total - ihl;
	if (frag & 0x1fff) {
		fragments++;
		if (pending[id].want < 0)
			return;
		pending[id].have += part;
		if (frag & 0x2000)
			return;
		packets++;
		if ((frag & 0x1fff) * 8 + part != 8u + pending[id].want ||
		    pending[id].have != 8u + pending[id].want) {
			wrong_length++;
			show("length of fragments", ip, total);
		}
		pending[id].want = -1;
		return;
	}
	if (part < 8 || memcmp(ip + ihl, "\x20\x01\x64\x00", 4))
		return;
	if (frag & 0x2000) {
		fragments++;
		pending[id].want = be16(ip + ihl + 4);
		pending[id].have = part;
		return;
	}
	packets++;
	if (be16(ip + ihl + 4) != part - 8) {
		wrong_length++;
		show("length", ip, total);
		return;
	}
	if (part > 8 + 14)
		check_frame(ip + ihl + 8, part - 8, summed);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll where = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), // a bridge takes the others first
	};
	static uint8_t data[1 << 17];
	struct tpacket_stats stats = { 0 };
	socklen_t size = sizeof(stats);
	int fd, one = 1, buffer = 1 << 28, timeout;
	long count;

	if (argc != 4)
		return 2;
	where.sll_ifindex = if_nametoindex(argv[1]);
	count = atol(argv[2]);
	timeout = atoi(argv[3]) * 1000;
	memset(pending, 0xff, sizeof(pending));
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where))) {
		perror("wirecheck");
		return 2;
	}
	puts("WIRE ready");
	fflush(stdout);
	while (packets < count) {
		char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct pollfd p = { fd, POLLIN, 0 };
		struct tpacket_auxdata *aux;
		ssize_t n;

		if (poll(&p, 1, timeout) == 0)
			break;
		n = recvmsg(fd, &msg, 0);
		if (n < 34 || be16(data + 12) != ETH_P_IP)
			continue;
		aux = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
		check_packet(data + 14, n - 14,
			     !(aux->tp_status & TP_STATUS_CSUMNOTREADY));
	}
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
	printf("WIRE packets=%ld fragments=%ld wrong_length=%ld wrong_inner=%ld wrong_sum=%ld super=%ld lost=%u\n",
	       packets, fragments, wrong_length, wrong_inner, wrong_sum, super,
	       stats.tp_drops);
	return packets < count || wrong_length || wrong_inner || wrong_sum || super;
}
