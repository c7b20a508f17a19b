// SPDX-License-Identifier: Apache-2.0
// malform LINK DST-MAC SRC-MAC DST SRC ID COUNT SEED: sends COUNT malformed
// packets of the EoIP (or, with IPv6 addresses, EoIPv6) tunnel ID out of LINK.
// Prints "MALFORM long=N short=N unmatched=N": packets whose length field is more
// than is there, packets whose frame is shorter than 14 bytes, and packets that
// belong to no tunnel (magic, id, source, truncated header, random bytes).
// The random numbers come from SEED alone. Independent of the module's sources.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % below;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void read_mac(const char *text, uint8_t *mac)
{
	unsigned v[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", v, v + 1, v + 2, v + 3, v + 4, v + 5) != 6)
		exit(2);
	for (int i = 0; i < 6; i++)
		mac[i] = v[i];
}

static long n_long, n_short, n_unmatched;

// Bytes after the outer header: EoIP. Returns their number; *other set when the
// source must be another host's.
static unsigned eoip(uint8_t *p, unsigned id, int *other)
{
	unsigned present = 14 + rnd(1200);

	memcpy(p, "\x20\x01\x64\x00", 4);
	p[6] = id;
	p[7] = id >> 8;
	put16(p + 4, present);
	switch (rnd(8)) {
	case 0:
	case 1:
		n_long++;
		put16(p + 4, present + 1 + rnd(65535 - present));
		return 8 + present;
	case 2:
		n_short++;
		put16(p + 4, 1 + rnd(13));
		return 8 + present;
	case 3:
		n_short++;
		present = 1 + rnd(13);
		put16(p + 4, present);
		return 8 + present;
	case 4: // the field says more than the few bytes there are
		n_long++;
		present = rnd(13);
		put16(p + 4, present + 1 + rnd(1000));
		return 8 + present;
	case 5:
		n_unmatched++;
		p[rnd(4)] ^= 1 + rnd(255);
		return 8 + present;
	case 6:
		n_unmatched++;
		if (rnd(2)) {
			put16(p + 6, (id & 255) << 8 | id >> 8);
			p[6] ^= 1 + rnd(255);
		} else {
			*other = 1;
		}
		return 8 + present;
	default:
		n_unmatched++;
		return rnd(8);
	}
}

static unsigned eoipv6(uint8_t *p, unsigned id, int *other)
{
	unsigned present = 14 + rnd(1200);

	p[0] = (id >> 8) << 4 | 3;
	p[1] = id;
	switch (rnd(6)) {
	case 0:
	case 1:
	case 2:
		n_short++;
		return 2 + 1 + rnd(13);
	case 3:
		n_unmatched++;
		p[0] ^= 1 + rnd(15);
		return 2 + present;
	case 4:
		n_unmatched++;
		if (rnd(2))
			p[1] ^= 1 + rnd(255);
		else
			*other = 1;
		return 2 + present;
	default:
		n_unmatched++;
		return rnd(2);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET };
	static uint8_t f[2048];
	uint8_t dst[16], src[16];
	int fd, v6, other;
	unsigned n, id, addr;
	long count;

	if (argc != 9)
		return 2;
	where.sll_ifindex = if_nametoindex(argv[1]);
	read_mac(argv[2], f);
	read_mac(argv[3], f + 6);
	v6 = strchr(argv[4], ':') != NULL;
	addr = v6 ? 16 : 4;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, argv[4], dst) != 1 ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, argv[5], src) != 1)
		return 2;
	id = atoi(argv[6]);
	count = atol(argv[7]);
	state = strtoull(argv[8], NULL, 0);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where))) {
		perror("malform");
		return 2;
	}
	for (long i = 0; i < count; i++) {
		uint8_t *ip = f + 14, *p = ip + (v6 ? 40 : 20);
		uint32_t sum = 0;

		for (int k = 0; k < 64; k++)
			p[k] = rnd(256);
		other = 0;
		n = v6 ? eoipv6(p, id, &other) : eoip(p, id, &other);
		memset(ip, 0, p - ip);
		if (v6) {
			put16(f + 12, 0x86dd);
			ip[0] = 0x60;
			put16(ip + 4, n);
			ip[6] = 97;
			ip[7] = 255;
		} else {
			put16(f + 12, 0x0800);
			ip[0] = 0x45;
			put16(ip + 2, 20 + n);
			put16(ip + 4, i);
			ip[8] = 255;
			ip[9] = 47;
		}
		memcpy(ip + (v6 ? 8 : 12), src, addr);
		memcpy(ip + (v6 ? 24 : 16), dst, addr);
		if (other)
			ip[(v6 ? 8 : 12) + addr - 1] ^= 64;
		if (!v6) {
			for (int k = 0; k < 20; k += 2)
				sum += ip[k] << 8 | ip[k + 1];
			while (sum >> 16)
				sum = (sum & 0xffff) + (sum >> 16);
			put16(ip + 10, ~sum);
		}
		if (send(fd, f, p - f + n, 0) < 0) {
			perror("malform: send");
			return 2;
		}
	}
	printf("MALFORM long=%ld short=%ld unmatched=%ld\n", n_long, n_short, n_unmatched);
	return 0;
}
